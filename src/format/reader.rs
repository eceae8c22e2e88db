//! Reads a file that is in memory.

use super::{Checks, Header, Kind, Layout, checksum};
use crate::words::{Blob, Error, Result};
use std::ops::Range;

/// An opened file: sections are slices of it, nothing is copied.
#[derive(Debug, Clone)]
pub struct FileReader {
    layout: Layout,
    file: Blob,
}

impl FileReader {
    /// Reads header and section table, and looks at no other byte.
    ///
    /// # Errors
    /// Those of [`Layout::read`].
    pub fn open(file: Blob) -> Result<Self> {
        let layout = Layout::read(&file[..file.len().min(Layout::MAX_BYTES)], file.len() as u64)?;
        Ok(FileReader { layout, file })
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.file
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        &self.layout.header
    }

    /// Where everything lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// A section's bytes, unchecked by their checksum; `None` if the file has no such section.
    pub fn section(&self, kind: Kind) -> Option<Blob> {
        let entry = self.layout.entry(kind)?;
        self.slice(entry.offset..entry.offset + entry.length).ok()
    }

    /// A section that the index type can't do without.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if the file lacks it.
    pub fn require(&self, kind: Kind) -> Result<Blob> {
        self.section(kind).ok_or_else(|| {
            Error::corrupt(format!(
                "a {} file must have the section {kind}, but this one hasn't; it was written wrongly",
                self.layout.header.index_type
            ))
        })
    }

    /// Reads every byte: checksums of all sections, zeros in all padding.
    ///
    /// # Errors
    /// `CORRUPT_FILE` with the first section that is damaged.
    pub fn verify(&self) -> Result<()> {
        for entry in &self.layout.entries {
            let computed = checksum(&self.slice(entry.offset..entry.offset + entry.length)?);
            if computed != entry.checksum {
                return Err(Error::corrupt(format!(
                    "{} has checksum {:016x}, but its bytes have {computed:016x}; \
                     the file is damaged: fetch or build it again",
                    entry.kind, entry.checksum
                )));
            }
        }
        for gap in self.layout.gaps() {
            if self.slice(gap.clone())?.iter().any(|&b| b != 0) {
                return Err(Error::corrupt(format!(
                    "the padding in bytes {} to {} isn't zero; the file is damaged or hides something",
                    gap.start, gap.end
                )));
            }
        }
        if let Some(section) = self.section(Kind::CHECKS) {
            let covered = self.layout.checked_bytes();
            let checks = Checks::open(&section, covered.clone())?;
            if !covered.is_empty() {
                checks.verify(covered.start, &self.slice(covered)?)?;
            }
        }
        Ok(())
    }

    fn slice(&self, range: Range<u64>) -> Result<Blob> {
        // The layout was checked against the length of `file`, so both ends fit a usize.
        self.file.slice(range.start as usize..range.end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ENTRY_BYTES, FileWriter, HEADER_BYTES, MAX_SECTIONS};
    use super::*;
    use crate::words::{Code, IndexType, Metric};
    use proptest::prelude::*;

    const HEADER: Header = Header { count: 3, dimension: 2, metric: Metric::L2, index_type: IndexType::Flat, seed: 42 };

    fn file(sections: &[(Kind, &[u8])]) -> Vec<u8> {
        let mut writer = FileWriter::new(HEADER);
        sections.iter().for_each(|&(kind, bytes)| writer.section(kind, bytes));
        writer.into_bytes()
    }

    fn sample() -> Vec<u8> {
        file(&[(Kind::CARD, b"{}"), (Kind::ROWS_F32, &[7; 64]), (Kind::KEYS, &[9; 65]), (Kind::FIELDS, b"")])
    }

    fn read(bytes: &[u8]) -> Result<FileReader> {
        FileReader::open(Blob::copy_of(bytes)?)
    }

    fn open_and_verify(bytes: &[u8]) -> Result<()> {
        read(bytes)?.verify()
    }

    /// Writes the right checksums over whatever the bytes now say.
    fn reseal(bytes: &mut [u8]) {
        let sections = u32::from_le_bytes(bytes[48..52].try_into().unwrap()) as usize;
        let table = checksum(&bytes[HEADER_BYTES..HEADER_BYTES + sections * ENTRY_BYTES]);
        bytes[56..64].copy_from_slice(&table.to_le_bytes());
        let header = checksum(&bytes[..120]);
        bytes[120..128].copy_from_slice(&header.to_le_bytes());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sections in prop::collection::btree_map(1u32..12, prop::collection::vec(any::<u8>(), 0..200), 0..11)) {
            let pairs: Vec<_> = sections.iter().map(|(&kind, bytes)| (Kind(kind), &bytes[..])).collect();
            let bytes = file(&pairs);
            let reversed: Vec<_> = pairs.iter().rev().copied().collect();
            prop_assert_eq!(&bytes, &file(&reversed));
            let reader = read(&bytes).unwrap();
            reader.verify().unwrap();
            prop_assert_eq!(reader.header(), &HEADER);
            for kind in 1..13 {
                prop_assert_eq!(reader.section(Kind(kind)).map(|b| b.to_vec()), sections.get(&kind).cloned());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(open_and_verify(&bytes).is_err());
        }

        #[test]
        fn arbitrary_tables_never_panic(table in prop::collection::vec(any::<u8>(), 160), edits in prop::collection::vec((0usize..160, 0usize..160), 0..4)) {
            let mut bytes = sample();
            for (to, from) in edits {
                bytes[HEADER_BYTES + to % 128] = table[from];
            }
            reseal(&mut bytes);
            let _ = open_and_verify(&bytes);
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "cut to {len}");
        }
        let mut longer = bytes.clone();
        longer.extend([0; 64]);
        assert_eq!(read(&longer).unwrap_err().code, Code::CorruptFile);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = sample();
        open_and_verify(&bytes).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(open_and_verify(&damaged).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn open_needs_only_header_and_table() {
        let bytes = sample();
        let head = HEADER_BYTES + 4 * ENTRY_BYTES;
        // Only the prefix exists here: whatever else `read` looked at would be out of bounds.
        let layout = Layout::read(&bytes[..head], bytes.len() as u64).unwrap();
        assert_eq!(Layout::read(&bytes[..head - 1], bytes.len() as u64).unwrap_err().code, Code::CorruptFile);

        let mut poisoned = bytes.clone();
        poisoned[head..].fill(0xA5);
        let reader = read(&poisoned).unwrap();
        assert_eq!(reader.layout(), &layout);
        assert_eq!(reader.verify().unwrap_err().code, Code::CorruptFile);
    }

    #[test]
    fn forged_tables_are_refused() {
        let entry = |i: usize, field: usize| HEADER_BYTES + i * ENTRY_BYTES + field;
        let cases: &[(&str, usize, &[u8], Code)] = &[
            ("unknown section", entry(3, 0), &[200], Code::UnsupportedFormat),
            ("section 0", entry(0, 0), &[0], Code::UnsupportedFormat),
            ("duplicate section", entry(1, 0), &[1], Code::CorruptFile),
            ("descending kinds", entry(2, 0), &[2], Code::CorruptFile),
            ("reserved field", entry(1, 4), &[1], Code::CorruptFile),
            ("overlap", entry(2, 8), &256u64.to_le_bytes(), Code::CorruptFile),
            ("gap", entry(2, 8), &512u64.to_le_bytes(), Code::CorruptFile),
            ("misaligned", entry(1, 8), &321u64.to_le_bytes(), Code::CorruptFile),
            ("inside the table", entry(0, 8), &64u64.to_le_bytes(), Code::CorruptFile),
            ("past the end", entry(2, 16), &u64::MAX.to_le_bytes(), Code::CorruptFile),
            ("one byte past the end", entry(3, 16), &65u64.to_le_bytes(), Code::CorruptFile),
            ("too short", entry(2, 16), &0u64.to_le_bytes(), Code::CorruptFile),
            ("fewer sections than bytes", 48, &[2], Code::CorruptFile),
            ("more sections than there are", 48, &[5], Code::UnsupportedFormat),
            ("total too small", 16, &256u64.to_le_bytes(), Code::CorruptFile),
        ];
        for (name, at, new, code) in cases {
            let mut bytes = sample();
            bytes[*at..at + new.len()].copy_from_slice(new);
            reseal(&mut bytes);
            assert_eq!(read(&bytes).err().map(|e| e.code), Some(*code), "{name}");
        }
    }

    #[test]
    fn padding_must_be_zero() {
        let bytes = sample();
        let reader = read(&bytes).unwrap();
        let gaps: Vec<_> = reader.layout().gaps().filter(|g| !g.is_empty()).collect();
        assert_eq!(gaps.len(), 2, "{gaps:?}");
        for at in gaps.into_iter().flatten() {
            let mut damaged = bytes.clone();
            damaged[at as usize] = 1;
            assert!(read(&damaged).unwrap().verify().unwrap_err().message.contains("padding"), "byte {at}");
        }
    }

    #[test]
    fn unknown_sections_are_passed_over_only_if_they_say_so() {
        let bytes = file(&[(Kind::CARD, b"{}"), (Kind(0x8000_0001), b"later")]);
        let reader = read(&bytes).unwrap();
        reader.verify().unwrap();
        assert_eq!(&reader.section(Kind::CARD).unwrap()[..], b"{}");
        assert_eq!(read(&file(&[(Kind(200), b"x")])).unwrap_err().code, Code::UnsupportedFormat);
        assert!(reader.require(Kind::KEYS).unwrap_err().message.contains("keys"));
    }

    #[test]
    fn checks_cover_every_byte_between_the_table_and_them() {
        let mut writer = FileWriter::new(HEADER);
        writer.section(Kind::ROWS_F32, vec![7; 9000]);
        writer.section(Kind::CARD, b"{}".to_vec());
        writer.section(Kind(0x8000_0200), b"later".to_vec());
        let writer = writer.with_checks();
        let length = writer.file_bytes();
        let bytes = writer.into_bytes();
        assert_eq!(bytes.len() as u64, length);
        let reader = read(&bytes).unwrap();
        reader.verify().unwrap();
        let covered = reader.layout().checked_bytes();
        assert_eq!(covered, reader.layout().entries[0].offset..reader.layout().entry(Kind::CHECKS).unwrap().offset);

        // A sum that isn't its block's, under a right checksum of the section.
        let mut lying = FileWriter::new(HEADER);
        lying.section(Kind::ROWS_F32, vec![7; 9000]);
        let mut sums = b"\0\x10\0\0\0\0\0\0".to_vec();
        sums.extend([1; 8 * 3]);
        lying.section(Kind::CHECKS, sums);
        let error = read(&lying.into_bytes()).unwrap().verify().unwrap_err();
        assert!(error.message.contains("should have checksum"), "{error}");
    }

    #[test]
    fn the_largest_table_fits_the_prefix() {
        let mut writer = FileWriter::new(HEADER);
        (0..MAX_SECTIONS as u32).for_each(|i| writer.section(Kind(0x8000_0000 + i), vec![i as u8; 3]));
        let bytes = writer.into_bytes();
        read(&bytes).unwrap().verify().unwrap();
        assert_eq!(Layout::read(&bytes[..Layout::MAX_BYTES], bytes.len() as u64).unwrap().entries.len(), MAX_SECTIONS);
    }
}

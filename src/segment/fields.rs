//! Stored fields: one JSON text a row, in DEFLATE blocks that are read one at a time.
//!
//! A block unpacks to JSON Lines. What it unpacks to is stated in the directory and bounded, so a
//! small file can't ask for much memory.

use crate::words::{Blob, Code, Cursor, Error, Result, order};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use std::borrow::Cow;
use std::ops::Range;

/// A block of several rows unpacks to at most this many bytes. Larger ones pack better, smaller
/// ones are faster to read one row of.
pub const BLOCK_BYTES: usize = 16 << 10;

/// A row's text, with its line feed, has at most this many bytes; a longer row than
/// [`BLOCK_BYTES`] has a block of its own.
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// One call returns at most this many bytes of text.
pub const MAX_READ_BYTES: usize = 64 << 20;

const HEAD: usize = 8;
const ENTRY: usize = 16;
const LEVEL: u8 = 9;

/// Packs rows one after the other, so that a build never holds all of the text.
#[derive(Debug, Default)]
pub struct FieldsWriter {
    /// The block being filled.
    lines: Vec<u8>,
    lines_rows: u32,
    rows: u32,
    blocks: Vec<Block>,
    packed: Vec<u8>,
}

/// A row of the directory.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// From the section's start.
    offset: u64,
    first_row: u32,
    raw_bytes: u32,
}

impl FieldsWriter {
    /// A section without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next row: a JSON text on one line.
    ///
    /// # Errors
    /// `INVALID_INPUT` if it holds a line feed or is longer than [`MAX_ROW_BYTES`].
    pub fn push(&mut self, json: &str) -> Result<()> {
        let length = json.len() + 1;
        if length > MAX_ROW_BYTES || json.contains('\n') {
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "the stored fields of row {} have {} bytes; they must be JSON on one line of less than {MAX_ROW_BYTES} \
                     bytes: store less with the vector, and keep the rest elsewhere by its key",
                    self.rows,
                    json.len()
                ),
            ));
        }
        if !self.lines.is_empty() && self.lines.len() + length > BLOCK_BYTES {
            self.close_block();
        }
        self.lines.extend(json.as_bytes());
        self.lines.push(b'\n');
        self.lines_rows += 1;
        self.rows += 1;
        Ok(())
    }

    /// The rows in another order: the first is now row `order[0]`. Holds all of the text meanwhile.
    ///
    /// # Errors
    /// `OUT_OF_MEMORY`.
    pub fn reordered(self, order: &[u32]) -> Result<Self> {
        let rows = self.rows;
        let mut texts = Vec::with_capacity(order.len());
        Fields::open(Blob::copy_of(&self.finish())?, rows)?.for_each(|_, text| {
            texts.push(text.to_owned());
            Ok(())
        })?;
        let mut reordered = FieldsWriter::new();
        order.iter().try_for_each(|&row| reordered.push(&texts[row as usize]))?;
        Ok(reordered)
    }

    /// Rows so far.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The section.
    pub fn finish(mut self) -> Vec<u8> {
        if !self.lines.is_empty() {
            self.close_block();
        }
        let start = HEAD + (self.blocks.len() + 1) * ENTRY;
        let end = Block { offset: self.packed.len() as u64, first_row: self.rows, raw_bytes: 0 };
        let mut out = Vec::with_capacity(start + self.packed.len());
        out.extend((self.blocks.len() as u32).to_le_bytes());
        out.extend(0u32.to_le_bytes());
        for block in self.blocks.iter().chain([&end]) {
            out.extend((block.offset + start as u64).to_le_bytes());
            out.extend(block.first_row.to_le_bytes());
            out.extend(block.raw_bytes.to_le_bytes());
        }
        out.append(&mut self.packed);
        out
    }

    fn close_block(&mut self) {
        self.blocks.push(Block {
            offset: self.packed.len() as u64,
            first_row: self.rows - self.lines_rows,
            raw_bytes: self.lines.len() as u32,
        });
        self.packed.append(&mut miniz_oxide::deflate::compress_to_vec(&self.lines, LEVEL));
        self.lines.clear();
        self.lines_rows = 0;
    }
}

/// The stored fields of an opened file.
#[derive(Debug)]
pub struct Fields {
    /// All of it, or its directory.
    section: Blob,
    section_bytes: u64,
    blocks: usize,
}

impl Fields {
    /// Opens the section for `rows` rows. Looks at the ends of the directory only.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if directory, rows and section don't fit each other.
    pub fn open(section: Blob, rows: u32) -> Result<Self> {
        let bytes = section.len() as u64;
        Self::open_directory(section, bytes, rows)
    }

    /// Opens the directory of a section of so many bytes, which are elsewhere: [`Self::read_from`] asks for them.
    pub(super) fn open_directory(section: Blob, section_bytes: u64, rows: u32) -> Result<Self> {
        let mut c = Cursor::new(&section, "the section fields");
        let (blocks, reserved) = (c.u32()? as usize, c.u32()?);
        let directory = (blocks as u64 + 1) * ENTRY as u64;
        if reserved != 0 || directory > c.remaining() as u64 {
            return Err(Error::corrupt(format!(
                "the section fields states {blocks} blocks, which its {section_bytes} bytes can't hold"
            )));
        }
        let fields = Fields { section, section_bytes, blocks };
        let (first, last) = (fields.block(0)?, fields.block(blocks)?);
        if first.offset != HEAD as u64 + directory
            || first.first_row != 0
            || last.offset != fields.section_bytes
            || last.first_row != rows
            || last.raw_bytes != 0
        {
            return Err(Error::corrupt(format!(
                "the directory of the stored fields covers rows {}..{} in bytes {}..{}, \
                 but there are {rows} rows in {} bytes",
                first.first_row, last.first_row, first.offset, last.offset, fields.section_bytes
            )));
        }
        Ok(fields)
    }

    /// Bytes of the directory, of which these are the first.
    pub(super) fn directory_bytes(head: &[u8]) -> u64 {
        let blocks = head.first_chunk().map_or(0, |blocks| u32::from_le_bytes(*blocks));
        HEAD as u64 + (u64::from(blocks) + 1) * ENTRY as u64
    }

    /// Where the block of a row lies in the section.
    pub(super) fn place(&self, row: u32) -> Result<Range<u64>> {
        let (block, next) = self.bounds(self.find(row)?)?;
        Ok(block.offset..next.offset)
    }

    /// The JSON texts of these rows, in their order. Each block is unpacked once.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no such row or the answer would pass [`MAX_READ_BYTES`],
    /// `CORRUPT_FILE` if a block is damaged.
    pub fn read(&self, rows: &[u32]) -> Result<Vec<String>> {
        self.read_from(rows, |place| Ok(Cow::Borrowed(&self.section[place.start as usize..place.end as usize])))
    }

    /// [`Self::read`], with blocks that `packed` gives.
    pub(super) fn read_from<'a>(
        &self,
        rows: &[u32],
        packed: impl Fn(Range<u64>) -> Result<Cow<'a, [u8]>>,
    ) -> Result<Vec<String>> {
        // By row, each with its place in the answer.
        let mut wanted: Vec<u64> = rows.iter().zip(0..).map(|(&row, i)| u64::from(row) << 32 | i).collect();
        order::sort(&mut wanted);
        let mut out = vec![String::new(); rows.len()];
        let mut unpacked: Option<Unpacked> = None;
        let mut total = 0;
        for key in wanted {
            let (row, i) = ((key >> 32) as u32, key as u32 as usize);
            if unpacked.as_ref().is_none_or(|u| row >= u.end_row) {
                let block = self.find(row)?;
                unpacked = Some(self.unpack(block, &packed(self.place(row)?)?)?);
            }
            if let Some(block) = &mut unpacked {
                let line = block.line(row)?;
                total += line.len();
                if total > MAX_READ_BYTES {
                    return Err(Error::argument(format!(
                        "the stored fields of these {} rows have more than {MAX_READ_BYTES} bytes; ask for fewer at a time",
                        rows.len()
                    )));
                }
                out[i] = line.to_owned();
            }
        }
        Ok(out)
    }

    /// Unpacks every block and gives every row's text to `check`.
    ///
    /// # Errors
    /// `CORRUPT_FILE` at the first block that is damaged, and those of `check`.
    pub fn for_each(&self, mut check: impl FnMut(u32, &str) -> Result<()>) -> Result<()> {
        for block in 0..self.blocks {
            let (first, next) = self.bounds(block)?;
            let mut unpacked = self.unpack(block, &self.section[first.offset as usize..next.offset as usize])?;
            for row in unpacked.next_row..unpacked.end_row {
                check(row, unpacked.line(row)?)?;
            }
        }
        Ok(())
    }

    /// Checks the directory; the blocks themselves are checked as they are read.
    ///
    /// # Errors
    /// `CORRUPT_FILE` at the first block whose place or size can't be.
    pub fn verify(&self) -> Result<()> {
        (0..self.blocks).try_for_each(|block| self.bounds(block).map(drop))
    }

    fn block(&self, i: usize) -> Result<Block> {
        let at = HEAD + i * ENTRY;
        let mut c = Cursor::new(&self.section[at..at + ENTRY], "the directory of the stored fields");
        Ok(Block { offset: c.u64()?, first_row: c.u32()?, raw_bytes: c.u32()? })
    }

    /// A block and the one after it, checked against each other.
    fn bounds(&self, i: usize) -> Result<(Block, Block)> {
        let (block, next) = (self.block(i)?, self.block(i + 1)?);
        let rows = next.first_row.checked_sub(block.first_row).filter(|&rows| rows > 0);
        let limit = if rows == Some(1) { MAX_ROW_BYTES } else { BLOCK_BYTES };
        if rows.is_none()
            || block.raw_bytes as usize > limit
            || block.offset > next.offset
            || next.offset > self.section_bytes
        {
            return Err(Error::corrupt(format!(
                "block {i} of the stored fields states rows {}..{} in bytes {}..{} that unpack to {} \
                 (at most {BLOCK_BYTES}, or {MAX_ROW_BYTES} for a single row); the file is damaged",
                block.first_row, next.first_row, block.offset, next.offset, block.raw_bytes
            )));
        }
        Ok((block, next))
    }

    /// The block that holds a row.
    fn find(&self, row: u32) -> Result<usize> {
        let (mut low, mut high) = (0, self.blocks);
        if row >= self.block(self.blocks)?.first_row {
            return Err(Error::argument(format!("there is no row {row}; its fields can't be read")));
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.block(middle)?.first_row <= row {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn unpack(&self, i: usize, packed: &[u8]) -> Result<Unpacked> {
        let (block, next) = self.bounds(i)?;
        let mut lines = vec![0; block.raw_bytes as usize];
        let mut state = Box::<DecompressorOxide>::default();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, read, written) = decompress(&mut state, packed, &mut lines, 0, flags);
        if status != TINFLStatus::Done || read != packed.len() || written != lines.len() {
            return Err(Error::corrupt(format!(
                "block {i} of the stored fields doesn't unpack to the {} bytes that it states (but to {written}); \
                 the file is damaged",
                lines.len()
            )));
        }
        let lines = String::from_utf8(lines)
            .map_err(|_| Error::corrupt(format!("block {i} of the stored fields isn't UTF-8; the file is damaged")))?;
        Ok(Unpacked { lines, at: 0, next_row: block.first_row, end_row: next.first_row })
    }
}

/// An unpacked block, walked from its first line on.
struct Unpacked {
    lines: String,
    /// Where the line of `next_row` starts.
    at: usize,
    next_row: u32,
    end_row: u32,
}

impl Unpacked {
    /// The line of a row that isn't before the one asked for last.
    fn line(&mut self, row: u32) -> Result<&str> {
        let wrong = || {
            Error::corrupt(format!(
                "the block of the stored fields up to row {} hasn't as many lines as rows; the file is damaged",
                self.end_row
            ))
        };
        if !(self.next_row..self.end_row).contains(&row) {
            return Err(wrong());
        }
        loop {
            let length = self.lines[self.at..].find('\n').ok_or_else(wrong)?;
            if self.next_row == row {
                if row + 1 == self.end_row && self.at + length + 1 != self.lines.len() {
                    return Err(wrong());
                }
                return Ok(&self.lines[self.at..self.at + length]);
            }
            self.at += length + 1;
            self.next_row += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::bytes::as_bytes;
    use miniz_oxide::deflate::compress_to_vec;
    use proptest::prelude::*;

    fn written(rows: &[String]) -> Vec<u8> {
        let mut writer = FieldsWriter::new();
        rows.iter().for_each(|row| writer.push(row).unwrap());
        assert_eq!(writer.rows() as usize, rows.len());
        writer.finish()
    }

    fn open(bytes: &[u8], rows: u32) -> Result<Fields> {
        Fields::open(Blob::copy_of(bytes)?, rows)
    }

    proptest! {
        #[test]
        fn rows_come_back(lengths in prop::collection::vec(prop_oneof![0usize..40, 5000usize..9000, 17_000usize..40_000], 0..12),
                          picks in prop::collection::vec(0usize..12, 0..20)) {
            let rows: Vec<String> = lengths.iter().enumerate().map(|(i, &n)| format!("{{\"{i}é\":{n:0n$}}}")).collect();
            let fields = open(&written(&rows), rows.len() as u32).unwrap();
            fields.verify().unwrap();
            let picks: Vec<u32> = picks.into_iter().filter(|&p| p < rows.len()).map(|p| p as u32).collect();
            let expected: Vec<_> = picks.iter().map(|&p| rows[p as usize].clone()).collect();
            prop_assert_eq!(fields.read(&picks).unwrap(), expected);
            let mut seen = Vec::new();
            fields.for_each(|row, text| { seen.push((row, text.to_owned())); Ok(()) }).unwrap();
            prop_assert_eq!(seen, (0..).zip(rows.clone()).collect::<Vec<_>>());
            prop_assert_eq!(fields.read(&[rows.len() as u32]).unwrap_err().code, Code::InvalidArgument);
        }

        #[test]
        fn damage_never_panics(edits in prop::collection::vec((0usize..400, any::<u8>()), 1..6)) {
            let rows: Vec<String> = (0..300).map(|i| format!("{{\"gloss\":\"{}\"}}", "word ".repeat(i % 40))).collect();
            let mut bytes = written(&rows);
            for (at, value) in edits {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            if let Ok(fields) = open(&bytes, 300) {
                let _ = fields.verify();
                for row in 0..300 {
                    let _ = fields.read(&[row]);
                }
            }
        }
    }

    #[test]
    fn a_row_costs_one_block() {
        let rows: Vec<String> = (0..2000).map(|i| format!("{{\"n\":{i},\"pad\":\"{:0100}\"}}", i * 7919)).collect();
        let bytes = written(&rows);
        let fields = open(&bytes, 2000).unwrap();
        assert!((10..40).contains(&fields.blocks), "{}", fields.blocks);
        let all: usize = rows.iter().map(String::len).sum();
        assert!(bytes.len() * 3 < all, "{} of {all}", bytes.len());
        // With every other block destroyed, a row of a whole one still reads.
        let kept = fields.block(3).unwrap();
        let (start, end) = (kept.offset as usize, fields.block(4).unwrap().offset as usize);
        let mut poisoned = bytes.clone();
        let packed = HEAD + (fields.blocks + 1) * ENTRY;
        poisoned[packed..start].fill(0xFF);
        poisoned[end..].fill(0xFF);
        let poisoned = open(&poisoned, 2000).unwrap();
        assert_eq!(poisoned.read(&[kept.first_row]).unwrap(), [rows[kept.first_row as usize].clone()]);
        assert_eq!(poisoned.read(&[0]).unwrap_err().code, Code::CorruptFile);
    }

    #[test]
    fn rows_that_are_too_long_or_broken_are_refused() {
        let mut writer = FieldsWriter::new();
        writer.push(&"x".repeat(MAX_ROW_BYTES - 1)).unwrap();
        assert!(writer.push(&"x".repeat(MAX_ROW_BYTES)).unwrap_err().message.contains("row 1"));
        assert_eq!(writer.push("{\n}").unwrap_err().code, Code::InvalidInput);
        let fields = open(&writer.finish(), 1).unwrap();
        assert_eq!(fields.read(&[0]).unwrap()[0].len(), MAX_ROW_BYTES - 1);
    }

    #[test]
    fn one_answer_is_bounded() {
        let mut writer = FieldsWriter::new();
        writer.push(&"x".repeat(MAX_ROW_BYTES - 1)).unwrap();
        let fields = open(&writer.finish(), 1).unwrap();
        assert_eq!(fields.read(&[0; 64]).unwrap().len(), 64);
        assert_eq!(fields.read(&[0; 65]).unwrap_err().code, Code::InvalidArgument);
    }

    /// A section with these blocks: (first row, stated raw bytes, packed bytes).
    fn section(rows: u32, blocks: &[(u32, u32, Vec<u8>)]) -> Vec<u8> {
        let mut out = as_bytes(&[blocks.len() as u32, 0]).to_vec();
        let mut offset = (HEAD + (blocks.len() + 1) * ENTRY) as u64;
        for (first, raw, packed) in blocks {
            out.extend([as_bytes(&[offset]), as_bytes(&[*first, *raw])].concat());
            offset += packed.len() as u64;
        }
        out.extend([as_bytes(&[offset]), as_bytes(&[rows, 0])].concat());
        blocks.iter().for_each(|(.., packed)| out.extend(packed));
        out
    }

    #[test]
    fn forged_sections_are_refused() {
        let pack = |text: &[u8]| compress_to_vec(text, LEVEL);
        let reads = |bytes: &[u8], rows: u32| -> Result<()> {
            let fields = open(bytes, rows)?;
            fields.verify()?;
            fields.for_each(|_, _| Ok(()))
        };
        reads(&section(2, &[(0, 4, pack(b"1\n2\n"))]), 2).unwrap();
        reads(&section(0, &[]), 0).unwrap();
        let bomb = pack(&vec![b'\n'; 100 << 20]);
        assert!(bomb.len() < 200_000);
        let mut many_blocks = section(0, &[]);
        many_blocks[..4].fill(0xFF);
        let mut trailing = pack(b"1\n2\n");
        trailing.push(0);
        let cases: &[(&str, Vec<u8>, u32)] = &[
            ("empty", vec![], 0),
            ("blocks that the bytes can't hold", many_blocks, 0),
            ("rows without blocks", section(3, &[]), 3),
            ("fewer rows than the file", section(2, &[(0, 4, pack(b"1\n2\n"))]), 3),
            ("first row isn't 0", section(2, &[(1, 2, pack(b"2\n"))]), 2),
            ("a block without rows", section(2, &[(0, 4, pack(b"1\n2\n")), (2, 0, pack(b""))]), 2),
            ("descending rows", section(2, &[(0, 4, pack(b"1\n2\n")), (9, 0, pack(b"")), (1, 0, pack(b""))]), 2),
            ("fewer lines than rows", section(3, &[(0, 4, pack(b"1\n2\n"))]), 3),
            ("more lines than rows", section(1, &[(0, 4, pack(b"1\n2\n"))]), 1),
            ("no last line feed", section(2, &[(0, 3, pack(b"1\n2"))]), 2),
            ("unpacks to more", section(2, &[(0, 4, pack(b"1\n2222\n"))]), 2),
            ("unpacks to less", section(2, &[(0, 9, pack(b"1\n2\n"))]), 2),
            ("bytes after the stream", section(2, &[(0, 4, trailing)]), 2),
            ("no DEFLATE", section(2, &[(0, 4, vec![0xFF; 9])]), 2),
            ("not UTF-8", section(1, &[(0, 2, pack(b"\xFF\n"))]), 1),
            ("a bomb in one row", section(1, &[(0, 100 << 20, bomb.clone())]), 1),
            ("a bomb that states little", section(1, &[(0, 1 << 20, bomb.clone())]), 1),
            ("a bomb in many rows", section(5000, &[(0, 100_000, bomb)]), 5000),
        ];
        for (name, bytes, rows) in cases {
            assert_eq!(reads(bytes, *rows).err().map(|e| e.code), Some(Code::CorruptFile), "{name}");
        }
        let mut shifted = section(2, &[(0, 2, pack(b"1\n")), (1, 2, pack(b"2\n"))]);
        shifted[HEAD + ENTRY..HEAD + ENTRY + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(reads(&shifted, 2).unwrap_err().code, Code::CorruptFile);
        // Without `verify`, the search for a row meets a directory that doesn't ascend.
        let lines = b"1\n".repeat(3);
        let blocks = [(0, 6, pack(&lines)), (u32::MAX - 1, 6, pack(&lines)), (u32::MAX, 6, pack(&lines))];
        let unordered = open(&section(9, &blocks), 9).unwrap();
        assert!((3..9).all(|row| unordered.read(&[row]).is_err_and(|e| e.code == Code::CorruptFile)));
    }
}

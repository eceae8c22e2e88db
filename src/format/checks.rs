//! Checksums of blocks of the file, so that a part of it can be trusted without the rest.
//!
//! A section's checksum needs all of its bytes. Who fetches ranges of a file has blocks, and finds in
//! the section `checks` what each must be. That section has its own checksum in the table, so a chain
//! runs from the header to every byte that is covered.
//!
//! ```text
//! u32            bytes of a block, 4,096
//! u32            0
//! u64 × blocks   XXH64 of each
//! ```
//!
//! Block *i* is bytes 4,096 · i … 4,096 · (i + 1) of the file, as far as they lie between the first
//! section's start and this section's.

use super::checksum;
use crate::words::{Cursor, Error, Result};
use std::ops::Range;

/// Bytes of a block. Smaller ones waste less of what is fetched for a few rows; but the sums of all
/// are fetched before the first answer.
pub const BLOCK_BYTES: u64 = 4096;

const HEAD: usize = 8;

/// Where the blocks of a file lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    covered: Range<u64>,
}

impl Blocks {
    /// Those of a file of which these bytes are covered: they start in the first block, for header and
    /// table are shorter than one.
    pub fn new(covered: Range<u64>) -> Self {
        Blocks { covered }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.covered.end.div_ceil(BLOCK_BYTES) as usize
    }

    /// Where some blocks lie in the file.
    pub fn bytes(&self, blocks: Range<usize>) -> Range<u64> {
        let start = (blocks.start as u64 * BLOCK_BYTES).max(self.covered.start);
        start..(blocks.end as u64 * BLOCK_BYTES).min(self.covered.end).max(start)
    }

    /// The blocks that a range of the file touches; none that isn't covered.
    pub fn touched(&self, range: Range<u64>) -> Range<usize> {
        let (start, end) = (range.start.max(self.covered.start), range.end.min(self.covered.end));
        if start >= end {
            return 0..0;
        }
        (start / BLOCK_BYTES) as usize..end.div_ceil(BLOCK_BYTES) as usize
    }

    /// The blocks that a range of the file has all of.
    pub fn within(&self, range: Range<u64>) -> Range<usize> {
        let mut blocks = self.touched(range.clone());
        if self.bytes(blocks.clone()).start < range.start {
            blocks.start += 1;
        }
        if blocks.start < blocks.end && self.bytes(blocks.clone()).end > range.end {
            blocks.end -= 1;
        }
        blocks.start.min(blocks.end)..blocks.end
    }
}

/// What the blocks of a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    blocks: Blocks,
    sums: Vec<u64>,
}

impl Checks {
    /// The section for a file whose covered bytes come in these pieces.
    pub(super) fn encode<'a>(start: u64, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut out = (BLOCK_BYTES as u32).to_le_bytes().to_vec();
        out.extend([0; 4]);
        let (mut block, mut room) = (Vec::with_capacity(BLOCK_BYTES as usize), BLOCK_BYTES - start % BLOCK_BYTES);
        for mut piece in pieces {
            while !piece.is_empty() {
                let (now, later) = piece.split_at(piece.len().min(room as usize));
                block.extend_from_slice(now);
                piece = later;
                room -= now.len() as u64;
                if room == 0 {
                    out.extend(checksum(&block).to_le_bytes());
                    block.clear();
                    room = BLOCK_BYTES;
                }
            }
        }
        if !block.is_empty() {
            out.extend(checksum(&block).to_le_bytes());
        }
        out
    }

    /// The section of a file of which these bytes are covered.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it isn't for so many bytes.
    pub fn open(section: &[u8], covered: Range<u64>) -> Result<Self> {
        let mut c = Cursor::new(section, "the section checks");
        let (block, reserved) = (c.u32()?, c.u32()?);
        let all = Blocks::new(covered);
        let blocks = all.count();
        if u64::from(block) != BLOCK_BYTES
            || reserved != 0
            || c.remaining() / 8 != blocks
            || !section.len().is_multiple_of(8)
        {
            return Err(Error::corrupt(format!(
                "the section checks has {} bytes for blocks of {block}, where {blocks} blocks of {BLOCK_BYTES} were \
                 expected; the file was written wrongly",
                section.len()
            )));
        }
        let sums = section[HEAD..].as_chunks().0.iter().map(|&sum| u64::from_le_bytes(sum)).collect();
        Ok(Checks { blocks: all, sums })
    }

    /// The blocks that these bytes of the file have all of, checked.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if one is damaged.
    pub fn verify(&self, at: u64, bytes: &[u8]) -> Result<Range<usize>> {
        let blocks = self.blocks.within(at..at.saturating_add(bytes.len() as u64));
        for block in blocks.clone() {
            let place = self.blocks.bytes(block..block + 1);
            let found = checksum(&bytes[(place.start - at) as usize..(place.end - at) as usize]);
            if found != self.sums[block] {
                return Err(Error::corrupt(format!(
                    "bytes {} to {} should have checksum {:016x}, but those that came have {found:016x}; they were \
                     damaged on their way, or the file has changed: fetch them again, or open the file anew",
                    place.start, place.end, self.sums[block]
                )));
            }
        }
        Ok(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Code;
    use proptest::prelude::*;

    fn sample(start: u64, bytes: &[u8], cut: usize) -> Checks {
        let (a, b) = bytes.split_at(cut.min(bytes.len()));
        let section = Checks::encode(start, [a, &[], b].into_iter());
        Checks::open(&section, start..start + bytes.len() as u64).unwrap()
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_found(start in 1u64..4000, length in 1usize..20_000, cut in 0usize..20_000, flip in any::<usize>(), seed in any::<u8>()) {
            let mut bytes: Vec<u8> = (0..length).map(|i| (i % 251) as u8 ^ seed).collect();
            let checks = sample(start, &bytes, cut);
            prop_assert_eq!(checks.verify(start, &bytes).unwrap(), 0..checks.blocks.count());
            bytes[flip % length] ^= 1 << (flip % 8);
            prop_assert_eq!(checks.verify(start, &bytes).unwrap_err().code, Code::CorruptFile);
        }

        #[test]
        fn blocks_of_a_range_are_those_that_hold_it(start in 1u64..4000, length in 1u64..20_000, from in 0u64..24_000, bytes in 0u64..9000) {
            let blocks = Blocks::new(start..start + length);
            let (range, covered) = (from..from + bytes, start..start + length);
            for block in 0..blocks.count() + 1 {
                let place = blocks.bytes(block..block + 1);
                let (first, last) = (place.start.max(range.start), place.end.min(range.end));
                prop_assert_eq!(blocks.touched(range.clone()).contains(&block), first < last, "{}", block);
                let is_whole = !place.is_empty() && range.start <= place.start && place.end <= range.end;
                prop_assert_eq!(blocks.within(range.clone()).contains(&block), is_whole, "{}", block);
                prop_assert!(place.is_empty() || covered.start <= place.start && place.end <= covered.end);
            }
        }

        #[test]
        fn arbitrary_sections_never_panic(section in prop::collection::vec(any::<u8>(), 0..64), end in any::<u64>()) {
            let _ = Checks::open(&section, 64.min(end)..end);
        }
    }

    #[test]
    fn parts_of_blocks_are_passed_over() {
        let bytes = [7; 10_000];
        let checks = sample(320, &bytes, 0);
        let cases: [(u64, usize, Range<usize>); 6] = [
            (320, 10_000, 0..3),
            (320, 9999, 0..2),
            (321, 9999, 1..3),
            (4096, 4097, 1..2),
            (u64::MAX, 10, 0..0),
            (4097, 5, 0..0),
        ];
        for (at, length, blocks) in cases {
            let found = checks.verify(at, &bytes[..length]).unwrap();
            assert!(found == blocks || found.is_empty() && blocks.is_empty(), "{at}: {found:?}");
        }
    }
}

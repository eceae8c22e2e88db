//! How many postings each row has, in as few bytes as the longest row needs.
//!
//! BM25 weighs texts by it; for sparse vectors it is what makes a file that claims many rows have as
//! many bytes.

use crate::words::bytes::{as_bytes, cast};
use crate::words::{Blob, Error, Result};
use std::ops::Range;

/// A number a row.
#[derive(Debug, Clone)]
pub enum Lengths {
    /// All below 256.
    U8(Blob),
    /// All below 65,536.
    U16(Blob),
    /// Any.
    U32(Blob),
}

impl Lengths {
    /// Bytes of a number, and the numbers in so many.
    pub fn encode(lengths: &[u32]) -> (u32, Vec<u8>) {
        match lengths.iter().copied().max().unwrap_or(0) {
            0..=0xFF => (1, lengths.iter().map(|&n| n as u8).collect()),
            0x100..=0xFFFF => (2, as_bytes(&lengths.iter().map(|&n| n as u16).collect::<Vec<_>>()).to_vec()),
            _ => (4, as_bytes(lengths).to_vec()),
        }
    }

    /// The numbers of so many rows, `width` bytes each, that start at `at` of a section; and where
    /// in it they are.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if there is no such width or the section is too short.
    pub fn open(section: &Blob, at: usize, width: u32, rows: usize) -> Result<(Self, Range<usize>)> {
        let length = u64::from(width).saturating_mul(rows as u64);
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(at)).unwrap_or(usize::MAX);
        let bytes = section.slice(at..end)?;
        let lengths = match width {
            1 => Lengths::U8(bytes),
            2 => bytes.as_numbers::<u16>().map(|_| Lengths::U16(bytes.clone()))?,
            4 => bytes.as_numbers::<u32>().map(|_| Lengths::U32(bytes.clone()))?,
            _ => return Err(Error::corrupt(format!("a section states lengths of {width} bytes; they have 1, 2 or 4"))),
        };
        Ok((lengths, at..end))
    }

    /// That of a row; 0 if there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> u32 {
        // Length and alignment were checked when the blob was sliced.
        match self {
            Lengths::U8(bytes) => bytes.get(row).map_or(0, |&n| n.into()),
            Lengths::U16(bytes) => cast::<u16>(bytes).ok().and_then(|n| n.get(row)).map_or(0, |&n| n.into()),
            Lengths::U32(bytes) => cast::<u32>(bytes).ok().and_then(|n| n.get(row)).map_or(0, |&n| n),
        }
    }

    /// Whether they are these, in the fewest bytes.
    pub fn are(&self, expected: &[u32]) -> bool {
        let own: &Blob = match self {
            Lengths::U8(bytes) | Lengths::U16(bytes) | Lengths::U32(bytes) => bytes,
        };
        **own == *Self::encode(expected).1
    }
}

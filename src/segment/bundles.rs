//! What a search of parts reads of a list, in one run of bytes.
//!
//! Codes, numbers and factors of rows lie in sections of their own, so a list would cost a request in each. A file
//! that is to be fetched in ranges has them once more, list by list. **Section 0x80000080**, for each list of the directory:
//!
//! ```text
//! its blocks of codes
//! u32 × rows    the numbers that its rows were given by
//! f32 × rows    their scales, if the file has 8-bit rows
//! f32 × rows    their squares, if it has 8-bit rows and the metric is L2
//! ```
//!
//! A reader of whole files passes over it; verifying compares it with what it repeats.

use crate::format::{FileWriter, Header, Kind};
use crate::index::Lists;
use crate::index::lists::List;
use crate::quantize::sq8;
use crate::words::{Error, Metric, Result};
use std::ops::{Deref, Range};

/// Where things lie in the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bundles {
    block_bytes: u64,
    has_scales: bool,
    has_squares: bool,
}

impl Bundles {
    /// Of a file with codes of so many bytes a block.
    pub fn new(header: &Header, block_bytes: usize, has_i8: bool) -> Self {
        let has_squares = has_i8 && header.metric == Metric::L2;
        Bundles { block_bytes: block_bytes as u64, has_scales: has_i8, has_squares }
    }

    /// All of a list.
    pub fn of(&self, list: List) -> Range<u64> {
        let row = 4 * (1 + u64::from(self.has_scales) + u64::from(self.has_squares));
        let start = list.first_block as u64 * self.block_bytes + list.first_row as u64 * row;
        start..self.codes_end(start, list) + list.rows as u64 * row
    }

    /// Bytes of the section.
    pub fn bytes(&self, lists: &Lists) -> u64 {
        lists.iter().last().map_or(0, |last| self.of(last).end)
    }

    /// Its codes.
    pub fn codes(&self, list: List) -> Range<u64> {
        let start = self.of(list).start;
        start..self.codes_end(start, list)
    }

    /// Numbers of some of its rows.
    pub fn numbers(&self, list: List, rows: Range<usize>) -> Range<u64> {
        let start = self.codes(list).end;
        let at = |row: usize| start + 4 * (row - list.first_row) as u64;
        at(rows.start)..at(rows.end)
    }

    /// Scale and square of one of its rows.
    pub fn factors(&self, list: List, row: u32) -> [Range<u64>; 2] {
        let column = 4 * list.rows as u64;
        let number = self.numbers(list, row as usize..row as usize + 1);
        let moved = |by: u64| number.start + by * column..number.end + by * column;
        let scale = moved(1);
        let square = if self.has_squares { moved(2) } else { scale.end..scale.end };
        [scale, square]
    }

    fn codes_end(&self, start: u64, list: List) -> u64 {
        start + list.blocks() as u64 * self.block_bytes
    }
}

/// Adds to a file what searching it in parts takes: bundles, if it has lists, and checksums of blocks.
///
/// # Errors
/// `CORRUPT_FILE` if its sections contradict each other.
pub fn in_parts(mut file: FileWriter<'_>) -> Result<FileWriter<'_>> {
    if let Some(section) = section(file.header(), |kind| file.bytes_of(kind))? {
        file.section(Kind::BUNDLES, section);
    }
    Ok(file.with_checks())
}

/// The section for a file with these; `None` if it has no lists of codes, or such that aren't searched in parts.
pub(super) fn section<B: Deref<Target = [u8]>>(
    header: &Header,
    get: impl Fn(Kind) -> Option<B>,
) -> Result<Option<Vec<u8>>> {
    let (Some(directory), Some(codes), Some(order)) = (get(Kind::DIRECTORY), get(Kind::CODES), get(Kind::ORDER)) else {
        return Ok(None);
    };
    if get(Kind::EXTENDED).is_some() {
        return Ok(None);
    }
    let count = header.count as usize;
    let lists = Lists::open(&directory, count)?;
    let block_bytes = codes.len() / lists.blocks().max(1);
    let rows = get(Kind::ROWS_I8);
    let places = sq8::Places::new(count, header.dimension as usize, header.metric);
    let bundles = Bundles::new(header, block_bytes, rows.is_some());
    let mut out = Vec::with_capacity(bundles.bytes(&lists) as usize);
    let mut copy = |from: &[u8], place: Range<u64>| {
        let some = from.get(place.start as usize..place.end as usize);
        out.extend_from_slice(some.ok_or_else(|| Error::corrupt("lists, codes and rows don't fit each other"))?);
        Ok::<_, Error>(())
    };
    for list in lists.iter().filter(|list| list.rows > 0) {
        let first = (list.first_block * block_bytes) as u64;
        copy(&codes, first..first + (list.blocks() * block_bytes) as u64)?;
        copy(&order, 4 * list.range().start as u64..4 * list.range().end as u64)?;
        if let Some(rows) = &rows {
            // Of the first row and of the last; those between lie between.
            let (start, end) = (places.of(list.range().start as u32), places.of(list.range().end as u32 - 1));
            copy(rows, start[0].start..end[0].end)?;
            copy(rows, start[1].start..end[1].end)?;
        }
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Header;
    use crate::index::lists::write_directory;
    use crate::words::IndexType;
    use crate::words::bytes::as_bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_row_is_found_where_it_was_put(
            sizes in prop::collection::vec(0usize..70, 1..12),
            metric in prop_oneof![Just(Metric::L2), Just(Metric::Ip)],
            has_i8 in any::<bool>(),
        ) {
            let count: usize = sizes.iter().sum();
            prop_assume!(count > 0);
            let (dimension, block_bytes) = (8, 40);
            let header = Header { count: count as u32, dimension, metric, index_type: IndexType::IvfRabitq, seed: 1 };
            let directory = write_directory(&sizes);
            let lists = Lists::open(&directory, count).unwrap();
            let numbers = |salt: u32, of: usize| -> Vec<u32> { (0..of as u32).map(|i| i * 7 + salt).collect() };
            let codes: Vec<u8> = (0..lists.blocks() * block_bytes).map(|i| (i / block_bytes) as u8).collect();
            let order = numbers(1, count);
            let places = sq8::Places::new(count, dimension as usize, metric);
            let rows: Vec<u8> = (0..places.bytes(count as u32)).map(|i| (i % 251) as u8).collect();
            let get = |kind| match kind {
                Kind::DIRECTORY => Some(&directory[..]),
                Kind::CODES => Some(&codes[..]),
                Kind::ORDER => Some(as_bytes(&order)),
                Kind::ROWS_I8 => has_i8.then_some(&rows[..]),
                _ => None,
            };
            let section = section(&header, get).unwrap().unwrap();
            let bundles = Bundles::new(&header, block_bytes, has_i8);
            prop_assert_eq!(section.len() as u64, bundles.bytes(&lists));
            let at = |place: Range<u64>| &section[place.start as usize..place.end as usize];
            for list in lists.iter().filter(|list| list.rows > 0) {
                prop_assert_eq!(at(bundles.codes(list)), &codes[list.first_block * block_bytes..][..list.blocks() * block_bytes]);
                prop_assert_eq!(at(bundles.numbers(list, list.range())), as_bytes(&order[list.range()]));
                prop_assert_eq!(bundles.of(list).end, if has_i8 { bundles.factors(list, list.range().end as u32 - 1)[1].end } else { bundles.numbers(list, list.range()).end });
                for row in list.range().filter(|_| has_i8) {
                    let [scale, square] = bundles.factors(list, row as u32);
                    let [expected, other, _] = places.of(row as u32).map(|place| &rows[place.start as usize..place.end as usize]);
                    prop_assert_eq!((at(scale), at(square)), (expected, other));
                }
            }
        }
    }

    #[test]
    fn files_without_lists_have_none() {
        let header = Header { count: 1, dimension: 8, metric: Metric::L2, index_type: IndexType::ScanRabitq, seed: 1 };
        assert_eq!(section(&header, |kind| (kind == Kind::CODES).then_some(&[0u8; 40][..])), Ok(None));
    }
}

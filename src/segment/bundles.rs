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
//! u32 × rows    checksums of them in each precision that the file has, if it has coarse centroids
//! ```
//!
//! A reader of whole files passes over it; verifying compares it with what it repeats.

use crate::format::{FileWriter, Header, Kind, checksum};
use crate::index::lists::List;
use crate::index::{Groups, Lists, coarse, float_rows};
use crate::quantize::sq8;
use crate::words::{Error, Metric, Precision, Result};
use std::ops::{Deref, Range};

/// Where things lie in the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bundles {
    block_bytes: u64,
    has_scales: bool,
    has_squares: bool,
    /// Checksums of a row.
    sums: u64,
}

/// The checksum of a row: the lower half of its XXH64.
pub(super) fn half_sum(row: &[u8]) -> u32 {
    checksum(row) as u32
}

/// The rows that a file of such sections has, in the order of their checksums: of 8 bits, of floats.
pub(super) fn row_kinds(has: impl Fn(Kind) -> bool) -> impl Iterator<Item = Kind> {
    let floats = Precision::FLOATS.iter().map(|&precision| float_rows::kind(precision));
    std::iter::once(Kind::ROWS_I8).chain(floats).filter(move |&kind| has(kind))
}

impl Bundles {
    /// Of a file with codes of so many bytes a block, and these sections.
    pub fn new(header: &Header, block_bytes: usize, has: impl Fn(Kind) -> bool) -> Self {
        let has_i8 = has(Kind::ROWS_I8);
        let has_squares = has_i8 && header.metric == Metric::L2;
        let sums = if has(Kind::COARSE) { row_kinds(has).count() as u64 } else { 0 };
        Bundles { block_bytes: block_bytes as u64, has_scales: has_i8, has_squares, sums }
    }

    /// Bytes of what is beside the codes of a row.
    fn row_bytes(&self) -> u64 {
        4 * (1 + u64::from(self.has_scales) + u64::from(self.has_squares) + self.sums)
    }

    /// All of a list.
    pub fn of(&self, list: List) -> Range<u64> {
        let row = self.row_bytes();
        let start = list.first_block as u64 * self.block_bytes + list.first_row as u64 * row;
        start..self.codes_end(start, list) + list.rows as u64 * row
    }

    /// Bytes of the section of a file of so many rows, whose codes are in so many blocks.
    pub fn bytes(&self, blocks: usize, rows: usize) -> u64 {
        blocks as u64 * self.block_bytes + rows as u64 * self.row_bytes()
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

    /// The checksum of one of its rows in the nth of the precisions that the file has.
    pub fn sum(&self, list: List, nth: usize, row: u32) -> Range<u64> {
        let before = 1 + u64::from(self.has_scales) + u64::from(self.has_squares) + nth as u64;
        let start = self.codes(list).end + 4 * (before * list.rows as u64 + u64::from(row) - list.first_row as u64);
        start..start + 4
    }

    fn codes_end(&self, start: u64, list: List) -> u64 {
        start + list.blocks() as u64 * self.block_bytes
    }
}

/// Adds to a file what searching it in parts takes: bundles, if it has lists, with their checksums, and checksums of
/// blocks.
///
/// # Errors
/// `CORRUPT_FILE` if its sections contradict each other.
pub fn in_parts(mut file: FileWriter<'_>) -> Result<FileWriter<'_>> {
    if let Some(section) = section(file.header(), |kind| file.bytes_of(kind))? {
        file.section(Kind::BUNDLES, section);
    }
    for (kind, filled) in filled(file.header(), |kind| file.bytes_of(kind))? {
        file.take(kind);
        file.section(kind, filled);
    }
    Ok(file.with_checks())
}

/// Where rows of this kind begin in their section, and the bytes of each.
pub(super) fn row_place(kind: Kind, dimension: usize, places: &sq8::Places) -> (u64, u64) {
    match Precision::FLOATS.iter().find(|&&precision| float_rows::kind(precision) == kind) {
        Some(precision) => (0, (precision.size() * dimension) as u64),
        None => (places.of(0)[2].start, dimension as u64),
    }
}

/// The coarse centroids of a file, and those of lists in groups, with what the sections of it say of bundles and rows; nothing
/// if it has none.
///
/// # Errors
/// `CORRUPT_FILE` if its sections contradict each other.
pub(super) fn filled<B: Deref<Target = [u8]>>(
    header: &Header,
    get: impl Fn(Kind) -> Option<B>,
) -> Result<Vec<(Kind, Vec<u8>)>> {
    let Some(coarse) = get(Kind::COARSE) else { return Ok(Vec::new()) };
    let (Some(directory), Some(codes), Some(section)) = (get(Kind::DIRECTORY), get(Kind::CODES), get(Kind::BUNDLES))
    else {
        return Err(Error::corrupt(
            "a file with coarse centroids has lists, codes and bundles; it was written wrongly",
        ));
    };
    let lists = Lists::open(&directory, header.count as usize)?;
    let bundles = Bundles::new(header, codes.len() / lists.blocks().max(1), |kind| get(kind).is_some());
    let sum_of = |list: List| {
        let place = bundles.of(list);
        let bundle = section.get(place.start as usize..place.end as usize);
        let bundle = bundle.ok_or_else(|| Error::corrupt("bundles are shorter than lists and rows say"))?;
        Ok::<_, Error>(checksum(bundle).to_le_bytes())
    };
    let dimension = header.dimension as usize;
    let mut out = Vec::new();
    let mut filled = coarse.to_vec();
    let places = match get(Kind::GROUPS) {
        None => {
            let places = coarse::Places::new(dimension, lists.count());
            places.check(&coarse)?;
            for (list, sum) in lists.iter().zip(filled[places.sums()].as_chunks_mut::<8>().0) {
                *sum = sum_of(list)?;
            }
            places
        }
        Some(section) => {
            let groups = Groups::open(&coarse, dimension, header.count as usize)?;
            let mut parts = section.to_vec();
            for group in 0..groups.count() {
                let place = groups.place(group);
                let part = parts.get_mut(place.start as usize..place.end as usize);
                let part = part.ok_or_else(|| Error::corrupt("groups are shorter than their lists say"))?;
                let members = groups.read(group, part)?;
                for (&list, sum) in members.lists.iter().zip(part[groups.sums_of_part(group)].as_chunks_mut::<8>().0) {
                    *sum = sum_of(list)?;
                }
                filled[groups.sums()][8 * group..8 * group + 8].copy_from_slice(&checksum(part).to_le_bytes());
            }
            out.push((Kind::GROUPS, parts));
            coarse::Places::new(dimension, groups.count())
        }
    };
    if let Some(rows) = get(Kind::ROWS_I8) {
        let mean = rows.get(..places.mean_i8().len());
        let mean = mean.ok_or_else(|| Error::corrupt("the 8-bit rows are shorter than their mean"))?;
        filled[places.mean_i8()].copy_from_slice(mean);
    }
    out.push((Kind::COARSE, filled));
    Ok(out)
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
    let bundles = Bundles::new(header, block_bytes, |kind| get(kind).is_some());
    // Rows that have checksums: their section, and in it where the first is, and the bytes of each.
    let dimension = header.dimension as usize;
    let kinds = row_kinds(|kind| bundles.sums > 0 && get(kind).is_some());
    let summed: Vec<(B, usize, usize)> = kinds
        .filter_map(|kind| {
            let (start, bytes) = row_place(kind, dimension, &places);
            get(kind).map(|rows| (rows, start as usize, bytes as usize))
        })
        .collect();
    let mut out: Vec<u8> = Vec::with_capacity(bundles.bytes(lists.blocks(), count) as usize);
    let copied = |from: &[u8], place: Range<u64>, out: &mut Vec<u8>| {
        let some = from.get(place.start as usize..place.end as usize);
        out.extend_from_slice(some.ok_or_else(|| Error::corrupt("lists, codes and rows don't fit each other"))?);
        Ok::<_, Error>(())
    };
    for list in lists.iter().filter(|list| list.rows > 0) {
        let first = (list.first_block * block_bytes) as u64;
        copied(&codes, first..first + (list.blocks() * block_bytes) as u64, &mut out)?;
        copied(&order, 4 * list.range().start as u64..4 * list.range().end as u64, &mut out)?;
        if let Some(rows) = &rows {
            // Of the first row and of the last; those between lie between.
            let (start, end) = (places.of(list.range().start as u32), places.of(list.range().end as u32 - 1));
            copied(rows, start[0].start..end[0].end, &mut out)?;
            copied(rows, start[1].start..end[1].end, &mut out)?;
        }
        for (rows, start, bytes) in &summed {
            for row in list.range() {
                let row = start + row * bytes;
                let row = rows.get(row..row + bytes);
                let row = row.ok_or_else(|| Error::corrupt("there are fewer rows than lists have"))?;
                out.extend(half_sum(row).to_le_bytes());
            }
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
            let bundles = Bundles::new(&header, block_bytes, |kind| get(kind).is_some());
            prop_assert_eq!(section.len() as u64, bundles.bytes(lists.blocks(), count));
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

//! Lists: runs of rows that lie near a common centroid.
//!
//! Rows are numbered in the order of lists, so that all that belongs to a list lies together in each
//! section. **Section 4** is the list directory:
//!
//! ```text
//! u32         number of lists
//! u32         0
//! per list:
//! u32         its first block in section 5
//! u32         its rows; their codes take ⌈rows / 32⌉ blocks
//! ```
//!
//! **Section 12** says by which number each row was given to the build, u32 × count. Numbers ascend
//! within a list. Equally near rows are ordered by it, as they are where rows kept their order, and
//! without keys of their own it is what callers know them by.

use super::params::SearchParams;
use crate::distance::BLOCK_ROWS;
use crate::words::bytes::as_bytes;
use crate::words::{Bitmap, Blob, Cursor, Error, Hit, Result, order};
use std::ops::Range;

/// The most lists that a build makes.
pub const MAX_LISTS: usize = 65_536;

/// Lists that a search looks into if it doesn't say: so many times the root of their number.
const PROBED_ROOTS: f64 = 4.0;

/// A run of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// Its first row.
    pub first_row: usize,
    /// How many it has.
    pub rows: usize,
    /// The first block of its codes.
    pub first_block: usize,
}

impl List {
    /// Its rows.
    pub fn range(&self) -> Range<usize> {
        self.first_row..self.first_row + self.rows
    }

    /// Blocks of its codes.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK_ROWS)
    }
}

/// The lists of a file.
#[derive(Debug, Clone)]
pub struct Lists(Vec<List>);

/// The directory of lists of these sizes. Their rows are counted in 32 bits.
pub fn write_directory(sizes: &[usize]) -> Vec<u8> {
    let mut numbers = vec![sizes.len() as u32, 0];
    let mut block = 0;
    for &rows in sizes {
        numbers.extend([block as u32, rows as u32]);
        block += rows.div_ceil(BLOCK_ROWS);
    }
    as_bytes(&numbers).to_vec()
}

impl Lists {
    /// The directory of as many lists as a build makes.
    pub const MAX_DIRECTORY_BYTES: usize = 8 + 8 * MAX_LISTS;

    /// The lists of a directory, which must be of all `count` rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(directory: &[u8], count: usize) -> Result<Self> {
        let mut cursor = Cursor::new(directory, "the list directory");
        let (lists, reserved) = (cursor.u32()? as usize, cursor.u32()?);
        if lists == 0 || reserved != 0 || cursor.remaining() as u64 != 8 * lists as u64 {
            return Err(Error::corrupt(format!(
                "a directory of {} bytes can't be that of {lists} lists; the file is damaged",
                directory.len()
            )));
        }
        let (mut all, mut first_row, mut block) = (Vec::with_capacity(lists), 0usize, 0usize);
        for i in 0..lists {
            let (first_block, rows) = (cursor.u32()? as usize, cursor.u32()? as usize);
            if first_block != block || rows > count - first_row {
                return Err(Error::corrupt(format!(
                    "list {i} is said to have {rows} rows from block {first_block}, but {} of {count} rows are left \
                     and block {block} is the next; the file is damaged",
                    count - first_row
                )));
            }
            all.push(List { first_row, rows, first_block });
            first_row += rows;
            block += rows.div_ceil(BLOCK_ROWS);
        }
        if first_row != count {
            return Err(Error::corrupt(format!(
                "the lists have {first_row} rows, but the header tells of {count}; the file is damaged"
            )));
        }
        Ok(Lists(all))
    }

    /// Some of a file's lists, in their order.
    pub fn of_some(lists: impl IntoIterator<Item = List>) -> Self {
        Lists(lists.into_iter().collect())
    }

    /// Adds lists, of which none is there, where they belong.
    pub fn add(&mut self, lists: &[List]) {
        let Some(first) = lists.first() else { return };
        let behind = self.0.split_off(self.before(first.first_row));
        self.0.extend_from_slice(lists);
        self.0.extend_from_slice(&behind);
    }

    /// The list that a row is in, if it is among these.
    pub fn find(&self, row: usize) -> Option<List> {
        self.0.get(self.before(row)).copied().filter(|list| list.first_row <= row)
    }

    /// How many of them end at this row or before it.
    pub fn before(&self, row: usize) -> usize {
        self.0.partition_point(|list| list.first_row + list.rows <= row)
    }

    /// How many there are; of a whole file at least one.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Blocks of codes of all lists.
    pub fn blocks(&self) -> usize {
        self.0.last().map_or(0, |last| last.first_block + last.blocks())
    }

    /// List `i`. Panics if there is no such list.
    pub fn get(&self, i: u32) -> List {
        self.0[i as usize]
    }

    /// The list that a row is in. Panics if there is no such row.
    pub fn of(&self, row: usize) -> u32 {
        let list = self.before(row);
        assert!(list < self.0.len(), "row {row} is in no list");
        list as u32
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = List> + '_ {
        self.0.iter().copied()
    }

    /// Rows of the least list, the middle one and the largest.
    pub fn sizes(&self) -> [usize; 3] {
        let mut sizes: Vec<usize> = self.iter().map(|list| list.rows).collect();
        sizes.sort_unstable();
        [sizes[0], sizes[sizes.len() / 2], sizes[sizes.len() - 1]]
    }

    /// How many lists a search looks into.
    pub fn nprobe(&self, params: &SearchParams) -> usize {
        nprobe(params, self.count())
    }

    /// Keeps of all lists, in `near` with their distances, the `nprobe` nearest that have an allowed
    /// row, nearest first, and as many more as it takes to have `limit` such rows. Lists that have no
    /// rows at all, which other libraries make, count as looked into, as they do there.
    pub fn choose(&self, near: &mut Vec<Hit>, nprobe: usize, limit: usize, allow: Option<&Bitmap>) {
        order::sort_hits(near);
        let (mut kept, mut empty, mut rows) = (0, 0, 0);
        for i in 0..near.len() {
            if kept + empty >= nprobe && rows >= limit {
                break;
            }
            let list = self.get(near[i].row);
            empty += usize::from(list.rows == 0);
            let allowed = allow.map_or(list.rows, |allow| allow.count_in(list.range()));
            if allowed > 0 {
                near[kept] = near[i];
                kept += 1;
                rows += allowed;
            }
        }
        near.truncate(kept);
    }
}

/// How many of so many lists a search looks into.
pub(super) fn nprobe(params: &SearchParams, lists: usize) -> usize {
    let default = (PROBED_ROOTS * (lists as f64).sqrt()).ceil() as usize;
    params.nprobe.unwrap_or(default).min(lists)
}

/// Checks that section 12 gives each number once, ascending within each list.
///
/// # Errors
/// `CORRUPT_FILE`.
pub fn verify_order(order: &Blob, lists: &Lists) -> Result<()> {
    let numbers = order.as_numbers::<u32>()?;
    let mut seen = Bitmap::none(numbers.len());
    for &number in numbers {
        if number as usize >= numbers.len() || seen.contains(number as usize) {
            return Err(Error::corrupt(format!(
                "{number} is given as the number of a row where each of {} is given once; the file is damaged",
                numbers.len()
            )));
        }
        seen.insert(number as usize);
    }
    match lists.iter().position(|list| !numbers[list.range()].is_sorted()) {
        None => Ok(()),
        Some(list) => {
            Err(Error::corrupt(format!("the rows of list {list} aren't in their order; the file was written wrongly")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Code;
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    proptest! {
        #[test]
        fn what_is_written_is_read(sizes in prop::collection::vec(0usize..100, 1..40)) {
            let count = sizes.iter().sum();
            let lists = Lists::open(&write_directory(&sizes), count).unwrap();
            prop_assert_eq!(lists.iter().map(|list| list.rows).collect::<Vec<_>>(), sizes.clone());
            prop_assert_eq!(lists.blocks(), sizes.iter().map(|rows| rows.div_ceil(32)).sum::<usize>());
            prop_assert!(Lists::open(&write_directory(&sizes), count + 1).is_err());
        }

        #[test]
        fn any_directory_is_refused_or_covers_all_rows(
            numbers in prop::collection::vec(0u32..5, 0..12), count in 0usize..12, lists in 0u32..6, cut in 0usize..4,
        ) {
            let numbers = [vec![lists, 0], numbers].concat();
            let bytes = as_bytes(&numbers);
            match Lists::open(&bytes[..bytes.len() - cut], count) {
                Ok(lists) => {
                    let mut next = 0;
                    for list in lists.iter() {
                        prop_assert_eq!(list.first_row, next);
                        next += list.rows;
                    }
                    prop_assert_eq!(next, count);
                }
                Err(error) => prop_assert_eq!(error.code, Code::CorruptFile),
            }
        }

        #[test]
        fn enough_allowed_rows_are_chosen(
            sizes in prop::collection::vec(0usize..50, 1..20), nprobe in 1usize..25, limit in 1usize..200, every in 1usize..90,
        ) {
            let count = sizes.iter().sum();
            let lists = Lists::open(&write_directory(&sizes), count).unwrap();
            let allow = Bitmap::from_fn(count, |row| row % every == 0);
            let mut near: Vec<Hit> =
                (0..sizes.len() as u32).map(|row| Hit { row, distance: -(row as f32) }).collect();
            lists.choose(&mut near, nprobe, limit, Some(&allow));
            prop_assert!(near.is_sorted_by(|a, b| a.distance < b.distance));
            let of = |hit: &Hit| allow.count_in(lists.get(hit.row).range());
            prop_assert!(near.iter().all(|hit| of(hit) > 0));
            let with_some = lists.iter().filter(|list| allow.count_in(list.range()) > 0).count();
            let empty = sizes.iter().filter(|&&rows| rows == 0).count();
            prop_assert!(near.iter().map(of).sum::<usize>() >= limit.min(allow.count()));
            prop_assert!(near.len() + empty >= nprobe.min(with_some));
        }
    }

    #[test]
    fn lies_about_lists_are_refused() {
        let lies: [&[u32]; 7] = [
            &[0, 0],
            &[1, 1, 0, 40],
            &[1, 0, 1, 40],
            &[2, 0, 0, 40],
            &[2, 0, 0, 39, 1, 1],
            &[2, 0, 0, 40, 2, u32::MAX],
            &[u32::MAX, 0, 0, 40],
        ];
        for lie in lies {
            assert_eq!(Lists::open(as_bytes(lie), 40).unwrap_err().code, Code::CorruptFile, "{lie:?}");
        }
        let lists = Lists::open(&write_directory(&[2, 3]), 5).unwrap();
        let verify = |order: [u32; 5]| verify_order(&Blob::copy_of(as_bytes(&order)).unwrap(), &lists).is_ok();
        assert!(verify([1, 4, 0, 2, 3]));
        assert!(!verify([4, 1, 0, 2, 3]) && !verify([1, 4, 0, 2, 2]) && !verify([1, 5, 0, 2, 3]));
    }
}

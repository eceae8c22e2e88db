//! Lists in groups: where there are very many, even their centroids are more than a search in parts should fetch. So
//! lists that are near each other lie together in groups, and a search reads the centroids of the groups nearest to the
//! query alone.
//!
//! **Section 0** is then of groups in place of lists, as [`coarse`] has it, with the checksums of their parts of section 24, and
//! more behind that:
//!
//! ```text
//! per group:
//! u32         its lists
//! u32         its rows
//! u32         blocks of its codes
//! u32 × 3     rows of the least of all lists, the middle one and the largest
//! ```
//!
//! **Section 24** has of each group, one behind the other:
//!
//! ```text
//! f32 × lists      scales
//! f32 × lists      t
//! i8 × lists · d   codes
//! u64 × lists      XXH64 of each list's bundle
//! u32 × lists      rows
//! ```
//!
//! The groups that are looked into are those whose centroids are nearest to the query, until they have twenty times as many
//! lists as will be. A whole file is searched so, too: a part answers as the whole does.

use super::coarse::{self, Rounded};
use super::lists::{List, Lists};
use crate::distance::BLOCK_ROWS;
use crate::words::bytes::as_bytes;
use crate::words::{AlignedBuffer, Bitmap, Blob, Cursor, Error, Hit, Result, order};
use std::ops::Range;

/// Lists of a group, on average: then the centroids of the groups and of those that are looked into take about as much.
pub const LISTS_PER_GROUP: usize = 32;

/// So many lists are put into groups unless a build says otherwise. Fewer have centroids that are fetched at once.
pub const GROUPED_FROM: usize = 2048;

/// Of the groups that are looked into so many times the lists that then will be. Of 4,348 lists of 10⁶ rows 60 have a recall of
/// 0.846 with 10 times as many, 0.882 with 20, 0.894 with 30, and 0.906 among all; to look into a dozen more costs about as much as to go from
/// 20 to 30.
const REACH: usize = 20;

/// What is behind the checksums of a group, and behind those of all.
const GROUP_BYTES: usize = 12;
const SIZES_BYTES: usize = 12;

/// A run of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    first_list: usize,
    lists: usize,
    first_row: usize,
    rows: usize,
    first_block: usize,
    blocks: usize,
}

/// The groups of a file.
#[derive(Debug, Clone)]
pub struct Groups {
    padded: usize,
    all: Vec<Group>,
    sizes: [usize; 3],
    sums: Range<usize>,
}

impl Groups {
    /// Reads section 0 of a file of so many rows, in which lists are in groups.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it contradicts itself.
    pub fn open(root: &[u8], dimension: usize, count: usize) -> Result<Self> {
        let damaged = |what: String| Error::corrupt(format!("groups of lists: {what}; the file is damaged"));
        let padded = crate::quantize::rotation::padded(dimension);
        let of_groups = root.len().saturating_sub(8 * dimension + SIZES_BYTES);
        let groups = of_groups / (padded + 16 + GROUP_BYTES);
        if groups == 0 || !of_groups.is_multiple_of(padded + 16 + GROUP_BYTES) {
            return Err(damaged(format!("{} bytes can't be of groups in {dimension} dimensions", root.len())));
        }
        let places = coarse::Places::new(dimension, groups);
        let mut cursor = Cursor::new(&root[places.mean_i8().end..], "the groups of lists");
        let (mut all, mut next) = (Vec::with_capacity(groups), [0u64; 3]);
        for group in 0..groups {
            let own = [cursor.u32()?, cursor.u32()?, cursor.u32()?].map(u64::from);
            let [lists, rows, blocks] = own;
            let most = lists + rows / BLOCK_ROWS as u64;
            if lists == 0 || !(rows.div_ceil(BLOCK_ROWS as u64)..=most).contains(&blocks) {
                return Err(damaged(format!(
                    "{lists} lists of {rows} rows can't have {blocks} blocks (group {group})"
                )));
            }
            let [first_list, first_row, first_block] = next.map(|at| at as usize);
            let [lists, rows, blocks] = own.map(|of_group| of_group as usize);
            all.push(Group { first_list, lists, first_row, rows, first_block, blocks });
            next.iter_mut().zip(own).for_each(|(at, of_group)| *at += of_group);
        }
        if next[0] > super::lists::MAX_LISTS as u64 || next[1] != count as u64 {
            return Err(damaged(format!("they have {} lists of {} rows, where {count} rows are", next[0], next[1])));
        }
        let sizes = [cursor.u32()?, cursor.u32()?, cursor.u32()?].map(|rows| rows as usize);
        Ok(Groups { padded, all, sizes, sums: places.sums() })
    }

    /// How many there are; at least one.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Lists of all groups.
    pub fn lists(&self) -> usize {
        self.all.last().map_or(0, |last| last.first_list + last.lists)
    }

    /// Blocks of codes of all groups.
    pub fn blocks(&self) -> usize {
        self.all.last().map_or(0, |last| last.first_block + last.blocks)
    }

    /// Rows of the least list, the middle one and the largest, as the file says.
    pub fn sizes(&self) -> [usize; 3] {
        self.sizes
    }

    fn list_bytes(&self) -> u64 {
        self.padded as u64 + 20
    }

    /// Bytes of section 24.
    pub fn bytes(&self) -> u64 {
        self.lists() as u64 * self.list_bytes()
    }

    /// Where the part of a group is in section 24.
    pub fn place(&self, group: usize) -> Range<u64> {
        let Group { first_list, lists, .. } = self.all[group];
        first_list as u64 * self.list_bytes()..(first_list + lists) as u64 * self.list_bytes()
    }

    /// The group whose part has this byte of section 24.
    pub fn at(&self, byte: u64) -> Option<usize> {
        let list = usize::try_from(byte / self.list_bytes()).ok()?;
        let group = self.all.partition_point(|group| group.first_list + group.lists <= list);
        (group < self.all.len()).then_some(group)
    }

    /// Where section 0 has the checksums of the groups' parts, of 8 bytes each.
    pub fn sums(&self) -> Range<usize> {
        self.sums.clone()
    }

    /// Where the part of a group has the checksums of its lists' bundles, of 8 bytes each.
    pub fn sums_of_part(&self, group: usize) -> Range<usize> {
        let lists = self.all[group].lists;
        lists * (8 + self.padded)..lists * (16 + self.padded)
    }

    /// The lists of a group.
    pub(super) fn lists_of(&self, group: usize) -> Range<usize> {
        let Group { first_list, lists, .. } = self.all[group];
        first_list..first_list + lists
    }

    /// The groups as if each were a list.
    pub(super) fn as_lists(&self) -> Lists {
        Lists::of_some(self.all.iter().map(|&Group { first_row, rows, first_block, .. }| List {
            first_row,
            rows,
            first_block,
        }))
    }

    /// Keeps of all groups, in `near` with their distances, the nearest that have an allowed row: as many as have [`REACH`]
    /// times `nprobe` lists, and `limit` such rows.
    pub(super) fn choose(&self, near: &mut Vec<Hit>, nprobe: usize, limit: usize, allow: Option<&Bitmap>) {
        order::sort_hits(near);
        let (mut kept, mut lists, mut rows) = (0, 0, 0);
        for i in 0..near.len() {
            if lists >= nprobe.saturating_mul(REACH) && rows >= limit {
                break;
            }
            let group = &self.all[near[i].row as usize];
            let range = group.first_row..group.first_row + group.rows;
            let allowed = allow.map_or(group.rows, |allow| allow.count_in(range));
            if allowed > 0 {
                near[kept] = near[i];
                kept += 1;
                lists += group.lists;
                rows += allowed;
            }
        }
        near.truncate(kept);
    }

    /// What the part of a group says of its lists.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it isn't of these rows; `OUT_OF_MEMORY`.
    pub fn read(&self, group: usize, part: &[u8]) -> Result<Members> {
        let Group { lists, first_row, rows, first_block, blocks, .. } = self.all[group];
        let damaged =
            || Error::corrupt(format!("group {group} doesn't have the lists that it should; the file is damaged"));
        if part.len() as u64 != lists as u64 * self.list_bytes() {
            return Err(damaged());
        }
        let (shifts, rest) = part.split_at(lists * (8 + self.padded));
        let (sums, sizes) = rest.split_at(8 * lists);
        let (mut left, mut first_row, mut first_block) = (rows, first_row, first_block);
        let end = first_block + blocks;
        let mut all = Vec::with_capacity(lists);
        for &size in sizes.as_chunks().0 {
            let list = List { first_row, rows: u32::from_le_bytes(size) as usize, first_block };
            left = left.checked_sub(list.rows).ok_or_else(damaged)?;
            first_row += list.rows;
            first_block += list.blocks();
            all.push(list);
        }
        if (left, first_block) != (0, end) {
            return Err(damaged());
        }
        let sums = sums.as_chunks().0.iter().map(|&sum| u64::from_le_bytes(sum)).collect();
        let (mut rotated, mut products) = (vec![0; 4 * lists * self.padded], vec![0; 4 * lists]);
        coarse::decode_shifts(shifts, self.padded, &mut rotated, &mut products);
        Ok(Members { lists: all, sums, rotated, products })
    }

    /// The centroids of all lists, as the section `centroids` would have them, for a file with this directory.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if they have other lists; `OUT_OF_MEMORY`.
    pub(super) fn centroids(&self, mean: &[u8], section: &[u8], lists: &Lists) -> Result<Blob> {
        if section.len() as u64 != self.bytes() || lists.count() != self.lists() {
            return Err(Error::corrupt(format!(
                "the groups have {} lists, but the file has {} and {} bytes of centroids; it is damaged",
                self.lists(),
                lists.count(),
                section.len()
            )));
        }
        let members = |group: usize| {
            let place = self.place(group);
            self.read(group, &section[place.start as usize..place.end as usize])
        };
        let members = (0..self.count()).map(members).collect::<Result<Vec<_>>>()?;
        if !members.iter().flat_map(|members| members.lists.iter().copied()).eq(lists.iter()) {
            return Err(Error::corrupt("the groups have other lists than the directory; the file was written wrongly"));
        }
        centroids(mean, &members)
    }
}

/// The lists of one group.
#[derive(Debug)]
pub struct Members {
    /// The lists, in their order.
    pub lists: Vec<List>,
    /// XXH64 of their bundles.
    pub sums: Vec<u64>,
    rotated: Vec<u8>,
    products: Vec<u8>,
}

/// The mean and the shifts of some groups' lists, as the section `centroids` would have them.
///
/// # Errors
/// `OUT_OF_MEMORY`.
pub(super) fn centroids(mean: &[u8], members: &[Members]) -> Result<Blob> {
    let parts: Vec<&[u8]> = std::iter::once(mean)
        .chain(members.iter().map(|members| &members.rotated[..]))
        .chain(members.iter().map(|members| &members.products[..]))
        .collect();
    Ok(AlignedBuffer::concat(&parts)?.into())
}

/// Sections 0 and 24, in which all checksums are still zero, of these lists: how many each group has, and the rows of each
/// list; and of the groups what [`coarse::round`] makes of their centroids.
pub(super) fn write(
    mean: &[f32],
    groups: &[usize],
    of_groups: &Rounded,
    of_lists: &Rounded,
    sizes: &[usize],
) -> [Vec<u8>; 2] {
    let mut root = of_groups.section(mean);
    let mut section = Vec::new();
    let mut first = 0;
    for &lists in groups {
        let (lists, own) = (first..first + lists, &sizes[first..first + lists]);
        first = lists.end;
        let blocks = own.iter().map(|rows| rows.div_ceil(BLOCK_ROWS)).sum();
        for number in [own.len(), own.iter().sum(), blocks] {
            root.extend((number as u32).to_le_bytes());
        }
        section.extend(of_lists.shifts_of(lists));
        section.resize(section.len() + 8 * own.len(), 0);
        section.extend(own.iter().flat_map(|&rows| (rows as u32).to_le_bytes()));
    }
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let sizes = [sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]];
    root.extend(as_bytes(&sizes.map(|rows| rows as u32)));
    [root, section]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::rabitq::Shift;
    use crate::quantize::rotation::{Rotation, draw_signs};
    use crate::words::Code;
    use crate::words::random::SplitMix64;
    use proptest::prelude::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const DIMENSION: usize = 7;
    const PADDED: usize = 8;

    /// Section 0, section 24 and the centroids of lists in these groups, as they would be without groups.
    fn written(groups: &[Vec<usize>]) -> ([Vec<u8>; 2], Blob) {
        let mut random = SplitMix64::new(7);
        let mut draw = |count: usize| (0..count).map(|_| random.normal_f32()).collect::<Vec<_>>();
        let mean = draw(DIMENSION);
        let rotation = Rotation::new(&draw_signs(DIMENSION, 3), DIMENSION).unwrap();
        let mut round = |count: usize| {
            let shifts = (0..count).map(|_| Shift::new(&mean, &draw(DIMENSION), &rotation)).collect();
            coarse::round(shifts, &mean, &rotation)
        };
        let sizes = groups.concat();
        let (of_groups, of_lists) = (round(groups.len()), round(sizes.len()));
        let lists: Vec<usize> = groups.iter().map(Vec::len).collect();
        let flat = Blob::copy_of(&of_lists.section(&mean)).unwrap();
        let flat = coarse::centroids(&flat, DIMENSION, sizes.len()).unwrap();
        (write(&mean, &lists, &of_groups, &of_lists, &sizes), flat)
    }

    fn sizes() -> impl Strategy<Value = Vec<Vec<usize>>> {
        prop::collection::vec(prop::collection::vec(0usize..90, 1..6), 1..9)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sizes in sizes()) {
            let ([root, section], flat) = written(&sizes);
            let count = sizes.iter().flatten().sum();
            let groups = Groups::open(&root, DIMENSION, count).unwrap();
            let lists = Lists::open(&super::super::lists::write_directory(&sizes.concat()), count).unwrap();
            prop_assert_eq!((groups.count(), groups.lists(), groups.blocks()), (sizes.len(), lists.count(), lists.blocks()));
            prop_assert_eq!((groups.sizes(), groups.bytes()), (lists.sizes(), section.len() as u64));
            let mean = &root[..4 * DIMENSION];
            prop_assert_eq!(&groups.centroids(mean, &section, &lists).unwrap()[..], &flat[..]);
            let mut first = 0;
            for (group, sizes) in sizes.iter().enumerate() {
                let place = groups.place(group);
                prop_assert!([place.start, place.end - 1].iter().all(|&byte| groups.at(byte) == Some(group)));
                let members = groups.read(group, &section[place.start as usize..place.end as usize]).unwrap();
                prop_assert_eq!(groups.lists_of(group), first..first + sizes.len());
                prop_assert!(members.lists.iter().copied().eq(lists.iter().skip(first).take(sizes.len())));
                first += sizes.len();
            }
            prop_assert_eq!(groups.at(section.len() as u64), None);
        }

        #[test]
        fn lies_are_refused_or_add_up(
            sizes in sizes(), table in any::<bool>(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let ([mut root, mut section], _) = written(&sizes);
            let count = sizes.iter().flatten().sum();
            // The numbers are at the end of both, in which nothing is checked that is only looked at.
            let end = if table { root.len() } else { section.len() };
            let start = if table { end - 12 * sizes.len() - 12 } else { 0 };
            for (at, byte) in edits {
                (if table { &mut root } else { &mut section })[start + at.index(end - start)] = byte;
            }
            match Groups::open(&root, DIMENSION, count) {
                Err(error) => prop_assert_eq!(error.code, Code::CorruptFile),
                Ok(groups) => for group in 0..groups.count() {
                    let place = groups.place(group);
                    let part = section.get(place.start as usize..place.end as usize).unwrap_or_default();
                    match groups.read(group, part) {
                        Err(error) => prop_assert_eq!(error.code, Code::CorruptFile),
                        Ok(members) => {
                            let rows = members.lists.iter().map(|list| list.rows).sum::<usize>();
                            prop_assert!(rows <= count && members.lists.iter().all(|list| list.first_row + list.rows <= count));
                        }
                    }
                },
            }
        }

        #[test]
        fn enough_groups_are_chosen(sizes in sizes(), nprobe in 1usize..4, limit in 1usize..100, every in 1usize..40) {
            let ([root, _], _) = written(&sizes);
            let count = sizes.iter().flatten().sum();
            let groups = Groups::open(&root, DIMENSION, count).unwrap();
            let allow = Bitmap::from_fn(count, |row| row % every == 0);
            let mut near: Vec<Hit> = (0..groups.count() as u32).map(|row| Hit { row, distance: -(row as f32) }).collect();
            groups.choose(&mut near, nprobe, limit, Some(&allow));
            prop_assert!(near.is_sorted_by(|a, b| a.distance < b.distance));
            let rows = |group: &Hit| {
                let List { first_row, rows, .. } = groups.as_lists().get(group.row);
                allow.count_in(first_row..first_row + rows)
            };
            prop_assert!(near.iter().all(|group| rows(group) > 0));
            let lists = |some: &[Hit]| some.iter().map(|group| groups.lists_of(group.row as usize).len()).sum::<usize>();
            let all: Vec<Hit> = (0..groups.count() as u32).map(|row| Hit { row, distance: 0.0 }).filter(|group| rows(group) > 0).collect();
            prop_assert!(near.iter().map(rows).sum::<usize>() >= limit.min(allow.count()));
            prop_assert!(lists(&near) >= (nprobe * REACH).min(lists(&all)));
            // None more than it takes.
            if let Some((_, fewer)) = near.split_last() {
                prop_assert!(lists(fewer) < nprobe * REACH || fewer.iter().map(rows).sum::<usize>() < limit);
            }
        }
    }

    #[test]
    fn sections_of_other_lengths_are_refused() {
        let ([root, section], _) = written(&[vec![40, 3], vec![50]]);
        let code = |root: &[u8], count| Groups::open(root, DIMENSION, count).err().map(|error| error.code);
        assert_eq!(code(&root, 93), None);
        assert_eq!(code(&root, 92), Some(Code::CorruptFile));
        assert_eq!(code(&root[..root.len() - 1], 93), Some(Code::CorruptFile));
        assert_eq!(code(&[], 0), Some(Code::CorruptFile));
        // A group of another's lists.
        let mut forged = root.clone();
        let table = root.len() - 12 - 2 * 12;
        forged[table] = 3;
        assert_eq!(code(&forged, 93), None);
        let groups = Groups::open(&forged, DIMENSION, 93).unwrap();
        assert_ne!(groups.bytes(), section.len() as u64);
        let lists = Lists::open(&super::super::lists::write_directory(&[40, 3, 50]), 93).unwrap();
        let error = groups.centroids(&root[..4 * DIMENSION], &section, &lists).unwrap_err();
        assert_eq!(error.code, Code::CorruptFile);
        assert_eq!(groups.read(0, &section[..2 * (PADDED + 20)]).unwrap_err().code, Code::CorruptFile);
    }
}

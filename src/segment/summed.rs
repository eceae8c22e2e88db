//! Lists and rows of a file that is there in part, where each has a checksum of its own: a list's is among the coarse
//! centroids, a row's is in the bundle of its list. So neither needs what lies around it, and nothing else is fetched to
//! trust it.
//!
//! Where lists are in groups, a group's checksum is among the centroids of the groups, and its part says what its lists are:
//! these are known once it has come.

use super::bundles::{Bundles, half_sum};
use crate::format::checksum;
use crate::index::groups::Members;
use crate::index::{Groups, Lists};
use crate::words::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Rows of one precision, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowRun {
    /// Where the first lies in the file.
    pub start: u64,
    /// Bytes of each.
    pub bytes: u64,
}

/// Groups of lists, and what of them has come.
#[derive(Debug)]
pub(super) struct SummedGroups {
    groups: Groups,
    /// Where the section of groups begins.
    start: u64,
    /// XXH64 of each group's part.
    sums: Vec<u64>,
    /// Whose lists are known.
    known: Vec<bool>,
}

impl SummedGroups {
    /// None yet of these, with these checksums, whose section begins there.
    pub fn new(groups: Groups, start: u64, sums: &[u8]) -> Self {
        SummedGroups { known: vec![false; groups.count()], groups, start, sums: numbers(sums) }
    }

    fn place_of(&self, group: usize) -> Range<u64> {
        let place = self.groups.place(group);
        self.start + place.start..self.start + place.end
    }
}

fn numbers(sums: &[u8]) -> Vec<u64> {
    sums.as_chunks().0.iter().map(|&sum| u64::from_le_bytes(sum)).collect()
}

/// What is known of lists at first.
pub(super) enum Known<'a> {
    /// All of them, and the checksums of their bundles.
    Lists(Lists, &'a [u8]),
    /// The groups that they are in.
    Groups(SummedGroups),
}

/// What of them is there.
#[derive(Debug)]
pub(super) struct Summed {
    bundles: Bundles,
    /// Where the section of bundles begins.
    start: u64,
    /// Those that are known: all, but where they are in groups.
    lists: Lists,
    /// XXH64 of each one's bundle.
    sums: Vec<u64>,
    groups: Option<SummedGroups>,
    /// Rows in each precision, in the order of their checksums in bundles.
    rows: Vec<RowRun>,
    /// Bytes that were there from the beginning, and their place.
    fixed: (u64, Box<[u8]>),
    /// The bundles, then the rows in each precision, then the groups: what is checked here, and by nothing else.
    regions: Vec<Range<u64>>,
    held: BTreeMap<u64, Box<[u8]>>,
    bytes: usize,
}

impl Summed {
    /// None yet of a file of so many rows, whose codes are in so many blocks, and whose bundles lie there. `fixed` are bytes
    /// that are there, and where they lie.
    pub fn new(
        (bundles, start): (Bundles, u64),
        (blocks, count): (usize, usize),
        known: Known<'_>,
        rows: Vec<RowRun>,
        fixed: (u64, Box<[u8]>),
    ) -> Self {
        let row_regions = rows.iter().map(|rows| rows.start..rows.start + rows.bytes * count as u64);
        let mut regions: Vec<Range<u64>> =
            std::iter::once(start..start + bundles.bytes(blocks, count)).chain(row_regions).collect();
        let (lists, sums, groups) = match known {
            Known::Lists(lists, sums) => (lists, numbers(sums), None),
            Known::Groups(groups) => {
                regions.push(groups.start..groups.start + groups.groups.bytes());
                (Lists::of_some([]), Vec::new(), Some(groups))
            }
        };
        Summed { bundles, start, lists, sums, groups, rows, fixed, regions, held: BTreeMap::new(), bytes: 0 }
    }

    /// The lists that are known.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Bytes that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        self.held.clear();
        self.bytes = 0;
    }

    /// The parts of the file that are checked here, and by nothing else.
    pub fn regions(&self) -> &[Range<u64>] {
        &self.regions
    }

    /// Whether bytes of this place are found here.
    pub fn has_place(&self, place: &Range<u64>) -> bool {
        self.is_fixed(place) || self.regions.iter().any(|region| region.start <= place.start && place.end <= region.end)
    }

    fn is_fixed(&self, place: &Range<u64>) -> bool {
        let (start, bytes) = &self.fixed;
        place.start >= *start && place.end <= start + bytes.len() as u64
    }

    /// Of these places, which are all found here, the lists and rows that aren't there.
    pub fn lacks(&self, places: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
        let mut units = BTreeSet::new();
        for place in places.filter(|place| !self.is_fixed(place)) {
            let mut at = place.start;
            while at < place.end {
                let Some(unit) = self.unit(at) else { break };
                at = unit.end;
                if !self.held.contains_key(&unit.start) {
                    units.insert((unit.start, unit.end));
                }
            }
        }
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (start, end) in units {
            match runs.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => runs.push(start..end),
            }
        }
        runs
    }

    /// The list or row that has this byte of the file.
    fn unit(&self, at: u64) -> Option<Range<u64>> {
        let list = self.lists_from(at);
        if list < self.lists.count() && self.place_of(list).contains(&at) {
            return Some(self.place_of(list));
        }
        if let Some(groups) = self.groups.as_ref().filter(|groups| at >= groups.start)
            && let Some(group) = groups.groups.at(at - groups.start)
        {
            return Some(groups.place_of(group));
        }
        self.rows.iter().zip(self.regions.iter().skip(1)).find(|(_, region)| region.contains(&at)).map(|(rows, _)| {
            let start = at - (at - rows.start) % rows.bytes;
            start..start + rows.bytes
        })
    }

    /// The first known list whose bundle ends behind this byte of the file.
    fn lists_from(&self, at: u64) -> usize {
        let (mut low, mut high) = (0, self.lists.count());
        while low < high {
            let middle = (low + high) / 2;
            if self.place_of(middle).end <= at { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn place_of(&self, list: usize) -> Range<u64> {
        let place = self.bundles.of(self.lists.get(list as u32));
        self.start + place.start..self.start + place.end
    }

    /// Takes in the groups and lists that these bytes of the file have all of, and rows of lists that are there; how many. Of
    /// each kind all or none.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if one is damaged.
    pub fn take_in(&mut self, at: u64, bytes: &[u8]) -> Result<usize> {
        let end = at.saturating_add(bytes.len() as u64);
        let slice = |place: &Range<u64>| &bytes[(place.start - at) as usize..(place.end - at) as usize];
        let groups = self.take_groups(at, bytes)?;
        let mut came = Vec::new();
        for list in self.lists_from(at.max(self.start))..self.lists.count() {
            let place = self.place_of(list);
            if place.end > end {
                break;
            }
            if place.start < at || place.is_empty() || self.held.contains_key(&place.start) {
                continue;
            }
            let found = checksum(slice(&place));
            if found != self.sums[list] {
                return Err(damaged(&place, self.sums[list], found));
            }
            came.push(place);
        }
        let lists = came.len();
        self.hold(at, bytes, came);
        let mut came = Vec::new();
        for (nth, (&rows, region)) in self.rows.iter().zip(self.regions.iter().skip(1)).enumerate() {
            let first = (at.max(region.start) - region.start).div_ceil(rows.bytes);
            let last = (end.min(region.end).max(region.start) - region.start) / rows.bytes;
            let mut row = first;
            while row < last {
                let nth_list = self.lists.before(row as usize);
                if nth_list == self.lists.count() {
                    break;
                }
                let list = self.lists.get(nth_list as u32);
                // Of lists that aren't known nothing is known of their rows.
                row = row.max(list.first_row as u64);
                let after = (list.range().end as u64).min(last);
                // Without its bundle nothing is known of a list's rows.
                if let Some(bundle) = self.held.get(&(self.start + self.bundles.of(list).start)) {
                    for row in row..after {
                        let place = rows.start + row * rows.bytes..rows.start + (row + 1) * rows.bytes;
                        if self.held.contains_key(&place.start) {
                            continue;
                        }
                        let sum = self.bundles.sum(list, nth, row as u32);
                        let from = (sum.start - self.bundles.of(list).start) as usize;
                        let expected =
                            bundle[from..from + 4].as_chunks().0.first().map_or(0, |&sum| u32::from_le_bytes(sum));
                        let found = half_sum(slice(&place));
                        if found != expected {
                            return Err(damaged(&place, expected.into(), found.into()));
                        }
                        came.push(place);
                    }
                }
                row = after;
            }
        }
        let rows = came.len();
        self.hold(at, bytes, came);
        Ok(groups + lists + rows)
    }

    /// Takes in the groups that these bytes have all of, and what they say of their lists.
    fn take_groups(&mut self, at: u64, bytes: &[u8]) -> Result<usize> {
        let Some(groups) = &self.groups else { return Ok(0) };
        let end = at.saturating_add(bytes.len() as u64);
        let first = groups.groups.at(at.max(groups.start) - groups.start).unwrap_or(usize::MAX);
        let mut came: Vec<(usize, Range<u64>, Members)> = Vec::new();
        for group in first..groups.groups.count() {
            let place = groups.place_of(group);
            if place.end > end {
                break;
            }
            if place.start < at || self.held.contains_key(&place.start) {
                continue;
            }
            let part = &bytes[(place.start - at) as usize..(place.end - at) as usize];
            let found = checksum(part);
            if found != groups.sums[group] {
                return Err(damaged(&place, groups.sums[group], found));
            }
            came.push((group, place, groups.groups.read(group, part)?));
        }
        let count = came.len();
        let places = came.iter().map(|(_, place, _)| place.clone()).collect();
        self.hold(at, bytes, places);
        for (group, _, members) in came {
            let known = self.groups.as_mut().and_then(|groups| groups.known.get_mut(group));
            if let (Some(known @ false), Some(first)) = (known, members.lists.first()) {
                *known = true;
                let behind = self.sums.split_off(self.lists.before(first.first_row));
                self.sums.extend_from_slice(&members.sums);
                self.sums.extend_from_slice(&behind);
                self.lists.add(&members.lists);
            }
        }
        Ok(count)
    }

    fn hold(&mut self, at: u64, bytes: &[u8], places: Vec<Range<u64>>) {
        for place in places {
            let piece: Box<[u8]> = bytes[(place.start - at) as usize..(place.end - at) as usize].into();
            self.bytes += piece.len();
            self.held.insert(place.start, piece);
        }
    }

    /// Copies bytes of the file, which are found here.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if some aren't there.
    pub fn copy(&self, place: Range<u64>, mut out: &mut [u8]) -> Result<()> {
        let mut at = place.start;
        while at < place.end {
            let (start, piece) = match self.is_fixed(&place) {
                true => (self.fixed.0, &self.fixed.1),
                false => {
                    let held = self.held.range(..=at).next_back().map(|(&start, piece)| (start, piece));
                    held.filter(|(start, piece)| at < start + piece.len() as u64).ok_or_else(|| {
                        Error::argument(format!(
                            "bytes {at} to {} of the file aren't there; feed them first",
                            place.end
                        ))
                    })?
                }
            };
            let some = &piece[(at - start) as usize..];
            let some = &some[..some.len().min((place.end - at) as usize)];
            let (now, later) = out.split_at_mut(some.len());
            now.copy_from_slice(some);
            (out, at) = (later, at + some.len() as u64);
        }
        Ok(())
    }
}

fn damaged(place: &Range<u64>, expected: u64, found: u64) -> Error {
    Error::corrupt(format!(
        "bytes {} to {} should have checksum {expected:x}, but those that came have {found:x}; they were damaged on their \
         way, or the file has changed: fetch them again, or open the file anew",
        place.start, place.end
    ))
}

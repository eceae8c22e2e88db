//! Grouping: the nearest hits, but only some of each value of a field.

use super::request::Grouping;
use crate::filter::Groups;
use crate::words::{Bitmap, Hit, Result};
use std::collections::BTreeMap;

/// The fewest rows that are asked for at once.
const FEW: usize = 64;

/// Groups in the making. Hits come nearest first.
struct Collection<'a> {
    grouping: Grouping<'a>,
    /// How many groups are wanted.
    wanted: usize,
    groups: Vec<Vec<Hit>>,
    /// Where a value's group is.
    places: BTreeMap<Option<u64>, usize>,
    full: usize,
}

impl Collection<'_> {
    /// Whether a row of this value could still come in.
    fn takes(&self, value: Option<u64>) -> bool {
        match self.places.get(&value) {
            Some(&place) => self.groups[place].len() < self.grouping.size,
            None => self.groups.len() < self.wanted,
        }
    }

    fn push(&mut self, value: Option<u64>, hit: Hit) {
        if !self.takes(value) {
            return;
        }
        let place = *self.places.entry(value).or_insert_with(|| {
            self.groups.push(Vec::new());
            self.groups.len() - 1
        });
        self.groups[place].push(hit);
        self.full += usize::from(self.groups[place].len() == self.grouping.size);
    }

    fn is_enough(&self) -> bool {
        self.groups.len() == self.wanted && (!self.grouping.strict || self.full == self.wanted)
    }
}

/// The `wanted` groups whose nearest rows are nearest, in that order. `search` is asked for the
/// nearest of some rows until there are enough; each time rows that can't come in any more are left
/// out, so that one large group doesn't hide the others, however large it is. `most` bounds what is
/// asked for at once.
///
/// # Errors
/// Those of `search`.
pub fn collect(
    grouping: Grouping<'_>,
    wanted: usize,
    most: usize,
    values: &Groups<'_>,
    mut allow: Bitmap,
    mut search: impl FnMut(usize, &Bitmap) -> Result<Vec<Hit>>,
) -> Result<Vec<Vec<Hit>>> {
    let mut found = Collection { grouping, wanted, groups: Vec::new(), places: BTreeMap::new(), full: 0 };
    let mut ask = (wanted * grouping.size).clamp(FEW.min(most), most);
    loop {
        let hits = search(ask, &allow)?;
        for &hit in &hits {
            allow.remove(hit.row as usize);
            found.push(values.of(hit.row as usize), hit);
            if found.is_enough() {
                return Ok(found.groups);
            }
        }
        if hits.len() < ask {
            return Ok(found.groups);
        }
        allow.retain(|row| found.takes(values.of(row)));
        ask = (2 * ask).min(most);
    }
}

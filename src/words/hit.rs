//! What a search finds.

use super::order::{from_ordered, ordered};
use std::cmp::Ordering;

/// One found row. `distance` is the internal one: smaller is always nearer
/// ([`Metric::to_public`](super::Metric::to_public) turns it into what callers see).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Position of the row in the index, from 0.
    pub row: u32,
    /// Internal distance.
    pub distance: f32,
}

impl Hit {
    /// A number that orders as [`Self::order`] does.
    #[inline]
    pub fn key(self) -> u64 {
        u64::from(ordered(self.distance)) << 32 | u64::from(self.row)
    }

    /// The hit of such a number.
    #[inline]
    pub fn from_key(key: u64) -> Hit {
        Hit { row: key as u32, distance: from_ordered((key >> 32) as u32) }
    }

    /// Nearest first, ties by row, so that results are deterministic.
    pub fn order(&self, other: &Hit) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.row.cmp(&other.row))
    }
}

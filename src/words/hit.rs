//! What a search finds.

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
    /// Nearest first, ties by row, so that results are deterministic.
    pub fn order(&self, other: &Hit) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.row.cmp(&other.row))
    }
}

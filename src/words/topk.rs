//! The k nearest of a stream of rows.

use super::Hit;
use std::collections::BinaryHeap;

/// Keeps the `k` nearest hits seen so far whose distance lies in a window; ties go to the
/// lower row, or to what is given in its place.
#[derive(Debug, Clone)]
pub struct TopK {
    heap: BinaryHeap<Farthest>,
    k: usize,
    window: Window,
}

/// The internal distances that a search wants: a ring around the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Those that are not less than this,
    pub from: f32,
    /// and less than this.
    pub below: f32,
}

impl Window {
    /// All distances.
    pub const ALL: Window = Window { from: f32::NEG_INFINITY, below: f32::INFINITY };

    /// Whether a distance lies in it. Even those of a damaged file, which may be none, lie in [`Self::ALL`].
    #[inline]
    pub fn contains(&self, distance: f32) -> bool {
        *self == Self::ALL || (distance >= self.from && distance < self.below)
    }
}

impl Default for Window {
    fn default() -> Self {
        Window::ALL
    }
}

/// A hit, ordered by distance, then by what ties go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Farthest {
    /// [`Hit::key`], with what ties go by in place of the row.
    key: u64,
    row: u32,
}

impl Farthest {
    fn new(hit: Hit, rank: u32) -> Self {
        Farthest { key: Hit { row: rank, ..hit }.key(), row: hit.row }
    }

    fn hit(self) -> Hit {
        Hit { row: self.row, ..Hit::from_key(self.key) }
    }
}

impl TopK {
    /// Room for `k` hits. `capacity` bounds what is allocated ahead: give it the number of rows
    /// that can come, so that a huge `k` over few rows costs little.
    pub fn new(k: usize, capacity: usize) -> Self {
        TopK { heap: BinaryHeap::with_capacity(k.min(capacity) + 1), k, window: Window::ALL }
    }

    /// The distance that a new hit must not exceed to have a chance: the k-th so far, or the end of
    /// the window while there are fewer.
    #[inline]
    pub fn threshold(&self) -> f32 {
        if self.heap.len() < self.k {
            self.window.below
        } else {
            self.heap.peek().map_or(f32::NEG_INFINITY, |worst| worst.hit().distance)
        }
    }

    /// Whether a hit may still be kept, or one that comes after it in [`Hit::order`], with what ties go
    /// by in place of the row.
    #[inline]
    pub fn admits(&self, hit: Hit) -> bool {
        match self.heap.peek() {
            Some(worst) if self.heap.len() >= self.k => hit.key() < worst.key,
            _ => hit.distance <= self.threshold(),
        }
    }

    /// Offers a hit; says whether it was kept.
    #[inline]
    pub fn push(&mut self, hit: Hit) -> bool {
        self.push_ranked(hit, hit.row)
    }

    /// [`Self::push`], with another number than the row for ties to go by.
    #[inline]
    pub fn push_ranked(&mut self, hit: Hit, rank: u32) -> bool {
        if !self.window.contains(hit.distance) {
            return false;
        }
        let new = Farthest::new(hit, rank);
        if self.heap.len() < self.k {
            self.heap.push(new);
            return true;
        }
        match self.heap.peek_mut() {
            Some(mut worst) if new < *worst => {
                *worst = new;
                true
            }
            _ => false,
        }
    }

    /// Hits held.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The hits, nearest first.
    pub fn into_sorted(mut self) -> Vec<Hit> {
        let mut hits = Vec::with_capacity(self.len());
        self.drain_sorted(&mut hits);
        hits
    }

    /// Forgets everything and keeps `k` from now on, in the memory that it has.
    pub fn reset(&mut self, k: usize) {
        self.reset_within(k, Window::ALL);
    }

    /// [`Self::reset`], and from now on keeps only hits whose distance lies in the window.
    pub fn reset_within(&mut self, k: usize, window: Window) {
        self.heap.clear();
        self.k = k;
        self.window = window;
    }

    /// Moves the hits to the end of `hits`, nearest first, and keeps the memory.
    pub fn drain_sorted(&mut self, hits: &mut Vec<Hit>) {
        let mut sorted = std::mem::take(&mut self.heap).into_sorted_vec();
        hits.extend(sorted.iter().map(|farthest| farthest.hit()));
        sorted.clear();
        self.heap = sorted.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_full_sort(
            distances in prop::collection::vec(-3i8..3, 0..200),
            k in 0usize..20,
            ring in prop::option::of((-3i8..3, -3i8..4)),
        ) {
            let window = ring.map_or(Window::ALL, |(from, below)| Window { from: from.into(), below: below.into() });
            let hits: Vec<Hit> =
                distances.iter().enumerate().map(|(row, &d)| Hit { row: row as u32, distance: d.into() }).collect();
            let mut top = TopK::new(k, hits.len());
            top.reset_within(k, window);
            for &hit in &hits {
                let threshold = top.threshold();
                let kept = top.push(hit);
                prop_assert!(!kept || hit.distance <= threshold);
            }
            let mut sorted: Vec<Hit> = hits.into_iter().filter(|hit| window.contains(hit.distance)).collect();
            sorted.sort_by(Hit::order);
            sorted.truncate(k);
            let mut drained = vec![Hit { row: 7, distance: 0.5 }];
            let mut again = top.clone();
            again.drain_sorted(&mut drained);
            prop_assert_eq!(&drained[1..], &sorted[..]);
            prop_assert_eq!(top.into_sorted(), sorted);
            again.reset(1);
            let hit = Hit { row: 0, distance: 1.0 };
            prop_assert_eq!((again.push(hit), again.push(hit)), (true, false));
        }

        #[test]
        fn ties_go_by_rank(distances in prop::collection::vec(-2i8..2, 0..100), k in 1usize..20) {
            // Ranks that descend with the rows.
            let hits = || (0u32..).zip(&distances).map(|(row, &d)| Hit { row, distance: d.into() });
            let mut top = TopK::new(k, k);
            for hit in hits() {
                top.push_ranked(hit, 1000 - hit.row);
            }
            let mut sorted: Vec<Hit> = hits().collect();
            sorted.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(b.row.cmp(&a.row)));
            sorted.truncate(k);
            prop_assert_eq!(top.into_sorted(), sorted);
        }
    }
}

//! The k nearest of a stream of rows.

use super::Hit;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Keeps the `k` nearest hits seen so far; ties go to the lower row.
#[derive(Debug, Clone)]
pub struct TopK {
    heap: BinaryHeap<Farthest>,
    k: usize,
}

#[derive(Debug, Clone, Copy)]
struct Farthest(Hit);

impl PartialEq for Farthest {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Farthest {}
impl PartialOrd for Farthest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Farthest {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl TopK {
    /// Room for `k` hits. `capacity` bounds what is allocated ahead: give it the number of rows
    /// that can come, so that a huge `k` over few rows costs little.
    pub fn new(k: usize, capacity: usize) -> Self {
        TopK { heap: BinaryHeap::with_capacity(k.min(capacity) + 1), k }
    }

    /// The distance that a new hit must not exceed to have a chance: the k-th so far, or infinity
    /// while there are fewer.
    #[inline]
    pub fn threshold(&self) -> f32 {
        if self.heap.len() < self.k {
            f32::INFINITY
        } else {
            self.heap.peek().map_or(f32::NEG_INFINITY, |worst| worst.0.distance)
        }
    }

    /// Offers a hit; says whether it was kept.
    #[inline]
    pub fn push(&mut self, hit: Hit) -> bool {
        if self.heap.len() < self.k {
            self.heap.push(Farthest(hit));
            return true;
        }
        match self.heap.peek_mut() {
            Some(mut worst) if hit.order(&worst.0) == Ordering::Less => {
                *worst = Farthest(hit);
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
    pub fn into_sorted(self) -> Vec<Hit> {
        self.heap.into_sorted_vec().into_iter().map(|f| f.0).collect()
    }

    /// Forgets everything and keeps `k` from now on, in the memory that it has.
    pub fn reset(&mut self, k: usize) {
        self.heap.clear();
        self.k = k;
    }

    /// Moves the hits to the end of `hits`, nearest first, and keeps the memory.
    pub fn drain_sorted(&mut self, hits: &mut Vec<Hit>) {
        let start = hits.len();
        hits.extend(self.heap.drain().map(|f| f.0));
        hits[start..].sort_unstable_by(Hit::order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_full_sort(distances in prop::collection::vec(-3i8..3, 0..200), k in 0usize..20) {
            let hits: Vec<Hit> =
                distances.iter().enumerate().map(|(row, &d)| Hit { row: row as u32, distance: d.into() }).collect();
            let mut top = TopK::new(k, hits.len());
            for &hit in &hits {
                let threshold = top.threshold();
                let kept = top.push(hit);
                prop_assert!(!kept || hit.distance <= threshold);
            }
            let mut sorted = hits;
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
    }
}

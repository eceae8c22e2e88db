//! The walk: greedy down the upper layers, best first in the lowest (Malkov and Yashunin 2016,
//! algorithms 2 and 5), with *ef* chosen by the query and rows that may be passed but not returned.

use crate::words::{Bitmap, Hit, TopK};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A graph in layers, whoever built it.
pub(crate) trait Links {
    /// The row where a walk enters and the number of that layer, counted from 0; `None` for no rows.
    fn entry(&self) -> Option<(u32, usize)>;

    /// Visits the rows that a node of the layer links to. They may be any numbers.
    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32));
}

/// Distances from what is searched for.
pub(crate) trait Distances {
    /// That of one row.
    fn one(&self, row: u32) -> f32;

    /// Those of several, which may be faster together, at the end of `out`.
    fn all(&self, rows: &[u32], out: &mut Vec<f32>) {
        out.extend(rows.iter().map(|&row| self.one(row)));
    }
}

impl<F: Fn(u32) -> f32> Distances for F {
    #[inline]
    fn one(&self, row: u32) -> f32 {
        self(row)
    }
}

/// Memory of a walk.
#[derive(Debug, Clone)]
pub(crate) struct WalkScratch {
    visited: Visited,
    candidates: BinaryHeap<Reverse<Near>>,
    fresh: Vec<u32>,
    distances: Vec<f32>,
    /// The best allowed rows found.
    pub(crate) found: TopK,
    pub(super) hits: Vec<Hit>,
}

impl Default for WalkScratch {
    fn default() -> Self {
        WalkScratch {
            visited: Visited::default(),
            candidates: BinaryHeap::new(),
            fresh: Vec::new(),
            distances: Vec::new(),
            found: TopK::new(0, 0),
            hits: Vec::new(),
        }
    }
}

/// What a walk looks for.
pub(crate) struct Goal<'a> {
    /// How many of the best rows it keeps.
    pub(crate) ef: usize,
    /// The rows that may be found; others are only passed.
    pub(crate) allow: Option<&'a Bitmap>,
    /// A row that is passed over as if it had never been inserted.
    pub(crate) hidden: Option<u32>,
    /// Distances after which it gives up.
    pub(crate) budget: usize,
}

/// Leaves the best allowed rows in `scratch.found`; says whether it came to its end within the budget.
pub(crate) fn walk(
    graph: &impl Links,
    count: usize,
    goal: &Goal<'_>,
    distances: &impl Distances,
    scratch: &mut WalkScratch,
) -> bool {
    let WalkScratch { visited, candidates, fresh, distances: near, found, .. } = scratch;
    visited.forget(count);
    if let Some(hidden) = goal.hidden {
        visited.insert(hidden);
    }
    candidates.clear();
    found.reset(goal.ef);
    let Some((entry, top)) = graph.entry() else { return true };
    let mut spent = 1;
    let mut nearest =
        Hit { row: entry, distance: if goal.hidden == Some(entry) { f32::INFINITY } else { distances.one(entry) } };
    for layer in (1..=top).rev() {
        nearest = descend(graph, layer, count, nearest, goal.hidden, distances, &mut spent);
    }

    let allowed = |row: u32| goal.allow.is_none_or(|allow| allow.contains(row as usize));
    visited.insert(nearest.row);
    candidates.push(Reverse(Near(nearest)));
    if allowed(nearest.row) {
        found.push(nearest);
    }
    while let Some(Reverse(Near(next))) = candidates.pop() {
        // With fewer than ef rows found the threshold is infinite.
        if next.distance > found.threshold() {
            break;
        }
        if spent > goal.budget {
            return false;
        }
        // Marked first and compared after: the rows' cache misses then overlap.
        fresh.clear();
        graph.each(0, next.row, |row| {
            if visited.insert(row) {
                fresh.push(row);
            }
        });
        spent += fresh.len();
        near.clear();
        distances.all(fresh, near);
        for (&row, &distance) in fresh.iter().zip(near.iter()) {
            let hit = Hit { row, distance };
            if hit.distance < found.threshold() {
                candidates.push(Reverse(Near(hit)));
                if allowed(row) {
                    found.push(hit);
                }
            }
        }
    }
    true
}

/// Goes from neighbour to nearer neighbour until there is none. Every step comes strictly nearer,
/// so that it ends in any graph.
fn descend(
    graph: &impl Links,
    layer: usize,
    count: usize,
    mut nearest: Hit,
    hidden: Option<u32>,
    distances: &impl Distances,
    spent: &mut usize,
) -> Hit {
    loop {
        let from = nearest.row;
        graph.each(layer, from, |row| {
            if row as usize >= count || hidden == Some(row) {
                return;
            }
            *spent += 1;
            let hit = Hit { row, distance: distances.one(row) };
            if hit.distance < nearest.distance {
                nearest = hit;
            }
        });
        if nearest.row == from {
            return nearest;
        }
    }
}

/// A hit in the order of nearness.
#[derive(Debug, Clone, Copy)]
struct Near(Hit);

impl PartialEq for Near {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Near {}
impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Near {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.order(&other.0)
    }
}

/// Rows that a walk has met: those whose mark is the current one, so that forgetting costs nothing
/// 254 times out of 255. One byte a row keeps the marks in cache.
#[derive(Debug, Clone, Default)]
struct Visited {
    marks: Vec<u8>,
    current: u8,
}

impl Visited {
    /// Starts anew, for rows up to `count`.
    fn forget(&mut self, count: usize) {
        if self.current == u8::MAX || self.marks.len() != count {
            self.marks.clear();
            self.marks.resize(count, 0);
            self.current = 0;
        }
        self.current += 1;
    }

    /// Whether the row was new. One that doesn't exist never is.
    #[inline]
    fn insert(&mut self, row: u32) -> bool {
        self.marks.get_mut(row as usize).is_some_and(|mark| std::mem::replace(mark, self.current) != self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_last_one_walk() {
        let mut visited = Visited::default();
        for count in [3, 3, 5] {
            for _ in 0..600 {
                visited.forget(count);
                for row in 0..8 {
                    assert_eq!(visited.insert(row), (row as usize) < count);
                    assert!(!visited.insert(row));
                }
            }
        }
    }
}

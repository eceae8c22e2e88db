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

    /// Asks for the links of a node of the lowest layer, which will be read soon.
    fn touch(&self, _row: u32) {}
}

/// Distances from what is searched for.
pub(crate) trait Distances {
    /// Asks for what the distance of a row is computed from.
    fn touch(&self, row: u32);

    /// That of one row.
    fn one(&self, row: u32) -> f32;

    /// Those of several, which may be faster together, at the end of `out`.
    fn all(&self, rows: &[u32], out: &mut Vec<f32>) {
        out.extend(rows.iter().map(|&row| self.one(row)));
    }
}

/// One row's distance, and what asks for a row.
impl<F: Fn(u32) -> f32, T: Fn(u32)> Distances for (F, T) {
    #[inline]
    fn touch(&self, row: u32) {
        self.1(row);
    }

    #[inline]
    fn one(&self, row: u32) -> f32 {
        self.0(row)
    }
}

/// Memory of a walk.
#[derive(Debug, Clone)]
pub(crate) struct WalkScratch {
    met: Met,
    /// Rows to go on from, by [`Hit::key`].
    candidates: BinaryHeap<Reverse<u64>>,
    /// The best allowed rows found.
    pub(crate) found: TopK,
    pub(super) hits: Vec<Hit>,
}

impl Default for WalkScratch {
    fn default() -> Self {
        WalkScratch { met: Met::default(), candidates: BinaryHeap::new(), found: TopK::new(0, 0), hits: Vec::new() }
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
    let WalkScratch { met, candidates, found, .. } = scratch;
    candidates.clear();
    found.reset(goal.ef);
    let Some((entry, top)) = graph.entry() else { return true };
    let mut spent = 1;
    let mut nearest =
        Hit { row: entry, distance: if goal.hidden == Some(entry) { f32::INFINITY } else { distances.one(entry) } };

    // A row that was compared in an upper layer isn't nearer than the nearest, there and in those below:
    // it needn't be compared again before the lowest.
    met.forget(count, goal.hidden, entry);
    for layer in (1..=top).rev() {
        // Every step comes strictly nearer, so that this ends in any graph.
        loop {
            let from = nearest.row;
            met.look(graph, layer, from);
            spent += met.compare(distances);
            nearest = met.hits().fold(nearest, |best, hit| if hit.distance < best.distance { hit } else { best });
            if nearest.row == from {
                break;
            }
        }
    }

    let allowed = |row: u32| goal.allow.is_none_or(|allow| allow.contains(row as usize));
    met.forget(count, goal.hidden, nearest.row);
    candidates.push(Reverse(nearest.key()));
    if allowed(nearest.row) && goal.hidden != Some(nearest.row) {
        found.push(nearest);
    }
    while let Some(Reverse(next)) = candidates.pop() {
        let next = Hit::from_key(next);
        // With fewer than ef rows found the threshold is infinite.
        if next.distance > found.threshold() {
            break;
        }
        if spent > goal.budget {
            return false;
        }
        met.look(graph, 0, next.row);
        // Most often the walk goes on from here.
        if let Some(&Reverse(after)) = candidates.peek() {
            graph.touch(Hit::from_key(after).row);
        }
        spent += met.compare(distances);
        for hit in met.hits() {
            if hit.distance < found.threshold() {
                candidates.push(Reverse(hit.key()));
                if allowed(hit.row) {
                    found.push(hit);
                }
            }
        }
    }
    true
}

/// The rows that a walk has met.
#[derive(Debug, Clone, Default)]
struct Met {
    marks: Marks,
    /// Those met by the last look are the first of these,
    rows: Vec<u32>,
    /// as many as were new.
    new: usize,
    distances: Vec<f32>,
}

impl Met {
    /// Starts anew, having met these rows of `count`.
    fn forget(&mut self, count: usize, hidden: Option<u32>, first: u32) {
        self.marks.forget(count);
        hidden.into_iter().chain([first]).for_each(|row| {
            self.marks.insert(row);
        });
    }

    /// Meets the rows that a node links to. One copy for the two places that call it: modules stay small.
    #[inline(never)]
    fn look(&mut self, graph: &impl Links, layer: usize, row: u32) {
        let Met { marks, rows, .. } = self;
        let mut new = 0;
        graph.each(layer, row, |row| {
            // Whether a row is new can't be predicted: nothing branches on it.
            match rows.get_mut(new) {
                Some(place) => *place = row,
                None => rows.push(row),
            }
            new += usize::from(marks.insert(row));
        });
        self.new = new;
    }

    /// Compares the new rows; says how many there were. One copy, too.
    #[inline(never)]
    fn compare(&mut self, distances: &impl Distances) -> usize {
        let rows = &self.rows[..self.new];
        // All are asked for before the first is compared: a walk mostly waits for memory, and so the waits overlap.
        rows.iter().for_each(|&row| distances.touch(row));
        self.distances.clear();
        distances.all(rows, &mut self.distances);
        rows.len()
    }

    /// The new rows.
    #[inline]
    fn hits(&self) -> impl Iterator<Item = Hit> {
        self.rows.iter().zip(&self.distances).map(|(&row, &distance)| Hit { row, distance })
    }
}

/// Rows that are marked: those whose mark is the current one, so that forgetting costs nothing 254
/// times out of 255. One byte a row keeps the marks in cache.
#[derive(Debug, Clone, Default)]
struct Marks {
    marks: Vec<u8>,
    current: u8,
}

impl Marks {
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
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// Links by layer and row; whatever they say.
    #[derive(Debug)]
    struct Any {
        entry: u32,
        links: Vec<Vec<Vec<u32>>>,
    }

    impl Links for Any {
        fn entry(&self) -> Option<(u32, usize)> {
            Some((self.entry, self.links.len() - 1))
        }

        fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
            self.links[layer][row as usize].iter().copied().for_each(visit);
        }
    }

    /// The algorithms to the letter: one row at a time, each as often as it is linked to.
    fn to_the_letter(graph: &Any, goal: &Goal<'_>, distance: &[f32]) -> Vec<Hit> {
        let hit = |row: u32| Hit {
            row,
            distance: if goal.hidden == Some(row) { f32::INFINITY } else { distance[row as usize] },
        };
        let is_there = |row: &u32| (*row as usize) < distance.len() && goal.hidden != Some(*row);
        let mut nearest = hit(graph.entry);
        for layer in graph.links[1..].iter().rev() {
            loop {
                let from = nearest.row;
                for &row in layer[from as usize].iter().filter(|row| is_there(row)) {
                    if distance[row as usize] < nearest.distance {
                        nearest = hit(row);
                    }
                }
                if nearest.row == from {
                    break;
                }
            }
        }
        let mut met = HashSet::from([nearest.row]);
        let (mut candidates, mut found) = (vec![nearest], Vec::new());
        let farthest = |found: &[Hit]| if found.len() < goal.ef { f32::INFINITY } else { found[goal.ef - 1].distance };
        let find = |hit: Hit, found: &mut Vec<Hit>| {
            if is_there(&hit.row) && goal.allow.is_none_or(|allow| allow.contains(hit.row as usize)) {
                found.push(hit);
                found.sort_by(Hit::order);
                found.truncate(goal.ef);
            }
        };
        find(nearest, &mut found);
        while !candidates.is_empty() {
            candidates.sort_by(Hit::order);
            let next = candidates.remove(0);
            if next.distance > farthest(&found) {
                break;
            }
            for &row in graph.links[0][next.row as usize].iter().filter(|row| is_there(row)) {
                if met.insert(row) && distance[row as usize] < farthest(&found) {
                    candidates.push(hit(row));
                    find(hit(row), &mut found);
                }
            }
        }
        found
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_the_algorithms_do(
            links in prop::collection::vec(prop::collection::vec(prop::collection::vec(0u32..14, 0..6), 12), 1..4),
            distances in prop::collection::vec(-4i8..4, 12),
            entry in 0u32..12,
            ef in 1usize..6,
            allow in prop::option::of(prop::collection::vec(any::<bool>(), 12)),
            hidden in prop::option::of(0u32..12),
        ) {
            let graph = Any { entry, links };
            let distance: Vec<f32> = distances.into_iter().map(f32::from).collect();
            let allow = allow.map(|allow| Bitmap::from_fn(12, |row| allow[row]));
            let goal = Goal { ef, allow: allow.as_ref(), hidden, budget: usize::MAX };
            let mut scratch = WalkScratch::default();
            // The second finds what the first left behind.
            for _ in 0..2 {
                let compared = std::cell::Cell::new(0);
                let one = |row: u32| {
                    compared.set(compared.get() + 1);
                    distance[row as usize]
                };
                prop_assert!(walk(&graph, 12, &goal, &(one, |_| ()), &mut scratch));
                // Once above the lowest layer and once in it.
                prop_assert!(compared.get() <= 2 * 12);
                let mut found = Vec::new();
                scratch.found.drain_sorted(&mut found);
                prop_assert_eq!(&found, &to_the_letter(&graph, &goal, &distance));
            }
        }
    }

    #[test]
    fn marks_last_one_walk() {
        let mut marks = Marks::default();
        for count in [3, 3, 5] {
            for _ in 0..600 {
                marks.forget(count);
                for row in 0..8 {
                    assert_eq!(marks.insert(row), (row as usize) < count);
                    assert!(!marks.insert(row));
                }
            }
        }
    }
}

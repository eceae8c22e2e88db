//! One query's pass over codes: what it has found so far, and what a row must beat.

use super::fine::Fine;
use super::lists::List;
use super::rows::{Rows, RowsQuery};
use crate::distance::{BLOCK_ROWS, Found, LookupTables};
use crate::quantize::rabitq;
use crate::words::{Hit, TopK, order};

/// Candidates that are kept before the nearest of them are compared exactly.
const CANDIDATES: usize = 1024;

/// Candidates that are compared exactly before the mark is looked at again, once all are known; an
/// eighth of those that are left if that is more, so that the passes over them stay few.
const BATCH: usize = 32;
const BATCHES_LEFT: usize = 8;

/// How far a bound may be off because it is computed in floats, as a part of what it is computed
/// from. Matters where the error bound is 0: in one dimension, or for rows that equal the centroid.
const FLOAT_ERROR: f32 = 1e-6;

/// A list to be scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub list: List,
    pub place: rabitq::Place,
}

/// One query's part of a scan.
pub(super) struct Pass<'a> {
    pub tables: LookupTables<'a>,
    pub probes: &'a [Probe],
    epsilon: f32,
    /// What makes the scan's numbers distances, in the list that is being scanned.
    added: f32,
    /// Rows whose distance is bound not to be below it are passed over.
    threshold: f32,
    candidates: &'a mut Vec<Hit>,
    bounds: &'a mut [[f32; BLOCK_ROWS]],
    hits: &'a mut [u32],
    goal: Goal<'a>,
}

impl<'a> Pass<'a> {
    pub fn new(
        tables: LookupTables<'a>,
        epsilon: f32,
        probes: &'a [Probe],
        candidates: &'a mut Vec<Hit>,
        bounds: &'a mut [[f32; BLOCK_ROWS]],
        hits: &'a mut [u32],
        goal: Goal<'a>,
    ) -> Self {
        let threshold = goal.first_threshold();
        Pass { tables, probes, epsilon, added: 0.0, threshold, candidates, bounds, hits, goal }
    }

    /// Takes on the `nth` of its lists.
    pub fn turn_to(&mut self, nth: usize) {
        let place = self.probes[nth].place;
        self.tables.error = self.epsilon * place.norm;
        self.added = place.added;
    }

    /// The threshold as the scan of the current list wants it.
    pub fn mark(&self) -> f32 {
        self.threshold - self.added
    }

    /// Where the scan of `run` blocks writes.
    pub fn found(&mut self, run: usize) -> Found<'_> {
        Found { bounds: &mut self.bounds[..run], hits: &mut self.hits[..run] }
    }

    /// Takes in what the scan found in `run` blocks from this row on, of the rows in `allowed`.
    pub fn collect(&mut self, run: usize, first_row: usize, allowed: impl Fn(usize) -> u32) {
        for (i, &hits) in self.hits[..run].iter().enumerate().filter(|(_, hits)| **hits != 0) {
            let mut rest = hits & allowed(i);
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let row = (first_row + i * BLOCK_ROWS + bit) as u32;
                self.candidates.push(Hit { row, distance: self.bounds[i][bit] + self.added });
            }
        }
        self.threshold = self.goal.review(self.candidates, self.threshold);
    }

    /// Leaves the best of the candidates, nearest first; or none, once all that asked for it are
    /// compared.
    pub fn finish(self) {
        self.goal.finish(self.candidates);
    }
}

/// What the candidates of a scan are collected for.
pub(super) enum Goal<'a> {
    /// So many rows of the smallest estimates.
    Best(usize),
    /// Every row whose bound asks for it, compared exactly.
    Bound(ByBound<'a>),
}

impl Goal<'_> {
    fn first_threshold(&self) -> f32 {
        match self {
            Goal::Best(_) => f32::INFINITY,
            Goal::Bound(by) => by.mark(),
        }
    }

    /// Thins out the candidates when they have become many; the threshold from now on.
    fn review(&mut self, candidates: &mut Vec<Hit>, threshold: f32) -> f32 {
        match self {
            Goal::Best(count) if candidates.len() >= count.saturating_add(CANDIDATES) => {
                order::select_hits(candidates, *count - 1);
                candidates.truncate(*count);
                candidates[*count - 1].distance
            }
            Goal::Bound(by) if candidates.len() >= by.room => {
                let threshold = by.tighten(candidates, by.limit);
                by.room = CANDIDATES.max(2 * candidates.len());
                threshold
            }
            _ => threshold,
        }
    }

    fn finish(self, candidates: &mut Vec<Hit>) {
        match self {
            Goal::Best(count) => {
                order::sort_hits(candidates);
                candidates.truncate(count);
            }
            Goal::Bound(mut by) => {
                while !candidates.is_empty() {
                    let count = BATCH.max(candidates.len() / BATCHES_LEFT);
                    by.tighten(candidates, count);
                }
            }
        }
    }
}

/// What candidates are compared by.
pub(super) enum By<'a> {
    /// Their rows.
    Rows(&'a RowsQuery),
    /// All bits of their codes.
    Codes(Fine<'a>),
    /// Their rows, if they are still candidates by all bits of their codes.
    Both(Fine<'a>, &'a RowsQuery),
}

/// Compares candidates in the order of their bounds.
pub(super) struct ByBound<'a> {
    rows: &'a Rows,
    by: By<'a>,
    top: &'a mut TopK,
    epsilon: f32,
    added: f32,
    limit: usize,
    /// Candidates that are kept before the nearest of them are compared.
    room: usize,
}

impl<'a> ByBound<'a> {
    /// Leaves the `limit` nearest in `top`. `epsilon` is what bounds allow for, `added` the most that is
    /// added to a number of the scan.
    pub fn new(rows: &'a Rows, by: By<'a>, top: &'a mut TopK, epsilon: f32, added: f32, limit: usize) -> Self {
        ByBound { rows, by, top, epsilon, added, limit, room: CANDIDATES }
    }

    /// The bound that a row must stay below to be among the nearest.
    fn mark(&self) -> f32 {
        let nearest = self.top.threshold();
        nearest + FLOAT_ERROR * (nearest.abs() + self.added)
    }

    /// Compares the `count` candidates of the smallest bounds, and drops those that the new mark
    /// rules out.
    fn tighten(&mut self, candidates: &mut Vec<Hit>, count: usize) -> f32 {
        let count = count.min(candidates.len());
        if count < candidates.len() {
            order::select_hits(candidates, count);
        }
        order::sort_hits(&mut candidates[..count]);
        self.compare(&mut candidates[..count]);
        candidates.drain(..count);
        let threshold = self.mark();
        candidates.retain(|candidate| candidate.distance < threshold);
        threshold
    }

    fn compare(&mut self, some: &mut [Hit]) {
        match &mut self.by {
            By::Rows(query) => self.rows.rerank(query, some, self.top),
            By::Codes(fine) => {
                fine.estimate(0.0, some);
                some.iter().for_each(|&estimated| self.rows.offer(self.top, estimated));
            }
            By::Both(fine, query) => {
                fine.estimate(self.epsilon, some);
                order::sort_hits(some);
                let query: &RowsQuery = query;
                let mark = self.mark();
                let left = some.partition_point(|bound| bound.distance < mark);
                self.rows.rerank(query, &some[..left], self.top);
            }
        }
    }
}

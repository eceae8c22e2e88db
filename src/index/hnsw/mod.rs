//! A hierarchical navigable small world graph: built by a crate, walked here.
//!
//! For those who ask for it, and for low dimensions, where one bit a dimension says little. The
//! walk compares 8-bit rows if the file has them and f32 rows otherwise; with both, the best of the
//! walk are compared again in f32.

mod build;
mod extract;
mod graph;
mod layers;
#[cfg(test)]
mod tests;
mod walk;

pub use graph::Layer;
pub use layers::Layers;
pub(crate) use walk::{Distances, Goal, Links, WalkScratch, walk};

use super::Scratch;
use super::params::{BuildParams, Progress, SearchParams};
use super::query;
use super::rows::{self, Rows};
use super::sections::{Built, Sections, Shape, required};
use crate::words::{Bitmap, Blob, Error, Hit, IndexType, MatrixView, Result, TopK};
use graph::Graph;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a walk keeps if the search doesn't say.
const DEFAULT_EF: usize = 100;

/// The largest `ef_construction` taken.
const MAX_EF_CONSTRUCTION: usize = 4096;

/// How many rows a walk compares for each one that it keeps, about. With a filter it keeps only
/// some of those it passes, and then comparing all allowed rows is soon cheaper.
const COMPARED_PER_KEPT: usize = 32;

/// How many times as many rows the next walk keeps, when all that were found lie inside of a ring.
const WIDER: usize = 4;

/// Standard deviations of its rounding by which an 8-bit distance may be too large before the f32
/// row isn't looked at any more.
const ROUNDING_ALLOWED: f32 = 4.0;

/// An `HNSW` or `HNSW_SQ8` index; the latter always has rows of 8 bits.
#[derive(Debug, Clone)]
pub struct Hnsw {
    shape: Shape,
    rows: Rows,
    graph: Graph,
}

impl Hnsw {
    /// The sections of an index of these rows.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used; `INVALID_ARGUMENT` if no precision is asked for or
    /// `ef_construction` is out of range.
    pub fn build<'a>(
        index_type: IndexType,
        rows: MatrixView<'a>,
        params: &BuildParams,
        progress: Progress<'_>,
    ) -> Result<Built<'a>> {
        rows::check_precisions(index_type, &params.precisions)?;
        if params.ef_construction == 0 || params.ef_construction > MAX_EF_CONSTRUCTION {
            return Err(Error::argument(format!(
                "ef_construction is 1 to {MAX_EF_CONSTRUCTION}, not {}",
                params.ef_construction
            )));
        }
        let stored = query::stored_form(rows, params.metric)?;
        let matrix = MatrixView::new(&stored, rows.dimension())?;
        // The links are nearly all of the work; encoding the rows is counted as one step each.
        let steps = rows.rows() * (1 + params.precisions.len());
        let inserted = |done, _| progress(done, steps);
        let (entry, layers) = build::build(matrix, params.metric, params.ef_construction, params.seed, &inserted)?;
        let mut sections = Sections { graph: Some(graph::write(entry, &layers)?.into()), ..Sections::default() };
        let done = AtomicUsize::new(rows.rows());
        let done = |n| progress(done.fetch_add(n, Ordering::Relaxed) + n, steps);
        rows::build(stored, rows.dimension(), None, params, &mut sections, &done)?;
        Ok(sections)
    }

    /// The sections of an index of these rows and of a graph over them that is there already.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used or the graph is over other rows; `INVALID_ARGUMENT` if no
    /// precision is asked for.
    pub fn keep<'a>(layers: &Layers, rows: MatrixView<'a>, params: &BuildParams) -> Result<Built<'a>> {
        rows::check_precisions(IndexType::Hnsw, &params.precisions)?;
        layers.check(rows.rows())?;
        let stored = query::stored_form(rows, params.metric)?;
        let graph = graph::write(layers.entry, &layers.layers)?;
        let mut sections = Sections { graph: Some(graph.into()), ..Sections::default() };
        rows::build(stored, rows.dimension(), None, params, &mut sections, &|_| ())?;
        Ok(sections)
    }

    /// The graph, taken out of the file.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it is impossibly large.
    pub fn layers(&self) -> Result<Layers> {
        Layers::of(&self.graph, self.shape.count)
    }

    /// The index of these sections. Reads none of the rows and links.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let rows = Rows::open(shape, sections)?.needed()?;
        let graph = Graph::open(required(&sections.graph, "a graph", shape.index_type)?, shape.count)?;
        Ok(Hnsw { shape: *shape, rows, graph })
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        self.rows.verify()?;
        self.graph.verify()
    }

    /// The rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Leaves the nearest allowed rows in `scratch.top`. As many as there are, up to the limit, however few are allowed:
    /// where a walk would be dearer than comparing the allowed rows one by one, or misses some of
    /// them, they are compared one by one. Of a ring, the walk finds the rows inside of it first; it
    /// is repeated with more of them until it has passed them, or doesn't pay any more.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub(super) fn search(&self, params: &SearchParams, allow: Option<&Bitmap>, scratch: &mut Scratch) -> Result<()> {
        if params.ef == Some(0) {
            return Err(Error::argument("ef is 0; it is at least 1, and at least limit is used"));
        }
        let count = self.shape.count;
        let allowed = allow.map_or(count, |allow| allow.count().min(count));
        let mut ef = params.ef.unwrap_or(DEFAULT_EF).max(params.limit).min(count);
        while walk_pays(count, allowed, ef) {
            let goal = Goal {
                ef,
                allow,
                hidden: params.hidden,
                budget: if allowed < count { 2 * allowed } else { usize::MAX },
            };
            self.walk(&goal, scratch);
            let passed = scratch.walk.hits.last().is_some_and(|hit| hit.distance >= params.window.below);
            if passed || scratch.top.len() >= params.limit.min(allowed) {
                return Ok(());
            }
            scratch.top.reset_within(params.limit, params.window);
            if params.window.from == f32::NEG_INFINITY {
                break;
            }
            ef *= WIDER;
        }
        self.rows.search(allow, std::slice::from_mut(scratch))
    }

    /// Walks, and leaves the best in `scratch.top`: nothing if the budget was too small.
    fn walk(&self, goal: &Goal<'_>, scratch: &mut Scratch) {
        let Scratch { query, top, walk: memory, .. } = scratch;
        let query = &*query;
        let rows = &self.rows;
        let arrived = match rows.bytes() {
            Some(bytes) => {
                let distance = |row: u32| bytes.distance(query.bytes(), row as usize);
                let touch = |row: u32| bytes.touch(row as usize);
                walk(&self.graph, self.shape.count, goal, &(distance, touch), memory)
            }
            None => {
                let distance = |row: u32| rows.distance(query, row as usize).unwrap_or(f32::INFINITY);
                let touch = |row: u32| rows.floats().into_iter().for_each(|floats| floats.touch(row as usize));
                walk(&self.graph, self.shape.count, goal, &(distance, touch), memory)
            }
        };
        memory.hits.clear();
        if arrived {
            memory.found.drain_sorted(&mut memory.hits);
            self.compare_again(query, &memory.hits, top);
        }
    }

    /// Hits of the walk, nearest first, in the best precision there is.
    fn compare_again(&self, query: &rows::RowsQuery, hits: &[Hit], top: &mut TopK) {
        match self.rows.bytes().filter(|_| self.rows.floats().is_some()) {
            None => {
                for &hit in hits {
                    top.push(hit);
                }
            }
            Some(bytes) => {
                for hit in hits {
                    let rounding = bytes.rounding(query.bytes(), hit.row as usize, hit.distance);
                    if hit.distance - ROUNDING_ALLOWED * rounding > top.threshold() {
                        continue;
                    }
                    if let Some(distance) = self.rows.distance(query, hit.row as usize) {
                        top.push(Hit { row: hit.row, distance });
                    }
                }
            }
        }
    }
}

/// Whether a walk is likely to be cheaper than comparing the allowed rows. It has to keep `ef`
/// allowed ones, passes count / allowed rows for each of them, and compares some for each it passes.
fn walk_pays(count: usize, allowed: usize, ef: usize) -> bool {
    let (count, allowed, ef) = (count as f64, allowed as f64, ef as f64);
    allowed > 0.0 && COMPARED_PER_KEPT as f64 * ef * (count / allowed) < allowed
}

//! The scan over 1-bit codes of every row, and the exact comparison of the best.
//!
//! A search goes once over all blocks and computes a lower bound of each row's distance. Rows whose
//! bound beats the best *k* exact distances known so far become candidates; from time to time the
//! nearest of them are compared exactly, which lowers the mark for the rest of the scan. Whatever is
//! left at the end is compared in the order of its bounds until the next bound is no better than the
//! k-th distance: so many rows are compared as the error bound asks for, few when distances are far
//! apart and more when they are close. With 1.9 standard deviations that is 92 rows on average for
//! the 10 nearest of 117,791 sentence embeddings in 384 dimensions and 770 for the 100 nearest; of
//! their projections on 128 dimensions it is 690, on 16 it is 12,000. At least 0.995 of the nearest
//! are found in each case, where a fixed number would have to know the data: 200 rows do for the
//! first and find few of the last.
//!
//! **Section 4**, the list directory: lists are runs of rows that share a centroid. There is one.
//!
//! ```text
//! u32         number of lists: 1
//! u32         0
//! per list:
//! u32         its first block in section 5
//! u32         its rows; they take ⌈rows / 32⌉ blocks
//! ```

use super::Scratch;
use super::params::{BuildParams, Progress, SearchParams};
use super::query;
use super::rows::{self, Rows, RowsQuery};
use super::sections::{Built, Sections, Shape, required};
use crate::distance::{BLOCK_ROWS, Found, LookupTables, kernels};
use crate::quantize::rotation::{self, Rotation};
use crate::quantize::{map_chunks, rabitq};
use crate::words::bytes::as_bytes;
use crate::words::{Bitmap, Blob, Cursor, Error, Hit, IndexType, MatrixView, Result, TopK};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks scanned at a time, all with the same threshold.
const BLOCKS_AT_ONCE: usize = 32;

/// So few rows are compared exactly at once: faster than scanning their blocks.
const FEW: usize = 256;

/// Candidates that are kept before the nearest of them are compared exactly.
const CANDIDATES: usize = 1024;

/// Candidates that are compared exactly before the mark is looked at again, once all are known; an
/// eighth of those that are left if that is more, so that the passes over them stay few.
const BATCH: usize = 32;
const BATCHES_LEFT: usize = 8;

/// How far a bound may be off because it is computed in floats, as a part of what it is computed
/// from. Matters where the error bound is 0: in one dimension, or for rows that equal the centroid.
const FLOAT_ERROR: f32 = 1e-6;

/// A `SCAN_RABITQ` index.
#[derive(Debug, Clone)]
pub struct Scan {
    shape: Shape,
    rotation: Rotation,
    centroid: Blob,
    codes: Blob,
    rows: Rows,
}

/// Memory of a scan.
#[derive(Debug, Clone)]
pub struct ScanScratch {
    query: rabitq::Query,
    candidates: Vec<Hit>,
    bounds: Vec<[f32; BLOCK_ROWS]>,
    hits: Vec<u32>,
}

impl Default for ScanScratch {
    fn default() -> Self {
        ScanScratch {
            query: rabitq::Query::default(),
            candidates: Vec::new(),
            bounds: vec![[0.0; BLOCK_ROWS]; BLOCKS_AT_ONCE],
            hits: vec![0; BLOCKS_AT_ONCE],
        }
    }
}

impl Scan {
    /// The sections of an index of these rows.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used.
    pub fn build<'a>(rows: MatrixView<'a>, params: &BuildParams, progress: Progress<'_>) -> Result<Built<'a>> {
        let stored = query::stored_form(rows, params.metric)?;
        let matrix = MatrixView::new(&stored, rows.dimension())?;
        let (steps, finished) = (rows.rows() * (1 + params.precisions.len()), AtomicUsize::new(0));
        let done = |n| progress(finished.fetch_add(n, Ordering::Relaxed) + n, steps);

        let signs = rotation::draw_signs(rows.dimension(), params.seed);
        let centroid = rabitq::centroid(matrix);
        let encoder = rabitq::Encoder {
            rotation: &Rotation::new(&signs, rows.dimension())?,
            centroid: &centroid,
            metric: params.metric,
        };
        let block_bytes = rabitq::block_bytes(rows.dimension());
        let mut codes = vec![0; rows.rows().div_ceil(BLOCK_ROWS) * block_bytes];
        map_chunks(&mut codes, block_bytes, |block, bytes| {
            let first = block * BLOCK_ROWS;
            let last = (first + BLOCK_ROWS).min(rows.rows());
            encoder.encode((first..last).map(|row| matrix.row(row)), bytes);
            done(last - first);
        });
        let mut sections = Sections {
            rotation: Some(signs.into()),
            centroids: Some(as_bytes(&centroid).to_vec().into()),
            lists: Some(as_bytes(&[1, 0, 0, rows.rows() as u32]).to_vec().into()),
            codes: Some(codes.into()),
            ..Sections::default()
        };
        rows::build(stored, rows.dimension(), params, &mut sections, &done)?;
        Ok(sections)
    }

    /// The index of these sections. Reads no codes and no rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let rows = Rows::open(shape, sections)?;
        let need = |section, what| required(section, what, IndexType::ScanRabitq);
        let centroid = need(&sections.centroids, "a centroid")?;
        if centroid.as_numbers::<f32>()?.len() != shape.dimension {
            return Err(Error::corrupt(format!(
                "the centroid takes {} bytes, but a row has {} dimensions; the file is damaged",
                centroid.len(),
                shape.dimension
            )));
        }
        check_lists(need(&sections.lists, "a list directory")?, shape.count)?;
        let codes = need(&sections.codes, "codes")?;
        let expected = shape.count.div_ceil(BLOCK_ROWS).checked_mul(rabitq::block_bytes(shape.dimension));
        if expected != Some(codes.len()) {
            return Err(Error::corrupt(format!(
                "the codes of {} rows of {} dimensions don't fit a section of {} bytes; the file is damaged",
                shape.count,
                shape.dimension,
                codes.len()
            )));
        }
        Ok(Scan {
            shape: *shape,
            rotation: Rotation::new(need(&sections.rotation, "a rotation")?, shape.dimension)?,
            centroid: centroid.clone(),
            codes: codes.clone(),
            rows,
        })
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        if self.centroid().iter().any(|x| !x.is_finite()) {
            return Err(Error::corrupt("the centroid isn't finite; the file is damaged"));
        }
        for (i, block) in self.codes.chunks_exact(self.block_bytes()).enumerate() {
            if let Some(fault) = rabitq::find_fault(block, (self.shape.count - i * BLOCK_ROWS).min(BLOCK_ROWS)) {
                return Err(Error::corrupt(format!("codes, block {i}: {fault}; the file is damaged")));
            }
        }
        self.rows.verify()
    }

    /// The rows that candidates are compared with; a file may have none.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Leaves in `top` of each scratch the nearest allowed rows to its query: see
    /// [`Index::search_batch`](super::Index::search_batch). What each gets doesn't depend on the
    /// others.
    pub(super) fn search(&self, params: &SearchParams, allow: Option<&Bitmap>, asked: &mut [Scratch]) -> Result<()> {
        let allowed = allow.map_or(self.shape.count, Bitmap::count);
        let rows = (!self.rows.is_absent()).then_some(&self.rows);
        if let Some(rows) = rows
            && allowed <= FEW
            && params.rerank.is_none()
        {
            return rows.search(allow, asked);
        }
        let best = match (params.rerank, rows) {
            (None, Some(_)) => None,
            (Some(count), Some(_)) if count > 0 => Some(count.max(params.limit)),
            _ => Some(params.limit),
        };
        let mut passes: Vec<Pass<'_>> = Vec::with_capacity(asked.len());
        for Scratch { query, top, scan, .. } in &mut *asked {
            scan.query.prepare(query.floats(), self.centroid(), &self.rotation, self.shape.metric);
            scan.candidates.clear();
            let added = scan.query.added();
            let (goal, epsilon) = match (best, rows) {
                (None, Some(rows)) => {
                    let room = CANDIDATES;
                    let epsilon = params.epsilon.unwrap_or(rabitq::EPSILON);
                    (Goal::Bound(ByBound { rows, query, top, added, limit: params.limit, room }), epsilon)
                }
                (best, _) => (Goal::Best(best.unwrap_or(params.limit)), 0.0),
            };
            passes.push(Pass {
                tables: scan.query.tables(epsilon),
                threshold: goal.first_threshold(),
                candidates: &mut scan.candidates,
                bounds: &mut scan.bounds,
                hits: &mut scan.hits,
                goal,
            });
        }
        self.scan(allow, &mut passes);
        passes.into_iter().for_each(|pass| pass.goal.finish(pass.candidates));
        if best.is_some() {
            for Scratch { query, top, scan, .. } in asked {
                match rows {
                    Some(rows) if params.rerank != Some(0) => rows.rerank(query, &scan.candidates, top),
                    _ => {
                        let added = scan.query.added();
                        for &Hit { row, distance } in &scan.candidates {
                            top.push(Hit { row, distance: distance + added });
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Collects for each pass the allowed rows whose bound is below its threshold, which its goal may
    /// lower as candidates come in.
    fn scan(&self, allow: Option<&Bitmap>, passes: &mut [Pass<'_>]) {
        let size = self.block_bytes();
        let blocks = self.shape.count.div_ceil(BLOCK_ROWS);
        let allowed = |block: usize| {
            let rows = self.shape.count - block * BLOCK_ROWS;
            let used = if rows < BLOCK_ROWS { (1 << rows) - 1 } else { u32::MAX };
            allow.map_or(u32::MAX, |allow| allow.block32(block)) & used
        };
        let is_empty = |block: usize| allow.is_some() && allowed(block) == 0;
        let mut first = 0;
        while first < blocks {
            if is_empty(first) {
                first += 1;
                continue;
            }
            let most = BLOCKS_AT_ONCE.min(blocks - first);
            let run = (1..most).find(|&i| is_empty(first + i)).unwrap_or(most);
            let codes = &self.codes[first * size..(first + run) * size];
            for some in passes.chunks_mut(2) {
                if let [a, b] = some {
                    let (tables, thresholds) = ([a.tables, b.tables], [a.threshold, b.threshold]);
                    (kernels().scan_two)(codes, tables.each_ref(), thresholds, [a.found(run), b.found(run)]);
                } else if let [Pass { tables, threshold, bounds, hits, .. }] = some {
                    (kernels().scan)(codes, tables, *threshold, &mut bounds[..run], &mut hits[..run]);
                }
                for pass in some {
                    for (i, &hits) in pass.hits[..run].iter().enumerate().filter(|(_, hits)| **hits != 0) {
                        let mut rest = hits & allowed(first + i);
                        while rest != 0 {
                            let bit = rest.trailing_zeros() as usize;
                            rest &= rest - 1;
                            let row = ((first + i) * BLOCK_ROWS + bit) as u32;
                            pass.candidates.push(Hit { row, distance: pass.bounds[i][bit] });
                        }
                    }
                    pass.threshold = pass.goal.review(pass.candidates, pass.threshold);
                }
            }
            first += run;
        }
    }

    fn block_bytes(&self) -> usize {
        rabitq::block_bytes(self.shape.dimension)
    }

    /// Its length and alignment were checked when it was opened.
    fn centroid(&self) -> &[f32] {
        self.centroid.as_numbers().unwrap_or_default()
    }
}

/// One query's part of a scan.
struct Pass<'a> {
    tables: LookupTables<'a>,
    /// Rows whose bound is not below it are passed over.
    threshold: f32,
    candidates: &'a mut Vec<Hit>,
    bounds: &'a mut [[f32; BLOCK_ROWS]],
    hits: &'a mut [u32],
    goal: Goal<'a>,
}

impl Pass<'_> {
    fn found(&mut self, run: usize) -> Found<'_> {
        Found { bounds: &mut self.bounds[..run], hits: &mut self.hits[..run] }
    }
}

/// What the candidates of a scan are collected for.
enum Goal<'a> {
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
                candidates.select_nth_unstable_by(*count - 1, Hit::order);
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

    /// Leaves the best of the candidates, nearest first; or none, once all that asked for it are
    /// compared.
    fn finish(self, candidates: &mut Vec<Hit>) {
        match self {
            Goal::Best(count) => {
                candidates.sort_unstable_by(Hit::order);
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

/// Compares candidates exactly, in the order of their bounds.
struct ByBound<'a> {
    rows: &'a Rows,
    query: &'a RowsQuery,
    top: &'a mut TopK,
    added: f32,
    limit: usize,
    /// Candidates that are kept before the nearest of them are compared.
    room: usize,
}

impl ByBound<'_> {
    /// The bound that a row must stay below to be among the nearest.
    fn mark(&self) -> f32 {
        let nearest = self.top.threshold();
        nearest - self.added + FLOAT_ERROR * (nearest.abs() + self.added.abs())
    }

    /// Compares the `count` candidates of the smallest bounds, and drops those that the new mark
    /// rules out.
    fn tighten(&mut self, candidates: &mut Vec<Hit>, count: usize) -> f32 {
        let count = count.min(candidates.len());
        if count < candidates.len() {
            candidates.select_nth_unstable_by(count, Hit::order);
        }
        candidates[..count].sort_unstable_by(Hit::order);
        self.rows.rerank(self.query, &candidates[..count], self.top);
        candidates.drain(..count);
        let threshold = self.mark();
        candidates.retain(|candidate| candidate.distance < threshold);
        threshold
    }
}

fn check_lists(directory: &[u8], count: usize) -> Result<()> {
    let mut cursor = Cursor::new(directory, "the list directory");
    let (lists, reserved) = (cursor.u32()?, cursor.u32()?);
    if lists != 1 || reserved != 0 {
        return Err(Error::new(
            crate::words::Code::UnsupportedFormat,
            format!("the file has {lists} lists of codes, but this version reads one; update elanus"),
        ));
    }
    let (first_block, rows) = (cursor.u32()?, cursor.u32()?);
    if first_block != 0 || rows as usize != count || cursor.remaining() != 0 {
        return Err(Error::corrupt(format!(
            "the list directory tells of {rows} rows from block {first_block}, but the header of {count} rows; \
             the file is damaged"
        )));
    }
    Ok(())
}

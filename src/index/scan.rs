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
use crate::distance::{BLOCK_ROWS, kernels};
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

    /// Leaves the nearest allowed rows in `scratch.top`.
    pub(super) fn search(&self, params: &SearchParams, allow: Option<&Bitmap>, scratch: &mut Scratch) -> Result<()> {
        let allowed = allow.map_or(self.shape.count, Bitmap::count);
        let Scratch { query, top, scan, .. } = scratch;
        if allowed <= FEW && params.rerank.is_none() && !self.rows.is_absent() {
            return self.rows.search(query, allow, top);
        }
        scan.query.prepare(query.floats(), self.centroid(), &self.rotation, self.shape.metric);
        match params.rerank {
            None if !self.rows.is_absent() => self.search_by_bound(params, allow, query, top, scan),
            Some(count) if count > 0 && !self.rows.is_absent() => {
                self.search_best(count.max(params.limit), allow, scan);
                self.rows.rerank(query, &scan.candidates, top);
            }
            _ => {
                self.search_best(params.limit, allow, scan);
                let added = scan.query.added();
                for candidate in &scan.candidates {
                    top.push(Hit { row: candidate.row, distance: candidate.distance + added });
                }
            }
        }
        Ok(())
    }

    /// Leaves the `count` rows of the smallest estimates in `scan.candidates`, nearest first.
    fn search_best(&self, count: usize, allow: Option<&Bitmap>, scan: &mut ScanScratch) {
        self.scan(0.0, f32::INFINITY, allow, scan, |candidates, threshold| {
            if candidates.len() < count.saturating_add(CANDIDATES) {
                return threshold;
            }
            candidates.select_nth_unstable_by(count - 1, Hit::order);
            candidates.truncate(count);
            candidates[count - 1].distance
        });
        scan.candidates.sort_unstable_by(Hit::order);
        scan.candidates.truncate(count);
    }

    /// Compares exactly every row whose bound asks for it.
    fn search_by_bound(
        &self,
        params: &SearchParams,
        allow: Option<&Bitmap>,
        query: &RowsQuery,
        top: &mut TopK,
        scan: &mut ScanScratch,
    ) {
        let added = scan.query.added();
        let mark = |nearest: f32| nearest - added + FLOAT_ERROR * (nearest.abs() + added.abs());
        let within = mark(top.threshold());
        let mut tighten = |candidates: &mut Vec<Hit>, count: usize| {
            let count = count.min(candidates.len());
            if count < candidates.len() {
                candidates.select_nth_unstable_by(count, Hit::order);
            }
            candidates[..count].sort_unstable_by(Hit::order);
            self.rows.rerank(query, &candidates[..count], top);
            candidates.drain(..count);
            let threshold = mark(top.threshold());
            candidates.retain(|candidate| candidate.distance < threshold);
            threshold
        };
        let mut room = CANDIDATES;
        self.scan(params.epsilon.unwrap_or(rabitq::EPSILON), within, allow, scan, |candidates, threshold| {
            if candidates.len() < room {
                return threshold;
            }
            let threshold = tighten(candidates, params.limit);
            room = CANDIDATES.max(2 * candidates.len());
            threshold
        });
        while !scan.candidates.is_empty() {
            let count = BATCH.max(scan.candidates.len() / BATCHES_LEFT);
            tighten(&mut scan.candidates, count);
        }
    }

    /// Collects the allowed rows whose bound is below the threshold, which `review` may lower as
    /// candidates come in.
    fn scan(
        &self,
        epsilon: f32,
        mut threshold: f32,
        allow: Option<&Bitmap>,
        scratch: &mut ScanScratch,
        mut review: impl FnMut(&mut Vec<Hit>, f32) -> f32,
    ) {
        let ScanScratch { query, candidates, bounds, hits } = scratch;
        let tables = query.tables(epsilon);
        let scan = kernels().scan;
        let size = self.block_bytes();
        let blocks = self.shape.count.div_ceil(BLOCK_ROWS);
        let allowed = |block: usize| {
            let rows = self.shape.count - block * BLOCK_ROWS;
            let used = if rows < BLOCK_ROWS { (1 << rows) - 1 } else { u32::MAX };
            allow.map_or(u32::MAX, |allow| allow.block32(block)) & used
        };
        candidates.clear();
        let mut first = 0;
        while first < blocks {
            if allowed(first) == 0 {
                first += 1;
                continue;
            }
            let most = BLOCKS_AT_ONCE.min(blocks - first);
            let run = (1..most).find(|&i| allowed(first + i) == 0).unwrap_or(most);
            let codes = &self.codes[first * size..(first + run) * size];
            scan(codes, &tables, threshold, &mut bounds[..run], &mut hits[..run]);
            for i in 0..run {
                let mut rest = hits[i] & allowed(first + i);
                while rest != 0 {
                    let bit = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    candidates.push(Hit { row: ((first + i) * BLOCK_ROWS + bit) as u32, distance: bounds[i][bit] });
                }
            }
            threshold = review(candidates, threshold);
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

//! Indexes of vectors of bits: every row compared, or those of the nearest lists.
//!
//! A list is nearest whose rows are expected to be: what is kept of a list is which share of its rows
//! has each bit, and from that follows how many bits a row of it differs in from a query on average, or
//! has in common with it. A centroid that is a vector of bits itself, each as most rows have it, as Faiss
//! and Milvus keep, says nothing where most bits are rare: then no bit is one of most rows.
//!
//! **Section 3** of a BIN_IVF_FLAT:
//!
//! ```text
//! u32 × lists               the sum of each list's shares
//!                           zeros up to a multiple of 64
//! u8 × lists · dimension    shares, 0 … 127 for none … all, list after list; of a byte's bits the lowest first
//! ```

use super::Scratch;
use super::bit_rows::BitsQuery;
use super::lists::{self, Lists};
use super::params::{BuildParams, Progress, SearchParams};
use super::partition::{self, Partition};
use super::rows::Rows;
use super::sections::{Built, Sections, Shape, required};
use crate::distance::dot_i8;
use crate::words::bytes::{as_bytes, cast};
use crate::words::{Bitmap, BitsView, Blob, Code, Error, Hit, IndexType, Metric, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The share of a bit that all rows have.
const ALL: i32 = 127;

const ALIGNMENT: usize = 64;

/// A `BIN_FLAT` index or, with lists, a `BIN_IVF_FLAT`.
#[derive(Debug, Clone)]
pub struct Binary {
    rows: Rows,
    lists: Option<(Lists, Shares)>,
}

/// Which share of each list's rows has each bit.
#[derive(Debug, Clone)]
struct Shares {
    sums: Blob,
    padding: Blob,
    values: Blob,
}

/// Memory of a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct BinaryScratch {
    near: Vec<Hit>,
    /// The query's bits, a number each.
    spread: Vec<i16>,
}

/// The sections of an index of these rows.
///
/// # Errors
/// `INVALID_ARGUMENT` if the type or the metric isn't one of bits or `nlist` is out of range;
/// `INVALID_INPUT` if there are too many rows.
pub fn build<'a>(
    index_type: IndexType,
    rows: BitsView<'a>,
    params: &BuildParams,
    progress: Progress<'_>,
) -> Result<Built<'a>> {
    if !index_type.is_binary() || !Metric::BINARY.contains(&params.metric) {
        return Err(Error::argument(format!(
            "vectors of bits have the index types BIN_FLAT and BIN_IVF_FLAT and the metrics HAMMING and JACCARD, but \
             {index_type} with {} was asked for",
            params.metric
        )));
    }
    if u32::try_from(rows.rows()).is_err() {
        return Err(Error::new(
            Code::InvalidInput,
            format!("{} rows are more than an index takes ({}); split them", rows.rows(), u32::MAX),
        ));
    }
    if !index_type.has_lists() {
        progress(rows.rows(), rows.rows());
        return Ok(Sections { rows_bits: Some(rows.data().into()), ..Sections::default() });
    }
    let (steps, finished) = (partition::bits_steps(rows, params), AtomicUsize::new(0));
    let done = |n| progress(finished.fetch_add(n, Ordering::Relaxed) + n, steps);
    let Partition { sizes, order, centroids, .. } = Partition::of_bits(rows, params, &done)?;
    let mut in_lists = Vec::with_capacity(rows.data().len());
    order.iter().for_each(|&row| in_lists.extend_from_slice(rows.row(row as usize)));
    Ok(Sections {
        centroids: Some(shares(&centroids, rows.dimension()).into()),
        lists: Some(lists::write_directory(&sizes).into()),
        order: Some(as_bytes(&order).to_vec().into()),
        rows_bits: Some(in_lists.into()),
        ..Sections::default()
    })
}

/// Section 3 of lists with these means.
fn shares(means: &[f32], dimension: usize) -> Vec<u8> {
    let shares: Vec<u8> = means.iter().map(|mean| (mean * ALL as f32).round() as u8).collect();
    let sum = |list: &[u8]| list.iter().map(|&share| u32::from(share)).sum::<u32>();
    let sums: Vec<u32> = shares.chunks_exact(dimension).map(sum).collect();
    let mut section = as_bytes(&sums).to_vec();
    section.resize(section.len().next_multiple_of(ALIGNMENT), 0);
    section.extend_from_slice(&shares);
    section
}

impl Shares {
    fn open(section: &Blob, lists: usize, dimension: usize) -> Result<Self> {
        let sums = 4 * lists;
        let start = sums.next_multiple_of(ALIGNMENT);
        let expected = lists.checked_mul(dimension).and_then(|bytes| bytes.checked_add(start));
        if expected != Some(section.len()) {
            return Err(Error::corrupt(format!(
                "the shares of {lists} lists of {dimension} bits don't fit a section of {} bytes; the file is damaged",
                section.len()
            )));
        }
        let shares = Shares {
            sums: section.slice(0..sums)?,
            padding: section.slice(sums..start)?,
            values: section.slice(start..section.len())?,
        };
        shares.sums.as_numbers::<u32>()?;
        Ok(shares)
    }

    fn verify(&self, dimension: usize) -> Result<()> {
        let is_right = |(list, &sum): (&[u8], &u32)| {
            list.iter().all(|&share| i32::from(share) <= ALL)
                && list.iter().map(|&share| u32::from(share)).sum::<u32>() == sum
        };
        let mut lists = self.values.chunks_exact(dimension).zip(self.sums());
        match self.padding.iter().all(|&byte| byte == 0) && lists.all(is_right) {
            true => Ok(()),
            false => Err(Error::corrupt("a list's shares aren't ones that a build writes; the file is damaged")),
        }
    }

    /// Length and alignment were checked when it was opened.
    fn sums(&self) -> &[u32] {
        self.sums.as_numbers().unwrap_or_default()
    }

    /// How far the rows of each list are expected to be, up to what all have in common.
    fn distances(&self, metric: Metric, query: &BitsQuery, scratch: &mut BinaryScratch) {
        let BinaryScratch { near, spread } = scratch;
        spread.clear();
        BitsView::spread(query.bytes(), 0, 1, spread);
        let bits = ALL * spread.iter().map(|&bit| i32::from(bit)).sum::<i32>();
        near.clear();
        // A byte is what it is, whether it is said to have a sign or not.
        let values: &[i8] = cast(&self.values).unwrap_or_default();
        let lists = (0u32..).zip(values.chunks_exact(spread.len()).zip(self.sums()));
        near.extend(lists.map(|(row, (list, &sum))| {
            let both = dot_i8(list, spread);
            // Of a damaged file the sum may be anything.
            let all = bits.wrapping_add(sum as i32);
            let distance = match metric {
                Metric::Jaccard => -(both as f32) / (all.wrapping_sub(both)).max(1) as f32,
                _ => all.wrapping_sub(both.wrapping_mul(2)) as f32,
            };
            Hit { row, distance }
        }));
    }
}

impl Binary {
    /// The index of these sections. Reads none of the rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let rows = Rows::open(shape, sections)?.needed()?;
        if !shape.index_type.has_lists() {
            return Ok(Binary { rows, lists: None });
        }
        let need = |section, what| required(section, what, shape.index_type);
        let lists = Lists::open(need(&sections.lists, "a list directory")?, shape.count)?;
        let shares = Shares::open(need(&sections.centroids, "centroids")?, lists.count(), shape.dimension)?;
        Ok(Binary { rows, lists: Some((lists, shares)) })
    }

    /// Checks every number. Of rows each is right.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        let Some((lists, shares)) = &self.lists else { return Ok(()) };
        shares.verify(self.rows.shape().dimension)?;
        if let Some(order) = self.rows.order() {
            lists::verify_order(order, lists)?;
        }
        Ok(())
    }

    /// The rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The lists, if it has some.
    pub fn lists(&self) -> Option<&Lists> {
        self.lists.as_ref().map(|(lists, _)| lists)
    }

    /// Leaves the nearest allowed rows in `scratch.top`: of the nearest lists, or of all where there are
    /// no lists or fewer rows are allowed than those lists have.
    pub(super) fn search(&self, params: &SearchParams, allow: Option<&Bitmap>, scratch: &mut Scratch) -> Result<()> {
        let Shape { count, metric, .. } = *self.rows.shape();
        let allowed = allow.map_or(count, Bitmap::count);
        let (lists, shares) = match &self.lists {
            Some((lists, shares)) if allowed > (count / lists.count()).saturating_mul(lists.nprobe(params)) => {
                (lists, shares)
            }
            _ => return self.rows.search(allow, std::slice::from_mut(scratch)),
        };
        let Scratch { query, top, binary, .. } = scratch;
        shares.distances(metric, query.bits(), binary);
        lists.choose(&mut binary.near, lists.nprobe(params), params.limit, allow);
        for list in binary.near.iter().map(|near| lists.get(near.row)) {
            for row in list.range().filter(|&row| allow.is_none_or(|allow| allow.contains(row))) {
                if let Some(distance) = self.rows.distance(query, row) {
                    self.rows.offer(top, Hit { row: row as u32, distance });
                }
            }
        }
        Ok(())
    }
}

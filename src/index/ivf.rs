//! Rows in lists, without codes: a search compares all rows of the lists nearest to the query.
//!
//! **Section 3** is the lists' centroids, the means of their rows, as f32 × lists · dimension.

use super::Scratch;
use super::lists::{self, Lists};
use super::params::{BuildParams, Progress, SearchParams};
use super::partition::{self, Partition};
use super::query;
use super::rows::{self, Rows};
use super::sections::{Built, Sections, Shape, required};
use crate::words::bytes::as_bytes;
use crate::words::{Bitmap, Blob, Error, Hit, IndexType, MatrixView, Metric, Result};
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An `IVF_FLAT` or `IVF_SQ8` index: the first has rows of 32 bits, the second of 8. Either may have
/// both: then the 8 bits say which rows are worth a comparison in 32.
#[derive(Debug, Clone)]
pub struct Ivf {
    centroids: Blob,
    lists: Lists,
    rows: Rows,
}

/// Memory of a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct IvfScratch {
    near: Vec<Hit>,
    members: Vec<Hit>,
}

impl Ivf {
    /// The sections of an index of these rows.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used; `INVALID_ARGUMENT` if the precision that the type is
    /// named for isn't asked for or `nlist` is out of range.
    pub fn build<'a>(
        index_type: IndexType,
        rows: MatrixView<'a>,
        params: &BuildParams,
        progress: Progress<'_>,
    ) -> Result<Built<'a>> {
        rows::check_precisions(index_type, &params.precisions)?;
        let stored = query::stored_form(rows, params.metric)?;
        let steps = partition::steps(rows.rows(), params) + rows.rows() * params.precisions.len();
        let finished = AtomicUsize::new(0);
        let done = |n| progress(finished.fetch_add(n, Ordering::Relaxed) + n, steps);
        let partition = Partition::of(MatrixView::new(&stored, rows.dimension())?, params, &done)?;
        Self::sections(&partition, stored, rows.dimension(), params, &done)
    }

    /// The sections of an index of these rows and of lists of them that are there already.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used or the lists are of other rows; `INVALID_ARGUMENT` if rows
    /// of 32 bits aren't asked for.
    pub fn keep<'a>(partition: &Partition, rows: MatrixView<'a>, params: &BuildParams) -> Result<Built<'a>> {
        rows::check_precisions(IndexType::IvfFlat, &params.precisions)?;
        partition.check(rows)?;
        let stored = query::stored_form(rows, params.metric)?;
        Self::sections(partition, stored, rows.dimension(), params, &|_| ())
    }

    fn sections<'a>(
        Partition { sizes, order, centroids, .. }: &Partition,
        stored: Cow<'a, [f32]>,
        dimension: usize,
        params: &BuildParams,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Built<'a>> {
        let mut sections = Sections {
            centroids: Some(as_bytes(centroids).to_vec().into()),
            lists: Some(lists::write_directory(sizes).into()),
            order: Some(as_bytes(order).to_vec().into()),
            ..Sections::default()
        };
        rows::build(stored, dimension, Some(order), params, &mut sections, done)?;
        Ok(sections)
    }

    /// The lists, taken out of the file.
    pub fn partition(&self) -> Partition {
        Partition {
            groups: Vec::new(),
            sizes: self.lists.iter().map(|list| list.rows).collect(),
            order: self.rows.numbers().unwrap_or_default().to_vec(),
            centroids: self.centroids().to_vec(),
        }
    }

    /// The index of these sections. Reads none of the rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        let rows = Rows::open(shape, sections)?.needed()?;
        let need = |section, what| required(section, what, shape.index_type);
        let lists = Lists::open(need(&sections.lists, "a list directory")?, shape.count)?;
        let centroids = need(&sections.centroids, "centroids")?;
        if lists.count().checked_mul(shape.dimension) != Some(centroids.as_numbers::<f32>()?.len()) {
            return Err(Error::corrupt(format!(
                "the centroids of {} lists of {} dimensions don't fit a section of {} bytes; the file is damaged",
                lists.count(),
                shape.dimension,
                centroids.len()
            )));
        }
        Ok(Ivf { centroids: centroids.clone(), lists, rows })
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        if self.centroids().iter().any(|x| !x.is_finite()) {
            return Err(Error::corrupt("a centroid isn't finite; the file is damaged"));
        }
        if let Some(order) = self.rows.order() {
            lists::verify_order(order, &self.lists)?;
        }
        self.rows.verify()
    }

    /// The rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The lists.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Leaves the nearest allowed rows of the nearest lists in `scratch.top`. Where all allowed rows
    /// are fewer than those lists have, they are compared instead, wherever they lie.
    pub(super) fn search(&self, params: &SearchParams, allow: Option<&Bitmap>, scratch: &mut Scratch) -> Result<()> {
        let Shape { count, dimension, metric, .. } = *self.rows.shape();
        let nprobe = self.lists.nprobe(params);
        let allowed = allow.map_or(count, Bitmap::count);
        if allowed <= (count / self.lists.count()).saturating_mul(nprobe) {
            return self.rows.search(allow, std::slice::from_mut(scratch));
        }
        let Scratch { query, top, ivf: IvfScratch { near, members }, .. } = scratch;
        let distance = |centroid: &[f32]| match metric {
            Metric::L2 | Metric::Cosine => crate::distance::l2(query.floats(), centroid),
            _ => -crate::distance::dot(query.floats(), centroid),
        };
        near.clear();
        let centroids = (0u32..).zip(self.centroids().chunks_exact(dimension));
        near.extend(centroids.map(|(row, centroid)| Hit { row, distance: distance(centroid) }));
        self.lists.choose(near, nprobe, params.limit, allow);
        for list in near.iter().map(|near| self.lists.get(near.row)) {
            members.clear();
            let rows = list.range().filter(|&row| allow.is_none_or(|allow| allow.contains(row)));
            members.extend(rows.map(|row| Hit { row: row as u32, distance: 0.0 }));
            self.rows.rerank(query, members, top);
        }
        Ok(())
    }

    /// Length and alignment were checked when it was opened.
    fn centroids(&self) -> &[f32] {
        self.centroids.as_numbers().unwrap_or_default()
    }
}

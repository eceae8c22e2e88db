//! Indexes: the sections they are kept in, how those are built, and how they are searched.
//!
//! Opening an index looks at lengths only and copies nothing; [`Index::verify`] reads it all. Inside
//! this layer smaller distances are nearer: see [`Metric`](crate::words::Metric).

pub mod binary;
pub mod bit_rows;
#[cfg(test)]
mod bits_tests;
pub mod calibration;
pub mod coarse;
mod fine;
pub mod flat;
pub mod float_rows;
pub mod groups;
pub mod hnsw;
pub mod ivf;
pub mod lists;
#[cfg(test)]
mod lists_tests;
pub mod params;
mod partition;
pub mod parts;
#[cfg(test)]
mod parts_tests;
mod passes;
mod query;
pub mod rows;
pub mod scan;
pub mod sections;
pub mod sparse;
mod structure;
#[cfg(test)]
mod tests;

pub use binary::Binary;
pub use calibration::Calibration;
pub use flat::Flat;
pub use groups::Groups;
pub use hnsw::Hnsw;
pub use ivf::Ivf;
pub use lists::Lists;
pub use params::{BuildParams, Progress, SearchParams};
pub use partition::Partition;
pub use parts::Parts;
pub use query::{normalise_rows, prepare as prepare_query, stored_form};
pub use rows::Rows;
pub use scan::Scan;
pub use sections::{Built, Sections, Shape};
pub use structure::Structure;

use crate::words::{Bitmap, Blob, Error, Hit, IndexType, MatrixView, Result, TopK, Window};

/// An index of any type, ready to be searched.
#[derive(Debug, Clone)]
pub enum Index {
    /// Exact.
    Flat(Flat),
    /// Codes in order, in lists or not, the best reranked.
    Scan(Scan),
    /// Rows in lists.
    Ivf(Ivf),
    /// A graph that is walked.
    Hnsw(Hnsw),
    /// Vectors of bits, in lists or not.
    Binary(Binary),
    /// No dense vectors: the file has posting lists only, see [`sparse`].
    Absent(Rows),
}

/// Memory that searches use again and again. One search at a time.
#[derive(Debug, Clone)]
pub struct Scratch {
    pub(crate) query: rows::RowsQuery,
    pub(crate) top: TopK,
    pub(crate) scan: scan::ScanScratch,
    pub(crate) ivf: ivf::IvfScratch,
    pub(crate) binary: binary::BinaryScratch,
    pub(crate) walk: hnsw::WalkScratch,
    pub(crate) prune: sparse::PruneScratch,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch {
            query: rows::RowsQuery::default(),
            top: TopK::new(0, 0),
            scan: scan::ScanScratch::default(),
            ivf: ivf::IvfScratch::default(),
            binary: binary::BinaryScratch::default(),
            walk: hnsw::WalkScratch::default(),
            prune: sparse::PruneScratch::default(),
        }
    }
}

impl Scratch {
    /// What the search left in `top`, nearest first.
    pub(crate) fn take_hits(&mut self) -> Vec<Hit> {
        let mut hits = Vec::with_capacity(self.top.len());
        self.top.drain_sorted(&mut hits);
        hits
    }
}

/// Memory of [`Index::search_batch`].
#[derive(Debug, Clone, Default)]
pub struct BatchScratch {
    each: Vec<Scratch>,
}

impl BatchScratch {
    /// Queries that share a pass over the index: their tables still fit a core's first cache beside
    /// the codes that are read.
    pub const QUERIES: usize = 8;
}

impl Index {
    /// The sections of an index of this type.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used, `INVALID_ARGUMENT` if a parameter can't be honoured.
    pub fn build<'a>(
        index_type: IndexType,
        rows: MatrixView<'a>,
        params: &BuildParams,
        progress: Progress<'_>,
    ) -> Result<Built<'a>> {
        let mut sections = match index_type {
            IndexType::Flat => Flat::build(rows, params, progress)?,
            IndexType::ScanRabitq | IndexType::IvfRabitq | IndexType::IvfPq => {
                Scan::build(index_type, rows, params, progress)?
            }
            IndexType::IvfFlat | IndexType::IvfSq8 => Ivf::build(index_type, rows, params, progress)?,
            IndexType::Hnsw | IndexType::HnswSq8 => Hnsw::build(index_type, rows, params, progress)?,
            IndexType::BinFlat | IndexType::BinIvfFlat => {
                return Err(Error::argument(format!(
                    "{index_type} is for vectors of bits; choose another index type for vectors of floats"
                )));
            }
            IndexType::SparseInvertedIndex => {
                return Err(Error::argument(
                    "SPARSE_INVERTED_INDEX is for sparse vectors and texts; choose another for dense ones",
                ));
            }
        };
        if params.calibration_queries > 0 {
            let shape = Shape { index_type, metric: params.metric, count: rows.rows(), dimension: rows.dimension() };
            let index = Index::open(&shape, &sections.to_blobs()?)?;
            let stored = query::stored_form(rows, params.metric)?;
            let stored = MatrixView::new(&stored, rows.dimension())?;
            let measured = Calibration::measure(&index, stored, params.calibration_queries, params.seed)?;
            sections.calibration = measured.map(|calibration| calibration.encode().into());
        }
        Ok(sections)
    }

    /// The index of these sections. Checks lengths, reads no rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`, `UNSUPPORTED_FORMAT`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        match shape.index_type {
            IndexType::Flat => Flat::open(shape, sections).map(Index::Flat),
            IndexType::ScanRabitq | IndexType::IvfRabitq | IndexType::IvfPq => {
                Scan::open(shape, sections).map(Index::Scan)
            }
            IndexType::IvfFlat | IndexType::IvfSq8 => Ivf::open(shape, sections).map(Index::Ivf),
            IndexType::Hnsw | IndexType::HnswSq8 => Hnsw::open(shape, sections).map(Index::Hnsw),
            IndexType::BinFlat | IndexType::BinIvfFlat => Binary::open(shape, sections).map(Index::Binary),
            IndexType::SparseInvertedIndex => Rows::open(shape, sections)?.unneeded().map(Index::Absent),
        }
    }

    /// Reads and checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        match self {
            Index::Flat(index) => index.verify(),
            Index::Scan(index) => index.verify(),
            Index::Ivf(index) => index.verify(),
            Index::Hnsw(index) => index.verify(),
            Index::Binary(index) => index.verify(),
            Index::Absent(_) => Ok(()),
        }
    }

    /// What the header says.
    pub fn shape(&self) -> &Shape {
        self.rows().shape()
    }

    /// The rows that distances are computed from; of a scan there may be none.
    pub fn rows(&self) -> &Rows {
        match self {
            Index::Flat(index) => index.rows(),
            Index::Scan(index) => index.rows(),
            Index::Ivf(index) => index.rows(),
            Index::Hnsw(index) => index.rows(),
            Index::Binary(index) => index.rows(),
            Index::Absent(rows) => rows,
        }
    }

    /// The lists that rows lie in, of an index type that has some.
    pub fn lists(&self) -> Option<&Lists> {
        match self {
            Index::Scan(index) if self.shape().index_type.has_lists() => Some(index.lists()),
            Index::Ivf(index) => Some(index.lists()),
            Index::Binary(index) => index.lists(),
            Index::Flat(_) | Index::Scan(_) | Index::Hnsw(_) | Index::Absent(_) => None,
        }
    }

    /// The nearest of the allowed rows (of all without `allow`) in the window, nearest first, equal
    /// distances by the order in which rows were given; fewer than `limit` if there are no more.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `INVALID_ARGUMENT`.
    pub fn search(
        &self,
        query: &[f32],
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Hit>> {
        self.prepare(query, params, scratch)?;
        self.search_prepared(params, allow, std::slice::from_mut(scratch))?;
        Ok(scratch.take_hits())
    }

    /// [`Self::search`] for a query of bits.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR` if the rows aren't of bits, `INVALID_ARGUMENT`.
    pub fn search_bits(
        &self,
        query: &[u8],
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut Scratch,
    ) -> Result<Vec<Hit>> {
        params.check()?;
        self.rows().prepare_bits(query, &mut scratch.query)?;
        scratch.top.reset_within(params.limit, params.window);
        self.search_prepared(params, allow, std::slice::from_mut(scratch))?;
        Ok(scratch.take_hits())
    }

    /// [`Self::search`] for each query, with the same answers. Queries share the work of reading rows
    /// and codes, except in a graph, where each goes its own way.
    ///
    /// # Errors
    /// Those of the first query that fails.
    pub fn search_batch(
        &self,
        queries: MatrixView<'_>,
        params: &SearchParams,
        allow: Option<&Bitmap>,
        scratch: &mut BatchScratch,
    ) -> Result<Vec<Vec<Hit>>> {
        let together = BatchScratch::QUERIES.min(queries.rows());
        if scratch.each.len() < together {
            scratch.each.resize_with(together, Scratch::default);
        }
        let mut found = Vec::with_capacity(queries.rows());
        for first in (0..queries.rows()).step_by(BatchScratch::QUERIES) {
            let some = &mut scratch.each[..together.min(queries.rows() - first)];
            for (i, scratch) in some.iter_mut().enumerate() {
                self.prepare(queries.row(first + i), params, scratch)?;
            }
            self.search_prepared(params, allow, some)?;
            found.extend(some.iter_mut().map(Scratch::take_hits));
        }
        Ok(found)
    }

    /// Takes on a query.
    fn prepare(&self, query: &[f32], params: &SearchParams, scratch: &mut Scratch) -> Result<()> {
        params.check()?;
        let rows = self.rows();
        if params.window != Window::ALL && rows.is_absent() {
            return Err(Error::argument(
                "a search within a radius needs rows, but the file holds codes only, which estimate; build it with int8 \
                 or f32 rows",
            ));
        }
        rows.prepare(query, &mut scratch.query)?;
        scratch.top.reset_within(params.limit, params.window);
        Ok(())
    }

    /// Leaves in `top` of each scratch what was found for its query.
    fn search_prepared(&self, params: &SearchParams, allow: Option<&Bitmap>, asked: &mut [Scratch]) -> Result<()> {
        match self {
            Index::Scan(index) if !params.exact => index.search(params, allow, asked),
            Index::Ivf(index) if !params.exact => {
                asked.iter_mut().try_for_each(|scratch| index.search(params, allow, scratch))
            }
            Index::Binary(index) if !params.exact => {
                asked.iter_mut().try_for_each(|scratch| index.search(params, allow, scratch))
            }
            Index::Hnsw(index) if !params.exact => {
                asked.iter_mut().try_for_each(|scratch| index.search(params, allow, scratch))
            }
            _ => self.rows().search(allow, asked),
        }
    }
}

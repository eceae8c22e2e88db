//! What a build and a search are asked for.

use crate::words::{Error, Metric, Precision, Result, Window};

/// How a search is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchParams {
    /// How many hits, at most.
    pub limit: usize,
    /// HNSW: how many candidates the walk keeps. `None` leaves it to the index.
    pub ef: Option<usize>,
    /// Scan: how many candidates are compared exactly, at least `limit`: the nearest by all bits of
    /// their codes. 0 trusts the codes alone and gives estimated distances. `None` takes as many as the error bound asks for.
    pub rerank: Option<usize>,
    /// Scan: how many standard deviations a row may be nearer than its codes estimate before it isn't
    /// compared. `None` takes 1.9.
    pub epsilon: Option<f32>,
    /// Lists: how many are looked into. `None` leaves it to the index.
    pub nprobe: Option<usize>,
    /// A row that a walk passes over as if it had never been inserted.
    pub hidden: Option<u32>,
    /// Only rows of these internal distances.
    pub window: Window,
    /// Compare every row exactly: in f32 if the file has such rows, else in int8, and then exact
    /// means that no row was passed over.
    pub exact: bool,
}

impl Default for SearchParams {
    fn default() -> Self {
        SearchParams {
            limit: 10,
            ef: None,
            rerank: None,
            epsilon: None,
            nprobe: None,
            hidden: None,
            window: Window::ALL,
            exact: false,
        }
    }
}

impl SearchParams {
    /// Refuses what can't be honoured.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn check(&self) -> Result<()> {
        if self.limit == 0 {
            return Err(Error::argument("limit is 0; ask for at least one hit"));
        }
        if self.window != Window::ALL && self.rerank.is_some() {
            return Err(Error::argument(
                "a search within a radius compares as many rows as the error bound asks for; leave out rerank",
            ));
        }
        if self.nprobe == Some(0) {
            return Err(Error::argument("nprobe is 0; look into at least one list"));
        }
        Ok(())
    }
}

/// What an index is built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildParams {
    /// How nearness is measured.
    pub metric: Metric,
    /// What the rows are kept as, beside any codes. A scan may do without.
    pub precisions: Vec<Precision>,
    /// HNSW: how many candidates an insertion keeps. More make a better graph and a longer build.
    pub ef_construction: usize,
    /// Lists: how many the rows are parted into, at most. `None` takes as many as suit their number.
    pub nlist: Option<usize>,
    /// How many rows the recall of searches is measured with, for [`Calibration`](super::Calibration);
    /// 0 measures nothing. While it is measured, the sections are held twice.
    pub calibration_queries: usize,
    /// RaBitQ: bits a dimension, 1 to 8. All but the first are read of few rows only.
    pub bits: u32,
    /// IVF_PQ: parts of a vector, 1 to its dimension. `None` takes so many that a row takes a bit a dimension.
    pub m: Option<usize>,
    /// IVF_PQ: bits of a part, 4 or 8.
    pub nbits: u32,
    /// Laid out to be searched in parts. IVF_RABITQ of 1 bit and IVF_PQ of 4 then keep centroids in 8 bits, which take a
    /// fourth of the bytes, and codes of what rows have past these.
    pub in_parts: bool,
    /// Laid out in parts: how many groups the lists are parted into; 0 for none. `None`: if there are very many lists, as many as suit
    /// their number.
    pub ngroups: Option<usize>,
    /// Seeds every random choice: the same rows and seed give the same bytes.
    pub seed: u64,
}

impl Default for BuildParams {
    fn default() -> Self {
        BuildParams {
            metric: Metric::Cosine,
            precisions: vec![Precision::Int8],
            ef_construction: 200,
            nlist: None,
            calibration_queries: 0,
            bits: 1,
            m: None,
            nbits: 8,
            in_parts: false,
            ngroups: None,
            seed: 0,
        }
    }
}

/// Told how many steps of a build are done, and of how many; may be called from several threads.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

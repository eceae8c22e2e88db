//! Index files of other libraries: their bytes in, an index out that answers as the library does.
//!
//! A file is recognised by its content ([`sniff`]) and read in place; arrays stay where the file has
//! them. What is read is checked as a whole (counts, ids, offsets, links) before the first search,
//! so that a search needs no further checks and can't run away. `docs/foreign.md` lists what is
//! read, from which versions, and what is refused.

pub mod faiss;
mod measure;
mod reader;

pub use faiss::Faiss;
pub use measure::Measure;

use crate::words::{AlignedBuffer, Bitmap, Code, Error, Hit, Result};

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Faiss, `write_index` and `write_index_binary`.
    Faiss,
}

impl Format {
    /// The library's name.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Faiss => "Faiss",
        }
    }
}

/// Whose file starts with these bytes; `None` if no reader knows it.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    faiss::is_faiss(bytes).then_some(Format::Faiss)
}

/// How a search is to be done. What is `None` is taken from the file, or is the library's default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchParams {
    /// How many hits, at most.
    pub limit: usize,
    /// Inverted lists: how many are looked into.
    pub nprobe: Option<usize>,
    /// Graphs: how many candidates the walk keeps.
    pub ef: Option<usize>,
    /// Trees: how many nodes are looked at.
    pub search_k: Option<usize>,
    /// Refined indexes: how many times `limit` candidates are compared again.
    pub k_factor: Option<f32>,
}

impl Default for SearchParams {
    fn default() -> Self {
        SearchParams { limit: 10, nprobe: None, ef: None, search_k: None, k_factor: None }
    }
}

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub enum Query<'a> {
    /// A float a dimension.
    Floats(&'a [f32]),
    /// A bit a dimension, lowest bit of the first byte first.
    Bits(&'a [u8]),
}

impl Query<'_> {
    /// The floats of a query for an index of `dimension` floats.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`; `INVALID_VECTOR` if it is of bits or isn't finite.
    pub(crate) fn floats(&self, dimension: usize) -> Result<&[f32]> {
        let Query::Floats(query) = self else {
            return Err(Error::new(Code::InvalidVector, "the index holds floats, but the query is of bits"));
        };
        if query.len() != dimension {
            return Err(Error::dimension(dimension, query.len()));
        }
        match query.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(Error::new(
                Code::InvalidVector,
                format!("the query holds {} at position {at}; every number of it must be finite", query[at]),
            )),
            None => Ok(query),
        }
    }
}

/// An index of another library.
#[derive(Debug)]
pub enum Foreign {
    /// Of Faiss.
    Faiss(Faiss),
}

impl Foreign {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` if no reader knows it, or the reader knows it but doesn't read it, by
    /// its name; `CORRUPT_FILE` if it is damaged.
    pub fn open(file: AlignedBuffer) -> Result<Self> {
        match sniff(&file) {
            Some(Format::Faiss) => Faiss::open(file).map(Foreign::Faiss),
            None => Err(Error::new(
                Code::UnsupportedFormat,
                "the file is neither an .elanus file nor an index file of another library that is read",
            )),
        }
    }

    /// Whose file it was.
    pub fn format(&self) -> Format {
        match self {
            Foreign::Faiss(_) => Format::Faiss,
        }
    }

    /// What kind of index it is, in the library's own words.
    pub fn index_type(&self) -> String {
        match self {
            Foreign::Faiss(index) => index.index_type(),
        }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        match self {
            Foreign::Faiss(index) => index.count(),
        }
    }

    /// Numbers (or bits) in a vector.
    pub fn dimension(&self) -> usize {
        match self {
            Foreign::Faiss(index) => index.dimension(),
        }
    }

    /// Whether vectors, and so queries, are of bits.
    pub fn is_binary(&self) -> bool {
        match self {
            Foreign::Faiss(index) => index.is_binary(),
        }
    }

    /// How nearness is measured.
    pub fn measure(&self) -> Measure {
        match self {
            Foreign::Faiss(index) => index.measure(),
        }
    }

    /// What the library calls the row. Panics if there is no such row.
    pub fn id(&self, row: u32) -> i64 {
        match self {
            Foreign::Faiss(index) => index.id(row),
        }
    }

    /// Writes the vector of a row to `out`, as many floats as there are dimensions: as it was added,
    /// or as near as the index kept it. Says whether the index could.
    pub fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        match self {
            Foreign::Faiss(index) => index.vector(row, out),
        }
    }

    /// The nearest of the allowed rows (of all without `allow`), nearest first, with internal
    /// distances ([`Measure::to_public`]); fewer than `limit` if the library finds no more.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`, `INVALID_ARGUMENT`.
    pub fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        if params.limit == 0 {
            return Err(Error::argument("limit is 0; ask for at least one hit"));
        }
        match self {
            Foreign::Faiss(index) => index.search(query, params, allow),
        }
    }
}

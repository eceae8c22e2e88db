//! Index files of other libraries: their bytes in, an index out that answers as the library does.
//!
//! A file is recognised by its content ([`sniff`]) and read in place; arrays stay where the file has
//! them. What is read is checked as a whole (counts, ids, offsets, links) before the first search,
//! so that a search needs no further checks and can't run away. What a file doesn't say of itself
//! is taken from [`Hints`]. `docs/foreign.md` lists what is read, from which versions, and what is
//! refused.

mod annoy;
mod faiss;
mod hints;
mod hnswlib;
mod instant;
mod library;
mod measure;
mod nmslib;
mod reader;
mod records;
mod usearch;

pub use hints::{Hints, Space};
pub use library::Groups;
pub use measure::Measure;

use crate::format::MAGIC;
use crate::index::Structure;
use crate::words::{AlignedBuffer, Bitmap, Code, Error, Hit, Result};
use library::Library;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Faiss, `write_index` and `write_index_binary`.
    Faiss,
    /// hnswlib, `saveIndex`.
    Hnswlib,
    /// Annoy, `save`.
    Annoy,
    /// usearch, `save`.
    Usearch,
    /// NMSLIB, `saveIndex` of the method `hnsw`.
    Nmslib,
    /// The crate `instant-distance`, through serde and bincode.
    InstantDistance,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] =
        [Format::Faiss, Format::Hnswlib, Format::Annoy, Format::Usearch, Format::Nmslib, Format::InstantDistance];

    /// The library's name.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Faiss => "Faiss",
            Format::Hnswlib => "hnswlib",
            Format::Annoy => "Annoy",
            Format::Usearch => "usearch",
            Format::Nmslib => "NMSLIB",
            Format::InstantDistance => "instant-distance",
        }
    }

    /// The format of a library's name, in any case.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, with the names that there are.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            let names = Self::ALL.map(Format::name).join(", ");
            Error::argument(format!("{name:?} is no library whose files are read; there are {names}"))
        })
    }
}

/// Whose file this is, all of it; `None` if it doesn't show. An Annoy file never does.
pub fn sniff(file: &[u8]) -> Option<Format> {
    if faiss::is_faiss(file) {
        Some(Format::Faiss)
    } else if hnswlib::may_be(file, Some(file.len() as u64)) {
        Some(Format::Hnswlib)
    } else if usearch::is_usearch(file) {
        Some(Format::Usearch)
    } else if nmslib::may_be(file, Some(file.len() as u64)) {
        Some(Format::Nmslib)
    } else if instant::is_instant_distance(file) {
        Some(Format::InstantDistance)
    } else {
        None
    }
}

/// Whether a file that starts so, of `length` bytes if that is known, may be one that
/// [`Foreign::open`] reads; it will look at all of it.
pub fn may_be(start: &[u8], length: Option<u64>, hints: &Hints) -> bool {
    let own = start.starts_with(&MAGIC);
    !own && (hints.format.is_some()
        || faiss::is_faiss(start)
        || hnswlib::may_be(start, length)
        || usearch::may_be(start, length)
        || nmslib::may_be(start, length)
        || instant::may_be(start, length))
}

/// Whether a file that starts so holds a graph alone, whose vectors are in a second file, NAME.dat.
/// [`Foreign::open`] takes the bytes of the second right behind those of the first.
pub fn takes_data(start: &[u8], length: u64) -> bool {
    nmslib::is_plain(start, length)
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
    /// Trees: how many candidates are gathered.
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

impl<'a> Query<'a> {
    /// The floats of a query for an index of `dimension` floats.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`; `INVALID_VECTOR` if it is of bits or isn't finite.
    pub(crate) fn floats(&self, dimension: usize) -> Result<&'a [f32]> {
        let Query::Floats(query) = *self else {
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

    /// The bits of a query for an index of `dimension` bits.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`; `INVALID_VECTOR` if it is of floats.
    pub(crate) fn bits(&self, dimension: usize) -> Result<&'a [u8]> {
        match *self {
            Query::Floats(_) => {
                Err(Error::new(Code::InvalidVector, "the index holds bits, but the query is of floats"))
            }
            Query::Bits(query) if query.len() != dimension.div_ceil(8) => {
                Err(Error::dimension(dimension, 8 * query.len()))
            }
            Query::Bits(query) => Ok(query),
        }
    }
}

/// An index of another library.
#[derive(Debug)]
pub struct Foreign {
    format: Format,
    index: Box<dyn Library>,
}

impl Foreign {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` if no reader knows it, or the reader knows it but doesn't read it, by
    /// its name; `CORRUPT_FILE` if it is damaged; `INVALID_ARGUMENT` if a hint is missing, with its
    /// name; `DIMENSION_MISMATCH` if a hint and the file contradict each other.
    pub fn open(file: AlignedBuffer, hints: &Hints) -> Result<Self> {
        let Some(format) = hints.format.or_else(|| sniff(&file)) else {
            return Err(Error::new(
                Code::UnsupportedFormat,
                "the file is neither an .elanus file nor recognised as an index file of another library; an Annoy file \
                 says nothing of itself: name the format, the dimension and the metric to open one",
            ));
        };
        let index: Box<dyn Library> = match format {
            Format::Faiss => Box::new(faiss::Faiss::open(file)?),
            Format::Hnswlib => Box::new(hnswlib::Hnswlib::open(file, hints)?),
            Format::Annoy => Box::new(annoy::Annoy::open(file, hints)?),
            Format::Usearch => Box::new(usearch::Usearch::open(file, hints)?),
            Format::Nmslib => Box::new(nmslib::Nmslib::open(file, hints)?),
            Format::InstantDistance => Box::new(instant::InstantDistance::open(file, hints)?),
        };
        hints.check_dimension(index.dimension())?;
        Ok(Foreign { format, index })
    }

    /// Whose file it was.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What kind of index it is, in the library's own words.
    pub fn index_type(&self) -> String {
        self.index.index_type()
    }

    /// Number of rows, those marked as deleted as well.
    pub fn count(&self) -> usize {
        self.index.count()
    }

    /// Numbers (or bits) in a vector.
    pub fn dimension(&self) -> usize {
        self.index.dimension()
    }

    /// Whether vectors, and so queries, are of bits.
    pub fn is_binary(&self) -> bool {
        self.index.is_binary()
    }

    /// How nearness is measured.
    pub fn measure(&self) -> Measure {
        self.index.measure()
    }

    /// What the library calls the row. Panics if there is no such row.
    pub fn id(&self, row: u32) -> i64 {
        self.index.id(row)
    }

    /// Writes the vector of a row to `out`, as many floats as there are dimensions: as it was added,
    /// or as near as the index kept it. Says whether the index could.
    pub fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        self.index.vector(row, out)
    }

    /// The rows that a search may find, if it isn't all of them.
    pub fn alive(&self) -> Option<Bitmap> {
        self.index.alive()
    }

    /// The lists that the rows lie in, or the levels of a graph.
    pub fn groups(&self) -> Option<Groups> {
        self.index.groups()
    }

    /// How the rows are arranged, if an `.elanus` file of their vectors and of [`Measure::metric`] can
    /// keep it so that it answers alike. Rows are numbered as here.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, with why it can't.
    pub fn structure(&self) -> Result<Structure> {
        self.index.structure()
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
        if let Some(allow) = allow
            && allow.len() != self.count()
        {
            return Err(Error::argument(format!(
                "the rows to be searched are given among {}, but the file has {}",
                allow.len(),
                self.count()
            )));
        }
        self.index.search(query, params, allow)
    }
}

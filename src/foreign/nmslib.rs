//! Files that NMSLIB writes with `saveIndex` for its method `hnsw`.
//!
//! Read and searched as in `similarity_search/src/method/hnsw.cc`, `hnsw_distfunc_opt.cc` and
//! `space.cc` of <https://github.com/nmslib/nmslib> at commit cff809e7 (2.1.2, Apache 2.0 licence).
//! An index that NMSLIB has optimised holds its vectors and says its metric:
//!
//! ```text
//! u32 × 2    1 · rows
//! u64 × 3    bytes of a record · where its links are · where its object is, 0
//! i32, u32   top level · entry
//! u64 × 2    most links of a node above the lowest level · in it
//! i32, u64   which distance · how it is searched
//! rows × record:
//!   object   i32 id · i32 label · u64 bytes of the vector · the vector
//!   u32      number of links, then room for rows that it links to
//! rows × upper levels, lowest first: u32 bytes, then per level a list like the record's
//! ```
//!
//! Another one (`skip_optimized_index`) holds the graph alone; the vectors are in a second file,
//! NAME.dat (`save_data`). It is read with the bytes of that file right behind its own:
//!
//! ```text
//! u32 × 2    0 · rows
//! i32, u32   top level · entry
//! u64 × 3    M · most links above the lowest level · in it
//! rows ×     u32 level, then per level, lowest first: u32 number of links · u32 × links
//! u64        rows, then per row: u64 bytes of an object · the object
//! ```

mod plain;

use super::library::{Groups, Library, checked_ef};
use super::records::{Records, Shape};
use super::{Hints, Measure, Query, SearchParams, Space};
use crate::distance;
use crate::index::Structure;
use crate::index::hnsw::{Goal, WalkScratch};
use crate::words::{AlignedBuffer, Bitmap, Blob, Code, Cursor, Error, Hit, Result};
use plain::Plain;
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

/// Bytes before the first record of an optimised index.
const HEAD: usize = 68;

/// Bytes of an object before its vector.
const OBJECT: usize = 16;

/// What a search keeps unless it says otherwise.
const DEFAULT_EF: usize = 20;

/// The shape of an optimised index that starts so, and its distance; `None` if its numbers don't fit
/// each other and the length.
fn head(start: &[u8], length: u64) -> Option<(Shape, u32)> {
    let mut cursor = Cursor::new(start, "the NMSLIB file");
    let (optimised, count) = (cursor.u32().ok()?, cursor.u32().ok()? as usize);
    let mut size = || cursor.size().ok();
    let (record, links, object) = (size()?, size()?, size()?);
    let (top, entry) = (cursor.u32().ok()? as i32, cursor.u32().ok()?);
    let (most_links, most_links_below) = (cursor.size().ok()?, cursor.size().ok()?);
    let (kind, search) = (cursor.u32().ok()?, cursor.u64().ok()?);
    let fits = optimised == 1
        && object == 0
        && links > OBJECT
        && links.is_multiple_of(4)
        && most_links <= usize::from(u16::MAX)
        && Some(record) == most_links_below.checked_mul(4)?.checked_add(4)?.checked_add(links)
        && (1..=6).contains(&kind)
        && (search == 3 || search == 4)
        && count.checked_mul(record)?.checked_add(HEAD)? as u64 <= length;
    let shape = Shape {
        library: "NMSLIB",
        start: HEAD,
        count,
        record,
        links,
        vector: OBJECT,
        most_links,
        most_links_below,
        mask: u32::MAX,
        top,
        entry,
    };
    fits.then_some((shape, kind))
}

/// Whether a file that starts so, of `length` bytes if that is known, has the shape of NMSLIB's.
pub(super) fn may_be(start: &[u8], length: Option<u64>) -> bool {
    let length = length.unwrap_or(u64::MAX);
    head(start, length).is_some() || plain::may_be(start, length)
}

/// Whether such a file needs its data file.
pub(super) fn is_plain(start: &[u8], length: u64) -> bool {
    plain::may_be(start, length)
}

#[derive(Debug)]
enum Graph {
    Optimised(Records),
    Plain(Plain),
}

/// An index of NMSLIB, in place.
#[derive(Debug)]
pub(super) struct Nmslib {
    file: Blob,
    graph: Graph,
    dimension: usize,
    measure: Measure,
    scratch: Mutex<WalkScratch>,
}

impl Nmslib {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `CORRUPT_FILE`; `INVALID_ARGUMENT` if a metric wasn't given that the file doesn't say, or one
    /// was that isn't the file's; `UNSUPPORTED_FORMAT` for a graph without its vectors.
    pub(super) fn open(file: AlignedBuffer, hints: &Hints) -> Result<Self> {
        let (graph, dimension, measure) = match head(&file, file.len() as u64) {
            Some((shape, kind)) => {
                let (space, measure) = distance_of(kind);
                if hints.metric.is_some_and(|hint| Some(hint) != space) {
                    return Err(Error::argument(format!(
                        "the NMSLIB file's own metric is {}; leave out metric",
                        measure.name()
                    )));
                }
                let dimension = (shape.links - OBJECT) / 4;
                let records = Records::read(&file, shape)?;
                for row in 0..shape.count as u32 {
                    let bytes = object_bytes(&file, records.at(row));
                    if bytes != (shape.links - OBJECT) as u64 {
                        return Err(of_other_length(row, bytes, dimension));
                    }
                }
                (Graph::Optimised(records), dimension, measure)
            }
            None => {
                let plain = Plain::read(&file)?;
                let dimension = plain.dimension();
                let Some(space) = hints.metric else {
                    return Err(Error::argument(format!(
                        "this is a graph of NMSLIB over {} vectors of {dimension} dimensions, which doesn't say its \
                         metric; give L2, IP, COSINE or L1",
                        plain.count()
                    )));
                };
                let measure = match space {
                    Space::L2 => Measure::Euclidean,
                    Space::Ip => Measure::NegativeIp,
                    Space::Cosine => Measure::CosineDistance,
                    Space::L1 => Measure::L1,
                    Space::Hamming => {
                        return Err(Error::argument("vectors of NMSLIB are floats; their metric isn't HAMMING"));
                    }
                };
                (Graph::Plain(plain), dimension, measure)
            }
        };
        hints.check_dimension(dimension)?;
        Ok(Nmslib { file: Blob::from(file), graph, dimension, measure, scratch: Mutex::default() })
    }

    /// Where the object of a row is.
    fn object(&self, row: u32) -> usize {
        match &self.graph {
            Graph::Optimised(records) => records.at(row),
            Graph::Plain(plain) => plain.object(row),
        }
    }

    fn row(&self, row: u32) -> &[f32] {
        match &self.graph {
            Graph::Optimised(records) => records.vector(&self.file, row, self.dimension),
            Graph::Plain(plain) => plain.vector(&self.file, row),
        }
    }
}

/// The distances that an optimised index may have.
fn distance_of(kind: u32) -> (Option<Space>, Measure) {
    match kind {
        3 => (Some(Space::Cosine), Measure::CosineDistance),
        4 => (Some(Space::Ip), Measure::NegativeIp),
        5 => (Some(Space::L1), Measure::L1),
        6 => (None, Measure::Linf),
        // 1 and 2: with and without 16 numbers a step.
        _ => (Some(Space::L2), Measure::L2),
    }
}

/// How long the vector of an object is said to be.
fn object_bytes(file: &[u8], object: usize) -> u64 {
    super::reader::i64_at(file, object + 8) as u64
}

fn of_other_length(row: u32, bytes: u64, dimension: usize) -> Error {
    Error::new(
        Code::UnsupportedFormat,
        format!(
            "row {row} of the NMSLIB file has {bytes} bytes, others have {dimension} floats; only vectors of one length, \
             of floats, are read"
        ),
    )
}

impl Library for Nmslib {
    fn index_type(&self) -> String {
        match &self.graph {
            Graph::Optimised(records) => {
                format!("HNSW, optimised (M {}, {} levels)", records.shape.most_links, records.shape.top + 1)
            }
            Graph::Plain(plain) => plain.describe(),
        }
    }

    fn count(&self) -> usize {
        match &self.graph {
            Graph::Optimised(records) => records.shape.count,
            Graph::Plain(plain) => plain.count(),
        }
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn measure(&self) -> Measure {
        self.measure
    }

    fn id(&self, row: u32) -> i64 {
        let at = self.object(row);
        let mut id = [0; 4];
        id.copy_from_slice(&self.file[at..at + 4]);
        i64::from(i32::from_le_bytes(id))
    }

    fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        out.copy_from_slice(self.row(row));
        true
    }

    fn groups(&self) -> Option<Groups> {
        Some(match &self.graph {
            Graph::Optimised(records) => records.groups(),
            Graph::Plain(plain) => plain.groups.clone(),
        })
    }

    fn structure(&self) -> Result<Structure> {
        let layers = match &self.graph {
            Graph::Optimised(records) => records.layers(&self.file),
            Graph::Plain(plain) => plain.layers(&self.file),
        };
        layers.map(Structure::Graph)
    }

    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        let query = query.floats(self.dimension)?;
        let ef = checked_ef(params.ef, DEFAULT_EF)?.max(params.limit).min(self.count());
        let goal = Goal { ef, allow, hidden: None, budget: usize::MAX };
        let lock = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = std::mem::take(&mut *lock());
        match &self.graph {
            Graph::Optimised(records) => {
                // NMSLIB brings rows to length 1 when it optimises.
                let query = match self.measure {
                    Measure::CosineDistance => Cow::Owned(normalised(query)),
                    _ => Cow::Borrowed(query),
                };
                records.walk(&self.file, &query, self.measure, &goal, &mut scratch);
            }
            Graph::Plain(plain) => plain.walk(&self.file, query, self.measure, &goal, &mut scratch),
        }
        let mut hits = Vec::with_capacity(scratch.found.len());
        scratch.found.drain_sorted(&mut hits);
        *lock() = scratch;
        hits.truncate(params.limit);
        if self.measure == Measure::CosineDistance {
            hits.iter_mut().for_each(|hit| hit.distance = hit.distance.max(0.0));
        }
        Ok(hits)
    }
}

/// A vector brought to length 1, unless it is zero.
fn normalised(vector: &[f32]) -> Vec<f32> {
    let length = distance::dot(vector, vector).sqrt();
    let factor = if length > 0.0 { 1.0 / length } else { 1.0 };
    vector.iter().map(|x| x * factor).collect()
}

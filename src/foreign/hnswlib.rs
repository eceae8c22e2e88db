//! Files that hnswlib writes with `saveIndex` (Python: `save_index`).
//!
//! Read and searched as in `hnswlib/hnswalg.h` of <https://github.com/nmslib/hnswlib> at commit
//! c1b9b79a (0.8.0, Apache 2.0 licence), as a 64-bit little-endian machine writes it:
//!
//! ```text
//! u64 × 6    0 · most rows · rows · bytes of a record · where its label is · where its vector is
//! i32, u32   top level, −1 if there are no rows · entry
//! u64 × 3    most links of a node above the lowest level · in it · M
//! f64, u64   of use to a build only
//! rows × record:
//!   u16, u8, u8   number of links · 1 if the row is deleted · 0
//!   u32 × most    rows that it links to, then whatever was in memory
//!   vector, u64   the label
//! rows × upper levels, lowest first: u32 bytes, then per level a list like the record's
//! ```
//!
//! Neither the space nor the kind of numbers is stored: the space is a hint, numbers are floats as
//! in all of hnswlib's Python spaces. Everything lies at multiples of 4, so nothing is copied.

use super::library::{Groups, Library, checked_ef, not_kept};
use super::reader::i64_at;
use super::records::{Records, Shape};
use super::{Hints, Measure, Query, SearchParams, Space};
use crate::distance;
use crate::index::Structure;
use crate::index::hnsw::{Goal, WalkScratch};
use crate::words::{AlignedBuffer, Bitmap, Blob, Code, Cursor, Error, Hit, Result, order};
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

/// Bytes before the first record.
const HEAD: usize = 96;

/// What a search keeps unless it says otherwise: hnswlib sets this when it loads a file.
const DEFAULT_EF: usize = 10;

/// The shape of a file that starts so, and where in a record the label is; `None` if its numbers
/// don't fit each other and the length.
fn head(start: &[u8], length: u64) -> Option<(Shape, usize)> {
    let mut cursor = Cursor::new(start, "the hnswlib file");
    let mut size = || cursor.size().ok();
    let (level0, most, count, record, label, vector) = (size()?, size()?, size()?, size()?, size()?, size()?);
    let (top, entry) = (cursor.u32().ok()? as i32, cursor.u32().ok()?);
    let (most_links, most_links_below, m) = (cursor.size().ok()?, cursor.size().ok()?, cursor.size().ok()?);
    let links_end = most_links_below.checked_mul(4)?.checked_add(4)?;
    let fits = level0 == 0
        && count <= most
        && u32::try_from(count).is_ok()
        && vector == links_end
        && label > vector
        && Some(record) == label.checked_add(8)
        && most_links == m
        && Some(most_links_below) == m.checked_mul(2)
        && most_links_below <= usize::from(u16::MAX)
        && count.checked_mul(record)?.checked_add(HEAD)? as u64 <= length;
    let shape = Shape {
        library: "hnswlib",
        start: HEAD,
        count,
        record,
        links: level0,
        vector,
        most_links,
        most_links_below,
        // The upper half of a list's first number marks deleted rows.
        mask: 0xFFFF,
        top,
        entry,
    };
    fits.then_some((shape, label))
}

/// Whether a file that starts so, of `length` bytes if that is known, has the shape of hnswlib's.
pub(super) fn may_be(start: &[u8], length: Option<u64>) -> bool {
    head(start, length.unwrap_or(u64::MAX)).is_some()
}

/// An index of hnswlib, in place.
#[derive(Debug)]
pub(super) struct Hnswlib {
    file: Blob,
    records: Records,
    /// Where in a record the label is.
    label: usize,
    dimension: usize,
    measure: Measure,
    /// The rows that aren't deleted, if any is.
    alive: Option<Bitmap>,
    scratch: Mutex<WalkScratch>,
}

impl Hnswlib {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `CORRUPT_FILE`; `INVALID_ARGUMENT` if the metric wasn't given or is none of hnswlib's.
    pub(super) fn open(file: AlignedBuffer, hints: &Hints) -> Result<Self> {
        let Some((shape, label)) = head(&file, file.len() as u64) else {
            return Err(Error::corrupt(
                "the head of the hnswlib file contradicts itself or the file's length; it is damaged, cut off, or no file \
                 of a 64-bit hnswlib",
            ));
        };
        let vector_bytes = label - shape.vector;
        if !vector_bytes.is_multiple_of(4) {
            return Err(Error::new(
                Code::UnsupportedFormat,
                format!(
                    "the hnswlib file holds vectors of {vector_bytes} bytes; only spaces of 32-bit floats are read"
                ),
            ));
        }
        let dimension = vector_bytes / 4;
        hints.check_dimension(dimension)?;
        let records = Records::read(&file, shape)?;
        let alive = Bitmap::from_fn(shape.count, |row| file[HEAD + row * shape.record + 2] & 1 == 0);
        let measure = match hints.metric {
            Some(Space::L2) => Measure::L2,
            Some(Space::Ip) => Measure::IpDistance,
            Some(Space::Cosine) => Measure::CosineDistance,
            Some(other) => {
                return Err(Error::argument(format!("hnswlib has no {} space; it is L2, IP or COSINE", other.name())));
            }
            None => return Err(missing_metric(&file, &records, dimension)),
        };
        Ok(Hnswlib {
            file: Blob::from(file),
            records,
            label,
            dimension,
            measure,
            alive: (alive.count() < shape.count).then_some(alive),
            scratch: Mutex::default(),
        })
    }
}

/// Which hint is missing, and what the vectors suggest.
fn missing_metric(file: &[u8], records: &Records, dimension: usize) -> Error {
    let count = records.shape.count;
    let unit = |row: u32| {
        let vector = records.vector(file, row, dimension);
        (distance::dot(vector, vector) - 1.0).abs() < 1e-3
    };
    let normalised = count > 0 && (0..count as u32).all(unit);
    let guess = if normalised { ": all vectors have length 1, as COSINE makes them" } else { "" };
    Error::argument(format!(
        "this is an hnswlib file of {count} vectors of {dimension} dimensions, and such a file doesn't say its metric; give \
         L2, IP or COSINE{guess}"
    ))
}

impl Library for Hnswlib {
    fn index_type(&self) -> String {
        format!("HNSW (M {}, {} levels)", self.records.shape.most_links, self.records.shape.top + 1)
    }

    fn count(&self) -> usize {
        self.records.shape.count
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn measure(&self) -> Measure {
        self.measure
    }

    fn id(&self, row: u32) -> i64 {
        i64_at(&self.file, self.records.at(row) + self.label)
    }

    fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        out.copy_from_slice(self.records.vector(&self.file, row, self.dimension));
        true
    }

    fn alive(&self) -> Option<Bitmap> {
        self.alive.clone()
    }

    fn groups(&self) -> Option<Groups> {
        Some(self.records.groups())
    }

    fn structure(&self) -> Result<Structure> {
        match &self.alive {
            None => self.records.layers(&self.file).map(Structure::Graph),
            Some(alive) => Err(not_kept(format!(
                "its graph leads through {} rows that are marked as deleted",
                self.count() - alive.count()
            ))),
        }
    }

    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        let query = query.floats(self.dimension)?;
        let query = match self.measure {
            Measure::CosineDistance => Cow::Owned(normalised(query)),
            _ => Cow::Borrowed(query),
        };
        let ef = checked_ef(params.ef, DEFAULT_EF)?.max(params.limit).min(self.records.shape.count);
        let both = match (&self.alive, allow) {
            (Some(alive), Some(allow)) => {
                let mut both = alive.clone();
                both.intersect(allow);
                Some(both)
            }
            _ => None,
        };
        let allow = both.as_ref().or(allow).or(self.alive.as_ref());
        let lock = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = std::mem::take(&mut *lock());
        let goal = Goal { ef, allow, hidden: None, budget: usize::MAX };
        self.records.walk(&self.file, &query, self.measure, &goal, &mut scratch);
        let mut hits = Vec::with_capacity(scratch.found.len());
        scratch.found.drain_sorted(&mut hits);
        *lock() = scratch;
        // Among equals hnswlib puts the lower label first, as a number without a sign.
        for equals in hits.chunk_by_mut(|a, b| a.distance.to_bits() == b.distance.to_bits()) {
            if equals.len() > 1 {
                let order = order::sort_numbers(equals.len() as u32, |i| self.id(equals[i as usize].row) ^ i64::MIN);
                let sorted: Vec<Hit> = order.into_iter().map(|i| equals[i as usize]).collect();
                equals.copy_from_slice(&sorted);
            }
        }
        hits.truncate(params.limit);
        Ok(hits)
    }
}

/// A vector brought to length 1 as hnswlib does it.
fn normalised(vector: &[f32]) -> Vec<f32> {
    let length: f32 = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let factor = 1.0 / (length + 1e-30);
    vector.iter().map(|x| x * factor).collect()
}

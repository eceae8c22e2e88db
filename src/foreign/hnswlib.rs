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

use super::library::{Library, checked_ef};
use super::reader::i64_at;
use super::{Hints, Measure, Query, SearchParams, Space};
use crate::distance;
use crate::index::hnsw::{Distances, Goal, Links, WalkScratch, walk};
use crate::words::bytes::cast;
use crate::words::{AlignedBuffer, Bitmap, Blob, Cursor, Error, Hit, Result};
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

/// Bytes before the first record.
const HEAD: usize = 96;

/// What a search keeps unless it says otherwise: hnswlib sets this when it loads a file.
const DEFAULT_EF: usize = 10;

/// More levels than any graph has; hnswlib draws them from an exponential distribution.
const MAX_LEVELS: usize = 64;

/// The numbers before the records.
#[derive(Debug, Clone, Copy)]
struct Head {
    count: usize,
    record: usize,
    label: usize,
    vector: usize,
    top: i32,
    entry: u32,
    most_links: usize,
    most_links_below: usize,
}

impl Head {
    /// The head of a file that starts so; `None` if its numbers don't fit each other and the length.
    fn read(start: &[u8], length: u64) -> Option<Self> {
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
        fits.then_some(Head { count, record, label, vector, top, entry, most_links, most_links_below })
    }

    /// Bytes of a list of links above the lowest level.
    fn list(&self) -> usize {
        4 + 4 * self.most_links
    }
}

/// Whether a file that starts so, of `length` bytes if that is known, has the shape of hnswlib's.
pub(super) fn may_be(start: &[u8], length: Option<u64>) -> bool {
    Head::read(start, length.unwrap_or(u64::MAX)).is_some()
}

/// Where the lists of a node that reaches above the lowest level are.
#[derive(Debug, Clone, Copy)]
struct Tower {
    row: u32,
    levels: u32,
    start: usize,
}

/// An index of hnswlib, in place.
#[derive(Debug)]
pub(super) struct Hnswlib {
    file: Blob,
    head: Head,
    dimension: usize,
    space: Space,
    /// The nodes above the lowest level, by row.
    towers: Vec<Tower>,
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
        let Some(head) = Head::read(&file, file.len() as u64) else {
            return Err(Error::corrupt(
                "the head of the hnswlib file contradicts itself or the file's length; it is damaged, cut off, or no file \
                 of a 64-bit hnswlib",
            ));
        };
        let vector_bytes = head.label - head.vector;
        if !vector_bytes.is_multiple_of(4) {
            return Err(Error::new(
                crate::words::Code::UnsupportedFormat,
                format!(
                    "the hnswlib file holds vectors of {vector_bytes} bytes; only spaces of 32-bit floats are read"
                ),
            ));
        }
        let dimension = vector_bytes / 4;
        hints.check_dimension(dimension)?;
        let towers = towers(&file, &head)?;
        check(&file, &head, &towers)?;
        let alive = Bitmap::from_fn(head.count, |row| file[HEAD + row * head.record + 2] & 1 == 0);
        let space = match hints.metric {
            Some(space @ (Space::L2 | Space::Ip | Space::Cosine)) => space,
            Some(other) => {
                return Err(Error::argument(format!("hnswlib has no {} space; it is L2, IP or COSINE", other.name())));
            }
            None => return Err(missing_metric(&file, &head, dimension)),
        };
        Ok(Hnswlib {
            file: Blob::from(file),
            head,
            dimension,
            space,
            towers,
            alive: (alive.count() < head.count).then_some(alive),
            scratch: Mutex::default(),
        })
    }

    /// Records, links or vectors as they are needed.
    fn records<T: crate::words::bytes::Number>(&self) -> &[T] {
        records(&self.file, &self.head)
    }

    fn nearest(&self, query: &[f32], ef: usize, allow: Option<&Bitmap>, scratch: &mut WalkScratch) {
        let stride = self.head.record / 4;
        let rows = Rows {
            floats: self.records(),
            stride,
            first: self.head.vector / 4,
            query,
            products: self.space != Space::L2,
        };
        let goal = Goal { ef, allow, hidden: None, budget: usize::MAX };
        let graph = Graph { index: self, words: self.records(), stride };
        walk(&graph, self.head.count, &goal, &rows, scratch);
    }
}

/// The records as numbers.
fn records<'a, T: crate::words::bytes::Number>(file: &'a [u8], head: &Head) -> &'a [T] {
    cast(&file[HEAD..HEAD + head.count * head.record]).unwrap_or_default()
}

/// Finds the nodes above the lowest level; the file must end with the last of them.
fn towers(file: &[u8], head: &Head) -> Result<Vec<Tower>> {
    let each = |found: &mut dyn FnMut(Tower)| {
        let mut cursor = Cursor::new(&file[HEAD + head.count * head.record..], "the hnswlib file");
        for row in 0..head.count as u32 {
            let bytes = cursor.u32()? as usize;
            let start = HEAD + head.count * head.record + cursor.position();
            cursor.take(bytes)?;
            let levels = bytes / head.list();
            if !bytes.is_multiple_of(head.list()) || levels > MAX_LEVELS {
                return Err(Error::corrupt(format!(
                    "node {row} of the hnswlib file has {bytes} bytes of upper links, where lists of {} were expected; \
                     the file is damaged",
                    head.list()
                )));
            }
            if levels > 0 {
                found(Tower { row, levels: levels as u32, start });
            }
        }
        match cursor.remaining() {
            0 => Ok(()),
            more => Err(Error::corrupt(format!(
                "the hnswlib file goes on for {more} bytes after its last node; it is damaged"
            ))),
        }
    };
    let mut count = 0;
    each(&mut |_| count += 1)?;
    let mut towers = Vec::with_capacity(count);
    each(&mut |tower| towers.push(tower))?;
    Ok(towers)
}

/// Follows every link.
fn check(file: &[u8], head: &Head, towers: &[Tower]) -> Result<()> {
    let corrupt = |what: String| Err(Error::corrupt(format!("the hnswlib file has {what}; it is damaged")));
    let mut levels = vec![0u8; head.count];
    towers.iter().for_each(|tower| levels[tower.row as usize] = tower.levels as u8);
    match (head.count, usize::try_from(head.top)) {
        (0, _) => {}
        (_, Ok(top)) if levels.get(head.entry as usize).is_some_and(|&level| usize::from(level) == top) => {}
        _ => {
            return corrupt(format!("{} rows, entered at row {} in level {}", head.count, head.entry, head.top));
        }
    }
    let list = |row: u32, level: u8, words: &[u32]| {
        let (number, links) = ((words[0] & 0xFFFF) as usize, &words[1..]);
        match links.get(..number) {
            None => corrupt(format!("{number} links at row {row} where {} fit", links.len())),
            Some(links) => match links.iter().find(|&&to| levels.get(to as usize).is_none_or(|&l| l < level)) {
                Some(to) => corrupt(format!("a link from row {row} to row {to}, which isn't in level {level}")),
                None => Ok(()),
            },
        }
    };
    let words: &[u32] = records(file, head);
    for (row, record) in words.chunks_exact(head.record / 4).enumerate() {
        list(row as u32, 0, &record[..1 + head.most_links_below])?;
    }
    for tower in towers {
        let end = tower.start + tower.levels as usize * head.list();
        let words: &[u32] = cast(&file[tower.start..end])?;
        for (level, words) in (1..).zip(words.chunks_exact(head.list() / 4)) {
            list(tower.row, level, words)?;
        }
    }
    Ok(())
}

/// Which hint is missing, and what the vectors suggest.
fn missing_metric(file: &[u8], head: &Head, dimension: usize) -> Error {
    let floats: &[f32] = records(file, head);
    let unit = |record: &[f32]| {
        let vector = &record[head.vector / 4..][..dimension];
        (distance::dot(vector, vector) - 1.0).abs() < 1e-3
    };
    let normalised = head.count > 0 && floats.chunks_exact(head.record / 4).all(unit);
    let guess = if normalised { ": all vectors have length 1, as COSINE makes them" } else { "" };
    Error::argument(format!(
        "this is an hnswlib file of {} vectors of {dimension} dimensions, and such a file doesn't say its metric; give \
         L2, IP or COSINE{guess}",
        head.count
    ))
}

/// The vectors in their records, compared with a query.
struct Rows<'a> {
    floats: &'a [f32],
    stride: usize,
    first: usize,
    query: &'a [f32],
    /// By one minus the product, rather than by squared distance.
    products: bool,
}

impl Rows<'_> {
    #[inline]
    fn row(&self, row: u32) -> &[f32] {
        let at = row as usize * self.stride + self.first;
        &self.floats[at..at + self.query.len()]
    }
}

impl Distances for Rows<'_> {
    #[inline]
    fn one(&self, row: u32) -> f32 {
        let row = self.row(row);
        if self.products { 1.0 - distance::dot(self.query, row) } else { distance::l2(self.query, row) }
    }

    fn all(&self, rows: &[u32], out: &mut Vec<f32>) {
        let (fours, rest) = rows.as_chunks::<4>();
        for four in fours {
            let rows = four.map(|row| self.row(row));
            out.extend(match self.products {
                true => distance::dot_4(self.query, rows).map(|product| 1.0 - product),
                false => distance::l2_4(self.query, rows),
            });
        }
        out.extend(rest.iter().map(|&row| self.one(row)));
    }
}

/// The links, for the walk.
struct Graph<'a> {
    index: &'a Hnswlib,
    words: &'a [u32],
    stride: usize,
}

impl Links for Graph<'_> {
    fn entry(&self) -> Option<(u32, usize)> {
        let top = usize::try_from(self.index.head.top).unwrap_or(0);
        (self.index.head.count > 0).then_some((self.index.head.entry, top))
    }

    #[inline]
    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
        let Hnswlib { file, head, towers, .. } = self.index;
        let list = if layer == 0 {
            let at = row as usize * self.stride;
            &self.words[at..at + 1 + head.most_links_below]
        } else {
            let tower = towers.binary_search_by_key(&row, |tower| tower.row).ok().map(|at| towers[at]);
            let Some(tower) = tower.filter(|tower| layer <= tower.levels as usize) else { return };
            let start = tower.start + (layer - 1) * head.list();
            cast(&file[start..start + head.list()]).unwrap_or_default()
        };
        let Some((&number, links)) = list.split_first() else { return };
        links.iter().take((number & 0xFFFF) as usize).copied().for_each(visit);
    }
}

impl Library for Hnswlib {
    fn index_type(&self) -> String {
        format!("HNSW (M {}, {} levels)", self.head.most_links, self.head.top + 1)
    }

    fn count(&self) -> usize {
        self.head.count
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn measure(&self) -> Measure {
        match self.space {
            Space::L2 => Measure::L2,
            Space::Cosine => Measure::CosineDistance,
            _ => Measure::IpDistance,
        }
    }

    fn id(&self, row: u32) -> i64 {
        i64_at(&self.file, HEAD + row as usize * self.head.record + self.head.label)
    }

    fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        let at = (row as usize * self.head.record + self.head.vector) / 4;
        out.copy_from_slice(&self.records::<f32>()[at..at + self.dimension]);
        true
    }

    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        let query = query.floats(self.dimension)?;
        let query = if self.space == Space::Cosine { Cow::Owned(normalised(query)) } else { Cow::Borrowed(query) };
        let ef = checked_ef(params.ef, DEFAULT_EF)?.max(params.limit).min(self.head.count);
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
        self.nearest(&query, ef, allow, &mut scratch);
        let mut hits = Vec::with_capacity(scratch.found.len());
        scratch.found.drain_sorted(&mut hits);
        *lock() = scratch;
        // Among equals hnswlib puts the lower label first.
        let label = |hit: &Hit| self.id(hit.row) as u64;
        hits.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| label(a).cmp(&label(b))));
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

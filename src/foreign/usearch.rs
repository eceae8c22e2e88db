//! Files that usearch writes with `save`.
//!
//! Read and searched as in `include/usearch/index_dense.hpp` and `index.hpp` of
//! <https://github.com/unum-cloud/usearch> at commit fd6279af (2.21.0, Apache 2.0 licence), and checked
//! against files of 2.26.6:
//!
//! ```text
//! u32 × 2 (or u64 × 2)   rows · bytes of a vector
//! rows × vector
//! head, 64 bytes   "usearch" · u16 × 3 version · u8 metric · u8 scalar · u8 key · u8 slot
//!                  u64 rows present · u64 rows deleted · u64 dimension · u8 several vectors a key
//! u64 × 5          rows · most links above the lowest level · in it · top level · entry
//! rows × i16       levels above the lowest
//! rows × node      u64 key · i16 level · a list of the lowest level, then of the others upwards:
//!                  u32 number of links · u32 × most
//! ```
//!
//! Nodes don't lie at multiples of anything; they are read byte by byte, in place.

mod scalar;

use super::library::{Groups, Library, checked_ef, not_kept};
use super::reader::i64_at;
use super::{Hints, Measure, Query, SearchParams, Space};
use crate::distance;
use crate::index::Structure;
use crate::index::hnsw::{Goal, Layers, Links, WalkScratch, walk};
use crate::words::{AlignedBuffer, Bitmap, Blob, Code, Cursor, Error, Hit, Result};
use scalar::{Probe, Scalar};
use std::sync::{Mutex, PoisonError};

const MAGIC: &[u8; 7] = b"usearch";

/// Bytes of the head, and of the numbers of the graph.
const HEAD: usize = 64;
const GRAPH: usize = 40;

/// Bytes of a node before its links.
const NODE: usize = 10;

/// What a search keeps unless it says otherwise.
const DEFAULT_EF: usize = 64;

/// More levels than any graph has.
const MAX_LEVELS: usize = 64;

/// The key of a row that was removed.
const REMOVED: i64 = -1;

/// The rows and the bytes of each, as the file states them in front: their place depends on how wide the
/// numbers are.
#[derive(Debug, Clone, Copy)]
struct Matrix {
    start: usize,
    rows: usize,
    row_bytes: usize,
}

impl Matrix {
    /// With numbers of 4 bytes each, or of 8; `None` if the file is too short for that.
    fn read(start: &[u8], length: u64, wide: bool) -> Option<Self> {
        let mut cursor = Cursor::new(start, "the usearch file");
        let mut number = || if wide { cursor.size().ok() } else { cursor.u32().ok().map(|n| n as usize) };
        let (rows, row_bytes) = (number()?, number()?);
        let matrix = Matrix { start: if wide { 16 } else { 8 }, rows, row_bytes };
        let end = matrix.end()?.checked_add(HEAD + GRAPH)? as u64;
        (row_bytes > 0 && u32::try_from(rows).is_ok() && end <= length).then_some(matrix)
    }

    fn end(&self) -> Option<usize> {
        self.rows.checked_mul(self.row_bytes)?.checked_add(self.start)
    }

    /// As the head that follows shows.
    fn find(file: &[u8]) -> Option<Self> {
        [false, true]
            .into_iter()
            .filter_map(|wide| Matrix::read(file, file.len() as u64, wide))
            .find(|matrix| matrix.end().is_some_and(|end| file[end..].starts_with(MAGIC)))
    }
}

/// Whether a whole file is usearch's.
pub(super) fn is_usearch(file: &[u8]) -> bool {
    file.starts_with(MAGIC) || Matrix::find(file).is_some()
}

/// Whether a file that starts so may be usearch's: its name stands after the vectors, mostly out of sight.
pub(super) fn may_be(start: &[u8], length: Option<u64>) -> bool {
    let most = length.unwrap_or(i32::MAX as u64);
    let shown = |matrix: Matrix| match matrix.end().and_then(|end| start.get(end..end + MAGIC.len())) {
        Some(name) => name == MAGIC,
        None => true,
    };
    start.starts_with(MAGIC) || [false, true].into_iter().filter_map(|wide| Matrix::read(start, most, wide)).any(shown)
}

/// An index of usearch, in place.
#[derive(Debug)]
pub(super) struct Usearch {
    file: Blob,
    matrix: Matrix,
    scalar: Scalar,
    measure: Measure,
    dimension: usize,
    graph: Graph,
    /// The rows that weren't removed, if any was.
    alive: Option<Bitmap>,
    scratch: Mutex<WalkScratch>,
}

#[derive(Debug)]
struct Graph {
    /// Where the first node is.
    nodes: usize,
    /// Bytes of a list above the lowest level, and of one in it.
    list: usize,
    list_below: usize,
    top: usize,
    entry: u32,
    /// How many upper lists the nodes before each row have, and after the last all of them.
    uppers: Vec<u32>,
}

/// The first version known to make rows of 8 bits as they are read here, after major version 2.
const BYTES_FROM: (u16, u16) = (13, 5);

impl Usearch {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` if numbers or metric aren't read; `CORRUPT_FILE`; `INVALID_ARGUMENT` if a metric was
    /// given that isn't the file's.
    pub(super) fn open(file: AlignedBuffer, hints: &Hints) -> Result<Self> {
        if file.starts_with(MAGIC) {
            return Err(unsupported("a graph that was saved without its vectors"));
        }
        let Some(matrix) = Matrix::find(&file) else {
            return Err(Error::corrupt(
                "the usearch file is damaged or cut off: after its vectors no head of usearch's follows",
            ));
        };
        let end = matrix.start + matrix.rows * matrix.row_bytes;
        let mut cursor = Cursor::new(&file[end + MAGIC.len()..], "the head of the usearch file");
        let (major, minor, patch) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        if major != 2 {
            return Err(unsupported(&format!("a file of version {major}")));
        }
        let (metric, kind, key, slot) = (cursor.u8()?, cursor.u8()?, cursor.u8()?, cursor.u8()?);
        let (present, deleted, dimension) = (cursor.size()?, cursor.size()?, cursor.size()?);
        let old = minor < 10;
        let scalar = Scalar::of(kind, old).ok_or_else(|| unsupported(&format!("numbers of kind {kind}")))?;
        if scalar == Scalar::I8 && (minor, patch) < BYTES_FROM {
            return Err(unsupported(&format!("rows of 8 bits of 2.{minor}.{patch}, which were made in another way")));
        }
        if (key, slot) != if old { (8, 9) } else { (14, 15) } {
            return Err(unsupported(&format!("keys of kind {key} or links of kind {slot}")));
        }
        let measure = measure(metric, scalar)?;
        let shown = scalar.row_bytes(dimension) == Some(matrix.row_bytes);
        if !shown || dimension == 0 || present.checked_add(deleted) != Some(matrix.rows) {
            return Err(Error::corrupt(format!(
                "the usearch file states {present} and {deleted} removed vectors of {dimension} dimensions, but holds {} \
                 of {} bytes; it is damaged",
                matrix.rows, matrix.row_bytes
            )));
        }
        hints.check_dimension(dimension)?;
        if hints.metric.is_some_and(|hint| Some(hint) != space(measure)) {
            return Err(Error::argument(format!(
                "the usearch file's own metric is {}; leave out metric",
                measure.name()
            )));
        }
        let graph = Graph::read(&file, end + HEAD, matrix.rows)?;
        let alive = Bitmap::from_fn(matrix.rows, |row| i64_at(&file, graph.node(row)) != REMOVED);
        Ok(Usearch {
            file: Blob::from(file),
            matrix,
            scalar,
            measure,
            dimension,
            graph,
            alive: (alive.count() < matrix.rows).then_some(alive),
            scratch: Mutex::default(),
        })
    }

    fn row(&self, row: u32) -> &[u8] {
        let start = self.matrix.start + row as usize * self.matrix.row_bytes;
        &self.file[start..start + self.matrix.row_bytes]
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(Code::UnsupportedFormat, format!("{what} of usearch isn't read"))
}

fn measure(metric: u8, scalar: Scalar) -> Result<Measure> {
    Ok(match (metric, scalar) {
        (b'b', Scalar::Bits) => Measure::Hamming,
        (b't' | b'j', Scalar::Bits) => Measure::JaccardDistance,
        (b's', Scalar::Bits) => Measure::SorensenDistance,
        (b'i', _) if scalar != Scalar::Bits => Measure::IpDistance,
        (b'c', _) if scalar != Scalar::Bits => Measure::CosineDistance,
        (b'e', _) if scalar != Scalar::Bits => Measure::L2,
        _ => {
            let name = match metric {
                b'p' => "pearson",
                b'h' => "haversine",
                b'd' => "divergence",
                _ => "other",
            };
            return Err(unsupported(&format!("the metric {name} over such numbers")));
        }
    })
}

fn space(measure: Measure) -> Option<Space> {
    match measure {
        Measure::L2 => Some(Space::L2),
        Measure::IpDistance => Some(Space::Ip),
        Measure::CosineDistance => Some(Space::Cosine),
        Measure::Hamming => Some(Space::Hamming),
        _ => None,
    }
}

impl Graph {
    /// The graph that starts at `at` and ends with the file, checked as a whole.
    fn read(file: &[u8], at: usize, rows: usize) -> Result<Self> {
        let corrupt =
            |what: String| Err(Error::corrupt(format!("the graph of the usearch file {what}; it is damaged")));
        let mut cursor = Cursor::new(&file[at..], "the graph of the usearch file");
        let (count, links, links_below) = (cursor.size()?, cursor.size()?, cursor.size()?);
        let (top, entry) = (cursor.u64()?, cursor.size()?);
        let bytes = |links: usize| links.checked_mul(4)?.checked_add(4).filter(|&n| n < file.len().max(1 << 16));
        let (Some(list), Some(list_below)) = (bytes(links), bytes(links_below)) else {
            return corrupt(format!("claims {links} and {links_below} links a node"));
        };
        if count != rows {
            return corrupt(format!("has {count} nodes for {rows} vectors"));
        }
        let levels = cursor.take(2 * rows)?;
        let mut uppers = Vec::with_capacity(rows + 1);
        let mut sum = 0u32;
        for (row, level) in levels.as_chunks::<2>().0.iter().enumerate() {
            uppers.push(sum);
            let level = i16::from_le_bytes(*level);
            match u32::try_from(level).ok().filter(|&level| (level as usize) < MAX_LEVELS) {
                // Fewer rows than 2³² times fewer levels than 64 of at least 4 bytes: far from what a file has.
                Some(level) => sum = sum.saturating_add(level),
                None => return corrupt(format!("has node {row} in level {level}")),
            }
        }
        uppers.push(sum);
        let nodes = at + GRAPH + 2 * rows;
        let stated = rows
            .checked_mul(NODE + list_below)
            .and_then(|base| base.checked_add((sum as usize).checked_mul(list)?))
            .and_then(|bytes| bytes.checked_add(nodes));
        if stated != Some(file.len()) {
            return corrupt(format!("doesn't take the {} bytes that are there", file.len() - nodes));
        }
        let top = if rows == 0 { 0 } else { usize::try_from(top).unwrap_or(usize::MAX) };
        let graph = Graph { nodes, list, list_below, top, entry: u32::try_from(entry).unwrap_or(u32::MAX), uppers };
        if rows > 0 && (entry >= rows || top > graph.level(entry)) {
            return corrupt(format!("of {rows} nodes is entered at node {entry} in level {top}"));
        }
        for row in 0..rows {
            let level = graph.level(row);
            if usize::from(u16_at(file, graph.node(row) + 8)) != level {
                return corrupt(format!("has two levels for node {row}"));
            }
            for level in 0..=level {
                let links = graph.links(file, row, level);
                let Some(links) = links else { return corrupt(format!("has too many links at node {row}")) };
                let leads = |to: u32| (to as usize) < rows && level <= graph.level(to as usize);
                if let Some(to) =
                    links.as_chunks::<4>().0.iter().map(|&to| u32::from_le_bytes(to)).find(|&to| !leads(to))
                {
                    return corrupt(format!("has a link from node {row} to node {to} in level {level}"));
                }
            }
        }
        Ok(graph)
    }

    fn level(&self, row: usize) -> usize {
        (self.uppers[row + 1] - self.uppers[row]) as usize
    }

    /// Where a node is.
    #[inline]
    fn node(&self, row: usize) -> usize {
        self.nodes + row * (NODE + self.list_below) + self.uppers[row] as usize * self.list
    }

    /// The bytes of a node's links in a level that it reaches; `None` if they don't fit their list.
    #[inline]
    fn links<'a>(&self, file: &'a [u8], row: usize, level: usize) -> Option<&'a [u8]> {
        let node = self.node(row) + NODE;
        let (start, bytes) = match level {
            0 => (node, self.list_below),
            _ => (node + self.list_below + (level - 1) * self.list, self.list),
        };
        let list = &file[start..start + bytes];
        let number = u32::from_le_bytes([list[0], list[1], list[2], list[3]]) as usize;
        list[4..].get(..number.checked_mul(4)?)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

impl Links for Usearch {
    fn entry(&self) -> Option<(u32, usize)> {
        (self.matrix.rows > 0).then_some((self.graph.entry, self.graph.top))
    }

    #[inline]
    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
        if layer > self.graph.level(row as usize) {
            return;
        }
        let links = self.graph.links(&self.file, row as usize, layer).unwrap_or_default();
        links.as_chunks::<4>().0.iter().map(|&to| u32::from_le_bytes(to)).for_each(visit);
    }
}

impl Library for Usearch {
    fn index_type(&self) -> String {
        format!("HNSW, {} (M {}, {} levels)", self.scalar.name(), (self.graph.list - 4) / 4, self.graph.top + 1)
    }

    fn count(&self) -> usize {
        self.matrix.rows
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn is_binary(&self) -> bool {
        self.scalar == Scalar::Bits
    }

    fn measure(&self) -> Measure {
        self.measure
    }

    fn id(&self, row: u32) -> i64 {
        i64_at(&self.file, self.graph.node(row as usize))
    }

    /// As its numbers keep it: 8-bit ones are those of the vector at length 127; a bit as 0 or 1.
    fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        self.scalar.decode(self.row(row), out);
        true
    }

    fn alive(&self) -> Option<Bitmap> {
        self.alive.clone()
    }

    fn groups(&self) -> Option<Groups> {
        let above = self.graph.uppers.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        Some(Groups::of_levels(self.matrix.rows, self.graph.top, above))
    }

    fn structure(&self) -> Result<Structure> {
        match (&self.alive, self.scalar) {
            (None, Scalar::F32) => Layers::of(self, self.matrix.rows).map(Structure::Graph),
            (Some(alive), _) => {
                Err(not_kept(format!("its graph leads through {} removed rows", self.count() - alive.count())))
            }
            (None, scalar) => Err(not_kept(format!("queries are rounded to {}, as its rows are", scalar.name()))),
        }
    }

    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        let probe = Probe::new(self.scalar, self.measure, query, self.dimension)?;
        let ef = checked_ef(params.ef, DEFAULT_EF)?.max(params.limit).min(self.matrix.rows);
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
        let compared = (|row: u32| probe.distance(self.row(row)), |row: u32| distance::touch(self.row(row)));
        walk(self, self.matrix.rows, &goal, &compared, &mut scratch);
        let mut hits = Vec::with_capacity(scratch.found.len());
        scratch.found.drain_sorted(&mut hits);
        *lock() = scratch;
        hits.truncate(params.limit);
        Ok(hits)
    }
}

//! Graphs of the crate `instant-distance` as `bincode` 1 writes what serde makes of `Hnsw` and
//! `HnswMap` (feature `with-serde`).
//!
//! Read and searched as in `src/lib.rs` and `src/types.rs` of
//! <https://github.com/instant-labs/instant-distance> (0.6.1, MIT or Apache 2.0 licence):
//!
//! ```text
//! u64          the ef of searches
//! u64, points  each a vector, whose length as u64 stands before it, or an array of floats, without
//! u64, nodes   for each point 64 × u32: the points that it links to in the lowest layer, then u32::MAX
//! u64, layers  from the second lowest up, each u64 and as many nodes of 32 × u32
//! u64, values  of a map: one for each point; of 4 or 8 bytes each they are ids, others are passed over
//! ```
//!
//! Points are in the order of their layers: a layer has the first so many of them, and a search starts
//! at the first. Numbers lie at multiples of 4, so nothing is copied. How points are compared is the
//! program's that wrote the file: the metric is a hint.

use super::library::{Groups, Library, checked_ef};
use super::reader::i64_at;
use super::{Hints, Measure, Query, SearchParams, Space};
use crate::distance;
use crate::index::Structure;
use crate::index::hnsw::{Distances, Goal, Layers, Links, WalkScratch, walk};
use crate::words::bytes::{Number, as_bytes, cast};
use crate::words::{AlignedBuffer, Bitmap, Blob, Code, Error, Hit, MatrixView, Result};
use std::sync::{Mutex, PoisonError};

/// Links of a node in the lowest layer, and above it.
const LINKS_BELOW: usize = 64;
const LINKS: usize = 32;

/// Stands where a node has no more links.
const NOBODY: u32 = u32::MAX;

/// More layers than any graph has; they are drawn from an exponential distribution.
const MAX_LAYERS: usize = 64;

/// No search keeps more candidates.
const MAX_EF: usize = 1 << 24;

/// What points are called apart from their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Numbers,
    /// Whole numbers of so many bytes from there on.
    Values {
        start: usize,
        bytes: usize,
    },
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    ef: usize,
    count: usize,
    dimension: usize,
    /// The first float of the first point, and how many bytes further that of the next is.
    points: usize,
    stride: usize,
    below: usize,
    /// Of each layer above the lowest: its first node, and how many there are.
    layers: Vec<(usize, usize)>,
    ids: Ids,
}

fn size_at(file: &[u8], at: usize) -> Option<usize> {
    let bytes = file.get(at..at.checked_add(8)?)?;
    usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

/// The head of a file that may be one: the ef and the number of points.
fn head(start: &[u8], length: u64) -> Option<(usize, usize)> {
    let (ef, count) = (size_at(start, 0)?, size_at(start, 8)?);
    let least = count.checked_mul(4 + 4 * LINKS_BELOW)?.checked_add(32)? as u64;
    (ef > 0 && ef <= MAX_EF && count > 0 && u32::try_from(count).is_ok() && least <= length).then_some((ef, count))
}

/// Whether a file that starts so, of `length` bytes, may be one.
pub(super) fn may_be(start: &[u8], length: Option<u64>) -> bool {
    is_json(start) || length.is_some_and(|length| head(start, length).is_some())
}

/// Whether a file that starts so is what `serde_json` writes of a graph, or of a map.
fn is_json(start: &[u8]) -> bool {
    start.starts_with(b"{\"ef_search\"") || start.starts_with(b"{\"hnsw\"")
}

/// Whether the file, all of it, has the shape of one.
pub(super) fn is_instant_distance(file: &[u8]) -> bool {
    is_json(file) || shape(file, None).is_some()
}

/// The only shape that fits the file, of points of this dimension if it is known.
fn shape(file: &[u8], dimension: Option<usize>) -> Option<Shape> {
    let (ef, count) = head(file, file.len() as u64)?;
    let most = MatrixView::MAX_DIMENSION;
    // Points with their length before them say how long they are.
    if let Some(own) = size_at(file, 16).filter(|own| (1..=most).contains(own) && dimension.is_none_or(|d| d == *own)) {
        let shape = with_points(file, ef, count, own, 24, 4 * own + 8);
        if shape.is_some() {
            return shape;
        }
    }
    let bytes = (file.len() - 16) / count / 4;
    let dimensions = dimension.map_or(1..=most.min(bytes), |d| d..=d);
    dimensions.into_iter().find_map(|dimension| with_points(file, ef, count, dimension, 16, 4 * dimension))
}

/// The shape of a file with such points, if all of it fits.
fn with_points(file: &[u8], ef: usize, count: usize, dimension: usize, points: usize, stride: usize) -> Option<Shape> {
    let end = count.checked_mul(stride)?.checked_add(16)?;
    if size_at(file, end)? != count {
        return None;
    }
    let below = end + 8;
    let mut at = below.checked_add(count.checked_mul(4 * LINKS_BELOW)?)?;
    let number = size_at(file, at).filter(|&number| number <= MAX_LAYERS)?;
    at += 8;
    let mut layers = Vec::with_capacity(number);
    let mut least = count;
    for _ in 0..number {
        // The layers above have some of the points of those below.
        let nodes = size_at(file, at).filter(|&nodes| nodes > 0 && nodes <= least)?;
        layers.push((at + 8, nodes));
        least = nodes;
        at = (at + 8).checked_add(nodes.checked_mul(4 * LINKS)?)?;
    }
    let ids = match file.len().checked_sub(at)? {
        0 => Ids::Numbers,
        _ if size_at(file, at)? != count => return None,
        left => match (left - 8) / count {
            bytes @ (4 | 8) if bytes * count == left - 8 => Ids::Values { start: at + 8, bytes },
            _ => Ids::Numbers,
        },
    };
    // Each point with a length must state the same.
    let stated = |row: usize| size_at(file, 16 + row * stride) == Some(dimension);
    let alike = points == 16 || (0..count).all(stated);
    alike.then_some(Shape { ef, count, dimension, points, stride, below, layers, ids })
}

/// A graph of `instant-distance`, in place.
#[derive(Debug)]
pub(super) struct InstantDistance {
    file: Blob,
    shape: Shape,
    measure: Measure,
    scratch: Mutex<WalkScratch>,
}

impl InstantDistance {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `CORRUPT_FILE`; `INVALID_ARGUMENT` if the metric wasn't given or isn't one of floats.
    pub(super) fn open(file: AlignedBuffer, hints: &Hints) -> Result<Self> {
        if file.first() == Some(&b'{') {
            return Err(Error::new(
                Code::UnsupportedFormat,
                "a graph of instant-distance as JSON is read by `elanus convert` alone; bring it here as .elanus or bincode 1",
            ));
        }
        let Some(shape) = shape(&file, hints.dimension) else {
            return Err(Error::corrupt(
                "the file isn't what bincode 1 writes of an Hnsw or HnswMap of instant-distance over vectors or arrays of \
                 32-bit floats; it is damaged, cut off, of other points, or not of the dimension that was given",
            ));
        };
        check(&file, &shape)?;
        let measure = match hints.metric {
            Some(Space::L2) => Measure::L2,
            Some(Space::Ip) => Measure::IpDistance,
            Some(Space::Cosine) => Measure::CosineDistance,
            Some(Space::L1) => Measure::L1,
            Some(Space::Hamming) => {
                return Err(Error::argument("points of instant-distance are floats here; their metric isn't HAMMING"));
            }
            None => {
                return Err(Error::argument(format!(
                    "this is a graph of instant-distance over {} points of {} dimensions, and such a file doesn't say how \
                     its program compared them; give the metric: L2, IP, COSINE or L1",
                    shape.count, shape.dimension
                )));
            }
        };
        Ok(InstantDistance { file: Blob::from(file), shape, measure, scratch: Mutex::default() })
    }

    fn graph(&self) -> Graph<'_> {
        Graph { file: &self.file, shape: &self.shape }
    }

    fn point(&self, row: u32) -> &[f32] {
        numbers(&self.file, self.shape.points + row as usize * self.shape.stride, self.shape.dimension)
    }
}

/// Numbers of 4 bytes; their place is a multiple of 4.
#[inline]
fn numbers<T: Number>(file: &[u8], at: usize, count: usize) -> &[T] {
    cast(&file[at..at + 4 * count]).unwrap_or_default()
}

/// Follows every link.
fn check(file: &[u8], shape: &Shape) -> Result<()> {
    let below = (shape.below, shape.count, LINKS_BELOW);
    let above = shape.layers.iter().map(|&(start, nodes)| (start, nodes, LINKS));
    for (layer, (start, nodes, links)) in std::iter::once(below).chain(above).enumerate() {
        let ends: &[u32] = numbers(file, start, nodes * links);
        let bad = ends.chunks_exact(links).enumerate().find_map(|(row, ends)| {
            let own = ends.iter().take_while(|&&to| to != NOBODY);
            own.copied().find(|&to| to as usize >= nodes).map(|to| (row, to))
        });
        if let Some((row, to)) = bad {
            return Err(Error::corrupt(format!(
                "the instant-distance file has a link from point {row} to point {to} in layer {layer}, which has {nodes}; it \
                 is damaged"
            )));
        }
    }
    Ok(())
}

struct Graph<'a> {
    file: &'a [u8],
    shape: &'a Shape,
}

impl Links for Graph<'_> {
    fn entry(&self) -> Option<(u32, usize)> {
        Some((0, self.shape.layers.len()))
    }

    #[inline]
    fn each(&self, layer: usize, row: u32, visit: impl FnMut(u32)) {
        let (start, nodes, links) = match layer.checked_sub(1) {
            None => (self.shape.below, self.shape.count, LINKS_BELOW),
            Some(above) => match self.shape.layers.get(above) {
                Some(&(start, nodes)) => (start, nodes, LINKS),
                None => return,
            },
        };
        if (row as usize) < nodes {
            let ends: &[u32] = numbers(self.file, start + row as usize * 4 * links, links);
            ends.iter().copied().take_while(|&to| to != NOBODY).for_each(visit);
        }
    }
}

struct Points<'a> {
    index: &'a InstantDistance,
    query: &'a [f32],
}

impl Distances for Points<'_> {
    #[inline]
    fn touch(&self, row: u32) {
        distance::touch(as_bytes(self.index.point(row)));
    }

    #[inline]
    fn one(&self, row: u32) -> f32 {
        self.index.measure.between(self.query, self.index.point(row))
    }

    fn all(&self, rows: &[u32], out: &mut Vec<f32>) {
        let (fours, rest) = rows.as_chunks::<4>();
        for four in fours {
            let points = four.map(|row| self.index.point(row));
            out.extend(match self.index.measure {
                Measure::L2 => distance::l2_4(self.query, points),
                Measure::IpDistance => distance::dot_4(self.query, points).map(|product| 1.0 - product),
                _ => four.map(|row| self.one(row)),
            });
        }
        out.extend(rest.iter().map(|&row| self.one(row)));
    }
}

impl Library for InstantDistance {
    fn index_type(&self) -> String {
        let kind = if self.shape.ids == Ids::Numbers { "Hnsw" } else { "HnswMap" };
        format!("{kind} (M {LINKS}, {} levels)", self.shape.layers.len() + 1)
    }

    fn count(&self) -> usize {
        self.shape.count
    }

    fn dimension(&self) -> usize {
        self.shape.dimension
    }

    fn measure(&self) -> Measure {
        self.measure
    }

    fn id(&self, row: u32) -> i64 {
        match self.shape.ids {
            Ids::Numbers => i64::from(row),
            Ids::Values { start, bytes: 8 } => i64_at(&self.file, start + 8 * row as usize),
            Ids::Values { start, .. } => i64::from(numbers::<u32>(&self.file, start + 4 * row as usize, 1)[0]),
        }
    }

    fn vector(&self, row: u32, out: &mut [f32]) -> bool {
        out.copy_from_slice(self.point(row));
        true
    }

    fn groups(&self) -> Option<Groups> {
        let above = self.shape.layers.iter().map(|&(_, nodes)| nodes);
        Some(Groups::Levels(std::iter::once(self.shape.count).chain(above).collect()))
    }

    fn structure(&self) -> Result<Structure> {
        Layers::of(&self.graph(), self.shape.count).map(Structure::Graph)
    }

    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
        let query = query.floats(self.shape.dimension)?;
        let ef = checked_ef(params.ef, self.shape.ef)?.min(self.shape.count);
        let lock = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = std::mem::take(&mut *lock());
        let goal = Goal { ef, allow, hidden: None, budget: usize::MAX };
        walk(&self.graph(), self.shape.count, &goal, &Points { index: self, query }, &mut scratch);
        let mut hits = Vec::with_capacity(scratch.found.len());
        scratch.found.drain_sorted(&mut hits);
        *lock() = scratch;
        hits.truncate(params.limit);
        Ok(hits)
    }
}

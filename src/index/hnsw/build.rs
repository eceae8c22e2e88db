//! Builds the graph with `instant-distance`: the one file that names it.
//!
//! Its *M* is fixed at 32, so a row has up to 64 links in the lowest layer. Insertion takes locks
//! and its result depends on how threads interleave; one thread makes it repeatable, and is what
//! the build pays for giving the same bytes each time. Two builds agree on machines with the same
//! word size: the crate's generator (rand's `SmallRng`) draws other numbers on 32 bits than on 64.

use super::extract::Fields;
use super::graph::Layer;
use crate::index::params::Progress;
use crate::index::rows::distance;
use crate::words::bytes::as_bytes;
use crate::words::{Error, MatrixView, Metric, Result};
use instant_distance::{Builder, Point};
use serde::{Serialize, Serializer};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// 1 / ln 32, the paper's choice of mL for this M. Spelled out, because a logarithm's last bit may
/// differ between machines.
const ML: f32 = 0.288_539_02;

/// A layer is kept if it is at least so many times smaller than the kept one below it. The crate's
/// layers shrink by 3.5 from one to the next; a walk descends as well through fewer of them, and
/// the links of the others would be a sixth of the file.
const SHRINK: usize = 16;

/// How many duplicates a row leads to directly; they lead to the next ones.
const DUPLICATES_PER_ROW: usize = 32;

/// Rows inserted between two calls of the progress function.
const PROGRESS_STEP: usize = 256;

/// What all points share.
struct Shared<'a> {
    rows: MatrixView<'a>,
    metric: Metric,
    seen: Vec<AtomicBool>,
    inserted: AtomicUsize,
    progress: Progress<'a>,
}

/// A row, by its number: the crate wants to own its points.
#[derive(Clone)]
struct Handle<'a> {
    row: u32,
    shared: &'a Shared<'a>,
}

impl Point for Handle<'_> {
    fn distance(&self, other: &Self) -> f32 {
        self.shared.note(self.row);
        let row = |handle: &Self| self.shared.rows.row(handle.row as usize);
        distance(self.shared.metric, row(self), row(other))
    }
}

impl Serialize for Handle<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.row)
    }
}

impl Shared<'_> {
    /// The crate only shows its progress on a terminal. But it compares no row with others before
    /// the row's turn to be inserted has come, so the rows that have been compared tell how far it is.
    fn note(&self, row: u32) {
        let seen = &self.seen[row as usize];
        if !seen.load(Ordering::Relaxed) && !seen.swap(true, Ordering::Relaxed) {
            let inserted = self.inserted.fetch_add(1, Ordering::Relaxed) + 1;
            if inserted.is_multiple_of(PROGRESS_STEP) {
                (self.progress)(inserted, self.rows.rows());
            }
        }
    }
}

/// The layers of a graph over rows in stored form, lowest first, and the row where a walk enters.
pub(super) fn build(
    rows: MatrixView<'_>,
    metric: Metric,
    ef_construction: usize,
    seed: u64,
    progress: Progress<'_>,
) -> Result<(u32, Vec<Layer>)> {
    if rows.rows() == 0 {
        return Ok((0, Vec::new()));
    }
    let shared = Shared {
        rows,
        metric,
        seen: (0..rows.rows()).map(|_| AtomicBool::new(false)).collect(),
        inserted: AtomicUsize::new(0),
        progress,
    };
    let (distinct, duplicates) = split_duplicates(rows);
    let points = distinct.into_iter().map(|row| Handle { row, shared: &shared }).collect();
    let builder = Builder::default().ef_construction(ef_construction).ml(ML).seed(seed);
    let mut fields = on_one_thread(|| Fields::of(&builder.build_hnsw(points).0))?
        .map_err(|e| Error::argument(format!("this version of instant-distance can't be read: {e}")))?;
    let mut take =
        |name| fields.take(name).ok_or_else(|| Error::argument(format!("this instant-distance has no field {name:?}")));
    let (points, zero, upper) = (take("points")?.values, take("zero")?.values, take("layers")?);
    progress(rows.rows(), rows.rows());

    // Points are renumbered: number i is row points[i], and a layer holds the first of them.
    let mut layers = vec![layer(&points, &zero, &duplicates)];
    let (mut links, mut below) = (upper.values.as_slice(), points.len());
    // The first length is the number of layers.
    for &nodes in upper.lengths.iter().skip(1) {
        let (own, rest) = links.split_at(nodes * UPPER_LINKS);
        links = rest;
        if nodes * SHRINK <= below {
            layers.push(layer(&points[..nodes], own, &HashMap::new()));
            below = nodes;
        }
    }
    Ok((points[0], layers))
}

/// Links of a node above the lowest layer, used or not.
const UPPER_LINKS: usize = 32;

/// Rows that lead to equal rows, and to which.
type Duplicates = HashMap<u32, Vec<u32>>;

/// The rows without those that equal an earlier one, and who leads to the latter. Inserted like
/// others, more equal rows than a node has links would link to each other only, and no walk would
/// come to them from elsewhere.
fn split_duplicates(rows: MatrixView<'_>) -> (Vec<u32>, Duplicates) {
    let mut groups: HashMap<&[u8], Vec<u32>> = HashMap::new();
    let mut distinct = Vec::new();
    let mut duplicates = Duplicates::new();
    for (row, vector) in (0u32..).zip(rows.iter()) {
        let group = groups.entry(as_bytes(vector)).or_default();
        match group.len().checked_sub(1) {
            None => distinct.push(row),
            Some(earlier) => duplicates.entry(group[earlier / DUPLICATES_PER_ROW]).or_default().push(row),
        }
        group.push(row);
    }
    (distinct, duplicates)
}

/// A layer of these points, by row. Each has as many of the links as the next, used or not.
fn layer(points: &[u32], links: &[u32], duplicates: &Duplicates) -> Layer {
    let degree = links.len() / points.len();
    let linked = points.iter().zip(links.chunks(degree));
    let mut nodes: Vec<(u32, &[u32])> = linked.map(|(&row, links)| (row, links)).collect();
    nodes.extend(duplicates.values().flatten().map(|&row| (row, &[][..])));
    nodes.sort_unstable();
    let mut layer = Layer::default();
    for (row, links) in nodes {
        // Unused links are u32::MAX, and no point has that number.
        let links = links.iter().filter_map(|&link| points.get(link as usize));
        layer.push(row, links.chain(duplicates.get(&row).into_iter().flatten()).copied());
    }
    layer
}

#[cfg(not(target_arch = "wasm32"))]
fn on_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| Error::new(crate::words::Code::OutOfMemory, format!("no thread could be had: {e}")))?;
    Ok(pool.install(work))
}

/// There is but one.
#[cfg(target_arch = "wasm32")]
fn on_one_thread<T>(work: impl FnOnce() -> T) -> Result<T> {
    Ok(work())
}

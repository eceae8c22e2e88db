//! Writes Faiss's files as `write_index` does: `IndexFlat`, `IndexIVFFlat` and `IndexHNSWFlat`, the
//! first and the last behind an `IndexIDMap2` if rows have ids. `foreign/faiss/` has the layouts.

use super::hnswlib::unit;
use super::{Head, Parts, Sink};
use crate::index::hnsw::Layers;
use crate::index::{Partition, Structure};
use crate::words::bytes::as_bytes;
use crate::words::{Code, Error, Metric, Result};

/// Two numbers that mean nothing, which Faiss writes into each head.
const MEANS_NOTHING: usize = 1 << 20;

/// What Faiss notes for later insertions and searches unless told otherwise.
const EF_CONSTRUCTION: i32 = 40;
const EF_SEARCH: i32 = 16;

/// Vectors that are handed on at once.
const AT_ONCE: usize = 256;

/// Gives a Faiss file with the same arrangement to `sink`. Faiss has no cosine: rows are brought to
/// length 1 and compared by inner product, and so must queries be.
///
/// # Errors
/// `UNSUPPORTED_FORMAT` if what there is can't be kept so; then what `sink` says.
pub fn faiss<E: From<Error>>(parts: &Parts, sink: &mut Sink<'_, E>) -> std::result::Result<(), E> {
    let structure = parts.structure.as_ref().map_err(Clone::clone)?;
    let ids = parts.ids()?;
    if i32::try_from(parts.rows()).is_err() {
        return Err(Error::new(Code::UnsupportedFormat, "Faiss numbers rows with 31 bits; there are more").into());
    }
    let tag: &[u8; 4] = if parts.metric == Metric::L2 { b"IxF2" } else { b"IxFI" };
    match structure {
        Structure::Flat => {
            let inner = |sink: &mut Sink<'_, E>| flat(parts, tag, sink);
            mapped(parts, ids, sink, inner)
        }
        Structure::Graph(layers) => {
            let graph = graph(layers)?;
            let inner = |sink: &mut Sink<'_, E>| {
                sink(&common(&mut Head::default(), b"IHNf", parts).0)?;
                sink(&graph)?;
                flat(parts, tag, sink)
            };
            mapped(parts, ids, sink, inner)
        }
        Structure::Lists(Partition { sizes, order, centroids, .. }) => {
            let mut head = Head::default();
            common(&mut head, b"IwFl", parts).u64(sizes.len()).u64(1);
            // Lists for cosines are chosen by the distance of vectors at length 1.
            let finds: (&[u8; 4], _) = if parts.metric == Metric::Ip { (tag, false) } else { (b"IxF2", true) };
            start(&mut head, finds.0, parts.dimension, sizes.len(), finds.1).u64(centroids.len());
            sink(&head.0)?;
            sink(as_bytes(centroids))?;
            head.0.clear();
            // No direct map; then the lists.
            head.bytes(&[0]).u64(0).bytes(b"ilar").u64(sizes.len()).u64(4 * parts.dimension);
            head.bytes(b"full").u64(sizes.len());
            for &size in sizes {
                head.u64(size);
            }
            sink(&head.0)?;
            let mut left = &order[..];
            for &size in sizes {
                let (list, rest) = left.split_at(size);
                left = rest;
                rows(parts, list.iter().map(|&row| row as usize), sink)?;
                let id = |&row: &u32| ids.map_or(i64::from(row), |ids| ids[row as usize]);
                sink(&list.iter().flat_map(|row| id(row).to_le_bytes()).collect::<Vec<_>>())?;
            }
            Ok(())
        }
    }
}

/// What an index of the parts starts with.
fn common<'a>(head: &'a mut Head, tag: &[u8; 4], parts: &Parts) -> &'a mut Head {
    start(head, tag, parts.dimension, parts.rows(), parts.metric == Metric::L2)
}

/// What every index starts with; one that isn't for L2 is for the inner product.
fn start<'a>(head: &'a mut Head, tag: &[u8; 4], dimension: usize, count: usize, l2: bool) -> &'a mut Head {
    head.bytes(tag).i32(dimension as i32).u64(count).u64(MEANS_NOTHING).u64(MEANS_NOTHING);
    // Trained, and the metric.
    head.bytes(&[1]).i32(l2.into())
}

/// The index inside, behind a map of ids if there are some.
fn mapped<E>(
    parts: &Parts,
    ids: Option<&[i64]>,
    sink: &mut Sink<'_, E>,
    inner: impl FnOnce(&mut Sink<'_, E>) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let Some(ids) = ids else { return inner(sink) };
    sink(&common(&mut Head::default(), b"IxM2", parts).0)?;
    inner(sink)?;
    sink(&ids.len().to_le_bytes())?;
    sink(as_bytes(ids))
}

fn flat<E>(parts: &Parts, tag: &[u8; 4], sink: &mut Sink<'_, E>) -> std::result::Result<(), E> {
    sink(&common(&mut Head::default(), tag, parts).u64(parts.vectors.len()).0)?;
    rows(parts, 0..parts.rows(), sink)
}

fn rows<E>(parts: &Parts, rows: impl Iterator<Item = usize>, sink: &mut Sink<'_, E>) -> std::result::Result<(), E> {
    let mut some: Vec<f32> = Vec::with_capacity(AT_ONCE * parts.dimension);
    for row in rows {
        let vector = &parts.vectors[row * parts.dimension..(row + 1) * parts.dimension];
        let scale = if parts.metric == Metric::Cosine { unit(vector) } else { 1.0 };
        some.extend(vector.iter().map(|x| x * scale));
        if some.len() >= AT_ONCE * parts.dimension {
            sink(as_bytes(&some))?;
            some.clear();
        }
    }
    sink(as_bytes(&some))
}

/// The graph as `write_HNSW` lays it out.
fn graph(layers: &Layers) -> Result<Vec<u8>> {
    let (lowest, upper) = layers.most_links();
    let m = upper.max(lowest.div_ceil(2)).max(2);
    let heights = layers.heights();
    let levels = layers.layers.len().max(1);
    let mut head = Head::default();
    // How probable each level is: of use to insertions only. mL is 1 / ln M, as it is there.
    let scale = 1.0 / (m as f64).ln();
    let probability = |level: usize| (-(level as f64) / scale).exp() * (1.0 - (-1.0 / scale).exp());
    head.u64(levels);
    for level in 0..levels {
        head.bytes(&probability(level).to_le_bytes());
    }
    // Slots below each level: twice as many in the lowest.
    let slots = |level: usize| if level == 0 { 0 } else { (level + 1) * m };
    head.u64(levels + 1);
    for level in 0..=levels {
        let slots = i32::try_from(slots(level)).map_err(|_| {
            Error::new(Code::UnsupportedFormat, format!("a node of the graph has {lowest} links, too many for Faiss"))
        })?;
        head.i32(slots);
    }
    head.u64(heights.len());
    for &height in &heights {
        head.i32(height as i32);
    }
    head.u64(heights.len() + 1).u64(0);
    let mut end = 0;
    for &height in &heights {
        end += slots(height);
        head.u64(end);
    }
    head.u64(end);
    head.0.reserve(4 * end);
    let mut nodes: Vec<_> = layers.layers.iter().map(|layer| layer.nodes().peekable()).collect();
    for (row, &height) in (0u32..).zip(&heights) {
        for (level, layer) in nodes[..height].iter_mut().enumerate() {
            let links = layer.next_if(|&(node, _)| node == row).map_or(&[][..], |(_, links)| links);
            head.bytes(as_bytes(links));
            let empty = slots(level + 1) - slots(level) - links.len();
            for _ in 0..empty {
                head.i32(-1);
            }
        }
    }
    let entry = if heights.is_empty() { -1 } else { layers.entry as i32 };
    // The last number means nothing any more.
    head.i32(entry).i32(layers.layers.len() as i32 - 1).i32(EF_CONSTRUCTION).i32(EF_SEARCH).i32(1);
    Ok(head.0)
}

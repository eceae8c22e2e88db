//! Writes a graph as hnswlib does with `saveIndex`; `foreign/hnswlib.rs` has the layout.

use super::{Head, Parts, Sink};
use crate::index::Structure;
use crate::index::hnsw::{Layer, Layers};
use crate::words::bytes::as_bytes;
use crate::words::{Code, Error, Metric, Result};

/// What hnswlib notes for later insertions unless told otherwise.
const EF_CONSTRUCTION: usize = 200;

/// Gives an hnswlib file of the graph to `sink`. Its space is the metric's: `l2`, `ip` or `cosine`.
///
/// # Errors
/// `UNSUPPORTED_FORMAT` if there is no graph, or what there is can't be kept so; then what `sink` says.
pub fn hnswlib<E: From<Error>>(parts: &Parts, sink: &mut Sink<'_, E>) -> std::result::Result<(), E> {
    let layers = match &parts.structure {
        Ok(Structure::Graph(layers)) => layers,
        Ok(_) => {
            return Err(Error::new(
                Code::UnsupportedFormat,
                "an hnswlib file is a graph, and there is none to write; index the vectors anew as HNSW first",
            )
            .into());
        }
        Err(why) => return Err(why.clone().into()),
    };
    let ids = parts.ids()?;
    let shape = Shape::of(parts, layers)?;
    let label = 4 + 4 * shape.most_links_below + 4 * parts.dimension;
    let mut head = Head::default();
    head.u64(0).u64(parts.rows()).u64(parts.rows()).u64(label + 8).u64(label).u64(4 + 4 * shape.most_links_below);
    head.i32(layers.layers.len() as i32 - 1).bytes(&layers.entry.to_le_bytes());
    head.u64(shape.m).u64(shape.most_links_below).u64(shape.m);
    head.bytes(&(1.0 / (shape.m as f64).ln()).to_le_bytes()).u64(EF_CONSTRUCTION);
    sink(&head.0)?;

    let mut record = Vec::with_capacity(label + 8);
    let lowest = layers.layers.first().into_iter().flat_map(Layer::nodes);
    for ((row, links), vector) in lowest.zip(parts.vectors.chunks_exact(parts.dimension)) {
        record.clear();
        list(links, shape.most_links_below, &mut record);
        let scale = match parts.metric {
            Metric::Cosine => unit(vector),
            _ => 1.0,
        };
        vector.iter().for_each(|x| record.extend((x * scale).to_le_bytes()));
        let id = ids.map_or(i64::from(row), |ids| ids[row as usize]);
        record.extend(id.to_le_bytes());
        sink(&record)?;
    }

    let mut upper: Vec<_> = layers.layers.iter().skip(1).map(|layer| layer.nodes().peekable()).collect();
    for (row, height) in (0u32..).zip(layers.heights()) {
        record.clear();
        record.extend(((height as u32 - 1) * (4 + 4 * shape.m as u32)).to_le_bytes());
        for layer in &mut upper[..height - 1] {
            if let Some((_, links)) = layer.next_if(|&(node, _)| node == row) {
                list(links, shape.m, &mut record);
            }
        }
        sink(&record)?;
    }
    Ok(())
}

struct Shape {
    m: usize,
    most_links_below: usize,
}

impl Shape {
    /// The least M that has room for all links: hnswlib has twice as many in the lowest level.
    fn of(parts: &Parts, layers: &Layers) -> Result<Self> {
        let (lowest, upper) = layers.most_links();
        let m = upper.max(lowest.div_ceil(2)).max(2);
        if 2 * m > usize::from(u16::MAX) || parts.rows() != layers.heights().len() {
            return Err(Error::new(
                Code::UnsupportedFormat,
                format!("a graph of {} rows with up to {lowest} links can't be one of hnswlib", parts.rows()),
            ));
        }
        Ok(Shape { m, most_links_below: 2 * m })
    }
}

/// A number of links, the links, and the room that is left.
fn list(links: &[u32], room: usize, out: &mut Vec<u8>) {
    out.extend((links.len() as u32).to_le_bytes());
    out.extend_from_slice(as_bytes(links));
    out.resize(out.len() + 4 * (room - links.len()), 0);
}

/// What brings a vector to length 1, unless it is there or zero.
pub(super) fn unit(vector: &[f32]) -> f32 {
    let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if square == 0.0 || (square - 1.0).abs() < 1e-6 { 1.0 } else { (1.0 / square.sqrt()) as f32 }
}

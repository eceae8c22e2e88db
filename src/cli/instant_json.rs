//! Graphs of `instant-distance` as `serde_json` writes them, put as bincode would have written them: the
//! reader of those checks and searches them.
//!
//! ```text
//! {"ef_search": 100, "points": [[0.5, …], …], "zero": [[1, …, 4294967295], …], "layers": [[[1, …], …], …]}
//! {"hnsw": {…}, "values": […]}
//! ```
//!
//! A point is a list of numbers, or an object whose only field is one.

use elanus::words::{AlignedBuffer, Error, MatrixView, Result};
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

/// Links of a node in the lowest layer, and above it.
const LINKS_BELOW: usize = 64;
const LINKS: usize = 32;

/// No graph has more layers.
const MAX_LAYERS: usize = 64;

/// No search keeps more candidates.
const MAX_EF: u64 = 1 << 24;

/// Whether a file that starts so is one.
pub fn is_graph(start: &[u8]) -> bool {
    let field = start.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start).unwrap_or_default();
    field.starts_with(b"\"ef_search\"") || is_map(start)
}

fn is_map(start: &[u8]) -> bool {
    let field = start.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start).unwrap_or_default();
    field.starts_with(b"\"hnsw\"")
}

/// The file as bincode would have it. `start` is how it begins.
///
/// # Errors
/// `CORRUPT_FILE`, `OUT_OF_MEMORY`.
pub fn to_bincode(start: &[u8], reader: impl Read) -> Result<AlignedBuffer> {
    let wrong = |e: serde_json::Error| {
        Error::corrupt(format!(
            "this is no graph of instant-distance over lists of numbers, as serde_json writes it: {e}"
        ))
    };
    let map = match is_map(start) {
        true => serde_json::from_reader(reader).map_err(wrong)?,
        false => Map { hnsw: serde_json::from_reader(reader).map_err(wrong)?, values: None },
    };
    let Map { hnsw, values } = map;
    let (count, dimension) = (hnsw.points.count, hnsw.points.length);
    let damaged = |what: String| Err(Error::corrupt(format!("the graph of instant-distance {what}; it is damaged")));
    if count == 0 || !(1..=MatrixView::MAX_DIMENSION).contains(&dimension) {
        return damaged(format!("has {count} points of {dimension} dimensions"));
    }
    if !(1..=MAX_EF).contains(&hnsw.ef_search) || hnsw.layers.len() > MAX_LAYERS {
        return damaged(format!("states ef_search {} and {} layers", hnsw.ef_search, hnsw.layers.len()));
    }
    let layers = std::iter::once((&hnsw.zero, LINKS_BELOW)).chain(hnsw.layers.iter().map(|layer| (layer, LINKS)));
    let mut above = count;
    for (number, (layer, links)) in layers.enumerate() {
        let fits = if number == 0 { layer.count == count } else { (1..=above).contains(&layer.count) };
        if !fits || layer.length != links {
            return damaged(format!(
                "has {} nodes of {} links in layer {number}, where {links} links each and {} {above} nodes were expected",
                layer.count,
                layer.length,
                if number == 0 { "exactly" } else { "at most" },
            ));
        }
        above = layer.count;
    }
    if let Some(values) = values.as_ref().filter(|values| values.count != count) {
        return damaged(format!("has {} values for {count} points", values.count));
    }

    let head = |number: usize| (number as u64).to_le_bytes();
    let length = head(dimension);
    let mut parts: Vec<&[u8]> = Vec::with_capacity(2 * count + 8);
    let (ef, count_bytes, layer_count) = (hnsw.ef_search.to_le_bytes(), head(count), head(hnsw.layers.len()));
    parts.extend([&ef[..], &count_bytes]);
    for point in hnsw.points.data.chunks_exact(4 * dimension) {
        parts.extend([&length[..], point]);
    }
    let counts: Vec<[u8; 8]> = hnsw.layers.iter().map(|layer| head(layer.count)).collect();
    parts.extend([&count_bytes[..], &hnsw.zero.data, &layer_count]);
    for (count, layer) in counts.iter().zip(&hnsw.layers) {
        parts.extend([&count[..], &layer.data]);
    }
    if let Some(ids) = values.as_ref().and_then(|values| values.ids.as_deref()) {
        parts.extend([&count_bytes[..], ids]);
    }
    AlignedBuffer::concat(&parts)
}

#[derive(Deserialize)]
struct Map {
    hnsw: Hnsw,
    values: Option<Values>,
}

#[derive(Deserialize)]
struct Hnsw {
    ef_search: u64,
    points: Rows<f32>,
    zero: Rows<u32>,
    layers: Vec<Rows<u32>>,
}

/// A number as bincode writes it.
trait Little {
    fn append(self, out: &mut Vec<u8>);
}

impl Little for f32 {
    fn append(self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
}

impl Little for u32 {
    fn append(self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
}

/// Lists of one length, one behind the other.
struct Rows<T> {
    count: usize,
    length: usize,
    data: Vec<u8>,
    of: PhantomData<T>,
}

impl<'de, T: Little + Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> std::result::Result<Self, D::Error> {
        source.deserialize_seq(Rows { count: 0, length: 0, data: Vec::new(), of: PhantomData })
    }
}

impl<'de, T: Little + Deserialize<'de>> Visitor<'de> for Rows<T> {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of lists of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> std::result::Result<Self, A::Error> {
        while let Some(Row(row)) = rows.next_element::<Row<T>>()? {
            if row.is_empty() || (self.count > 0 && row.len() != self.length) {
                return Err(A::Error::custom(format!(
                    "list {} has {} numbers, where {} were expected",
                    self.count,
                    row.len(),
                    self.length.max(1)
                )));
            }
            (self.count, self.length) = (self.count + 1, row.len());
            row.into_iter().for_each(|number| number.append(&mut self.data));
        }
        Ok(self)
    }
}

struct Row<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> std::result::Result<Self, D::Error> {
        struct One<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for One<T> {
            type Value = Row<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of numbers, or an object whose only field is one")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<Row<T>, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(list)).map(Row)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> std::result::Result<Row<T>, A::Error> {
                match (object.next_entry::<IgnoredAny, Vec<T>>()?, object.next_key::<IgnoredAny>()?) {
                    (Some((_, list)), None) => Ok(Row(list)),
                    _ => Err(A::Error::custom("a point has other than one field")),
                }
            }
        }

        source.deserialize_any(One(PhantomData))
    }
}

/// What points of a map are called: ids if all are whole numbers.
struct Values {
    count: usize,
    ids: Option<Vec<u8>>,
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(source: D) -> std::result::Result<Self, D::Error> {
        source.deserialize_seq(Values { count: 0, ids: Some(Vec::new()) })
    }
}

impl<'de> Visitor<'de> for Values {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> std::result::Result<Self, A::Error> {
        while let Some(value) = values.next_element::<serde_json::Value>()? {
            self.count += 1;
            match (value.as_i64().or(value.as_u64().map(|id| id as i64)), &mut self.ids) {
                (Some(id), Some(ids)) => ids.extend(id.to_le_bytes()),
                _ => self.ids = None,
            }
        }
        Ok(self)
    }
}

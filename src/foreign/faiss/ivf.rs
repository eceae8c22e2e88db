//! Inverted file indexes: the nearest lists are looked into, code by code.
//!
//! All start with the head, the number of lists (u64), `nprobe` (u64), the index that finds lists,
//! and a direct map (a kind as u8, an array of i64, and for kind 2 an array of pairs of i64), which
//! no search needs. Then:
//!
//! | tag | class | |
//! |---|---|---|
//! | `IwFl` | `IndexIVFFlat` | lists |
//! | `IwSq` | `IndexIVFScalarQuantizer` | quantizer, code size (u64), by residual (u8), lists |
//! | `IwSQ` | the same, older | quantizer, code size, lists; by residual |
//! | `IBwF` | `IndexBinaryIVF` | lists |
//! | `IwPQ` | `IndexIVFPQ` | by residual, code size, quantizer, lists |

use super::bits::Bits;
use super::codec::Codec;
use super::flat::Flat;
use super::head::Head;
use super::lists::Lists;
use super::node::{Context, Node, check_labels};
use super::pq::ProductQuantizer;
use super::read;
use super::sq::ScalarQuantizer;
use crate::foreign::library::{Groups, not_kept};
use crate::foreign::reader::Reader;
use crate::foreign::{Measure, SearchParams};
use crate::index::lists::MAX_LISTS;
use crate::index::{Partition, Structure};
use crate::words::{Error, Hit, Result, TopK};

/// What all inverted files start with.
#[derive(Debug)]
pub(super) struct Coarse {
    pub(super) head: Head,
    pub(super) lists: usize,
    nprobe: usize,
    quantizer: Box<dyn Node>,
}

impl Coarse {
    pub(super) fn read(reader: &mut Reader<'_>, head: Head, depth: usize) -> Result<Self> {
        let (lists, nprobe) = (reader.size()?, reader.size()?);
        let quantizer = read(reader, depth + 1)?;
        let inner = quantizer.head();
        if inner.dimension != head.dimension || inner.count != lists || nprobe == 0 {
            return Err(reader.corrupt(format!(
                "{lists} lists of vectors of {} dimensions, found among {} of {}, {nprobe} at a time",
                head.dimension, inner.count, inner.dimension
            )));
        }
        check_labels(&*quantizer, reader, lists)?;
        direct_map(reader)?;
        Ok(Coarse { head, lists, nprobe, quantizer })
    }

    /// The lists to look into, nearest first, with their internal distances.
    pub(super) fn probe(&self, context: &Context<'_>, query: &[f32]) -> Result<Vec<(u32, f32)>> {
        let nprobe = context.params.nprobe.unwrap_or(self.nprobe);
        if nprobe == 0 {
            return Err(Error::argument("nprobe is 0; look into at least one list"));
        }
        let inside = Context { allow: None, params: &SearchParams { nprobe: None, ..*context.params }, ..*context };
        let found = self.quantizer.search(&inside, query, nprobe.min(self.lists))?;
        let list = |row| self.quantizer.label(context.file, row) as u32;
        Ok(found.into_iter().map(|hit| (list(hit.row), hit.distance)).collect())
    }

    /// The metric by which lists are found. It can differ from that of the index.
    pub(super) fn measure(&self) -> Measure {
        self.quantizer.head().measure
    }

    /// What vectors of a list have in common, by inner product: the centroid's part of it, negated.
    /// `found` is the distance by which the list was found, which may be of another metric.
    pub(super) fn common(&self, file: &[u8], query: &[f32], list: u32, found: f32) -> f32 {
        if self.measure() == Measure::Ip {
            return found;
        }
        let mut centroid = vec![0.0; query.len()];
        self.centroid(file, list, &mut centroid);
        -crate::distance::dot(query, &centroid)
    }

    /// Whether centroids can be had.
    pub(super) fn has_centroids(&self, file: &[u8]) -> bool {
        self.lists == 0 || self.quantizer.decode(file, 0, &mut vec![0.0; self.head.dimension])
    }

    /// Writes `query` less the list's centroid to `out`.
    pub(super) fn residual(&self, file: &[u8], query: &[f32], list: u32, out: &mut [f32]) {
        self.centroid(file, list, out);
        out.iter_mut().zip(query).for_each(|(out, x)| *out = x - *out);
    }

    /// Writes the list's centroid to `out`.
    pub(super) fn centroid(&self, file: &[u8], list: u32, out: &mut [f32]) {
        self.quantizer.decode(file, list, out);
    }

    /// All centroids, if the nearest of them are the lists that are looked into.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` if lists are chosen otherwise.
    fn centroids(&self, file: &[u8]) -> Result<Vec<f32>> {
        let Head { dimension, measure, .. } = self.head;
        if self.measure() != measure {
            let other = self.measure().name();
            return Err(not_kept(format!("its lists are found by {other}, its rows by {}", measure.name())));
        }
        let in_order = (0..self.lists as u32).all(|row| self.quantizer.label(file, row) == i64::from(row));
        if !in_order || !matches!(self.quantizer.structure(file), Ok(Structure::Flat)) {
            return Err(not_kept(format!("its lists are found by {}", self.quantizer.describe())));
        }
        // Codes of no bytes could claim any number of them.
        let (mut centroids, numbers) = (Vec::new(), self.lists.saturating_mul(dimension));
        if self.lists > MAX_LISTS || centroids.try_reserve_exact(numbers).is_err() {
            return Err(not_kept(format!("it has {} lists, where {MAX_LISTS} are the most", self.lists)));
        }
        centroids.resize(numbers, 0.0);
        let rows = (0..).zip(centroids.chunks_exact_mut(dimension));
        rows.for_each(|(list, out)| self.centroid(file, list, out));
        Ok(centroids)
    }

    /// The factory's words for it.
    pub(super) fn describe(&self) -> String {
        match &self.quantizer.describe()[..] {
            "Flat" | "BinaryFlat" => format!("IVF{}", self.lists),
            other => format!("IVF{}({other})", self.lists),
        }
    }
}

fn direct_map(reader: &mut Reader<'_>) -> Result<()> {
    let kind = reader.u8()?;
    let count = reader.size()?;
    reader.spans(count, 8)?;
    match kind {
        0 | 1 => Ok(()),
        2 => {
            let pairs = reader.size()?;
            reader.spans(pairs, 16).map(|_| ())
        }
        other => Err(reader.corrupt(format!("a direct map of kind {other}"))),
    }
}

/// Codes in lists.
#[derive(Debug)]
pub(super) struct Ivf {
    coarse: Coarse,
    codec: Box<dyn Codec>,
    lists: Lists,
    by_residual: bool,
    /// Codes tell nothing: a vector is as far as its list.
    lists_only: bool,
}

impl Ivf {
    pub(super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4], depth: usize) -> Result<Self> {
        let head = if tag == b"IBwF" { Head::read_binary(reader)? } else { Head::read(reader)? };
        let coarse = Coarse::read(reader, head, depth)?;
        let dimension = coarse.head.dimension;
        let (mut by_residual, mut lists_only) = (false, false);
        let codec: Box<dyn Codec> = match tag {
            b"IwFl" => Box::new(Flat { dimension }),
            b"IBwF" => Box::new(Bits { dimension }),
            b"IwPQ" => {
                by_residual = reader.bool()?;
                let code_bytes = reader.size()?;
                let codec = ProductQuantizer::read(reader, dimension)?;
                same_code_bytes(reader, code_bytes, codec.code_bytes())?;
                Box::new(codec)
            }
            _ => {
                let codec = ScalarQuantizer::read(reader, dimension)?;
                let code_bytes = reader.size()?;
                by_residual = tag == b"IwSQ" || reader.bool()?;
                lists_only = codec.is_empty();
                same_code_bytes(reader, code_bytes, codec.code_bytes())?;
                Box::new(codec)
            }
        };
        let flat = tag == b"IwFl";
        if !flat && tag != b"IBwF" {
            coarse.head.only_l2_and_ip(reader)?;
        }
        if by_residual && !coarse.has_centroids(reader.file()) {
            return Err(reader.corrupt(format!("residuals from lists found by {}", coarse.quantizer.describe())));
        }
        let lists = Lists::read(reader, coarse.lists, coarse.head.count, codec.code_bytes(), flat)?;
        Ok(Ivf { coarse, codec, lists, by_residual, lists_only })
    }
}

/// Refuses a code size that isn't the quantizer's.
pub(super) fn same_code_bytes(reader: &Reader<'_>, stated: usize, expected: usize) -> Result<()> {
    match stated == expected {
        true => Ok(()),
        false => Err(reader.corrupt(format!("codes of {stated} bytes by a quantizer that makes {expected}"))),
    }
}

impl Node for Ivf {
    fn head(&self) -> &Head {
        &self.coarse.head
    }

    fn describe(&self) -> String {
        format!("{},{}", self.coarse.describe(), self.codec.describe())
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        self.lists.id(file, row)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let Head { count, measure, dimension } = self.coarse.head;
        let file = context.file;
        let mut scanner = self.codec.scanner(file, measure);
        scanner.set_query(query);
        let mut residual = vec![0.0; dimension];
        let mut top = TopK::new(limit, count);
        let size = self.codec.code_bytes();
        let mut distances = Vec::new();
        for (list, coarse_distance) in self.coarse.probe(context, query)? {
            let Some(entries) = self.lists.get(file, list) else { continue };
            let mut offset = 0.0;
            if self.lists_only {
                offset = coarse_distance;
            } else if self.by_residual && measure == Measure::Ip {
                offset = self.coarse.common(file, query, list, coarse_distance);
            } else if self.by_residual {
                self.coarse.residual(file, query, list, &mut residual);
                scanner.set_query(&residual);
            }
            if self.lists_only || context.allow.is_some() {
                for (row, code) in (entries.first..entries.first + entries.len as u32).zip(0..) {
                    if !context.allows(row) {
                        continue;
                    }
                    let code = &entries.codes[code * size..(code + 1) * size];
                    let distance = if self.lists_only { offset } else { offset + scanner.distance(code) };
                    if distance <= top.threshold() {
                        top.push(Hit { row, distance });
                    }
                }
                continue;
            }
            distances.clear();
            scanner.distances(entries.codes, size, &mut distances);
            for (row, &distance) in (entries.first..).zip(&distances) {
                let distance = offset + distance;
                if distance <= top.threshold() {
                    top.push(Hit { row, distance });
                }
            }
        }
        Ok(top.into_sorted())
    }

    fn groups(&self, _file: &[u8]) -> Option<Groups> {
        Some(self.lists.groups(self.coarse.lists))
    }

    fn structure(&self, file: &[u8]) -> Result<Structure> {
        if self.lists_only || !self.codec.is_compared_decoded() {
            return Err(not_kept(format!("queries are rounded, as its {} rows are", self.codec.describe())));
        }
        let Coarse { head, lists, .. } = &self.coarse;
        let centroids = self.coarse.centroids(file)?;
        let size = |list| self.lists.get(file, list).map_or(0, |entries| entries.len);
        let sizes = (0..*lists as u32).map(size).collect();
        Ok(Structure::Lists(Partition {
            sizes,
            order: (0..head.count as u32).collect(),
            groups: Vec::new(),
            centroids,
        }))
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let (list, code) = self.lists.code(file, row);
        self.codec.decode(file, code, out);
        if self.by_residual {
            let mut centroid = vec![0.0; out.len()];
            self.coarse.centroid(file, list, &mut centroid);
            out.iter_mut().zip(&centroid).for_each(|(out, c)| *out += c);
        }
        true
    }
}

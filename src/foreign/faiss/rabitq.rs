//! `IndexRaBitQ` and `IndexIVFRaBitQ`: 1-bit codes of the vectors less a centroid (Gao and Long
//! 2024), and codes of several bits (Gao et al. 2024), as Faiss keeps and compares them
//! (`faiss/impl/RaBitQuantizer.cpp`). Faiss rotates nothing itself.
//!
//! | tag | after the head (and what inverted files start with) |
//! |---|---|
//! | `Ixrq` | quantizer, codes (array of bytes), centroid (array of f32, or none), query bits (u8) |
//! | `Ixrr` | the same, of several bits |
//! | `Iwrq` `Iwrr` | quantizer, code size (u64), by residual (u8), query bits (u8), lists |
//!
//! The quantizer is its dimension (u64), code size (u64), metric (i32), and, of several bits, how
//! many (u64). A code is
//!
//! ```text
//! signs       dimension bits, lowest first
//! offset      f32: squared distance from the centroid, less the squared length for inner products
//! factor      f32
//! error       f32, only of several bits
//! more bits   (bits − 1) × dimension, lowest first, only of several bits
//! offset, factor of the finer distance: f32 each, only of several bits
//! ```

use super::head::Head;
use super::ivf::{Coarse, same_code_bytes};
use super::lists::Lists;
use super::node::{Context, Node};
use crate::distance;
use crate::foreign::Measure;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Hit, Result, TopK};

/// Bits of a dimension, at most.
const MAX_BITS: usize = 9;

/// How codes look.
#[derive(Debug, Clone, Copy)]
struct Quantizer {
    dimension: usize,
    bits: usize,
    measure: Measure,
}

impl Quantizer {
    fn read(reader: &mut Reader<'_>, head: &Head, several: bool) -> Result<(Self, usize)> {
        let (dimension, stated, metric) = (reader.size()?, reader.size()?, reader.i32()?);
        let bits = if several { reader.size()? } else { 1 };
        let same_metric = metric == i32::from(head.measure == Measure::L2);
        if dimension != head.dimension || !(1..=MAX_BITS).contains(&bits) || !same_metric {
            return Err(reader.corrupt(format!(
                "a RaBitQ quantizer of {dimension} dimensions, {bits} bits and metric {metric} for {} dimensions by {}",
                head.dimension,
                head.measure.name()
            )));
        }
        Ok((Quantizer { dimension, bits, measure: head.measure }, stated))
    }

    fn sign_bytes(&self) -> usize {
        self.dimension.div_ceil(8)
    }

    fn more_bytes(&self) -> usize {
        (self.dimension * (self.bits - 1)).div_ceil(8)
    }

    fn code_bytes(&self) -> usize {
        self.sign_bytes() + if self.bits == 1 { 8 } else { 12 + self.more_bytes() + 8 }
    }
}

/// A query less the centroid of the codes that it is compared with.
#[derive(Debug)]
struct Prepared {
    quantizer: Quantizer,
    /// Bits a number of the query was rounded to; 0 leaves it as it is.
    query_bits: u8,
    residual: Vec<f32>,
    rounded: Vec<u8>,
    /// What one step of the sum, one sign, and all together are worth.
    step: f32,
    sign: f32,
    all: f32,
    /// Squared distance from the centroid, squared length, and product with the centroid.
    from_centroid: f32,
    square: f32,
    product: f32,
}

fn f32_at(code: &[u8], at: usize) -> f32 {
    f32::from_le_bytes([code[at], code[at + 1], code[at + 2], code[at + 3]])
}

fn bit(code: &[u8], i: usize) -> bool {
    code[i / 8] >> (i % 8) & 1 == 1
}

impl Prepared {
    fn new(quantizer: Quantizer, query_bits: u8, query: &[f32], centroid: &[f32]) -> Self {
        let residual: Vec<f32> = query.iter().zip(centroid).map(|(x, c)| x - c).collect();
        let dimension = residual.len() as f32;
        let each = 1.0 / dimension.sqrt();
        let mut prepared = Prepared {
            quantizer,
            query_bits,
            rounded: Vec::new(),
            step: 2.0 * each,
            sign: 0.0,
            all: each * residual.iter().sum::<f32>(),
            from_centroid: distance::dot(&residual, &residual),
            square: distance::dot(query, query),
            product: distance::dot(query, centroid),
            residual,
        };
        if query_bits > 0 {
            let fold = |start, of: fn(f32, f32) -> f32| prepared.residual.iter().copied().fold(start, of);
            let (lowest, highest) = (fold(f32::INFINITY, f32::min), fold(f32::NEG_INFINITY, f32::max));
            let most = ((1u32 << query_bits) - 1) as f32;
            let step = (highest - lowest) / most;
            let scale = if step > 0.0 { 1.0 / step } else { 0.0 };
            let round = |&x: &f32| (((x - lowest) * scale).clamp(0.0, most) + 0.5) as u32 as u8;
            prepared.rounded = prepared.residual.iter().map(round).collect();
            let sum: u64 = prepared.rounded.iter().map(|&x| u64::from(x)).sum();
            prepared.step = 2.0 * step * each;
            prepared.sign = 2.0 * lowest * each;
            prepared.all = each * (step * sum as f32 + dimension * lowest);
        }
        prepared
    }

    /// Estimate by the signs alone, as Faiss means it: larger is nearer for inner products.
    fn estimate(&self, code: &[u8]) -> f32 {
        let signs = self.quantizer.sign_bytes();
        let (mut sum, mut count, mut whole) = (0.0, 0u32, 0u32);
        for i in (0..self.quantizer.dimension).filter(|&i| bit(code, i)) {
            count += 1;
            match self.query_bits {
                0 => sum += self.residual[i],
                _ => whole += u32::from(self.rounded[i]),
            }
        }
        if self.query_bits > 0 {
            sum = whole as f32;
        }
        let product = self.step * sum + self.sign * count as f32 - self.all;
        let square = f32_at(code, signs) + self.from_centroid - 2.0 * f32_at(code, signs + 4) * product;
        match self.quantizer.measure {
            Measure::Ip => -0.5 * (square - self.square),
            _ => square.max(0.0),
        }
    }

    /// Distance by all bits, as Faiss means it.
    fn fine(&self, code: &[u8]) -> f32 {
        let Quantizer { bits, dimension, measure } = self.quantizer;
        let more = bits - 1;
        let start = self.quantizer.sign_bytes() + 12;
        let codes = &code[start..start + self.quantizer.more_bytes()];
        let middle = (1u32 << more) as f32 - 0.5;
        let mut product = 0.0;
        for i in 0..dimension {
            let at = i * more;
            let low = u32::from(codes[at / 8]);
            let high = codes.get(at / 8 + 1).map_or(0, |&byte| u32::from(byte));
            let number = (low | high << 8) >> (at % 8) & ((1 << more) - 1);
            let number = number + (u32::from(bit(code, i)) << more);
            product += self.residual[i] * (number as f32 - middle);
        }
        let factors = start + codes.len();
        let base = if measure == Measure::Ip { self.product } else { self.from_centroid };
        let distance = base + f32_at(code, factors) + f32_at(code, factors + 4) * product;
        if measure == Measure::Ip { distance } else { distance.max(0.0) }
    }

    /// Internal distance, or none if the signs already show that it isn't below the threshold.
    fn distance(&self, code: &[u8], threshold: f32) -> Option<f32> {
        let internal = |public: f32| if self.quantizer.measure == Measure::Ip { -public } else { public };
        let estimate = internal(self.estimate(code));
        if self.quantizer.bits == 1 {
            return Some(estimate);
        }
        let error = f32_at(code, self.quantizer.sign_bytes() + 8) * self.from_centroid.sqrt();
        let bound = match self.quantizer.measure {
            Measure::Ip => estimate - error,
            _ => (estimate - error).max(0.0),
        };
        (bound < threshold).then(|| internal(self.fine(code)))
    }

    /// Offers the codes of the rows from `first` on.
    fn scan(&self, codes: &[u8], first: u32, context: &Context<'_>, top: &mut TopK) {
        for (row, code) in (first..).zip(codes.chunks_exact(self.quantizer.code_bytes())) {
            if context.allows(row)
                && let Some(distance) = self.distance(code, top.threshold())
                && !distance.is_nan()
            {
                top.push(Hit { row, distance });
            }
        }
    }
}

/// Writes what the signs alone say of a vector.
fn decode(quantizer: Quantizer, code: &[u8], centroid: &[f32], out: &mut [f32]) {
    let each = f32_at(code, quantizer.sign_bytes() + 4) / (quantizer.dimension as f32).sqrt();
    for (i, (out, c)) in out.iter_mut().zip(centroid).enumerate() {
        *out = c + if bit(code, i) { each } else { -each };
    }
}

fn query_bits(reader: &mut Reader<'_>) -> Result<u8> {
    match reader.u8()? {
        bits @ 0..=8 => Ok(bits),
        bits => Err(reader.corrupt(format!("queries of {bits} bits"))),
    }
}

/// Every row, scanned.
#[derive(Debug)]
pub(super) struct Rabitq {
    head: Head,
    quantizer: Quantizer,
    codes: Span,
    centroid: Span,
    query_bits: u8,
}

impl Rabitq {
    pub(super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4]) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let (quantizer, stated) = Quantizer::read(reader, &head, tag == b"Ixrr")?;
        same_code_bytes(reader, stated, quantizer.code_bytes())?;
        let codes = reader.numbers::<u8>()?;
        let centroid = reader.numbers::<f32>()?;
        let query_bits = query_bits(reader)?;
        let centred = centroid.len == 0 || centroid.len == 4 * head.dimension;
        if head.count.checked_mul(quantizer.code_bytes()) != Some(codes.len) || !centred {
            return Err(reader.corrupt(format!(
                "{} bytes of codes and {} of a centroid for {} vectors of {} dimensions",
                codes.len, centroid.len, head.count, head.dimension
            )));
        }
        Ok(Rabitq { head, quantizer, codes, centroid, query_bits })
    }

    fn centroid(&self, file: &[u8]) -> Vec<f32> {
        let mut centroid = self.centroid.numbers::<f32>(file).to_vec();
        centroid.resize(self.head.dimension, 0.0);
        centroid
    }
}

fn name(quantizer: &Quantizer) -> String {
    match quantizer.bits {
        1 => "RaBitQ".into(),
        bits => format!("RaBitQ{bits}"),
    }
}

impl Node for Rabitq {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        name(&self.quantizer)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let mut top = TopK::new(limit, self.head.count);
        let prepared = Prepared::new(self.quantizer, self.query_bits, query, &self.centroid(context.file));
        prepared.scan(self.codes.bytes(context.file), 0, context, &mut top);
        Ok(top.into_sorted())
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let code = self.codes.part(row as usize, self.quantizer.code_bytes());
        decode(self.quantizer, code.bytes(file), &self.centroid(file), out);
        true
    }
}

/// The rows of the nearest lists, scanned.
#[derive(Debug)]
pub(super) struct IvfRabitq {
    coarse: Coarse,
    quantizer: Quantizer,
    lists: Lists,
    query_bits: u8,
}

impl IvfRabitq {
    pub(super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4], depth: usize) -> Result<Self> {
        let head = Head::read(reader)?;
        head.only_l2_and_ip(reader)?;
        let coarse = Coarse::read(reader, head, depth)?;
        let (quantizer, stated) = Quantizer::read(reader, &head, tag == b"Iwrr")?;
        same_code_bytes(reader, stated, quantizer.code_bytes())?;
        let (again, _by_residual) = (reader.size()?, reader.bool()?);
        same_code_bytes(reader, again, quantizer.code_bytes())?;
        let query_bits = query_bits(reader)?;
        if !coarse.has_centroids(reader.file()) {
            return Err(reader.corrupt("residuals from lists that have no centroids"));
        }
        let lists = Lists::read(reader, coarse.lists, head.count, quantizer.code_bytes(), false)?;
        Ok(IvfRabitq { coarse, quantizer, lists, query_bits })
    }
}

impl Node for IvfRabitq {
    fn head(&self) -> &Head {
        &self.coarse.head
    }

    fn describe(&self) -> String {
        format!("{},{}", self.coarse.describe(), name(&self.quantizer))
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        self.lists.id(file, row)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let mut top = TopK::new(limit, self.coarse.head.count);
        let mut centroid = vec![0.0; query.len()];
        for (list, _) in self.coarse.probe(context, query)? {
            let Some(entries) = self.lists.get(context.file, list) else { continue };
            self.coarse.centroid(context.file, list, &mut centroid);
            let prepared = Prepared::new(self.quantizer, self.query_bits, query, &centroid);
            prepared.scan(entries.codes, entries.first, context, &mut top);
        }
        Ok(top.into_sorted())
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        let (list, code) = self.lists.code(file, row);
        let mut centroid = vec![0.0; out.len()];
        self.coarse.centroid(file, list, &mut centroid);
        decode(self.quantizer, code, &centroid, out);
        true
    }
}

//! Vectors of bits, compared by how many of them differ: `IndexLSH` and the binary indexes.
//!
//! A binary index starts with its dimension (i32, a multiple of 8), its code size (i32, an eighth of
//! that), its count (i64), whether it is trained (u8), and a metric (i32) of no meaning.
//! `IndexBinaryFlat` (`IBxF`) goes on with an array of bytes; `IndexBinaryIVF` (`IBwF`),
//! `IndexBinaryHNSW` (`IBHf`) and the id maps (`IBMp`, `IBM2`) as their namesakes do.
//!
//! ```text
//! IndexLSH: head
//! bits          i32
//! rotated       u8
//! trained       u8: whether thresholds were
//! thresholds    array of f32
//! code size     i32 (tag `IxHE`: in words of 64 bits)
//! rotation      a transform `rrot`
//! codes         array of bytes
//! ```

use super::codec::{Codec, Scanner};
use super::codes::Codes;
use super::head::Head;
use super::node::{Context, Node};
use super::transform::Transform;
use crate::foreign::Measure;
use crate::foreign::reader::{Reader, Span};
use crate::words::{Hit, Result};

/// Bits, eight a byte, lowest first. A query's float stands for 1 if it isn't negative, and so does
/// 0; queries of bits come as ±1.
#[derive(Debug)]
pub(super) struct Bits {
    pub(super) dimension: usize,
}

/// The bits of a vector, one a float.
pub(super) fn pack(x: &[f32], out: &mut Vec<u8>) {
    out.clear();
    out.extend(
        x.chunks(8).map(|eight| eight.iter().enumerate().fold(0u8, |byte, (i, &x)| byte | u8::from(x >= 0.0) << i)),
    );
}

/// The floats that [`pack`] makes these bits of.
pub(super) fn unpack(bits: &[u8], dimension: usize) -> Vec<f32> {
    (0..dimension).map(|i| if bits[i / 8] >> (i % 8) & 1 == 1 { 1.0 } else { -1.0 }).collect()
}

impl Codec for Bits {
    fn describe(&self) -> String {
        "BinaryFlat".into()
    }

    fn code_bytes(&self) -> usize {
        self.dimension.div_ceil(8)
    }

    fn scanner<'a>(&'a self, _file: &'a [u8], _measure: Measure) -> Box<dyn Scanner + 'a> {
        Box::new(Hamming { query: Vec::new() })
    }

    fn decode(&self, _file: &[u8], code: &[u8], out: &mut [f32]) {
        out.copy_from_slice(&unpack(code, self.dimension));
    }
}

struct Hamming {
    query: Vec<u8>,
}

impl Scanner for Hamming {
    fn set_query(&mut self, query: &[f32]) {
        pack(query, &mut self.query);
    }

    #[inline]
    fn distance(&self, code: &[u8]) -> f32 {
        let words = |bytes: &[u8]| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| bytes[i]));
        let (a, b) = (self.query.chunks_exact(8), code.chunks_exact(8));
        let rest: u32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| (a ^ b).count_ones()).sum();
        (a.zip(b).map(|(a, b)| (words(a) ^ words(b)).count_ones()).sum::<u32>() + rest) as f32
    }
}

/// Vectors of floats, kept as signs.
#[derive(Debug)]
pub(super) struct Lsh {
    head: Head,
    rotation: Option<Transform>,
    thresholds: Option<Span>,
    codes: Codes,
    bits: usize,
}

impl Lsh {
    pub(super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4]) -> Result<Self> {
        let mut head = Head::read(reader)?;
        head.measure = Measure::Hamming;
        let (bits, rotated, trained) = (reader.size32()?, reader.bool()?, reader.bool()?);
        let thresholds = reader.numbers::<f32>()?;
        let stated = reader.size32()?;
        let code_bytes = if tag == b"IxHE" { stated.saturating_mul(8) } else { stated };
        let (rotation, dimensions) = match rotated {
            true => {
                let rotation = Transform::read(reader)?;
                let dimensions = rotation.dimensions();
                (Some(rotation), dimensions)
            }
            false => (None, Transform::pass_over(reader)?),
        };
        let span = reader.numbers::<u8>()?;
        let whole = rotated || bits <= head.dimension;
        if bits == 0
            || !whole
            || code_bytes != bits.div_ceil(8)
            || dimensions != (head.dimension, bits)
            || (trained && thresholds.len != 4 * bits)
        {
            return Err(reader.corrupt(format!(
                "{bits} bits in {code_bytes} bytes with {} bytes of thresholds for {} dimensions",
                thresholds.len, head.dimension
            )));
        }
        let codes = Codes::new(reader, Head { dimension: bits, ..head }, Box::new(Bits { dimension: bits }), span)?;
        Ok(Lsh { head, rotation, thresholds: trained.then_some(thresholds), codes, bits })
    }
}

impl Node for Lsh {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        let rotated = if self.rotation.is_some() { "r" } else { "" };
        let trained = if self.thresholds.is_some() { "t" } else { "" };
        format!("LSH{}{rotated}{trained}", self.bits)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        let mut x = Vec::new();
        match &self.rotation {
            Some(rotation) => rotation.apply(context.file, query, &mut x),
            None => x.extend_from_slice(&query[..self.bits]),
        }
        if let Some(thresholds) = self.thresholds {
            x.iter_mut().zip(thresholds.numbers::<f32>(context.file)).for_each(|(x, threshold)| *x -= threshold);
        }
        self.codes.search(context, &x, limit)
    }
}

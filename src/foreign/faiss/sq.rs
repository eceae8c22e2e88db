//! `ScalarQuantizer`: each dimension as a few bits.
//!
//! ```text
//! kind            i32, see `Kind`
//! range           i32 and f32: how the range was trained
//! dimension       u64
//! code size       u64
//! trained         array of f32: lowest and width, for all dimensions or for each; or the values
//! ```
//!
//! Dimension i of a code takes the bits from i · bits on, lowest bit first.

use super::codec::{Codec, Scanner};
use crate::distance;
use crate::foreign::Measure;
use crate::foreign::reader::{Reader, Span};
use crate::words::half::from_f16;
use crate::words::{Code, Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `lowest + (code + ½) / (2^bits − 1) · width`, each dimension with its own range.
    Ranges {
        bits: usize,
    },
    /// The same with one range for all.
    Range {
        bits: usize,
    },
    Half,
    BFloat,
    /// Bytes as they are.
    Direct,
    /// Bytes less 128.
    DirectSigned,
    /// No bits: only lists tell vectors apart.
    Nothing,
    /// The code's value stands in a table.
    Table {
        bits: usize,
    },
}

impl Kind {
    /// The kind of a number in a file, with the factory's name.
    fn of(number: i32) -> Option<(Kind, &'static str)> {
        Some(match number {
            0 => (Kind::Ranges { bits: 8 }, "SQ8"),
            1 => (Kind::Ranges { bits: 4 }, "SQ4"),
            2 => (Kind::Range { bits: 8 }, "SQ8_uniform"),
            3 => (Kind::Range { bits: 4 }, "SQ4_uniform"),
            4 => (Kind::Half, "SQfp16"),
            5 => (Kind::Direct, "SQ8_direct"),
            6 => (Kind::Ranges { bits: 6 }, "SQ6"),
            7 => (Kind::BFloat, "SQbf16"),
            8 => (Kind::DirectSigned, "SQ8_direct_signed"),
            9 => (Kind::Nothing, "SQ0"),
            10 => (Kind::Table { bits: 1 }, "SQtqmse1"),
            11 => (Kind::Table { bits: 2 }, "SQtqmse2"),
            12 => (Kind::Table { bits: 3 }, "SQtqmse3"),
            13 => (Kind::Table { bits: 4 }, "SQtqmse4"),
            14 => (Kind::Table { bits: 8 }, "SQtqmse8"),
            _ => return None,
        })
    }

    fn bits(self) -> usize {
        match self {
            Kind::Ranges { bits } | Kind::Range { bits } | Kind::Table { bits } => bits,
            Kind::Half | Kind::BFloat => 16,
            Kind::Direct | Kind::DirectSigned => 8,
            Kind::Nothing => 0,
        }
    }

    /// Floats that training leaves.
    fn trained(self, dimension: usize) -> usize {
        match self {
            Kind::Ranges { .. } => 2 * dimension,
            Kind::Range { .. } => 2,
            Kind::Table { bits } => (2 << bits) - 1,
            _ => 0,
        }
    }
}

/// A few bits a dimension.
#[derive(Debug)]
pub(super) struct ScalarQuantizer {
    kind: Kind,
    name: &'static str,
    dimension: usize,
    trained: Span,
}

impl ScalarQuantizer {
    /// The next quantizer, of an index of `dimension` dimensions.
    pub(super) fn read(reader: &mut Reader<'_>, dimension: usize) -> Result<Self> {
        let number = reader.i32()?;
        reader.span(8)?;
        let (stated, code_bytes) = (reader.size()?, reader.size()?);
        let trained = reader.numbers::<f32>()?;
        let Some((kind, name)) = Kind::of(number) else {
            return Err(Error::new(
                Code::UnsupportedFormat,
                format!(
                    "the Faiss file holds a ScalarQuantizer of type {number}, which isn't read (TurboQuant with QJL and \
                     EDEN have such types)"
                ),
            ));
        };
        let quantizer = ScalarQuantizer { kind, name, dimension, trained };
        if stated != dimension || code_bytes != quantizer.code_bytes() || trained.len != 4 * kind.trained(dimension) {
            return Err(reader.corrupt(format!(
                "a {name} quantizer of {stated} dimensions with codes of {code_bytes} bytes and {} bytes of training \
                 for {dimension} dimensions",
                trained.len
            )));
        }
        Ok(quantizer)
    }

    /// Whether codes tell nothing and distances are those of the lists.
    pub(super) fn is_empty(&self) -> bool {
        self.kind == Kind::Nothing
    }
}

/// The bits of dimension `i`, at most 8 of them.
#[inline]
fn bits_at(code: &[u8], i: usize, bits: usize) -> usize {
    let at = i * bits;
    let low = usize::from(code[at / 8]);
    let high = code.get(at / 8 + 1).map_or(0, |&byte| usize::from(byte));
    (low | high << 8) >> (at % 8) & ((1 << bits) - 1)
}

fn u16s(code: &[u8]) -> impl Iterator<Item = u16> + '_ {
    code.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
}

impl Codec for ScalarQuantizer {
    fn describe(&self) -> String {
        self.name.into()
    }

    fn code_bytes(&self) -> usize {
        (self.dimension * self.kind.bits()).div_ceil(8)
    }

    fn scanner<'a>(&'a self, file: &'a [u8], measure: Measure) -> Box<dyn Scanner + 'a> {
        // Faiss compares bytes with a query that it turned into bytes, where its vector
        // instructions fit the dimension: AVX-512 is followed here. Queries of whole numbers get the
        // same answer either way.
        let offset = match self.kind {
            Kind::Direct if self.dimension.is_multiple_of(32) => Some(0),
            Kind::DirectSigned if self.dimension.is_multiple_of(64) => Some(128),
            _ => None,
        };
        if let Some(offset) = offset {
            return Box::new(Bytes { measure, offset, query: Vec::new() });
        }
        Box::new(Decoded { quantizer: self, file, measure, query: Vec::new(), row: vec![0.0; self.dimension].into() })
    }

    /// Queries are rounded to bytes, too, where rows are bytes.
    fn is_compared_decoded(&self) -> bool {
        !matches!(self.kind, Kind::Direct | Kind::DirectSigned | Kind::Nothing)
    }

    fn decode(&self, file: &[u8], code: &[u8], out: &mut [f32]) {
        let trained: &[f32] = self.trained.numbers(file);
        match self.kind {
            Kind::Ranges { bits } => {
                let (lowest, width) = trained.split_at(self.dimension);
                let most = ((1 << bits) - 1) as f32;
                for (i, out) in out.iter_mut().enumerate() {
                    *out = lowest[i] + (bits_at(code, i, bits) as f32 + 0.5) / most * width[i];
                }
            }
            Kind::Range { bits } => {
                let most = ((1 << bits) - 1) as f32;
                for (i, out) in out.iter_mut().enumerate() {
                    *out = trained[0] + (bits_at(code, i, bits) as f32 + 0.5) / most * trained[1];
                }
            }
            Kind::Table { bits } => {
                out.iter_mut().enumerate().for_each(|(i, out)| *out = trained[bits_at(code, i, bits)]);
            }
            Kind::Half => out.iter_mut().zip(u16s(code)).for_each(|(out, bits)| *out = from_f16(bits)),
            Kind::BFloat => {
                out.iter_mut().zip(u16s(code)).for_each(|(out, bits)| *out = f32::from_bits(u32::from(bits) << 16));
            }
            Kind::Direct => out.iter_mut().zip(code).for_each(|(out, &byte)| *out = f32::from(byte)),
            Kind::DirectSigned => out.iter_mut().zip(code).for_each(|(out, &byte)| *out = f32::from(byte) - 128.0),
            Kind::Nothing => out.fill(0.0),
        }
    }
}

/// Compares the query with what a code stands for.
struct Decoded<'a> {
    quantizer: &'a ScalarQuantizer,
    file: &'a [u8],
    measure: Measure,
    query: Vec<f32>,
    row: std::cell::RefCell<Vec<f32>>,
}

impl Scanner for Decoded<'_> {
    fn set_query(&mut self, query: &[f32]) {
        self.query.clear();
        self.query.extend_from_slice(query);
    }

    fn distance(&self, code: &[u8]) -> f32 {
        let mut row = self.row.borrow_mut();
        self.quantizer.decode(self.file, code, &mut row);
        match self.measure {
            Measure::Ip => -distance::dot(&self.query, &row),
            _ => distance::l2(&self.query, &row),
        }
    }
}

/// Compares bytes with bytes.
struct Bytes {
    measure: Measure,
    /// What bytes hold above what they mean.
    offset: i32,
    query: Vec<u8>,
}

impl Scanner for Bytes {
    fn set_query(&mut self, query: &[f32]) {
        self.query.clear();
        self.query.extend(query.iter().map(|&x| (x as i32).wrapping_add(self.offset) as u8));
    }

    fn distance(&self, code: &[u8]) -> f32 {
        let number = |byte: u8| i32::from(byte) - self.offset;
        let pairs = self.query.iter().zip(code).map(|(&a, &b)| (number(a), number(b)));
        match self.measure {
            Measure::Ip => -(pairs.fold(0i32, |sum, (a, b)| sum.wrapping_add(a * b)) as f32),
            _ => pairs.fold(0i32, |sum, (a, b)| sum.wrapping_add((a - b) * (a - b))) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_each_other() {
        let code = [0b1011_0001, 0b1010_1111, 0b0000_0011];
        let threes: Vec<usize> = (0..6).map(|i| bits_at(&code, i, 3)).collect();
        assert_eq!(threes, [0b001, 0b110, 0b110, 0b111, 0b010, 0b111]);
        assert_eq!((0..3).map(|i| bits_at(&code, i, 8)).collect::<Vec<_>>(), code.map(usize::from));
    }
}

//! The numbers that usearch keeps vectors in. A query is brought to the same numbers first.

use crate::distance;
use crate::foreign::{Measure, Query};
use crate::words::Result;
use crate::words::bytes::cast;
use crate::words::half::{from_bf16, from_f16, to_bf16, to_f16};
use std::cell::RefCell;

/// A kind of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    F32,
    F16,
    Bf16,
    /// The vector at length 127, rounded towards 0.
    I8,
    /// One bit a dimension.
    Bits,
}

impl Scalar {
    /// The kind of a number in the file; numbers were others before 2.10, whose 8-bit rows aren't read.
    pub(super) fn of(kind: u8, old: bool) -> Option<Self> {
        match (kind, old) {
            (1, _) => Some(Scalar::Bits),
            (4, false) => Some(Scalar::Bf16),
            (11, false) | (5, true) => Some(Scalar::F32),
            (12, false) | (6, true) => Some(Scalar::F16),
            (23, false) => Some(Scalar::I8),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Scalar::F32 => "f32",
            Scalar::F16 => "f16",
            Scalar::Bf16 => "bf16",
            Scalar::I8 => "i8",
            Scalar::Bits => "b1",
        }
    }

    /// Bytes of a vector; `None` if there can't be so many.
    pub(super) fn row_bytes(self, dimension: usize) -> Option<usize> {
        match self {
            Scalar::F32 => dimension.checked_mul(4),
            Scalar::F16 | Scalar::Bf16 => dimension.checked_mul(2),
            Scalar::I8 => Some(dimension),
            Scalar::Bits => Some(dimension.div_ceil(8)),
        }
    }

    /// The vector as floats.
    pub(super) fn decode(self, row: &[u8], out: &mut [f32]) {
        let halves = || row.as_chunks::<2>().0.iter().map(|&bytes| u16::from_le_bytes(bytes));
        match self {
            Scalar::F32 => {
                out.iter_mut().zip(row.as_chunks().0).for_each(|(out, &bytes)| *out = f32::from_le_bytes(bytes));
            }
            Scalar::F16 => out.iter_mut().zip(halves()).for_each(|(out, bits)| *out = from_f16(bits)),
            Scalar::Bf16 => out.iter_mut().zip(halves()).for_each(|(out, bits)| *out = from_bf16(bits)),
            Scalar::I8 => out.iter_mut().zip(row).for_each(|(out, &x)| *out = f32::from(x as i8)),
            Scalar::Bits => {
                out.iter_mut().enumerate().for_each(|(i, out)| *out = f32::from(row[i / 8] >> (i % 8) & 1));
            }
        }
    }

    /// A query in these numbers, as floats.
    fn rounded(self, query: &[f32]) -> Vec<f32> {
        match self {
            Scalar::F32 | Scalar::Bits => query.to_vec(),
            Scalar::F16 => query.iter().map(|&x| from_f16(to_f16(x))).collect(),
            Scalar::Bf16 => query.iter().map(|&x| from_bf16(to_bf16(x))).collect(),
            Scalar::I8 => {
                let length = query.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
                query
                    .iter()
                    .map(|&x| if length > 0.0 { f64::from(x) * 127.0 / length } else { 0.0 } as i8)
                    .map(f32::from)
                    .collect()
            }
        }
    }
}

/// A query, compared with rows.
#[derive(Debug)]
pub(super) enum Probe<'a> {
    Bits { query: &'a [u8], measure: Measure },
    Numbers { query: Vec<f32>, scalar: Scalar, measure: Measure, row: RefCell<Vec<f32>> },
}

impl<'a> Probe<'a> {
    /// # Errors
    /// `DIMENSION_MISMATCH`, `INVALID_VECTOR`.
    pub(super) fn new(scalar: Scalar, measure: Measure, query: Query<'a>, dimension: usize) -> Result<Self> {
        if scalar == Scalar::Bits {
            return Ok(Probe::Bits { query: query.bits(dimension)?, measure });
        }
        let query = scalar.rounded(query.floats(dimension)?);
        Ok(Probe::Numbers { query, scalar, measure, row: RefCell::new(vec![0.0; dimension]) })
    }

    /// Internal distance of a row.
    #[inline]
    pub(super) fn distance(&self, row: &[u8]) -> f32 {
        match self {
            Probe::Bits { query, measure } => bits_apart(query, row, *measure),
            Probe::Numbers { query, scalar: Scalar::F32, measure, .. } => {
                apart(query, cast(row).unwrap_or_default(), *measure)
            }
            Probe::Numbers { query, scalar, measure, row: floats } => {
                let mut floats = floats.borrow_mut();
                scalar.decode(row, &mut floats);
                apart(query, &floats, *measure)
            }
        }
    }
}

fn apart(a: &[f32], b: &[f32], measure: Measure) -> f32 {
    match measure {
        Measure::L2 => distance::l2(a, b),
        Measure::IpDistance => 1.0 - distance::dot(a, b),
        _ => {
            let (aa, bb) = (distance::dot(a, a), distance::dot(b, b));
            match (aa == 0.0, bb == 0.0) {
                (true, true) => 0.0,
                (false, false) => 1.0 - distance::dot(a, b) / (aa.sqrt() * bb.sqrt()),
                _ => 1.0,
            }
        }
    }
}

fn bits_apart(a: &[u8], b: &[u8], measure: Measure) -> f32 {
    let count = |of: fn(u8, u8) -> u8| a.iter().zip(b).map(|(&a, &b)| of(a, b).count_ones()).sum::<u32>() as f32;
    match measure {
        Measure::JaccardDistance => 1.0 - count(|a, b| a & b) / count(|a, b| a | b),
        Measure::SorensenDistance => 1.0 - 2.0 * count(|a, b| a & b) / (count(|a, _| a) + count(|_, b| b)),
        _ => count(|a, b| a ^ b),
    }
}

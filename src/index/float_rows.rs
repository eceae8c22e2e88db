//! Rows of floats, of 32 bits or 16.
//!
//! **Section 8** holds them as f32, **16** as f16, **17** as bf16, each of count · dimension, row after
//! row. COSINE rows are normalised before they are rounded. A file has one of these, or none.

use super::sections::{Sections, Shape};
use crate::distance::{self, Halves};
use crate::format::Kind;
use crate::words::bytes::{as_bytes, cast};
use crate::words::half::{from_bf16, from_f16, to_bf16, to_f16};
use crate::words::{Blob, Code, Error, MatrixView, Metric, Precision, Result};
use std::borrow::Cow;

/// The rows of floats of a file, in place.
#[derive(Debug, Clone)]
pub struct FloatRows {
    rows: Blob,
    precision: Precision,
    metric: Metric,
    dimension: usize,
}

impl FloatRows {
    /// Those of these sections, for a shape that was checked, or `None` if there are none.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if a length doesn't fit the shape, or there are rows of two precisions.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Option<Self>> {
        let all = [
            (Precision::F32, &sections.rows_f32),
            (Precision::F16, &sections.rows_f16),
            (Precision::Bf16, &sections.rows_bf16),
        ];
        let mut there = all.into_iter().filter_map(|(precision, section)| section.as_ref().map(|s| (precision, s)));
        let Some((precision, rows)) = there.next() else { return Ok(None) };
        if let Some((other, _)) = there.next() {
            return Err(Error::corrupt(format!(
                "the file has rows in {precision} and in {other}, but may have one of them; it was written wrongly"
            )));
        }
        let expected = shape.count.checked_mul(shape.dimension).and_then(|n| n.checked_mul(precision.size()));
        if expected != Some(rows.len()) {
            return Err(Error::corrupt(format!(
                "{} rows of {} dimensions in {precision} don't fit a section of {} bytes; the file is damaged",
                shape.count,
                shape.dimension,
                rows.len()
            )));
        }
        match precision {
            Precision::F32 => rows.as_numbers::<f32>().map(|_| ())?,
            _ => rows.as_numbers::<u16>().map(|_| ())?,
        }
        Ok(Some(FloatRows { rows: rows.clone(), precision, metric: shape.metric, dimension: shape.dimension }))
    }

    /// What they are.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if one isn't finite.
    pub fn verify(&self) -> Result<()> {
        let infinite = match self.precision {
            Precision::F32 => self.rows.as_numbers::<f32>()?.iter().position(|x| !x.is_finite()),
            Precision::Bf16 => self.rows.as_numbers::<u16>()?.iter().position(|&bits| !from_bf16(bits).is_finite()),
            _ => self.rows.as_numbers::<u16>()?.iter().position(|&bits| !from_f16(bits).is_finite()),
        };
        match infinite {
            Some(at) => Err(Error::corrupt(format!("row {} isn't finite; the file is damaged", at / self.dimension))),
            None => Ok(()),
        }
    }

    /// Asks for a row that will be read soon.
    #[inline]
    pub fn touch(&self, row: usize) {
        distance::touch(self.bytes(row));
    }

    /// Internal distance of a row from a query in stored form.
    #[inline]
    pub fn distance(&self, query: &[f32], row: usize) -> f32 {
        let kernels = distance::kernels();
        match self.precision {
            Precision::F32 => super::rows::distance(self.metric, query, numbers(self.bytes(row))),
            Precision::Bf16 => self.half_distance(&kernels.bf16, query, row),
            _ => self.half_distance(&kernels.f16, query, row),
        }
    }

    #[inline]
    fn half_distance(&self, halves: &Halves, query: &[f32], row: usize) -> f32 {
        let row = numbers(self.bytes(row));
        match self.metric {
            Metric::L2 => (halves.l2)(query, row),
            _ => -(halves.dot)(query, row),
        }
    }

    /// Writes a row to `out` of `dimension` floats. Panics if there is no such row.
    pub fn decode(&self, row: usize, out: &mut [f32]) {
        let bytes = self.bytes(row);
        let widen = |from: fn(u16) -> f32, out: &mut [f32]| {
            out.iter_mut().zip(numbers(bytes)).for_each(|(out, &bits)| *out = from(bits));
        };
        match self.precision {
            Precision::F32 => out.copy_from_slice(numbers(bytes)),
            Precision::Bf16 => widen(from_bf16, out),
            _ => widen(from_f16, out),
        }
    }

    #[inline]
    fn bytes(&self, row: usize) -> &[u8] {
        let size = self.precision.size() * self.dimension;
        &self.rows[row * size..(row + 1) * size]
    }
}

/// The alignment was checked when the rows were opened.
#[inline]
fn numbers<T: crate::words::bytes::Number>(bytes: &[u8]) -> &[T] {
    cast(bytes).unwrap_or_default()
}

/// The section that rows of floats of a precision are kept in.
pub fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::Bf16 => Kind::ROWS_BF16,
        Precision::F16 => Kind::ROWS_F16,
        _ => Kind::ROWS_F32,
    }
}

/// The section of rows in stored form, in the order given, or else their own.
///
/// # Errors
/// `INVALID_INPUT` if a number is too large for the precision.
pub fn encode<'a>(
    stored: Cow<'a, [f32]>,
    dimension: usize,
    order: Option<&[u32]>,
    precision: Precision,
) -> Result<Cow<'a, [u8]>> {
    if precision == Precision::F32 {
        return Ok(match (order, stored) {
            (Some(order), stored) => {
                let mut bytes = Vec::with_capacity(4 * stored.len());
                let rows = MatrixView::new(&stored, dimension)?;
                order.iter().for_each(|&row| bytes.extend_from_slice(as_bytes(rows.row(row as usize))));
                bytes.into()
            }
            (None, Cow::Borrowed(rows)) => as_bytes(rows).into(),
            (None, Cow::Owned(rows)) => as_bytes(&rows).to_vec().into(),
        });
    }
    let is_bf16 = precision == Precision::Bf16;
    let narrow = if is_bf16 { to_bf16 } else { to_f16 };
    let widen = if is_bf16 { from_bf16 } else { from_f16 };
    let rows = MatrixView::new(&stored, dimension)?;
    let mut bytes = Vec::with_capacity(2 * stored.len());
    for at in 0..rows.rows() {
        let row = order.map_or(at, |order| order[at] as usize);
        for &x in rows.row(row) {
            let bits = narrow(x);
            if !widen(bits).is_finite() {
                return Err(Error::new(
                    Code::InvalidInput,
                    format!(
                        "row {row} has the number {x}, which {precision} can't hold; keep rows as f32, or scale them down"
                    ),
                ));
            }
            bytes.extend_from_slice(&bits.to_le_bytes());
        }
    }
    Ok(bytes.into())
}

//! Vectors as they come from outside: checked, and brought to the form that is compared.

use crate::words::say::decimal;
use crate::words::{Code, Error, MatrixView, Metric, Result};
use std::borrow::Cow;

/// The largest squared length of a row or query. Distances between such vectors stay finite in f32.
const MAX_SQUARE: f64 = 1e37;

/// Writes the query, in the form that is compared with rows, to `out`.
///
/// # Errors
/// `DIMENSION_MISMATCH`; `INVALID_VECTOR` if it isn't finite or too long for f32 distances.
pub fn prepare(query: &[f32], dimension: usize, metric: Metric, out: &mut Vec<f32>) -> Result<()> {
    if query.len() != dimension {
        return Err(Error::dimension(dimension, query.len()));
    }
    if let Some(at) = query.iter().position(|x| !x.is_finite()) {
        return Err(Error::new(
            Code::InvalidVector,
            format!("the query holds {} at position {at}; every number of it must be finite", decimal(query[at])),
        ));
    }
    out.clear();
    out.extend_from_slice(query);
    let square = square(query);
    if metric == Metric::Cosine {
        normalise(out, square);
    } else if square > MAX_SQUARE {
        return Err(Error::new(
            Code::InvalidVector,
            format!(
                "the query has a squared length of {}, above {}; scale it and the rows down",
                decimal(square),
                decimal(MAX_SQUARE)
            ),
        ));
    }
    Ok(())
}

/// Brings rows to length 1, as COSINE stores them; zero rows stay zero. Rows that are there already
/// stay as they are, bit for bit.
pub fn normalise_rows(data: &mut [f32], dimension: usize) {
    for row in data.chunks_exact_mut(dimension) {
        let square = square(row);
        if !is_normalised(square) {
            normalise(row, square);
        }
    }
}

/// Rows in the form that is stored: normalised for COSINE, borrowed if nothing has to change.
///
/// # Errors
/// `INVALID_INPUT`, naming the row.
pub fn stored_form(rows: MatrixView<'_>, metric: Metric) -> Result<Cow<'_, [f32]>> {
    if u32::try_from(rows.rows()).is_err() {
        let found = rows.rows();
        return Err(Error::new(
            Code::InvalidInput,
            format!("{found} rows are more than an index takes ({}); split them", u32::MAX),
        ));
    }
    if let Some((row, column)) = rows.first_non_finite() {
        return Err(Error::new(
            Code::InvalidInput,
            format!(
                "row {row} holds {} at position {column}; every number must be finite",
                decimal(rows.row(row)[column])
            ),
        ));
    }
    if metric == Metric::Cosine {
        if rows.iter().all(|row| is_normalised(square(row))) {
            return Ok(Cow::Borrowed(rows.data()));
        }
        let mut stored = rows.data().to_vec();
        normalise_rows(&mut stored, rows.dimension());
        return Ok(Cow::Owned(stored));
    }
    if let Some(row) = (0..rows.rows()).find(|&row| square(rows.row(row)) > MAX_SQUARE) {
        return Err(Error::new(
            Code::InvalidInput,
            format!("row {row} has a squared length above {}; scale the vectors down", decimal(MAX_SQUARE)),
        ));
    }
    Ok(Cow::Borrowed(rows.data()))
}

/// Normalising what is normalised would move bits for nothing.
fn is_normalised(square: f64) -> bool {
    square == 0.0 || (square - 1.0).abs() < 1e-6
}

fn square(vector: &[f32]) -> f64 {
    vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

/// To length 1; a zero vector stays zero.
fn normalise(vector: &mut [f32], square: f64) {
    if square > 0.0 {
        let length = square.sqrt();
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_checked_and_normalised() {
        let mut out = vec![9.0; 9];
        let mut code = |q: &[f32], metric| prepare(q, 2, metric, &mut out).map(|()| out.clone()).map_err(|e| e.code);
        assert_eq!(code(&[3.0, 4.0], Metric::Cosine), Ok(vec![0.6, 0.8]));
        assert_eq!(code(&[3e38, 0.0], Metric::Cosine), Ok(vec![1.0, 0.0]));
        assert_eq!(code(&[0.0, -1e-45], Metric::Cosine), Ok(vec![0.0, -1.0]));
        assert_eq!(code(&[0.0, 0.0], Metric::Cosine), Ok(vec![0.0, 0.0]));
        assert_eq!(code(&[3.0, 4.0], Metric::L2), Ok(vec![3.0, 4.0]));
        assert_eq!(code(&[3e38, 0.0], Metric::L2), Err(Code::InvalidVector));
        assert_eq!(code(&[1.0, f32::NAN], Metric::Ip), Err(Code::InvalidVector));
        assert_eq!(code(&[f32::INFINITY, 0.0], Metric::Cosine), Err(Code::InvalidVector));
        assert_eq!(code(&[1.0], Metric::L2), Err(Code::DimensionMismatch));
        assert_eq!(code(&[], Metric::L2), Err(Code::DimensionMismatch));
    }

    #[test]
    fn rows_are_checked_with_their_numbers() {
        let message = |data: &[f32], metric| {
            let error = stored_form(MatrixView::new(data, 2).unwrap(), metric).unwrap_err();
            assert_eq!(error.code, Code::InvalidInput);
            error.message
        };
        assert!(message(&[0.0, 1.0, f32::NAN, 1.0], Metric::Cosine).starts_with("row 1 holds NaN at position 0"));
        assert!(message(&[0.0, 1.0, 1e19, 1.0], Metric::Ip).starts_with("row 1 has a squared length"));
        let rows = [3.0, 4.0, 0.0, 0.0];
        let stored = stored_form(MatrixView::new(&rows, 2).unwrap(), Metric::Cosine).unwrap();
        assert_eq!(&stored[..], &[0.6, 0.8, 0.0, 0.0]);
        let again = stored_form(MatrixView::new(&stored, 2).unwrap(), Metric::Cosine).unwrap();
        assert!(matches!(again, Cow::Borrowed(_)));
    }
}

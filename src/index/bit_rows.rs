//! Rows of bits: compared by counting.
//!
//! **Section 15** holds them as u8 × count · dimension / 8, row after row.

use super::sections::Shape;
use crate::distance;
use crate::words::{Blob, Error, Metric, Result};

/// The rows of bits of a file, in place.
#[derive(Debug, Clone)]
pub struct BitRows {
    rows: Blob,
    row_bytes: usize,
    metric: Metric,
}

/// A query of bits. Reused from one search to the next.
#[derive(Debug, Clone, Default)]
pub struct BitsQuery(Vec<u8>);

impl BitRows {
    /// The rows of this section, for a shape that was checked.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if its length doesn't fit the shape.
    pub fn open(section: &Blob, shape: &Shape) -> Result<Self> {
        let row_bytes = shape.dimension / 8;
        if shape.count.checked_mul(row_bytes) != Some(section.len()) {
            return Err(Error::corrupt(format!(
                "{} rows of {} bits don't fit a section of {} bytes; the file is damaged",
                shape.count,
                shape.dimension,
                section.len()
            )));
        }
        Ok(BitRows { rows: section.clone(), row_bytes, metric: shape.metric })
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Row `row`. Panics if there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> &[u8] {
        &self.rows[row * self.row_bytes..(row + 1) * self.row_bytes]
    }

    /// Takes on a query.
    ///
    /// # Errors
    /// `DIMENSION_MISMATCH`.
    pub fn prepare(&self, query: &[u8], prepared: &mut BitsQuery) -> Result<()> {
        if query.len() != self.row_bytes {
            return Err(Error::dimension(8 * self.row_bytes, 8 * query.len()));
        }
        prepared.0.clear();
        prepared.0.extend_from_slice(query);
        Ok(())
    }

    /// Internal distance of a row, which is also the one that callers see.
    #[inline]
    pub fn distance(&self, query: &BitsQuery, row: usize) -> f32 {
        let row = self.row(row);
        match self.metric {
            Metric::Jaccard => distance::jaccard(&query.0, row),
            // No vector has so many bits that f32 couldn't count them.
            _ => distance::hamming(&query.0, row) as f32,
        }
    }
}

impl BitsQuery {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

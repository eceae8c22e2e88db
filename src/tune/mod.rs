//! `AUTOINDEX`: which index type and which rows suit a set of vectors, and why.
//!
//! The rules come from measurements on 117,791 sentence embeddings of 384 dimensions and on their
//! projections (one thread, in a browser): an exact search takes about 0.42 ns a coordinate; the scan
//! over 1-bit codes takes 4.4 ns a row and as many comparisons as the error bound asks for, 92 rows in
//! 384 dimensions, 690 in 128, 12,000 in 16; a walk compares some thousand rows whatever the dimension,
//! but its graph takes 20 times as long to build and 256 bytes a row.

pub mod front;
pub mod space;

use crate::quantize::{extended, rabitq};
use crate::words::{Error, IndexType, Metric, Precision, Result};

/// Up to so many coordinates in all rows, comparing each row exactly takes some 300 µs.
const FLAT_COORDINATES: usize = 700_000;

/// Below this, one bit a dimension says too little for the scan to pass over most rows.
const FEW_DIMENSIONS: usize = 32;

/// From so many coordinates in all rows, a scan over the codes of all of them takes more than a millisecond.
const SCAN_COORDINATES: usize = 80_000_000;

/// Bytes of links a row: twice 32 in the lowest layer, a part of it used.
const GRAPH_BYTES: usize = 272;

/// What is to be indexed.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Vectors.
    pub count: usize,
    /// Numbers in each.
    pub dimension: usize,
    /// How nearness is measured.
    pub metric: Metric,
    /// Bytes a vector that the index may take in the file, keys and fields not counted.
    pub max_bytes: Option<usize>,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The type.
    pub index_type: IndexType,
    /// What rows are kept as.
    pub precisions: Vec<Precision>,
    /// Bits a dimension of its codes, if it has some.
    pub bits: u32,
    /// Bytes a vector, about.
    pub bytes: usize,
    /// A sentence that says why.
    pub reason: String,
}

/// Chooses.
///
/// # Errors
/// `INVALID_ARGUMENT` if the metric isn't one of vectors of floats, or not even the smallest index fits the bytes.
pub fn choose(wish: &Wish) -> Result<Choice> {
    let Wish { count, dimension, metric, max_bytes } = *wish;
    if !Metric::DENSE.contains(&metric) {
        return Err(Error::argument(format!(
            "AUTOINDEX chooses for L2, IP and COSINE; for {metric} name the index type, such as BIN_FLAT"
        )));
    }
    let fits = |bytes: usize| max_bytes.is_none_or(|most| bytes <= most);
    let int8 = dimension + if metric == Metric::L2 { 8 } else { 4 };
    let f32 = 4 * dimension;
    let codes = rabitq::block_bytes(dimension).div_ceil(32);
    let choice = |index_type, precision: Option<Precision>, bytes, reason: String| {
        Ok(Choice { index_type, precisions: precision.into_iter().collect(), bits: 1, bytes, reason })
    };
    if count.saturating_mul(dimension) <= FLAT_COORDINATES {
        let why = format!("{count} rows of {dimension} dimensions are so few that comparing all of them is fast");
        if fits(f32) {
            return choice(IndexType::Flat, Some(Precision::F32), f32, format!("{why}, and exact"));
        }
        if fits(int8) {
            return choice(
                IndexType::Flat,
                Some(Precision::Int8),
                int8,
                format!("{why}; in 8 bits, which fit the bytes"),
            );
        }
    }
    if dimension < FEW_DIMENSIONS && fits(int8 + GRAPH_BYTES) {
        return choice(
            IndexType::Hnsw,
            Some(Precision::Int8),
            int8 + GRAPH_BYTES,
            format!(
                "with {dimension} dimensions, one bit for each says too little to pass over rows; a graph isn't hurt by that"
            ),
        );
    }
    let in_lists = count.saturating_mul(dimension) > SCAN_COORDINATES;
    let (scan, lists) = match in_lists {
        // A row's number, and its share of the centroids.
        true => (IndexType::IvfRabitq, 4 + (6 * dimension).div_ceil(count.isqrt())),
        false => (IndexType::ScanRabitq, 0),
    };
    if fits(codes + int8 + lists) {
        let reason = match in_lists {
            true => format!(
                "a scan over the codes of all {count} rows would take more than a millisecond; in lists, a search reads \
                 those of a few of them, and compares the best in 8 bits"
            ),
            false => format!(
                "a scan over 1-bit codes of {dimension} dimensions, the best compared in 8 bits, is as fast as a graph, \
                 smaller, and built in a fraction of the time"
            ),
        };
        return choice(scan, Some(Precision::Int8), codes + int8 + lists, reason);
    }
    for bits in (2..=extended::MAX_BITS).rev() {
        let bytes = codes + extended::row_bytes(dimension, bits) + lists;
        if fits(bytes) {
            let reason = format!("rows don't fit the bytes, but codes of {bits} bits do; distances are then estimates");
            return choice(scan, None, bytes, reason).map(|choice| Choice { bits, ..choice });
        }
    }
    if fits(codes) {
        return choice(
            IndexType::ScanRabitq,
            None,
            codes,
            format!("only 1-bit codes fit, {codes} bytes a vector; distances are then estimates"),
        );
    }
    Err(Error::argument(format!(
        "no index of {dimension} dimensions fits {} bytes a vector; the smallest, 1-bit codes alone, takes {codes}",
        max_bytes.unwrap_or_default()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn size_dimension_and_bytes_decide() {
        let of = |count, dimension, max_bytes| {
            choose(&Wish { count, dimension, metric: Metric::Cosine, max_bytes })
                .map(|choice| (choice.index_type, choice.precisions, choice.bits))
                .map_err(|error| error.message)
        };
        let (int8, f32) = (vec![Precision::Int8], vec![Precision::F32]);
        assert_eq!(of(1000, 384, None), Ok((IndexType::Flat, f32, 1)));
        assert_eq!(of(1000, 384, Some(400)), Ok((IndexType::Flat, int8.clone(), 1)));
        assert_eq!(of(1000, 384, Some(60)), Ok((IndexType::ScanRabitq, vec![], 1)));
        assert_eq!(of(100_000, 384, None), Ok((IndexType::ScanRabitq, int8.clone(), 1)));
        assert_eq!(of(100_000, 384, Some(448)), Ok((IndexType::ScanRabitq, int8.clone(), 1)));
        assert_eq!(of(100_000, 384, Some(447)), Ok((IndexType::ScanRabitq, vec![], 8)));
        assert_eq!(of(100_000, 384, Some(200)), Ok((IndexType::ScanRabitq, vec![], 3)));
        assert_eq!(of(100_000, 384, Some(100)), Ok((IndexType::ScanRabitq, vec![], 1)));
        assert_eq!(of(1_000_000, 384, None), Ok((IndexType::IvfRabitq, int8.clone(), 1)));
        assert_eq!(of(1_000_000, 384, Some(448)), Ok((IndexType::IvfRabitq, vec![], 8)));
        assert_eq!(of(100_000, 16, None), Ok((IndexType::Hnsw, int8.clone(), 1)));
        assert_eq!(of(100_000, 16, Some(100)), Ok((IndexType::ScanRabitq, int8, 1)));
        assert!(of(usize::MAX, 384, Some(59)).unwrap_err().contains("takes 60"));
    }
}

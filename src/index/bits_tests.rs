//! RaBitQ codes of several bits, searched with rows and without.

use super::tests::{BOTH, INT8, NEITHER, build_in_bits, clustered, mean_recall};
use super::*;
use crate::words::{Code, Metric};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Searches that look everywhere: what is left to err are the codes.
fn everywhere() -> SearchParams {
    SearchParams { nprobe: Some(1000), ..SearchParams::default() }
}

/// The vectors, in the order in which the index has its rows.
fn ordered(index: &Index, data: &[f32]) -> Vec<f32> {
    let Shape { count, dimension, .. } = *index.shape();
    let row = |row: usize| &data[index.rows().given(row as u32) as usize * dimension..][..dimension];
    (0..count).flat_map(row).copied().collect()
}

fn recall(index: &Index, data: &[f32], queries: &[f32], params: &SearchParams, allow: Option<&Bitmap>) -> f64 {
    mean_recall(index, &ordered(index, data), queries, params, allow)
}

const IN_BITS: [IndexType; 2] = [IndexType::ScanRabitq, IndexType::IvfRabitq];

#[test]
fn more_bits_recall_more_without_rows() {
    // At 2, 4, 6 and 8 bits. Rows of three dimensions lie in few directions: 2 bits tell few apart.
    let floors: [(usize, [[f64; 4]; 2]); 2] = [
        (3, [[0.1, 0.75, 0.94, 0.97], [0.8, 0.93, 0.97, 0.98]]),
        (64, [[0.55, 0.85, 0.95, 0.97], [0.75, 0.9, 0.96, 0.97]]),
    ];
    for (dimension, floors) in floors {
        let (data, queries) = clustered(3, 2000, 20, dimension);
        for &metric in Metric::DENSE {
            for (index_type, floors) in IN_BITS.into_iter().zip(floors) {
                for (bits, floor) in [2, 4, 6, 8].into_iter().zip(floors) {
                    let index = build_in_bits(index_type, &data, dimension, metric, NEITHER, bits);
                    let recall = recall(&index, &data, &queries, &everywhere(), None);
                    assert!(recall >= floor, "{index_type} {metric} {dimension} in {bits} bits: {recall}");
                }
            }
        }
    }
}

#[test]
fn bits_and_rows_together_recall_nearly_everything() {
    for dimension in [1, 17] {
        let (data, queries) = clustered(2, 1000, 25, dimension);
        for &metric in Metric::DENSE {
            for (index_type, bits) in IN_BITS.into_iter().flat_map(|t| [(t, 2), (t, 5), (t, 8)]) {
                let index = build_in_bits(index_type, &data, dimension, metric, BOTH, bits);
                for (rerank, floor) in [(None, 0.99), (Some(2000), 1.0), (Some(100), 0.98)] {
                    let params = SearchParams { rerank, ..everywhere() };
                    let recall = recall(&index, &data, &queries, &params, None);
                    assert!(recall >= floor, "{index_type} {metric} {dimension} in {bits} bits, {rerank:?}: {recall}");
                }
            }
        }
    }
}

#[test]
fn filters_are_exact_over_bits_alone() {
    let (data, queries) = clustered(4, 3000, 10, 48);
    for index_type in IN_BITS {
        let index = build_in_bits(index_type, &data, 48, Metric::Cosine, NEITHER, 7);
        for every in [1, 7, 400, 2999] {
            let allow = Bitmap::from_fn(3000, |row| row % every == every - 1);
            let recall = recall(&index, &data, &queries, &everywhere(), Some(&allow));
            assert!(recall >= 0.96, "{index_type} 1 of {every}: {recall}");
        }
    }
}

#[test]
fn equal_rows_are_found_in_row_order_by_any_bits() {
    for &metric in Metric::DENSE {
        for (precisions, bits) in [(NEITHER, 2), (NEITHER, 8), (INT8, 4)] {
            for count in [0usize, 1, 33, 500] {
                for value in [0.0, 2.5] {
                    let rows = vec![value; count * 5];
                    let scan = build_in_bits(IndexType::ScanRabitq, &rows, 5, metric, precisions, bits);
                    let mut scratch = Scratch::default();
                    let params = SearchParams { limit: 40, ..Default::default() };
                    let hits = scan.search(&[1.0; 5], &params, None, &mut scratch).unwrap();
                    let found: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
                    let expected: Vec<u32> = (0..count.min(40) as u32).collect();
                    assert_eq!(found, expected, "{metric} {precisions:?} {count} rows of {value} in {bits} bits");
                    assert!(hits.iter().all(|hit| hit.distance.is_finite()));
                }
            }
        }
    }
    let error = |bits| {
        let params = BuildParams { bits, ..BuildParams::default() };
        let rows = MatrixView::new(&[1.0, 2.0], 2).unwrap();
        Index::build(IndexType::ScanRabitq, rows, &params, &|_, _| ()).unwrap_err().code
    };
    assert_eq!([error(0), error(9), error(u32::MAX)], [Code::InvalidArgument; 3]);
}

//! Indexes of lists held against exact search.

use super::tests::{clustered, mean_recall};
use super::*;
use crate::words::random::SplitMix64;
use crate::words::{Code, Metric, Precision};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TYPES: [IndexType; 4] = [IndexType::IvfFlat, IndexType::IvfSq8, IndexType::IvfPq, IndexType::IvfRabitq];
const BOTH: [Precision; 2] = [Precision::Int8, Precision::F32];

fn sections<'a>(
    index_type: IndexType,
    data: &'a [f32],
    dimension: usize,
    metric: Metric,
    nlist: usize,
) -> (Shape, Built<'a>) {
    let rows = MatrixView::new(data, dimension).unwrap();
    let params =
        BuildParams { metric, precisions: BOTH.to_vec(), nlist: Some(nlist), seed: 5, ..BuildParams::default() };
    let shape = Shape { index_type, metric, count: rows.rows(), dimension };
    (shape, Index::build(index_type, rows, &params, &|_, _| ()).unwrap())
}

fn build(index_type: IndexType, data: &[f32], dimension: usize, metric: Metric, nlist: usize) -> Index {
    let (shape, sections) = sections(index_type, data, dimension, metric, nlist);
    let index = Index::open(&shape, &sections.to_blobs().unwrap()).unwrap();
    index.verify().unwrap();
    index
}

/// The rows of the index, as they lie in it.
fn as_they_lie(index: &Index, data: &[f32], dimension: usize) -> Vec<f32> {
    let given = (0..index.shape().count as u32).map(|row| index.rows().given(row) as usize);
    given.flat_map(|row| &data[row * dimension..(row + 1) * dimension]).copied().collect()
}

#[test]
fn probing_all_lists_finds_everything_and_some_nearly() {
    for dimension in [1, 7, 40, 130] {
        let (data, queries) = clustered(1, 3000, 20, dimension);
        for &metric in Metric::DENSE {
            for index_type in TYPES {
                let index = build(index_type, &data, dimension, metric, 48);
                let lying = as_they_lie(&index, &data, dimension);
                let recall = |nprobe| {
                    let params = SearchParams { nprobe: Some(nprobe), ..SearchParams::default() };
                    mean_recall(&index, &lying, &queries, &params, None)
                };
                let (few, all) = (recall(12), recall(48));
                // Eight bits a part are bound twice, by the upper four and by all.
                let floor = if index_type == IndexType::IvfPq { 0.98 } else { 0.99 };
                assert!(all >= floor, "{index_type} {metric} {dimension}: {all} in all lists");
                // In clusters of 100 rows the ten nearest are seldom elsewhere; an inner product is
                // largest with long rows, which may lie in other directions.
                let least = if metric == Metric::Ip { 0.75 } else { 0.9 };
                assert!(few >= least, "{index_type} {metric} {dimension}: {few} in 12 of 48 lists");
            }
        }
    }
}

#[test]
fn equal_distances_go_by_the_order_in_which_rows_were_given() {
    // Small integers: many rows are equally near, in different lists.
    let mut random = SplitMix64::new(2);
    let data: Vec<f32> = (0..900 * 3).map(|_| random.below(4) as f32 - 1.0).collect();
    for &metric in Metric::DENSE {
        let flat = build(IndexType::Flat, &data, 3, metric, 1);
        for index_type in TYPES {
            let index = build(index_type, &data, 3, metric, 30);
            for limit in [1, 10, 333, 900, 2000] {
                for query in [[0.0, 0.0, 0.0], [1.0, 0.5, -2.0], [-1.0, 2.0, 0.0]] {
                    // A scan passes over some rows by their bounds: which, is a matter of chance.
                    for exact in [matches!(index_type, IndexType::IvfPq | IndexType::IvfRabitq), true] {
                        let params = SearchParams { limit, nprobe: Some(30), exact, ..SearchParams::default() };
                        let found = index.search(&query, &params, None, &mut Scratch::default()).unwrap();
                        let given = found.iter().map(|hit| Hit { row: index.rows().given(hit.row), ..*hit });
                        let expected = flat.search(&query, &params, None, &mut Scratch::default()).unwrap();
                        assert_eq!(given.collect::<Vec<_>>(), expected, "{index_type} {metric} {limit}");
                    }
                }
            }
        }
    }
}

#[test]
fn few_equal_and_zero_rows_are_found() {
    for index_type in TYPES {
        for &metric in Metric::DENSE {
            for count in [0usize, 1, 2, 33, 400] {
                for value in [0.0, 2.5] {
                    let index = build(index_type, &vec![value; count * 5], 5, metric, 16);
                    let params = SearchParams { limit: 40, nprobe: Some(1), ..SearchParams::default() };
                    let hits = index.search(&[1.0; 5], &params, None, &mut Scratch::default()).unwrap();
                    let given: Vec<u32> = hits.iter().map(|hit| index.rows().given(hit.row)).collect();
                    let expected: Vec<u32> = (0..count.min(40) as u32).collect();
                    assert_eq!(given, expected, "{index_type} {metric} {count} rows of {value}");
                }
            }
        }
    }
}

#[test]
fn filters_are_exact_where_few_rows_are_left_and_never_return_fewer() {
    let (data, queries) = clustered(4, 4000, 10, 24);
    for &metric in Metric::DENSE {
        for index_type in TYPES {
            let index = build(index_type, &data, 24, metric, 40);
            let lying = as_they_lie(&index, &data, 24);
            // mean_recall asserts that there are as many hits as there can be.
            for (every, least) in [(1, 0.7), (2, 0.7), (5, 0.7), (40, 1.0), (400, 1.0), (3999, 1.0)] {
                let allow = Bitmap::from_fn(4000, |row| row % every == every - 1);
                let params = SearchParams { nprobe: Some(8), ..SearchParams::default() };
                let recall = mean_recall(&index, &lying, &queries, &params, Some(&allow));
                assert!(recall >= least, "{index_type} {metric} 1 of {every}: {recall}");
            }
            let params = SearchParams { nprobe: Some(1), limit: 1000, ..SearchParams::default() };
            mean_recall(&index, &lying, &queries, &params, None);
        }
    }
}

#[test]
fn thousands_of_dimensions_and_lists_of_one_row_are_no_exception() {
    let (data, queries) = clustered(5, 60, 3, 4096);
    for &metric in Metric::DENSE {
        for index_type in TYPES {
            let index = build(index_type, &data, 4096, metric, 60);
            let lying = as_they_lie(&index, &data, 4096);
            let params = SearchParams { nprobe: Some(60), ..SearchParams::default() };
            assert!(mean_recall(&index, &lying, &queries, &params, None) >= 0.99, "{index_type} {metric}");
        }
    }
}

#[test]
fn bad_wishes_are_refused() {
    let data = [1.0f32, 2.0, 3.0, 4.0];
    let rows = MatrixView::new(&data, 2).unwrap();
    let code = |index_type, precisions: &[Precision], nlist| {
        let params = BuildParams { precisions: precisions.to_vec(), nlist, ..BuildParams::default() };
        Index::build(index_type, rows, &params, &|_, _| ()).err().map(|error| error.code)
    };
    for index_type in TYPES {
        assert_eq!(code(index_type, &BOTH, Some(9)), None);
        assert_eq!(code(index_type, &BOTH, Some(0)), Some(Code::InvalidArgument));
        assert_eq!(code(index_type, &BOTH, Some(1 << 20)), Some(Code::InvalidArgument));
        let index = build(index_type, &data, 2, Metric::L2, 2);
        let params = SearchParams { nprobe: Some(0), ..SearchParams::default() };
        let error = index.search(&[1.0, 2.0], &params, None, &mut Scratch::default()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }
    assert_eq!(code(IndexType::IvfRabitq, &[], None), None);
    assert_eq!(code(IndexType::IvfFlat, &[Precision::Int8], None), Some(Code::InvalidArgument));
    assert_eq!(code(IndexType::IvfSq8, &[Precision::F32], None), Some(Code::InvalidArgument));
    assert_eq!(code(IndexType::HnswSq8, &[Precision::F32], None), Some(Code::InvalidArgument));
    assert_eq!(code(IndexType::HnswSq8, &[Precision::Int8], None), None);
}

#[test]
fn damaged_lists_are_refused_without_a_panic() {
    let (data, queries) = clustered(10, 120, 1, 12);
    for index_type in TYPES {
        let (shape, sections) = sections(index_type, &data, 12, Metric::Ip, 6);
        let sound = sections.to_blobs().unwrap();
        type Part = for<'s> fn(&'s mut Sections<Blob>) -> &'s mut Option<Blob>;
        let parts: [Part; 3] = [|s| &mut s.centroids, |s| &mut s.lists, |s| &mut s.order];
        for part in parts {
            let whole = part(&mut sound.clone()).clone().unwrap();
            let with = |bytes: &[u8]| {
                let mut damaged = sound.clone();
                *part(&mut damaged) = Some(Blob::copy_of(bytes).unwrap());
                Index::open(&shape, &damaged)
            };
            for len in [0, 1, 4, whole.len() - 4, whole.len() + 4] {
                let mut bytes = whole.to_vec();
                bytes.resize(len, 0);
                assert_eq!(with(&bytes).unwrap_err().code, Code::CorruptFile, "{index_type} {len} bytes");
            }
            let mut missing = sound.clone();
            *part(&mut missing) = None;
            assert_eq!(Index::open(&shape, &missing).unwrap_err().code, Code::CorruptFile);
            for at in 0..whole.len() {
                let mut bytes = whole.to_vec();
                bytes[at] ^= 0xFF;
                let Ok(index) = with(&bytes) else { continue };
                let _ = index.verify();
                let allow = Bitmap::from_fn(120, |row| row % 3 > 0);
                for nprobe in [1, 4] {
                    let params = SearchParams { limit: 5, nprobe: Some(nprobe), ..SearchParams::default() };
                    let hits = index.search(&queries, &params, Some(&allow), &mut Scratch::default()).unwrap();
                    assert!(hits.len() <= 5);
                }
            }
        }
    }
}

/// The same bytes on any number of threads.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn threads_change_no_byte() {
    let (data, _) = clustered(11, 2500, 0, 32);
    for index_type in TYPES {
        let bytes = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let sections = pool.install(|| sections(index_type, &data, 32, Metric::Cosine, 50).1);
            sections.into_sections().map(|section| section.bytes.into_owned()).collect::<Vec<_>>()
        };
        assert!(bytes(1) == bytes(4), "{index_type}");
    }
}

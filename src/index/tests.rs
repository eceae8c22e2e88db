//! Flat and scan held against the plain definition.

use super::*;
use crate::words::random::SplitMix64;
use crate::words::{Code, Metric, Precision};
use std::borrow::Cow;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

pub(super) const NEITHER: &[Precision] = &[];
pub(super) const INT8: &[Precision] = &[Precision::Int8];
const F32: &[Precision] = &[Precision::F32];
pub(super) const BOTH: &[Precision] = &[Precision::Int8, Precision::F32];

fn normal(seed: u64, count: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| random.normal_f32()).collect()
}

/// Rows in clusters, as embeddings lie, and queries like them.
pub(super) fn clustered(seed: u64, rows: usize, queries: usize, dimension: usize) -> (Vec<f32>, Vec<f32>) {
    let mut random = SplitMix64::new(seed);
    let centres = normal(seed + 1, 30 * dimension);
    let mut draw = |count: usize| {
        let mut data = Vec::with_capacity(count * dimension);
        for _ in 0..count {
            let centre = random.below(30) as usize * dimension;
            data.extend((0..dimension).map(|i| 0.3 + centres[centre + i] + 0.7 * random.normal_f32()));
        }
        data
    };
    (draw(rows), draw(queries))
}

fn build(index_type: IndexType, data: &[f32], dimension: usize, metric: Metric, precisions: &[Precision]) -> Index {
    build_in_bits(index_type, data, dimension, metric, precisions, 1)
}

pub(super) fn build_in_bits(
    index_type: IndexType,
    data: &[f32],
    dimension: usize,
    metric: Metric,
    precisions: &[Precision],
    bits: u32,
) -> Index {
    let rows = MatrixView::new(data, dimension).unwrap();
    let params = BuildParams { metric, precisions: precisions.to_vec(), bits, seed: 5, ..BuildParams::default() };
    let sections = Index::build(index_type, rows, &params, &|_, _| ()).unwrap();
    let shape = Shape { index_type, metric, count: rows.rows(), dimension };
    let index = Index::open(&shape, &sections.to_blobs().unwrap()).unwrap();
    index.verify().unwrap();
    index
}

/// By the definition, in f64.
pub(super) fn exact(data: &[f32], query: &[f32], metric: Metric, limit: usize, allow: Option<&Bitmap>) -> Vec<Hit> {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    let length = |a: &[f32]| product(a, a).sqrt();
    let mut hits: Vec<Hit> = data
        .chunks_exact(query.len())
        .enumerate()
        .filter(|(row, _)| allow.is_none_or(|a| a.contains(*row)))
        .map(|(row, x)| {
            let distance = match metric {
                Metric::L2 => product(x, x) - 2.0 * product(x, query) + product(query, query),
                Metric::Cosine if length(x) == 0.0 || length(query) == 0.0 => 0.0,
                Metric::Cosine => -product(x, query) / length(x) / length(query),
                _ => -product(x, query),
            };
            Hit { row: row as u32, distance: distance as f32 }
        })
        .collect();
    hits.sort_by(Hit::order);
    hits.truncate(limit);
    hits
}

/// Share of the exact hits' distances that were reached.
fn recall(found: &[Hit], exact: &[Hit]) -> f64 {
    let Some(last) = exact.last() else { return 1.0 };
    let slack = 1e-5 * last.distance.abs().max(1.0);
    found.iter().filter(|hit| hit.distance <= last.distance + slack).count() as f64 / exact.len() as f64
}

pub(super) fn mean_recall(
    index: &Index,
    data: &[f32],
    queries: &[f32],
    params: &SearchParams,
    allow: Option<&Bitmap>,
) -> f64 {
    let shape = *index.shape();
    let mut scratch = Scratch::default();
    let recalls = queries.chunks_exact(shape.dimension).map(|query| {
        let hits = index.search(query, params, allow, &mut scratch).unwrap();
        let given = |hit: &Hit| Hit { row: index.rows().given(hit.row), ..*hit };
        assert!(hits.is_sorted_by(|a, b| given(a).order(&given(b)).is_lt()), "{hits:?}");
        assert!(hits.iter().all(|hit| allow.is_none_or(|a| a.contains(hit.row as usize))));
        let exact = exact(data, query, shape.metric, params.limit, allow);
        assert_eq!(hits.len(), exact.len());
        // The true distances of what was found: those that an int8 or code search gives are rounded.
        let all = self::exact(data, query, shape.metric, shape.count, None);
        let distance = |row| all.iter().find(|h| h.row == row).unwrap().distance;
        let found: Vec<Hit> = hits.iter().map(|h| Hit { row: h.row, distance: distance(h.row) }).collect();
        recall(&found, &exact)
    });
    let recalls: Vec<f64> = recalls.collect();
    recalls.iter().sum::<f64>() / recalls.len() as f64
}

#[test]
fn flat_finds_what_the_definition_finds() {
    for dimension in [1, 3, 24, 100] {
        let (data, queries) = clustered(1, 700, 20, dimension);
        for &metric in Metric::DENSE {
            for limit in [1, 10, 699, 5000] {
                let params = SearchParams { limit, ..Default::default() };
                let flat = build(IndexType::Flat, &data, dimension, metric, F32);
                assert_eq!(mean_recall(&flat, &data, &queries, &params, None), 1.0, "{metric} {dimension} {limit}");
            }
        }
    }
}

#[test]
fn scans_recall_nearly_everything_in_any_dimension() {
    for dimension in [1, 2, 8, 17, 64, 128, 384] {
        let (data, queries) = clustered(2, 2000, 25, dimension);
        for &metric in Metric::DENSE {
            for limit in [1, 10, 100] {
                let params = SearchParams { limit, ..Default::default() };
                for precisions in [F32, BOTH] {
                    let scan = build(IndexType::ScanRabitq, &data, dimension, metric, precisions);
                    let recall = mean_recall(&scan, &data, &queries, &params, None);
                    assert!(recall >= 0.99, "{metric} {dimension} {precisions:?} limit {limit}: {recall}");
                }
                // What 8 bits can tell apart is another question: the reference is an exact search over them.
                let scan = build(IndexType::ScanRabitq, &data, dimension, metric, INT8);
                let mut scratch = Scratch::default();
                let mut of =
                    |query, exact| scan.search(query, &SearchParams { exact, ..params }, None, &mut scratch).unwrap();
                let recalls = queries.chunks_exact(dimension).map(|query| recall(&of(query, false), &of(query, true)));
                let mean = recalls.sum::<f64>() / 25.0;
                assert!(mean >= 0.99, "{metric} {dimension} int8 limit {limit}: {mean}");
            }
        }
    }
}

#[test]
fn a_fixed_number_reranked_and_codes_alone_recall_what_they_can() {
    let (data, queries) = clustered(3, 3000, 25, 256);
    for &metric in Metric::DENSE {
        let scan = build(IndexType::ScanRabitq, &data, 256, metric, BOTH);
        let codes = build(IndexType::ScanRabitq, &data, 256, metric, NEITHER);
        let of = |index, rerank| {
            let params = SearchParams { rerank, ..Default::default() };
            mean_recall(index, &data, &queries, &params, None)
        };
        let (all, many, none) = (of(&scan, Some(3000)), of(&scan, Some(200)), of(&scan, Some(0)));
        assert!(all == 1.0 && many > 0.95 && none > 0.3 && none < many, "{metric}: {all} {many} {none}");
        assert_eq!(of(&codes, None), none);
    }
}

#[test]
fn filters_are_exact_at_every_selectivity() {
    let (data, queries) = clustered(4, 3000, 10, 48);
    for &metric in Metric::DENSE {
        for index_type in [IndexType::Flat, IndexType::ScanRabitq] {
            let index = build(index_type, &data, 48, metric, F32);
            for every in [1, 2, 3, 7, 40, 400, 2999] {
                let allow = Bitmap::from_fn(3000, |row| row % every == every - 1);
                let recall = mean_recall(&index, &data, &queries, &SearchParams::default(), Some(&allow));
                assert!(recall >= 0.99, "{index_type} {metric} 1 of {every}: {recall}");
            }
            let mut scratch = Scratch::default();
            let none = Bitmap::none(3000);
            let hits = index.search(&queries[..48], &SearchParams::default(), Some(&none), &mut scratch).unwrap();
            assert_eq!(hits, []);
        }
    }
}

#[test]
fn a_batch_answers_as_each_query_alone() {
    let (data, queries) = clustered(11, 1000, 2 * BatchScratch::QUERIES + 3, 40);
    let mut random = SplitMix64::new(12);
    let mut some = Bitmap::none(1000);
    (0..1000).filter(|_| random.below(3) == 0).for_each(|row| some.insert(row));
    let mut few = Bitmap::none(1000);
    (100..160).for_each(|row| few.insert(row));
    let queries = MatrixView::new(&queries, 40).unwrap();
    let (mut batch, mut scratch) = (BatchScratch::default(), Scratch::default());
    for index_type in [IndexType::Flat, IndexType::ScanRabitq, IndexType::Hnsw] {
        for precisions in if index_type == IndexType::Hnsw { &[INT8][..] } else { &[INT8, BOTH] } {
            let index = build(index_type, &data, 40, Metric::L2, precisions);
            for rerank in [None, Some(0), Some(30)] {
                for allow in [None, Some(&some), Some(&few)] {
                    let params = SearchParams { limit: 25, rerank, ..Default::default() };
                    let together = index.search_batch(queries, &params, allow, &mut batch).unwrap();
                    assert_eq!(together.len(), queries.rows());
                    for (query, found) in queries.iter().zip(&together) {
                        let alone = index.search(query, &params, allow, &mut scratch).unwrap();
                        assert_eq!(*found, alone, "{index_type} {precisions:?} {rerank:?}");
                    }
                }
            }
        }
    }
    let index = build(IndexType::ScanRabitq, &data, 40, Metric::L2, INT8);
    let nothing = MatrixView::new(&[], 40).unwrap();
    assert_eq!(
        index.search_batch(nothing, &SearchParams::default(), None, &mut batch).unwrap(),
        Vec::<Vec<Hit>>::new()
    );
}

#[test]
fn exact_on_a_scan_equals_flat() {
    let (data, queries) = clustered(5, 900, 5, 33);
    for &metric in Metric::DENSE {
        for precisions in [INT8, F32, BOTH] {
            let scan = build(IndexType::ScanRabitq, &data, 33, metric, precisions);
            let flat = build(IndexType::Flat, &data, 33, metric, precisions);
            let params = SearchParams { exact: true, ..Default::default() };
            let queries = MatrixView::new(&queries, 33).unwrap();
            let mut scratch = BatchScratch::default();
            let found = scan.search_batch(queries, &params, None, &mut scratch).unwrap();
            assert_eq!(found, flat.search_batch(queries, &params, None, &mut scratch).unwrap());
        }
    }
    let codes = build(IndexType::ScanRabitq, &data, 33, Metric::L2, NEITHER);
    let params = SearchParams { exact: true, ..Default::default() };
    let error = codes.search(&queries[..33], &params, None, &mut Scratch::default()).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
}

#[test]
fn few_equal_and_zero_rows_are_found_in_row_order() {
    for &metric in Metric::DENSE {
        for precisions in [NEITHER, INT8, F32, BOTH] {
            for count in [0usize, 1, 31, 32, 33, 500] {
                for value in [0.0, 2.5] {
                    let scan = build(IndexType::ScanRabitq, &vec![value; count * 5], 5, metric, precisions);
                    let mut scratch = Scratch::default();
                    let params = SearchParams { limit: 40, ..Default::default() };
                    let hits = scan.search(&[1.0; 5], &params, None, &mut scratch).unwrap();
                    let rows: Vec<u32> = hits.iter().map(|hit| hit.row).collect();
                    let expected: Vec<u32> = (0..count.min(40) as u32).collect();
                    assert_eq!(rows, expected, "{metric} {precisions:?} {count} rows of {value}");
                    assert!(hits.iter().all(|hit| hit.distance.is_finite()));
                    scan.search(&[0.0; 5], &params, None, &mut scratch).unwrap();
                }
            }
        }
    }
}

#[test]
fn bad_searches_are_refused() {
    let data = normal(6, 400 * 4);
    for index_type in [IndexType::Flat, IndexType::ScanRabitq] {
        let index = build(index_type, &data, 4, Metric::L2, F32);
        let code = |query: &[f32], limit| {
            let params = SearchParams { limit, ..Default::default() };
            index.search(query, &params, None, &mut Scratch::default()).unwrap_err().code
        };
        assert_eq!(code(&[1.0; 3], 1), Code::DimensionMismatch);
        assert_eq!(code(&[1.0, 2.0, f32::NAN, 0.0], 1), Code::InvalidVector);
        assert_eq!(code(&[1.0; 4], 0), Code::InvalidArgument);
    }
}

#[test]
fn scratch_carries_nothing_over() {
    let (data, queries) = clustered(7, 1500, 12, 64);
    let (small, _) = clustered(8, 300, 0, 17);
    let large = build(IndexType::ScanRabitq, &data, 64, Metric::Cosine, BOTH);
    let small = build(IndexType::ScanRabitq, &small, 17, Metric::L2, INT8);
    let mut shared = Scratch::default();
    for query in queries.chunks_exact(64) {
        let params = SearchParams::default();
        let fresh = large.search(query, &params, None, &mut Scratch::default()).unwrap();
        small.search(&query[..17], &SearchParams { limit: 50, ..params }, None, &mut shared).unwrap();
        assert_eq!(large.search(query, &params, None, &mut shared).unwrap(), fresh);
    }
}

#[test]
fn builds_are_the_same_bytes_and_depend_on_the_seed() {
    // Multiples of 1/8: the logarithms behind normal numbers may differ from one machine's library to another's.
    let mut random = SplitMix64::new(9);
    let data: Vec<f32> = (0..1000 * 40).map(|_| (random.below(64) as f32 - 20.0) / 8.0).collect();
    let rows = MatrixView::new(&data, 40).unwrap();
    let build = |seed| {
        let params =
            BuildParams { metric: Metric::L2, precisions: BOTH.to_vec(), bits: 4, seed, ..BuildParams::default() };
        let steps = std::sync::Mutex::new((0, 0));
        let sections = Scan::build(IndexType::ScanRabitq, rows, &params, &|done, of| {
            let mut steps = steps.lock().unwrap();
            *steps = (steps.0.max(done), of);
        });
        assert_eq!(*steps.lock().unwrap(), (4000, 4000));
        sections.unwrap()
    };
    let (a, b, c) = (build(1), build(1), build(2));
    assert_eq!((&a.codes, &a.rotation, &a.rows_i8, &a.extended), (&b.codes, &b.rotation, &b.rows_i8, &b.extended));
    assert_ne!(a.codes, c.codes);
    // The bytes that every machine writes. A change here is a change of what files hold.
    let hash = |bytes: &Option<Cow<'_, [u8]>>| crate::format::checksum(bytes.as_ref().unwrap());
    assert_eq!(
        [hash(&a.rotation), hash(&a.centroids), hash(&a.codes), hash(&a.rows_i8), hash(&a.extended)],
        [11520051697841629764, 4902396070442629717, 16388985133038586991, 10928396107940848937, 7884245943752409834]
    );
}

fn part<'a, 'd>(sections: &'a mut Built<'d>, i: usize) -> &'a mut Option<Cow<'d, [u8]>> {
    let parts = [
        &mut sections.rotation,
        &mut sections.centroids,
        &mut sections.lists,
        &mut sections.codes,
        &mut sections.rows_i8,
        &mut sections.rows_f32,
        &mut sections.extended,
    ];
    parts.into_iter().nth(i).unwrap()
}

#[test]
fn damaged_sections_are_refused_without_a_panic() {
    let (data, queries) = clustered(10, 70, 1, 12);
    let rows = MatrixView::new(&data, 12).unwrap();
    let params = BuildParams { metric: Metric::Ip, precisions: BOTH.to_vec(), bits: 3, ..BuildParams::default() };
    let sections = Scan::build(IndexType::ScanRabitq, rows, &params, &|_, _| ()).unwrap();
    let shape = Shape { index_type: IndexType::ScanRabitq, metric: Metric::Ip, count: 70, dimension: 12 };
    let open = |shape: &Shape, sections: &Built<'_>| Index::open(shape, &sections.to_blobs().unwrap());
    open(&shape, &sections).unwrap().verify().unwrap();

    for i in 0..7 {
        let mut damaged = sections.clone();
        let whole = part(&mut damaged, i).clone().unwrap();
        for len in [0, 1, whole.len() - 1, whole.len() + 1, whole.len() + 64] {
            let mut bytes = whole.to_vec();
            bytes.resize(len, 0);
            *part(&mut damaged, i) = Some(bytes.into());
            assert_eq!(open(&shape, &damaged).unwrap_err().code, Code::CorruptFile, "part {i}, {len} bytes");
        }
        *part(&mut damaged, i) = None;
        assert_eq!(open(&shape, &damaged).is_ok(), i > 3, "part {i} left out");

        // Whatever single bytes hold, a search ends with no more hits than were asked for.
        for at in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 0xFF;
            *part(&mut damaged, i) = Some(bytes.into());
            let Ok(index) = open(&shape, &damaged) else { continue };
            let _ = index.verify();
            for rerank in [None, Some(0), Some(20)] {
                let params = SearchParams { limit: 5, rerank, ..Default::default() };
                let allow = Bitmap::all(70);
                let hits = index.search(&queries, &params, Some(&allow), &mut Scratch::default()).unwrap();
                assert!(hits.len() <= 5);
            }
        }
    }
    for count in [0, 69, 64, 71, usize::MAX / 8, usize::MAX] {
        assert_eq!(open(&Shape { count, ..shape }, &sections).unwrap_err().code, Code::CorruptFile, "{count}");
    }
    for dimension in [0, 11, 13, 16, 1 << 31, usize::MAX] {
        assert_eq!(open(&Shape { dimension, ..shape }, &sections).unwrap_err().code, Code::CorruptFile, "{dimension}");
    }
}

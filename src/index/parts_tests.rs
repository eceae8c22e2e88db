//! Product-quantized codes in lists, searched with rows and without.

use super::tests::{BOTH, NEITHER, clustered, mean_recall};
use super::*;
use crate::words::{Code, Metric, Precision};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Searches that look everywhere: what is left to err are the codes.
fn everywhere() -> SearchParams {
    SearchParams { nprobe: Some(1000), ..SearchParams::default() }
}

fn build(
    data: &[f32],
    dimension: usize,
    metric: Metric,
    precisions: &[Precision],
    m: Option<usize>,
    nbits: u32,
) -> (Index, Vec<f32>) {
    let rows = MatrixView::new(data, dimension).unwrap();
    let params = BuildParams { metric, precisions: precisions.to_vec(), m, nbits, seed: 5, ..BuildParams::default() };
    let sections = Index::build(IndexType::IvfPq, rows, &params, &|_, _| ()).unwrap();
    let shape = Shape { index_type: IndexType::IvfPq, metric, count: rows.rows(), dimension };
    let index = Index::open(&shape, &sections.to_blobs().unwrap()).unwrap();
    index.verify().unwrap();
    // The vectors, in the order in which the index has its rows.
    let row = |row: usize| &data[index.rows().given(row as u32) as usize * dimension..][..dimension];
    let ordered = (0..rows.rows()).flat_map(row).copied().collect();
    (index, ordered)
}

#[test]
fn more_bits_recall_more_without_rows() {
    let (data, queries) = clustered(3, 700, 10, 32);
    for metric in [Metric::L2, Metric::Ip] {
        let mut last = 0.0;
        for (m, nbits, floor) in [(3, 4, 0.2), (8, 4, 0.3), (8, 8, 0.5), (17, 8, 0.7), (32, 8, 0.9)] {
            let (index, ordered) = build(&data, 32, metric, NEITHER, Some(m), nbits);
            let recall = mean_recall(&index, &ordered, &queries, &everywhere(), None);
            assert!(recall >= floor && recall > last, "{metric} {m} parts of {nbits} bits: {recall}, {last}");
            last = recall;
        }
    }
}

#[test]
fn codes_and_rows_together_recall_nearly_everything() {
    for (dimension, m) in [(1, None), (17, Some(5)), (40, None), (40, Some(1))] {
        let (data, queries) = clustered(2, 600, 15, dimension);
        for &metric in Metric::DENSE {
            for nbits in [4, 8] {
                let (index, ordered) = build(&data, dimension, metric, BOTH, m, nbits);
                for (rerank, floor) in [(None, 0.98), (Some(2000), 1.0)] {
                    let params = SearchParams { rerank, ..everywhere() };
                    let recall = mean_recall(&index, &ordered, &queries, &params, None);
                    let what = format!("{metric} {dimension} in {m:?} of {nbits} bits, {rerank:?}");
                    assert!(recall >= floor, "{what}: {recall}");
                }
            }
        }
    }
}

#[test]
fn filters_are_exact_over_parts_alone() {
    let (data, queries) = clustered(4, 900, 10, 24);
    let (index, ordered) = build(&data, 24, Metric::Cosine, NEITHER, Some(24), 8);
    for every in [1, 7, 100, 899] {
        let allow = Bitmap::from_fn(900, |row| row % every == every - 1);
        let recall = mean_recall(&index, &ordered, &queries, &everywhere(), Some(&allow));
        assert!(recall >= 0.9, "1 of {every}: {recall}");
    }
}

#[test]
fn a_batch_finds_what_single_queries_find() {
    let (data, queries) = clustered(6, 800, 20, 30);
    for (precisions, nbits) in [(BOTH, 4), (BOTH, 8), (NEITHER, 4), (NEITHER, 8)] {
        let (index, _) = build(&data, 30, Metric::L2, precisions, Some(7), nbits);
        let params = SearchParams { limit: 7, ..SearchParams::default() };
        let mut scratch = Scratch::default();
        let single: Vec<Vec<Hit>> =
            (queries.chunks_exact(30)).map(|query| index.search(query, &params, None, &mut scratch).unwrap()).collect();
        let queries = MatrixView::new(&queries, 30).unwrap();
        let batch = index.search_batch(queries, &params, None, &mut BatchScratch::default()).unwrap();
        assert_eq!(batch, single);
    }
}

#[test]
fn bad_wishes_and_missing_sections_are_refused() {
    let (data, _) = clustered(8, 200, 1, 12);
    let rows = MatrixView::new(&data, 12).unwrap();
    for (m, nbits) in [(Some(0), 8), (Some(13), 8), (None, 7), (None, u32::MAX)] {
        let params = BuildParams { m, nbits, ..BuildParams::default() };
        let error = Index::build(IndexType::IvfPq, rows, &params, &|_, _| ()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }
    for nbits in [4, 8] {
        let params = BuildParams { nbits, ..BuildParams::default() };
        let sections = Index::build(IndexType::IvfPq, rows, &params, &|_, _| ()).unwrap().to_blobs().unwrap();
        let shape = Shape { index_type: IndexType::IvfPq, metric: Metric::Cosine, count: 200, dimension: 12 };
        let code = |sections: &Sections<Blob>| Index::open(&shape, sections).err().map(|error| error.code);
        assert_eq!(code(&sections), None);
        assert_eq!(code(&Sections { codebooks: None, ..sections.clone() }), Some(Code::CorruptFile));
        // With 4 bits there is nothing past what is scanned, with 8 there must be.
        let extended = if nbits == 4 { sections.codes.clone() } else { None };
        assert_eq!(code(&Sections { extended, ..sections.clone() }), Some(Code::CorruptFile));
    }
}

/// The same bytes on any number of threads.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn threads_change_no_byte() {
    let (data, _) = clustered(11, 800, 0, 32);
    let rows = MatrixView::new(&data, 32).unwrap();
    for (m, nbits) in [(8, 4), (5, 8)] {
        let bytes = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let params = BuildParams { m: Some(m), nbits, ..BuildParams::default() };
            let sections = pool.install(|| Index::build(IndexType::IvfPq, rows, &params, &|_, _| ()).unwrap());
            sections.into_sections().map(|section| section.bytes.into_owned()).collect::<Vec<_>>()
        };
        assert!(bytes(1) == bytes(4), "{nbits}");
    }
}

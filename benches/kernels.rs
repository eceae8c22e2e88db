//! What the kernels cost, and the searches made of them: `cargo bench --bench kernels`.
//!
//! Rows are random. Times of the searches say what a scan and a comparison of so many rows cost; what
//! they find is measured on real vectors elsewhere.

use divan::{Bencher, black_box, counter::BytesCount};
use elanus::distance::{BLOCK_ROWS, LookupTables, kernels};
use elanus::index::{BuildParams, Index, Scratch, SearchParams, Shape};
use elanus::quantize::rabitq::{Query, block_bytes};
use elanus::quantize::rotation::{Rotation, draw_signs};
use elanus::words::random::SplitMix64;
use elanus::words::{IndexType, MatrixView, Metric, Precision};

const DIMENSIONS: &[usize] = &[16, 100, 384, 1536];

fn main() {
    eprintln!("kernels: {}", kernels().name);
    divan::main();
}

fn normal(count: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(1);
    (0..count).map(|_| random.normal_f32()).collect()
}

#[divan::bench(args = DIMENSIONS)]
fn dot(bencher: Bencher<'_, '_>, dimension: usize) {
    let (a, b) = (normal(dimension), normal(dimension));
    bencher.bench(|| (kernels().dot)(black_box(&a), black_box(&b)));
}

#[divan::bench(args = DIMENSIONS)]
fn l2(bencher: Bencher<'_, '_>, dimension: usize) {
    let (a, b) = (normal(dimension), normal(dimension));
    bencher.bench(|| (kernels().l2)(black_box(&a), black_box(&b)));
}

#[divan::bench(args = DIMENSIONS)]
fn dot_i8(bencher: Bencher<'_, '_>, dimension: usize) {
    let (row, query) = (vec![3i8; dimension], vec![500i16; dimension]);
    bencher.bench(|| (kernels().dot_i8)(black_box(&row), black_box(&query)));
}

/// Bounds of 1,024 rows whose codes are in the cache.
#[divan::bench(args = DIMENSIONS)]
fn scan_1024_rows(bencher: Bencher<'_, '_>, dimension: usize) {
    let blocks = vec![0x5A; 32 * block_bytes(dimension)];
    let entries = vec![7; dimension.next_multiple_of(8) * 4];
    let tables = LookupTables::new(&entries, 1.0, 0.0, 1.0);
    let (mut bounds, mut hits) = (vec![[0.0; BLOCK_ROWS]; 32], vec![0; 32]);
    bencher
        .counter(BytesCount::of_slice(&blocks))
        .bench_local(|| (kernels().scan)(black_box(&blocks), &tables, f32::MIN, &mut bounds, &mut hits));
}

/// Rotation and tables of a query.
#[divan::bench(args = DIMENSIONS)]
fn prepare_query(bencher: Bencher<'_, '_>, dimension: usize) {
    let rotation = Rotation::new(&draw_signs(dimension, 1), dimension).unwrap();
    let (vector, centroid) = (normal(dimension), vec![0.0; dimension]);
    let mut query = Query::default();
    bencher.bench_local(|| query.prepare(black_box(&vector), &centroid, &rotation, None, Metric::L2));
}

const ROWS: usize = 50_000;

fn search(bencher: Bencher<'_, '_>, index_type: IndexType, dimension: usize, rerank: Option<usize>) {
    let data = normal(ROWS * dimension);
    let rows = MatrixView::new(&data, dimension).unwrap();
    let precisions = vec![Precision::Int8, Precision::F32];
    let params = BuildParams { metric: Metric::Cosine, precisions, ..Default::default() };
    let built = Index::build(index_type, rows, &params, &|_, _| ()).unwrap();
    let shape = Shape { index_type, metric: Metric::Cosine, count: ROWS, dimension };
    let index = Index::open(&shape, &built.to_blobs().unwrap()).unwrap();
    let params = SearchParams { rerank, ..Default::default() };
    let mut scratch = Scratch::default();
    bencher.bench_local(|| index.search(black_box(&data[..dimension]), &params, None, &mut scratch).unwrap());
}

#[divan::bench(args = [100, 384], sample_count = 20)]
fn search_50k_flat(bencher: Bencher<'_, '_>, dimension: usize) {
    search(bencher, IndexType::Flat, dimension, None);
}

#[divan::bench(args = [100, 384])]
fn search_50k_scan_100_reranked(bencher: Bencher<'_, '_>, dimension: usize) {
    search(bencher, IndexType::ScanRabitq, dimension, Some(100));
}

//! Filters that let pass all rows, one, and shares between: each index type against the plain definition.
//!
//! How a filtered search goes is chosen by how many rows pass: over many of them as ever, with the others masked; where
//! that would cost more than comparing the few that pass, these are compared, and the answer is exact.

use crate::data::{INDEX_TYPES, distances, open};
use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::index::BuildParams;
use elanus::index::sparse::{Bm25Params, SparseBuilder, SparseVector, TextBuilder};
use elanus::segment::{Input, MAX_LIMIT, PrimaryKeys, Query, Request, Scratch, Sealed, build};
use elanus::text::Analyzer;
use elanus::words::random::SplitMix64;
use elanus::words::{Hit, IndexType, MatrixView, Metric, Precision};

const ROWS: usize = 10_000;
const DIMENSION: usize = 12;
const QUERIES: usize = 10;
const LIMIT: usize = 10;

/// Rows that pass: all, a half, a tenth, and so on, and one in 10,000: a single one.
const PASS: [usize; 7] = [ROWS, ROWS / 2, ROWS / 10, ROWS / 100, ROWS / 1000, 2, 1];

/// So few are compared one by one, whatever the index.
const FEW: usize = 200;

/// Which rows pass: any, or those of one side of the space, which most queries are far from.
const FIELDS: [&str; 2] = ["any", "side"];

/// Rows in clusters, then the queries; and per field the place of each row.
fn draw() -> (Vec<f32>, Vec<f32>, [Vec<usize>; 2]) {
    let mut random = SplitMix64::new(77);
    let centres: Vec<f32> = (0..60 * DIMENSION).map(|_| random.normal_f32()).collect();
    let mut data: Vec<f32> = Vec::new();
    for _ in 0..ROWS + QUERIES {
        let centre = random.below(60) as usize * DIMENSION;
        data.extend((0..DIMENSION).map(|i| centres[centre + i] + 0.4 * random.normal_f32()));
    }
    let queries = data.split_off(ROWS * DIMENSION);
    let keys: Vec<u32> = (0..ROWS).map(|_| random.below(1 << 31)).collect();
    let place = |order: Vec<usize>| {
        let mut place = vec![0; ROWS];
        order.into_iter().enumerate().for_each(|(at, row)| place[row] = at);
        place
    };
    let (mut any, mut side): (Vec<usize>, Vec<usize>) = ((0..ROWS).collect(), (0..ROWS).collect());
    any.sort_by_key(|&row| keys[row]);
    side.sort_by(|&a, &b| data[a * DIMENSION].total_cmp(&data[b * DIMENSION]));
    (data, queries, [place(any), place(side)])
}

fn columns(places: &[Vec<usize>; 2]) -> ColumnsBuilder {
    let mut columns = ColumnsBuilder::new(FIELDS.map(|name| (name, FieldType::Int64))).unwrap();
    for row in 0..ROWS {
        for (field, places) in places.iter().enumerate() {
            columns.push(field, Value::Int64(places[row] as i64)).unwrap();
        }
    }
    columns
}

/// What is found, by the numbers that rows were given by.
fn search(sealed: &Sealed, request: &Request<'_>, scratch: &mut Scratch) -> Vec<Hit> {
    let hits = sealed.search(request, scratch).unwrap();
    hits.iter().map(|hit| Hit { row: sealed.given(hit.row).unwrap(), ..*hit }).collect()
}

/// The recall that is reached where many pass. What has f32 rows and no index is exact.
fn floor(index_type: IndexType) -> f64 {
    match index_type {
        IndexType::Flat => 1.0,
        IndexType::ScanRabitq => 0.98,
        _ => 0.95,
    }
}

#[test]
fn every_index_type_is_right_at_every_selectivity() {
    let (data, queries, places) = draw();
    let exact: Vec<Vec<f64>> =
        queries.chunks_exact(DIMENSION).map(|query| distances(&data, DIMENSION, query, Metric::L2)).collect();
    for &index_type in INDEX_TYPES {
        let input = Input {
            rows: Some(MatrixView::new(&data, DIMENSION).unwrap()),
            bits: None,
            sparse: None,
            text: None,
            index_type,
            params: BuildParams {
                metric: Metric::L2,
                precisions: vec![Precision::Int8, Precision::F32],
                ef_construction: 60,
                ..BuildParams::default()
            },
            keys: PrimaryKeys::RowNumbers,
            columns: Some(columns(&places)),
            fields: None,
            card: None,
        };
        let sealed = open(&build(input, &|_, _| {}).unwrap().into_bytes());
        let mut scratch = Scratch::default();
        for (field, places) in FIELDS.iter().zip(&places) {
            for pass in PASS {
                let filter = format!("{field} < {pass}");
                let mut sum = 0.0;
                for (query, all) in queries.chunks_exact(DIMENSION).zip(&exact) {
                    let mut sorted: Vec<f64> =
                        (0..ROWS).filter(|&row| places[row] < pass).map(|row| all[row]).collect();
                    sorted.sort_by(f64::total_cmp);
                    let near = sorted[LIMIT.min(pass) - 1] * (1.0 + 1e-5);
                    let request = Request { filter: Some(&filter), limit: LIMIT, ..Request::new(query) };
                    let mut asked = vec![request.clone()];
                    if pass <= 10 {
                        // Neither the breadth of a walk nor a number of lists limits what is compared one by one.
                        asked.push(Request { ef: Some(1), nprobe: Some(1), ..request });
                    }
                    for request in &asked {
                        let hits = search(&sealed, request, &mut scratch);
                        assert_eq!(hits.len(), LIMIT.min(pass), "{index_type} {filter}");
                        assert!(hits.iter().all(|hit| places[hit.row as usize] < pass), "{index_type} {filter}");
                        assert!(hits.is_sorted_by(|a, b| a.order(b).is_lt()), "{index_type} {filter}");
                        let found = hits.iter().filter(|hit| all[hit.row as usize] <= near).count();
                        sum += found as f64 / (hits.len() * asked.len()) as f64;
                    }
                }
                let recall = sum / QUERIES as f64;
                let floor = if pass <= FEW { 1.0 } else { floor(index_type) };
                assert!(recall >= floor - 1e-9, "{index_type} {filter}: recall {recall}");
            }
        }
    }
}

/// Words and sparse vectors are exact: a filtered list is the unfiltered one, without what doesn't pass.
#[test]
fn words_and_sparse_vectors_are_exact_at_every_selectivity() {
    let (_, _, places) = draw();
    let mut random = SplitMix64::new(78);
    let mut sparse = SparseBuilder::new();
    let mut text = TextBuilder::new("text", Analyzer::default(), Bm25Params::default()).unwrap();
    for row in 0..ROWS {
        let first = random.below(30);
        let indices = [first, first + 1 + random.below(30), 100 + row as u32 % 500];
        sparse.push(SparseVector { indices: &indices, values: &indices.map(|i| 0.1 + (i % 7) as f32) }).unwrap();
        let often = "common ".repeat(1 + random.below(3) as usize);
        text.push(&format!("{often} w{} w{} r{}", random.below(40), random.below(40), row % 900)).unwrap();
    }
    let input = Input {
        rows: None,
        bits: None,
        sparse: Some(sparse),
        text: Some(text),
        index_type: IndexType::SparseInvertedIndex,
        params: BuildParams::default(),
        keys: PrimaryKeys::RowNumbers,
        columns: Some(columns(&places)),
        fields: None,
        card: None,
    };
    let sealed = open(&build(input, &|_, _| {}).unwrap().into_bytes());
    let mut scratch = Scratch::default();
    let vector = SparseVector { indices: &[3, 17, 40, 333], values: &[1.0, 0.5, 2.0, 1.5] };
    for query in [Query::Sparse(vector), Query::Text("w7 r33 w12"), Query::Text("r5")] {
        let all = search(&sealed, &Request { limit: MAX_LIMIT, ..Request::new(query) }, &mut scratch);
        assert!(all.len() > LIMIT && all.len() < MAX_LIMIT, "{query:?}: {} have something of it", all.len());
        for (field, places) in FIELDS.iter().zip(&places) {
            for pass in PASS {
                let filter = format!("{field} < {pass}");
                let request = Request { filter: Some(&filter), limit: LIMIT, ..Request::new(query) };
                let hits = search(&sealed, &request, &mut scratch);
                let passing = all.iter().filter(|hit| places[hit.row as usize] < pass).take(LIMIT);
                assert!(hits.iter().eq(passing), "{query:?} {filter}: {hits:?}");
            }
        }
    }
}

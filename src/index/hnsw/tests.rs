use super::extract::Fields;
use super::graph::{Graph, Layer, write};
use super::*;
use crate::index::Index;
use crate::words::bytes::as_bytes;
use crate::words::random::SplitMix64;
use crate::words::{Code, Metric, Precision, Window};
use serde::Serialize;
use std::sync::Mutex;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const BOTH: [Precision; 2] = [Precision::Int8, Precision::F32];

/// Rows around a few centres, as embeddings are.
fn clustered(random: &mut SplitMix64, count: usize, dimension: usize) -> Vec<f32> {
    let centres: Vec<f32> = (0..20 * dimension).map(|_| random.normal_f32()).collect();
    (0..count)
        .flat_map(|_| {
            let centre = random.below(20) as usize * dimension;
            (0..dimension).map(|i| centres[centre + i] + 0.6 * random.normal_f32()).collect::<Vec<_>>()
        })
        .collect()
}

fn params(metric: Metric, precisions: &[Precision]) -> BuildParams {
    BuildParams { metric, precisions: precisions.to_vec(), ef_construction: 60, seed: 7, ..BuildParams::default() }
}

fn build<'a>(data: &'a [f32], dimension: usize, params: &BuildParams) -> (Shape, Built<'a>) {
    let rows = MatrixView::new(data, dimension).unwrap();
    let shape = Shape { index_type: IndexType::Hnsw, metric: params.metric, count: rows.rows(), dimension };
    (shape, Hnsw::build(IndexType::Hnsw, rows, params, &|_, _| ()).unwrap())
}

fn index(data: &[f32], dimension: usize, params: &BuildParams) -> Hnsw {
    let (shape, sections) = build(data, dimension, params);
    let index = Hnsw::open(&shape, &sections.to_blobs().unwrap()).unwrap();
    index.verify().unwrap();
    index
}

fn try_search(index: &Hnsw, query: &[f32], params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>> {
    Index::Hnsw(index.clone()).search(query, params, allow, &mut Scratch::default())
}

fn search(index: &Hnsw, query: &[f32], limit: usize, ef: usize, allow: Option<&Bitmap>) -> Vec<Hit> {
    let params = SearchParams { limit, ef: Some(ef), ..SearchParams::default() };
    let hits = try_search(index, query, &params, allow).unwrap();
    assert!(hits.is_sorted_by(|a, b| a.order(b).is_lt()), "{hits:?}");
    hits
}

fn exact(index: &Hnsw, query: &[f32], limit: usize, allow: Option<&Bitmap>) -> Vec<Hit> {
    let params = SearchParams { limit, exact: true, ..SearchParams::default() };
    try_search(index, query, &params, allow).unwrap()
}

/// How many of the hits are as near as the exact ones.
fn right(hits: &[Hit], exact: &[Hit]) -> usize {
    let Some(last) = exact.last() else { return 0 };
    hits.iter().filter(|hit| hit.distance <= last.distance).count()
}

#[test]
fn a_walk_finds_the_nearest() {
    let mut random = SplitMix64::new(1);
    let all = clustered(&mut random, 2550, 16);
    let (data, queries) = all.split_at(2500 * 16);
    for &metric in Metric::DENSE {
        let (shape, sections) = build(data, 16, &params(metric, &BOTH));
        let both = sections.to_blobs().unwrap();
        let floats = Sections { rows_i8: None, ..both.clone() };
        let bytes = Sections { rows_f32: None, ..both.clone() };
        for (precisions, sections) in [("f32", floats), ("int8", bytes), ("int8 and f32", both)] {
            let index = Hnsw::open(&shape, &sections).unwrap();
            index.verify().unwrap();
            let recall = |ef| {
                let hits = |q| {
                    let hits = search(&index, q, 10, ef, None);
                    assert_eq!(hits.len(), 10);
                    right(&hits, &exact(&index, q, 10, None))
                };
                queries.chunks(16).map(hits).sum::<usize>() as f64 / 500.0
            };
            let (small, large) = (recall(10), recall(70));
            // An inner product is no metric, and its graph is a worse one.
            let least = if metric == Metric::Ip { 0.9 } else { 0.98 };
            assert!(large >= least && large >= small, "{metric} {precisions}: {small} {large}");
            assert!(small < 1.0, "{metric} {precisions}: ef has no effect");
        }
    }
}

#[test]
fn rings_are_walked_through() {
    let mut random = SplitMix64::new(8);
    let all = clustered(&mut random, 3030, 12);
    let (data, queries) = all.split_at(3000 * 12);
    for precisions in [&[Precision::Int8][..], &BOTH] {
        let index = index(data, 12, &params(Metric::L2, precisions));
        let (mut found, mut there) = (0, 0);
        for query in queries.chunks(12) {
            let nearest = exact(&index, query, 400, None);
            // Of the last ring the first walk finds nothing.
            for (inner, outer, limit) in [(0, 5, 10), (3, 25, 10), (30, 60, 40), (100, 110, 5)] {
                let window = Window { from: nearest[inner].distance, below: nearest[outer].distance };
                let params = SearchParams { limit, window, ef: Some(12), ..SearchParams::default() };
                let hits = try_search(&index, query, &params, None).unwrap();
                assert!(hits.iter().all(|hit| window.contains(hit.distance)));
                let ring = &nearest[inner..outer.min(inner + limit)];
                there += ring.len();
                found += hits.iter().filter(|hit| ring.contains(hit)).count();
            }
        }
        let recall = found as f64 / there as f64;
        assert!(recall >= 0.95, "{precisions:?}: {recall}");
    }
}

#[test]
fn few_rows_are_all_found() {
    let mut random = SplitMix64::new(2);
    for count in [0, 1, 2, 3, 31, 32, 33, 64, 65, 111, 112, 150] {
        let data = clustered(&mut random, count, 5);
        let index = index(&data, 5, &params(Metric::L2, &[Precision::F32]));
        let query = [0.1; 5];
        for limit in [1, 10, count.max(1), count + 7] {
            let hits = search(&index, &query, limit, 1, None);
            assert_eq!(hits, exact(&index, &query, limit, None), "{count} rows, limit {limit}");
            assert_eq!(hits.len(), limit.min(count));
        }
        // The search above compares so few rows one by one; the graph must lead to them all too.
        let mut scratch = Scratch::default();
        index.rows.prepare(&query, &mut scratch.query).unwrap();
        scratch.top.reset(count);
        index.walk(&Goal { ef: count, allow: None, hidden: None, budget: usize::MAX }, &mut scratch);
        let mut walked = Vec::new();
        scratch.top.drain_sorted(&mut walked);
        assert_eq!(walked, exact(&index, &query, count.max(1), None), "{count} rows walked");
    }
}

#[test]
fn equal_and_zero_rows_are_rows() {
    let mut data = vec![0.25; 700 * 4];
    data.extend([0.0; 300 * 4]);
    for &metric in Metric::DENSE {
        let index = index(&data, 4, &params(metric, &BOTH));
        for query in [[0.25; 4], [0.0; 4], [-1.0, 0.0, 0.0, 0.5]] {
            for limit in [1, 5, 20, 999, 2000] {
                let hits = search(&index, &query, limit, 20, None);
                assert_eq!(hits.len(), limit.min(1000), "{metric} {query:?}");
                assert_eq!(hits[0].distance, exact(&index, &query, 1, None)[0].distance, "{metric} {query:?}");
            }
        }
    }
}

#[test]
fn a_filter_is_kept_and_filled_at_every_selectivity() {
    let mut random = SplitMix64::new(3);
    let all = clustered(&mut random, 3010, 16);
    let (data, queries) = all.split_at(3000 * 16);
    let index = index(data, 16, &params(Metric::Cosine, &BOTH));
    let mut right_ones = 0;
    let mut wanted_ones = 0;
    for share in [0, 1, 2, 9, 10, 11, 100, 600, 1500, 2700, 2999, 3000] {
        for query in queries.chunks(16) {
            let by_distance = exact(&index, query, 3000, None);
            let mut sets = [Bitmap::none(3000), Bitmap::none(3000)];
            // Spread evenly, and the rows farthest from the query: a walk meets the latter last.
            by_distance.iter().rev().take(share).for_each(|hit| sets[1].insert(hit.row as usize));
            (0..share).for_each(|i| sets[0].insert(i * 3000 / share));
            for allow in &sets {
                let wanted = exact(&index, query, 10, Some(allow));
                let hits = search(&index, query, 10, 40, Some(allow));
                assert_eq!(hits.len(), 10.min(share), "{share}");
                assert!(hits.iter().all(|hit| allow.contains(hit.row as usize)));
                right_ones += right(&hits, &wanted);
                wanted_ones += wanted.len();
            }
        }
    }
    assert!(right_ones as f64 / wanted_ones as f64 > 0.97, "{right_ones} of {wanted_ones}");
}

#[test]
fn a_walk_that_costs_more_than_comparing_everything_gives_up() {
    let mut random = SplitMix64::new(4);
    let data = clustered(&mut random, 2000, 8);
    let index = index(&data, 8, &params(Metric::L2, &[Precision::F32]));
    let mut scratch = Scratch::default();
    index.rows.prepare(&data[..8], &mut scratch.query).unwrap();
    for (budget, found) in [(50, 0), (usize::MAX, 30)] {
        scratch.top.reset(30);
        index.walk(&Goal { ef: 30, allow: None, hidden: None, budget }, &mut scratch);
        assert_eq!(scratch.top.len(), found);
    }
    assert!(walk_pays(100_000, 100_000, 100) && !walk_pays(100_000, 10_000, 100) && !walk_pays(100_000, 0, 1));
}

#[test]
fn the_same_rows_and_seed_give_the_same_bytes() {
    let data = clustered(&mut SplitMix64::new(5), 700, 12);
    let bytes = |seed| build(&data, 12, &BuildParams { seed, ..params(Metric::L2, &BOTH) }).1.graph.unwrap();
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn wrong_parameters_are_refused() {
    let code = |params: &BuildParams| {
        let rows = MatrixView::new(&[1.0, 2.0], 2).unwrap();
        Hnsw::build(IndexType::Hnsw, rows, params, &|_, _| ()).unwrap_err().code
    };
    assert_eq!(code(&params(Metric::L2, &[])), Code::InvalidArgument);
    for ef_construction in [0, MAX_EF_CONSTRUCTION + 1] {
        assert_eq!(code(&BuildParams { ef_construction, ..params(Metric::L2, &BOTH) }), Code::InvalidArgument);
    }
    let index = index(&[1.0, 2.0], 2, &params(Metric::L2, &BOTH));
    let none = SearchParams { ef: Some(0), ..SearchParams::default() };
    let error = try_search(&index, &[1.0, 2.0], &none, None).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
}

#[test]
fn progress_rises_to_its_end() {
    let data = clustered(&mut SplitMix64::new(6), 1000, 4);
    let told = Mutex::new(Vec::new());
    let rows = MatrixView::new(&data, 4).unwrap();
    Hnsw::build(IndexType::Hnsw, rows, &params(Metric::L2, &BOTH), &|done, of| told.lock().unwrap().push((done, of)))
        .unwrap();
    let told = told.into_inner().unwrap();
    assert!(told.is_sorted() && told.len() > 5, "{told:?}");
    assert_eq!(told.last(), Some(&(3000, 3000)));
}

/// A section of numbers, opened over `count` rows.
fn graph(numbers: &[u32], count: usize) -> Result<Graph> {
    Graph::open(&Blob::copy_of(as_bytes(numbers)).unwrap(), count)
}

/// Three rows in a ring, row 1 also in a second layer.
const RING: [u32; 16] =
    [2, 1, 2, 0, 3, 4, 1, 0, /* ends */ 1, 3, 4, /* links */ 1, 0, 2, 1, /* above */ 1];

fn ring() -> Vec<u32> {
    let mut numbers = RING.to_vec();
    numbers.push(0);
    numbers
}

#[test]
fn broken_rules_are_found() {
    graph(&ring(), 3).unwrap().verify().unwrap();
    let refused = |what: &str, at: usize, value: u32| {
        let mut numbers = ring();
        numbers[at] = value;
        let error = graph(&numbers, 3).and_then(|graph| graph.verify()).expect_err(what);
        assert_eq!(error.code, Code::CorruptFile, "{what}");
    };
    refused("no layers", 0, 0);
    refused("too many layers", 0, 33);
    refused("an entry that is no row", 1, 3);
    refused("an entry below the last layer", 1, 2);
    refused("too many links a node", 2, 4097);
    refused("fewer links a node than there are", 2, 1);
    refused("more links a node than there are", 2, 3);
    refused("a reserved number", 3, 1);
    refused("a layer without all rows", 4, 2);
    refused("more links than bytes", 5, 5);
    refused("links past any section", 5, u32::MAX);
    refused("a layer larger than the one below", 6, 4);
    refused("an empty layer", 6, 0);
    refused("ends that fall", 9, 0);
    refused("ends past the links", 10, 5);
    refused("a link to itself", 11, 0);
    refused("a link to no row", 11, 3);
    refused("a link far outside", 11, u32::MAX);
    refused("a link twice", 13, 0);
    refused("a node above that is no row", 15, 9);
    for length in 0..RING.len() {
        assert!(graph(&ring()[..length], 3).is_err(), "{length} numbers");
    }
    assert!(graph(&[ring(), vec![0]].concat(), 3).is_err());
    assert!(graph(&ring(), 0).is_err() && graph(&ring(), 4).is_err());
    assert!(graph(&[0, 0, 0, 0], 0).is_ok());
}

/// Graphs that lie in every way that `open` doesn't look for: a search ends, and finds rows.
#[test]
fn a_search_survives_any_graph() {
    let count = 600;
    let mut random = SplitMix64::new(8);
    let data = clustered(&mut random, count, 6);
    let (shape, sections) = build(&data, 6, &params(Metric::L2, &BOTH));
    let sound = sections.graph.clone().unwrap().into_owned();
    let mut blobs = sections.to_blobs().unwrap();
    let mut scratch = Scratch::default();
    let mut opened = 0;
    let half = Bitmap::from_fn(count, |row| row % 3 != 0);
    let mut try_graph = |bytes: &[u8]| {
        blobs.graph = Some(Blob::copy_of(bytes).unwrap());
        let Ok(index) = Index::open(&shape, &blobs) else { return };
        opened += 1;
        let _ = index.verify();
        for allow in [None, Some(&half)] {
            let params = SearchParams { limit: 5, ef: Some(8), ..SearchParams::default() };
            let hits = index.search(&data[..6], &params, allow, &mut scratch).unwrap();
            assert_eq!(hits.len(), 5);
            assert!(hits.iter().all(|hit| (hit.row as usize) < count));
        }
    };
    for _ in 0..300 {
        let mut bytes = sound.clone();
        for _ in 0..1 + random.below(40) {
            let at = random.below(bytes.len() as u32 / 4) as usize * 4;
            let value = [random.below(count as u32), u32::MAX, random.next_u64() as u32][random.below(3) as usize];
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        try_graph(&bytes);
    }
    // All ends swing between nothing and everything: each second node claims every link.
    let layers = u32::from_le_bytes(sound[..4].try_into().unwrap()) as usize;
    let links = u32::from_le_bytes(sound[20..24].try_into().unwrap());
    let mut bytes = sound.clone();
    for node in 0..count {
        let at = 16 + 8 * layers + 4 * node;
        bytes[at..at + 4].copy_from_slice(&(if node % 2 == 0 { 0 } else { links }).to_le_bytes());
    }
    try_graph(&bytes);
    assert!(opened > 200, "{opened} of 301 reached the walk");
}

#[test]
fn written_layers_are_read_back() {
    let mut layer = Layer::default();
    [[1, 2], [2, 0], [0, 1]].iter().enumerate().for_each(|(row, links)| layer.push(row as u32, links.iter().copied()));
    let mut top = Layer::default();
    top.push(2, std::iter::empty());
    let bytes = write(2, &[layer, top]).unwrap();
    let graph = Graph::open(&Blob::copy_of(&bytes).unwrap(), 3).unwrap();
    graph.verify().unwrap();
    assert_eq!(graph.entry(), Some((2, 1)));
    assert_eq!((graph.links(0, 1), graph.links(1, 2), graph.links(1, 1)), (&[2, 0][..], &[][..], &[][..]));
}

#[test]
fn only_numbers_are_extracted() {
    #[derive(Serialize)]
    struct Good {
        a: Vec<[u32; 2]>,
        b: u32,
    }
    #[derive(Serialize)]
    struct Bad {
        a: &'static str,
    }
    let mut fields = Fields::of(&Good { a: vec![[1, 2], [3, 4]], b: 5 }).unwrap();
    let a = fields.take("a").unwrap();
    assert_eq!((a.lengths, a.values), (vec![2], vec![1, 2, 3, 4]));
    assert_eq!(fields.take("b").unwrap().values, [5]);
    assert!(fields.take("c").is_none());
    assert!(Fields::of(&Bad { a: "x" }).is_err() && Fields::of(&3u32).is_err());
}

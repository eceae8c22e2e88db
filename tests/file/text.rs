//! Files with texts and sparse vectors: alone, and beside dense vectors.

use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::index::BuildParams;
use elanus::index::sparse::{Bm25Params, SparseBuilder, SparseVector, TextBuilder};
use elanus::segment::{Grouping, Input, PrimaryKeys, Query, Request, Rerank, Scratch, Sealed, build};
use elanus::text::Analyzer;
use elanus::words::random::SplitMix64;
use elanus::words::{Bitmap, Blob, Code, Hit, IndexType, MatrixView, Metric};

const ROWS: usize = 1000;
const DIMENSION: usize = 16;

/// Row n's text has `both` if n is even, `n<n>` always, and words that many rows share.
fn text(row: usize) -> String {
    let both = if row.is_multiple_of(2) { "Both " } else { "" };
    format!("{both}n{row} tens{} a a{} 東京{}", row / 10, row % 3, row % 7)
}

fn floats() -> Vec<f32> {
    let mut random = SplitMix64::new(3);
    (0..ROWS * DIMENSION).map(|_| random.below(1000) as f32 / 500.0 - 1.0).collect()
}

fn sparse_row(row: usize) -> ([u32; 2], [f32; 2]) {
    ([row as u32 % 10, 100 + row as u32], [1.0 + row as f32 / 1000.0, 2.0])
}

#[derive(Clone, Copy)]
struct Parts {
    dense: Option<IndexType>,
    sparse: bool,
    text: bool,
}

fn bytes(parts: Parts) -> Vec<u8> {
    let data = floats();
    let mut columns = ColumnsBuilder::new([("third", FieldType::Int64)]).unwrap();
    (0..ROWS).for_each(|row| columns.push(0, Value::Int64(row as i64 % 3)).unwrap());
    let mut texts = TextBuilder::new("title", Analyzer::default(), Bm25Params::default()).unwrap();
    let mut sparse = SparseBuilder::new();
    for row in 0..ROWS {
        texts.push(&text(row)).unwrap();
        let (indices, values) = sparse_row(row);
        sparse.push(SparseVector { indices: &indices, values: &values }).unwrap();
    }
    let input = Input {
        rows: parts.dense.map(|_| MatrixView::new(&data, DIMENSION).unwrap()),
        bits: None,
        index_type: parts.dense.unwrap_or(IndexType::SparseInvertedIndex),
        sparse: parts.sparse.then_some(sparse),
        text: parts.text.then_some(texts),
        params: BuildParams::default(),
        keys: PrimaryKeys::RowNumbers,
        columns: Some(columns),
        fields: None,
        card: None,
    };
    build(input, &|_, _| {}).unwrap().into_bytes()
}

fn open(parts: Parts) -> Sealed {
    let sealed = Sealed::open(Blob::copy_of(&bytes(parts)).unwrap()).unwrap();
    sealed.verify().unwrap();
    sealed
}

const ALL: Parts = Parts { dense: Some(IndexType::ScanRabitq), sparse: true, text: true };

/// Rows by the numbers that they were given by: texts are made from these, and ties go by them.
fn given(sealed: &Sealed, hits: &[Hit]) -> Vec<Hit> {
    hits.iter().map(|hit| Hit { row: sealed.given(hit.row).unwrap(), ..*hit }).collect()
}

fn rows(hits: &[Hit]) -> Vec<u32> {
    hits.iter().map(|hit| hit.row).collect()
}

#[test]
fn each_kind_of_query_is_answered_by_its_index() {
    for dense in [Some(IndexType::ScanRabitq), Some(IndexType::IvfRabitq), None] {
        let sealed = open(Parts { dense, ..ALL });
        let header = sealed.header();
        let expected = match dense {
            Some(index_type) => (Metric::Cosine, index_type, 16),
            None => (Metric::Ip, IndexType::SparseInvertedIndex, 0),
        };
        assert_eq!((header.metric, header.index_type, header.dimension), expected);
        let search =
            |request: Request<'_>| sealed.search(&request, &mut Scratch::default()).map(|hits| given(&sealed, &hits));
        let found = search(Request { limit: 3, ..Request::new("both N77") }).unwrap();
        // The rarer word counts more; rows that have `both` only come by their number.
        assert_eq!(rows(&found)[0], 77);
        assert!(rows(&found)[1..].iter().all(|row| row % 2 == 0));
        // Odd rows are a word shorter.
        assert_eq!(rows(&search(Request { limit: 2, ..Request::new("東京") }).unwrap()), [1, 3]);
        let query = SparseVector { indices: &[7, 107], values: &[1.0, 1.0] };
        let found = search(Request { limit: 2, ..Request::new(query) }).unwrap();
        assert_eq!(found, [Hit { row: 7, distance: -(1.0 + 7.0 / 1000.0 + 2.0) }, Hit { row: 997, distance: -1.997 }]);
        let found = search(Request { limit: 2, filter: Some("third == 0"), ..Request::new(query) }).unwrap();
        assert_eq!(rows(&found), [987, 957]);
        let gone = Bitmap::from_fn(ROWS, |row| sealed.given(row as u32).unwrap() > 500);
        let found =
            search(Request { limit: 2, deleted: Some(&gone), filter: Some("third == 0"), ..Request::new(query) });
        assert_eq!(rows(&found.unwrap()), [477, 447]);
        // Rings, offsets and groups as for any query.
        let found = search(Request { limit: 2, offset: 1, ..Request::new(query) }).unwrap();
        assert_eq!(rows(&found), [997, 987]);
        let found =
            search(Request { limit: 2, radius: Some(1.5), range_filter: Some(1.985), ..Request::new(query) }).unwrap();
        assert_eq!(rows(&found), [977, 967]);
        let group = Some(Grouping { field: "third", size: 1, strict: false });
        let found = search(Request { limit: 5, group, ..Request::new("both") }).unwrap();
        assert_eq!(found.len(), 3);
        if dense.is_none() {
            let error = search(Request::new(&[0.5; DIMENSION])).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{error}");
        }
    }
}

#[test]
fn what_a_file_lacks_is_said() {
    let code = |parts: Parts, request: Request<'_>| {
        open(parts).search(&request, &mut Scratch::default()).err().map(|e| e.code)
    };
    let sparse = SparseVector { indices: &[1], values: &[1.0] };
    assert_eq!(code(Parts { text: false, ..ALL }, Request::new("a")), Some(Code::InvalidArgument));
    assert_eq!(code(Parts { sparse: false, ..ALL }, Request::new(sparse)), Some(Code::InvalidArgument));
    assert_eq!(code(ALL, Request { field: Some("gloss"), ..Request::new("a") }), Some(Code::FieldNotFound));
    assert_eq!(code(ALL, Request { field: Some("title"), ..Request::new("a") }), None);
    let only_text = open(Parts { dense: None, sparse: false, text: true });
    assert_eq!((only_text.header().metric, only_text.header().dimension), (Metric::Bm25, 0));
}

/// Fused as the definition says, over lists that were searched one by one.
#[test]
fn lists_are_fused_by_rank_or_by_weight() {
    for dense in [IndexType::ScanRabitq, IndexType::IvfSq8] {
        check_fusion(&open(Parts { dense: Some(dense), ..ALL }));
    }
}

fn check_fusion(sealed: &Sealed) {
    let data = floats();
    let sparse = SparseVector { indices: &[4, 300], values: &[1.0, 0.25] };
    let queries = [Query::Dense(&data[..DIMENSION]), Query::Sparse(sparse), Query::Text("both n8 tens1 a")];
    let scratch = &mut Scratch::default();
    for filter in [None, Some("third != 1")] {
        let requests: Vec<_> =
            queries.iter().map(|&query| Request { limit: 40, filter, ..Request::new(query) }).collect();
        let lists: Vec<Vec<Hit>> = requests.iter().map(|request| sealed.search(request, scratch).unwrap()).collect();
        for rerank in [Rerank::Rrf { k: 60.0 }, Rerank::Rrf { k: 1.0 }, Rerank::Weighted(&[0.5, 0.2, 1.0])] {
            let mut expected = vec![0.0f64; ROWS];
            for (i, list) in lists.iter().enumerate() {
                for (rank, hit) in list.iter().enumerate() {
                    let score = f64::from(-hit.distance);
                    expected[hit.row as usize] += match rerank {
                        Rerank::Rrf { k } => 1.0 / (f64::from(k) + rank as f64 + 1.0),
                        Rerank::Weighted(weights) => {
                            f64::from(weights[i])
                                * match i {
                                    0 => (1.0 + score) / 2.0,
                                    1 => 0.5 + score.atan() / std::f64::consts::PI,
                                    _ => 2.0 * score.atan() / std::f64::consts::PI,
                                }
                        }
                    };
                }
            }
            let found = sealed.hybrid_search(&requests, rerank, 25, 0, scratch).unwrap();
            assert_eq!(found.len(), 25);
            assert!(given(sealed, &found).is_sorted_by(|a, b| a.order(b).is_lt()));
            let worst = f64::from(-found[24].distance);
            for (row, score) in expected.iter().enumerate() {
                match found.iter().find(|hit| hit.row as usize == row) {
                    Some(hit) => assert!((f64::from(-hit.distance) - score).abs() < 1e-5, "{rerank:?} row {row}"),
                    None => assert!(*score <= worst + 1e-5, "{rerank:?} row {row} is missing"),
                }
            }
            let later = sealed.hybrid_search(&requests, rerank, 5, 20, scratch).unwrap();
            assert_eq!(later, found[20..]);
        }
    }
    let request = Request::new("a");
    let code = |requests: &[Request<'_>], rerank, limit| {
        sealed.hybrid_search(requests, rerank, limit, 0, &mut Scratch::default()).err().map(|e| e.code)
    };
    let rrf = Rerank::Rrf { k: 60.0 };
    assert_eq!(code(std::slice::from_ref(&request), rrf, 10), None);
    assert_eq!(code(&[], rrf, 10), Some(Code::InvalidArgument));
    assert_eq!(code(std::slice::from_ref(&request), rrf, 0), Some(Code::InvalidArgument));
    assert_eq!(code(std::slice::from_ref(&request), Rerank::Weighted(&[]), 10), Some(Code::InvalidArgument));
    let group = Some(Grouping { field: "third", size: 1, strict: false });
    assert_eq!(code(&[Request { group, ..request }], rrf, 10), Some(Code::InvalidArgument));
}

#[test]
fn the_same_texts_give_the_same_file() {
    assert_eq!(bytes(ALL), bytes(ALL));
    let checksum = |parts| open(parts).layout().checksum;
    let found = [checksum(Parts { dense: None, ..ALL }), checksum(Parts { dense: None, sparse: false, text: true })];
    assert_eq!(found, [0xe72f_b2ff_1478_c54b, 0xb4b3_f745_954d_723b], "{found:#x?}");
}

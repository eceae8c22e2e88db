//! What an opened file answers, against a plain reading of the same rows.

use crate::data::{
    self, INDEX_TYPES, NLIST, Wanted, distances, fields, file, number_key, open, part, text_key, vectors,
};
use elanus::index::BuildParams;
use elanus::segment::{Input, Key, MAX_LIMIT, PrimaryKeys, Query, Request, Scratch, Sealed, build};
use elanus::words::{Bitmap, Blob, Code, Hit, IndexType, MatrixView, Metric, Precision};

const INT8_ERROR: f64 = 0.02;

/// Rows of `sealed` that are within `slack` of the k-th of the allowed rows: every right answer is
/// among these.
fn acceptable(wanted: &Wanted, query: &[f32], limit: usize, slack: f64, allowed: impl Fn(usize) -> bool) -> Vec<u32> {
    let data = vectors(wanted.rows, wanted.dimension, data::SEED);
    let all = distances(&data, wanted.dimension, query, wanted.metric);
    let mut sorted: Vec<f64> = (0..wanted.rows).filter(|&row| allowed(row)).map(|row| all[row]).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(&kth) = sorted.get(limit.min(sorted.len()).wrapping_sub(1)) else { return vec![] };
    (0..wanted.rows).filter(|&row| allowed(row) && all[row] <= kth + slack).map(|row| row as u32).collect()
}

fn check(sealed: &Sealed, wanted: &Wanted, request: &Request<'_>, allowed: impl Fn(usize) -> bool + Copy) {
    let hits = sealed.search(request, &mut Scratch::default()).unwrap();
    let there = (0..wanted.rows).filter(|&row| allowed(row)).count();
    assert_eq!(hits.len(), request.limit.min(there), "{wanted:?} {request:?}");
    // As the rows were given, which is what ties go by.
    let hits: Vec<Hit> = hits.iter().map(|hit| Hit { row: sealed.given(hit.row).unwrap(), ..*hit }).collect();
    assert!(hits.windows(2).all(|pair| pair[0].order(&pair[1]).is_lt()), "{wanted:?} {hits:?}");
    let data = vectors(wanted.rows, wanted.dimension, data::SEED);
    let Query::Dense(query) = request.query else { panic!("{request:?} has no vector") };
    let all = distances(&data, wanted.dimension, query, wanted.metric);
    let scale = all.iter().fold(1.0f64, |most, d| most.max(d.abs()));
    let error = if wanted.precisions.contains(&Precision::F32) { 1e-5 } else { INT8_ERROR } * scale;
    let right = acceptable(wanted, query, request.limit, 2.0 * error, allowed);
    for hit in &hits {
        assert!(right.contains(&hit.row), "{wanted:?} {request:?}: row {} is no answer", hit.row);
        let distance = all[hit.row as usize];
        assert!((f64::from(hit.distance) - distance).abs() <= error, "{wanted:?}: {} for {distance}", hit.distance);
    }
}

/// Every type that is searched exactly or reranked, with every metric and precision.
fn variants() -> impl Iterator<Item = Wanted> {
    const PRECISIONS: [&[Precision]; 7] = [
        &[Precision::Int8],
        &[Precision::Bf16],
        &[Precision::F16],
        &[Precision::F32],
        &[Precision::Int8, Precision::Bf16],
        &[Precision::Int8, Precision::F16],
        &[Precision::Int8, Precision::F32],
    ];
    INDEX_TYPES.iter().flat_map(|&index_type| {
        Metric::DENSE.iter().flat_map(move |&metric| {
            let usable = move |precisions: &&[Precision]| {
                let needed = index_type.needed_precisions();
                needed.is_empty() || needed.iter().any(|precision| precisions.contains(precision))
            };
            let with = move |&precisions: &&'static [Precision]| Wanted {
                index_type,
                metric,
                precisions,
                ..Wanted::default()
            };
            PRECISIONS.iter().filter(move |precisions| usable(precisions)).map(with)
        })
    })
}

#[test]
fn exact_search_finds_the_nearest() {
    for wanted in variants() {
        let sealed = open(&file(&wanted));
        for query in vectors(5, wanted.dimension, 99).chunks_exact(wanted.dimension) {
            for limit in [1, 10, 1000] {
                check(&sealed, &wanted, &Request { exact: true, limit, ..Request::new(query) }, |_| true);
            }
        }
    }
}

#[test]
fn rows_come_back_as_near_as_they_are_kept() {
    for wanted in variants() {
        let sealed = open(&file(&wanted));
        let data = vectors(wanted.rows, wanted.dimension, data::SEED);
        let mut found = vec![0.0; wanted.dimension];
        for row in 0..wanted.rows as u32 {
            sealed.vector(row, &mut found).unwrap();
            let given = &data[sealed.given(row).unwrap() as usize * wanted.dimension..][..wanted.dimension];
            let norm = given.iter().map(|x| x * x).sum::<f32>().sqrt();
            let (divisor, size) = if wanted.metric == Metric::Cosine { (norm, 1.0) } else { (1.0, norm) };
            let error = if wanted.precisions.contains(&Precision::F32) { 1e-6 } else { INT8_ERROR as f32 } * size;
            assert!(found.iter().zip(given).all(|(x, y)| (x - y / divisor).abs() <= error), "{wanted:?} row {row}");
        }
        let refused = sealed.vector(wanted.rows as u32, &mut found).unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument);
        assert_eq!(sealed.vector(0, &mut found[1..]).unwrap_err().code, Code::DimensionMismatch);
    }
    let codes = open(&file(&Wanted { precisions: &[], ..Wanted::default() }));
    assert!(codes.vector(0, &mut [0.0; 6]).unwrap_err().message.contains("codes only"));
}

#[test]
fn a_search_with_room_finds_the_nearest_too() {
    for wanted in variants() {
        let sealed = open(&file(&wanted));
        for query in vectors(5, wanted.dimension, 98).chunks_exact(wanted.dimension) {
            let generous = Request { rerank: Some(70), ef: Some(200), nprobe: Some(NLIST), ..Request::new(query) };
            check(&sealed, &wanted, &generous, |_| true);
        }
    }
}

#[test]
fn filters_and_deletions_are_exact_at_every_selectivity() {
    for wanted in variants() {
        let sealed = open(&file(&wanted));
        let query = &vectors(1, wanted.dimension, 97)[..];
        let given = |row: usize| sealed.given(row as u32).unwrap() as usize;
        let deleted = Bitmap::from_fn(wanted.rows, |row| given(row) % 7 == 3);
        type Rule = fn(usize) -> bool;
        let filters: [(&str, Rule); 6] = [
            ("row == 40", |row| row == 40),
            ("part == \"verb\"", |row| part(row) == "verb"),
            ("half < 2.0 or even", |row| row < 4 || row % 2 == 0),
            ("row >= 0", |row| row % 10 != 9),
            ("part in [\"noun\", \"verb\", \"adjective\"]", |_| true),
            ("row < 0", |_| false),
        ];
        for (filter, rule) in filters {
            let request = Request {
                filter: Some(filter),
                exact: true,
                rerank: Some(70),
                ef: Some(200),
                nprobe: Some(NLIST),
                limit: 12,
                ..Request::new(query)
            };
            for exact in [true, false] {
                let request = Request { exact, ..request.clone() };
                check(&sealed, &wanted, &request, rule);
                let request = Request { deleted: Some(&deleted), ..request };
                check(&sealed, &wanted, &request, |row| rule(row) && row % 7 != 3);
            }
        }
        let request = Request { deleted: Some(&deleted), exact: true, ..Request::new(query) };
        check(&sealed, &wanted, &request, |row| row % 7 != 3);
    }
}

#[test]
fn a_scratch_may_go_from_file_to_file_and_filter_to_filter() {
    let (small, large) = (Wanted::default(), Wanted { rows: 200, dimension: 9, ..Wanted::default() });
    let mut scratch = Scratch::default();
    let files = [&small, &large].map(|wanted| (open(&file(wanted)), vectors(1, wanted.dimension, 5)));
    for _ in 0..2 {
        for filter in [None, Some("row > 20"), Some("row > 20"), Some("row > 30")] {
            for (sealed, query) in &files {
                let request = Request { filter, ..Request::new(query) };
                let alone = sealed.search(&request, &mut Scratch::default()).unwrap();
                assert_eq!(sealed.search(&request, &mut scratch).unwrap(), alone, "{filter:?}");
            }
        }
    }
}

#[test]
fn keys_lead_to_rows_and_back() {
    for index_type in [IndexType::ScanRabitq, IndexType::IvfRabitq] {
        for varchar_keys in [false, true] {
            let wanted = Wanted { varchar_keys, index_type, ..Wanted::default() };
            let sealed = open(&file(&wanted));
            assert_eq!(sealed.has_varchar_keys(), varchar_keys);
            for row in 0..wanted.rows {
                let given = sealed.given(row as u32).unwrap() as usize;
                let key = if varchar_keys { Key::VarChar(text_key(given)) } else { Key::Int64(number_key(given)) };
                assert_eq!(sealed.key(row as u32), Ok(key.clone()));
                assert_eq!(sealed.row(&key), Some(row as u32));
                assert_eq!(sealed.fields(&[row as u32]).unwrap(), [fields(given)]);
            }
            assert_eq!(sealed.row(&Key::Int64(5)), None);
            assert_eq!(sealed.row(&Key::VarChar("5".into())), None);
            assert_eq!(sealed.given(70).unwrap_err().code, Code::InvalidArgument);
        }
    }
}

/// Without keys of their own callers know rows by the numbers that they gave them by, however they lie.
#[test]
fn rows_in_lists_keep_their_numbers() {
    let data = vectors(300, 4, 1);
    let file = |index_type| {
        let input = Input {
            rows: Some(MatrixView::new(&data, 4).unwrap()),
            bits: None,
            sparse: None,
            text: None,
            index_type,
            params: BuildParams { precisions: vec![Precision::F32], nlist: Some(20), ..BuildParams::default() },
            keys: PrimaryKeys::RowNumbers,
            columns: None,
            fields: None,
            card: None,
        };
        build(input, &|_, _| {}).unwrap().into_bytes()
    };
    let (flat, lists) = (open(&file(IndexType::Flat)), open(&file(IndexType::IvfFlat)));
    assert!((0..300).any(|row| lists.given(row) != Ok(row)), "rows moved");
    for query in vectors(10, 4, 2).chunks_exact(4) {
        let request = Request { nprobe: Some(20), limit: 25, ..Request::new(query) };
        let keys = |sealed: &Sealed| -> Vec<(Key, f32)> {
            let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
            hits.iter().map(|hit| (sealed.key(hit.row).unwrap(), hit.distance)).collect()
        };
        assert_eq!(keys(&flat), keys(&lists));
    }
    for number in [0, 7, 299] {
        let row = lists.row(&Key::Int64(number)).unwrap();
        assert_eq!(lists.key(row), Ok(Key::Int64(number)));
    }
    assert_eq!(lists.row(&Key::Int64(300)), None);
}

#[test]
fn stored_fields_come_back() {
    let sealed = open(&file(&Wanted::default()));
    assert_eq!(sealed.fields(&[69, 0, 69]).unwrap(), [fields(69), fields(0), fields(69)]);
    assert_eq!(sealed.fields(&[70]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(sealed.card(), "{\"name\":\"test\"}");
    let mut rows = 0;
    sealed
        .for_each_fields(|row, text| {
            assert_eq!(text, fields(row as usize));
            rows += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, 70);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let sealed = open(&file(&Wanted::default()));
    let query = [1.0; 6];
    let code = |request: Request<'_>| sealed.search(&request, &mut Scratch::default()).err().map(|e| e.code);
    let plain = || Request::new(&query);
    assert_eq!(code(plain()), None);
    assert_eq!(code(Request { limit: MAX_LIMIT, ..plain() }), None);
    assert_eq!(code(Request { limit: 0, ..plain() }), Some(Code::InvalidArgument));
    assert_eq!(code(Request { limit: MAX_LIMIT + 1, ..plain() }), Some(Code::InvalidArgument));
    assert_eq!(code(Request::new(&[1.0; 5])), Some(Code::DimensionMismatch));
    assert_eq!(code(Request::new(&[f32::NAN; 6])), Some(Code::InvalidVector));
    assert_eq!(code(Request { filter: Some("part =="), ..plain() }), Some(Code::InvalidFilter));
    assert_eq!(code(Request { filter: Some("nothing == 1"), ..plain() }), Some(Code::FieldNotFound));
    assert_eq!(code(Request { deleted: Some(&Bitmap::none(3)), ..plain() }), Some(Code::InvalidArgument));
}

#[test]
fn a_scan_without_rows_estimates_and_says_when_it_cannot() {
    let sealed = open(&file(&Wanted { precisions: &[], ..Wanted::default() }));
    let query = vectors(1, 6, 3);
    assert_eq!(sealed.search(&Request::new(&query), &mut Scratch::default()).unwrap().len(), 10);
    let exact = Request { exact: true, ..Request::new(&query) };
    assert_eq!(sealed.search(&exact, &mut Scratch::default()).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for wanted in variants() {
        assert!(file(&wanted) == file(&wanted), "{wanted:?}");
    }
}

#[test]
fn opening_reads_no_rows() {
    for wanted in variants() {
        let mut bytes = file(&wanted);
        let sealed = open(&bytes);
        let bulk: Vec<_> = (sealed.layout().entries.iter())
            .filter(|e| matches!(e.kind.name(), Some("codes" | "rows_i8" | "rows_f32" | "rows_f16" | "rows_bf16")))
            .map(|e| e.offset as usize..(e.offset + e.length) as usize)
            .collect();
        assert!(!bulk.is_empty());
        // Not-a-numbers everywhere: whoever looked at them would notice.
        bulk.into_iter().for_each(|range| bytes[range].fill(0xFF));
        let sealed = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
        assert_eq!(sealed.verify().unwrap_err().code, Code::CorruptFile);
    }
}

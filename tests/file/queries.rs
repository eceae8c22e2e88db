//! Ranges, offsets, groups and iterations, held against the plain reading of what they mean.

use crate::data::{Wanted, file, open, part, vectors};
use elanus::segment::{Grouping, Iteration, MAX_LIMIT, Request, Scratch, Sealed};
use elanus::words::{Bitmap, Code, Hit, IndexType, Metric, Precision};
use std::collections::{BTreeMap, HashSet};

const F32: &[Precision] = &[Precision::F32];
const BOTH: &[Precision] = &[Precision::Int8, Precision::F32];

/// Files with exact rows of each type and metric: 500 rows, so that a scan scans.
fn files() -> impl Iterator<Item = (Wanted, Sealed)> {
    crate::data::INDEX_TYPES.iter().flat_map(|&index_type| {
        Metric::DENSE.iter().map(move |&metric| {
            let precisions = if index_type.needed_precisions() == [Precision::Int8] { BOTH } else { F32 };
            let wanted = Wanted { rows: 500, dimension: 12, index_type, metric, precisions, ..Wanted::default() };
            (wanted, open(&file(&wanted)))
        })
    })
}

fn queries(wanted: &Wanted) -> Vec<Vec<f32>> {
    vectors(4, wanted.dimension, 71).chunks_exact(wanted.dimension).map(<[f32]>::to_vec).collect()
}

/// All rows, by the numbers that they were given by, nearest first. That an exact search gives what
/// the definition says is held elsewhere.
fn all(sealed: &Sealed, query: &[f32]) -> Vec<(usize, f64)> {
    let request = Request { exact: true, limit: MAX_LIMIT, ..Request::new(query) };
    let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
    hits.into_iter().map(|hit| (sealed.given(hit.row).unwrap() as usize, hit.distance.into())).collect()
}

fn rows(sealed: &Sealed, hits: &[Hit]) -> Vec<usize> {
    hits.iter().map(|hit| sealed.given(hit.row).unwrap() as usize).collect()
}

/// How many of `expected` are in `found`, as a share.
fn share(found: &[usize], expected: &[usize]) -> f64 {
    if expected.is_empty() {
        return 1.0;
    }
    let found: HashSet<_> = found.iter().collect();
    expected.iter().filter(|row| found.contains(row)).count() as f64 / expected.len() as f64
}

fn between(metric: Metric, nearer: f64, farther: f64) -> f32 {
    metric.to_public(((nearer + farther) / 2.0) as f32)
}

#[test]
fn a_range_is_a_ring() {
    let mut scratch = Scratch::default();
    for (wanted, sealed) in files() {
        let (mut found_share, mut asked) = (0.0, 0);
        for query in queries(&wanted) {
            let all = all(&sealed, &query);
            // Edges between two rows, so that no rounding decides.
            let edge = |rank: usize| between(wanted.metric, all[rank - 1].1, all[rank].1);
            for (inner, outer) in [(0, 7), (0, 300), (5, 40), (250, 260), (300, 490)] {
                for (filter, rule) in
                    [(None, None), (Some("part == \"verb\""), Some("verb")), (Some("row == 40"), Some("40"))]
                {
                    let allowed = |row: usize| match rule {
                        None => true,
                        Some("40") => row == 40,
                        Some(name) => part(row) == name,
                    };
                    let ring: Vec<usize> =
                        all[inner..outer].iter().map(|&(row, _)| row).filter(|&row| allowed(row)).collect();
                    let request = Request {
                        radius: Some(edge(outer)),
                        range_filter: (inner > 0).then(|| edge(inner)),
                        filter,
                        limit: 400,
                        ..Request::new(&query)
                    };
                    let exact = sealed.search(&Request { exact: true, ..request.clone() }, &mut scratch).unwrap();
                    assert_eq!(rows(&sealed, &exact), ring, "{wanted:?} {inner}..{outer} {filter:?}");
                    let few =
                        sealed.search(&Request { exact: true, limit: 3, offset: 2, ..request.clone() }, &mut scratch);
                    let few_expected: Vec<usize> = ring.iter().copied().skip(2).take(3).collect();
                    assert_eq!(rows(&sealed, &few.unwrap()), few_expected, "{wanted:?} {inner}..{outer} {filter:?}");
                    let found = rows(&sealed, &sealed.search(&request, &mut scratch).unwrap());
                    assert!(found.iter().all(|row| ring.contains(row)), "{wanted:?} {inner}..{outer}");
                    found_share += share(&found, &ring);
                    asked += 1;
                }
            }
        }
        let recall = found_share / f64::from(asked);
        let least = if wanted.index_type == IndexType::Flat { 1.0 } else { 0.97 };
        assert!(recall >= least, "{wanted:?}: {recall}");
    }
}

#[test]
fn ranges_of_rounded_rows_agree_with_their_own_distances() {
    for index_type in [IndexType::Flat, IndexType::ScanRabitq, IndexType::Hnsw] {
        let wanted = Wanted { rows: 700, index_type, precisions: &[Precision::Int8], ..Wanted::default() };
        let sealed = open(&file(&wanted));
        let mut scratch = Scratch::default();
        let query = &queries(&wanted)[0];
        let exact = Request { exact: true, limit: 100, ..Request::new(query) };
        let plain = sealed.search(&exact, &mut scratch).unwrap();
        // The edges are distances that occur: the inner one belongs to the ring, the outer one doesn't.
        let public = |rank: usize| sealed.header().metric.to_public(plain[rank].distance);
        let ring = Request { radius: Some(public(60)), range_filter: Some(public(20)), ..exact };
        assert_eq!(sealed.search(&ring, &mut scratch).unwrap(), plain[20..60], "{index_type}");
    }
}

#[test]
fn an_offset_leaves_out_the_nearest() {
    let mut scratch = Scratch::default();
    for (wanted, sealed) in files() {
        for query in queries(&wanted) {
            for exact in [true, false] {
                let whole = Request { exact, limit: 60, ef: Some(120), ..Request::new(&query) };
                let all = sealed.search(&whole, &mut scratch).unwrap();
                let part = Request { limit: 25, offset: 35, ..whole.clone() };
                assert_eq!(sealed.search(&part, &mut scratch).unwrap(), all[35..], "{wanted:?}");
                let past = Request { offset: 900, ..whole };
                assert_eq!(sealed.search(&past, &mut scratch).unwrap(), [], "{wanted:?}");
            }
        }
    }
}

#[test]
fn the_largest_limit_gives_all_rows() {
    let mut scratch = Scratch::default();
    for (wanted, sealed) in files() {
        let query = &queries(&wanted)[0];
        let hits = sealed.search(&Request { limit: MAX_LIMIT, ..Request::new(query) }, &mut scratch).unwrap();
        assert_eq!(hits.len(), wanted.rows);
        let given: Vec<Hit> = hits.iter().map(|hit| Hit { row: sealed.given(hit.row).unwrap(), ..*hit }).collect();
        assert!(given.is_sorted_by(|a, b| a.order(b).is_lt()));
    }
}

type Groups = BTreeMap<Option<String>, Vec<usize>>;

/// Groups by walking over all rows, nearest first, and the order of the groups.
fn grouped(
    all: &[(usize, f64)],
    value: impl Fn(usize) -> Option<String>,
    limit: usize,
    size: usize,
    strict: bool,
) -> (Groups, Vec<Option<String>>) {
    let (mut groups, mut order) = (Groups::new(), Vec::new());
    for &(row, _) in all {
        let value = value(row);
        if !groups.contains_key(&value) {
            if order.len() == limit {
                continue;
            }
            order.push(value.clone());
        }
        let group = groups.entry(value).or_default();
        if group.len() < size {
            group.push(row);
        }
        if order.len() == limit && !strict {
            break;
        }
    }
    (groups, order)
}

#[test]
fn groups_hold_the_nearest_of_each_value() {
    let mut scratch = Scratch::default();
    type Value = fn(usize) -> Option<String>;
    let fields: [(&str, Value); 3] = [
        ("part", |row| Some(part(row).into())),
        ("even", |row| Some((row % 2 == 0).to_string())),
        ("row", |row| (row % 10 != 9).then(|| row.to_string())),
    ];
    for (wanted, sealed) in files() {
        for query in queries(&wanted) {
            let all = all(&sealed, &query);
            for (field, value) in fields {
                for (limit, offset, size, strict) in
                    [(1, 0, 1, false), (2, 0, 40, true), (2, 1, 3, true), (5, 0, 2, false), (30, 7, 1, true)]
                {
                    let group = Some(Grouping { field, size, strict });
                    let request = Request { group, limit, offset, exact: true, ..Request::new(&query) };
                    let (groups, order) = grouped(&all, value, limit + offset, size, strict);
                    let expected: Vec<usize> =
                        order.iter().skip(offset).flat_map(|value| groups[value].iter().copied()).collect();
                    let found = rows(&sealed, &sealed.search(&request, &mut scratch).unwrap());
                    assert_eq!(found, expected, "{wanted:?} {field} {limit} {offset} {size} {strict}");
                    let approximate = Request { exact: false, ef: Some(300), ..request };
                    let found = rows(&sealed, &sealed.search(&approximate, &mut scratch).unwrap());
                    assert!(share(&found, &expected) >= 0.9, "{wanted:?} {field}: {found:?} for {expected:?}");
                }
            }
        }
    }
}

#[test]
fn a_group_of_nearly_all_rows_hides_no_other() {
    let wanted = Wanted { rows: 5000, dimension: 4, index_type: IndexType::Flat, ..Wanted::default() };
    let sealed = open(&file(&wanted));
    let query = vectors(1, 4, 3);
    // 4,500 values and 500 nulls: one group of nulls and as many as are asked for.
    let group = Some(Grouping { field: "row", size: 2, strict: true });
    let request = Request { group, limit: 4501, filter: Some("row is null or row > 3000"), ..Request::new(&query) };
    let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
    let nulls = hits.iter().filter(|hit| hit.row % 10 == 9).count();
    assert_eq!((nulls, hits.len()), (2, 2 + (3001..5000).filter(|row| row % 10 != 9).count()));
}

#[test]
fn an_iteration_gives_each_row_once() {
    let mut scratch = Scratch::default();
    for (wanted, sealed) in files() {
        let query = &queries(&wanted)[1];
        let deleted = Bitmap::from_fn(wanted.rows, |row| sealed.given(row as u32).unwrap() % 5 == 1);
        let allowed = |row: usize| part(row) != "noun" && row % 5 != 1;
        let expected: Vec<usize> =
            all(&sealed, query).into_iter().map(|(row, _)| row).filter(|&row| allowed(row)).collect();
        for (batch, limit, exact) in [(1, Some(30), true), (7, None, false), (100, None, true), (64, Some(150), false)]
        {
            let filter = Some("part in [\"verb\", \"adjective\"]");
            let request = Request { filter, deleted: Some(&deleted), exact, limit: batch, ..Request::new(query) };
            let mut iteration = Iteration::new(&sealed, &request, limit).unwrap();
            let mut found = Vec::new();
            loop {
                let hits = iteration.next(&sealed, &request, &mut scratch).unwrap();
                let left = limit.unwrap_or(usize::MAX).min(expected.len()) - found.len();
                assert_eq!(hits.len(), batch.min(left), "{wanted:?} batch {batch}");
                if hits.is_empty() {
                    break;
                }
                found.extend(rows(&sealed, &hits));
            }
            let expected = &expected[..limit.unwrap_or(usize::MAX).min(expected.len())];
            if exact {
                assert_eq!(found, expected, "{wanted:?} batch {batch}");
            }
            assert!(share(&found, expected) >= if limit.is_none() { 1.0 } else { 0.95 }, "{wanted:?} batch {batch}");
            assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len(), "a row came twice");
        }
    }
}

#[test]
fn wishes_that_contradict_each_other_are_refused() {
    let wanted = Wanted::default();
    let sealed = open(&file(&wanted));
    let codes_only = open(&file(&Wanted { precisions: &[], ..wanted }));
    let query = [0.5; 6];
    let plain = || Request::new(&query);
    let group = |field| Some(Grouping { field, size: 1, strict: false });
    for (file, request, code, part) in [
        (&sealed, Request { radius: Some(0.5), rerank: Some(9), ..plain() }, Code::InvalidArgument, "leave out rerank"),
        (&codes_only, Request { radius: Some(0.5), ..plain() }, Code::InvalidArgument, "codes only"),
        (&sealed, Request { group: group("half"), ..plain() }, Code::InvalidArgument, "Double"),
        (&sealed, Request { group: group("parts"), ..plain() }, Code::FieldNotFound, "did you mean \"part\"?"),
    ] {
        let error = file.search(&request, &mut Scratch::default()).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
    for request in [Request { offset: 1, ..plain() }, Request { group: group("part"), ..plain() }] {
        let error = Iteration::new(&sealed, &request, None).unwrap_err();
        assert!(error.message.contains("no offset and no groups"), "{error}");
    }
    let other = Bitmap::none(3);
    assert!(Iteration::new(&sealed, &Request { deleted: Some(&other), ..plain() }, None).is_err());
}

//! Against naive search: every row scored, everything sorted.

use super::lists::{BLOCK, Values};
use super::prune::{self, Among, Term};
use super::*;
use crate::text::Analyzer;
use crate::words::random::SplitMix64;
use crate::words::{Bitmap, Blob, Code, Hit, Result, TopK};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Row = BTreeMap<u32, f32>;

fn vector(row: &Row) -> (Vec<u32>, Vec<f32>) {
    row.iter().unzip()
}

fn sparse_section(rows: &[Row]) -> Vec<u8> {
    let mut builder = SparseBuilder::new();
    for row in rows {
        let (indices, values) = vector(row);
        builder.push(SparseVector { indices: &indices, values: &values }).unwrap();
    }
    assert_eq!(builder.rows(), rows.len());
    builder.finish()
}

fn open_sparse(bytes: &[u8], rows: usize) -> Result<SparseVectors> {
    SparseVectors::open(Blob::copy_of(bytes)?, rows)
}

fn sorted(scores: impl Iterator<Item = (usize, f32)>, allow: Option<&Bitmap>, k: usize) -> Vec<Hit> {
    let mut hits: Vec<Hit> = scores
        .filter(|&(row, score)| score > 0.0 && allow.is_none_or(|allow| allow.contains(row)))
        .map(|(row, score)| Hit { row: row as u32, distance: -score })
        .collect();
    hits.sort_by(Hit::order);
    hits.truncate(k);
    hits
}

fn naive_products(rows: &[Row], query: &Row, allow: Option<&Bitmap>, k: usize) -> Vec<Hit> {
    let score = |row: &Row| query.iter().fold(0.0, |sum, (i, w)| row.get(i).map_or(sum, |v| sum + w * v));
    sorted(rows.iter().map(score).enumerate(), allow, k)
}

fn search_sparse(index: &SparseVectors, query: &Row, allow: Option<&Bitmap>, k: usize) -> Result<Vec<Hit>> {
    let (indices, values) = vector(query);
    let mut top = TopK::new(k, k);
    let query = SparseVector { indices: &indices, values: &values };
    index.search(query, 0.0, Among { allow, given: None }, &mut top, &mut PruneScratch::default())?;
    Ok(top.into_sorted())
}

fn text_sections(texts: &[String], params: Bm25Params) -> (Vec<u8>, Vec<u8>) {
    let mut builder = TextBuilder::new("gloss", Analyzer::default(), params).unwrap();
    texts.iter().for_each(|text| builder.push(text).unwrap());
    builder.finish().unwrap()
}

fn open_text(sections: &(Vec<u8>, Vec<u8>), rows: usize) -> Result<TextIndex> {
    TextIndex::open(Blob::copy_of(&sections.0)?, Blob::copy_of(&sections.1)?, rows)
}

fn search_text(index: &TextIndex, query: &str, allow: Option<&Bitmap>, k: usize) -> Result<Vec<Hit>> {
    let mut top = TopK::new(k, k);
    index.search(query, Among { allow, given: None }, &mut top, &mut PruneScratch::default())?;
    Ok(top.into_sorted())
}

fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    Analyzer::default().for_each(text, |term| out.push(term.to_owned()));
    out
}

/// BM25 as it is written in the literature, in 64-bit floats, without any index.
fn naive_bm25(texts: &[String], params: Bm25Params, query: &str) -> Vec<f64> {
    let (k1, b) = (f64::from(params.k1), f64::from(params.b));
    let texts: Vec<HashMap<String, f64>> = texts
        .iter()
        .map(|text| {
            tokens(text).into_iter().fold(HashMap::new(), |mut counts, term| {
                *counts.entry(term).or_insert(0.0) += 1.0;
                counts
            })
        })
        .collect();
    let length = |text: &HashMap<String, f64>| text.values().sum::<f64>();
    let mean = texts.iter().map(length).sum::<f64>() / texts.len() as f64;
    let mut scores = vec![0.0; texts.len()];
    for term in tokens(query) {
        let with = texts.iter().filter(|text| text.contains_key(&term)).count() as f64;
        let idf = (1.0 + (texts.len() as f64 - with + 0.5) / (with + 0.5)).ln();
        for (score, text) in scores.iter_mut().zip(&texts) {
            if let Some(&count) = text.get(&term) {
                *score += idf * count * (k1 + 1.0) / (count + k1 * (1.0 - b + b * length(text) / mean));
            }
        }
    }
    scores
}

/// Texts over a small vocabulary in which low numbers are frequent, some of them empty.
fn texts(seed: u64, rows: usize, vocabulary: usize) -> Vec<String> {
    let mut random = SplitMix64::new(seed);
    (0..rows)
        .map(|_| {
            let words = random.below(12) as usize;
            (0..words)
                .map(|_| {
                    let skew = random.below(vocabulary as u32) + 1;
                    format!("w{} ", random.below(skew))
                })
                .collect()
        })
        .collect()
}

fn sparse_rows(rows: usize) -> impl Strategy<Value = Vec<Row>> {
    let weight = prop_oneof![(1u32..6).prop_map(|n| n as f32 / 4.0), 1e-3f32..1e3];
    let index = prop_oneof![4 => 0u32..6, 2 => 6u32..200, 1 => any::<u32>().prop_map(|i| i.min(u32::MAX - 1))];
    prop::collection::vec(prop::collection::btree_map(index, weight, 0..8), 0..rows)
}

fn selections(rows: usize) -> Vec<Option<Bitmap>> {
    let mut all = vec![None, Some(Bitmap::all(rows)), Some(Bitmap::none(rows))];
    all.extend([2, 10, 100, 1000].map(|n| Some(Bitmap::from_fn(rows, |row| row % n == n / 3))));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_are_those_of_every_row(rows in sparse_rows(600), queries in sparse_rows(4), k in 1usize..20) {
        let index = open_sparse(&sparse_section(&rows), rows.len()).unwrap();
        index.verify().unwrap();
        prop_assert_eq!(index.postings(), rows.iter().map(|row| row.len() as u64).sum::<u64>());
        for query in &queries {
            for allow in selections(rows.len()) {
                let found = search_sparse(&index, query, allow.as_ref(), k).unwrap();
                prop_assert_eq!(found, naive_products(&rows, query, allow.as_ref(), k));
            }
        }
    }

    #[test]
    fn texts_are_found_as_if_every_one_was_scored(
        seed in any::<u64>(), rows in 1usize..900, vocabulary in 1usize..60, k in 1usize..20, k1 in 0f32..3.0, b in 0f32..=1.0,
    ) {
        let (texts, params) = (texts(seed, rows, vocabulary), Bm25Params { k1, b });
        let index = open_text(&text_sections(&texts, params), rows).unwrap();
        index.verify().unwrap();
        for query in ["w0", "w0 w1 w2 w50", "w7 w7 w3", "nothing w1", "nothing", ""] {
            let exact = naive_bm25(&texts, params, query);
            for allow in selections(rows) {
                let everything = search_text(&index, query, allow.as_ref(), rows).unwrap();
                // Pruning changes nothing, not a bit.
                let found = search_text(&index, query, allow.as_ref(), k).unwrap();
                prop_assert_eq!(&found[..], &everything[..k.min(everything.len())]);
                let expected = (0..rows).filter(|&row| exact[row] > 0.0 && allow.as_ref().is_none_or(|a| a.contains(row)));
                prop_assert_eq!(everything.len(), expected.count());
                prop_assert!(everything.is_sorted_by(|a, b| a.order(b).is_lt()));
                for hit in everything {
                    let wanted = exact[hit.row as usize];
                    prop_assert!((f64::from(-hit.distance) - wanted).abs() <= 1e-5 * wanted, "{} {}", hit.distance, wanted);
                }
            }
        }
    }

    /// Whatever is wrong with the bytes: an error or an answer, verified or not.
    #[test]
    fn damage_never_panics(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in prop::option::of(any::<prop::sample::Index>())) {
        let texts = texts(3, 400, 30);
        let rows: Vec<Row> = (0..400u32).map(|row| [(row % 7, 1.0), (row % 50 + 10, 0.5)].into()).collect();
        let damage = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            for (at, value) in &edits {
                *at.get_mut(&mut bytes) = *value;
            }
            bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
            bytes
        };
        let sections = text_sections(&texts, Bm25Params::default());
        for damaged in [(damage(&sections.0), sections.1.clone()), (sections.0.clone(), damage(&sections.1))] {
            if let Ok(index) = open_text(&damaged, 400) {
                let _ = index.verify();
                let _ = search_text(&index, "w0 w1 w2 w3 w4 w5 w6 w7 w8 w20", None, 10);
            }
        }
        if let Ok(index) = open_sparse(&damage(&sparse_section(&rows)), 400) {
            let _ = index.verify();
            let query = (0..60).map(|i| (i, 1.0)).collect();
            let _ = search_sparse(&index, &query, None, 10);
        }
    }
}

/// Files are checked as a whole by their checksums; here no checksum helps.
#[test]
fn every_flipped_bit_and_truncation_is_found() {
    let texts = texts(5, 150, 9);
    let good = text_sections(&texts, Bm25Params::default());
    let verified = |sections: &(Vec<u8>, Vec<u8>)| open_text(sections, 150).and_then(|index| index.verify());
    verified(&good).unwrap();
    // The name of the field is free: 5 bytes after the head.
    let is_free = |at: usize| (48..53).contains(&at);
    for at in (0..good.1.len()).filter(|&at| !is_free(at)) {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad.1[at] ^= 1 << bit;
            // Another flag of the analyzer, k1 or b that keep all bounds, other letters in the dictionary: those
            // are other indexes, and right.
            let may_be_right = at == 4 || (8..16).contains(&at) || at >= 220;
            assert!(verified(&bad).is_err() || may_be_right, "terms byte {at} bit {bit}");
        }
    }
    for at in 0..good.0.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad.0[at] ^= 1 << bit;
            let code = verified(&bad).err().map(|e| e.code);
            assert_eq!(code, Some(Code::CorruptFile), "postings byte {at} bit {bit}");
        }
    }
    for len in 0..good.1.len() {
        assert!(verified(&(good.0.clone(), good.1[..len].to_vec())).is_err(), "terms cut to {len}");
    }
    for len in 0..good.0.len() {
        assert!(verified(&(good.0[..len].to_vec(), good.1.clone())).is_err(), "postings cut to {len}");
    }
}

#[test]
fn only_blocks_that_can_matter_are_scored() {
    // One row in a thousand has the rare dimension; all have the common one.
    let rows: Vec<Row> = (0..50_000u32)
        .map(|row| {
            let mut vector: Row = [(0, 0.5 + (row % 64) as f32 / 256.0)].into();
            if row % 1000 == 77 {
                vector.insert(9, 8.0 + (row / 1000) as f32 / 100.0);
            }
            vector
        })
        .collect();
    let index = open_sparse(&sparse_section(&rows), rows.len()).unwrap();
    let query: Row = [(0, 1.0), (9, 1.0)].into();
    let (indices, _) = vector(&query);
    let terms: Vec<Term<'_>> =
        indices.iter().map(|&i| Term { list: index.list_of(i).unwrap().unwrap(), weight: 1.0 }).collect();
    let mut top = TopK::new(5, 5);
    let scored =
        prune::search(&terms, Values::Weights, rows.len(), Among::default(), &mut top, &mut PruneScratch::default())
            .unwrap();
    assert_eq!(top.into_sorted(), naive_products(&rows, &query, None, 5));
    assert!(scored < 60 && scored < rows.len() / BLOCK / 6, "{scored} blocks");
    // Rows that all score the same: the first k are the answer, and their blocks are enough.
    let same: Vec<Row> = (0..50_000).map(|_| [(3, 1.0)].into()).collect();
    let index = open_sparse(&sparse_section(&same), same.len()).unwrap();
    let terms = [Term { list: index.list_of(3).unwrap().unwrap(), weight: 2.0 }];
    let mut top = TopK::new(200, 200);
    let scored =
        prune::search(&terms, Values::Weights, same.len(), Among::default(), &mut top, &mut PruneScratch::default())
            .unwrap();
    assert_eq!(scored, 2);
    assert!(top.into_sorted().iter().enumerate().all(|(i, hit)| hit.row as usize == i));
}

#[test]
fn queries_are_checked() {
    let index = open_sparse(&sparse_section(&[[(1, 1.0)].into(), [(2, 4.0), (1, 1.0)].into()]), 2).unwrap();
    let search = |indices: &[u32], values: &[f32], drop_ratio| {
        let mut top = TopK::new(5, 5);
        let query = SparseVector { indices, values };
        index.search(query, drop_ratio, Among::default(), &mut top, &mut PruneScratch::default())?;
        Ok(top.into_sorted())
    };
    let code = |indices: &[u32], values: &[f32], ratio| {
        search(indices, values, ratio).map_err(|e: crate::words::Error| e.code).err()
    };
    assert_eq!(code(&[], &[], 0.0), None);
    assert_eq!(code(&[7], &[1.0], 0.0), None);
    assert_eq!(code(&[1, 2], &[1.0], 0.0), Some(Code::InvalidVector));
    assert_eq!(code(&[1, 1], &[1.0, 2.0], 0.0), Some(Code::InvalidVector));
    assert_eq!(code(&[1], &[-1.0], 0.0), Some(Code::InvalidVector));
    assert_eq!(code(&[1], &[f32::NAN], 0.0), Some(Code::InvalidVector));
    assert_eq!(code(&[1], &[2e15], 0.0), Some(Code::InvalidVector));
    assert_eq!(code(&[u32::MAX], &[1.0], 0.0), Some(Code::InvalidVector));
    assert_eq!(code(&[1], &[1.0], 1.0), Some(Code::InvalidArgument));
    // Half of two dimensions: the smaller one is dropped.
    let found = search(&[2, 1], &[1.0, 5.0], 0.5).unwrap();
    assert_eq!(found, [Hit { row: 0, distance: -5.0 }, Hit { row: 1, distance: -5.0 }]);
    assert_eq!(search(&[2, 1], &[1.0, 5.0], 0.4).unwrap()[0], Hit { row: 1, distance: -9.0 });
}

#[test]
fn rows_that_can_not_be_kept_are_refused() {
    let mut builder = SparseBuilder::new();
    builder.push(SparseVector { indices: &[3, 1], values: &[1.0, 0.0] }).unwrap();
    let error = builder.push(SparseVector { indices: &[0], values: &[-1.0] }).unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
    assert!(error.message.starts_with("row 1: "), "{error}");
    assert_eq!(builder.rows(), 1);
    for (k1, b) in [(-0.1, 0.5), (1.2, 1.1), (f32::NAN, 0.5), (1.2, f32::NAN), (2000.0, 0.5)] {
        let refused = TextBuilder::new("a", Analyzer::default(), Bm25Params { k1, b });
        assert_eq!(refused.err().map(|e| e.code), Some(Code::InvalidArgument), "{k1} {b}");
    }
    assert!(TextBuilder::new("", Analyzer::default(), Bm25Params::default()).is_err());
}

#[test]
fn forged_sections_are_refused_without_much_memory() {
    let good = sparse_section(&[[(1, 1.0)].into(), [(1, 2.0)].into()]);
    let code = |bytes: &[u8], rows| open_sparse(bytes, rows).and_then(|index| index.verify()).err().map(|e| e.code);
    assert_eq!(code(&good, 2), None);
    // More rows than lengths; more dimensions than bytes.
    assert_eq!(code(&good, u32::MAX as usize), Some(Code::CorruptFile));
    let mut bad = good.clone();
    bad[..4].fill(0xFF);
    assert_eq!(code(&bad, 2), Some(Code::CorruptFile));
    // Counts that need two and four bytes, and a text far longer than the others.
    let texts = ["a ".repeat(300), "a ".repeat(70_000), "a b".into(), String::new()];
    let sections = text_sections(&texts, Bm25Params::default());
    let index = open_text(&sections, 4).unwrap();
    index.verify().unwrap();
    assert_eq!((index.tokens(), index.terms().len()), (70_302, 2));
    assert_eq!(search_text(&index, "b", None, 9).unwrap().len(), 1);
    let mut bad = sections.clone();
    bad.1[24..28].fill(0xFF);
    assert_eq!(open_text(&bad, 4).err().map(|e| e.code), Some(Code::CorruptFile));
    bad = sections;
    bad.1[0] = 2;
    assert_eq!(open_text(&bad, 4).err().map(|e| e.code), Some(Code::UnsupportedFormat));
}

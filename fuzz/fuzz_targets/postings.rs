//! Sections of sparse vectors and of texts with edits, or made of the input alone.
//!
//! An input is which section is meant, how many rows the file claims, and then edits: a place, how
//! many bytes, and the bytes.
#![no_main]

mod edits;

use elanus::index::sparse::{Among, Bm25Params, PruneScratch, SparseBuilder, SparseVector, SparseVectors, TextBuilder, TextIndex};
use elanus::text::Analyzer;
use elanus::words::{Bitmap, Blob, TopK};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const ROWS: usize = 300;

static ORIGINALS: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let mut texts = TextBuilder::new("a", Analyzer::default(), Bm25Params::default()).unwrap();
    let mut sparse = SparseBuilder::new();
    for row in 0..ROWS {
        texts.push(&format!("all w{} w{} {}", row % 7, row % 50, "often ".repeat(row % 5 * 90))).unwrap();
        let (indices, values) = ([0, row as u32 % 9 + 1, row as u32 + 20], [1.0, 0.5, row as f32 + 1.0]);
        sparse.push(SparseVector { indices: &indices, values: &values }).unwrap();
    }
    let (postings, terms) = texts.finish().unwrap();
    [sparse.finish(), postings, terms]
});

fn edited(bytes: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    edits::apply(&mut bytes, edits);
    bytes
}

fn check(top: TopK, rows: usize, is_verified: bool) {
    let hits = top.into_sorted();
    assert!(hits.iter().all(|hit| (hit.row as usize) < rows), "row past the end");
    assert!(!is_verified || hits.windows(2).all(|pair| pair[0].order(&pair[1]).is_lt()), "out of order");
}

fuzz_target!(|data: &[u8]| {
    let [which, rows, edits @ ..] = data else { return };
    let rows = if *rows < 128 { ROWS } else { usize::from(*rows) };
    let blob = |at: usize| match *which as usize % 4 {
        chosen if chosen == at => Blob::copy_of(&edited(&ORIGINALS[at], edits)).unwrap(),
        3 => Blob::copy_of(edits).unwrap(),
        _ => Blob::copy_of(&ORIGINALS[at]).unwrap(),
    };
    let allow = Bitmap::from_fn(rows, |row| row % 3 != 1);
    let among = Among { allow: Some(&allow), given: None };
    let mut scratch = PruneScratch::default();
    if let Ok(sparse) = SparseVectors::open(blob(0), rows) {
        let verified = sparse.verify().is_ok();
        let (indices, values): (Vec<u32>, Vec<f32>) = (0..40).map(|i| (i, 1.0)).unzip();
        let mut top = TopK::new(10, 10);
        let query = SparseVector { indices: &indices, values: &values };
        let found = sparse.search(query, 0.0, among, &mut top, &mut scratch);
        assert!(!verified || found.is_ok());
        check(top, rows, verified);
    }
    if let Ok(text) = TextIndex::open(blob(1), blob(2), rows) {
        let verified = text.verify().is_ok();
        let mut top = TopK::new(10, 10);
        let found = text.search("all often w1 w2 w3 w49 nothing", among, &mut top, &mut scratch);
        assert!(!verified || found.is_ok());
        check(top, rows, verified);
    }
});

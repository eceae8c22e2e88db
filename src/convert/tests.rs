//! What is written is read again by this crate's own readers, and answers alike.

use super::*;
use crate::foreign::{Foreign, Hints, Query, SearchParams, Space};
use crate::index::{BuildParams, Structure};
use crate::segment::{PrimaryKeys, Request, Scratch, Sealed};
use crate::words::random::SplitMix64;
use crate::words::{AlignedBuffer, Blob, Code, Error, IndexType, Metric, Precision};

const DIMENSION: usize = 8;
const ROWS: usize = 900;

fn vectors(rows: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..rows * DIMENSION).map(|_| random.normal_f32()).collect()
}

/// An `.elanus` file of this type, with ids that are no row numbers.
fn sealed(index_type: IndexType, metric: Metric) -> Sealed {
    let parts = Parts {
        keys: PrimaryKeys::Int64((0..ROWS as i64).map(|row| 7 * row - 40).collect()),
        ..Parts::of_vectors(vectors(ROWS, 1), DIMENSION, metric)
    };
    let params = BuildParams {
        precisions: vec![Precision::F32],
        ef_construction: 40,
        nlist: Some(12),
        ..BuildParams::default()
    };
    let file = parts.rebuild(index_type, params, "{}".into(), &|_, _| ()).unwrap().into_bytes();
    Sealed::open(Blob::copy_of(&file).unwrap()).unwrap()
}

type Writer = fn(&Parts, &mut Sink<'_, Error>) -> Result<(), Error>;

fn written(parts: &Parts, writer: Writer) -> Vec<u8> {
    let mut file = Vec::new();
    writer(parts, &mut |piece| {
        file.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    file
}

fn foreign(file: &[u8], metric: Option<Space>) -> Foreign {
    let hints = Hints { metric, ..Hints::default() };
    Foreign::open(AlignedBuffer::copy_of(file).unwrap(), &hints).unwrap()
}

/// Ids and distances that an `.elanus` file finds, as few lists or candidates as a walk pays for.
fn found(sealed: &Sealed, query: &[f32]) -> Vec<(i64, f32)> {
    let request = Request { nprobe: Some(3), ef: Some(12), ..Request::new(query) };
    let hits = sealed.search(&request, &mut Scratch::default()).unwrap();
    let id = |row| match sealed.key(row).unwrap() {
        crate::segment::Key::Int64(id) => id,
        crate::segment::Key::VarChar(_) => panic!("a text"),
    };
    hits.iter().map(|hit| (id(hit.row), hit.distance)).collect()
}

fn found_by(index: &Foreign, query: &[f32]) -> Vec<(i64, f32)> {
    let params = SearchParams { nprobe: Some(3), ef: Some(12), ..SearchParams::default() };
    let hits = index.search(Query::Floats(query), &params, None).unwrap();
    hits.iter().map(|hit| (index.id(hit.row), hit.distance)).collect()
}

fn assert_alike(a: &[(i64, f32)], b: &[(i64, f32)], shift: f32) {
    assert_eq!(a.iter().map(|hit| hit.0).collect::<Vec<_>>(), b.iter().map(|hit| hit.0).collect::<Vec<_>>());
    for (a, b) in a.iter().zip(b) {
        assert!((a.1 + shift - b.1).abs() < 1e-4, "{a:?} and {b:?}");
    }
}

/// To the other library's file and back: the answers stay, and so does the index's file.
fn there_and_back(index_type: IndexType, metric: Metric, writer: Writer, space: Option<Space>, shift: f32) {
    let original = sealed(index_type, metric);
    let file = written(&Parts::of_sealed(&original).unwrap(), writer);
    let other = foreign(&file, space);
    let back = Parts::of_foreign(&other, Some(metric)).unwrap();
    let kept = back.keep(0, "{}".into()).map(|file| file.into_bytes());
    for query in vectors(20, 2).chunks_exact(DIMENSION) {
        let mut unit = query.to_vec();
        if metric == Metric::Cosine {
            crate::index::normalise_rows(&mut unit, DIMENSION);
        }
        assert_alike(&found(&original, query), &found_by(&other, &unit), shift);
    }
    match kept {
        Ok(kept) => {
            let kept = Sealed::open(Blob::copy_of(&kept).unwrap()).unwrap();
            kept.verify().unwrap();
            let queries = vectors(20, 2);
            queries.chunks_exact(DIMENSION).for_each(|query| assert_eq!(found(&original, query), found(&kept, query)));
        }
        // Faiss's rows are for products, and only without an arrangement do they become rows for cosines.
        Err(error) => assert!(metric == Metric::Cosine && index_type != IndexType::Flat, "{error}"),
    }
}

#[test]
fn faiss_files_answer_as_what_they_were_written_from() {
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        for index_type in [IndexType::Flat, IndexType::IvfFlat, IndexType::Hnsw] {
            there_and_back(index_type, metric, faiss, None, 0.0);
        }
    }
}

#[test]
fn hnswlib_files_answer_as_what_they_were_written_from() {
    for (metric, space, shift) in
        [(Metric::L2, Space::L2, 0.0), (Metric::Ip, Space::Ip, 1.0), (Metric::Cosine, Space::Cosine, 1.0)]
    {
        there_and_back(IndexType::Hnsw, metric, hnswlib, Some(space), shift);
    }
}

#[test]
fn arrays_hold_the_vectors() {
    let parts = Parts::of_vectors(vectors(3, 4), DIMENSION, Metric::L2);
    let file = written(&parts, npy);
    assert!(file.len() == 128 + 4 * 3 * DIMENSION && file.starts_with(b"\x93NUMPY\x01\x00\x76\x00{"));
    assert!(String::from_utf8_lossy(&file[..128]).contains("'shape': (3, 8), }"));
    assert_eq!(&file[128..], as_bytes(&parts.vectors));
    let file = written(&parts, fvecs);
    assert_eq!(&file[..4], [8, 0, 0, 0]);
    assert_eq!(&file[36..72], &[&[8, 0, 0, 0], as_bytes(&parts.vectors[8..16])].concat()[..]);
}

#[test]
fn what_has_no_place_is_refused() {
    let parts = Parts::of_sealed(&sealed(IndexType::Flat, Metric::L2)).unwrap();
    let code = |parts: &Parts, writer: Writer| writer(parts, &mut |_| Ok(())).unwrap_err().code;
    assert_eq!(code(&parts, hnswlib), Code::UnsupportedFormat);
    let texts = Parts { keys: PrimaryKeys::VarChar((0..ROWS).map(|row| format!("w{row}")).collect()), ..parts };
    assert_eq!(code(&texts, faiss), Code::UnsupportedFormat);
}

#[test]
fn codes_in_lists_are_written_with_the_means_of_their_rows() {
    let sealed = sealed(IndexType::IvfRabitq, Metric::L2);
    let parts = Parts::of_sealed(&sealed).unwrap();
    let Ok(Structure::Lists(lists)) = &parts.structure else { panic!("no lists") };
    let mut first = 0;
    for (size, centroid) in lists.sizes.iter().zip(lists.centroids.chunks_exact(DIMENSION)) {
        let members = &lists.order[first..first + size];
        first += size;
        let mean = members.iter().map(|&row| parts.vectors[row as usize * DIMENSION]).sum::<f32>() / *size as f32;
        assert!((mean - centroid[0]).abs() < 1e-5);
    }
    assert_eq!(foreign(&written(&parts, faiss), None).index_type(), "IVF12,Flat");
}

//! Recall targets: what a file measured of itself, and what a search makes of it.

use crate::data::{Wanted, distances, open, params, vectors};
use elanus::format::Kind;
use elanus::index::{BuildParams, Calibration};
use elanus::segment::{Input, PrimaryKeys, Request, Scratch, Sealed, build};
use elanus::words::{Blob, Code, IndexType, MatrixView, Metric, Precision};

const INT8: &[Precision] = &[Precision::Int8];
const F32: &[Precision] = &[Precision::F32];
const SEED: u64 = crate::data::SEED;

fn file(wanted: &Wanted, queries: usize) -> Vec<u8> {
    let data = vectors(wanted.rows, wanted.dimension, SEED);
    let input = Input {
        rows: Some(MatrixView::new(&data, wanted.dimension).unwrap()),
        bits: None,
        sparse: None,
        text: None,
        index_type: wanted.index_type,
        params: BuildParams { ef_construction: 40, calibration_queries: queries, nlist: Some(40), ..params(wanted) },
        keys: PrimaryKeys::RowNumbers,
        columns: None,
        fields: None,
        card: None,
    };
    build(input, &|_, _| {}).unwrap().into_bytes()
}

fn section(bytes: &[u8]) -> Option<Vec<u8>> {
    let sealed = open(bytes);
    let entry = sealed.layout().entry(Kind::CALIBRATION)?;
    Some(bytes[entry.offset as usize..(entry.offset + entry.length) as usize].to_vec())
}

/// Mean recall of searches for vectors that aren't in the file.
fn recall(sealed: &Sealed, wanted: &Wanted, request: &Request<'_>) -> f64 {
    let data = vectors(wanted.rows, wanted.dimension, SEED);
    // The same centres, other rows.
    let queries = &vectors(wanted.rows + 200, wanted.dimension, SEED)[wanted.rows * wanted.dimension..];
    let mut scratch = Scratch::default();
    let of = |query: &[f32]| {
        let all = distances(&data, wanted.dimension, query, wanted.metric);
        let mut sorted = all.clone();
        sorted.sort_by(f64::total_cmp);
        let kth = sorted[request.limit - 1] + 1e-6;
        let hits = sealed.search(&Request { query: query.into(), ..request.clone() }, &mut scratch).unwrap();
        hits.iter().filter(|hit| all[sealed.given(hit.row).unwrap() as usize] <= kth).count() as f64
            / request.limit as f64
    };
    let recalls: Vec<f64> = queries.chunks_exact(wanted.dimension).map(of).collect();
    recalls.iter().sum::<f64>() / recalls.len() as f64
}

#[test]
fn a_target_is_reached_and_a_lower_one_costs_less() {
    for (index_type, metric) in [
        (IndexType::ScanRabitq, Metric::L2),
        (IndexType::ScanRabitq, Metric::Cosine),
        (IndexType::Hnsw, Metric::L2),
        (IndexType::IvfFlat, Metric::Ip),
        (IndexType::IvfRabitq, Metric::Cosine),
        (IndexType::IvfPq, Metric::L2),
    ] {
        let wanted = Wanted { rows: 3000, dimension: 16, index_type, metric, precisions: F32, ..Wanted::default() };
        let bytes = file(&wanted, 200);
        let sealed = open(&bytes);
        let calibration = sealed.calibration().unwrap();
        assert_eq!(calibration.queries, 200);
        assert_eq!(calibration.curves.iter().map(|curve| curve.limit).collect::<Vec<_>>(), [10, 100]);
        assert!(calibration.curves.iter().all(|curve| curve.exact == 1.0 && curve.points.len() > 2));
        let of = |target| recall(&sealed, &wanted, &Request { recall: Some(target), ..Request::new(&[]) });
        for target in [0.8, 0.95, 0.99] {
            let reached = of(target);
            assert!(reached >= f64::from(target) - 0.04, "{index_type} {metric}: {reached} for {target}");
        }
        assert_eq!(of(1.0), 1.0);
        // ε of the lowest targets is 0 or near it; a walk of the smallest ef misses some.
        assert!(of(0.05) < 0.999, "{index_type} {metric}: a low target costs as much as a high one");
    }
}

#[test]
fn what_rows_cannot_give_is_refused() {
    let wanted = Wanted { rows: 1200, dimension: 16, precisions: INT8, ..Wanted::default() };
    let sealed = open(&file(&wanted, 60));
    assert!(sealed.calibration().unwrap().curves[1].exact < 1.0);
    let query = [0.5; 16];
    let code = |sealed: &Sealed, request: Request<'_>| {
        let error = sealed.search(&request, &mut Scratch::default()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        error.message
    };
    let plain = || Request { recall: Some(0.9), limit: 100, ..Request::new(&query) };
    assert!(code(&sealed, Request { recall: Some(1.0), ..plain() }).contains("build the file with f32 rows"));
    for recall in [0.0, -0.5, 1.01, f32::NAN] {
        assert!(code(&sealed, Request { recall: Some(recall), ..plain() }).contains("more than 0 and at most 1"));
    }
    for request in
        [Request { exact: true, ..plain() }, Request { rerank: Some(7), ..plain() }, Request { ef: Some(7), ..plain() }]
    {
        assert!(code(&sealed, request).contains("leave them out"));
    }
    let without = open(&file(&wanted, 0));
    assert!(without.calibration().is_none());
    assert!(code(&without, plain()).contains("no calibration"));
    let codes = open(&file(&Wanted { precisions: &[], ..wanted }, 60));
    assert!(code(&codes, plain()).contains("no calibration"));
    let flat = open(&file(&Wanted { index_type: IndexType::Flat, ..wanted }, 60));
    assert_eq!(flat.search(&plain(), &mut Scratch::default()).unwrap().len(), 100);
}

#[test]
fn few_rows_and_equal_ones_are_measured_too() {
    for rows in [0, 1, 2, 3, 40] {
        for index_type in [IndexType::ScanRabitq, IndexType::Hnsw, IndexType::IvfRabitq, IndexType::IvfFlat] {
            let wanted = Wanted { rows, index_type, metric: Metric::L2, precisions: F32, ..Wanted::default() };
            let sealed = open(&file(&wanted, 50));
            assert_eq!(sealed.calibration().is_some(), rows > 1, "{rows} rows");
        }
    }
}

#[test]
fn the_same_seed_measures_the_same() {
    let wanted = Wanted { rows: 600, ..Wanted::default() };
    assert_eq!(section(&file(&wanted, 40)), section(&file(&wanted, 40)));
}

/// As `docs/format.md` says it lies there, and nothing that is damaged is taken for one.
#[test]
fn the_section_is_as_documented_and_checked() {
    let wanted = Wanted { rows: 600, ..Wanted::default() };
    let bytes = file(&wanted, 40);
    let section = section(&bytes).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(section[at..at + 4].try_into().unwrap());
    let f32_at = |at: usize| f32::from_le_bytes(section[at..at + 4].try_into().unwrap());
    let sealed = open(&bytes);
    let calibration = sealed.calibration().unwrap();
    let (curves, points) = (u32_at(8) as usize, u32_at(12) as usize);
    assert_eq!([u32_at(0), u32_at(4)], [2, 40]);
    assert_eq!(section.len(), 16 + curves * (8 + 8 * points));
    for (i, curve) in calibration.curves.iter().enumerate() {
        let at = 16 + i * (8 + 8 * points);
        assert_eq!((u32_at(at) as usize, f32_at(at + 4)), (curve.limit, curve.exact));
        for (j, &point) in curve.points.iter().enumerate() {
            assert_eq!((u32_at(at + 8 + 8 * j), f32_at(at + 12 + 8 * j)), point);
        }
    }
    let read = |bytes: &[u8]| Calibration::open(&Blob::copy_of(bytes).unwrap());
    assert_eq!(&read(&section).unwrap(), calibration);
    assert_eq!(read(&section).unwrap().encode(), section);
    for length in 0..section.len() {
        assert_eq!(read(&section[..length]).unwrap_err().code, Code::CorruptFile, "{length} bytes");
    }
    for at in 0..section.len() {
        for bit in 0..8 {
            let mut damaged = section.clone();
            damaged[at] ^= 1 << bit;
            if let Ok(calibration) = read(&damaged) {
                assert_eq!(calibration.encode(), damaged, "byte {at} bit {bit} was passed over");
            }
        }
    }
}

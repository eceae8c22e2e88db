//! Every fixture answers as its library did. `tools/fixtures/` makes the fixtures; more of them, of
//! other sizes, can be made elsewhere and named in `ELANUS_FOREIGN_FIXTURES`.

use elanus::foreign::{Foreign, Format, Hints, Query, SearchParams, Space};
use elanus::words::AlignedBuffer;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Distances may differ by this, relative to the largest of the answer.
const TOLERANCE: f32 = 1e-4;

/// Distances that differ by no more than this, relatively, are a tie: sums in another order can
/// swap them.
const TIE: f32 = 1e-5;

#[derive(Deserialize)]
struct Answers {
    hints: Option<Told>,
    count: usize,
    dimension: usize,
    metric: String,
    queries: Vec<Vec<f32>>,
    searches: Vec<Search>,
}

/// What a file's reader must be told.
#[derive(Deserialize)]
struct Told {
    format: Option<String>,
    dimension: Option<usize>,
    metric: Option<String>,
}

#[derive(Deserialize)]
struct Search {
    limit: usize,
    nprobe: Option<usize>,
    ef: Option<usize>,
    search_k: Option<usize>,
    k_factor: Option<f32>,
    ids: Vec<Vec<i64>>,
    distances: Vec<Vec<Option<f32>>>,
}

/// The files that have an answer beside them.
pub fn fixtures() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign");
    let more = std::env::var_os("ELANUS_FOREIGN_FIXTURES").map(PathBuf::from);
    let mut open: Vec<PathBuf> = std::iter::once(own).chain(more).collect();
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e != "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn answers(path: &Path) -> Answers {
    serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap()
}

/// What the reader of a fixture must be told.
pub fn hints(path: &Path) -> Hints {
    let Some(told) = answers(path).hints else { return Hints::default() };
    Hints {
        format: told.format.map(|name| Format::parse(&name).unwrap()),
        dimension: told.dimension,
        metric: told.metric.map(|name| Space::parse(&name).unwrap()),
    }
}

/// What doesn't agree, and how many ranks there were.
fn compare(path: &Path) -> (usize, Vec<String>) {
    let answers = answers(path);
    let opened = Foreign::open(AlignedBuffer::copy_of(&std::fs::read(path).unwrap()).unwrap(), &hints(path));
    let index = match opened {
        Ok(index) => index,
        Err(error) => return (1, vec![error.to_string()]),
    };
    assert_eq!(
        (index.count(), index.dimension(), index.measure().name()),
        (answers.count, answers.dimension, &answers.metric[..]),
        "{}",
        path.display()
    );
    let (mut ranks, mut wrong) = (0, Vec::new());
    for search in &answers.searches {
        let params = SearchParams {
            limit: search.limit,
            nprobe: search.nprobe,
            ef: search.ef,
            search_k: search.search_k,
            k_factor: search.k_factor,
        };
        for (q, query) in answers.queries.iter().enumerate() {
            let bytes: Vec<u8> = query.iter().map(|&x| x as u8).collect();
            let query = if index.is_binary() { Query::Bits(&bytes) } else { Query::Floats(query) };
            let hits = index.search(query, &params, None).unwrap();
            let expected: Vec<(i64, f32)> = (search.ids[q].iter().zip(&search.distances[q]))
                .filter_map(|(&id, &distance)| (id >= 0).then_some((id, distance?)))
                .collect();
            let found: Vec<(i64, f32)> =
                hits.iter().map(|hit| (index.id(hit.row), index.measure().to_public(hit.distance))).collect();
            let scale = expected.iter().map(|e| e.1.abs()).fold(f32::MIN_POSITIVE, f32::max);
            if found.len() != expected.len() {
                wrong.push(format!("query {q}: {} hits rather than {}", found.len(), expected.len()));
            }
            ranks += expected.len();
            for (rank, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let apart = (found.1 - expected.1).abs();
                if found.0 != expected.0 && apart > TIE * scale || apart > TOLERANCE * scale {
                    wrong.push(format!("query {q} rank {rank} of {params:?}: {found:?} rather than {expected:?}"));
                }
            }
        }
    }
    (ranks, wrong)
}

#[test]
fn every_fixture_answers_as_its_library_did() {
    let files = fixtures();
    assert!(files.len() > 10, "the fixtures weren't found");
    let mut report = Vec::new();
    for path in files {
        let (ranks, wrong) = compare(&path);
        if wrong.len() * 1000 > ranks {
            report.push(format!("{}: {} of {ranks} ranks, such as\n    {}", path.display(), wrong.len(), wrong[0]));
        }
    }
    assert!(report.is_empty(), "\n{}", report.join("\n"));
}

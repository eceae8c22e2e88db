//! Graphs that `instant-distance` builds here, saved with bincode, answer as it does itself.

use elanus::convert::Parts;
use elanus::foreign::{Foreign, Format, Hints, Query, SearchParams, Space, sniff};
use elanus::words::random::SplitMix64;
use elanus::words::{AlignedBuffer, Code};
use instant_distance::{Builder, Hnsw, HnswMap, Point, Search};
use serde::Serialize;
use serde::de::DeserializeOwned;

const DIMENSION: usize = 9;
const ROWS: usize = 700;

#[derive(Clone, Serialize, serde::Deserialize)]
struct Listed(Vec<f32>);

#[derive(Clone, Copy, Serialize, serde::Deserialize)]
struct Fixed([f32; DIMENSION]);

trait Floats: Point + Serialize + DeserializeOwned {
    fn of(floats: &[f32]) -> Self;
    fn floats(&self) -> &[f32];
}

impl Floats for Listed {
    fn of(floats: &[f32]) -> Self {
        Listed(floats.to_vec())
    }
    fn floats(&self) -> &[f32] {
        &self.0
    }
}

impl Floats for Fixed {
    fn of(floats: &[f32]) -> Self {
        Fixed(floats.try_into().unwrap())
    }
    fn floats(&self) -> &[f32] {
        &self.0
    }
}

fn squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

impl Point for Listed {
    fn distance(&self, other: &Self) -> f32 {
        squared(&self.0, &other.0).sqrt()
    }
}

impl Point for Fixed {
    fn distance(&self, other: &Self) -> f32 {
        squared(&self.0, &other.0)
    }
}

fn points<P: Floats>(count: usize, seed: u64) -> Vec<P> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| P::of(&(0..DIMENSION).map(|_| random.normal_f32()).collect::<Vec<_>>())).collect()
}

fn open(bytes: &[u8], metric: Space, dimension: Option<usize>) -> Result<Foreign, elanus::words::Error> {
    let hints = Hints { metric: Some(metric), dimension, ..Hints::default() };
    Foreign::open(AlignedBuffer::copy_of(bytes).unwrap(), &hints)
}

/// Queries find the same points, whose vectors are where the crate has them.
fn answers_alike<P: Floats>(hnsw: &Hnsw<P>, index: &Foreign, id: impl Fn(u32) -> i64) {
    let mut search = Search::default();
    let (mut ranks, mut same) = (0, 0);
    for query in points::<P>(60, 99) {
        let theirs: Vec<_> = hnsw.search(&query, &mut search).take(10).map(|item| item.pid.into_inner()).collect();
        let ours = index.search(Query::Floats(query.floats()), &SearchParams::default(), None).unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (hit, &pid) in ours.iter().zip(&theirs) {
            assert_eq!(index.id(hit.row), id(hit.row));
            (ranks, same) = (ranks + 1, same + usize::from(hit.row == pid));
        }
    }
    assert!(same * 1000 >= ranks * 999, "{same} of {ranks} ranks");
    let mut vector = vec![0.0; DIMENSION];
    for (pid, point) in hnsw.iter() {
        assert!(index.vector(pid.into_inner(), &mut vector));
        assert_eq!(vector, point.floats());
    }
}

fn built<P: Floats>(count: usize) -> Hnsw<P> {
    Builder::default().seed(4).ef_construction(60).ef_search(40).build_hnsw(points(count, 3)).0
}

fn every_form<P: Floats>() {
    for count in [1, 2, 40, ROWS] {
        let hnsw = built::<P>(count);
        let bytes = bincode::serialize(&hnsw).unwrap();
        assert_eq!(sniff(&bytes), Some(Format::InstantDistance), "{count} points");
        for dimension in [None, Some(DIMENSION)] {
            let index = open(&bytes, Space::L2, dimension).unwrap();
            assert_eq!((index.count(), index.dimension()), (count, DIMENSION));
            answers_alike(&hnsw, &index, i64::from);
        }
        let index = open(&bytes, Space::L2, None).unwrap();
        let kept = Parts::of_foreign(&index, None).unwrap();
        kept.keep(1, "{}".into()).unwrap();
    }
}

#[test]
fn points_of_both_forms_are_found_as_the_crate_finds_them() {
    every_form::<Listed>();
    every_form::<Fixed>();
}

#[test]
fn values_of_a_map_are_ids_if_they_can_be() {
    let values = |row: u64| 1_000_000_007 * row + 5;
    let build = |points: Vec<Listed>| Builder::default().seed(4).build(points, (0..ROWS as u64).map(values).collect());
    let map: HnswMap<Listed, u64> = build(points(ROWS, 3));
    let index = open(&bincode::serialize(&map).unwrap(), Space::L2, None).unwrap();
    let query = points::<Listed>(1, 8).remove(0);
    let mut search = Search::default();
    let theirs: Vec<_> = map.search(&query, &mut search).take(10).map(|item| *item.value as i64).collect();
    let ours = index.search(Query::Floats(&query.0), &SearchParams::default(), None).unwrap();
    assert_eq!(ours.iter().map(|hit| index.id(hit.row)).collect::<Vec<_>>(), theirs);

    let texts: Vec<String> = (0..ROWS).map(|row| format!("the text of {row}")).collect();
    let map = Builder::default().seed(4).build(points::<Listed>(ROWS, 3), texts);
    let index = open(&bincode::serialize(&map).unwrap(), Space::L2, None).unwrap();
    assert_eq!((index.count(), index.id(7)), (ROWS, 7));
}

#[test]
fn what_is_missing_is_said_and_what_is_wrong_refused() {
    let bytes = bincode::serialize(&built::<Fixed>(60)).unwrap();
    let error = Foreign::open(AlignedBuffer::copy_of(&bytes).unwrap(), &Hints::default()).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.message.contains("60 points of 9 dimensions") && error.message.contains("metric"), "{error}");
    assert_eq!(open(&bytes, Space::Hamming, None).unwrap_err().code, Code::InvalidArgument);
    let json = AlignedBuffer::copy_of(b"{\"ef_search\":40,\"points\":[]}").unwrap();
    for told in [TOLD, Hints::default()] {
        let json = AlignedBuffer::copy_of(&json).unwrap();
        let error = Foreign::open(json, &told).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedFormat);
        assert!(error.message.contains("as JSON") && error.message.contains("elanus convert"), "{error}");
    }
    let shorter = open(&bytes, Space::L2, Some(DIMENSION - 1)).unwrap_err();
    assert!([Code::CorruptFile, Code::UnsupportedFormat].contains(&shorter.code), "{shorter}");
    let wide = (16 + 60 * 36 + 8) + 5;
    let mut forged = bytes.clone();
    forged[wide] = 0x7F;
    assert_eq!(open(&forged, Space::L2, None).unwrap_err().code, Code::CorruptFile);
}

/// Files of each form, for what changes them at random.
pub fn originals() -> Vec<Vec<u8>> {
    vec![
        bincode::serialize(&built::<Listed>(90)).unwrap(),
        bincode::serialize(&built::<Fixed>(90)).unwrap(),
        bincode::serialize(&Builder::default().seed(1).build(points::<Fixed>(50, 2), vec![7u32; 50])).unwrap(),
    ]
}

/// What the reader of these must be told.
pub const TOLD: Hints = Hints { format: Some(Format::InstantDistance), metric: Some(Space::L2), dimension: None };

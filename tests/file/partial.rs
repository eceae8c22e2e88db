//! Files that are there in part: they answer as whole ones do, and say what they lack.

use crate::data::{Wanted, file as plain_file, params, vectors};
use crate::forge::{Pieces, exercise_parts};
use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::format::ranges::merge;
use elanus::format::{HEADER_BYTES, Kind, Layout};
use elanus::segment::{FieldsWriter, Input, Partial, PrimaryKeys, Request, Scratch, Sealed, Step, build, in_parts};
use elanus::words::{Blob, Code, IndexType, MatrixView, Metric, Precision, Result};
use proptest::prelude::*;

const DIMENSION: usize = 24;

/// How a file is laid out: files of all kinds are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Laid {
    /// The same as the next, with lists in groups.
    Grouped,
    /// With centroids in 8 bits and checksums of lists and rows, as builds do.
    Coarse,
    /// With what is read of a list in one place.
    Bundled,
    /// With checksums of blocks alone.
    Plain,
}

const LAID: [Laid; 4] = [Laid::Grouped, Laid::Coarse, Laid::Bundled, Laid::Plain];

/// A file with checksums of blocks, large enough to have many.
fn file(wanted: &Wanted, nlist: usize) -> Vec<u8> {
    laid(wanted, nlist, LAID[wanted.rows % 4])
}

fn laid(wanted: &Wanted, nlist: usize, laid: Laid) -> Vec<u8> {
    let data = vectors(wanted.rows, wanted.dimension, 3);
    let mut stored = FieldsWriter::new();
    let mut columns = ColumnsBuilder::new([("row", FieldType::Int64)]).unwrap();
    for row in 0..wanted.rows {
        stored.push(&format!("{{\"row\":{row},\"text\":\"{:x}\"}}", row * row * 7919)).unwrap();
        columns.push(0, Value::Int64(row as i64)).unwrap();
    }
    let keys = match wanted.varchar_keys {
        false => PrimaryKeys::RowNumbers,
        true => PrimaryKeys::VarChar((0..wanted.rows).map(|row| format!("key {}", row * 31)).collect()),
    };
    let mut params = params(wanted);
    params.nlist = Some(nlist);
    params.in_parts = matches!(laid, Laid::Coarse | Laid::Grouped);
    params.ngroups = (laid == Laid::Grouped).then_some(nlist / 5 + 1);
    let input = Input {
        rows: Some(MatrixView::new(&data, wanted.dimension).unwrap()),
        bits: None,
        sparse: None,
        text: None,
        index_type: wanted.index_type,
        params,
        keys,
        columns: Some(columns),
        fields: Some(stored),
        card: Some("{}".into()),
    };
    let file = build(input, &|_, _| {}).unwrap();
    let file = match laid {
        Laid::Coarse | Laid::Grouped => file,
        Laid::Bundled => in_parts(file).unwrap(),
        Laid::Plain => file.with_checks(),
    };
    file.into_bytes()
}

/// Feeds from a slice, and counts what it is asked for.
struct Source<'a> {
    bytes: &'a [u8],
    gap: u64,
    most: usize,
    turns: usize,
    requests: usize,
    fetched: u64,
}

impl<'a> Source<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Source { bytes, gap: 0, most: usize::MAX, turns: 0, requests: 0, fetched: 0 }
    }

    fn open(&self) -> Partial {
        Partial::open(&self.bytes[..self.bytes.len().min(Layout::MAX_BYTES)], self.bytes.len() as u64).unwrap()
    }

    /// Calls until nothing is lacked.
    fn until<T>(&mut self, partial: &mut Partial, mut call: impl FnMut(&mut Partial) -> Result<Step<T>>) -> T {
        for _ in 0..9 {
            match call(partial).unwrap() {
                Step::Done(answer) => return answer,
                Step::Lacks(ranges) => {
                    assert!(!ranges.is_empty());
                    self.turns += 1;
                    for range in merge(ranges, self.gap, self.most).into_iter().rev() {
                        self.requests += 1;
                        self.fetched += range.end - range.start;
                        partial.feed(range.start, &self.bytes[range.start as usize..range.end as usize]).unwrap();
                    }
                }
            }
        }
        panic!("it asks for more and more");
    }
}

fn wanted() -> impl Strategy<Value = (Wanted, usize)> {
    let kinds = prop_oneof![Just(IndexType::IvfRabitq), Just(IndexType::ScanRabitq), Just(IndexType::IvfPq)];
    let metrics = prop_oneof![Just(Metric::L2), Just(Metric::Ip), Just(Metric::Cosine)];
    let precisions = prop_oneof![
        Just(&[Precision::Int8][..]),
        Just(&[Precision::F32][..]),
        Just(&[Precision::Int8, Precision::F32][..]),
        Just(&[Precision::F16][..]),
        Just(&[Precision::Int8, Precision::Bf16][..]),
        Just(&[][..])
    ];
    (kinds, metrics, precisions, any::<bool>(), 1usize..1500, 1usize..60).prop_map(
        |(index_type, metric, precisions, varchar_keys, rows, nlist)| {
            let wanted = Wanted {
                rows,
                dimension: DIMENSION,
                index_type,
                metric,
                precisions,
                varchar_keys,
                parts: Some(12),
                part_bits: 4,
                ..Wanted::default()
            };
            (wanted, nlist)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn answers_are_those_of_the_whole_file(
        (wanted, nlist) in wanted(),
        (limit, offset) in (1usize..40, 0usize..5),
        (filtered, with_fields) in any::<(bool, bool)>(),
        nprobe in prop::option::of(1usize..20),
        rerank in 0usize..150,
        gap in 0u64..20_000,
        most in 1usize..30,
    ) {
        let bytes = file(&wanted, nlist);
        let whole = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
        whole.verify().unwrap();
        let mut source = Source { gap, most, ..Source::new(&bytes) };
        let mut partial = source.open();
        let (mut a, mut b) = (Scratch::default(), Scratch::default());
        let few = filtered.then(|| format!("row in [1, 3, 4, 9, 40, 41, 300, 700] or row < {}", limit * 3));
        for query in vectors(3, DIMENSION, 91).chunks_exact(DIMENSION) {
            let filter = few.as_deref();
            let request = Request { limit, offset, nprobe, rerank: Some(rerank), filter, ..Request::new(query) };
            let expected = whole.search(&request, &mut a).unwrap();
            let before = source.turns;
            let found = source.until(&mut partial, |partial| partial.search(&request, with_fields, &mut b));
            prop_assert_eq!(&found, &expected);
            // One for columns, one for groups.
            let grouped = whole.layout().entry(Kind::GROUPS).is_some();
            prop_assert!(source.turns - before <= 3 + usize::from(filtered) + usize::from(grouped));
            let rows: Vec<u32> = found.iter().map(|hit| hit.row).collect();
            let (before, bare) = (source.turns, source.until(&mut partial, |partial| partial.read(&rows, false)));
            let is_bare = bare.iter().all(|(_, text)| text == "{}");
            prop_assert!(is_bare);
            let read = source.until(&mut partial, |partial| partial.read(&rows, true));
            prop_assert!(source.turns - before <= 4);
            let texts = whole.fields(&rows).unwrap();
            for ((row, (key, text)), expected) in rows.iter().zip(read).zip(texts) {
                prop_assert_eq!(key, whole.key(*row).unwrap());
                prop_assert_eq!(text, expected);
            }
        }
    }

    #[test]
    fn a_damaged_range_is_refused_and_the_right_one_then_taken(
        at in any::<prop::sample::Index>(),
        bit in 0u32..8,
        rows in 700usize..704,
    ) {
        let bytes = file(&Wanted { rows, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() }, 20);
        let layout = Layout::read(&bytes, bytes.len() as u64).unwrap();
        let start = layout.entries[0].offset as usize;
        let last = layout.entry(Kind::CHECKS).unwrap();
        let end = (last.offset + last.length) as usize;
        let mut damaged = bytes.clone();
        damaged[start + at.index(end - start)] ^= 1 << bit;
        let mut partial = Source::new(&bytes).open();
        let all = start as u64;
        let error = partial.feed(all, &damaged[start..]).unwrap_err();
        prop_assert_eq!(error.code, Code::CorruptFile);
        partial.feed(all, &bytes[start..]).unwrap();
        let query = vectors(1, DIMENSION, 5);
        let request = Request { rerank: Some(50), ..Request::new(&query[..]) };
        let whole = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
        let expected = whole.search(&request, &mut Scratch::default()).unwrap();
        prop_assert_eq!(partial.search(&request, false, &mut Scratch::default()).unwrap(), Step::Done(expected));
    }

    #[test]
    fn forged_files_never_panic(
        rows in 60usize..64,
        which in any::<prop::sample::Index>(),
        varchar_keys in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        length in prop::option::of(0usize..200),
    ) {
        let wanted = Wanted { rows, dimension: DIMENSION, varchar_keys, index_type: IndexType::IvfRabitq, ..Wanted::default() };
        let mut pieces = Pieces::of(&file(&wanted, 5)).unwrap();
        exercise_parts(&pieces.seal_with_checks()).unwrap();
        let at = which.index(pieces.sections.len());
        let bytes = &mut pieces.sections[at].1;
        if let Some(length) = length {
            bytes.truncate(length);
        }
        for (place, value) in &edits {
            let length = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(place.index(length)) {
                *byte = *value;
            }
        }
        let _ = exercise_parts(&pieces.seal_with_checks());
    }

    #[test]
    fn arbitrary_heads_never_panic(edits in prop::collection::vec((0usize..600, any::<u8>()), 0..6), length in any::<u64>()) {
        let bytes = file(&Wanted { dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() }, 4);
        let mut head = bytes[..600].to_vec();
        edits.iter().for_each(|&(at, byte)| head[at] = byte);
        let _ = Partial::open(&head, length);
        let _ = Partial::open(&head, bytes.len() as u64);
    }
}

#[test]
fn a_query_fetches_a_part_of_the_file_in_three_turns() {
    let fetched = [Laid::Coarse, Laid::Bundled, Laid::Plain].map(|laid| fetched_of_a_query(laid, 3));
    assert!(fetched.is_sorted(), "{fetched:?}");
}

#[test]
fn groups_of_lists_take_a_turn_more() {
    fetched_of_a_query(Laid::Grouped, 4);
}

#[test]
fn with_groups_less_is_fetched_of_many_lists() {
    let wanted = Wanted { rows: 20_000, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let fetched = [Laid::Grouped, Laid::Coarse].map(|how| {
        let bytes = laid(&wanted, 2000, how);
        let mut source = Source::new(&bytes);
        let mut partial = source.open();
        let query = vectors(1, DIMENSION, 77);
        let request = Request { nprobe: Some(3), rerank: Some(0), ..Request::new(&query[..]) };
        source.until(&mut partial, |partial| partial.search(&request, false, &mut Scratch::default()));
        source.fetched
    });
    assert!(fetched[0] * 2 < fetched[1], "{fetched:?}");
}

/// A search that looks into all lists finds the same, whether they are in groups or not.
#[test]
fn groups_leave_nothing_out() {
    for &metric in Metric::DENSE {
        let wanted =
            Wanted { rows: 900, dimension: DIMENSION, index_type: IndexType::IvfRabitq, metric, ..Wanted::default() };
        let [a, b] = [Laid::Grouped, Laid::Coarse].map(|how| {
            let bytes = laid(&wanted, 50, how);
            let whole = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
            let query = vectors(1, DIMENSION, 78);
            [(50, 900), (7, 60)].map(|(nprobe, rerank)| {
                let request = Request { nprobe: Some(nprobe), rerank: Some(rerank), ..Request::new(&query[..]) };
                let hits = whole.search(&request, &mut Scratch::default()).unwrap();
                hits.iter().map(|hit| (whole.given(hit.row).unwrap(), hit.distance)).collect::<Vec<_>>()
            })
        });
        assert_eq!(a[0], b[0], "{metric}");
        let shared = a[1].iter().filter(|hit| b[1].contains(hit)).count();
        assert!(shared >= 6, "{metric}: {shared} of 10");
    }
}

/// What belongs to a row can be read of lists that no search has looked into.
#[test]
fn keys_of_any_row_are_read_where_lists_are_in_groups() {
    let wanted = Wanted { rows: 700, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let bytes = laid(&wanted, 40, Laid::Grouped);
    let whole = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
    let mut source = Source::new(&bytes);
    let mut partial = source.open();
    let query = vectors(1, DIMENSION, 77);
    let request = Request { nprobe: Some(2), rerank: Some(20), ..Request::new(&query[..]) };
    source.until(&mut partial, |partial| partial.search(&request, false, &mut Scratch::default()));
    let rows: Vec<u32> = (0..700).step_by(13).collect();
    let read = source.until(&mut partial, |partial| partial.read(&rows, true));
    for (row, (key, text)) in rows.iter().zip(read) {
        assert_eq!((key, text), (whole.key(*row).unwrap(), whole.fields(&[*row]).unwrap().remove(0)));
    }
}

/// Bytes that a query fetches in so many turns of a file that is laid out so.
fn fetched_of_a_query(how: Laid, first_turns: usize) -> u64 {
    let wanted = Wanted { rows: 20_000, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let bytes = laid(&wanted, 140, how);
    let mut source = Source { most: 12, ..Source::new(&bytes) };
    let mut partial = source.open();
    let mut scratch = Scratch::default();
    let query = vectors(1, DIMENSION, 77);
    let request = Request { nprobe: Some(4), rerank: Some(20), ..Request::new(&query[..]) };
    let first = source.until(&mut partial, |partial| partial.search(&request, false, &mut scratch));
    assert_eq!(first.len(), 10);
    assert_eq!(source.turns, first_turns);
    assert!(source.requests <= 36, "{}", source.requests);
    assert!(source.fetched < bytes.len() as u64 / 3, "{} of {}", source.fetched, bytes.len());
    assert!(partial.held_bytes() as u64 <= source.fetched, "{} of {}", partial.held_bytes(), source.fetched);
    // What was fetched isn't asked for again.
    let (turns, fetched) = (source.turns, source.fetched);
    assert_eq!(source.until(&mut partial, |partial| partial.search(&request, false, &mut scratch)), first);
    assert_eq!((source.turns, source.fetched), (turns, fetched));
    // What was let go of is; what every search needs is kept.
    let held = partial.held_bytes();
    partial.evict();
    assert!(partial.held_bytes() < held);
    assert_eq!(source.until(&mut partial, |partial| partial.search(&request, false, &mut scratch)), first);
    assert_eq!(source.turns, turns + first_turns - 1);
    fetched
}

#[test]
fn a_row_is_fetched_alone() {
    let wanted = Wanted { rows: 3000, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let bytes = laid(&wanted, 30, Laid::Coarse);
    let layout = Layout::read(&bytes, bytes.len() as u64).unwrap();
    let mut source = Source::new(&bytes);
    let mut partial = source.open();
    let mut scratch = Scratch::default();
    let query = vectors(1, DIMENSION, 79);
    let coarse = Request { nprobe: Some(3), rerank: Some(0), ..Request::new(&query[..]) };
    source.until(&mut partial, |partial| partial.search(&coarse, false, &mut scratch));
    let request = Request { rerank: Some(12), ..coarse };
    let Step::Lacks(ranges) = partial.search(&request, false, &mut scratch).unwrap() else { panic!("rows lack") };
    // In 8 bits and in 32.
    assert_eq!(ranges.iter().map(|range| range.end - range.start).sum::<u64>(), 12 * (1 + 4) * DIMENSION as u64);
    let checks = layout.entry(Kind::CHECKS).unwrap();
    assert!(ranges.iter().all(|range| range.end <= checks.offset));
    // Each is refused if it is damaged, and taken if it isn't.
    for range in ranges {
        let right = &bytes[range.start as usize..range.end as usize];
        let mut wrong = right.to_vec();
        wrong[7] ^= 1;
        assert_eq!(partial.feed(range.start, &wrong).unwrap_err().code, Code::CorruptFile);
        partial.feed(range.start, right).unwrap();
        // Once more is no harm.
        partial.feed(range.start, right).unwrap();
    }
    assert!(matches!(partial.search(&request, false, &mut scratch).unwrap(), Step::Done(hits) if hits.len() == 10));
}

#[test]
fn a_long_first_part_saves_a_turn() {
    let wanted = Wanted { rows: 5000, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let bytes = laid(&wanted, 70, Laid::Coarse);
    let layout = Layout::read(&bytes, bytes.len() as u64).unwrap();
    let codes = layout.entry(Kind::CODES).unwrap().offset as usize;
    let mut source = Source::new(&bytes);
    let mut partial = Partial::open(&bytes[..codes], bytes.len() as u64).unwrap();
    assert!(matches!(partial.card(), Ok(Step::Done(_))) && matches!(partial.parts(), Ok(Step::Done(_))));
    let query = vectors(1, DIMENSION, 78);
    let request = Request { nprobe: Some(4), ..Request::new(&query[..]) };
    let mut scratch = Scratch::default();
    let coarse = Request { rerank: Some(0), ..request.clone() };
    let whole = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
    // By codes alone after one turn, by rows after two.
    let found = source.until(&mut partial, |partial| partial.search(&coarse, false, &mut scratch));
    assert_eq!((found, source.turns), (whole.search(&coarse, &mut Scratch::default()).unwrap(), 1));
    let rerank = Some(elanus::segment::partial::RERANK);
    let expected = whole.search(&Request { rerank, ..request.clone() }, &mut Scratch::default()).unwrap();
    let found = source.until(&mut partial, |partial| partial.search(&request, false, &mut scratch));
    assert_eq!((found, source.turns), (expected, 2));
}

#[test]
fn what_cannot_be_read_in_parts_says_why() {
    let code = |bytes: &[u8]| {
        let head = &bytes[..Layout::MAX_BYTES.min(bytes.len())];
        Partial::open(head, bytes.len() as u64).map(drop).map_err(|error| (error.code, error.message))
    };
    let small = Wanted { rows: 300, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let (error, message) = code(&plain_file(&small)).unwrap_err();
    assert_eq!(error, Code::UnsupportedFormat);
    assert!(message.contains("no checksums of blocks") && message.contains("--checks"), "{message}");
    for wanted in [Wanted { index_type: IndexType::Hnsw, ..small }, Wanted { bits: 4, ..small }] {
        assert_eq!(code(&file(&wanted, 4)).unwrap_err().0, Code::UnsupportedFormat);
    }
    let bytes = file(&small, 4);
    assert_eq!(code(&bytes), Ok(()));
    assert_eq!(code(&bytes[..HEADER_BYTES]).unwrap_err().0, Code::CorruptFile);

    let mut partial = Source::new(&bytes).open();
    let query = [0.5; DIMENSION];
    let ask = Request::new(&query[..]);
    for (request, expected) in [
        (Request { exact: true, ..ask.clone() }, Code::InvalidArgument),
        (Request { radius: Some(0.5), ..ask.clone() }, Code::InvalidArgument),
        (Request { recall: Some(0.9), ..ask.clone() }, Code::InvalidArgument),
        (Request::new("words"), Code::InvalidArgument),
        (Request { limit: 0, ..ask.clone() }, Code::InvalidArgument),
    ] {
        assert_eq!(partial.search(&request, false, &mut Scratch::default()).unwrap_err().code, expected, "{request:?}");
    }
    assert_eq!(partial.read(&[300], false).unwrap_err().code, Code::InvalidArgument);
    // Bytes that come before the checksums, and none that a block is made of.
    assert_eq!(partial.feed(4096, &bytes[4096..8192]).unwrap_err().code, Code::InvalidArgument);
    let checks = *Layout::read(&bytes, bytes.len() as u64).unwrap().entry(Kind::CHECKS).unwrap();
    partial.feed(checks.offset, &bytes[checks.offset as usize..(checks.offset + checks.length) as usize]).unwrap();
    assert_eq!(partial.feed(4097, &bytes[4097..8192]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(partial.feed(u64::MAX, &bytes[..5000]).unwrap_err().code, Code::InvalidArgument);
}

/// What version 1 of the format wrote with `--checks`: 120 rows by L2 in 4 lists, with bundles.
#[test]
fn a_file_of_version_1_is_read_in_parts() {
    let bytes = include_bytes!("../fixtures/versions/in-parts-1.elanus");
    let whole = Sealed::open(Blob::copy_of(bytes).unwrap()).unwrap();
    whole.verify().unwrap();
    assert_eq!(whole.layout().version, 1);
    assert!(whole.layout().entry(Kind::BUNDLES).is_some() && whole.layout().entry(Kind::COARSE).is_none());
    answers_as_whole(bytes, &whole);
}

/// What version 2 of the format wrote with `--checks`: 120 rows by L2 in 4 lists, with coarse centroids.
#[test]
fn a_file_of_version_2_is_read_in_parts() {
    let bytes = include_bytes!("../fixtures/versions/in-parts-2.elanus");
    let whole = Sealed::open(Blob::copy_of(bytes).unwrap()).unwrap();
    whole.verify().unwrap();
    assert_eq!(whole.layout().version, 2);
    assert!(whole.layout().entry(Kind::COARSE).is_some() && whole.layout().entry(Kind::GROUPS).is_none());
    answers_as_whole(bytes, &whole);
}

fn answers_as_whole(bytes: &[u8], whole: &Sealed) {
    let mut source = Source::new(bytes);
    let mut partial = source.open();
    for query in vectors(5, 8, 83).chunks_exact(8) {
        let request = Request { nprobe: Some(2), rerank: Some(30), ..Request::new(query) };
        let expected = whole.search(&request, &mut Scratch::default()).unwrap();
        assert_eq!(expected.len(), 10);
        let found = source.until(&mut partial, |partial| partial.search(&request, false, &mut Scratch::default()));
        assert_eq!(found, expected);
    }
}

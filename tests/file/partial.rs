//! Files that are there in part: they answer as whole ones do, and say what they lack.

use crate::data::{Wanted, file as plain_file, params, vectors};
use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::format::ranges::merge;
use elanus::format::{HEADER_BYTES, Kind, Layout};
use elanus::index::{Scratch, SearchParams};
use elanus::segment::{FieldsWriter, Input, Partial, PrimaryKeys, Sealed, Step, build};
use elanus::words::{Blob, Code, IndexType, MatrixView, Metric, Precision, Result};
use proptest::prelude::*;

const DIMENSION: usize = 24;
const MOST: usize = 1 << 24;

/// A file with checksums of blocks, large enough to have many.
fn file(wanted: &Wanted, nlist: usize) -> Vec<u8> {
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
    build(input, &|_, _| {}).unwrap().with_checks().into_bytes()
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
        Partial::open(&self.bytes[..Layout::MAX_BYTES], self.bytes.len() as u64, MOST).unwrap()
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
        limit in 1usize..40,
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
        let params = SearchParams { limit, nprobe, rerank: Some(rerank), ..SearchParams::default() };
        let (mut a, mut b) = (Scratch::default(), Scratch::default());
        for query in vectors(3, DIMENSION, 91).chunks_exact(DIMENSION) {
            let expected = whole.index().search(query, &params, None, &mut a).unwrap();
            let before = source.turns;
            let found = source.until(&mut partial, |partial| partial.search(query, &params, &mut b));
            prop_assert_eq!(&found, &expected);
            prop_assert!(source.turns - before <= 3);
            let rows: Vec<u32> = found.iter().map(|hit| hit.row).collect();
            let read = source.until(&mut partial, |partial| partial.read(&rows));
            let texts = whole.fields(&rows).unwrap();
            for ((row, (key, text)), expected) in rows.iter().zip(read).zip(texts) {
                prop_assert_eq!(key, whole.key(*row).unwrap());
                prop_assert_eq!(text, expected);
            }
        }
    }

    #[test]
    fn a_damaged_range_is_refused_and_the_right_one_then_taken(at in any::<prop::sample::Index>(), bit in 0u32..8) {
        let bytes = file(&Wanted { rows: 700, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() }, 20);
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
        let params = SearchParams { rerank: Some(50), ..SearchParams::default() };
        let query = vectors(1, DIMENSION, 5);
        let whole = Sealed::open(Blob::copy_of(&bytes).unwrap()).unwrap();
        let expected = whole.index().search(&query, &params, None, &mut Scratch::default()).unwrap();
        prop_assert_eq!(partial.search(&query, &params, &mut Scratch::default()).unwrap(), Step::Done(expected));
    }

    #[test]
    fn arbitrary_heads_never_panic(edits in prop::collection::vec((0usize..600, any::<u8>()), 0..6), length in any::<u64>()) {
        let bytes = file(&Wanted { dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() }, 4);
        let mut head = bytes[..600].to_vec();
        edits.iter().for_each(|&(at, byte)| head[at] = byte);
        let _ = Partial::open(&head, length, MOST);
        let _ = Partial::open(&head, bytes.len() as u64, MOST);
    }
}

#[test]
fn a_query_fetches_a_part_of_the_file_in_three_turns() {
    let wanted = Wanted { rows: 20_000, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let bytes = file(&wanted, 140);
    let mut source = Source { most: 12, ..Source::new(&bytes) };
    let mut partial = source.open();
    let params = SearchParams { nprobe: Some(4), rerank: Some(20), ..SearchParams::default() };
    let mut scratch = Scratch::default();
    let query = vectors(1, DIMENSION, 77);
    let first = source.until(&mut partial, |partial| partial.search(&query, &params, &mut scratch));
    assert_eq!(first.len(), 10);
    assert_eq!(source.turns, 3);
    assert!(source.requests <= 36, "{}", source.requests);
    assert!(source.fetched < bytes.len() as u64 / 3, "{} of {}", source.fetched, bytes.len());
    // What was fetched isn't asked for again.
    let (turns, fetched) = (source.turns, source.fetched);
    assert_eq!(source.until(&mut partial, |partial| partial.search(&query, &params, &mut scratch)), first);
    assert_eq!((source.turns, source.fetched), (turns, fetched));
}

#[test]
fn what_cannot_be_read_in_parts_says_why() {
    let code = |bytes: &[u8], most| {
        let head = &bytes[..Layout::MAX_BYTES.min(bytes.len())];
        Partial::open(head, bytes.len() as u64, most).map(drop).map_err(|error| (error.code, error.message))
    };
    let small = Wanted { rows: 300, dimension: DIMENSION, index_type: IndexType::IvfRabitq, ..Wanted::default() };
    let (error, message) = code(&plain_file(&small), MOST).unwrap_err();
    assert_eq!(error, Code::UnsupportedFormat);
    assert!(message.contains("no checksums of blocks") && message.contains("--checks"), "{message}");
    for wanted in [Wanted { index_type: IndexType::Hnsw, ..small }, Wanted { bits: 4, ..small }] {
        assert_eq!(code(&file(&wanted, 4), MOST).unwrap_err().0, Code::UnsupportedFormat);
    }
    let bytes = file(&small, 4);
    assert_eq!(code(&bytes, MOST), Ok(()));
    assert_eq!(code(&bytes, bytes.len() - 1).unwrap_err().0, Code::OutOfMemory);
    assert_eq!(code(&bytes[..HEADER_BYTES], MOST).unwrap_err().0, Code::CorruptFile);

    let mut partial = Source::new(&bytes).open();
    let exact = SearchParams { exact: true, ..SearchParams::default() };
    let query = [0.5; DIMENSION];
    assert_eq!(partial.search(&query, &exact, &mut Scratch::default()).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(partial.read(&[300]).unwrap_err().code, Code::InvalidArgument);
    // Bytes that come before the checksums, and none that a block is made of.
    assert_eq!(partial.feed(4096, &bytes[4096..8192]).unwrap_err().code, Code::InvalidArgument);
    let checks = *Layout::read(&bytes, bytes.len() as u64).unwrap().entry(Kind::CHECKS).unwrap();
    partial.feed(checks.offset, &bytes[checks.offset as usize..(checks.offset + checks.length) as usize]).unwrap();
    assert_eq!(partial.feed(4097, &bytes[4097..8192]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(partial.feed(u64::MAX, &bytes[..5000]).unwrap_err().code, Code::InvalidArgument);
}

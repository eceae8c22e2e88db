//! Logs, manifests and catalogs that were cut, damaged or forged.

use super::disk::Disk;
use super::model::{DIMENSION, draft, key, schema, vector};
use crate::collection::log::LOG_HEAD;
use crate::collection::{Catalog, Collection, LogReader, Manifest, Request, Schema};
use crate::words::random::SplitMix64;
use crate::words::{Code, Metric};
use proptest::prelude::*;

/// A collection with a log of some records, and where each of them ends.
fn written(seed: u64) -> (Schema, Vec<u8>, Vec<usize>) {
    let mut random = SplitMix64::new(seed);
    let (mut disk, mut collection) = Disk::create(schema(&mut random)).unwrap();
    let schema = collection.schema().clone();
    let mut ends = vec![LOG_HEAD];
    for _ in 0..6 {
        let write = if random.below(3) == 0 && collection.live() > 0 {
            let keys: Vec<_> = (0..9).map(|_| key(&schema, &mut random, 12)).collect();
            collection.delete(&keys).unwrap()
        } else {
            let (mut one, _) = draft(&schema, &mut random);
            one.key = (!schema.primary.auto_id).then(|| key(&schema, &mut random, 12));
            let vector = vector(schema.vector.metric, &mut random).0;
            assert_eq!(vector.len(), DIMENSION);
            collection.upsert(vector, vec![one]).unwrap()
        };
        let write = match random.below(2) {
            0 => write,
            client => write.naming(Request { client: client.into(), number: 9 }).unwrap(),
        };
        disk.append(0, &write, None);
        collection.apply(write).unwrap();
        ends.push(disk.logs[&0].len());
    }
    (schema, disk.logs.remove(&0).unwrap(), ends)
}

fn records(bytes: &[u8], number: u64, schema: &Schema) -> Result<(usize, usize, usize), Code> {
    let mut reader = LogReader::open(bytes, number).map_err(|error| error.code)?;
    let mut count = 0;
    while reader.next(schema).map_err(|error| error.code)?.is_some() {
        count += 1;
    }
    Ok((count, reader.position(), reader.remaining()))
}

#[test]
fn a_log_that_was_cut_anywhere_gives_its_whole_records() {
    for seed in 0..4 {
        let (schema, log, ends) = written(seed);
        for cut in 0..=log.len() {
            let whole = ends.iter().rposition(|&end| end <= cut);
            let expected = whole.map_or((0, 0, 0), |n| (0, ends[n], cut - ends[n]));
            let (count, position, rest) = records(&log[..cut], 0, &schema).unwrap();
            assert_eq!((0, position, rest), expected, "cut at {cut}");
            let distinct = ends[..=whole.unwrap_or(0)].windows(2).filter(|pair| pair[0] < pair[1]).count();
            assert_eq!(count, distinct, "cut at {cut}");
        }
    }
}

#[test]
fn a_log_of_another_number_or_version_is_refused() {
    let (schema, log, _) = written(1);
    assert_eq!(records(&log, 1, &schema), Err(Code::CorruptFile));
    let mut other = log.clone();
    other[8] = 2;
    assert_eq!(records(&other, 0, &schema), Err(Code::UnsupportedVersion));
    other[0] = 0;
    assert_eq!(records(&other, 0, &schema), Err(Code::UnsupportedFormat));
}

/// The same bytes at another place, as a log leaves them behind where it was cut and written over.
#[test]
fn a_frame_is_tied_to_its_place() {
    let (schema, log, ends) = written(2);
    let frame = log[ends[0]..ends[1]].to_vec();
    let twice = [&log[..ends[1]], &frame].concat();
    assert_eq!(records(&twice, 0, &schema), Ok((1, ends[1], frame.len())));
}

#[test]
fn logs_that_are_missing_or_out_of_order_are_refused() {
    let mut collection = Collection::create(Schema::quick(1, Metric::L2)).unwrap();
    let code = |collection: &mut Collection, number| collection.replay(number, &[]).err().map(|error| error.code);
    assert_eq!(code(&mut collection, 2), Some(Code::CorruptFile));
    let mut opened = Collection::open(collection.manifest(), Vec::new()).unwrap();
    assert_eq!(opened.insert(Vec::new(), Vec::new()).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(code(&mut opened, 1), Some(Code::CorruptFile));
    assert_eq!((code(&mut opened, 0), code(&mut opened, 1)), (None, None));
    assert_eq!(code(&mut opened, 1), Some(Code::CorruptFile));
}

fn edited(mut bytes: Vec<u8>, edits: &[(usize, u8)]) -> Vec<u8> {
    for &(at, value) in edits {
        let at = at % bytes.len();
        bytes[at] = value;
    }
    bytes
}

proptest! {
    #[test]
    fn damage_to_a_log_never_panics(seed in 0u64..8, edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..5)) {
        let (schema, log, _) = written(seed);
        let _ = records(&edited(log, &edits), 0, &schema);
    }

    /// A right checksum over a wrong payload: what only a forger writes.
    #[test]
    fn forged_records_never_panic(seed in 0u64..8, payload in prop::collection::vec(any::<u8>(), 1..60), kind in 0u8..6) {
        let (schema, mut log, ends) = written(seed);
        log.truncate(ends[0]);
        let payload = [&[kind], &payload[..]].concat();
        log.extend((payload.len() as u32).to_le_bytes());
        log.extend(0u32.to_le_bytes());
        log.extend(xxhash_rust::xxh64::xxh64(&payload, LOG_HEAD as u64).to_le_bytes());
        log.extend(&payload);
        match records(&log, 0, &schema) {
            Ok((count, ..)) => prop_assert_eq!(count, 1),
            Err(code) => prop_assert_eq!(code, Code::CorruptFile),
        }
    }

    #[test]
    fn manifests_and_catalogs_come_back_and_damage_is_found(seed in 0u64..40, edits in prop::collection::vec((any::<usize>(), 1u8..), 1..4)) {
        let mut random = SplitMix64::new(seed);
        let collection = Collection::create(schema(&mut random)).unwrap();
        let manifest = Manifest { sequence: seed, next_id: -4, next_file: 7, ..collection.manifest() };
        let bytes = manifest.encode();
        prop_assert_eq!(&Manifest::decode(&bytes).unwrap(), &manifest);
        let damaged = edits.iter().fold(bytes.clone(), |mut bytes, &(at, bit)| {
            let at = at % bytes.len();
            bytes[at] ^= bit;
            bytes
        });
        prop_assert!(damaged == bytes || Manifest::decode(&damaged).is_err());
        // With the checksum put right, only the structure is left to be wrong.
        let payload = edited(bytes[40..].to_vec(), &edits);
        let sealed = super::super::codec::seal(bytes[..8].try_into().unwrap(), 1, seed, &payload);
        if let Ok(manifest) = Manifest::decode(&sealed) {
            prop_assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
        }
        let mut catalog = Catalog::default();
        catalog.create("a").unwrap();
        catalog.create_alias("b", "a").unwrap();
        let bytes = catalog.encode();
        let payload = edited(bytes[40..].to_vec(), &edits);
        let sealed = super::super::codec::seal(bytes[..8].try_into().unwrap(), 1, seed, &payload);
        if let Ok(catalog) = Catalog::decode(&sealed) {
            prop_assert_eq!(Catalog::decode(&catalog.encode()).unwrap(), catalog);
        }
    }
}

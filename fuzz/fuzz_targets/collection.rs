//! Logs, manifests and catalogs of collections: as they are, and with checksums put right so that
//! the structure behind them is reached.
//!
//! An input is a kind, then the bytes.
#![no_main]

use elanus::collection::log::log_head;
use elanus::collection::{Catalog, Collection, DataType, Field, Manifest, Schema};
use elanus::words::Metric;
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh64::{Xxh64, xxh64};

fn schema() -> Schema {
    let fields = vec![
        Field { nullable: true, ..Field::new("n", DataType::Int64) },
        Field { nullable: true, ..Field::new("s", DataType::VarChar { max_length: 10 }) },
        Field { nullable: true, ..Field::new("j", DataType::Json) },
    ];
    Schema { fields, ..Schema::quick(2, Metric::L2) }
}

/// Frames around pieces of the input, each with its length before it.
fn log(mut data: &[u8]) -> Vec<u8> {
    let mut log = log_head(0);
    while let [length, rest @ ..] = data {
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let sum = xxh64(payload, log.len() as u64);
        log.extend((payload.len() as u32).to_le_bytes());
        log.extend(0u32.to_le_bytes());
        log.extend(sum.to_le_bytes());
        log.extend(payload);
        data = rest;
    }
    log
}

fn envelope(like: &[u8], payload: &[u8]) -> Vec<u8> {
    use std::hash::Hasher;
    let mut out = like[..24].to_vec();
    out.extend((payload.len() as u64).to_le_bytes());
    let mut hash = Xxh64::new(0);
    hash.write(&out);
    hash.write(payload);
    out.extend(hash.finish().to_le_bytes());
    out.extend(payload);
    out
}

fuzz_target!(|data: &[u8]| {
    let [kind, data @ ..] = data else { return };
    let collection = Collection::create(schema()).expect("a good schema");
    let manifest = collection.manifest();
    match kind % 6 {
        0 | 1 => {
            let bytes = if kind % 6 == 0 { data.to_vec() } else { log(data) };
            let mut opened = Collection::open(manifest, Vec::new()).expect("a good manifest");
            if opened.replay(0, &bytes).is_ok() {
                let live = opened.live();
                assert_eq!(opened.count(Some("id > 0 or not (id > 0)")).expect("a good filter"), live);
                assert_eq!(opened.query(None, None, 0).expect("all of them").len(), live);
            }
        }
        2 => drop(Manifest::decode(data)),
        3 => {
            if let Ok(read) = Manifest::decode(&envelope(&manifest.encode(), data)) {
                assert_eq!(Manifest::decode(&read.encode()).expect("what was read"), read);
            }
        }
        4 => drop(Catalog::decode(data)),
        _ => {
            if let Ok(read) = Catalog::decode(&envelope(&Catalog::default().encode(), data)) {
                assert_eq!(Catalog::decode(&read.encode()).expect("what was read"), read);
            }
        }
    }
});

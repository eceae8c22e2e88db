//! Files of hnswlib. Seed it with tests/fixtures/foreign/hnswlib.
#![no_main]

mod foreign;

use elanus::foreign::{Format, Hints, Space};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for metric in [Space::L2, Space::Cosine] {
        foreign::exercise(data, &Hints { format: Some(Format::Hnswlib), metric: Some(metric), dimension: None });
    }
});

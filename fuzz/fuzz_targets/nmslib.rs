//! Files of NMSLIB. Seed it with tests/fixtures/foreign/nmslib.
#![no_main]

mod foreign;

use elanus::foreign::{Format, Hints, Space};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What an optimised index needs, and a plain one.
    for metric in [None, Some(Space::Cosine)] {
        foreign::exercise(data, &Hints { format: Some(Format::Nmslib), metric, ..Hints::default() });
    }
});

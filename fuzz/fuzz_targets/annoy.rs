//! Files of Annoy. Seed it with tests/fixtures/foreign/annoy.
#![no_main]

mod foreign;

use elanus::foreign::{Format, Hints, Space};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for (metric, dimension) in
        [(Space::Cosine, 12), (Space::L2, 12), (Space::L1, 12), (Space::Ip, 12), (Space::Hamming, 53)]
    {
        let hints = Hints { format: Some(Format::Annoy), metric: Some(metric), dimension: Some(dimension) };
        foreign::exercise(data, &hints);
    }
});

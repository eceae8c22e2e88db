//! Real files that are searched in parts, with edited sections, sealed again with all their checksums.
//!
//! An input is the file, the section, and then edits: a place, a width and a value each.
#![no_main]

#[path = "../../tests/file/data.rs"]
#[allow(dead_code)]
mod data;
#[path = "../../tests/file/forge.rs"]
#[allow(dead_code)]
mod forge;

use data::{Wanted, file};
use elanus::words::IndexType;
use forge::{Pieces, exercise_parts};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static ORIGINALS: LazyLock<Vec<Pieces>> = LazyLock::new(|| {
    [IndexType::IvfRabitq, IndexType::ScanRabitq]
        .into_iter()
        .flat_map(|index_type| [false, true].map(|varchar_keys| Wanted { rows: 40, index_type, varchar_keys, in_parts: !varchar_keys, ..Wanted::default() }))
        .filter_map(|wanted| Pieces::of(&file(&wanted)).ok())
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let [which, section, edits @ ..] = data else { return };
    let mut pieces = ORIGINALS[usize::from(*which) % ORIGINALS.len()].clone();
    let at = usize::from(*section) % pieces.sections.len();
    let bytes = &mut pieces.sections[at].1;
    for edit in edits.chunks_exact(8) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        let value = &edit[4..4 + usize::from(edit[2] % 5)];
        match edit[3] % 16 {
            0 => bytes.truncate(place),
            1 => bytes.extend_from_slice(value),
            _ if place + value.len() <= bytes.len() => bytes[place..place + value.len()].copy_from_slice(value),
            _ => {}
        }
    }
    let _ = exercise_parts(&pieces.seal_with_checks());
});

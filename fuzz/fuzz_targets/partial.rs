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
mod edits;

use data::{Wanted, file};
use elanus::words::IndexType;
use forge::{Pieces, exercise_parts};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static ORIGINALS: LazyLock<Vec<Pieces>> = LazyLock::new(|| {
    [IndexType::IvfRabitq, IndexType::ScanRabitq]
        .into_iter()
        .flat_map(|index_type| {
            // Keys, whether it is laid out in parts, and its groups.
            [(true, false, None), (false, true, None), (false, true, Some(2))].map(|(varchar_keys, in_parts, groups)| Wanted {
                rows: 40,
                index_type,
                varchar_keys,
                in_parts,
                groups,
                ..Wanted::default()
            })
        })
        .filter_map(|wanted| Pieces::of(&file(&wanted)).ok())
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let [which, section, rest @ ..] = data else { return };
    let mut pieces = ORIGINALS[usize::from(*which) % ORIGINALS.len()].clone();
    let at = usize::from(*section) % pieces.sections.len();
    edits::apply(&mut pieces.sections[at].1, rest);
    let _ = exercise_parts(&pieces.seal_with_checks());
});

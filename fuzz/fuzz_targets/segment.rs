//! Real files of each index type with edited sections, sealed again.
//!
//! An input is the file's type, the section, and then edits: a place, a width and a value each.
#![no_main]

#[path = "../../tests/file/data.rs"]
#[allow(dead_code)]
mod data;
#[path = "../../tests/file/forge.rs"]
#[allow(dead_code)]
mod forge;

use data::{Wanted, every_type, file};
use forge::{Pieces, exercise};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static ORIGINALS: LazyLock<Vec<Pieces>> = LazyLock::new(|| {
    every_type()
        .flat_map(|index_type| [false, true].map(|varchar_keys| Wanted { rows: 40, index_type, varchar_keys, ..Wanted::default() }))
        .filter_map(|wanted| Pieces::of(&file(&wanted)).ok())
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let [which, section, edits @ ..] = data else { return };
    let mut pieces = ORIGINALS[usize::from(*which) % ORIGINALS.len()].clone();
    let at = usize::from(*section) % (pieces.sections.len() + 1);
    if let Some((_, bytes)) = pieces.sections.get_mut(at) {
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
    } else if let [a, b, c, d, ..] = edits {
        let value = u32::from_le_bytes([*a, *b, *c, *d]);
        if edits.len() % 2 == 0 { pieces.header.count = value } else { pieces.header.dimension = value }
    }
    let _ = exercise(&pieces.seal());
});

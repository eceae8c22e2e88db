//! Files that were changed at random: flipped, cut off, with forged counts, with parts of others in them.

use crate::answers::{fixtures, hints};
use crate::hostile::probe;
use elanus::foreign::Hints;
use elanus::words::random::SplitMix64;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Numbers that counts, sizes and offsets are forged to.
const NASTY: [u64; 11] =
    [0, 1, 255, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 33, 1 << 40, 1 << 62, u64::MAX / 8, u64::MAX];

/// Where most counts are.
const HEAD: usize = 400;

struct Fixture {
    path: PathBuf,
    bytes: Vec<u8>,
    hints: Hints,
}

/// The fixtures of each library.
fn formats() -> BTreeMap<String, Vec<Fixture>> {
    let mut formats: BTreeMap<String, Vec<Fixture>> = BTreeMap::new();
    for path in fixtures() {
        let library = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let (bytes, hints) = (std::fs::read(&path).unwrap(), hints(&path));
        formats.entry(library).or_default().push(Fixture { path, bytes, hints });
    }
    formats
}

/// A place, half of the time in the head; any other anywhere.
fn place(random: &mut SplitMix64, length: usize) -> usize {
    let within = if random.below(2) == 0 { length.min(HEAD) } else { length };
    random.below(within.max(1) as u32) as usize
}

/// One change. `other` is a file of the same library.
pub fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut SplitMix64) -> &'static str {
    if bytes.is_empty() {
        return "left empty";
    }
    let at = place(random, bytes.len());
    match random.below(8) {
        0 => {
            bytes[at] ^= 1 << random.below(8);
            "flipped a bit"
        }
        1 => {
            bytes[at] = random.next_u64() as u8;
            "changed a byte"
        }
        2 | 3 => {
            // Counts lie at multiples of 4, or a tag, a flag or a byte behind one.
            let at = if random.below(2) == 0 { at & !3 } else { at };
            let number = NASTY[random.below(NASTY.len() as u32) as usize].to_le_bytes();
            let end = bytes.len().min(at + if random.below(2) == 0 { 4 } else { 8 });
            bytes[at..end].copy_from_slice(&number[..end - at]);
            "forged a count"
        }
        4 => {
            // A count that is nearly right is the hardest to tell.
            let at = (at & !3).min(bytes.len().saturating_sub(4));
            if let Some(Ok(old)) = bytes.get(at..at + 4).map(<[u8; 4]>::try_from) {
                let shift = random.below(5).wrapping_sub(2);
                bytes[at..at + 4].copy_from_slice(&u32::from_le_bytes(old).wrapping_add(shift).to_le_bytes());
            }
            "moved a count"
        }
        5 => {
            bytes.truncate(at);
            "cut it off"
        }
        6 => {
            let from = place(random, other.len()).min(other.len());
            let length = random.below(512) as usize;
            let part = &other[from..other.len().min(from + length)];
            let end = bytes.len().min(at + part.len());
            match random.below(2) {
                0 => drop(bytes.splice(at..end, part.iter().copied())),
                _ => bytes[at..end].copy_from_slice(&part[..end - at]),
            }
            "crossed it with another"
        }
        _ => {
            let length = (1 + random.below(256) as usize).min(bytes.len() - at);
            let part = bytes[at..at + length].to_vec();
            let to = place(random, bytes.len());
            match random.below(3) {
                0 => drop(bytes.splice(to..to, part)),
                1 => drop(bytes.drain(at..at + length)),
                _ => {
                    let end = bytes.len().min(to + length);
                    bytes[to..end].copy_from_slice(&part[..end - to]);
                }
            }
            "moved a section"
        }
    }
}

/// So many mutations of each library's files; says how many were refused.
fn mutate(each: usize, seed: u64) {
    for (library, fixtures) in formats() {
        let mut random = SplitMix64::new(seed);
        let mut refused = 0;
        for round in 0..each {
            let fixture = &fixtures[round % fixtures.len()];
            let other = &fixtures[random.below(fixtures.len() as u32) as usize].bytes;
            let mut bytes = fixture.bytes.clone();
            let changes: Vec<&str> = (0..=random.below(3)).map(|_| change(&mut bytes, other, &mut random)).collect();
            let name = format!("{} round {round} of seed {seed} ({})", fixture.path.display(), changes.join(", "));
            refused += usize::from(probe(&name, &bytes, &fixture.hints).is_err());
        }
        println!("{library}: {each} mutations, {refused} refused, the others answered");
        // If nothing were refused, the files weren't changed where it matters.
        assert!(refused * 10 > each && refused < each, "{library}: {refused} of {each} refused");
    }
}

#[test]
fn some_mutations_of_each_format_do_no_harm() {
    mutate(1500, 7);
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_mutations_of_each_format_do_no_harm() {
    mutate(10_000, 11);
}

//! Damaged and forged files: each is refused with a typed error or answers sanely, quickly, and
//! without asking for memory that an unchecked number named.

use crate::data::{Wanted, every_type, file};
use crate::forge::{Pieces, exercise};
use crate::memory::most_memory;
use elanus::format::Kind;
use elanus::segment::Sealed;
use elanus::words::random::SplitMix64;
use elanus::words::{Blob, Code, IndexType, Metric, Result};
use std::time::{Duration, Instant};

const MEMORY: usize = 8 << 20;
const TIME: Duration = Duration::from_secs(1);

fn small(index_type: IndexType) -> Vec<u8> {
    file(&Wanted {
        rows: 36,
        dimension: 5,
        index_type,
        bits: if index_type == IndexType::IvfRabitq { 8 } else { 1 },
        parts: (index_type == IndexType::IvfPq).then_some(3),
        varchar_keys: index_type == IndexType::Flat,
        ..Wanted::default()
    })
}

fn open_and_verify(bytes: &[u8]) -> Result<()> {
    Sealed::open(Blob::copy_of(bytes)?)?.verify()
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for index_type in every_type() {
        let bytes = small(index_type);
        open_and_verify(&bytes).unwrap();
        for length in 0..bytes.len() {
            let refused = Sealed::open(Blob::copy_of(&bytes[..length]).unwrap());
            assert!(refused.is_err(), "{index_type} cut to {length} of {}", bytes.len());
        }
    }
}

#[test]
fn damage_to_any_byte_is_found() {
    for index_type in every_type() {
        let bytes = small(index_type);
        let mut random = SplitMix64::new(1);
        for at in 0..bytes.len() {
            for change in [1 << random.below(8), 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                assert!(open_and_verify(&damaged).is_err(), "{index_type} byte {at} ^ {change:#04x}");
            }
        }
    }
}

/// Names a forgery when it panics, takes long or takes much.
fn probe(name: &str, file: &[u8]) -> Result<()> {
    let start = Instant::now();
    let caught = std::panic::catch_unwind(|| most_memory(|| exercise(file)));
    let (result, memory) = caught.unwrap_or_else(|_| panic!("{name}: panicked"));
    assert!(start.elapsed() < TIME, "{name}: took {:?}", start.elapsed());
    assert!(memory < file.len() + MEMORY, "{name}: held {memory} bytes for a file of {}", file.len());
    result
}

/// Numbers that break what doesn't check.
const NASTY: [u64; 14] = [
    0,
    1,
    2,
    35,
    36,
    37,
    255,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0x7F80_0000,
    0x7FC0_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    u64::MAX,
];

/// Every section, with a number in it replaced or its length changed.
#[test]
fn sections_that_lie_are_refused_or_answer_sanely() {
    let mut forged = 0;
    for index_type in every_type() {
        let original = Pieces::of(&small(index_type)).unwrap();
        probe("the original", &original.seal()).unwrap();
        let mut random = SplitMix64::new(2);
        for (kind, bytes) in &original.sections {
            let mut forge = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
                let mut pieces = original.clone();
                change(pieces.section(*kind));
                let _ = probe(&format!("{index_type} {kind} {what}"), &pieces.seal());
                forged += 1;
            };
            forge("empty", &|section| section.clear());
            forge("cut by one", &|section| section.truncate(section.len().saturating_sub(1)));
            forge("halved", &|section| section.truncate(section.len() / 2));
            forge("longer by one", &|section| section.push(0));
            forge("doubled", &|section| section.extend_from_within(..));
            forge("all ones", &|section| section.fill(0xFF));
            forge("all zero", &|section| section.fill(0));
            forge("reversed", &|section| section.reverse());
            // The start of a section is where its counts and offsets are.
            let places =
                (0..bytes.len().min(96)).step_by(4).chain((0..24).map(|_| random.below(bytes.len() as u32) as usize));
            for at in places.collect::<Vec<_>>() {
                let value = NASTY[random.below(NASTY.len() as u32) as usize].to_le_bytes();
                let width = [1, 4, 8][random.below(3) as usize];
                forge(&format!("{value:02x?}[..{width}] at {at}"), &|section| {
                    let end = (at + width).min(section.len());
                    section[at..end].copy_from_slice(&value[..end - at]);
                });
            }
        }
        for (kind, _) in &original.sections {
            let mut pieces = original.clone();
            pieces.sections.retain(|(k, _)| k != kind);
            let _ = probe(&format!("{index_type} without {kind}"), &pieces.seal());
            forged += 1;
        }
    }
    assert!(forged >= 200, "{forged}");
}

/// Headers whose counts, dimensions, metrics and types don't belong to the sections.
#[test]
fn headers_that_lie_are_refused() {
    for index_type in every_type() {
        let original = Pieces::of(&small(index_type)).unwrap();
        for count in [0, 1, 32, 35, 37, 64, 1 << 20, u32::MAX - 1, u32::MAX] {
            let mut pieces = original.clone();
            pieces.header.count = count;
            let result = probe(&format!("{index_type} count {count}"), &pieces.seal());
            assert_eq!(result.map_err(|e| e.code), Err(Code::CorruptFile), "{index_type} count {count}");
        }
        for dimension in [1, 4, 6, 8, 100, 32_768] {
            let mut pieces = original.clone();
            pieces.header.dimension = dimension;
            let result = probe(&format!("{index_type} dimension {dimension}"), &pieces.seal());
            assert_eq!(result.map_err(|e| e.code), Err(Code::CorruptFile), "{index_type} dimension {dimension}");
        }
        for other in every_type().filter(|&t| t != index_type) {
            let mut pieces = original.clone();
            pieces.header.index_type = other;
            let _ = probe(&format!("{index_type} says it is {other}"), &pieces.seal());
        }
        for &metric in Metric::ALL {
            let mut pieces = original.clone();
            pieces.header.metric = metric;
            let _ = probe(&format!("{index_type} says {metric}"), &pieces.seal());
        }
    }
}

/// Lies that a reader could fall for, each with the code it must be refused with.
#[test]
fn particular_lies_are_refused() {
    type Lie = fn(&mut Pieces);
    fn write(section: &mut [u8], at: usize, bytes: &[u8]) {
        section[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let lies: &[(&str, IndexType, Lie)] = &[
        ("a card that is no UTF-8", IndexType::Flat, |p| p.section(Kind::CARD).fill(0xFF)),
        ("a card of more than 1 MiB", IndexType::Flat, |p| p.section(Kind::CARD).resize((1 << 20) + 1, b' ')),
        ("a key twice", IndexType::ScanRabitq, |p| p.section(Kind::KEYS).copy_within(8..16, 16)),
        ("keys of an unknown type", IndexType::ScanRabitq, |p| p.section(Kind::KEYS)[0] = 9),
        ("text keys that overlap", IndexType::Flat, |p| write(p.section(Kind::KEYS), 16, &[0xFF; 4])),
        ("a row that isn't finite", IndexType::Flat, |p| write(p.section(Kind::ROWS_F32), 20, &f32::NAN.to_le_bytes())),
        ("an infinite row", IndexType::ScanRabitq, |p| {
            write(p.section(Kind::ROWS_F32), 0, &f32::INFINITY.to_le_bytes())
        }),
        ("an infinite row of 16 bits", IndexType::IvfRabitq, |p| {
            let bytes = p.section(Kind::ROWS_F32).len() / 2;
            p.sections.retain(|(kind, _)| *kind != Kind::ROWS_F32);
            p.sections.push((Kind::ROWS_F16, [0x00, 0x7C].repeat(bytes / 2)));
        }),
        ("an odd number of bytes of 16-bit rows", IndexType::Flat, |p| {
            let bytes = p.section(Kind::ROWS_F32).len() / 2;
            p.sections.retain(|(kind, _)| *kind != Kind::ROWS_F32);
            p.sections.push((Kind::ROWS_BF16, vec![0; bytes - 1]));
        }),
        ("rows in two precisions of floats", IndexType::Flat, |p| {
            let bytes = p.section(Kind::ROWS_F32).len() / 2;
            p.sections.push((Kind::ROWS_BF16, vec![0; bytes]));
        }),
        ("a centroid that isn't finite", IndexType::ScanRabitq, |p| {
            write(p.section(Kind::CENTROIDS), 4, &f32::NAN.to_le_bytes())
        }),
        ("a factor that isn't finite", IndexType::ScanRabitq, |p| {
            write(p.section(Kind::CODES), 0, &f32::NAN.to_le_bytes())
        }),
        ("codes of one bit past the first", IndexType::IvfRabitq, |p| {
            write(p.section(Kind::EXTENDED), 0, &1u32.to_le_bytes())
        }),
        ("codes of more bits than there are", IndexType::IvfRabitq, |p| {
            write(p.section(Kind::EXTENDED), 0, &u32::MAX.to_le_bytes())
        }),
        ("something where extended codes have zeros", IndexType::IvfRabitq, |p| p.section(Kind::EXTENDED)[12] = 1),
        ("a factor of all bits that isn't finite", IndexType::IvfRabitq, |p| {
            write(p.section(Kind::EXTENDED), 16, &f32::NAN.to_le_bytes())
        }),
        ("a factor of all bits below zero", IndexType::IvfRabitq, |p| {
            write(p.section(Kind::EXTENDED), 24, &(-1.0f32).to_le_bytes())
        }),
        ("codebooks of no part", IndexType::IvfPq, |p| write(p.section(Kind::CODEBOOKS), 0, &0u32.to_le_bytes())),
        ("codebooks of more parts than coordinates", IndexType::IvfPq, |p| {
            write(p.section(Kind::CODEBOOKS), 0, &9u32.to_le_bytes())
        }),
        ("codebooks of other bits", IndexType::IvfPq, |p| write(p.section(Kind::CODEBOOKS), 4, &4u32.to_le_bytes())),
        ("something where codebooks have zeros", IndexType::IvfPq, |p| p.section(Kind::CODEBOOKS)[8] = 1),
        ("a centroid of a part that isn't finite", IndexType::IvfPq, |p| {
            write(p.section(Kind::CODEBOOKS), 160, &f32::NAN.to_le_bytes())
        }),
        ("a factor of a part that isn't finite", IndexType::IvfPq, |p| {
            write(p.section(Kind::EXTENDED), 8, &f32::NAN.to_le_bytes())
        }),
        ("bits of no part", IndexType::IvfPq, |p| p.section(Kind::EXTENDED)[13] |= 0x10),
        ("parts without codebooks", IndexType::IvfPq, |p| p.sections.retain(|(kind, _)| *kind != Kind::CODEBOOKS)),
        ("a directory of other rows", IndexType::ScanRabitq, |p| {
            write(p.section(Kind::DIRECTORY), 12, &37u32.to_le_bytes())
        }),
        ("lists that overlap", IndexType::IvfRabitq, |p| write(p.section(Kind::DIRECTORY), 16, &0u32.to_le_bytes())),
        ("more lists than bytes", IndexType::IvfFlat, |p| {
            write(p.section(Kind::DIRECTORY), 0, &u32::MAX.to_le_bytes())
        }),
        ("a scan of many lists", IndexType::IvfRabitq, |p| p.header.index_type = IndexType::ScanRabitq),
        ("a row's number twice", IndexType::IvfSq8, |p| p.section(Kind::ORDER).copy_within(0..4, 4)),
        ("a row's number past the count", IndexType::IvfFlat, |p| write(p.section(Kind::ORDER), 0, &[0xFF; 4])),
        ("a list's centroid that isn't finite", IndexType::IvfSq8, |p| {
            write(p.section(Kind::CENTROIDS), 4, &f32::NAN.to_le_bytes())
        }),
        ("8-bit lists without 8-bit rows", IndexType::IvfSq8, |p| {
            p.sections.retain(|(kind, _)| *kind != Kind::ROWS_I8)
        }),
        ("a binary file with rows of floats", IndexType::BinFlat, |p| {
            p.sections.retain(|(kind, _)| *kind != Kind::ROWS_BITS);
            p.sections.push((Kind::ROWS_F32, vec![0; 36 * 40 * 4]));
        }),
        ("a file of floats with rows of bits", IndexType::Flat, |p| {
            p.sections.push((Kind::ROWS_BITS, vec![0; 36 * 5]));
        }),
        ("a share of more than all", IndexType::BinIvfFlat, |p| p.section(Kind::CENTROIDS)[64] = 128),
        ("a sum of other shares", IndexType::BinIvfFlat, |p| p.section(Kind::CENTROIDS)[0] ^= 1),
        ("something where shares have zeros", IndexType::BinIvfFlat, |p| p.section(Kind::CENTROIDS)[60] = 1),
        ("bits without a list", IndexType::BinIvfFlat, |p| p.sections.retain(|(kind, _)| *kind != Kind::DIRECTORY)),
        ("columns of other rows", IndexType::Flat, |p| write(p.section(Kind::COLUMNS), 8, &37u64.to_le_bytes())),
        ("more columns than bytes", IndexType::Flat, |p| write(p.section(Kind::COLUMNS), 0, &u32::MAX.to_le_bytes())),
        ("a column outside", IndexType::Flat, |p| write(p.section(Kind::COLUMNS), 16 + 24, &u64::MAX.to_le_bytes())),
        ("stored fields of other rows", IndexType::Flat, |p| {
            write(p.section(Kind::FIELDS), 8 + 16 + 8, &37u32.to_le_bytes())
        }),
        ("a block outside", IndexType::Flat, |p| write(p.section(Kind::FIELDS), 8 + 16, &u64::MAX.to_le_bytes())),
        ("a block that unpacks to a gigabyte", IndexType::Flat, |p| {
            write(p.section(Kind::FIELDS), 8 + 12, &(1u32 << 30).to_le_bytes())
        }),
    ];
    for (name, index_type, lie) in lies {
        let mut pieces = Pieces::of(&small(*index_type)).unwrap();
        lie(&mut pieces);
        let result = probe(name, &pieces.seal());
        assert_eq!(result.map_err(|e| e.code), Err(Code::CorruptFile), "{name}");
    }
}

/// A bomb is small in the file; what counts is what reading it costs.
#[test]
fn a_bomb_in_the_stored_fields_costs_nothing() {
    let mut pieces = Pieces::of(&small(IndexType::Flat)).unwrap();
    let packed = bomb();
    let fields = pieces.section(Kind::FIELDS);
    fields.clear();
    fields.extend(1u32.to_le_bytes());
    fields.extend(0u32.to_le_bytes());
    for (offset, row, raw) in [(40u64, 0u32, 16_384u32), (40 + packed.len() as u64, 36, 0)] {
        fields.extend(offset.to_le_bytes());
        fields.extend(row.to_le_bytes());
        fields.extend(raw.to_le_bytes());
    }
    fields.extend(packed);
    let file = pieces.seal();
    probe("a bomb", &file).unwrap();
    let sealed = Sealed::open(Blob::copy_of(&file).unwrap()).unwrap();
    assert_eq!(sealed.fields(&[0]).unwrap_err().code, Code::CorruptFile);
}

/// A DEFLATE stream of some 260 KB that unpacks to 256 MiB of line feeds.
fn bomb() -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec(&vec![b'\n'; 256 << 20], 6)
}

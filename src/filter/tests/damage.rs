//! Sections that lie: each must be refused, or be read without a panic.

use super::section;
use crate::filter::{Columns, FieldType, Value, compile};
use crate::words::{Blob, Code};

const FIELDS: [(&str, FieldType); 4] =
    [("flag", FieldType::Bool), ("n", FieldType::Int64), ("x", FieldType::Double), ("pos", FieldType::VarChar)];
const ROWS: usize = 70;

fn sound() -> Vec<u8> {
    let rows: Vec<_> = (0..ROWS as i64)
        .map(|i| {
            let text = ["noun", "verb", "", "adverb"][i as usize % 4];
            if i % 9 == 0 {
                return vec![Value::Null; 4];
            }
            vec![Value::from(i % 2 == 0), Value::from(i), Value::from(i as f64 / 8.0), Value::from(text)]
        })
        .collect();
    section(&FIELDS, &rows)
}

fn open(bytes: &[u8]) -> crate::words::Result<Columns> {
    Columns::open(Blob::copy_of(bytes).unwrap(), ROWS)
}

/// Uses everything that reads the section's bytes.
fn exercise(columns: &Columns) {
    let names: Vec<String> = columns.fields().map(|(name, _)| name.to_owned()).collect();
    for (i, name) in names.iter().enumerate() {
        for rest in ["== 1", "> 1.5", "== true", "== 'noun'", "like '%o%'", "like 'n%'", "in ['verb']", "is null"] {
            if let Ok(filter) = compile(&format!("{name} {rest}"), columns) {
                assert_eq!(filter.evaluate().len(), ROWS);
            }
        }
        for other in &names {
            if let Ok(filter) = compile(&format!("{name} != {other}"), columns) {
                filter.evaluate();
            }
        }
        for row in 0..ROWS + 2 {
            columns.value(i, row);
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let bytes = sound();
    open(&bytes).unwrap().verify().unwrap();
    for length in 0..bytes.len() {
        assert_eq!(open(&bytes[..length]).err().map(|e| e.code), Some(Code::CorruptFile), "{length} bytes");
    }
}

#[test]
fn every_changed_byte_is_refused_or_read_without_a_panic() {
    let bytes = sound();
    for at in 0..bytes.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            if let Ok(columns) = open(&damaged) {
                // The checksum of the section is what finds a changed value; this finds broken rules.
                let _ = columns.verify();
                exercise(&columns);
            }
        }
    }
}

/// Each rule of the layout, broken by one field.
#[test]
fn broken_rules_are_named() {
    let bytes = sound();
    let entry = |column: usize| 16 + 64 * column;
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let broken = |at: usize, value: &[u8]| {
        let mut damaged = bytes.clone();
        damaged[at..at + value.len()].copy_from_slice(value);
        match open(&damaged) {
            Ok(columns) => columns.verify().err(),
            Err(error) => Some(error),
        }
    };
    let pos = entry(3);
    let table: Vec<(&str, usize, Vec<u8>, &str)> = vec![
        ("more columns than fit", 0, vec![0xFF; 4], "room for"),
        ("a reserved field", 4, vec![1], "reserved"),
        ("another number of rows", 8, vec![71], "71 rows"),
        ("an unknown type", entry(0), vec![9], "code 9"),
        ("a code width on a Bool", entry(0) + 1, vec![1], "impossible flags"),
        ("an odd code width", pos + 1, vec![3], "impossible flags"),
        ("unknown flags", entry(0) + 2, vec![2], "impossible flags"),
        ("a validity block that isn't flagged", entry(0) + 2, vec![0], "impossible flags"),
        ("an endless name", entry(0) + 4, vec![0xFF; 4], "don't fit"),
        ("no name", entry(0) + 4, vec![0; 4], "name"),
        ("two equal names", number(entry(0) + 8) as usize, b"n\0\0\0".to_vec(), "name"),
        ("values far outside", entry(1) + 24, vec![0xFF; 8], ""),
        ("values that overflow", entry(1) + 24, (u64::MAX - 7).to_le_bytes().to_vec(), ""),
        ("unaligned values", entry(1) + 24, vec![bytes[entry(1) + 24] + 4], "aligned"),
        ("a huge dictionary", pos + 32, vec![0xFF; 8], ""),
        ("dictionary ends that fall", number(pos + 40) as usize + 4, vec![0xFF], "ends"),
        ("texts past the ends", pos + 56, vec![bytes[pos + 56] - 1], "ends"),
        ("texts out of order", number(pos + 48) as usize, b"z".to_vec(), "distinct and ascending"),
        ("text that is not UTF-8", number(pos + 48) as usize, vec![0xFF], "UTF-8"),
        ("a code without a text", number(pos + 24) as usize + 1, vec![4], "isn't there"),
        ("a null with a code", number(pos + 24) as usize, vec![1], "other than 0"),
        ("a null with a number", number(entry(1) + 24) as usize, vec![1], "other than 0"),
        ("a null that is true", number(entry(0) + 24) as usize, vec![0xFF], "other than 0"),
        ("bools past the rows", number(entry(0) + 24) as usize + 15, vec![0x80], "other than 0"),
        ("values past the rows", number(entry(1) + 16) as usize + 15, vec![0x80], "more rows"),
        ("an infinite float", number(entry(2) + 24) as usize + 8, f64::INFINITY.to_le_bytes().to_vec(), "infinite"),
    ];
    for (what, at, value, says) in table {
        let error = broken(at, &value).unwrap_or_else(|| panic!("{what} was accepted"));
        assert!(matches!(error.code, Code::CorruptFile | Code::UnsupportedFormat), "{what}: {error}");
        assert!(error.message.contains(says), "{what}: {error}");
    }
}

/// Texts that all span everything: reading them would take their number times their bytes.
#[test]
fn overlapping_texts_are_no_trap() {
    let mut rows: Vec<_> = (0..40_000).map(|i| vec![Value::VarChar(format!("{i:05}").into())]).collect();
    rows.push(vec![Value::Null]);
    let mut bytes = section(&[("t", FieldType::VarChar)], &rows);
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let (ends, length) = (number(16 + 40), number(16 + 56) as u32);
    for code in (1..40_000).step_by(2) {
        bytes[ends + 4 * code - 4..][..4].copy_from_slice(&0u32.to_le_bytes());
        bytes[ends + 4 * code..][..4].copy_from_slice(&length.to_le_bytes());
    }
    let columns = Columns::open(Blob::copy_of(&bytes).unwrap(), rows.len()).unwrap();
    assert_eq!(columns.verify().unwrap_err().code, Code::CorruptFile);
    assert_eq!(compile("t like '%x%'", &columns).err().map(|e| e.code), Some(Code::CorruptFile));
    compile("t like 'x%' or t == 'a' or t in ['b']", &columns).unwrap().evaluate();
}

//! Files of each format that `docs/foreign.md` lists, changed at random.

use crate::answers::{fixtures, hints};
use crate::hostile::exercise;
use crate::instant_distance;
use crate::mutate::{Format, mutate_all};
use elanus::foreign::Hints;
use std::collections::BTreeMap;
use std::path::Path;

/// How the fixtures of Faiss begin, and the row of the table that they are of; the first that fits.
const FAISS: [(&str, &str); 21] = [
    ("binary-", "binary"),
    ("flat-", "Flat"),
    ("hnsw-", "HNSW"),
    ("idmap", "IDMap"),
    ("ivf-flat", "IVF Flat"),
    ("ivf-hnsw-flat", "IVF Flat"),
    ("ivf-in-ivf", "IVF Flat"),
    ("ivf-pqfs", "PQ FastScan"),
    ("pqfs", "PQ FastScan"),
    ("ivf-pq", "PQ"),
    ("product-", "PQ"),
    ("ivf-rabitqfs", "RaBitQ FastScan"),
    ("rabitqfs", "RaBitQ FastScan"),
    ("ivf-rabitq", "RaBitQ"),
    ("rabitq", "RaBitQ"),
    ("ivf-sq", "SQ"),
    ("scalar-", "SQ"),
    ("lsh", "LSH"),
    ("nsg-", "NSG"),
    ("pre-", "PreTransform"),
    ("refine-", "Refine"),
];

/// The format of a fixture: its library, and which of the formats that this has.
fn format_of(path: &Path) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (library, name) = (part(path.parent().and_then(Path::file_name)), part(path.file_stem()));
    match library.as_str() {
        "faiss" => {
            let kind = FAISS.iter().find(|(start, _)| name.starts_with(start));
            format!("Faiss {}", kind.unwrap_or_else(|| panic!("{name} is of no known kind")).1)
        }
        "annoy" => format!("Annoy {}", name.split('-').next().unwrap_or_default()),
        "nmslib" => format!("NMSLIB {}", if name.ends_with("-plain") { "plain" } else { "optimised" }),
        _ => library,
    }
}

fn formats() -> Vec<Format> {
    let mut grouped: BTreeMap<String, (Vec<Vec<u8>>, Vec<Hints>)> = BTreeMap::new();
    for path in fixtures() {
        let (originals, told) = grouped.entry(format_of(&path)).or_default();
        originals.push(std::fs::read(&path).unwrap());
        told.push(hints(&path));
    }
    let originals = instant_distance::originals();
    let told = vec![instant_distance::TOLD; originals.len()];
    grouped.insert("instant-distance".into(), (originals, told));
    let format = |(name, (originals, told)): (String, (_, Vec<Hints>))| Format {
        name,
        originals,
        read: Box::new(move |own, bytes| exercise(bytes, &told[own]).is_ok()),
    };
    grouped.into_iter().map(format).collect()
}

#[test]
fn some_mutations_of_each_format_do_no_harm() {
    let formats = formats();
    // 14 of Faiss, 5 of Annoy, 2 of NMSLIB, hnswlib, usearch, instant-distance.
    assert_eq!(formats.len(), 24);
    mutate_all(&formats, 1_000, 7);
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_mutations_of_each_format_do_no_harm() {
    mutate_all(&formats(), 10_000, 11);
}

//! Holds the shape of the crate: imports go strictly downward, and what is dangerous or tied to a
//! host stays where it belongs. Sources are read as Rust tokens, so comments and strings don't count.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::path::{Path, PathBuf};

/// Lowest first. A file may name its own layer and those before it; layers in one row are siblings
/// and may not name each other.
const LAYERS: &[&[&str]] = &[
    &["words"],
    &["text", "distance"],
    &["format"],
    &["quantize"],
    &["index"],
    &["filter"],
    &["foreign"],
    &["segment"],
    &["convert"],
    &["tune"],
    &["collection"],
    &["release"],
    &["web", "cli"],
];

/// Names that may occur only in files whose path starts with one of these.
const CONFINED: &[(&[&str], &[&str])] = &[
    (&["unsafe"], &["distance/", "words/bytes.rs"]),
    (&["wasm_bindgen", "js_sys", "web_sys", "serde_wasm_bindgen", "console_error_panic_hook"], &["web/"]),
    (&["clap", "indicatif", "npyz", "sha2", "humantime", "minisign", "rpassword", "tiny_http"], &["cli/"]),
    (&["arrow_array", "arrow_buffer", "arrow_ipc", "arrow_schema", "parquet"], &["cli/vectors/"]),
    // Tests hold our reader of JSON against it.
    (&["serde_json"], &["cli/", "words/json_tests.rs", "filter/tests/"]),
    (&["instant_distance"], &["index/"]),
    (&["miniz_oxide"], &["segment/"]),
    (&["base64"], &["release/", "cli/"]),
    (&["icu_normalizer", "unicode_segmentation"], &["text/"]),
    (
        &["fs", "net", "File", "stdin", "stdout", "stderr", "println", "eprintln", "Instant", "SystemTime"],
        &["cli/", "web/"],
    ),
];

/// Longer files hold more than one idea.
const MAX_LINES: usize = 800;

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&layer))
}

/// The identifiers and `::` of a source, groups flattened; `{` opens and `}` closes a brace group.
fn words(source: &str) -> Vec<String> {
    fn walk(stream: TokenStream, out: &mut Vec<String>) {
        for token in stream {
            match token {
                TokenTree::Ident(ident) => out.push(ident.to_string()),
                TokenTree::Punct(p) => out.push(p.as_char().to_string()),
                TokenTree::Literal(_) => out.push("literal".into()),
                TokenTree::Group(g) => {
                    let brace = g.delimiter() == Delimiter::Brace;
                    out.push(if brace { "{" } else { "(" }.into());
                    walk(g.stream(), out);
                    out.push(if brace { "}" } else { ")" }.into());
                }
            }
        }
    }
    let mut out = Vec::new();
    walk(source.parse().expect("the source is Rust"), &mut out);
    out
}

/// The names right below the library's root that a file of `layer` refers to, in order. `depth` is
/// how many modules deep the file is.
fn reaches<'a>(layer: &str, words: &'a [String], depth: usize) -> Vec<&'a str> {
    let at = |i: usize| words.get(i).map_or("", String::as_str);
    let path_sep = |i: usize| at(i) == ":" && at(i + 1) == ":";
    // The command is a crate of its own: there `crate` and `super` are its own files.
    let root = if layer == "cli" { "elanus" } else { "crate" };
    let mut out = Vec::new();
    let mut braces = Vec::new();
    let mut i = 0;
    while i < words.len() {
        match at(i) {
            "{" => braces.push(i >= 2 && at(i - 2) == "mod"),
            "}" => drop(braces.pop()),
            word if word == root && path_sep(i + 1) => i = names_after(words, i + 3, &mut out),
            "super" if layer != "cli" => {
                let mut ups = 0;
                while at(i) == "super" && path_sep(i + 1) {
                    ups += 1;
                    i += 3;
                }
                if ups == depth + braces.iter().filter(|&&module| module).count() {
                    i = names_after(words, i, &mut out);
                }
            }
            _ => {}
        }
        i += 1;
    }
    out
}

/// Collects the name at `at`, or those of the group that starts there: `{a::…, b}` names a and b.
/// Returns the last place that was looked at.
fn names_after<'a>(words: &'a [String], at: usize, out: &mut Vec<&'a str>) -> usize {
    let mut nesting = 0;
    for (i, word) in words.iter().enumerate().skip(at) {
        match word.as_str() {
            "{" | "(" => nesting += 1,
            "}" | ")" => nesting -= 1,
            "," => {}
            name if nesting == 0 || (nesting == 1 && matches!(words[i - 1].as_str(), "{" | ",")) => out.push(name),
            _ => {}
        }
        if nesting == 0 {
            return i;
        }
    }
    words.len()
}

/// What is wrong with the file at `path` (relative to `src/`).
fn violations(path: &str, source: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines = source.lines().count();
    if lines > MAX_LINES {
        wrong.push(format!("{path}: {lines} lines, more than {MAX_LINES}: split it"));
    }
    if path == "lib.rs" {
        return wrong;
    }
    let (layer, rest) = path.split_once('/').unwrap_or((path, ""));
    let Some(own) = rank(layer) else {
        return vec![format!("{path}: {layer} is no layer")];
    };
    let words = words(source);
    let file_modules = rest.split('/').filter(|part| !matches!(*part, "mod.rs" | "main.rs")).count();
    for name in reaches(layer, &words, file_modules + 1) {
        match rank(name) {
            Some(other) if other < own || name == layer => {}
            Some(_) => wrong.push(format!("{path}: {layer} may not import {name}")),
            None => wrong.push(format!("{path}: reaches {name:?}, which is no layer")),
        }
    }
    for (names, places) in CONFINED {
        if !places.iter().any(|place| path.starts_with(place)) {
            let found = names.iter().filter(|n| words.iter().any(|w| w == *n));
            wrong.extend(found.map(|name| format!("{path}: `{name}` belongs in {}", places.join(" or "))));
        }
    }
    wrong
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn every_file_keeps_to_its_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 10, "the sources weren't found");
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            violations(&path, &std::fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_one_file_names_the_hnsw_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let naming: Vec<_> = files
        .iter()
        .filter(|f| words(&std::fs::read_to_string(f).unwrap()).iter().any(|w| w == "instant_distance"))
        .collect();
    assert!(naming.len() <= 1, "{naming:?}");
}

/// A check that can't fail holds nothing: here is what it must find, and what it must let be.
#[test]
fn the_check_itself_finds_violations() {
    let bad: &[(&str, &str)] = &[
        ("words/hit.rs", "use crate::format::Kind;"),
        ("words/hit.rs", "use super::super::index::Index;"),
        ("words/hit.rs", "fn f() { let x = crate::segment::Sealed::open; }"),
        ("index/flat.rs", "use crate::{words::{Hit, Result}, filter::Filter};"),
        ("index/flat.rs", "use crate::{distance, segment};"),
        ("index/hnsw/walk.rs", "use super::super::super::filter::Filter;"),
        ("index/flat.rs", "mod tests { use super::super::super::{words, filter::Filter}; }"),
        ("index/flat.rs", "mod tests { fn f() {} } use super::super::filter::Filter;"),
        ("web/mod.rs", "use crate::cli::options;"),
        ("cli/build.rs", "use elanus::web::Handle;"),
        ("segment/sealed.rs", "fn f() { unsafe { g() } }"),
        ("segment/sealed.rs", "use wasm_bindgen::prelude::*;"),
        ("segment/sealed.rs", "fn f() { std::fs::read(p); }"),
        ("index/scan.rs", "fn f() { println!(\"{}\", 1); }"),
        ("filter/lexer.rs", "use instant_distance::Builder;"),
        ("foreign/faiss/mod.rs", "use crate::segment::Sealed;"),
        ("strange/npy.rs", ""),
    ];
    for (path, source) in bad {
        assert!(!violations(path, source).is_empty(), "{path}: {source}");
    }
    let good: &[(&str, &str)] = &[
        ("index/flat.rs", "use crate::{distance::{dot, l2}, words::Hit};"),
        ("index/flat.rs", "use super::params::SearchParams; mod tests { use super::super::params; use super::*; }"),
        (
            "index/flat.rs",
            "//! Not unsafe, says crate::segment.\n/* std::fs */ const A: &str = \"crate::web wasm_bindgen\";",
        ),
        ("cli/build.rs", "use elanus::segment::{Sealed, build}; use std::fs::File;"),
        ("index/mod.rs", "mod flat { use super::super::words::Hit; } use super::words::Hit;"),
        ("cli/build.rs", "use crate::progress::Bar; use super::progress;"),
        ("words/bytes.rs", "unsafe fn f() {}"),
        ("distance/native.rs", "unsafe fn f() {}"),
        ("lib.rs", "pub mod web; pub mod cli;"),
    ];
    for (path, source) in good {
        assert_eq!(violations(path, source), Vec::<String>::new(), "{path}: {source}");
    }
}

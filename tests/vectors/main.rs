//! Files of vectors, changed at random, in what reads them for the command: in this process, so that its memory
//! can be counted.
#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

// The command uses more of these than their readers.
#[allow(dead_code)]
#[path = "../../src/cli/failure.rs"]
mod failure;
#[path = "../../src/cli/instant_json.rs"]
mod instant_json;
#[path = "../memory/mod.rs"]
mod memory;
#[path = "../mutate/mod.rs"]
mod mutate;
#[allow(dead_code)]
#[path = "../../src/cli/progress.rs"]
mod progress;
#[path = "../tables/mod.rs"]
mod tables;
#[allow(dead_code)]
#[path = "../../src/cli/vectors/mod.rs"]
mod vectors;

use arrow_array::ArrayRef;
use arrow_ipc::CompressionType;
use arrow_schema::DataType;
use elanus::foreign::{Foreign, Hints, Space};
use elanus::words::random::SplitMix64;
use instant_distance::{Builder, Point};
use mutate::{Format, mutate_all};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use progress::Progress;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use tables::{Form, Row, arrow_file, arrow_stream, ids, lists, texts};
use vectors::Shape;

const ROWS: usize = 60;
const DIMENSION: usize = 7;

/// Reads a file of this ending; says whether it was taken. What is taken is whole.
fn read(folder: &Path, ending: &str, bytes: &[u8]) -> bool {
    let thread = std::thread::current().id();
    let path = folder.join(format!("{thread:?}.{ending}"));
    std::fs::write(&path, bytes).unwrap();
    let shape = Shape { dimension: None, array: matches!(ending, "npz" | "safetensors").then_some("vectors") };
    let result = vectors::read(&path, shape, Progress::new(true));
    // To write over a file that is there would wait for the disk.
    std::fs::remove_file(&path).unwrap();
    match result {
        Ok(vectors) => {
            assert!(vectors.dimension > 0 && vectors.data.len() == vectors.rows() * vectors.dimension);
            assert!(vectors.data.iter().all(|x| x.is_finite()));
            true
        }
        Err(failure) => {
            assert!(failure.message.contains(ending) || failure.code == "OUT_OF_MEMORY", "{}", failure.message);
            false
        }
    }
}

fn numbers() -> Vec<f32> {
    let mut random = SplitMix64::new(5);
    (0..ROWS * DIMENSION).map(|_| random.normal_f32()).collect()
}

fn floats() -> Vec<u8> {
    numbers().iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn bytes() -> Vec<u8> {
    numbers().iter().map(|x| (x * 20.0).abs() as u8).collect()
}

fn npy(kind: &str, data: &[u8]) -> Vec<u8> {
    let mut head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({ROWS}, {DIMENSION}), }}");
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    [b"\x93NUMPY\x01\x00", &(head.len() as u16).to_le_bytes()[..], head.as_bytes(), data].concat()
}

/// Each row with its dimension in front.
fn vecs(data: &[u8]) -> Vec<u8> {
    let rows = data.chunks_exact(data.len() / ROWS);
    rows.flat_map(|row| [&(DIMENSION as i32).to_le_bytes()[..], row].concat()).collect()
}

fn safetensors(kind: &str, data: &[u8]) -> Vec<u8> {
    let head = format!(
        r#"{{"vectors":{{"dtype":"{kind}","shape":[{ROWS},{DIMENSION}],"data_offsets":[8,{}]}},"n":{{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}}}"#,
        8 + data.len()
    );
    [&(head.len() as u64).to_le_bytes()[..], head.as_bytes(), &[0; 8], data].concat()
}

fn text(open: &str, close: &str) -> Vec<u8> {
    let mut out = String::new();
    for row in numbers().chunks_exact(DIMENSION) {
        let _ = writeln!(out, "{open}{}{close}", row.iter().map(f32::to_string).collect::<Vec<_>>().join(","));
    }
    out.into_bytes()
}

fn columns(form: Form, of: DataType) -> Vec<(&'static str, ArrayRef)> {
    let rows: Vec<Row> = numbers()
        .chunks_exact(DIMENSION)
        .map(|row| Some(row.iter().map(|&x| Some((f64::from(x) * 20.0).abs())).collect()))
        .collect();
    vec![("id", ids(ROWS)), ("vectors", lists(form, &of, &rows)), ("text", texts(ROWS))]
}

/// The files of each ending.
fn originals() -> Vec<(&'static str, &'static str, Vec<Vec<u8>>)> {
    let parquet = |form, of, compression| tables::parquet(&columns(form, of), compression);
    let parquets = vec![
        parquet(Form::List, DataType::Float32, Compression::UNCOMPRESSED),
        parquet(Form::List, DataType::Float32, Compression::SNAPPY),
        parquet(Form::Fixed, DataType::Float64, Compression::ZSTD(ZstdLevel::default())),
        parquet(Form::Large, DataType::UInt8, Compression::GZIP(GzipLevel::default())),
        parquet(Form::List, DataType::Float16, Compression::LZ4_RAW),
    ];
    let packed = [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)];
    let forms = [(Form::Fixed, DataType::Float32), (Form::List, DataType::Float16), (Form::Large, DataType::Int8)];
    let kinds: Vec<_> = forms.into_iter().zip(packed).collect();
    let files = kinds.iter().map(|((form, of), packed)| arrow_file(&columns(*form, of.clone()), *packed)).collect();
    let streams = kinds.iter().map(|((form, of), packed)| arrow_stream(&columns(*form, of.clone()), *packed)).collect();
    let archives = vec![include_bytes!("../fixtures/vectors/several.npz").to_vec()];
    let whole: Vec<u8> = bytes().iter().flat_map(|&x| i32::from(x).to_le_bytes()).collect();
    vec![
        (".npy", "npy", vec![npy("<f4", &floats()), npy("|u1", &bytes())]),
        (".npz", "npz", archives),
        (".fvecs", "fvecs", vec![vecs(&floats())]),
        (".bvecs", "bvecs", vec![vecs(&bytes())]),
        (".ivecs", "ivecs", vec![vecs(&whole)]),
        (".safetensors", "safetensors", vec![safetensors("F32", &floats()), safetensors("U8", &bytes())]),
        ("JSON Lines", "jsonl", vec![text("[", "]"), text(r#"{"id": 7, "v": ["#, "]}")]),
        ("CSV", "csv", vec![text("", ""), [b"a,b,c,d,e,f,g\n".to_vec(), text("", "")].concat()]),
        ("Parquet", "parquet", parquets),
        ("Arrow files", "arrow", files),
        ("Arrow streams", "arrows", streams),
    ]
}

#[derive(Clone, Serialize)]
struct Floats(Vec<f32>);

impl Point for Floats {
    fn distance(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

/// Graphs of instant-distance as JSON; the command puts them as bincode would.
fn graphs() -> Format {
    let points = || -> Vec<Floats> { numbers().chunks_exact(DIMENSION).map(|row| Floats(row.to_vec())).collect() };
    let build = || Builder::default().seed(1);
    let originals = vec![
        serde_json::to_vec(&build().build_hnsw(points()).0).unwrap(),
        serde_json::to_vec(&build().build(points(), (100..100 + ROWS).collect())).unwrap(),
    ];
    let read = |_, bytes: &[u8]| {
        let put = instant_json::is_graph(bytes).then(|| instant_json::to_bincode(bytes, bytes).ok()).flatten();
        put.is_some_and(|file| Foreign::open(file, &Hints { metric: Some(Space::L2), ..Hints::default() }).is_ok())
    };
    Format { name: "instant-distance as JSON".into(), originals, read: Box::new(read) }
}

fn mutate(each: usize, seed: u64) {
    let folder = tempfile::TempDir::new().unwrap();
    let mut formats: Vec<Format> = originals()
        .into_iter()
        .map(|(name, ending, originals)| {
            let folder = folder.path().to_owned();
            let read = Box::new(move |_, bytes: &[u8]| read(&folder, ending, bytes));
            Format { name: name.into(), originals, read }
        })
        .collect();
    formats.push(graphs());
    mutate_all(&formats, each, seed);
}

#[test]
fn what_is_changed_is_read_unchanged() {
    let folder = tempfile::TempDir::new().unwrap();
    for (name, ending, originals) in originals() {
        for (at, original) in originals.iter().enumerate() {
            assert!(read(folder.path(), ending, original), "{name} {at}");
        }
    }
}

#[test]
fn some_mutations_of_each_format_do_no_harm() {
    mutate(1_000, 7);
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_mutations_of_each_format_do_no_harm() {
    mutate(10_000, 11);
}

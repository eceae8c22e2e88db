//! Small segments with everything in them, and the plain reading of what they should answer.

use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::index::BuildParams;
use elanus::segment::{FieldsWriter, Input, PrimaryKeys, Sealed, build};
use elanus::words::random::SplitMix64;
use elanus::words::{BitsView, Blob, IndexType, MatrixView, Metric, Precision};

/// Rows around a few centres, so that there is something to find.
pub fn vectors(rows: usize, dimension: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    let centres: Vec<f32> = (0..8 * dimension).map(|_| random.normal_f32()).collect();
    let mut data = Vec::with_capacity(rows * dimension);
    for _ in 0..rows {
        let centre = random.below(8) as usize * dimension;
        data.extend(centres[centre..centre + dimension].iter().map(|c| c + 0.5 * random.normal_f32()));
    }
    data
}

/// Rows of bits around a few centres; about the share `ones` of the bits is set.
pub fn bits(rows: usize, dimension: usize, ones: f32, seed: u64) -> Vec<u8> {
    let mut random = SplitMix64::new(seed);
    let centres: Vec<bool> = (0..8 * dimension).map(|_| random.unit_f32() < ones).collect();
    let mut data = Vec::with_capacity(rows * dimension / 8);
    for _ in 0..rows {
        let centre = random.below(8) as usize * dimension;
        for byte in centres[centre..centre + dimension].chunks_exact(8) {
            let bit = |bit: &bool| if random.below(8) == 0 { random.unit_f32() < ones } else { *bit };
            data.push(byte.iter().map(bit).fold(0, |byte, bit| byte << 1 | u8::from(bit)));
        }
    }
    data
}

/// What a test wants built.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub rows: usize,
    /// Floats of a vector, or bytes of one of bits.
    pub dimension: usize,
    pub index_type: IndexType,
    pub metric: Metric,
    pub precisions: &'static [Precision],
    /// Of RaBitQ codes, a dimension.
    pub bits: u32,
    /// Of parts: how many, and the bits of each.
    pub parts: Option<usize>,
    pub part_bits: u32,
    pub varchar_keys: bool,
    /// Laid out to be searched in parts.
    pub in_parts: bool,
    /// Then, with lists in so many groups.
    pub groups: Option<usize>,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted {
            rows: 70,
            dimension: 6,
            index_type: IndexType::ScanRabitq,
            metric: Metric::Cosine,
            precisions: &[Precision::Int8, Precision::F32],
            bits: 1,
            parts: None,
            part_bits: 8,
            varchar_keys: false,
            in_parts: false,
            groups: None,
        }
    }
}

pub const SEED: u64 = 7;

/// Lists of an index that has some.
pub const NLIST: usize = 5;

pub fn part(row: usize) -> &'static str {
    ["noun", "verb", "adjective"][row % 3]
}

/// The stored fields of a row.
pub fn fields(row: usize) -> String {
    format!("{{\"part\":\"{}\",\"gloss\":\"what row {row} means\"}}", part(row))
}

pub fn number_key(row: usize) -> i64 {
    1000 - 3 * row as i64
}

pub fn text_key(row: usize) -> String {
    format!("key {}", row * 37 % 1009)
}

/// The file, with keys, columns, stored fields and a card.
pub fn file(wanted: &Wanted) -> Vec<u8> {
    let data = vectors(wanted.rows, wanted.dimension, SEED);
    let types = [
        ("part", FieldType::VarChar),
        ("row", FieldType::Int64),
        ("half", FieldType::Double),
        ("even", FieldType::Bool),
    ];
    let mut columns = ColumnsBuilder::new(types).unwrap();
    let mut stored = FieldsWriter::new();
    for row in 0..wanted.rows {
        columns.push(0, Value::from(part(row))).unwrap();
        columns.push(1, if row % 10 == 9 { Value::Null } else { Value::Int64(row as i64) }).unwrap();
        columns.push(2, Value::Double(row as f64 / 2.0)).unwrap();
        columns.push(3, Value::Bool(row % 2 == 0)).unwrap();
        stored.push(&fields(row)).unwrap();
    }
    let keys = match wanted.varchar_keys {
        false => PrimaryKeys::Int64((0..wanted.rows).map(number_key).collect()),
        true => PrimaryKeys::VarChar((0..wanted.rows).map(text_key).collect()),
    };
    let of_bits = bits(wanted.rows, 8 * wanted.dimension, 0.3, SEED);
    let is_binary = wanted.index_type.is_binary();
    let input = Input {
        rows: (!is_binary).then(|| MatrixView::new(&data, wanted.dimension).unwrap()),
        bits: is_binary.then(|| BitsView::new(&of_bits, 8 * wanted.dimension).unwrap()),
        sparse: None,
        text: None,
        index_type: wanted.index_type,
        params: params(wanted),
        keys,
        columns: Some(columns),
        fields: Some(stored),
        card: Some("{\"name\":\"test\"}".into()),
    };
    build(input, &|_, _| {}).unwrap().into_bytes()
}

/// What a file is built with.
pub fn params(wanted: &Wanted) -> BuildParams {
    BuildParams {
        metric: match wanted.index_type.is_binary() && Metric::DENSE.contains(&wanted.metric) {
            true => Metric::Hamming,
            false => wanted.metric,
        },
        precisions: wanted.precisions.to_vec(),
        nlist: Some(NLIST),
        bits: wanted.bits,
        m: wanted.parts,
        nbits: wanted.part_bits,
        in_parts: wanted.in_parts,
        ngroups: wanted.groups,
        seed: SEED,
        ..BuildParams::default()
    }
}

pub fn open(bytes: &[u8]) -> Sealed {
    let sealed = Sealed::open(Blob::copy_of(bytes).unwrap()).unwrap();
    sealed.verify().unwrap();
    sealed
}

/// Internal distances in f64 of all rows, as they are or normalised for COSINE.
pub fn distances(data: &[f32], dimension: usize, query: &[f32], metric: Metric) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    data.chunks_exact(dimension)
        .map(|row| match metric {
            Metric::L2 => row.iter().zip(query).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum(),
            Metric::Cosine => -dot(row, query) / (dot(row, row) * dot(query, query)).sqrt(),
            _ => -dot(row, query),
        })
        .collect()
}

/// Internal distances of all rows of bits.
pub fn bit_distances(data: &[u8], query: &[u8], metric: Metric) -> Vec<f64> {
    let count = |row: &[u8], of: fn(u8, u8) -> u8| -> f64 {
        row.iter().zip(query).map(|(&x, &y)| f64::from(of(x, y).count_ones())).sum()
    };
    data.chunks_exact(query.len())
        .map(|row| match (metric, count(row, |x, y| x | y)) {
            (Metric::Hamming, _) => count(row, |x, y| x ^ y),
            (_, 0.0) => 1.0,
            (_, either) => 1.0 - count(row, |x, y| x & y) / either,
        })
        .collect()
}

/// All types that have vectors.
pub fn every_type() -> impl Iterator<Item = IndexType> {
    INDEX_TYPES.iter().chain(IndexType::BINARY).copied()
}

/// The types of vectors of floats that are built here.
pub const INDEX_TYPES: &[IndexType] = &[
    IndexType::Flat,
    IndexType::ScanRabitq,
    IndexType::Hnsw,
    IndexType::IvfFlat,
    IndexType::IvfSq8,
    IndexType::IvfPq,
    IndexType::IvfRabitq,
    IndexType::HnswSq8,
];

//! Reads vectors: NumPy arrays, `.fvecs` and its kin, safetensors, Parquet, Arrow, JSON Lines, CSV, and raw
//! floats with a stated dimension.

mod arrow;
mod columns;
mod element;
mod npy;
mod pages;
mod parquet;
mod safetensors;
mod text;
mod vecs;

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use elanus::words::{BitsView, MatrixView};
use element::Element;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Row-major vectors, held once.
#[derive(Debug)]
pub struct Vectors {
    pub data: Vec<f32>,
    pub dimension: usize,
}

impl Vectors {
    pub fn rows(&self) -> usize {
        self.data.len() / self.dimension
    }

    pub fn view(&self) -> Result<MatrixView<'_>> {
        Ok(MatrixView::new(&self.data, self.dimension)?)
    }
}

/// Row-major vectors of bits.
#[derive(Debug)]
pub struct Bits {
    data: Vec<u8>,
    dimension: usize,
}

impl Bits {
    /// The bits of vectors that are read as bytes: one that isn't is refused.
    pub fn of(vectors: Vectors, path: &Path) -> Result<Self> {
        let data = bytes(&vectors.data).map_err(|at| {
            let (row, column) = (at / vectors.dimension, at % vectors.dimension);
            Failure::input(format!(
                "{}: row {row} holds {} in column {column} (counted from 0), where bytes are needed, of 8 bits each: \
                 pack the bits with numpy.packbits(array, axis=1), or choose an index type for floats",
                path.display(),
                vectors.data[at]
            ))
        })?;
        Ok(Bits { data, dimension: 8 * vectors.dimension })
    }

    pub fn rows(&self) -> usize {
        8 * self.data.len() / self.dimension
    }

    /// Bits of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    pub fn view(&self) -> Result<BitsView<'_>> {
        Ok(BitsView::new(&self.data, self.dimension)?)
    }
}

/// Numbers that are bytes, as such, or where the first is that isn't.
pub fn bytes(numbers: &[f32]) -> std::result::Result<Vec<u8>, usize> {
    match numbers.iter().position(|&x| x.fract() != 0.0 || !(0.0..256.0).contains(&x)) {
        Some(at) => Err(at),
        None => Ok(numbers.iter().map(|&x| x as u8).collect()),
    }
}

/// The endings that [`read`] takes, for messages.
pub const ENDINGS: &str = ".npy, .npz, .fvecs, .bvecs, .ivecs, .safetensors, .parquet, .arrow, .arrows or .feather, .jsonl, \
                           .csv or .tsv, .f32 or .bin (raw 32-bit floats) and .f16 (raw 16-bit floats)";

/// What is known of the vectors of a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape<'a> {
    /// Numbers in a vector: needed for raw floats, and checked for the others.
    pub dimension: Option<usize>,
    /// Which array, tensor, column or field has them, where a file has several.
    pub array: Option<&'a str>,
}

/// Whether the path's ending is one that [`read`] takes.
pub fn is_vector_file(path: &Path) -> bool {
    matches!(
        ending(path).as_str(),
        "npy"
            | "npz"
            | "fvecs"
            | "bvecs"
            | "ivecs"
            | "safetensors"
            | "parquet"
            | "arrow"
            | "arrows"
            | "feather"
            | "jsonl"
            | "csv"
            | "tsv"
            | "f32"
            | "bin"
            | "f16"
    )
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Reads all vectors of a file, and refuses what no index can hold.
pub fn read(path: &Path, known: Shape<'_>, progress: Progress) -> Result<Vectors> {
    let vectors = read_file(path, known, false, progress)?;
    if let Some((row, column)) = vectors.view()?.first_non_finite() {
        return Err(Failure::input(format!(
            "{}: row {row} holds {} in column {column} (counted from 0); vectors must be finite: \
             look for a failed embedding, and replace or drop the row",
            path.display(),
            vectors.data[row * vectors.dimension + column]
        )));
    }
    Ok(vectors)
}

/// Reads the queries of a file: a NumPy array of one axis is one. What they hold is for the search
/// to judge.
pub fn read_queries(path: &Path, known: Shape<'_>, progress: Progress) -> Result<Vectors> {
    read_file(path, known, true, progress)
}

fn read_file(path: &Path, known: Shape<'_>, one_axis: bool, progress: Progress) -> Result<Vectors> {
    let Shape { dimension, array } = known;
    let ending = ending(path);
    let has_names = matches!(&ending[..], "npz" | "safetensors" | "parquet" | "arrow" | "arrows" | "feather" | "jsonl");
    if let Some(name) = array.filter(|_| !has_names) {
        return Err(Failure::usage(format!(
            "{}: such a file has no array of a name; leave out --array {name}",
            path.display()
        )));
    }
    let io = |error: std::io::Error| Failure::io("read", path, &error);
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let vectors = match &ending[..] {
        "npy" => npy::npy(path, &mut reader, bytes, one_axis, progress)?,
        "npz" => npy::npz(path, &mut reader, array, one_axis, progress)?,
        "fvecs" => vecs::read(path, Element::F32, &mut reader, bytes, progress)?,
        "bvecs" => vecs::read(path, Element::U8, &mut reader, bytes, progress)?,
        "ivecs" => vecs::read(path, Element::I32, &mut reader, bytes, progress)?,
        "safetensors" => safetensors::read(path, &mut reader, bytes, array, progress)?,
        "parquet" => parquet::read(path, reader.into_inner(), bytes, array, progress)?,
        "arrow" | "arrows" | "feather" => arrow::read(path, &mut reader, bytes, array, progress)?,
        "jsonl" => text::json_lines(path, &mut reader, array, progress, bytes)?,
        "csv" | "tsv" => text::separated(path, &mut reader, progress, bytes)?,
        "f32" | "bin" => raw(path, Element::F32, &mut reader, bytes, dimension, progress)?,
        "f16" => raw(path, Element::F16, &mut reader, bytes, dimension, progress)?,
        _ => {
            return Err(Failure::input(format!(
                "{}: the ending says nothing about what is in it; vectors are read from {ENDINGS}",
                path.display()
            )));
        }
    };
    if let Some(expected) = dimension.filter(|&d| d != vectors.dimension) {
        return Err(Failure::input(format!(
            "{}: the vectors have {} dimensions, where {expected} were expected",
            path.display(),
            vectors.dimension
        )));
    }
    Ok(vectors)
}

fn raw(
    path: &Path,
    element: Element,
    reader: &mut impl Read,
    bytes: u64,
    dimension: Option<usize>,
    progress: Progress,
) -> Result<Vectors> {
    let Some(dimension) = dimension else {
        return Err(Failure::usage(format!(
            "{}: raw floats don't say how long a vector is; give --dimension N",
            path.display()
        )));
    };
    let dimension = shape(path, 1, dimension as u64)?;
    let row_bytes = (dimension * element.bytes()) as u64;
    if !bytes.is_multiple_of(row_bytes) {
        return Err(Failure::input(format!(
            "{}: {bytes} bytes are no whole number of vectors of {dimension} dimensions ({row_bytes} bytes each); \
             the last row is ragged, or --dimension is wrong",
            path.display()
        )));
    }
    numbers(path, element, reader, bytes / row_bytes, dimension as u64, progress)
}

/// Reads `rows × dimension` numbers; the caller has checked that the file holds them.
fn numbers(
    path: &Path,
    element: Element,
    reader: &mut impl Read,
    rows: u64,
    dimension: u64,
    progress: Progress,
) -> Result<Vectors> {
    let dimension = shape(path, rows, dimension)?;
    let mut left = rows as usize * dimension;
    let mut data = reserve(left)?;
    let bar = progress.bytes("reading vectors", (left * element.bytes()) as u64);
    let mut chunk = vec![0; 1 << 20];
    while left > 0 {
        let bytes = (left * element.bytes()).min(chunk.len());
        reader.read_exact(&mut chunk[..bytes]).map_err(|e| Failure::io("read", path, &e))?;
        element.decode(&chunk[..bytes], &mut data);
        left -= bytes / element.bytes();
        bar.inc(bytes as u64);
    }
    bar.finish_and_clear();
    Ok(Vectors { data, dimension })
}

/// Refuses shapes that no index file holds; gives the dimension.
fn shape(path: &Path, rows: u64, dimension: u64) -> Result<usize> {
    if rows == 0 {
        return Err(Failure::input(format!("{}: there are no vectors in it", path.display())));
    }
    if rows > u64::from(u32::MAX) {
        return Err(Failure::input(format!(
            "{}: {rows} vectors; one index file holds at most {}: split them over several",
            path.display(),
            u32::MAX
        )));
    }
    if dimension == 0 || dimension > MatrixView::MAX_DIMENSION as u64 {
        return Err(Failure::input(format!(
            "{}: vectors of {dimension} dimensions; there must be 1 to {}",
            path.display(),
            MatrixView::MAX_DIMENSION
        )));
    }
    Ok(dimension as usize)
}

fn reserve(numbers: usize) -> Result<Vec<f32>> {
    let mut data = Vec::new();
    data.try_reserve_exact(numbers).map_err(|_| out_of_memory(numbers))?;
    Ok(data)
}

fn out_of_memory(numbers: usize) -> Failure {
    Failure {
        exit: crate::failure::Exit::System,
        code: "OUT_OF_MEMORY",
        message: format!("{} bytes of memory for the vectors could not be had", numbers.saturating_mul(4)),
    }
}

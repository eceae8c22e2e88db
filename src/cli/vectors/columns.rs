//! Vectors in a column of lists, as Parquet and Arrow files have them.

use super::{Vectors, out_of_memory, reserve, shape};
use crate::failure::{Failure, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, UInt8Type, UInt16Type,
};
use arrow_array::{Array, OffsetSizeTrait};
use arrow_schema::{DataType, Fields};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

/// A file may hold so many numbers whatever its size, and [`MAX_RATIO`] more for each of its bytes. Equal
/// numbers take next to nothing in these formats; who states more than this means harm, or no vectors.
const SMALL: u64 = 4 << 20;
const MAX_RATIO: u64 = 1024;

/// What a column must be.
const EXPECTED: &str = "lists of floats (16, 32, 64 bits) or integers (8, 16, 32 bits), all of one length";

/// Which column has the vectors: the one of this name, or the only one that can.
pub fn choose(path: &Path, fields: &Fields, array: Option<&str>) -> Result<usize> {
    let refused = |what: String| Err(Failure::input(format!("{}: {what}", path.display())));
    let listed = |only: &dyn Fn(&DataType) -> bool| {
        let named = fields.iter().filter(|field| only(field.data_type()));
        named.map(|field| format!("{} ({})", field.name(), field.data_type())).collect::<Vec<_>>().join(", ")
    };
    if let Some(name) = array {
        return match fields.find(name) {
            Some((at, field)) if is_vectors(field.data_type()) => Ok(at),
            Some((_, field)) => refused(format!(
                "the column {name} is of {}, where {EXPECTED}, were expected: cast it, or name another with --array",
                field.data_type()
            )),
            None => refused(format!("there is no column {name}; there are: {}", listed(&|_| true))),
        };
    }
    let mut candidates = fields.iter().enumerate().filter(|(_, field)| is_vectors(field.data_type()));
    match (candidates.next(), candidates.next()) {
        (Some((at, _)), None) => Ok(at),
        (None, _) => refused(format!(
            "no column holds vectors, which are {EXPECTED}; there are: {}: put the numbers of a vector into one list",
            listed(&|_| true)
        )),
        _ => refused(format!(
            "choose with --array the column that holds the vectors, or write a file that has no other; there are: {}",
            listed(&is_vectors)
        )),
    }
}

fn is_vectors(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => matches!(
            item.data_type(),
            DataType::Float16
                | DataType::Float32
                | DataType::Float64
                | DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::UInt8
                | DataType::UInt16
        ),
        _ => false,
    }
}

/// Refuses a file of so many bytes that states more numbers than one of vectors can have.
pub fn plausible(path: &Path, numbers: u64, bytes: u64) -> Result<()> {
    if numbers <= SMALL.saturating_add(bytes.saturating_mul(MAX_RATIO)) {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{}: it states {numbers} numbers in {bytes} bytes; it is damaged, or its vectors are nearly all alike: write them \
         without compression, or as .npy",
        path.display()
    )))
}

/// What decoding gave for the column, part by part.
pub struct Column<'a> {
    path: &'a Path,
    name: &'a str,
    /// Bytes of the file.
    bytes: u64,
    dimension: usize,
    rows: u64,
    data: Vec<f32>,
}

impl<'a> Column<'a> {
    pub fn new(path: &'a Path, name: &'a str, bytes: u64) -> Self {
        Column { path, name, bytes, dimension: 0, rows: 0, data: Vec::new() }
    }

    /// Appends the vectors of a part of the column.
    pub fn take(&mut self, part: &dyn Array) -> Result<()> {
        let (values, start) = match part.data_type() {
            DataType::FixedSizeList(_, length) => {
                let lists = part.as_fixed_size_list();
                let length = usize::try_from(*length).unwrap_or_default();
                self.lengths(part, |_| length)?;
                (lists.values(), lists.value_offset_at(0))
            }
            DataType::LargeList(_) => self.ragged::<i64>(part)?,
            _ => self.ragged::<i32>(part)?,
        };
        let numbers = part.len() * self.dimension;
        let values = values.slice(start, numbers);
        if let Some(at) = first_null(&values) {
            return Err(self.wrong(at / self.dimension, format!("holds null at position {}", at % self.dimension)));
        }
        plausible(self.path, (self.data.len() + numbers) as u64, self.bytes)?;
        if self.data.is_empty() {
            self.data = reserve(numbers)?;
        } else {
            self.data.try_reserve(numbers).map_err(|_| out_of_memory(self.data.len() + numbers))?;
        }
        decode(&values, &mut self.data);
        let new = &self.data[self.data.len() - numbers..];
        if let Some(at) = new.iter().position(|x| !x.is_finite()) {
            let what = format!("holds {} at position {}", new[at], at % self.dimension);
            return Err(self.wrong(at / self.dimension, what));
        }
        self.rows += part.len() as u64;
        Ok(())
    }

    pub fn finish(self) -> Result<Vectors> {
        let dimension = shape(self.path, self.rows, self.dimension.max(1) as u64)?;
        Ok(Vectors { data: self.data, dimension })
    }

    /// Checks lists that state where each of them ends; gives their numbers, and where the first begins.
    fn ragged<'b, O: OffsetSizeTrait>(&mut self, part: &'b dyn Array) -> Result<(&'b arrow_array::ArrayRef, usize)> {
        let lists = part.as_list::<O>();
        self.lengths(part, |row| lists.value_length(row).as_usize())?;
        Ok((lists.values(), lists.value_offsets().first().map_or(0, |offset| offset.as_usize())))
    }

    /// Every list must be there, and as long as the first.
    fn lengths(&mut self, part: &dyn Array, length: impl Fn(usize) -> usize) -> Result<()> {
        if let Some(row) = first_null(part) {
            return Err(self.wrong(row, "is null".into()));
        }
        if self.dimension == 0 && !part.is_empty() {
            self.dimension = shape(self.path, 1, length(0) as u64)?;
        }
        match (0..part.len()).find(|&row| length(row) != self.dimension) {
            Some(row) => Err(self.wrong(row, format!("is a list of {} numbers; the rows are ragged", length(row)))),
            None => Ok(()),
        }
    }

    /// `row` is one of the part that is being taken.
    fn wrong(&self, row: usize, what: String) -> Failure {
        let expected = match self.dimension {
            0 => "a list of numbers".to_owned(),
            dimension => format!("{dimension} finite numbers"),
        };
        Failure::input(format!(
            "{}: column {}: row {} (counted from 0) {what}; {expected} were expected: replace or drop the row",
            self.path.display(),
            self.name,
            self.rows + row as u64
        ))
    }
}

fn first_null(array: &dyn Array) -> Option<usize> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
    (0..nulls.len()).find(|&row| nulls.is_null(row))
}

/// Appends the numbers of an array of a type that [`is_vectors`] allows in lists.
fn decode(values: &dyn Array, out: &mut Vec<f32>) {
    fn all<T: ArrowPrimitiveType>(values: &dyn Array, out: &mut Vec<f32>, to: impl Fn(T::Native) -> f32) {
        out.extend(values.as_primitive::<T>().values().iter().map(|&x| to(x)));
    }
    match values.data_type() {
        DataType::Float16 => all::<Float16Type>(values, out, |x| x.to_f32()),
        DataType::Float64 => all::<Float64Type>(values, out, |x| x as f32),
        DataType::Int8 => all::<Int8Type>(values, out, f32::from),
        DataType::Int16 => all::<Int16Type>(values, out, f32::from),
        DataType::Int32 => all::<Int32Type>(values, out, |x| x as f32),
        DataType::UInt8 => all::<UInt8Type>(values, out, f32::from),
        DataType::UInt16 => all::<UInt16Type>(values, out, f32::from),
        _ => out.extend_from_slice(values.as_primitive::<Float32Type>().values()),
    }
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder that isn't ours. Where it panics the file is damaged, and nothing is printed.
pub fn decoding<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !DECODING.get() {
                others(info);
            }
        }));
    });
    DECODING.set(true);
    let done = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(false);
    done.unwrap_or_else(|_| {
        Err(Failure::input(format!("{}: its parts contradict each other; the file is damaged", path.display())))
    })
}

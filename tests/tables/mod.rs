//! Small files of Parquet and Arrow, by the crates' own writers.

use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType, FixedSizeListArray, GenericListArray, PrimitiveArray, RecordBatch};
use arrow_array::{Int64Array, OffsetSizeTrait, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// A list, where there is one, of numbers, where there are some.
pub type Row = Option<Vec<Option<f64>>>;

/// How lists are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Fixed,
    List,
    Large,
}

fn numbers(of: &DataType, numbers: Vec<Option<f64>>) -> ArrayRef {
    fn all<T: ArrowPrimitiveType>(numbers: Vec<Option<f64>>, to: impl Fn(f64) -> T::Native) -> ArrayRef {
        Arc::new(numbers.into_iter().map(|x| x.map(&to)).collect::<PrimitiveArray<T>>())
    }
    match of {
        DataType::Float16 => all::<Float16Type>(numbers, half::f16::from_f64),
        DataType::Float32 => all::<Float32Type>(numbers, |x| x as f32),
        DataType::Float64 => all::<Float64Type>(numbers, |x| x),
        DataType::Int8 => all::<Int8Type>(numbers, |x| x as i8),
        DataType::Int16 => all::<Int16Type>(numbers, |x| x as i16),
        DataType::Int32 => all::<Int32Type>(numbers, |x| x as i32),
        DataType::Int64 => all::<Int64Type>(numbers, |x| x as i64),
        DataType::UInt8 => all::<UInt8Type>(numbers, |x| x as u8),
        DataType::UInt16 => all::<UInt16Type>(numbers, |x| x as u16),
        other => panic!("no column of {other}"),
    }
}

/// A column of lists. Missing lists of a fixed length are filled with zeros.
pub fn lists(form: Form, of: &DataType, rows: &[Row]) -> ArrayRef {
    fn ragged<O: OffsetSizeTrait>(item: Field, nulls: Option<NullBuffer>, values: ArrayRef, rows: &[Row]) -> ArrayRef {
        let lengths = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len));
        Arc::new(GenericListArray::<O>::new(Arc::new(item), OffsetBuffer::from_lengths(lengths), values, nulls))
    }
    let item = Field::new("item", of.clone(), true);
    let nulls = rows.iter().any(Option::is_none).then(|| rows.iter().map(Option::is_some).collect::<NullBuffer>());
    if form == Form::Fixed {
        let length = rows.iter().flatten().map(Vec::len).max().unwrap_or(1);
        let filled = rows.iter().flat_map(|row| row.clone().unwrap_or_else(|| vec![Some(0.0); length])).collect();
        let values = numbers(of, filled);
        return Arc::new(FixedSizeListArray::new(Arc::new(item), length as i32, values, nulls));
    }
    let values = numbers(of, rows.iter().flatten().flatten().copied().collect());
    match form {
        Form::Large => ragged::<i64>(item, nulls, values, rows),
        _ => ragged::<i32>(item, nulls, values, rows),
    }
}

/// A column of numbers beside it.
pub fn ids(count: usize) -> ArrayRef {
    Arc::new((0..count as i64).collect::<Int64Array>())
}

/// A column of texts beside it.
pub fn texts(count: usize) -> ArrayRef {
    Arc::new((0..count).map(|row| Some(format!("row {row}"))).collect::<StringArray>())
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|(name, column)| (*name, column.clone()))).unwrap()
}

/// A Parquet file, two rows a group.
pub fn parquet(columns: &[(&str, ArrayRef)], compression: Compression) -> Vec<u8> {
    let batch = batch(columns);
    let properties =
        WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(2)).build();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

fn options(compression: Option<CompressionType>) -> IpcWriteOptions {
    IpcWriteOptions::default().try_with_compression(compression).unwrap()
}

/// Two batches.
fn halves(columns: &[(&str, ArrayRef)]) -> [RecordBatch; 2] {
    let batch = batch(columns);
    let half = batch.num_rows() / 2;
    [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)]
}

/// An Arrow file of two batches.
pub fn arrow_file(columns: &[(&str, ArrayRef)], compression: Option<CompressionType>) -> Vec<u8> {
    let parts = halves(columns);
    let mut out = Vec::new();
    let mut writer = FileWriter::try_new_with_options(&mut out, &parts[0].schema(), options(compression)).unwrap();
    parts.iter().for_each(|part| writer.write(part).unwrap());
    writer.finish().unwrap();
    drop(writer);
    out
}

/// An Arrow stream of two batches.
pub fn arrow_stream(columns: &[(&str, ArrayRef)], compression: Option<CompressionType>) -> Vec<u8> {
    let parts = halves(columns);
    let mut out = Vec::new();
    let mut writer = StreamWriter::try_new_with_options(&mut out, &parts[0].schema(), options(compression)).unwrap();
    parts.iter().for_each(|part| writer.write(part).unwrap());
    writer.finish().unwrap();
    drop(writer);
    out
}

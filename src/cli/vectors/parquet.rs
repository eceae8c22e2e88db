//! Apache Parquet, by the crate of that name. What it would allocate by a number in the file is checked first.

use super::columns::{Column, choose, decoding, plausible};
use super::pages::Pages;
use super::{Vectors, shape};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;
use elanus::words::MatrixView;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// So many numbers are decoded at a time.
const BATCH: u64 = 1 << 20;

/// A file of which no more is asked for than there is.
struct Whole {
    file: File,
    bytes: u64,
}

impl Whole {
    fn check(&self, start: u64, length: u64) -> std::result::Result<(), ParquetError> {
        match start.checked_add(length) {
            Some(end) if end <= self.bytes => Ok(()),
            _ => Err(ParquetError::EOF(format!("{length} bytes at {start}, where the file has {}", self.bytes))),
        }
    }
}

impl Length for Whole {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Whole {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> std::result::Result<Self::T, ParquetError> {
        self.check(start, 0)?;
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> std::result::Result<Bytes, ParquetError> {
        self.check(start, length as u64)?;
        self.file.get_bytes(start, length)
    }
}

/// The vectors of the column of this name, or of the only one that holds some.
pub fn read(path: &Path, file: File, bytes: u64, array: Option<&str>, progress: Progress) -> Result<Vectors> {
    decoding(path, || decode(path, file, bytes, array, progress))
}

fn decode(path: &Path, mut file: File, bytes: u64, array: Option<&str>, progress: Progress) -> Result<Vectors> {
    let refused = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let unread = |e: ParquetError| {
        refused(format!(
            "this is no Parquet file that can be read ({e}); if it isn't damaged, write it anew without encryption, \
             uncompressed or with snappy, gzip, lz4 or zstd"
        ))
    };
    let mut magic = [0; 4];
    file.rewind().and_then(|()| file.read_exact(&mut magic)).map_err(|_| refused("the file is truncated".into()))?;
    if &magic == b"ARR1" || &magic == b"ARRO" {
        return Err(refused("it is an Arrow file: give it the ending .arrow".into()));
    }
    let source = Whole { file: file.try_clone().map_err(|e| Failure::io("read", path, &e))?, bytes };
    // What a writer noted of its own types would only be another thing to contradict the file.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(source, options).map_err(unread)?;
    let fields = builder.schema().fields().clone();
    let column = choose(path, &fields, array)?;
    let name = fields[column].name();
    let rows = stated_rows(path, builder.metadata(), bytes)?;
    let schema = builder.parquet_schema();
    let leaf = (0..schema.num_columns()).find(|&leaf| schema.get_column_root_idx(leaf) == column).unwrap_or_default();
    let mut numbers = 0u64;
    for group in builder.metadata().row_groups() {
        let chunk = (group.columns().get(leaf))
            .ok_or_else(|| refused(format!("a row group lacks the column {name}; the file is damaged")))?;
        let most = (group.num_rows().max(0) as u64).saturating_mul(MatrixView::MAX_DIMENSION as u64);
        let stated = u64::try_from(chunk.num_values()).unwrap_or(u64::MAX);
        numbers = numbers.saturating_add(stated);
        if stated > most {
            shape(path, 1, stated / (group.num_rows().max(1) as u64))?;
        }
        plausible(path, numbers, bytes)?;
        pages(path, &mut file, chunk, bytes)?;
    }
    let dimension = (numbers / rows.max(1)).max(1);
    let batch = (BATCH / dimension).clamp(1, 1 << 16) as usize;
    let mask = ProjectionMask::roots(builder.parquet_schema(), [column]);
    let batches = builder.with_projection(mask).with_batch_size(batch).build().map_err(unread)?;
    let mut vectors = Column::new(path, name, bytes);
    let bar = progress.count("reading vectors", rows);
    for batch in batches {
        let batch = batch.map_err(|e| unread(e.into()))?;
        vectors.take(batch.column(0))?;
        bar.inc(batch.num_rows() as u64);
    }
    bar.finish_and_clear();
    let vectors = vectors.finish()?;
    if vectors.rows() as u64 != rows {
        return Err(refused(format!(
            "it states {rows} rows, but the column {name} has {}; the file is damaged",
            vectors.rows()
        )));
    }
    Ok(vectors)
}

fn stated_rows(path: &Path, metadata: &ParquetMetaData, bytes: u64) -> Result<u64> {
    let groups = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()));
    let sum = groups.into_iter().try_fold(0u64, |sum, rows| sum.checked_add(rows.ok()?));
    let stated = u64::try_from(metadata.file_metadata().num_rows()).ok();
    let Some(rows) = stated.filter(|_| sum == stated) else {
        return Err(Failure::input(format!(
            "{}: its row groups don't have the rows that the file states; it is damaged",
            path.display()
        )));
    };
    shape(path, rows, 1)?;
    plausible(path, rows, bytes)?;
    Ok(rows)
}

/// Walks over the pages of a column, none of which may claim to be what it can't.
fn pages(path: &Path, file: &mut File, chunk: &ColumnChunkMetaData, bytes: u64) -> Result<()> {
    let refused = |what: String| Failure::input(format!("{}: {what}; the file is damaged", path.display()));
    let io = |e: std::io::Error| Failure::io("read", path, &e);
    if let Some(other) = chunk.file_path() {
        return Err(Failure::input(format!(
            "{}: its column is in another file, {other}: join them in one file",
            path.display()
        )));
    }
    let number = |n: i64| u64::try_from(n).ok();
    let start = number(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()));
    let end = start.zip(number(chunk.compressed_size())).and_then(|(start, length)| start.checked_add(length));
    let (Some(start), Some(end)) = (start, end.filter(|&end| end <= bytes)) else {
        return Err(refused("a column is said to be where the file has nothing".into()));
    };
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    let mut walked = Pages::new(BufReader::with_capacity(1 << 13, file), end - start);
    walked.all(chunk.num_values().max(0) as u64).map_err(refused)
}

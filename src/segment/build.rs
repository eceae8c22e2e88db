//! Puts together an index file: rows and what belongs to them in, a file ready to be written out.

use super::fields::FieldsWriter;
use super::keys::PrimaryKeys;
use super::sealed::MAX_CARD_BYTES;
use crate::filter::ColumnsBuilder;
use crate::format::{FileWriter, Header, Kind};
use crate::index::{BuildParams, Index, Progress};
use crate::words::{Code, Error, IndexType, MatrixView, Result};

/// What a file is built from. Everything but the rows may be left out.
#[derive(Debug)]
pub struct Input<'a> {
    /// The vectors.
    pub rows: MatrixView<'a>,
    /// How they are to be searched.
    pub index_type: IndexType,
    /// Metric, precisions, seed.
    pub params: BuildParams,
    /// What callers know the rows by.
    pub keys: PrimaryKeys,
    /// Typed fields for filters, a value a row.
    pub columns: Option<ColumnsBuilder>,
    /// Fields that come back with hits, a text a row.
    pub fields: Option<FieldsWriter>,
    /// JSON that describes the file. Stored as it is.
    pub card: Option<String>,
}

/// Builds the index and lays out the file. `progress` is told of the index's steps, which take
/// nearly all of the time.
///
/// # Errors
/// `INVALID_INPUT` if rows can't be used, keys repeat, or counts differ; `INVALID_ARGUMENT` if a
/// parameter can't be honoured.
pub fn build<'a>(input: Input<'a>, progress: Progress<'_>) -> Result<FileWriter<'a>> {
    let Input { rows, index_type, params, keys, columns, fields, card } = input;
    let count = u32::try_from(rows.rows()).map_err(|_| {
        Error::new(
            Code::InvalidInput,
            format!("{} rows; one index file holds at most {}: split them over several", rows.rows(), u32::MAX),
        )
    })?;
    let mut file = FileWriter::new(Header {
        count,
        dimension: rows.dimension() as u32,
        metric: params.metric,
        index_type,
        seed: params.seed,
    });
    // What is quickly refused comes before the index is built.
    if let Some(card) = card {
        if card.len() > MAX_CARD_BYTES {
            return Err(Error::new(
                Code::InvalidInput,
                format!("the card has {} bytes; {MAX_CARD_BYTES} is the most: shorten it", card.len()),
            ));
        }
        file.section(Kind::CARD, card.into_bytes());
    }
    if let Some(keys) = keys.encode(rows.rows())? {
        file.section(Kind::KEYS, keys);
    }
    if let Some(columns) = columns {
        file.section(Kind::COLUMNS, columns.finish(rows.rows())?);
    }
    if let Some(fields) = fields {
        if fields.rows() != count {
            return Err(Error::new(
                Code::InvalidInput,
                format!("there are stored fields for {} rows but {count} vectors; give one each", fields.rows()),
            ));
        }
        file.section(Kind::FIELDS, fields.finish());
    }
    let sections = Index::build(index_type, rows, &params, progress)?;
    for (kind, bytes) in [
        (Kind::ROTATION, sections.rotation),
        (Kind::CENTROIDS, sections.centroids),
        (Kind::DIRECTORY, sections.lists),
        (Kind::CODES, sections.codes),
        (Kind::ROWS_I8, sections.rows_i8),
        (Kind::ROWS_F32, sections.rows_f32),
        (Kind::GRAPH, sections.graph),
    ] {
        if let Some(bytes) = bytes {
            file.section(kind, bytes);
        }
    }
    Ok(file)
}

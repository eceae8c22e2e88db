//! A part of a collection: a sealed segment with what is gone of it, or a growing one.

use super::document::Unpacked;
use super::entity::Entity;
use super::growing::Growing;
use super::manifest::SegmentEntry;
use super::read::Chosen;
use super::schema::Schema;
use crate::filter::{Parsed, Shape, Value};
use crate::segment::{Key, Scratch, Sealed};
use crate::words::{Bitmap, Blob, Error, Result};
use std::borrow::Cow;

#[derive(Debug)]
pub(super) enum Part {
    Sealed(Box<SealedPart>),
    Growing(Growing),
}

/// A sealed segment, and the rows of it that are gone.
#[derive(Debug)]
pub(super) struct SealedPart {
    pub(super) file: u64,
    pub(super) sealed: Sealed,
    pub(super) deleted: Bitmap,
    pub(super) scratch: Scratch,
    live: usize,
    shape: Shape,
    /// Its entities' JSON objects, once a filter has asked for them.
    unpacked: Option<Unpacked>,
    /// What passed the filter that was asked last: pages of answers ask it again.
    passed: Option<(String, Bitmap)>,
}

impl SealedPart {
    /// Opens the file of an entry.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if it isn't the file that the entry speaks of, or not one of the schema.
    pub(super) fn open(entry: SegmentEntry, bytes: Blob, schema: &Schema) -> Result<Self> {
        let SegmentEntry { file, checksum, deleted } = entry;
        let sealed = Sealed::open(bytes)?;
        let header = sealed.header();
        let fits = header.count as usize == deleted.len()
            && sealed.layout().checksum == checksum
            && header.dimension == schema.vector.dimension
            && header.metric == schema.vector.metric
            && sealed.has_varchar_keys() == schema.has_varchar_keys()
            && sealed.columns().fields().eq(schema.columns());
        if !fits {
            return Err(Error::corrupt(format!(
                "file {file} isn't the segment that the manifest speaks of: rows, checksum or fields differ; put back \
                 the file that was there"
            )));
        }
        let live = deleted.len() - deleted.count();
        let (scratch, shape) = (Scratch::default(), schema.shape());
        Ok(SealedPart { file, sealed, deleted, scratch, live, shape, unpacked: None, passed: None })
    }

    /// The rows that pass a filter, gone or not.
    fn passing(&mut self, filter: &Parsed, said: &str) -> Result<&Bitmap> {
        let rows = match self.passed.take() {
            Some((last, rows)) if last == said => rows,
            _ => {
                let filter = filter.check(self.sealed.columns(), &self.shape)?;
                match filter.reads_documents() {
                    false => filter.evaluate(),
                    true => {
                        let unpacked = match self.unpacked.take() {
                            Some(unpacked) => unpacked,
                            None => Unpacked::of(&self.sealed)?,
                        };
                        filter.evaluate_with(self.unpacked.insert(unpacked))
                    }
                }
            }
        };
        Ok(&self.passed.insert((said.to_owned(), rows)).1)
    }

    /// JSON objects of rows; of many at once more than one call unpacks.
    fn documents_of(&self, rows: &[u32]) -> Result<Vec<String>> {
        let mut texts = Vec::with_capacity(rows.len());
        for rows in rows.chunks(1024) {
            texts.extend(self.sealed.fields(rows)?);
        }
        Ok(texts)
    }

    pub(super) fn entry(&self) -> SegmentEntry {
        SegmentEntry { file: self.file, checksum: self.sealed.layout().checksum, deleted: self.deleted.clone() }
    }

    pub(super) fn len(&self) -> usize {
        self.deleted.len()
    }

    fn row(&self, key: &Key) -> Option<u32> {
        self.sealed.row(key).filter(|&row| !self.deleted.contains(row as usize))
    }
}

impl Part {
    pub(super) fn live(&self) -> usize {
        match self {
            Part::Sealed(part) => part.live,
            Part::Growing(part) => part.live(),
        }
    }

    /// The row of an entity that is there.
    pub(super) fn row(&self, key: &Key) -> Option<u32> {
        match self {
            Part::Sealed(part) => part.row(key),
            Part::Growing(part) => part.row(key),
        }
    }

    /// Takes an entity out; whether it was there.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        match self {
            Part::Growing(part) => part.remove(key),
            Part::Sealed(part) => {
                let Some(row) = part.row(key) else { return false };
                part.deleted.insert(row as usize);
                part.live -= 1;
                true
            }
        }
    }

    /// The rows that are there and pass the filter.
    pub(super) fn allowed(&mut self, chosen: &Chosen) -> Result<Bitmap> {
        match self {
            Part::Growing(part) => part.allowed(chosen),
            Part::Sealed(part) => {
                let mut allowed = part.deleted.clone();
                allowed.invert();
                if let Some(filter) = &chosen.filter {
                    allowed.intersect(part.passing(filter, &chosen.said)?);
                }
                Ok(allowed)
            }
        }
    }

    pub(super) fn key(&self, row: u32) -> Result<Key> {
        match self {
            Part::Sealed(part) => part.sealed.key(row),
            Part::Growing(part) => Ok(part.entity(row).key.clone()),
        }
    }

    /// Writes the vector of a row to `out`.
    pub(super) fn vector(&self, row: u32, out: &mut [f32]) -> Result<()> {
        match self {
            Part::Sealed(part) => part.sealed.vector(row, out),
            Part::Growing(part) => {
                out.copy_from_slice(part.vector(row));
                Ok(())
            }
        }
    }

    /// The entities of these rows; without their JSON objects if those aren't asked for, which takes
    /// unpacking them.
    pub(super) fn entities(&self, rows: &[u32], documents: bool) -> Result<Vec<Entity>> {
        let part = match self {
            Part::Growing(part) => return Ok(rows.iter().map(|&row| part.entity(row).clone()).collect()),
            Part::Sealed(part) => part,
        };
        let texts = if documents { part.documents_of(rows)? } else { vec![String::new(); rows.len()] };
        let columns = part.sealed.columns();
        let entity = |(&row, mut document): (&u32, String)| {
            if document == "{}" {
                document.clear();
            }
            let values = (1..columns.fields().len()).map(|column| owned(columns.value(column, row as usize)));
            Ok(Entity { key: part.sealed.key(row)?, values: values.collect(), document })
        };
        rows.iter().zip(texts).map(entity).collect()
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(value) => Value::Bool(value),
        Value::Int64(value) => Value::Int64(value),
        Value::Double(value) => Value::Double(value),
        Value::VarChar(text) => Value::VarChar(Cow::Owned(text.into_owned())),
    }
}

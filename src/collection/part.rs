//! A part of a collection: a sealed segment with what is gone of it, or a growing one.

use super::entity::Entity;
use super::growing::Growing;
use super::manifest::SegmentEntry;
use super::schema::Schema;
use crate::filter::{Value, compile};
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
        Ok(SealedPart { file, sealed, deleted, scratch: Scratch::default(), live })
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
    pub(super) fn allowed(&mut self, filter: Option<&str>) -> Result<Bitmap> {
        match self {
            Part::Growing(part) => part.allowed(filter),
            Part::Sealed(part) => {
                let mut allowed = part.deleted.clone();
                allowed.invert();
                if let Some(text) = filter {
                    allowed.intersect(&compile(text, part.sealed.columns())?.evaluate());
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

    /// The entities of these rows; without their dynamic fields if those aren't asked for, which takes
    /// unpacking them.
    pub(super) fn entities(&self, rows: &[u32], dynamic: bool) -> Result<Vec<Entity>> {
        let part = match self {
            Part::Growing(part) => return Ok(rows.iter().map(|&row| part.entity(row).clone()).collect()),
            Part::Sealed(part) => part,
        };
        let texts = if dynamic { part.sealed.fields(rows)? } else { vec![String::new(); rows.len()] };
        let columns = part.sealed.columns();
        let entity = |(&row, mut dynamic): (&u32, String)| {
            if dynamic == "{}" {
                dynamic.clear();
            }
            let values = (1..columns.fields().len()).map(|column| owned(columns.value(column, row as usize)));
            Ok(Entity { key: part.sealed.key(row)?, values: values.collect(), dynamic })
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

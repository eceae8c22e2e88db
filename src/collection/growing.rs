//! The entities of one log: appended, searched at once by comparing each, nothing trained.
//!
//! They lie in chunks. Values of a chunk never change, so the columns that filters read are worked
//! out once a chunk, but for the last, which is still being filled.

use super::entity::{Batch, Entity};
use super::read::Chosen;
use super::schema::{Schema, key_value};
use crate::filter::{Columns, ColumnsBuilder, Documents};
use crate::index::rows::distance;
use crate::segment::Key;
use crate::words::{Bitmap, Blob, Hit, Result, TopK};
use std::collections::HashMap;
use std::sync::Arc;

/// Entities in a chunk: whole words of a bitmap, and few enough that the last one's columns are
/// worked out in no time.
const CHUNK: usize = 1024;

#[derive(Debug)]
pub(super) struct Growing {
    /// Number of its log.
    pub(super) log: u64,
    schema: Arc<Schema>,
    chunks: Vec<Chunk>,
    /// The rows that are there, by key.
    rows: HashMap<Key, u32>,
    /// A bit for each row that is gone.
    gone: Vec<u64>,
    len: usize,
}

#[derive(Debug, Default)]
struct Chunk {
    vectors: Vec<f32>,
    entities: Vec<Entity>,
    columns: Option<Columns>,
}

impl Growing {
    pub(super) fn new(log: u64, schema: Arc<Schema>) -> Self {
        Growing { log, schema, chunks: Vec::new(), rows: HashMap::new(), gone: Vec::new(), len: 0 }
    }

    /// Rows, with those that are gone.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn live(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn row(&self, key: &Key) -> Option<u32> {
        self.rows.get(key).copied()
    }

    /// Adds entities. Of several of one key the last stays.
    pub(super) fn push(&mut self, batch: Batch) {
        let dimension = self.schema.dimension();
        for (entity, vector) in batch.entities.into_iter().zip(batch.vectors.chunks_exact(dimension)) {
            if self.len.is_multiple_of(CHUNK) {
                self.chunks.push(Chunk::default());
            }
            if self.len.is_multiple_of(64) {
                self.gone.push(0);
            }
            if let Some(row) = self.rows.insert(entity.key.clone(), self.len as u32) {
                self.gone[row as usize / 64] |= 1 << (row % 64);
            }
            if let Some(chunk) = self.chunks.last_mut() {
                chunk.vectors.extend_from_slice(vector);
                chunk.entities.push(entity);
                chunk.columns = None;
            }
            self.len += 1;
        }
    }

    /// Takes an entity out; whether it was there.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let Some(row) = self.rows.remove(key) else { return false };
        self.gone[row as usize / 64] |= 1 << (row % 64);
        true
    }

    /// An entity; even one that is gone. Panics if there is no such row.
    pub(super) fn entity(&self, row: u32) -> &Entity {
        &self.chunks[row as usize / CHUNK].entities[row as usize % CHUNK]
    }

    pub(super) fn vector(&self, row: u32) -> &[f32] {
        let dimension = self.schema.dimension();
        &self.chunks[row as usize / CHUNK].vectors[row as usize % CHUNK * dimension..][..dimension]
    }

    /// The rows that are there and pass the filter.
    pub(super) fn allowed(&mut self, chosen: &Chosen) -> Result<Bitmap> {
        let mut allowed = Bitmap::from_words(self.gone.clone(), self.len);
        allowed.invert();
        if let Some(filter) = &chosen.filter {
            let shape = self.schema.shape();
            if self.chunks.is_empty() {
                // Nothing is there to be found, but a wrong filter is refused all the same.
                filter.check(&columns(&self.schema, &[])?, &shape)?;
            }
            let mut words = Vec::with_capacity(self.gone.len());
            for chunk in &mut self.chunks {
                let columns = match chunk.columns.take() {
                    Some(columns) => columns,
                    None => columns(&self.schema, &chunk.entities)?,
                };
                let filter = filter.check(chunk.columns.insert(columns), &shape)?;
                words.extend_from_slice(filter.evaluate_with(&*chunk).words());
            }
            allowed.intersect(&Bitmap::from_words(words, self.len));
        }
        Ok(allowed)
    }

    /// Compares the query, in its stored form, with each of the rows.
    pub(super) fn search(&self, query: &[f32], allowed: &Bitmap, top: &mut TopK) {
        for row in allowed.iter() {
            let row = row as u32;
            top.push(Hit { row, distance: distance(self.schema.vector.metric, query, self.vector(row)) });
        }
    }
}

impl Documents for Chunk {
    fn document(&self, row: usize) -> &str {
        self.entities.get(row).map_or("", |entity| &entity.document)
    }
}

/// The columns of these entities: the key's, then those of the fields.
fn columns(schema: &Schema, entities: &[Entity]) -> Result<Columns> {
    let section = columns_of(schema, entities)?.finish(entities.len())?;
    Columns::open(Blob::copy_of(&section)?, entities.len())
}

pub(super) fn columns_of(schema: &Schema, entities: &[Entity]) -> Result<ColumnsBuilder> {
    let mut builder = ColumnsBuilder::new(schema.columns())?;
    for Entity { key, values, .. } in entities {
        builder.push(0, key_value(key))?;
        for (i, value) in values.iter().enumerate() {
            builder.push(i + 1, value.clone())?;
        }
    }
    Ok(builder)
}

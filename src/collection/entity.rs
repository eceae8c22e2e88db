//! Entities, and what makes a batch of them fit for a collection.

use super::schema::{Schema, invalid};
use crate::filter::Value;
use crate::index::stored_form;
use crate::segment::Key;
use crate::words::{MatrixView, Result};
use std::collections::HashSet;

/// What callers give of an entity, its vector apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// Its key; none if the collection gives keys.
    pub key: Option<Key>,
    /// A value for each of the schema's [scalars](Schema::scalars), in order.
    pub values: Vec<Value<'static>>,
    /// Fields of type JSON and Array and dynamic ones: the text of a JSON object on one line, or nothing.
    pub document: String,
}

impl Draft {
    /// A key, and nothing else.
    pub fn of(key: Key) -> Self {
        Draft { key: Some(key), ..Draft::default() }
    }
}

/// What is kept of an entity, its vector apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Its key.
    pub key: Key,
    /// A value for each of the schema's [scalars](Schema::scalars), in order.
    pub values: Vec<Value<'static>>,
    /// Fields of type JSON and Array and dynamic ones: the text of a JSON object; empty for none.
    pub document: String,
}

/// Entities with their vectors, as they are stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// One after the other; normalised for COSINE.
    pub vectors: Vec<f32>,
    /// As many as vectors.
    pub entities: Vec<Entity>,
}

impl Batch {
    /// Checks what came against the schema. Keys that are missing come from `assign`.
    pub(super) fn new(
        schema: &Schema,
        vectors: Vec<f32>,
        drafts: Vec<Draft>,
        mut assign: impl FnMut() -> Result<Key>,
    ) -> Result<Self> {
        let (count, dimension) = (drafts.len(), schema.dimension());
        let scalars = schema.scalars().count();
        if vectors.len() != count * dimension {
            return Err(invalid(format!(
                "{count} entities of {dimension} dimensions have {} numbers together, but {} came; give each its vector",
                count * dimension,
                vectors.len()
            )));
        }
        let mut entities = Vec::with_capacity(count);
        let mut keys = HashSet::with_capacity(count);
        for (row, Draft { key, values, document }) in drafts.into_iter().enumerate() {
            let key = match key {
                Some(key) => key,
                None if schema.primary.auto_id => assign()?,
                None => {
                    let name = &schema.primary.name;
                    return Err(invalid(format!("entity {row} has no primary key: give it a value for \"{name}\"")));
                }
            };
            schema.check_key(&key)?;
            if !keys.insert(key.clone()) {
                return Err(invalid(format!("two entities of the batch have the key {key}; keep one of them")));
            }
            if values.len() != scalars {
                return Err(invalid(format!(
                    "entity {row} has {} values for {} fields; give each one or null",
                    values.len(),
                    scalars
                )));
            }
            schema.check_document(&document, row)?;
            let values = schema.scalars().zip(values).map(|(field, value)| field.fit(value, row));
            entities.push(Entity { key, values: values.collect::<Result<_>>()?, document });
        }
        let vectors = match count {
            0 => vectors,
            _ => stored_form(MatrixView::new(&vectors, dimension)?, schema.vector.metric)?.into_owned(),
        };
        Ok(Batch { vectors, entities })
    }
}

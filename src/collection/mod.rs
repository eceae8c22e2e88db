//! A collection: entities that are inserted, replaced, deleted and found, kept so that nothing that
//! was acknowledged is lost. `docs/collection.md` states the files.
//!
//! Parts lie in the order in which their entities came: sealed ones first, each an index file and
//! the rows of it that are gone; then growing ones, each the entities of one log. A search asks them
//! all. The layer does no I/O: a write is worked out as bytes ([`Write`]), the edge makes them durable,
//! and only then are they applied; a collection is opened from the bytes of its manifest, segments
//! and logs.
//!
//! ```
//! use elanus::collection::{Collection, Draft, Schema, Search};
//! use elanus::segment::Key;
//! use elanus::words::Metric;
//!
//! let mut notes = Collection::create(Schema::quick(2, Metric::L2))?;
//! let drafts = vec![Draft::of(Key::Int64(7)), Draft::of(Key::Int64(8))];
//! let write = notes.insert(vec![0.0, 1.0, 5.0, 5.0], drafts)?;
//! // Here the edge appends `write.bytes()` to the log and flushes it.
//! notes.apply(write)?;
//! let hits = notes.search(&Search::new(&[4.0, 5.0]))?;
//! assert_eq!(notes.key(hits[0].place)?, Key::Int64(8));
//! # Ok::<(), elanus::words::Error>(())
//! ```

mod answered;
pub mod catalog;
mod codec;
mod data_type;
mod document;
mod entity;
mod growing;
mod job;
pub mod log;
pub mod manifest;
mod part;
mod read;
pub mod schema;
mod store;
#[cfg(test)]
mod tests;

pub use catalog::Catalog;
pub use data_type::{DataType, Element};
pub use entity::{Batch, Draft, Entity};
pub use job::{Job, Limits};
pub use log::{LogReader, Record, Request};
pub use manifest::Manifest;
pub use read::{Condition, Found, Place, Search};
pub use schema::{Field, KeyType, Primary, Schema, VectorField};
pub use store::{Collection, Write, Written};

//! A segment: an index together with what a caller knows its rows by — keys, typed columns, stored
//! fields — and the card that says what it is.

pub mod build;
mod bundles;
pub mod fields;
mod group;
pub mod hybrid;
pub mod iterate;
pub mod keys;
mod pages;
pub mod partial;
pub mod query;
pub mod request;
pub mod sealed;
mod summed;

pub use build::{Input, build, keep};
pub use bundles::in_parts;
pub use fields::{Fields, FieldsWriter};
pub use hybrid::{MAX_SEARCHES, Rerank};
pub use iterate::Iteration;
pub use keys::{Key, Keys, PrimaryKeys};
pub use partial::{Partial, Step};
pub use query::Query;
pub use request::{Grouping, MAX_LIMIT, Request};
pub use sealed::{MAX_CARD_BYTES, Scratch, Sealed};

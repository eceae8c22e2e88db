//! A segment: an index together with what a caller knows its rows by — keys, typed columns, stored
//! fields — and the card that says what it is.

pub mod build;
pub mod fields;
pub mod keys;
pub mod sealed;

pub use build::{Input, build};
pub use fields::{Fields, FieldsWriter};
pub use keys::{Key, Keys, PrimaryKeys};
pub use sealed::{MAX_CARD_BYTES, MAX_LIMIT, Request, Scratch, Sealed};

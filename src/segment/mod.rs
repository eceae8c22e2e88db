//! A segment: an index together with what a caller knows its rows by — keys, typed columns, stored
//! fields — and the card that says what it is.

pub mod fields;
pub mod keys;

pub use fields::{Fields, FieldsWriter};
pub use keys::{Key, Keys, PrimaryKeys};

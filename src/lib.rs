//! Vector search that runs in a browser tab.
//!
//! The crate is built in layers, each importing only from the ones before it:
//!
//! | layer | what it answers |
//! |---|---|
//! | [`words`] | errors, metrics, matrices, byte access, bitmaps, top-k |
//! | [`format`] | the `.elanus` container: header, section table, checksums |
//! | [`filter`] | an expression over typed columns → the rows for which it is true |
//! | [`segment`] | a sealed segment: an index with its keys, columns and stored fields |
//!
//! `ARCHITECTURE.md` walks through them and says what each one costs.

pub mod filter;
pub mod format;
pub mod segment;
pub mod words;

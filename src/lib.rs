//! Vector search that runs in a browser tab.
//!
//! The crate is built in layers, each importing only from the ones before it:
//!
//! | layer | what it answers |
//! |---|---|
//! | [`words`] | errors, metrics, matrices, byte access, bitmaps, top-k |
//! | [`format`] | the `.elanus` container: header, section table, checksums |
//!
//! `ARCHITECTURE.md` walks through them and says what each one costs.

pub mod format;
pub mod words;

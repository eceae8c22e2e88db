//! Vector search that runs in a browser tab.
//!
//! The crate is built in layers, each importing only from the ones before it:
//!
//! | layer | what it answers |
//! |---|---|
//! | [`words`] | errors, metrics, matrices, byte access, bitmaps, top-k |
//! | [`text`] | the terms that a text is found by |
//! | [`distance`] | kernels: products, distances, scans over codes |
//! | [`mod@format`] | the `.elanus` container: header, section table, checksums |
//! | [`quantize`] | rotation, 1-bit codes, 8-bit rows |
//! | [`index`] | the nearest rows: flat, scan |
//! | [`filter`] | an expression over typed columns → the rows for which it is true |
//! | [`foreign`] | index files of other libraries, read as they are |
//! | [`segment`] | a sealed segment: an index with its keys, columns and stored fields |
//! | [`convert`] | one library's file out of another's |
//! | [`tune`] | which index type suits a set of vectors |
//! | [`collection`] | entities that come and go: logs, segments, manifests |
//! | [`release`] | how good a release is, and whether that is good enough |
//! | `web` | what JavaScript calls; in WebAssembly builds only |
//!
//! `ARCHITECTURE.md` walks through them and says what each one costs.

pub mod collection;
pub mod convert;
pub mod distance;
pub mod filter;
pub mod foreign;
pub mod format;
pub mod index;
pub mod quantize;
pub mod release;
pub mod segment;
pub mod text;
pub mod tune;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod words;

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

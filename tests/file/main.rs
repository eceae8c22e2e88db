//! Whole index files: what they answer, and what happens when they are damaged or lie.
#![cfg(not(target_arch = "wasm32"))]

mod binary;
mod calibration;
mod data;
mod documented;
mod forge;
mod hostile;
#[path = "../memory/mod.rs"]
mod memory;
mod partial;
mod queries;
mod sealed;
mod selectivity;
mod table;
mod text;

//! Drives the `elanus` command as people and scripts do: arguments in, files, output and exit codes out.
#![cfg(all(feature = "cli", not(target_arch = "wasm32")))]

mod bad_input;
mod columns;
mod commands;
mod convert;
mod experiment;
mod gate;
mod instant_json;
mod kills;
mod registry;
mod serve;
mod signing;
mod sketch;
#[path = "../tables/mod.rs"]
mod tables;
mod tune;
mod vector_files;
mod workshop;

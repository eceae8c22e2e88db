//! Text: how it becomes the terms that it can be found by.

pub mod analyzer;

pub use analyzer::Analyzer;

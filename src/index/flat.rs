//! Exact search: every allowed row is compared.

use super::params::{BuildParams, Progress};
use super::query;
use super::rows::{self, Rows};
use super::sections::{Built, Sections, Shape};
use crate::words::{Blob, IndexType, MatrixView, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A `FLAT` index.
#[derive(Debug, Clone)]
pub struct Flat {
    rows: Rows,
}

impl Flat {
    /// The sections of an index of these rows.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a row can't be used; `INVALID_ARGUMENT` if no precision is asked for.
    pub fn build<'a>(rows: MatrixView<'a>, params: &BuildParams, progress: Progress<'_>) -> Result<Built<'a>> {
        rows::check_precisions(IndexType::Flat, &params.precisions)?;
        let stored = query::stored_form(rows, params.metric)?;
        let (steps, done) = (rows.rows() * params.precisions.len(), AtomicUsize::new(0));
        let mut sections = Sections::default();
        let done = |n| progress(done.fetch_add(n, Ordering::Relaxed) + n, steps);
        rows::build(stored, rows.dimension(), None, params, &mut sections, &done)?;
        Ok(sections)
    }

    /// The index of these sections. Reads none of the rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn open(shape: &Shape, sections: &Sections<Blob>) -> Result<Self> {
        Ok(Flat { rows: Rows::open(shape, sections)?.needed()? })
    }

    /// Checks every number.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn verify(&self) -> Result<()> {
        self.rows.verify()
    }

    /// The rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}

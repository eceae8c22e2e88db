//! What indexes inside a Faiss file have in common.

use super::head::Head;
use crate::foreign::SearchParams;
use crate::words::{Bitmap, Error, Hit, Result, TopK};

/// What a search is given besides its query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The whole file.
    pub(super) file: &'a [u8],
    pub(super) params: &'a SearchParams,
    /// The rows that may be found, all if `None`.
    pub(super) allow: Option<&'a Bitmap>,
}

/// An index. Its rows are numbered from 0 in the order in which they lie in the file.
pub(super) trait Node: std::fmt::Debug + Send + Sync {
    /// Shape and metric.
    fn head(&self) -> &Head;

    /// What it is made of, much as Faiss's index factory writes it.
    fn describe(&self) -> String;

    /// The id of a row.
    fn label(&self, _file: &[u8], row: u32) -> i64 {
        i64::from(row)
    }

    /// The nearest rows, nearest first. The query has as many floats as the head says.
    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>>;

    /// Distances of single rows from a query, if the index can tell them.
    fn computer<'a>(&'a self, _file: &'a [u8], _query: &'a [f32]) -> Option<Box<dyn Computer + 'a>> {
        None
    }
}

/// Distances from one query.
pub(super) trait Computer {
    /// Internal distance of a row. Panics if there is no such row.
    fn distance(&mut self, row: u32) -> f32;
}

/// Compares every allowed row.
pub(super) fn compare_all(
    node: &(impl Node + ?Sized),
    context: &Context<'_>,
    query: &[f32],
    limit: usize,
) -> Result<Vec<Hit>> {
    let Some(mut computer) = node.computer(context.file, query) else {
        return Err(Error::argument(format!("{} can't compare single rows", node.describe())));
    };
    let count = node.head().count;
    let mut top = TopK::new(limit, count);
    let mut offer = |row: usize| {
        let distance = computer.distance(row as u32);
        // As in Faiss, what has no distance is never found.
        if !distance.is_nan() {
            top.push(Hit { row: row as u32, distance });
        }
    };
    match context.allow {
        None => (0..count).for_each(&mut offer),
        Some(allow) => allow.iter().take_while(|&row| row < count).for_each(&mut offer),
    }
    Ok(top.into_sorted())
}

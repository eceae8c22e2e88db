//! What indexes inside a Faiss file have in common.

use super::head::Head;
use crate::foreign::SearchParams;
use crate::foreign::library::{Groups, not_kept};
use crate::foreign::reader::Reader;
use crate::index::Structure;
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

impl Context<'_> {
    /// Whether a search may find the row.
    #[inline]
    pub(super) fn allows(&self, row: u32) -> bool {
        self.allow.is_none_or(|allow| allow.contains(row as usize))
    }
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
    fn computer<'a>(&'a self, _file: &'a [u8], _query: &[f32]) -> Option<Box<dyn Computer + 'a>> {
        None
    }

    /// The lists that the rows lie in, or the levels of their graph.
    fn groups(&self, _file: &[u8]) -> Option<Groups> {
        None
    }

    /// How the rows are arranged, if an index over their decoded vectors that keeps it answers alike.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, with why none does.
    fn structure(&self, _file: &[u8]) -> Result<Structure> {
        Err(not_kept(format!("it has no place for what a {} is", self.describe())))
    }

    /// Writes the vector of a row to `out`, as it is or as near as the codes say; false if the index
    /// can't tell. Panics if there is no such row.
    fn decode(&self, _file: &[u8], _row: u32, _out: &mut [f32]) -> bool {
        false
    }
}

/// Distances from one query.
pub(super) trait Computer {
    /// Internal distance of a row. Panics if there is no such row.
    fn distance(&mut self, row: u32) -> f32;
}

/// Refuses an index whose labels don't number `count` things from 0.
pub(super) fn check_labels(node: &dyn Node, reader: &Reader<'_>, count: usize) -> Result<()> {
    let within = |row| usize::try_from(node.label(reader.file(), row)).is_ok_and(|label| label < count);
    match (0..node.head().count as u32).find(|&row| !within(row)) {
        Some(row) => {
            let label = node.label(reader.file(), row);
            Err(reader.corrupt(format!("row {row} with the number {label} of {count}")))
        }
        None => Ok(()),
    }
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

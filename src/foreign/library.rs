//! What the readers have in common.

use super::{Measure, Query, SearchParams};
use crate::index::Structure;
use crate::words::{Bitmap, Code, Error, Hit, Result};

/// What the rows of an index lie in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// Lists.
    Lists {
        /// How many there are.
        count: usize,
        /// How many rows those have that aren't empty, from the smallest up.
        sizes: Vec<usize>,
    },
    /// Levels of a graph, from the lowest up: how many rows reach each.
    Levels(Vec<usize>),
}

impl Groups {
    /// Lists of these sizes, of `count` in all.
    pub(super) fn of_lists(count: usize, sizes: impl Iterator<Item = usize>) -> Self {
        let mut sizes: Vec<usize> = sizes.collect();
        sizes.sort_unstable();
        Groups::Lists { count, sizes }
    }

    /// Levels of a graph of `count` rows, of which some reach so many above the lowest.
    pub(super) fn of_levels(count: usize, top: usize, reach: impl Iterator<Item = usize>) -> Self {
        if count == 0 {
            return Groups::Levels(Vec::new());
        }
        // A level is a byte in most files, and never more.
        let mut levels = vec![0; top.min(u8::MAX.into()) + 1];
        levels[0] = count;
        for reached in reach {
            levels.iter_mut().skip(1).take(reached).for_each(|rows| *rows += 1);
        }
        Groups::Levels(levels)
    }
}

/// An index of another library, read and checked.
pub(super) trait Library: std::fmt::Debug + Send + Sync {
    /// What kind of index it is, in the library's own words.
    fn index_type(&self) -> String;

    /// Number of rows.
    fn count(&self) -> usize;

    /// Numbers (or bits) in a vector.
    fn dimension(&self) -> usize;

    /// Whether vectors, and so queries, are of bits.
    fn is_binary(&self) -> bool {
        false
    }

    /// How nearness is measured.
    fn measure(&self) -> Measure;

    /// What the library calls the row. Panics if there is no such row.
    fn id(&self, row: u32) -> i64 {
        i64::from(row)
    }

    /// Writes the vector of a row to `out`; says whether it could.
    fn vector(&self, row: u32, out: &mut [f32]) -> bool;

    /// The rows that a search may find, if it isn't all of them: others are marked as deleted, or were
    /// never there.
    fn alive(&self) -> Option<Bitmap> {
        None
    }

    /// What the rows lie in, if it is something that there are several of.
    fn groups(&self) -> Option<Groups> {
        None
    }

    /// How the rows are arranged, if an `.elanus` file can keep it so that it answers alike.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, with why it can't.
    fn structure(&self) -> Result<Structure>;

    /// The nearest of the allowed rows as the library finds them, nearest first. `params.limit` is
    /// at least 1 and `allow` speaks of as many rows as there are.
    fn search(&self, query: Query<'_>, params: &SearchParams, allow: Option<&Bitmap>) -> Result<Vec<Hit>>;
}

/// The number of candidates that a walk keeps.
///
/// # Errors
/// `INVALID_ARGUMENT` if it is 0.
pub(super) fn checked_ef(ef: Option<usize>, default: usize) -> Result<usize> {
    match ef {
        Some(0) => Err(Error::argument("ef is 0; keep at least one candidate")),
        Some(ef) => Ok(ef),
        None => Ok(default),
    }
}

/// Why an `.elanus` file can't keep an arrangement.
pub(super) fn not_kept(why: impl std::fmt::Display) -> Error {
    Error::new(Code::UnsupportedFormat, format!("an .elanus file can't answer as this index does: {why}"))
}

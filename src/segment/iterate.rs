//! Iterating: all hits of a request, some at a time, however many they are.

use super::request::{MAX_LIMIT, Request};
use super::sealed::{Scratch, Sealed};
use crate::words::{Bitmap, Error, Hit, Result};

/// Where an iteration has come to. Rows that were found are left out of the next search rather than
/// those that are nearer than the last: so a row that an approximate search had missed comes later
/// instead of never, and no row comes twice.
#[derive(Debug)]
pub struct Iteration {
    /// Rows that were found, and those that aren't there any more.
    found: Bitmap,
    /// Found, and not given out yet; the next one last.
    waiting: Vec<Hit>,
    /// How many the next search asks for. Twice as many each time, so that few searches go over
    /// all rows.
    ask: usize,
    left: usize,
    /// The index finds no more: what is left is compared row by row.
    rest: bool,
    ended: bool,
}

impl Iteration {
    /// An iteration over the hits of a request of this file, at most `limit` of them.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if the request has an offset or groups, or `deleted` isn't of this file.
    pub fn new(sealed: &Sealed, request: &Request<'_>, limit: Option<usize>) -> Result<Self> {
        if request.offset > 0 || request.group.is_some() {
            return Err(Error::argument(
                "an iteration has no offset and no groups; take what you need from what it gives",
            ));
        }
        let count = sealed.header().count as usize;
        let found = match request.deleted {
            Some(deleted) => {
                sealed.check_deleted(deleted)?;
                deleted.clone()
            }
            None => Bitmap::none(count),
        };
        Ok(Iteration {
            found,
            waiting: Vec::new(),
            ask: 0,
            left: limit.unwrap_or(usize::MAX),
            rest: false,
            ended: false,
        })
    }

    /// The next `request.limit` hits, nearest first; fewer only if there are no more, none at the
    /// end. The request must be the same each time, but for its limit.
    ///
    /// # Errors
    /// Those of [`Sealed::search`].
    pub fn next(&mut self, sealed: &Sealed, request: &Request<'_>, scratch: &mut Scratch) -> Result<Vec<Hit>> {
        let mut batch = Vec::new();
        let wanted = request.limit.min(self.left);
        while batch.len() < wanted {
            if self.waiting.is_empty() {
                if self.ended {
                    break;
                }
                self.ask = (2 * self.ask).max(wanted - batch.len()).min(MAX_LIMIT);
                let exact = request.exact || self.rest;
                let ask = Request { limit: self.ask, exact, deleted: Some(&self.found), ..request.clone() };
                self.waiting = sealed.search(&ask, scratch)?;
                self.waiting.iter().for_each(|hit| self.found.insert(hit.row as usize));
                self.waiting.reverse();
                if self.waiting.is_empty() {
                    self.ended = exact || sealed.index().rows().is_absent();
                    self.rest = true;
                }
                continue;
            }
            let rest = self.waiting.len().saturating_sub(wanted - batch.len());
            batch.extend(self.waiting.drain(rest..).rev());
        }
        self.left -= batch.len();
        Ok(batch)
    }
}

//! Indexes that stand before another one.
//!
//! `IndexIDMap`, `IndexIDMap2`, and those of binary indexes: the head, the index inside, and an array of i64 with the id of each
//! of its rows.

use super::head::Head;
use super::node::{Computer, Context, Node, check_labels};
use super::read;
use crate::foreign::library::Groups;
use crate::foreign::reader::{Reader, Span, i64_at};
use crate::index::Structure;
use crate::words::{Hit, Result};

/// Ids for the rows of the index inside.
#[derive(Debug)]
pub(super) struct IdMap {
    head: Head,
    inner: Box<dyn Node>,
    ids: Span,
    name: &'static str,
}

impl IdMap {
    pub(super) fn read(reader: &mut Reader<'_>, tag: &[u8; 4], depth: usize) -> Result<Self> {
        let head = if tag.starts_with(b"IB") { Head::read_binary(reader)? } else { Head::read(reader)? };
        let inner = read(reader, depth + 1)?;
        let count = reader.size()?;
        let ids = reader.spans(count, 8)?;
        if count != head.count || *inner.head() != head {
            return Err(reader.corrupt(format!(
                "{count} ids of {} vectors before an index of {} vectors",
                head.count,
                inner.head().count
            )));
        }
        check_labels(&*inner, reader, count)?;
        let name = if tag.ends_with(b"2") { "IDMap2" } else { "IDMap" };
        Ok(IdMap { head, inner, ids, name })
    }
}

impl Node for IdMap {
    fn head(&self) -> &Head {
        &self.head
    }

    fn describe(&self) -> String {
        format!("{},{}", self.name, self.inner.describe())
    }

    fn groups(&self, file: &[u8]) -> Option<Groups> {
        self.inner.groups(file)
    }

    fn label(&self, file: &[u8], row: u32) -> i64 {
        i64_at(self.ids.bytes(file), 8 * self.inner.label(file, row) as usize)
    }

    fn search(&self, context: &Context<'_>, query: &[f32], limit: usize) -> Result<Vec<Hit>> {
        self.inner.search(context, query, limit)
    }

    fn computer<'a>(&'a self, file: &'a [u8], query: &[f32]) -> Option<Box<dyn Computer + 'a>> {
        self.inner.computer(file, query)
    }

    fn structure(&self, file: &[u8]) -> Result<Structure> {
        self.inner.structure(file)
    }

    fn decode(&self, file: &[u8], row: u32, out: &mut [f32]) -> bool {
        self.inner.decode(file, row, out)
    }
}

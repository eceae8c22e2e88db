//! Inverted lists: for each list some codes and the ids of their vectors.
//!
//! `ilar` (`ArrayInvertedLists`):
//!
//! ```text
//! lists       u64
//! code size   u64
//! "full", an array of u64: how long each list is;
//!   or "sprs", an array of u64: pairs of a list and how long it is, for those that aren't empty
//! then, list by list: its codes, and its ids as i64
//! ```

use super::kinds::unsupported;
use crate::foreign::library::Groups;
use crate::foreign::reader::{Reader, Span, i64_at};
use crate::words::Result;

/// One list that isn't empty.
#[derive(Debug, Clone, Copy)]
struct List {
    number: u32,
    /// The row that its first code has; rows are numbered list by list.
    first: u32,
    /// Where its codes start. Its ids lie right behind them.
    start: usize,
}

/// The lists of a file. Empty ones take no memory, whatever number of them a file claims.
#[derive(Debug)]
pub(super) struct Lists {
    lists: Vec<List>,
    rows: u32,
    code_bytes: usize,
}

/// What one list holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries<'a> {
    /// The row of the first code.
    pub(super) first: u32,
    /// The codes, one after the other.
    pub(super) codes: &'a [u8],
    /// How many there are.
    pub(super) len: usize,
}

impl Lists {
    /// The next lists, `count` of them with `rows` codes of `code_bytes` bytes in all. `floats` says
    /// that codes are f32, which are to be aligned.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        count: usize,
        rows: usize,
        code_bytes: usize,
        floats: bool,
    ) -> Result<Self> {
        let tag = reader.tag()?;
        match &tag {
            b"ilar" => {}
            b"il00" => return Err(unsupported("an IVF index without its inverted lists")),
            b"ilod" => return Err(unsupported("an IVF index whose inverted lists lie in another file (OnDisk)")),
            b"ilpn" | b"ilp2" => return Err(unsupported("inverted lists of ArrayInvertedListsPanorama")),
            b"ilbl" => return Err(unsupported("inverted lists in blocks in an index that has none")),
            other => {
                return Err(reader.corrupt(format!("inverted lists of a kind {:?}", other.escape_ascii().to_string())));
            }
        }
        let (stated, stated_bytes) = (reader.size()?, reader.size()?);
        if stated != count || stated_bytes != code_bytes {
            return Err(reader.corrupt(format!(
                "{stated} lists of codes of {stated_bytes} bytes where {count} of {code_bytes} were expected"
            )));
        }
        let sparse = match &reader.tag()? {
            b"full" => false,
            b"sprs" => true,
            other => return Err(reader.corrupt(format!("list sizes {:?}", other.escape_ascii().to_string()))),
        };
        let numbers = reader.size()?;
        let sizes = reader.spans(numbers, 8)?;
        if (!sparse && numbers != count) || (sparse && !numbers.is_multiple_of(2)) {
            return Err(reader.corrupt(format!("{numbers} sizes for {count} lists")));
        }
        let size = |i: usize| i64_at(sizes.bytes(reader.file()), 8 * i) as u64;
        let pair = |i: usize| if sparse { (size(2 * i), size(2 * i + 1)) } else { (i as u64, size(i)) };
        let pairs = if sparse { numbers / 2 } else { numbers };
        let (mut total, mut filled, mut least) = (0u64, 0, 0);
        for (number, len) in (0..pairs).map(pair) {
            let known = number >= least && number < count.min(u32::MAX as usize) as u64;
            if !known || len > rows as u64 {
                return Err(reader.corrupt(format!("list {number} of {count} with {len} of {rows} codes")));
            }
            least = number + 1;
            total = total.saturating_add(len);
            filled += usize::from(len > 0);
        }
        if total != rows as u64 {
            return Err(reader.corrupt(format!("lists of {total} codes for {rows} vectors")));
        }
        let Some(bytes) = rows.checked_mul(code_bytes + 8).filter(|&bytes| bytes <= reader.remaining()) else {
            return Err(reader.corrupt(format!("{rows} codes of {code_bytes} bytes, which aren't there")));
        };
        // Each list that isn't empty has at least an id in the file: this can't be larger than it.
        let mut lists = Vec::with_capacity(filled);
        let (mut first, mut start) = (0, 0);
        for (number, len) in (0..pairs).map(pair).filter(|&(_, len)| len > 0) {
            lists.push(List { number: number as u32, first, start });
            first += len as u32;
            start += len as usize * (code_bytes + 8);
        }
        // The sizes aren't needed any more: what is aligned may move over the last of them.
        let codes = if floats { reader.aligned::<f32>(bytes)? } else { reader.span(bytes)? };
        lists.iter_mut().for_each(|list| list.start += codes.start);
        Ok(Lists { lists, rows: first, code_bytes })
    }

    /// The list of this number; `None` if it is empty.
    pub(super) fn get<'a>(&self, file: &'a [u8], number: u32) -> Option<Entries<'a>> {
        let at = self.lists.binary_search_by_key(&number, |list| list.number).ok()?;
        let (list, len) = (self.lists[at], self.len(at));
        let codes = Span { start: list.start, len: len * self.code_bytes };
        Some(Entries { first: list.first, codes: codes.bytes(file), len })
    }

    /// What the lists hold, of `count` in all.
    pub(super) fn groups(&self, count: usize) -> Groups {
        Groups::of_lists(count, (0..self.lists.len()).map(|at| self.len(at)))
    }

    fn len(&self, at: usize) -> usize {
        (self.lists.get(at + 1).map_or(self.rows, |next| next.first) - self.lists[at].first) as usize
    }

    fn find(&self, row: u32) -> usize {
        self.lists.partition_point(|list| list.first <= row) - 1
    }

    /// The id of a row. Panics if there is no such row.
    pub(super) fn id(&self, file: &[u8], row: u32) -> i64 {
        let at = self.find(row);
        let list = self.lists[at];
        let ids = list.start + self.len(at) * self.code_bytes;
        i64_at(file, ids + 8 * (row - list.first) as usize)
    }

    /// The list and the code of a row. Panics if there is no such row.
    pub(super) fn code<'a>(&self, file: &'a [u8], row: u32) -> (u32, &'a [u8]) {
        let list = self.lists[self.find(row)];
        let codes = Span { start: list.start, len: 0 };
        let at = Span { len: self.code_bytes, ..codes.part((row - list.first) as usize, self.code_bytes) };
        (list.number, at.bytes(file))
    }
}

//! Codes of 4 bits in blocks, as Faiss's FastScan keeps them, and inverted lists of such blocks.
//!
//! A block holds `rows` vectors (a multiple of 32). Part by part, two parts at a time, each 32
//! vectors have 32 bytes: 16 for the first part, 16 for the second. In each 16, byte j holds vector
//! `j / 2 + 8 · (j mod 2)` in its low half and the one 16 further in its high half. Bytes of other
//! use may follow in a block.
//!
//! `ilbl` (`BlockInvertedLists`):
//!
//! ```text
//! lists       u64
//! code size   u64, of no meaning
//! rows        u64, of a block
//! block size  u64, bytes
//! list by list: the ids as an array of i64, and the blocks as an array of bytes
//! ```

use super::kinds::unsupported;
use crate::distance::{self, PART_BYTES, PART_ROWS, PartTables};
use crate::foreign::library::Groups;
use crate::foreign::reader::{Reader, Span, i64_at};
use crate::words::Result;

/// Rows whose codes stand together.
pub(super) const GROUP: usize = PART_ROWS;

/// The shape of blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Vectors of a block.
    pub(super) rows: usize,
    /// Parts of a vector, rounded up to a multiple of two.
    pub(super) parts: usize,
    /// Bytes of a block.
    pub(super) bytes: usize,
}

impl Shape {
    /// Blocks of `rows` vectors of at least `least` parts, with `more` bytes behind a vector's codes.
    pub(super) fn new(reader: &Reader<'_>, rows: i32, parts: usize, least: usize, more: usize) -> Result<Self> {
        let rows = usize::try_from(rows).unwrap_or(0);
        let fits = rows > 0 && rows.is_multiple_of(GROUP) && rows <= 1 << 16;
        if !fits || parts != least.next_multiple_of(2) {
            return Err(
                reader.corrupt(format!("blocks of {rows} vectors of {parts} parts where {least} were expected"))
            );
        }
        match (parts / 2).checked_add(more).and_then(|bytes| bytes.checked_mul(rows)) {
            Some(bytes) => Ok(Shape { rows, parts, bytes }),
            None => Err(reader.corrupt(format!("blocks of {rows} vectors of {parts} parts and {more} bytes"))),
        }
    }

    /// Bytes that so many vectors take.
    pub(super) fn bytes_of(&self, count: usize) -> Option<usize> {
        count.div_ceil(self.rows).checked_mul(self.bytes)
    }

    /// Bytes of a table of 16 for each part.
    pub(super) fn table_bytes(&self) -> usize {
        PART_BYTES * self.parts
    }

    /// What lies behind the codes of vector `row` in its block.
    pub(super) fn behind<'a>(&self, blocks: &'a [u8], row: usize) -> &'a [u8] {
        let codes = self.parts / 2;
        let more = self.bytes / self.rows - codes;
        let start = row / self.rows * self.bytes + codes * self.rows + row % self.rows * more;
        &blocks[start..start + more]
    }

    /// Part `part` of vector `row` of these blocks.
    pub(super) fn number(&self, blocks: &[u8], row: usize, part: usize) -> u8 {
        let (block, row) = (row / self.rows, row % self.rows);
        let (group, row) = (row / GROUP, row % GROUP);
        let at = block * self.bytes + part / 2 * self.rows + group * GROUP + part % 2 * 16;
        let byte = blocks[at + 2 * (row % 8) + row % 16 / 8];
        if row < 16 { byte & 15 } else { byte >> 4 }
    }

    /// For the group of 32 vectors that starts with `row`, the sums of what `tables` has for each vector's
    /// parts. `codes` is room for codes that don't stand together.
    #[inline]
    pub(super) fn sums(&self, blocks: &[u8], row: usize, tables: &PartTables, codes: &mut Vec<u8>) -> [u16; GROUP] {
        let (block, group) = (row / self.rows, row % self.rows / GROUP);
        let start = block * self.bytes + group * GROUP;
        if self.rows == GROUP {
            return distance::part_sums(&blocks[start..start + self.table_bytes()], tables);
        }
        codes.clear();
        for pair in 0..self.parts / 2 {
            codes.extend_from_slice(&blocks[start + pair * self.rows..][..GROUP]);
        }
        distance::part_sums(codes, tables)
    }
}

/// One list that isn't empty.
#[derive(Debug, Clone, Copy)]
struct List {
    number: u32,
    /// The row of its first vector; rows are numbered list by list.
    first: u32,
    ids: usize,
    blocks: Span,
}

/// Inverted lists of blocks.
#[derive(Debug)]
pub(super) struct BlockLists {
    lists: Vec<List>,
    rows: u32,
}

/// What one list holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries<'a> {
    pub(super) first: u32,
    pub(super) blocks: &'a [u8],
    pub(super) len: usize,
}

impl BlockLists {
    /// The next lists, `count` of them with `rows` vectors in all.
    pub(super) fn read(reader: &mut Reader<'_>, count: usize, rows: usize, shape: &Shape) -> Result<Self> {
        let tag = reader.tag()?;
        match &tag {
            b"ilbl" => {}
            b"il00" => return Err(unsupported("an IVF index without its inverted lists")),
            other => return Err(reader.corrupt(format!("lists of a kind {:?}", other.escape_ascii().to_string()))),
        }
        let stated = reader.size()?;
        reader.span(8)?;
        let (block_rows, block_bytes) = (reader.size()?, reader.size()?);
        if (stated, block_rows, block_bytes) != (count, shape.rows, shape.bytes) || u32::try_from(count).is_err() {
            return Err(reader.corrupt(format!(
                "{stated} lists of blocks of {block_rows} vectors in {block_bytes} bytes where {count}, {} and {} were \
                 expected",
                shape.rows, shape.bytes
            )));
        }
        let (mut lists, mut first) = (Vec::new(), 0usize);
        for number in 0..count {
            let len = reader.size()?;
            let ids = reader.spans(len, 8)?;
            let blocks = reader.numbers::<u8>()?;
            if Some(blocks.len) != shape.bytes_of(len) || len > rows - first {
                return Err(reader.corrupt(format!("list {number} of {len} vectors in {} bytes", blocks.len)));
            }
            if len > 0 {
                lists.push(List { number: number as u32, first: first as u32, ids: ids.start, blocks });
                first += len;
            }
        }
        if first != rows {
            return Err(reader.corrupt(format!("lists of {first} codes for {rows} vectors")));
        }
        Ok(BlockLists { lists, rows: rows as u32 })
    }

    /// The list of this number; `None` if it is empty.
    pub(super) fn get<'a>(&self, file: &'a [u8], number: u32) -> Option<Entries<'a>> {
        let at = self.lists.binary_search_by_key(&number, |list| list.number).ok()?;
        let list = self.lists[at];
        let end = self.lists.get(at + 1).map_or(self.rows, |next| next.first);
        Some(Entries { first: list.first, blocks: list.blocks.bytes(file), len: (end - list.first) as usize })
    }

    /// What the lists hold, of `count` in all.
    pub(super) fn groups(&self, count: usize) -> Groups {
        let ends = self.lists.iter().skip(1).map(|next| next.first).chain([self.rows]);
        Groups::of_lists(count, self.lists.iter().zip(ends).map(|(list, end)| (end - list.first) as usize))
    }

    /// The id of a row. Panics if there is no such row.
    pub(super) fn id(&self, file: &[u8], row: u32) -> i64 {
        let list = self.lists[self.lists.partition_point(|list| list.first <= row) - 1];
        i64_at(file, list.ids + 8 * (row - list.first) as usize)
    }

    /// The list of a row, its blocks, and the row's place in it. Panics if there is no such row.
    pub(super) fn place<'a>(&self, file: &'a [u8], row: u32) -> (u32, &'a [u8], usize) {
        let list = self.lists[self.lists.partition_point(|list| list.first <= row) - 1];
        (list.number, list.blocks.bytes(file), (row - list.first) as usize)
    }
}

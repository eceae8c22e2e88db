//! Posting lists: which rows have a term or a dimension, and how much of it.
//!
//! Rows are taken in blocks of [`BLOCK`]. A list is its number of postings, for weights also its
//! largest weight, and then an entry for each block that has one of its rows: how many blocks were
//! passed over, a bound on what the block's postings are worth, the rows, the values. So a search
//! can walk over a list and learn what each block is worth at most without decoding any of them.
//! `docs/format.md` gives the bytes.

use super::bm25::Bm25;
use crate::words::{Cursor, Error, Result, order};

/// Rows of a block.
pub const BLOCK: usize = 128;

/// From this many rows on, a block's rows are a bitmap and not a list of their places.
const BITMAP_ROWS: usize = BLOCK / 8;

/// No weight, of a row or of a query, is larger: then products and their sums are finite.
pub const MAX_WEIGHT: f32 = 1e15;

/// A term is in a text at most this often: such numbers are exact as floats.
pub const MAX_COUNT: f32 = 16_777_216.0;

/// What the postings of a list hold, and what one of them is worth.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// A weight a posting, worth itself.
    Weights,
    /// How often a term is in a text, worth what BM25 makes of it.
    Counts(&'a Bm25),
}

impl Values<'_> {
    /// What a posting is worth to a query of weight 1.
    #[inline]
    pub fn worth(&self, value: f32, row: usize) -> f32 {
        match self {
            Values::Weights => value,
            Values::Counts(bm25) => bm25.worth(value, row),
        }
    }
}

/// One block of a list.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Which block of rows.
    pub block: u32,
    /// Nothing in it is worth more.
    pub bound: f32,
    /// Where in the list its postings start.
    at: u32,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// One posting: its place in the block and its value.
    One(u8, f32),
    /// Two or more: places, then values of so many bytes; 0 if all are 1.
    Many { count: u8, width: u8 },
}

fn damaged(what: &str) -> Error {
    Error::corrupt(format!("a posting list {what}; the file is damaged"))
}

/// The smallest eighth-bit fraction of `of` that isn't below `worth`, as its numerator.
fn bound_code(worth: f32, of: f32) -> u8 {
    (0..=u8::MAX).find(|&code| bound_value(code, of) >= worth).unwrap_or(u8::MAX)
}

fn bound_value(code: u8, of: f32) -> f32 {
    of * (f32::from(code) / 255.0)
}

pub(super) fn varint(c: &mut Cursor<'_>) -> Result<u32> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = c.u8()?;
        let part = u32::from(byte & 0x7F);
        if shift == 28 && part > 0xF {
            break;
        }
        value |= part << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(damaged("holds a number of more than 32 bits"))
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A list, walked from its first entry on.
pub struct Walk<'a> {
    cursor: Cursor<'a>,
    values: Values<'a>,
    rows: usize,
    /// Postings that the list says it has.
    postings: u32,
    /// What bounds are fractions of.
    most: f32,
    next_block: u32,
}

impl<'a> Walk<'a> {
    /// The list in these bytes, over so many rows.
    ///
    /// # Errors
    /// `CORRUPT_FILE`.
    pub fn new(list: &'a [u8], values: Values<'a>, rows: usize) -> Result<Self> {
        if u32::try_from(list.len()).is_err() {
            return Err(damaged("has more than 4 GiB"));
        }
        let mut cursor = Cursor::new(list, "a posting list");
        let postings = varint(&mut cursor)?;
        let most = match values {
            Values::Weights => cursor.f32()?,
            Values::Counts(bm25) => bm25.most(),
        };
        if postings as usize > rows || !(most.is_finite() && most >= 0.0) {
            return Err(damaged("states more postings than there are rows, or a weight that is none"));
        }
        Ok(Walk { cursor, values, rows, postings, most, next_block: 0 })
    }

    /// How many postings the list says it has.
    pub fn postings(&self) -> u32 {
        self.postings
    }

    /// Nothing in the list is worth more.
    pub fn most(&self) -> f32 {
        self.most
    }

    /// The next entry; none at the end of the list.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if the list ends within it or it lies past the last row.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Entry>> {
        let c = &mut self.cursor;
        if c.remaining() == 0 {
            return Ok(None);
        }
        let head = varint(c)?;
        let block = self.next_block.checked_add(head >> 2).ok_or_else(|| damaged("passes over too many blocks"))?;
        let first = block as usize * BLOCK;
        if first >= self.rows {
            return Err(damaged("goes on past the last row"));
        }
        self.next_block = block + 1;
        let rows = (self.rows - first).min(BLOCK);
        if head & 2 == 0 {
            let place = c.u8()?;
            if place as usize >= rows {
                return Err(damaged("has a row past the last one"));
            }
            let value = match (self.values, head & 1) {
                (Values::Weights, 0) => c.f32()?,
                (Values::Counts(_), 0) => 1.0,
                (Values::Counts(_), _) => varint(c)? as f32,
                (Values::Weights, _) => return Err(damaged("has an entry of an unknown form")),
            };
            let bound = self.values.worth(value, first + place as usize);
            return Ok(Some(Entry { block, bound, at: 0, form: Form::One(place, value) }));
        }
        let count = c.u8()? as usize + 1;
        let bound = bound_value(c.u8()?, self.most);
        let width = match (self.values, head & 1) {
            (Values::Weights, 0) => 4,
            (Values::Counts(_), 0) => 0,
            (Values::Counts(_), _) => c.u8()?,
            (Values::Weights, _) => 3,
        };
        if count > rows || !matches!(width, 0 | 1 | 2 | 4) {
            return Err(damaged("has an entry of more rows than a block, or of an unknown form"));
        }
        let at = c.position() as u32;
        let places = if count < BITMAP_ROWS { count } else { BLOCK / 8 };
        c.take(places + count * width as usize)?;
        Ok(Some(Entry { block, bound, at, form: Form::Many { count: count as u8, width } }))
    }
}

impl Entry {
    /// Gives the place in the block and the value of each posting to `f`. `list` is the one that the
    /// entry was read from. In a file that was verified places ascend; in another they may not, and
    /// may pass the last row, but never the block.
    #[inline]
    pub fn for_each(&self, list: &[u8], mut f: impl FnMut(usize, f32)) {
        let (count, width) = match self.form {
            Form::One(place, value) => return f(place as usize, value),
            Form::Many { count, width } => (count as usize, width as usize),
        };
        let bytes = list.get(self.at as usize..).unwrap_or_default();
        let is_bitmap = count >= BITMAP_ROWS;
        let (places, values) = bytes.split_at(bytes.len().min(if is_bitmap { BLOCK / 8 } else { count }));
        match width {
            0 => each_place(places, is_bitmap, |_, place| f(place, 1.0)),
            1 => each_place(places, is_bitmap, |i, place| f(place, values.get(i).map_or(0.0, |&b| f32::from(b)))),
            2 => each_place(places, is_bitmap, |i, place| {
                f(place, values.as_chunks().0.get(i).map_or(0.0, |&b| f32::from(u16::from_le_bytes(b))))
            }),
            _ => each_place(places, is_bitmap, |i, place| {
                f(place, values.as_chunks().0.get(i).map_or(0.0, |&b| f32::from_le_bytes(b)))
            }),
        }
    }
}

/// Gives the number and the place of each posting of a block to `f`.
#[inline]
fn each_place(places: &[u8], is_bitmap: bool, mut f: impl FnMut(usize, usize)) {
    if !is_bitmap {
        return places.iter().enumerate().for_each(|(i, &place)| f(i, place as usize % BLOCK));
    }
    let mut i = 0;
    for (byte, &bits) in places.iter().enumerate() {
        let mut rest = bits;
        while rest != 0 {
            f(i, byte * 8 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
            i += 1;
        }
    }
}

/// Writes the list of these postings, rows ascending, to the end of `out`.
pub(super) fn write(postings: &[(u32, f32)], values: Values<'_>, out: &mut Vec<u8>) {
    put_varint(out, postings.len() as u32);
    let most = match values {
        Values::Weights => {
            let most = postings.iter().fold(0.0, |most: f32, &(_, weight)| most.max(weight));
            out.extend(most.to_le_bytes());
            most
        }
        Values::Counts(bm25) => bm25.most(),
    };
    let block_of = |row: u32| row / BLOCK as u32;
    let mut next_block = 0;
    for run in postings.chunk_by(|a, b| block_of(a.0) == block_of(b.0)) {
        let block = block_of(run[0].0);
        let gap = (block - next_block) << 2;
        next_block = block + 1;
        let place = |row: u32| (row % BLOCK as u32) as u8;
        if let &[(row, value)] = run {
            match values {
                Values::Weights => {
                    put_varint(out, gap);
                    out.push(place(row));
                    out.extend(value.to_le_bytes());
                }
                Values::Counts(_) => {
                    put_varint(out, gap | u32::from(value != 1.0));
                    out.push(place(row));
                    if value != 1.0 {
                        put_varint(out, value as u32);
                    }
                }
            }
            continue;
        }
        let width = width_of(run, values);
        let worth = run.iter().fold(0.0, |most: f32, &(row, value)| most.max(values.worth(value, row as usize)));
        put_varint(out, gap | 2 | u32::from(matches!(values, Values::Counts(_)) && width > 0));
        out.extend([(run.len() - 1) as u8, bound_code(worth, most)]);
        if matches!(values, Values::Counts(_)) && width > 0 {
            out.push(width);
        }
        if run.len() < BITMAP_ROWS {
            out.extend(run.iter().map(|&(row, _)| place(row)));
        } else {
            let mut bits = [0u8; BLOCK / 8];
            run.iter().for_each(|&(row, _)| bits[place(row) as usize / 8] |= 1 << (row % 8));
            out.extend(bits);
        }
        for &(_, value) in run {
            match width {
                0 => {}
                1 => out.push(value as u8),
                2 => out.extend((value as u16).to_le_bytes()),
                _ => out.extend(value.to_le_bytes()),
            }
        }
    }
}

/// Gives postings the places that their rows have in another order, of which the first is row `order[0]`.
pub(super) fn reorder<'a>(lists: impl Iterator<Item = &'a mut Vec<(u32, f32)>>, order: &[u32]) {
    let places = order::inverse(order);
    for list in lists {
        *list = sorted_pairs(list.iter().map(|&(row, value)| (places[row as usize], value)));
    }
}

/// Numbers with values, ascending by number.
pub(super) fn sorted_pairs(pairs: impl Iterator<Item = (u32, f32)>) -> Vec<(u32, f32)> {
    let mut keys: Vec<u64> = pairs.map(|(n, value)| u64::from(n) << 32 | u64::from(value.to_bits())).collect();
    order::sort(&mut keys);
    keys.into_iter().map(|key| ((key >> 32) as u32, f32::from_bits(key as u32))).collect()
}

/// Bytes of a value, the fewest that hold all of them.
fn width_of(run: &[(u32, f32)], values: Values<'_>) -> u8 {
    match (values, run.iter().fold(0.0, |most: f32, &(_, value)| most.max(value))) {
        (Values::Weights, _) => 4,
        (_, most) if most <= 1.0 => 0,
        (_, most) if most <= f32::from(u8::MAX) => 1,
        (_, most) if most <= f32::from(u16::MAX) => 2,
        _ => 4,
    }
}

/// Checks every number of a list, and gives row and value of each posting to `seen`.
///
/// # Errors
/// `CORRUPT_FILE`.
pub fn verify(list: &[u8], values: Values<'_>, rows: usize, mut seen: impl FnMut(usize, f32)) -> Result<()> {
    let mut walk = Walk::new(list, values, rows)?;
    let mut postings = Vec::new();
    while let Some(entry) = walk.next()? {
        entry.for_each(list, |place, value| {
            let row = entry.block as usize * BLOCK + place;
            postings.push((row as u32, value));
        });
    }
    let is_value = |value: f32| match values {
        Values::Weights => value > 0.0 && value <= MAX_WEIGHT,
        Values::Counts(_) => (1.0..=MAX_COUNT).contains(&value) && value.fract() == 0.0,
    };
    if postings.is_empty()
        || postings.windows(2).any(|pair| pair[0].0 >= pair[1].0)
        || postings.iter().any(|&(row, value)| row as usize >= rows || !is_value(value))
    {
        return Err(damaged("has rows that don't ascend or don't exist, or values that can't be"));
    }
    // There is one right way to write a list.
    let mut again = Vec::with_capacity(list.len());
    write(&postings, values, &mut again);
    if again != list {
        return Err(damaged("isn't written as its postings are to be, or its bounds are wrong"));
    }
    postings.into_iter().for_each(|(row, value)| seen(row as usize, value));
    Ok(())
}

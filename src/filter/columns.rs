//! The columns section of an index file: one typed column a field, read in place.
//!
//! Little-endian; every offset counts from the start of the section and is a multiple of 8, and the
//! bytes between blocks are 0.
//!
//! ```text
//!  0  u32  columns, at most 1,024
//!  4  u32  0
//!  8  u64  rows
//! 16       one entry of 64 bytes a column:
//!      0  u8   type: 0 Bool, 1 Int64, 2 Double, 3 VarChar
//!      1  u8   bytes a code: 1, 2 or 4 for VarChar, else 0
//!      2  u16  1 if there is a validity block, else 0
//!      4  u32  bytes of the name
//!      8  u64  offset of the name, UTF-8: [A-Za-z_][A-Za-z0-9_]*, at most 255 bytes, unique
//!     16  u64  offset of the validity block, or 0
//!     24  u64  offset of the values
//!     32  u64  distinct texts (VarChar, else 0)
//!     40  u64  offset of the text ends (VarChar, else 0)
//!     48  u64  offset of the texts (VarChar, else 0)
//!     56  u64  bytes of the texts (VarChar, else 0)
//! ```
//!
//! - validity: ⌈rows / 64⌉ u64, lowest bit first, 1 where the row has a value; bits past the rows are 0.
//! - values of Bool: bits in the same layout. Int64: `rows` i64. Double: `rows` finite f64. VarChar:
//!   `rows` unsigned codes, each a position in the column's dictionary. A null's value is 0.
//! - dictionary of a VarChar: the distinct texts, ascending bytewise, one after the other, with one
//!   u32 a text that says where it ends.
//!
//! Sorted distinct texts make every comparison a range of codes, and `like` runs once a text rather
//! than once a row: with few distinct texts (a part of speech) a filter costs a byte compare a row.

use super::value::{FieldType, Value};
use crate::words::bytes::Number;
use crate::words::say::quoted;
use crate::words::{Blob, Cursor, Error, Result};
use std::ops::Range;

/// Bytes before the first entry.
pub(super) const HEAD: usize = 16;
/// Bytes of an entry.
pub(super) const ENTRY: usize = 64;
/// The longest field name.
pub(super) const MAX_NAME: usize = 255;
/// The most fields. Far more than anybody filters by, and few enough that a forged directory costs nothing.
pub(super) const MAX_COLUMNS: usize = 1024;

/// The typed fields of an index's rows.
#[derive(Debug, Clone)]
pub struct Columns {
    columns: Vec<Column>,
    rows: usize,
}

/// One field.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    rows: usize,
    validity: Option<Blob>,
    data: Data,
}

#[derive(Debug, Clone)]
pub(super) enum Data {
    Bool(Blob),
    Int64(Blob),
    Double(Blob),
    VarChar(Texts),
}

/// Codes of the rows, and the sorted distinct texts that they stand for.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    codes: Blob,
    code_bytes: u8,
    ends: Blob,
    text: Blob,
}

/// The rows' codes at the width that they are stored in.
pub(super) enum Codes<'a> {
    One(&'a [u8]),
    Two(&'a [u16]),
    Four(&'a [u32]),
}

impl Columns {
    /// Reads the directory of a columns section for `rows` rows, and checks that every block lies
    /// inside it: as many steps as there are columns, however many rows. [`Self::verify`] looks at
    /// the blocks themselves; without it a damaged section gives wrong rows, but no panic.
    ///
    /// # Errors
    /// `CORRUPT_FILE`, or `UNSUPPORTED_FORMAT` for a field type of a later version.
    pub fn open(section: Blob, rows: usize) -> Result<Self> {
        let mut cursor = Cursor::new(&section, "the columns section");
        let count = cursor.u32()? as usize;
        if cursor.u32()? != 0 {
            return Err(Error::corrupt("a reserved field of the columns section is not 0; the file is damaged"));
        }
        let stated = cursor.u64()?;
        if stated != rows as u64 {
            return Err(Error::corrupt(format!(
                "the columns section holds {stated} rows, but the index holds {rows}; the file is damaged"
            )));
        }
        let room = (cursor.remaining() / ENTRY).min(MAX_COLUMNS);
        if count > room {
            return Err(Error::corrupt(format!(
                "the columns section states {count} columns, but has room for {room}; the file is truncated or damaged"
            )));
        }
        let mut columns: Vec<Column> = Vec::with_capacity(count);
        for _ in 0..count {
            let column = Column::open(&section, &mut cursor, rows)?;
            if columns.iter().any(|other| other.name == column.name) {
                return Err(Error::corrupt(format!(
                    "two columns are named {}; the file is damaged",
                    quoted(&column.name)
                )));
            }
            columns.push(column);
        }
        Ok(Columns { columns, rows })
    }

    /// A set of columns without any, for a file that has no columns section.
    pub fn empty(rows: usize) -> Self {
        Columns { columns: Vec::new(), rows }
    }

    /// Looks at every value: codes inside their dictionary, texts UTF-8 and ascending, floats
    /// finite, nulls and unused bits 0.
    ///
    /// # Errors
    /// `CORRUPT_FILE`, with the field.
    pub fn verify(&self) -> Result<()> {
        self.columns.iter().try_for_each(Column::verify)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The fields, in the order of the file.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, FieldType)> {
        self.columns.iter().map(|c| (c.name.as_str(), c.field_type()))
    }

    /// What the field at position `column` holds in `row`. Null where there is no such field or row.
    pub fn value(&self, column: usize, row: usize) -> Value<'_> {
        self.columns.get(column).map_or(Value::Null, |c| c.value(row))
    }

    /// The field of this name, and its position.
    pub(super) fn find(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

impl Column {
    fn open(section: &Blob, cursor: &mut Cursor<'_>, rows: usize) -> Result<Self> {
        let field_type = FieldType::from_code(cursor.u8()?)?;
        let code_bytes = cursor.u8()?;
        let flags = cursor.u16()?;
        let name_bytes = cursor.u32()? as usize;
        let name_at = cursor.size()?;
        let validity_at = cursor.size()?;
        let values_at = cursor.size()?;
        let texts = cursor.size()?;
        let ends_at = cursor.size()?;
        let text_at = cursor.size()?;
        let text_bytes = cursor.size()?;

        let name = block(section, "a column's name", name_at, name_bytes, 1)?;
        let name = std::str::from_utf8(&name).ok().filter(|name| is_name(name)).ok_or_else(|| {
            Error::corrupt("a column's name is not [A-Za-z_][A-Za-z0-9_]* of 1 to 255 bytes; the file is damaged")
        })?;
        let is_text = field_type == FieldType::VarChar;
        if flags > 1
            || (flags == 0 && validity_at != 0)
            || (!is_text && (code_bytes, texts, ends_at, text_at, text_bytes) != (0, 0, 0, 0, 0))
            || (is_text && !matches!(code_bytes, 1 | 2 | 4))
        {
            return Err(Error::corrupt(format!(
                "the entry of column {} has impossible flags or sizes; the file is damaged",
                quoted(name)
            )));
        }
        let bits = rows.div_ceil(64);
        let validity = (flags == 1).then(|| block(section, name, validity_at, bits, 8)).transpose()?;
        let data = match field_type {
            FieldType::Bool => Data::Bool(block(section, name, values_at, bits, 8)?),
            FieldType::Int64 => Data::Int64(block(section, name, values_at, rows, 8)?),
            FieldType::Double => Data::Double(block(section, name, values_at, rows, 8)?),
            FieldType::VarChar => Data::VarChar(Texts {
                codes: block(section, name, values_at, rows, code_bytes.into())?,
                code_bytes,
                ends: block(section, name, ends_at, texts, 4)?,
                text: block(section, name, text_at, text_bytes, 1)?,
            }),
        };
        Ok(Column { name: name.to_owned(), rows, validity, data })
    }

    pub(super) fn field_type(&self) -> FieldType {
        match self.data {
            Data::Bool(_) => FieldType::Bool,
            Data::Int64(_) => FieldType::Int64,
            Data::Double(_) => FieldType::Double,
            Data::VarChar(_) => FieldType::VarChar,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn data(&self) -> &Data {
        &self.data
    }

    /// Bits of the rows that have a value; none if all have.
    pub(super) fn validity(&self) -> Option<&[u64]> {
        self.validity.as_ref().map(numbers)
    }

    pub(super) fn has_value(&self, row: usize) -> bool {
        row < self.rows && self.validity().is_none_or(|bits| bit(bits, row))
    }

    pub(super) fn value(&self, row: usize) -> Value<'_> {
        if !self.has_value(row) {
            return Value::Null;
        }
        match &self.data {
            Data::Bool(bits) => Value::Bool(bit(numbers(bits), row)),
            Data::Int64(values) => numbers(values).get(row).map_or(Value::Null, |&v| Value::Int64(v)),
            Data::Double(values) => numbers(values).get(row).map_or(Value::Null, |&v| Value::Double(v)),
            Data::VarChar(texts) => Value::VarChar(String::from_utf8_lossy(texts.get(texts.codes().get(row)))),
        }
    }

    fn verify(&self) -> Result<()> {
        let damaged =
            |what: &str| Err(Error::corrupt(format!("column {}: {what}; the file is damaged", quoted(&self.name))));
        if self.validity().is_some_and(|bits| has_tail(bits, self.rows)) {
            return damaged("the validity block says more rows than there are");
        }
        let nulls = || (0..self.rows).filter(|&row| !self.has_value(row));
        let clean = match &self.data {
            Data::Bool(bits) => {
                let bits = numbers(bits);
                !has_tail(bits, self.rows) && nulls().all(|row| !bit(bits, row))
            }
            Data::Int64(values) => nulls().all(|row| numbers::<i64>(values)[row] == 0),
            Data::Double(values) => {
                let values: &[f64] = numbers(values);
                if !values.iter().all(|v| v.is_finite()) {
                    return damaged("a value is NaN or infinite");
                }
                nulls().all(|row| values[row].to_bits() == 0)
            }
            Data::VarChar(texts) => {
                if let Err(what) = texts.verify(|row| self.has_value(row), self.rows) {
                    return damaged(what);
                }
                nulls().all(|row| texts.codes().get(row) == 0)
            }
        };
        if !clean {
            return damaged("a null or a place past the last row holds something other than 0");
        }
        Ok(())
    }
}

impl Texts {
    /// Number of distinct texts.
    pub(super) fn len(&self) -> usize {
        numbers::<u32>(&self.ends).len()
    }

    /// The text that a code stands for; empty for a code that stands for none.
    pub(super) fn get(&self, code: usize) -> &[u8] {
        let ends: &[u32] = numbers(&self.ends);
        let Some(&end) = ends.get(code) else { return &[] };
        let start = if code == 0 { 0 } else { ends[code - 1] };
        self.text.get(start as usize..end as usize).unwrap_or(&[])
    }

    /// The first code whose text doesn't satisfy `before`, which must hold for a front part of the
    /// sorted texts and for none after it.
    pub(super) fn partition_point(&self, mut before: impl FnMut(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The codes of texts equal to `text`: one or none.
    pub(super) fn codes_of(&self, text: &[u8]) -> Range<usize> {
        let at = self.partition_point(|t| t < text);
        at..at + usize::from(at < self.len() && self.get(at) == text)
    }

    pub(super) fn codes(&self) -> Codes<'_> {
        match self.code_bytes {
            1 => Codes::One(&self.codes),
            2 => Codes::Two(numbers(&self.codes)),
            _ => Codes::Four(numbers(&self.codes)),
        }
    }

    /// Every text, in order.
    ///
    /// # Errors
    /// `CORRUPT_FILE` if texts overlap: reading them all could then take as many steps as there are
    /// texts, times all their bytes.
    pub(super) fn all(&self) -> Result<impl Iterator<Item = &[u8]>> {
        if !numbers::<u32>(&self.ends).is_sorted() {
            return Err(Error::corrupt("the texts of a column overlap; the file is damaged"));
        }
        Ok((0..self.len()).map(|code| self.get(code)))
    }

    fn verify(&self, has_value: impl Fn(usize) -> bool, rows: usize) -> std::result::Result<(), &'static str> {
        let ends: &[u32] = numbers(&self.ends);
        if !ends.is_sorted() || ends.last().map_or(0, |&end| end as usize) != self.text.len() {
            return Err("the ends of its texts are not ascending up to their length");
        }
        for code in 0..ends.len() {
            if std::str::from_utf8(self.get(code)).is_err() {
                return Err("a text is not UTF-8");
            }
            if code > 0 && self.get(code - 1) >= self.get(code) {
                return Err("its texts are not distinct and ascending");
            }
        }
        let codes = self.codes();
        if (0..rows).any(|row| has_value(row) && codes.get(row) >= ends.len()) {
            return Err("a row refers to a text that isn't there");
        }
        Ok(())
    }
}

impl Codes<'_> {
    /// The code of a row; one that stands for no text past the last row.
    pub(super) fn get(&self, row: usize) -> usize {
        match self {
            Codes::One(codes) => codes.get(row).map(|&c| c.into()),
            Codes::Two(codes) => codes.get(row).map(|&c| c.into()),
            Codes::Four(codes) => codes.get(row).map(|&c| c as usize),
        }
        .unwrap_or(usize::MAX)
    }
}

/// Whether `name` can be written in a filter.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `count` values of `size` bytes from `offset` on.
fn block(section: &Blob, what: &str, offset: usize, count: usize, size: usize) -> Result<Blob> {
    let inside = count.checked_mul(size).and_then(|bytes| Some(offset..offset.checked_add(bytes)?));
    match inside {
        Some(range) if range.end <= section.len() && offset.is_multiple_of(8) => section.slice(range),
        _ => Err(Error::corrupt(format!(
            "{what}: {count} values of {size} bytes at byte {offset} don't fit a columns section of {} bytes, or are \
             not aligned to 8; the file is truncated or damaged",
            section.len()
        ))),
    }
}

/// A block as numbers. Its length and alignment were checked when it was opened, so the cast can't
/// fail; were it to, there would be no values.
pub(super) fn numbers<T: Number>(block: &Blob) -> &[T] {
    block.as_numbers().unwrap_or(&[])
}

pub(super) fn bit(bits: &[u64], row: usize) -> bool {
    bits.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
}

fn has_tail(bits: &[u64], rows: usize) -> bool {
    !rows.is_multiple_of(64) && bits.last().is_some_and(|word| word >> (rows % 64) != 0)
}

//! Writes a columns section.

use super::columns::{ENTRY, HEAD, MAX_COLUMNS, MAX_NAME, is_name};
use super::lexer::is_keyword;
use super::number::exact_f64;
use super::value::{FieldType, Value};
use crate::words::bytes::as_bytes;
use crate::words::{Code, Error, Result};
use std::collections::{HashMap, HashSet};

/// Collects the values of typed fields, field by field or row by row, into a columns section.
#[derive(Debug)]
pub struct ColumnsBuilder {
    columns: Vec<Growing>,
}

#[derive(Debug)]
struct Growing {
    name: String,
    field_type: FieldType,
    rows: usize,
    validity: Bits,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bool(Bits),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    /// Codes in order of first appearance; sorted when the section is written.
    VarChar {
        codes: Vec<u32>,
        known: HashMap<String, u32>,
        bytes: usize,
    },
}

#[derive(Debug, Default)]
struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.words[self.len / 64] |= u64::from(bit) << (self.len % 64);
        self.len += 1;
    }

    fn reordered(&self, order: &[u32]) -> Bits {
        let mut bits = Bits::default();
        order.iter().for_each(|&row| bits.push(self.words[row as usize / 64] >> (row % 64) & 1 == 1));
        bits
    }
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidInput, message)
}

impl ColumnsBuilder {
    /// A builder for these fields.
    ///
    /// # Errors
    /// `INVALID_INPUT` if a name appears twice or couldn't be written in a filter, or there are too
    /// many fields.
    pub fn new<'a>(fields: impl IntoIterator<Item = (&'a str, FieldType)>) -> Result<Self> {
        let mut names = HashSet::new();
        let mut columns = Vec::new();
        for (name, field_type) in fields {
            if !is_name(name) || is_keyword(name) {
                return Err(invalid(format!(
                    "a filter can't speak of a field named {name:?}: a name has 1 to {MAX_NAME} letters, digits and \
                     underscores, starts with no digit and is no word of the filter language; rename the field"
                )));
            }
            if !names.insert(name) {
                return Err(invalid(format!("two fields are named {name:?}; rename one")));
            }
            let values = match field_type {
                FieldType::Bool => Values::Bool(Bits::default()),
                FieldType::Int64 => Values::Int64(Vec::new()),
                FieldType::Double => Values::Double(Vec::new()),
                FieldType::VarChar => Values::VarChar { codes: Vec::new(), known: HashMap::new(), bytes: 0 },
            };
            let name = name.to_owned();
            columns.push(Growing { name, field_type, rows: 0, validity: Bits::default(), values });
        }
        if columns.len() > MAX_COLUMNS {
            return Err(invalid(format!(
                "{} fields to filter by are more than a file takes ({MAX_COLUMNS}); keep some as stored fields only",
                columns.len()
            )));
        }
        Ok(ColumnsBuilder { columns })
    }

    /// Gives the next row's value to the field at position `column`. An `Int64` goes into a
    /// `Double` field if it can be held there exactly.
    ///
    /// # Errors
    /// `INVALID_INPUT`, with the row, for a value of another type, a float that is not finite, or
    /// more text than a column holds. Panics if there is no such field.
    pub fn push(&mut self, column: usize, value: Value<'_>) -> Result<()> {
        self.columns[column].push(value)
    }

    /// Refuses another number of values than `rows` for any field.
    ///
    /// # Errors
    /// `INVALID_INPUT`.
    pub fn check(&self, rows: usize) -> Result<()> {
        if let Some(column) = self.columns.iter().find(|c| c.rows != rows) {
            return Err(invalid(format!(
                "field {:?} has {} values for {rows} rows; give every row a value or null",
                column.name, column.rows
            )));
        }
        Ok(())
    }

    /// The rows in another order: the first is now row `order[0]`.
    pub fn reordered(self, order: &[u32]) -> Self {
        ColumnsBuilder { columns: self.columns.into_iter().map(|column| column.reordered(order)).collect() }
    }

    /// The section for `rows` rows.
    ///
    /// # Errors
    /// Those of [`Self::check`].
    pub fn finish(self, rows: usize) -> Result<Vec<u8>> {
        self.check(rows)?;
        let mut section = vec![0; HEAD + ENTRY * self.columns.len()];
        section[..4].copy_from_slice(&(self.columns.len() as u32).to_le_bytes());
        section[8..16].copy_from_slice(&(rows as u64).to_le_bytes());
        for (i, column) in self.columns.into_iter().enumerate() {
            let entry = column.write(&mut section);
            section[HEAD + ENTRY * i..][..ENTRY].copy_from_slice(&entry);
        }
        Ok(section)
    }
}

impl Growing {
    fn push(&mut self, value: Value<'_>) -> Result<()> {
        let row = self.rows;
        let wrong = |came: &str| {
            invalid(format!("row {row}: field {:?} is {}, but the value is {came}", self.name, self.field_type))
        };
        let given = !matches!(value, Value::Null);
        match (&mut self.values, value) {
            (Values::Bool(bits), Value::Bool(v)) => bits.push(v),
            (Values::Bool(bits), Value::Null) => bits.push(false),
            (Values::Int64(values), Value::Int64(v)) => values.push(v),
            (Values::Int64(values), Value::Null) => values.push(0),
            (Values::Double(values), Value::Double(v)) => {
                if !v.is_finite() {
                    return Err(wrong("not a finite number; use null for one that isn't known"));
                }
                values.push(v);
            }
            (Values::Double(values), Value::Int64(v)) => values.push(exact_f64(v).ok_or_else(|| {
                wrong(&format!("the integer {v}, which a Double can't hold exactly; make the field Int64 or VarChar"))
            })?),
            (Values::Double(values), Value::Null) => values.push(0.0),
            (Values::VarChar { codes, known, bytes }, Value::VarChar(text)) => {
                let code = match known.get(text.as_ref()) {
                    Some(&code) => code,
                    None => {
                        if *bytes + text.len() > u32::MAX as usize {
                            return Err(wrong("text past the 4 GiB of distinct text that a field holds"));
                        }
                        *bytes += text.len();
                        let code = known.len() as u32;
                        known.insert(text.into_owned(), code);
                        code
                    }
                };
                codes.push(code);
            }
            // A null's code is written as 0 whatever texts there are.
            (Values::VarChar { codes, .. }, Value::Null) => codes.push(u32::MAX),
            (_, other) => {
                let name = other.field_type().map_or("null", FieldType::name);
                return Err(wrong(&format!("of type {name}; give every row a value of one type, or null")));
            }
        }
        self.validity.push(given);
        self.rows += 1;
        Ok(())
    }

    fn reordered(self, order: &[u32]) -> Self {
        fn pick<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
            order.iter().map(|&row| values[row as usize]).collect()
        }
        Growing {
            validity: self.validity.reordered(order),
            values: match self.values {
                Values::Bool(bits) => Values::Bool(bits.reordered(order)),
                Values::Int64(values) => Values::Int64(pick(&values, order)),
                Values::Double(values) => Values::Double(pick(&values, order)),
                Values::VarChar { codes, known, bytes } => Values::VarChar { codes: pick(&codes, order), known, bytes },
            },
            ..self
        }
    }

    fn write(self, section: &mut Vec<u8>) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        let mut put = |at: usize, value: u64| entry[at..at + 8].copy_from_slice(&value.to_le_bytes());
        put(8, append(section, self.name.as_bytes()));
        let nullable = self.validity.words.iter().map(|w| w.count_ones() as usize).sum::<usize>() < self.rows;
        if nullable {
            put(16, append(section, as_bytes(&self.validity.words)));
        }
        let mut code_bytes = 0;
        match self.values {
            Values::Bool(bits) => put(24, append(section, as_bytes(&bits.words))),
            Values::Int64(values) => put(24, append(section, as_bytes(&values))),
            Values::Double(values) => put(24, append(section, as_bytes(&values))),
            Values::VarChar { codes, known, .. } => {
                let mut texts: Vec<(String, u32)> = known.into_iter().collect();
                texts.sort_unstable();
                let mut sorted = vec![0; texts.len()];
                let mut ends = Vec::with_capacity(texts.len());
                let mut text = Vec::new();
                for (position, (t, code)) in texts.iter().enumerate() {
                    sorted[*code as usize] = position as u32;
                    text.extend_from_slice(t.as_bytes());
                    ends.push(text.len() as u32);
                }
                let codes = codes.iter().map(|&code| sorted.get(code as usize).copied().unwrap_or(0));
                code_bytes = match texts.len() {
                    0..=0x100 => 1,
                    0x101..=0x1_0000 => 2,
                    _ => 4,
                };
                put(
                    24,
                    match code_bytes {
                        1 => append(section, &codes.map(|c| c as u8).collect::<Vec<_>>()),
                        2 => append(section, as_bytes(&codes.map(|c| c as u16).collect::<Vec<_>>())),
                        _ => append(section, as_bytes(&codes.collect::<Vec<_>>())),
                    },
                );
                put(32, ends.len() as u64);
                put(40, append(section, as_bytes(&ends)));
                put(48, append(section, &text));
                put(56, text.len() as u64);
            }
        }
        entry[0] = self.field_type as u8;
        entry[1] = code_bytes;
        entry[2] = nullable.into();
        entry[4..8].copy_from_slice(&(self.name.len() as u32).to_le_bytes());
        entry
    }
}

/// Adds a block at the next multiple of 8; returns where.
fn append(section: &mut Vec<u8>, block: &[u8]) -> u64 {
    section.resize(section.len().next_multiple_of(8), 0);
    let at = section.len();
    section.extend_from_slice(block);
    at as u64
}

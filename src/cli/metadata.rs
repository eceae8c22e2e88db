//! Turns metadata into what a segment holds: keys, typed columns for filters, stored fields.
//!
//! The file is read twice: once to learn which fields there are and of which types, once to take
//! their values. So it is never held in memory, and a mistake on its last line costs seconds.

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::rows::{Row, Rows};
use elanus::filter::{ColumnsBuilder, FieldType, Value};
use elanus::index::sparse::TextBuilder;
use elanus::segment::{FieldsWriter, PrimaryKeys};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::path::Path;

/// A text field without a stated type can be filtered by if no value is longer than this: titles
/// and tags are, descriptions only cost bytes.
pub const MAX_INFERRED_TEXT: usize = 128;

/// What the caller says about the metadata.
#[derive(Debug, Default)]
pub struct Wishes {
    /// The field that holds the primary key.
    pub id_field: Option<String>,
    /// Fields to filter by, with their types; `None` infers them.
    pub filterable: Option<Vec<(String, FieldType)>>,
    /// Fields to store; `None` stores all.
    pub stored: Option<Vec<String>>,
    /// The field whose words can be searched for, with how they are counted.
    pub text: Option<TextBuilder>,
}

/// What a segment is built from, beside vectors.
#[derive(Debug, Default)]
pub struct Metadata {
    pub keys: PrimaryKeys,
    pub columns: Option<ColumnsBuilder>,
    pub fields: Option<FieldsWriter>,
    pub text: Option<TextBuilder>,
    /// In the order in which they first appear.
    pub schema: Vec<Field>,
}

/// What a field turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    /// `JSON` for one that holds lists, objects or several types.
    pub type_name: &'static str,
    pub filterable: bool,
    pub stored: bool,
}

impl Field {
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "type": self.type_name,
            "filterable": self.filterable,
            "stored": self.stored,
        })
    }
}

/// Which values a field was seen with.
#[derive(Debug, Default)]
struct Seen {
    name: String,
    bool: bool,
    int: bool,
    double: bool,
    other: bool,
    text: bool,
    longest_text: usize,
}

impl Seen {
    fn add(&mut self, value: &RawValue) {
        match scalar(value) {
            Some(Value::Null) => {}
            Some(Value::Bool(_)) => self.bool = true,
            Some(Value::Int64(_)) => self.int = true,
            Some(Value::Double(_)) => self.double = true,
            Some(Value::VarChar(text)) => {
                self.text = true;
                self.longest_text = self.longest_text.max(text.len());
            }
            None => self.other = true,
        }
    }

    fn field_type(&self) -> Option<FieldType> {
        match (self.bool, self.int, self.double, self.text, self.other) {
            (true, false, false, false, false) => Some(FieldType::Bool),
            (false, true, false, false, false) => Some(FieldType::Int64),
            (false, _, true, false, false) => Some(FieldType::Double),
            (false, false, false, true, false) => Some(FieldType::VarChar),
            _ => None,
        }
    }

    fn is_worth_filtering(&self) -> bool {
        self.field_type().is_some()
            && self.longest_text <= MAX_INFERRED_TEXT
            && ColumnsBuilder::new([(&*self.name, FieldType::Bool)]).is_ok()
    }
}

/// A value that a column can hold; none for lists, objects, and integers past 64 bits.
fn scalar(value: &RawValue) -> Option<Value<'_>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'n' => Some(Value::Null),
        b't' => Some(Value::Bool(true)),
        b'f' => Some(Value::Bool(false)),
        b'"' => serde_json::from_str::<Cow<'_, str>>(text).ok().map(Value::VarChar),
        b'-' | b'0'..=b'9' if text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => {
            text.parse().ok().filter(|x: &f64| x.is_finite()).map(Value::Double)
        }
        b'-' | b'0'..=b'9' => text.parse().ok().map(Value::Int64),
        _ => None,
    }
}

/// Reads the metadata of `count` vectors, or of as many rows as there are.
pub fn read(path: &Path, count: Option<usize>, mut wishes: Wishes, progress: Progress) -> Result<Metadata> {
    let (seen, count) = survey(path, count, &wishes, progress)?;
    let mut text_builder = wishes.text.take();
    let known = |name: &str| seen.iter().any(|s| s.name == name);
    let listed = || seen.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
    let named = (wishes.filterable.iter().flatten().map(|(name, _)| name.as_str()))
        .chain(wishes.stored.iter().flatten().map(String::as_str))
        .chain(text_builder.iter().map(TextBuilder::field));
    if let Some(missing) = named.into_iter().find(|name| !known(name)) {
        return Err(Failure::input(format!(
            "{}: no row has a field {missing:?}; there are: {}",
            path.display(),
            listed()
        )));
    }
    let is_id = |name: &str| wishes.id_field.as_deref() == Some(name);
    let columns: Vec<(String, FieldType)> = match &wishes.filterable {
        Some(columns) => columns.clone(),
        None => (seen.iter().filter(|s| !is_id(&s.name) && s.is_worth_filtering()))
            .filter_map(|s| Some((s.name.clone(), s.field_type()?)))
            .collect(),
    };
    let is_stored = |name: &str| match &wishes.stored {
        Some(names) => names.iter().any(|n| n == name),
        None => !is_id(name),
    };
    let schema: Vec<Field> = (seen.iter())
        .map(|s| {
            let column = columns.iter().find(|(name, _)| *name == s.name).map(|&(_, t)| t);
            Field {
                type_name: column.or(s.field_type()).map_or("JSON", FieldType::name),
                filterable: column.is_some(),
                stored: is_stored(&s.name),
                name: s.name.clone(),
            }
        })
        .filter(|field| field.filterable || field.stored)
        .collect();

    let mut builder = ColumnsBuilder::new(columns.iter().map(|(name, t)| (name.as_str(), *t)))
        .map_err(|e| Failure::from(e).at(path.display()))?;
    let mut keys = KeyCollector::default();
    let mut fields = FieldsWriter::new();
    let store = schema.iter().any(|f| f.stored);
    let mut text = String::new();
    let bar = progress.count("reading metadata", count as u64);
    let mut rows = Rows::open(path)?;
    while let Some(row) = rows.next()? {
        if let Some(id_field) = &wishes.id_field {
            keys.push(&row, id_field).map_err(|e| e.at(rows.place()))?;
        }
        for (i, (name, _)) in columns.iter().enumerate() {
            let value = row.get(name).map_or(Some(Value::Null), scalar).ok_or_else(|| {
                Failure::input(format!(
                    "the field {name:?} holds a list, an object or a number past 64 bits, which can't be filtered by"
                ))
                .at(rows.place())
            })?;
            builder.push(i, value).map_err(|e| Failure::from(e).at(rows.place()))?;
        }
        if let Some(builder) = &mut text_builder {
            let words = row.get(builder.field()).map_or(Some(Value::Null), scalar);
            let words = match words {
                Some(Value::VarChar(words)) => words,
                Some(Value::Null) => Cow::Borrowed(""),
                _ => {
                    return Err(Failure::input(format!(
                        "the field {:?} is no text, so its words can't be searched for",
                        builder.field()
                    ))
                    .at(rows.place()));
                }
            };
            builder.push(&words).map_err(|e| Failure::from(e).at(rows.place()))?;
        }
        if store {
            stored_text(&row, is_stored, &mut text);
            fields.push(&text).map_err(|e| Failure::from(e).at(rows.place()))?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let keys = keys.finish(count, &rows)?;
    let columns = (!columns.is_empty()).then_some(builder);
    Ok(Metadata { keys, columns, fields: store.then_some(fields), text: text_builder, schema })
}

/// The first reading: every line must parse, and there must be one a vector. Says how many there are.
fn survey(path: &Path, count: Option<usize>, wishes: &Wishes, progress: Progress) -> Result<(Vec<Seen>, usize)> {
    let mut rows = Rows::open(path)?;
    let mut seen: Vec<Seen> = Vec::new();
    let mut read = 0;
    let bar = progress.count("checking metadata", count.unwrap_or(0) as u64);
    while let Some(row) = rows.next()? {
        read += 1;
        for (name, value) in &row.members {
            let at = seen.iter().position(|s| s.name == *name).unwrap_or_else(|| {
                seen.push(Seen { name: name.clone(), ..Seen::default() });
                seen.len() - 1
            });
            seen[at].add(value);
        }
        if let Some(id_field) = wishes.id_field.as_ref().filter(|id| row.get(id).is_none()) {
            let mut names: Vec<_> = row.members.iter().map(|(name, _)| name.as_str()).collect();
            if names.is_empty() {
                names.push("nothing");
            }
            return Err(Failure::input(format!(
                "the row has no {id_field:?}, which --id-field names; it has: {}",
                names.join(", ")
            ))
            .at(rows.place()));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(count) = count.filter(|&count| count != read) {
        return Err(Failure::input(format!(
            "{}: {read} rows of metadata for {count} vectors; line n must describe vector n",
            path.display()
        )));
    }
    Ok((seen, read))
}

/// The row's stored fields as one JSON object, values as they were written.
fn stored_text(row: &Row, is_stored: impl Fn(&str) -> bool, out: &mut String) {
    out.clear();
    out.push('{');
    for (name, value) in row.members.iter().filter(|(name, _)| is_stored(name)) {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(name.as_str()).to_string());
        out.push(':');
        out.push_str(value.get());
    }
    out.push('}');
}

/// Keys of the first type that comes; the rest must be of that type.
#[derive(Debug, Default)]
struct KeyCollector {
    keys: PrimaryKeys,
}

impl KeyCollector {
    fn push(&mut self, row: &Row, id_field: &str) -> Result<()> {
        let value = row.get(id_field).and_then(scalar);
        match (&mut self.keys, value) {
            (PrimaryKeys::Int64(keys), Some(Value::Int64(key))) => keys.push(key),
            (PrimaryKeys::VarChar(keys), Some(Value::VarChar(key))) => keys.push(key.into_owned()),
            (keys @ PrimaryKeys::RowNumbers, Some(Value::Int64(key))) => *keys = PrimaryKeys::Int64(vec![key]),
            (keys @ PrimaryKeys::RowNumbers, Some(Value::VarChar(key))) => {
                *keys = PrimaryKeys::VarChar(vec![key.into_owned()]);
            }
            (keys, _) => {
                let expected = match keys {
                    PrimaryKeys::RowNumbers => "an integer of 64 bits or a text",
                    PrimaryKeys::Int64(_) => "an integer of 64 bits, as on the lines before",
                    PrimaryKeys::VarChar(_) => "a text, as on the lines before",
                };
                let came = row.get(id_field).map_or("nothing", RawValue::get);
                return Err(Failure::input(format!("the key {id_field:?} is {came}; it must be {expected}")));
            }
        }
        Ok(())
    }

    fn finish(self, count: usize, rows: &Rows) -> Result<PrimaryKeys> {
        // The segment checks again, but only here are there lines to name.
        let twice = match &self.keys {
            PrimaryKeys::RowNumbers => None,
            PrimaryKeys::Int64(keys) => first_duplicate(keys),
            PrimaryKeys::VarChar(keys) => first_duplicate(keys),
        };
        match twice {
            None => Ok(self.keys),
            Some((first, second, key)) => Err(Failure::input(format!(
                "the key {key} was already given on line {}; keys must be unique among the {count} rows",
                first + 1
            ))
            .at(rows.place_of(second + 1))),
        }
    }
}

fn first_duplicate<K: std::hash::Hash + Eq + std::fmt::Debug>(keys: &[K]) -> Option<(usize, usize, String)> {
    let mut seen = std::collections::HashMap::with_capacity(keys.len());
    keys.iter().enumerate().find_map(|(row, key)| seen.insert(key, row).map(|first| (first, row, format!("{key:?}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn scalars_are_told_apart() {
        let cases: &[(&str, Option<Value<'_>>)] = &[
            ("null", Some(Value::Null)),
            ("true", Some(Value::Bool(true))),
            ("-12", Some(Value::Int64(-12))),
            ("9223372036854775807", Some(Value::Int64(i64::MAX))),
            ("9223372036854775808", None),
            ("1.0", Some(Value::Double(1.0))),
            ("1e3", Some(Value::Double(1000.0))),
            ("1e999", None),
            (r#""a\u00e9\n""#, Some(Value::VarChar("aé\n".into()))),
            ("[1]", None),
            ("{}", None),
        ];
        for (text, expected) in cases {
            assert_eq!(scalar(&raw(text)), *expected, "{text}");
        }
    }

    #[test]
    fn types_are_inferred_from_all_values() {
        let infer = |values: &[&str]| {
            let mut seen = Seen { name: "field".into(), ..Seen::default() };
            values.iter().for_each(|v| seen.add(&raw(v)));
            (seen.field_type(), seen.is_worth_filtering())
        };
        let long = format!("\"{}\"", "x".repeat(MAX_INFERRED_TEXT + 1));
        assert_eq!(infer(&["1", "null", "2"]), (Some(FieldType::Int64), true));
        assert_eq!(infer(&["1", "2.5"]), (Some(FieldType::Double), true));
        assert_eq!(infer(&["true", "1"]), (None, false));
        assert_eq!(infer(&["\"a\"", "\"b\""]), (Some(FieldType::VarChar), true));
        assert_eq!(infer(&["\"a\"", &long]), (Some(FieldType::VarChar), false));
        assert_eq!(infer(&["[]"]), (None, false));
        assert_eq!(infer(&["null"]), (None, false));
    }

    #[test]
    fn stored_text_keeps_values_as_written() {
        let row: Row = serde_json::from_str(r#"{"a":1.50, "id":7, "b\"":[ 12345678901234567890 ]}"#).unwrap();
        let mut text = String::new();
        stored_text(&row, |name| name != "id", &mut text);
        assert_eq!(text, r#"{"a":1.50,"b\"":[ 12345678901234567890 ]}"#);
        stored_text(&row, |_| false, &mut text);
        assert_eq!(text, "{}");
    }
}

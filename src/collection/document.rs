//! The JSON object of an entity: its fields of type JSON and Array, and its dynamic ones.

use super::data_type::{DataType, Element};
use super::schema::{Field, Schema, invalid};
use crate::filter::{Documents, Value};
use crate::segment::Sealed;
use crate::segment::fields::MAX_ROW_BYTES;
use crate::words::json::{Json, Kind};
use crate::words::say::quoted;
use crate::words::{Code, Error, Result};
use std::borrow::Cow;

impl Schema {
    /// Refuses an object whose members aren't what the fields take.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `FIELD_NOT_FOUND`.
    pub(super) fn check_document(&self, text: &str, row: usize) -> Result<()> {
        // A later seal must not stumble over it.
        if text.len() >= MAX_ROW_BYTES || text.contains('\n') {
            return Err(invalid(format!(
                "the JSON and dynamic fields of entity {row} have {} bytes; they are JSON on one line of less than \
                 {MAX_ROW_BYTES} bytes: keep less with the vector",
                text.len()
            )));
        }
        let json = match text {
            "" => Json::of("{}"),
            text => Json::parse(text).map_err(|at| {
                invalid(format!("the JSON and dynamic fields of entity {row} are no JSON from byte {at} on"))
            })?,
        };
        if json.kind() != Kind::Object {
            return Err(invalid(format!(
                "the JSON and dynamic fields of entity {row} are no object of names and values"
            )));
        }
        for (name, value) in json.members() {
            match self.fields.iter().find(|field| field.name == name) {
                Some(field) => field.check_member(value, row)?,
                None if name == self.primary.name || name == self.vector.name => {
                    return Err(invalid(format!("entity {row}: {} is no dynamic field", quoted(&name))));
                }
                None if self.dynamic => {}
                None => {
                    return Err(invalid(format!(
                        "entity {row} has a field {}, which the schema doesn't name: name it, or enable dynamic fields",
                        quoted(&name)
                    )));
                }
            }
        }
        let there = |field: &Field| json.get(&field.name).is_some_and(|value| value.kind() != Kind::Null);
        match self.documents().find(|field| !field.nullable && !there(field)) {
            Some(field) => Err(invalid(format!(
                "entity {row} has no value for field {}; give it one, or make the field nullable",
                quoted(&field.name)
            ))),
            None => Ok(()),
        }
    }
}

impl Field {
    fn check_member(&self, value: Json<'_>, row: usize) -> Result<()> {
        let wrong = |came: String| {
            let (name, expected) = (quoted(&self.name), self.data_type.name());
            Err(invalid(format!("entity {row}: field {name} is {expected}, but its value is {came}")))
        };
        match (self.data_type, value.kind()) {
            (DataType::Json, _) => Ok(()),
            (DataType::Array { .. }, Kind::Null) => Ok(()),
            (DataType::Array { elements, max_capacity }, Kind::Array) => {
                let count = value.items().count();
                if count as u64 > u64::from(max_capacity) {
                    return wrong(format!("one of {count} elements, of which it takes {max_capacity}"));
                }
                let fault = value.items().find_map(|item| fault_of(elements, item));
                fault.map_or(Ok(()), |came| {
                    wrong(format!("one with {came} among its {} elements", elements.data_type().name()))
                })
            }
            (DataType::Array { .. }, _) => wrong("no list".to_owned()),
            _ => wrong("among the members of the JSON object; give it beside them".to_owned()),
        }
    }
}

/// What is wrong with an element.
fn fault_of(elements: Element, item: Json<'_>) -> Option<String> {
    let value = match item.kind() {
        Kind::Bool(value) => Value::Bool(value),
        Kind::Int(value) => Value::Int64(value),
        Kind::Double(value) => Value::Double(value),
        Kind::Text(text) => Value::VarChar(Cow::Owned(text.into_owned())),
        Kind::Null => return Some("null".to_owned()),
        Kind::Array | Kind::Object => return Some("a list or an object".to_owned()),
    };
    elements.data_type().fit(value).err()
}

/// The objects of a sealed segment, unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    texts: String,
    ends: Vec<usize>,
}

impl Unpacked {
    pub(super) fn of(sealed: &Sealed) -> Result<Self> {
        let mut unpacked = Unpacked { texts: String::new(), ends: Vec::new() };
        sealed.for_each_fields(|_, text| {
            let room = unpacked.texts.try_reserve(text.len());
            room.map_err(|_| Error::new(Code::OutOfMemory, "there is no memory for the segment's JSON fields"))?;
            unpacked.texts.push_str(text);
            unpacked.ends.push(unpacked.texts.len());
            Ok(())
        })?;
        Ok(unpacked)
    }
}

impl Documents for Unpacked {
    fn document(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(row).copied());
        range.and_then(|(start, end)| self.texts.get(start..end)).unwrap_or_default()
    }
}

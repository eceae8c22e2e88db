//! Schemas as JavaScript has them.

use super::collection::{from_value, to_value};
use crate::collection::{DataType, Element, Field, KeyType, Primary, Schema, VectorField};
use crate::words::{Error, Metric, Result};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plain {
    primary_field: String,
    /// `Int64` or `VarChar`.
    id_type: String,
    max_length: u32,
    auto_id: bool,
    vector_field: String,
    dimension: u32,
    metric: String,
    enable_dynamic_field: bool,
    fields: Vec<PlainField>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlainField {
    name: String,
    data_type: String,
    /// The type of an Array's elements.
    element_type: Option<String>,
    max_length: u32,
    max_capacity: u32,
    nullable: bool,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    default_value: JsValue,
}

/// The schema of a plain object.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub(super) fn read(given: JsValue) -> Result<Schema> {
    let plain: Plain = serde_wasm_bindgen::from_value(given)
        .map_err(|error| Error::argument(format!("the schema can't be read: {error}")))?;
    let key_type = match DataType::parse(&plain.id_type, plain.max_length)? {
        DataType::Int64 => KeyType::Int64,
        DataType::VarChar { max_length } => KeyType::VarChar { max_length },
        other => {
            return Err(Error::argument(format!("a primary key is Int64 or VarChar, but {} came", other.name())));
        }
    };
    let mut fields = Vec::with_capacity(plain.fields.len());
    for PlainField { name, data_type, element_type, max_length, max_capacity, nullable, default_value } in plain.fields
    {
        let data_type = match data_type.as_str() {
            "Array" => {
                let elements = DataType::parse(element_type.as_deref().unwrap_or_default(), max_length)?;
                let elements = Element::of(elements)
                    .ok_or_else(|| Error::argument(format!("an Array can't hold {}", elements.name())))?;
                DataType::Array { elements, max_capacity }
            }
            other => DataType::parse(other, max_length)?,
        };
        let default = Some(to_value(data_type, &default_value)).filter(|value| value.field_type().is_some());
        fields.push(Field { name, data_type, nullable, default });
    }
    Ok(Schema {
        primary: Primary { name: plain.primary_field, key_type, auto_id: plain.auto_id },
        vector: VectorField {
            name: plain.vector_field,
            dimension: plain.dimension,
            metric: Metric::parse(&plain.metric)?,
        },
        fields,
        dynamic: plain.enable_dynamic_field,
    })
}

/// The plain object of a schema.
///
/// # Errors
/// Never, but for lack of memory.
pub(super) fn write(schema: &Schema) -> std::result::Result<JsValue, JsValue> {
    let Schema { primary, vector, fields, dynamic } = schema;
    let (id_type, max_length) = match primary.key_type {
        KeyType::Int64 => ("Int64", 0),
        KeyType::VarChar { max_length } => ("VarChar", max_length),
    };
    let field = |field: &Field| {
        let (held, max_capacity) = match field.data_type {
            DataType::Array { elements, max_capacity } => (Some(elements.data_type()), max_capacity),
            _ => (None, 0),
        };
        let max_length = match held.unwrap_or(field.data_type) {
            DataType::VarChar { max_length } => max_length,
            _ => 0,
        };
        PlainField {
            name: field.name.clone(),
            data_type: field.data_type.name().into(),
            element_type: held.map(|held| held.name().to_owned()),
            max_length,
            max_capacity,
            nullable: field.nullable,
            default_value: field.default.clone().map_or(JsValue::UNDEFINED, from_value),
        }
    };
    let plain = Plain {
        primary_field: primary.name.clone(),
        id_type: id_type.into(),
        max_length,
        auto_id: primary.auto_id,
        vector_field: vector.name.clone(),
        dimension: vector.dimension,
        metric: vector.metric.name().into(),
        enable_dynamic_field: *dynamic,
        fields: fields.iter().map(field).collect(),
    };
    Ok(serde_wasm_bindgen::to_value(&plain)?)
}

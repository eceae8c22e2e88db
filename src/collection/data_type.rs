//! The types that fields can have, and which values they take.

use super::codec::read_flag;
use crate::filter::{FieldType, Value};
use crate::words::say::{decimal, quoted};
use crate::words::{Code, Cursor, Error, Result};

/// The type of a field, under Milvus's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// `true` or `false`.
    Bool,
    /// An integer of 8 bits.
    Int8,
    /// An integer of 16 bits.
    Int16,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// A finite float, rounded to 32 bits.
    Float,
    /// A finite float of 64 bits.
    Double,
    /// UTF-8 text.
    VarChar {
        /// The most bytes of it.
        max_length: u32,
    },
    /// Any JSON value.
    Json,
    /// A list of values of one type.
    Array {
        /// Their type.
        elements: Element,
        /// The most of them.
        max_capacity: u32,
    },
}

/// The type of an Array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// `true` or `false`.
    Bool,
    /// An integer of 8 bits.
    Int8,
    /// An integer of 16 bits.
    Int16,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// A finite float, as it is written.
    Float,
    /// A finite float, as it is written.
    Double,
    /// UTF-8 text.
    VarChar {
        /// The most bytes of it.
        max_length: u32,
    },
}

impl Element {
    /// A field of this type.
    pub const fn data_type(self) -> DataType {
        match self {
            Element::Bool => DataType::Bool,
            Element::Int8 => DataType::Int8,
            Element::Int16 => DataType::Int16,
            Element::Int32 => DataType::Int32,
            Element::Int64 => DataType::Int64,
            Element::Float => DataType::Float,
            Element::Double => DataType::Double,
            Element::VarChar { max_length } => DataType::VarChar { max_length },
        }
    }

    /// The elements of this type; none of what an Array can't hold.
    pub const fn of(data_type: DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Bool => Element::Bool,
            DataType::Int8 => Element::Int8,
            DataType::Int16 => Element::Int16,
            DataType::Int32 => Element::Int32,
            DataType::Int64 => Element::Int64,
            DataType::Float => Element::Float,
            DataType::Double => Element::Double,
            DataType::VarChar { max_length } => Element::VarChar { max_length },
            DataType::Json | DataType::Array { .. } => return None,
        })
    }
}

impl DataType {
    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            DataType::Bool => "Bool",
            DataType::Int8 => "Int8",
            DataType::Int16 => "Int16",
            DataType::Int32 => "Int32",
            DataType::Int64 => "Int64",
            DataType::Float => "Float",
            DataType::Double => "Double",
            DataType::VarChar { .. } => "VarChar",
            DataType::Json => "JSON",
            DataType::Array { .. } => "Array",
        }
    }

    /// The type of a name; a VarChar of `max_length`. An Array is made of the type of its elements.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, with the names there are.
    pub fn parse(name: &str, max_length: u32) -> Result<Self> {
        let all = [
            DataType::Bool,
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::Float,
            DataType::Double,
            DataType::VarChar { max_length },
            DataType::Json,
        ];
        all.into_iter().find(|t| t.name() == name).ok_or_else(|| {
            Error::argument(format!(
                "{} is no type of a field; the types are {}, Array",
                quoted(name),
                all.map(DataType::name).join(", ")
            ))
        })
    }

    /// The type of the column that filters read; none if it is kept in the entity's JSON object.
    pub const fn column(self) -> Option<FieldType> {
        Some(match self {
            DataType::Bool => FieldType::Bool,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => FieldType::Int64,
            DataType::Float | DataType::Double => FieldType::Double,
            DataType::VarChar { .. } => FieldType::VarChar,
            DataType::Json | DataType::Array { .. } => return None,
        })
    }

    /// The value as the field keeps it; the fault if it can't.
    pub(super) fn fit(self, value: Value<'static>) -> std::result::Result<Value<'static>, String> {
        let whole = |bits: u32, n: i64| match n >= -(1 << (bits - 1)) && n < 1 << (bits - 1) {
            true => Ok(Value::Int64(n)),
            false => Err(format!("{n}, which doesn't fit {bits} bits")),
        };
        let float = |x: f64| match self {
            _ if !x.is_finite() => Err(format!("{}, which is not finite; use null for what isn't known", decimal(x))),
            DataType::Float if !(x as f32).is_finite() => {
                Err(format!("{}, which is too large for 32 bits", decimal(x)))
            }
            DataType::Float => Ok(Value::Double(f64::from(x as f32))),
            _ => Ok(Value::Double(x)),
        };
        match (self, value) {
            (DataType::Bool, Value::Bool(flag)) => Ok(Value::Bool(flag)),
            (DataType::Int8, Value::Int64(n)) => whole(8, n),
            (DataType::Int16, Value::Int64(n)) => whole(16, n),
            (DataType::Int32, Value::Int64(n)) => whole(32, n),
            (DataType::Int64, Value::Int64(n)) => Ok(Value::Int64(n)),
            (DataType::Float | DataType::Double, Value::Double(x)) => float(x),
            (DataType::Float, Value::Int64(n)) => float(n as f64),
            (DataType::Double, Value::Int64(n)) if n as f64 as i128 == i128::from(n) => Ok(Value::Double(n as f64)),
            (DataType::VarChar { max_length }, Value::VarChar(text)) => match text.len() as u64 > u64::from(max_length)
            {
                true => Err(format!("a text of {} bytes, of which it takes {max_length}", text.len())),
                false => Ok(Value::VarChar(text)),
            },
            (_, Value::Int64(n)) => Err(format!("the integer {n}")),
            (_, other) => Err(format!("a {}", other.field_type().map_or("null", FieldType::name))),
        }
    }

    pub(super) fn encode(self, out: &mut Vec<u8>, nullable: bool) {
        let (code, length) = match self {
            DataType::Bool => (0, 0),
            DataType::Int8 => (1, 0),
            DataType::Int16 => (2, 0),
            DataType::Int32 => (3, 0),
            DataType::Int64 => (4, 0),
            DataType::Float => (5, 0),
            DataType::Double => (6, 0),
            DataType::VarChar { max_length } => (7, max_length),
            DataType::Json => (8, 0),
            DataType::Array { max_capacity, .. } => (9, max_capacity),
        };
        out.extend([code, u8::from(nullable)]);
        out.extend(length.to_le_bytes());
        if let DataType::Array { elements, .. } = self {
            elements.data_type().encode(out, false);
        }
    }

    /// The type, and whether it is nullable.
    pub(super) fn decode(c: &mut Cursor<'_>) -> Result<(Self, bool)> {
        let (code, nullable, length) = (c.u8()?, read_flag(c)?, c.u32()?);
        let data_type = match code {
            0 => DataType::Bool,
            1 => DataType::Int8,
            2 => DataType::Int16,
            3 => DataType::Int32,
            4 => DataType::Int64,
            5 => DataType::Float,
            6 => DataType::Double,
            7 => DataType::VarChar { max_length: length },
            8 => DataType::Json,
            9 => {
                let code = c.clone().u8()?;
                // An array in an array is refused before it is read: a file can't nest without end.
                let elements = if code < 8 { Element::of(DataType::decode(c)?.0) } else { None };
                let elements = elements.ok_or_else(|| {
                    Error::corrupt("the elements of an array have no known type; the file is damaged")
                })?;
                DataType::Array { elements, max_capacity: length }
            }
            other => {
                return Err(Error::new(
                    Code::UnsupportedFormat,
                    format!("field type {other} is not known to this version of elanus; update it"),
                ));
            }
        };
        Ok((data_type, nullable))
    }
}

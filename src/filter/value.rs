//! The types a field can have, and the value of one row.

use crate::words::say::quoted;
use crate::words::{Code, Error, Result};
use std::borrow::Cow;

/// The type of a field, under Milvus's name, with its code in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FieldType {
    /// `true` or `false`.
    Bool = 0,
    /// A signed 64-bit integer.
    Int64 = 1,
    /// A finite 64-bit float. Not 32 bits: values come from JSON and must compare as written there.
    Double = 2,
    /// UTF-8 text, ordered bytewise.
    VarChar = 3,
}

impl FieldType {
    /// Every type, in the order of the codes.
    pub const ALL: &'static [FieldType] = &[FieldType::Bool, FieldType::Int64, FieldType::Double, FieldType::VarChar];

    /// The name that users see.
    pub const fn name(self) -> &'static str {
        match self {
            FieldType::Bool => "Bool",
            FieldType::Int64 => "Int64",
            FieldType::Double => "Double",
            FieldType::VarChar => "VarChar",
        }
    }

    /// Reads a name, in any case.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, with the names there are.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|t| t.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|t| t.name()).collect();
            Error::argument(format!("unknown field type {}; it is one of {}", quoted(text), names.join(", ")))
        })
    }

    /// The type of a code in a file.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT` for a code that this version doesn't know.
    pub fn from_code(code: u8) -> Result<Self> {
        Self::ALL.get(usize::from(code)).copied().ok_or_else(|| {
            Error::new(
                Code::UnsupportedFormat,
                format!(
                    "field type code {code} is not known to this version of elanus; update it, or rebuild the file"
                ),
            )
        })
    }

    /// Whether it is one of the number types.
    pub(super) fn is_number(self) -> bool {
        matches!(self, FieldType::Int64 | FieldType::Double)
    }
}

impl std::fmt::Display for FieldType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a field holds in one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// In a `Bool` field.
    Bool(bool),
    /// In an `Int64` field.
    Int64(i64),
    /// In a `Double` field.
    Double(f64),
    /// In a `VarChar` field.
    VarChar(Cow<'a, str>),
}

impl Value<'_> {
    /// The type of field it belongs in; none for a null, which belongs in any.
    pub fn field_type(&self) -> Option<FieldType> {
        match self {
            Value::Null => None,
            Value::Bool(_) => Some(FieldType::Bool),
            Value::Int64(_) => Some(FieldType::Int64),
            Value::Double(_) => Some(FieldType::Double),
            Value::VarChar(_) => Some(FieldType::VarChar),
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int64(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Value::Double(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::VarChar(Cow::Borrowed(value))
    }
}

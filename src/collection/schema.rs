//! What the entities of a collection are made of.

use super::codec::{read_count, read_text, read_value, write_text, write_value};
use crate::filter::{ColumnsBuilder, FieldType, Value};
use crate::segment::Key;
use crate::words::say::{decimal, quoted};
use crate::words::{Code, Cursor, Error, MatrixView, Metric, Result};
use std::borrow::Cow;

/// The most bytes that a VarChar may be allowed: Milvus's limit.
pub const MAX_VARCHAR: u32 = 65_535;

/// What entities are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The field that entities are known by.
    pub primary: Primary,
    /// The field that is searched.
    pub vector: VectorField,
    /// The other fields.
    pub fields: Vec<Field>,
    /// Whether entities may have other fields than these: kept as a JSON object with each.
    pub dynamic: bool,
}

/// The primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// Its name.
    pub name: String,
    /// Its type.
    pub key_type: KeyType,
    /// Whether the collection gives keys: 1, 2, 3, …, none of them twice.
    pub auto_id: bool,
}

/// The type of a primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// A signed 64-bit integer.
    Int64,
    /// A text.
    VarChar {
        /// The most bytes of it.
        max_length: u32,
    },
}

/// A field of float vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorField {
    /// Its name.
    pub name: String,
    /// Numbers in each.
    pub dimension: u32,
    /// How nearness is measured. COSINE vectors are kept normalised.
    pub metric: Metric,
}

/// A field of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// What stands in for a null.
    pub default: Option<Value<'static>>,
}

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
        }
    }

    /// The type of a name; a VarChar of `max_length`.
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
        ];
        all.into_iter().find(|t| t.name() == name).ok_or_else(|| {
            Error::argument(format!(
                "fields of type {} can't be kept yet; the types are {}",
                quoted(name),
                all.map(DataType::name).join(", ")
            ))
        })
    }

    /// The type of the column that filters read.
    pub const fn column(self) -> FieldType {
        match self {
            DataType::Bool => FieldType::Bool,
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => FieldType::Int64,
            DataType::Float | DataType::Double => FieldType::Double,
            DataType::VarChar { .. } => FieldType::VarChar,
        }
    }

    /// The value as the field keeps it; the fault if it can't.
    fn fit(self, value: Value<'static>) -> std::result::Result<Value<'static>, String> {
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
}

impl Field {
    /// A field that takes no null.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Field { name: name.into(), data_type, nullable: false, default: None }
    }

    /// The value as it is kept.
    pub(super) fn fit(&self, value: Value<'static>, row: usize) -> Result<Value<'static>> {
        let value = match (value, &self.default) {
            (Value::Null, Some(default)) => default.clone(),
            (Value::Null, None) if self.nullable => return Ok(Value::Null),
            (Value::Null, None) => {
                return Err(invalid(format!(
                    "entity {row} has no value for field {}; give it one, or make the field nullable",
                    quoted(&self.name)
                )));
            }
            (value, _) => value,
        };
        self.data_type.fit(value).map_err(|came| {
            invalid(format!(
                "entity {row}: field {} is {}, but its value is {came}",
                quoted(&self.name),
                self.data_type.name()
            ))
        })
    }
}

impl Schema {
    /// An Int64 key `id`, a field `vector`, and dynamic fields: what Milvus makes of a dimension.
    pub fn quick(dimension: u32, metric: Metric) -> Self {
        Schema {
            primary: Primary { name: "id".into(), key_type: KeyType::Int64, auto_id: false },
            vector: VectorField { name: "vector".into(), dimension, metric },
            fields: Vec::new(),
            dynamic: true,
        }
    }

    /// Refuses what no collection can have.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`.
    pub fn check(&self) -> Result<()> {
        let Schema { primary, vector, fields, .. } = self;
        if vector.dimension == 0 || vector.dimension as usize > MatrixView::MAX_DIMENSION {
            return Err(Error::argument(format!(
                "field {} has {} dimensions; 1 to {} are possible",
                quoted(&vector.name),
                vector.dimension,
                MatrixView::MAX_DIMENSION
            )));
        }
        if !Metric::DENSE.contains(&vector.metric) {
            return Err(Error::argument(format!(
                "{} is for texts; dense vectors have L2, IP or COSINE",
                vector.metric
            )));
        }
        // As a column, a name is held to what filters can say, and is there once.
        let names = self.columns().chain([(vector.name.as_str(), FieldType::Bool)]);
        ColumnsBuilder::new(names).map_err(|error| Error::argument(error.message))?;
        let lengths = fields.iter().map(|field| match field.data_type {
            DataType::VarChar { max_length } => Some((&field.name, max_length)),
            _ => None,
        });
        let key_length = match primary.key_type {
            KeyType::VarChar { max_length } => Some((&primary.name, max_length)),
            KeyType::Int64 => None,
        };
        if let Some((name, length)) = lengths.chain([key_length]).flatten().find(|(_, n)| *n == 0 || *n > MAX_VARCHAR) {
            return Err(Error::argument(format!(
                "max_length of field {} is {length}; it is 1 to {MAX_VARCHAR} bytes",
                quoted(name)
            )));
        }
        if primary.auto_id && primary.key_type != KeyType::Int64 {
            return Err(Error::argument("autoID gives numbers; make the primary key Int64"));
        }
        for field in fields {
            if let Some(default) = &field.default
                && field.data_type.fit(default.clone()).ok().as_ref() != Some(default)
            {
                return Err(Error::argument(format!(
                    "the default of field {} doesn't fit its type {}",
                    quoted(&field.name),
                    field.data_type.name()
                )));
            }
        }
        Ok(())
    }

    /// Numbers in a vector.
    pub fn dimension(&self) -> usize {
        self.vector.dimension as usize
    }

    /// Whether keys are texts.
    pub fn has_varchar_keys(&self) -> bool {
        matches!(self.primary.key_type, KeyType::VarChar { .. })
    }

    /// The columns that filters read, the primary key first.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, FieldType)> {
        let key = if self.has_varchar_keys() { FieldType::VarChar } else { FieldType::Int64 };
        let fields = self.fields.iter().map(|field| (field.name.as_str(), field.data_type.column()));
        [(self.primary.name.as_str(), key)].into_iter().chain(fields)
    }

    /// Refuses a key of another type, or one that is too long.
    ///
    /// # Errors
    /// `INVALID_INPUT`.
    pub(super) fn check_key(&self, key: &Key) -> Result<()> {
        let (expected, fits) = match (self.primary.key_type, key) {
            (KeyType::Int64, key) => ("a 64-bit integer".to_owned(), matches!(key, Key::Int64(_))),
            (KeyType::VarChar { max_length }, Key::VarChar(key)) => {
                (format!("a text of at most {max_length} bytes"), key.len() as u64 <= u64::from(max_length))
            }
            (KeyType::VarChar { .. }, Key::Int64(_)) => ("a text".to_owned(), false),
        };
        match fits {
            true => Ok(()),
            false => {
                let came = match key {
                    Key::VarChar(text) if text.len() > 80 => format!("a text of {} bytes", text.len()),
                    key => key.to_string(),
                };
                Err(invalid(format!("the primary key {} is {expected}, but {came} came", quoted(&self.primary.name))))
            }
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let Schema { primary, vector, fields, dynamic } = self;
        write_text(out, &primary.name);
        out.extend(match primary.key_type {
            KeyType::Int64 => 0u32.to_le_bytes(),
            KeyType::VarChar { max_length } => max_length.to_le_bytes(),
        });
        out.extend([u8::from(primary.auto_id), u8::from(*dynamic), vector.metric as u8]);
        write_text(out, &vector.name);
        out.extend(vector.dimension.to_le_bytes());
        out.extend((fields.len() as u32).to_le_bytes());
        for field in fields {
            write_text(out, &field.name);
            let (code, length) = match field.data_type {
                DataType::Bool => (0, 0),
                DataType::Int8 => (1, 0),
                DataType::Int16 => (2, 0),
                DataType::Int32 => (3, 0),
                DataType::Int64 => (4, 0),
                DataType::Float => (5, 0),
                DataType::Double => (6, 0),
                DataType::VarChar { max_length } => (7, max_length),
            };
            out.extend([code, u8::from(field.nullable)]);
            out.extend(length.to_le_bytes());
            write_value(out, field.default.as_ref().unwrap_or(&Value::Null));
        }
    }

    pub(super) fn decode(c: &mut Cursor<'_>) -> Result<Self> {
        let name = read_text(c)?;
        let key_type = match c.u32()? {
            0 => KeyType::Int64,
            max_length => KeyType::VarChar { max_length },
        };
        let flag = |c: &mut Cursor<'_>| match c.u8()? {
            bit @ (0 | 1) => Ok(bit == 1),
            other => Err(Error::corrupt(format!("a flag of the schema is {other}; the file is damaged"))),
        };
        let (auto_id, dynamic, metric) = (flag(c)?, flag(c)?, Metric::from_code(c.u8()?)?);
        let vector = VectorField { name: read_text(c)?, dimension: c.u32()?, metric };
        let count = read_count(c, 11, "fields")?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let name = read_text(c)?;
            let (code, nullable, length) = (c.u8()?, flag(c)?, c.u32()?);
            let data_type = match code {
                0 => DataType::Bool,
                1 => DataType::Int8,
                2 => DataType::Int16,
                3 => DataType::Int32,
                4 => DataType::Int64,
                5 => DataType::Float,
                6 => DataType::Double,
                7 => DataType::VarChar { max_length: length },
                other => {
                    return Err(Error::new(
                        Code::UnsupportedFormat,
                        format!("field type {other} is not known to this version of elanus; update it"),
                    ));
                }
            };
            let default = Some(read_value(c)?).filter(|value| *value != Value::Null);
            fields.push(Field { name, data_type, nullable, default });
        }
        let schema = Schema { primary: Primary { name, key_type, auto_id }, vector, fields, dynamic };
        schema.check().map_err(|error| Error::corrupt(format!("{}; the file is damaged", error.message)))?;
        Ok(schema)
    }
}

/// A key as a value that filters can compare.
pub(super) fn key_value(key: &Key) -> Value<'_> {
    match key {
        Key::Int64(key) => Value::Int64(*key),
        Key::VarChar(key) => Value::VarChar(Cow::Borrowed(key)),
    }
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(Code::InvalidInput, message)
}

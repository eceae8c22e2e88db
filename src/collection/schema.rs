//! What the entities of a collection are made of.

use super::codec::{read_count, read_flag, read_text, read_value, write_text, write_value};
use super::data_type::DataType;
use crate::filter::{ColumnsBuilder, Declared, FieldType, Shape, Value};
use crate::segment::Key;
use crate::words::say::quoted;
use crate::words::{Code, Cursor, Error, MatrixView, Metric, Result};
use std::borrow::Cow;

/// The most bytes that a VarChar may be allowed: Milvus's limit.
pub const MAX_VARCHAR: u32 = 65_535;
/// The most elements that an Array may be allowed: Milvus's limit.
pub const MAX_CAPACITY: u32 = 4096;

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
        let others = self.documents().map(|field| (field.name.as_str(), FieldType::Bool));
        let names = self.columns().chain([(vector.name.as_str(), FieldType::Bool)]).chain(others);
        ColumnsBuilder::new(names).map_err(|error| Error::argument(error.message))?;
        let lengths = fields.iter().map(|field| match field.data_type {
            DataType::Array { elements, .. } => (&field.name, elements.data_type()),
            other => (&field.name, other),
        });
        let lengths = lengths.map(|(name, data_type)| match data_type {
            DataType::VarChar { max_length } => Some((name, max_length)),
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
            if let DataType::Array { max_capacity, .. } = field.data_type
                && (max_capacity == 0 || max_capacity > MAX_CAPACITY)
            {
                return Err(Error::argument(format!(
                    "max_capacity of field {} is {max_capacity}; it is 1 to {MAX_CAPACITY} elements",
                    quoted(&field.name)
                )));
            }
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
        let fields = self.fields.iter().filter_map(|field| Some((field.name.as_str(), field.data_type.column()?)));
        [(self.primary.name.as_str(), key)].into_iter().chain(fields)
    }

    /// The fields that are columns: those that [`Draft::values`](super::Draft) are of.
    pub fn scalars(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.data_type.column().is_some())
    }

    /// The fields that are kept in the entity's JSON object.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.data_type.column().is_none())
    }

    /// Whether entities have such an object.
    pub fn has_documents(&self) -> bool {
        self.dynamic || self.documents().next().is_some()
    }

    /// What filters may say of that object.
    pub(super) fn shape(&self) -> Shape {
        let declared = self.documents().map(|Field { name, data_type, nullable, .. }| Declared {
            name: name.clone(),
            elements: match data_type {
                DataType::Array { elements, .. } => elements.data_type().column(),
                _ => None,
            },
            nullable: *nullable,
        });
        Shape { declared: declared.collect(), dynamic: self.dynamic }
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
            field.data_type.encode(out, field.nullable);
            write_value(out, field.default.as_ref().unwrap_or(&Value::Null));
        }
    }

    pub(super) fn decode(c: &mut Cursor<'_>) -> Result<Self> {
        let name = read_text(c)?;
        let key_type = match c.u32()? {
            0 => KeyType::Int64,
            max_length => KeyType::VarChar { max_length },
        };
        let (auto_id, dynamic, metric) = (read_flag(c)?, read_flag(c)?, Metric::from_code(c.u8()?)?);
        let vector = VectorField { name: read_text(c)?, dimension: c.u32()?, metric };
        let count = read_count(c, 11, "fields")?;
        let mut fields = Vec::with_capacity(count);
        for _ in 0..count {
            let name = read_text(c)?;
            let (data_type, nullable) = DataType::decode(c)?;
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

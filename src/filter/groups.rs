//! The values of one field as numbers, to tell groups of equal ones apart.

use super::check::field_not_found;
use super::columns::{Column, Columns, Data, numbers};
use super::value::FieldType;
use crate::words::say::quoted;
use crate::words::{Error, Result};

/// A field whose equal values are equal numbers.
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a> {
    column: &'a Column,
}

impl Columns {
    /// The groups of the rows by a field.
    ///
    /// # Errors
    /// `FIELD_NOT_FOUND`, with the fields there are; `INVALID_ARGUMENT` for a `Double`.
    pub fn groups(&self, field: &str) -> Result<Groups<'_>> {
        let column = self.find(field).ok_or_else(|| field_not_found(field, self.fields().map(|(name, _)| name)))?;
        if column.field_type() == FieldType::Double {
            return Err(Error::argument(format!(
                "the field {} is a Double, whose values are hardly ever equal; group by a Bool, an Int64 or a VarChar",
                quoted(field)
            )));
        }
        Ok(Groups { column })
    }
}

impl Groups<'_> {
    /// What stands for the value of a row; `None` for a null, and for a row that isn't there.
    pub fn of(&self, row: usize) -> Option<u64> {
        if !self.column.has_value(row) {
            return None;
        }
        match self.column.data() {
            Data::Bool(bits) => numbers::<u64>(bits).get(row / 64).map(|word| word >> (row % 64) & 1),
            Data::Int64(values) => numbers::<i64>(values).get(row).map(|value| value.cast_unsigned()),
            Data::Double(values) => numbers::<u64>(values).get(row).copied(),
            Data::VarChar(texts) => Some(texts.codes().get(row) as u64),
        }
    }
}

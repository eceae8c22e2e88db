//! Tests of the whole layer; single parts are tested beside their code.

mod cases;
mod conformance;
mod damage;
mod objects;
mod random;

use super::{Columns, ColumnsBuilder, FieldType, Value, compile};
use crate::words::{Blob, Error};

/// Columns from rows of values.
fn columns(fields: &[(&str, FieldType)], rows: &[Vec<Value<'static>>]) -> Columns {
    let section = section(fields, rows);
    let columns = Columns::open(Blob::copy_of(&section).unwrap(), rows.len()).unwrap();
    columns.verify().unwrap();
    columns
}

fn section(fields: &[(&str, FieldType)], rows: &[Vec<Value<'static>>]) -> Vec<u8> {
    let mut builder = ColumnsBuilder::new(fields.iter().copied()).unwrap();
    for row in rows {
        row.iter().enumerate().for_each(|(i, value)| builder.push(i, value.clone()).unwrap());
    }
    builder.finish(rows.len()).unwrap()
}

fn rows(text: &str, columns: &Columns) -> Vec<usize> {
    compile(text, columns).unwrap_or_else(|e| panic!("{text}: {e}")).evaluate().iter().collect()
}

fn refusal(text: &str, columns: &Columns) -> Error {
    compile(text, columns).err().unwrap_or_else(|| panic!("{text} was accepted"))
}

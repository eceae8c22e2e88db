//! JSON objects beside the columns: what fields of type JSON and Array and dynamic fields are kept in.

use super::value::FieldType;

/// The object of each row.
pub trait Documents {
    /// The text of a row's object; empty for one without members.
    fn document(&self, row: usize) -> &str;
}

/// No objects at all.
impl Documents for () {
    fn document(&self, _: usize) -> &str {
        ""
    }
}

/// Which members filters may speak of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// Those that are fields of their own.
    pub declared: Vec<Declared>,
    /// Whether there may be others.
    pub dynamic: bool,
}

/// A field that is kept in the object.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// The type of its elements if it is an Array; none for JSON.
    pub elements: Option<FieldType>,
    /// Whether it may be missing, and then is unknown.
    pub nullable: bool,
}

impl Shape {
    pub(super) fn find(&self, name: &str) -> Option<&Declared> {
        self.declared.iter().find(|field| field.name == name)
    }
}

//! Filters: an expression over typed columns becomes the set of rows for which it is true.
//!
//! ```
//! use elanus::filter::{Columns, ColumnsBuilder, FieldType, Value, compile};
//! use elanus::words::Blob;
//!
//! let mut builder = ColumnsBuilder::new([("pos", FieldType::VarChar), ("year", FieldType::Int64)])?;
//! for (pos, year) in [("noun", 1990), ("verb", 2004), ("noun", 2011)] {
//!     builder.push(0, Value::from(pos))?;
//!     builder.push(1, Value::from(year))?;
//! }
//! let columns = Columns::open(Blob::copy_of(&builder.finish(3)?)?, 3)?;
//! let rows = compile(r#"pos == "noun" and year > 2000"#, &columns)?.evaluate();
//! assert_eq!(rows.iter().collect::<Vec<_>>(), [2]);
//! # Ok::<(), elanus::words::Error>(())
//! ```
//!
//! The grammar and its meaning are Milvus's. Two rules are worth knowing. A comparison with a null
//! is neither true nor false, and only rows for which the whole expression is true come back: a row
//! whose `year` is null is in neither `year > 2000` nor `not (year > 2000)`. And `not` binds
//! tighter than a comparison, so it wants parentheses.

mod ast;
mod builder;
mod check;
mod columns;
mod documents;
mod each;
mod evaluate;
mod groups;
mod lexer;
mod like;
mod number;
mod params;
mod parser;
#[cfg(test)]
mod tests;
mod value;

pub use builder::ColumnsBuilder;
pub use check::field_not_found;
pub use columns::Columns;
pub use documents::{Declared, Documents, Shape};
pub use evaluate::Filter;
pub use groups::Groups;
pub use params::Params;
pub use value::{FieldType, Value};

use crate::words::Result;

/// The longest filter text taken, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// Whether calculations, paths, lists and parameters are understood. The module that every page downloads goes
/// without, for its weight; collections, the command line and tests have them.
const FULL: bool = cfg!(any(not(target_arch = "wasm32"), feature = "web-collection", test));

/// Reads an expression and checks it against the columns there are.
///
/// # Errors
/// `INVALID_FILTER`, with the column where the text stops making sense, what was expected and what
/// came; `FIELD_NOT_FOUND`, with the fields there are.
pub fn compile(text: &str, columns: &Columns) -> Result<Filter> {
    Parsed::new(text, &Params::default())?.check(columns, &Shape::default())
}

/// An expression that was read, to be checked against the columns of one part after the other.
#[derive(Debug, Clone)]
pub struct Parsed {
    text: String,
    expression: ast::Expression,
}

impl Parsed {
    /// Reads an expression, with what its parameters stand for.
    ///
    /// # Errors
    /// `INVALID_FILTER`.
    pub fn new(text: &str, params: &Params) -> Result<Self> {
        Ok(Parsed { expression: parser::parse(lexer::Source(text), params)?, text: text.to_owned() })
    }

    /// Checks it against columns, and the members of the objects beside them.
    ///
    /// # Errors
    /// `INVALID_FILTER`, `FIELD_NOT_FOUND`.
    pub fn check(&self, columns: &Columns, shape: &Shape) -> Result<Filter> {
        check::check(&self.expression, lexer::Source(&self.text), columns, shape)
    }
}

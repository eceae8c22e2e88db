//! What a filter text says, before anything is known of the fields.

use super::number::{Arithmetic, Number, Op};
use crate::words::say::{decimal, quoted};

/// A piece of the tree, with the byte where its text starts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub(super) at: usize,
    pub(super) what: T,
}

/// A condition. `And` and `Or` hold all terms of a chain, so that the tree is only as deep as the
/// text's parentheses.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    /// A `Bool` field or literal that stands alone.
    Truth(At<Operand>),
    Compare {
        left: At<Operand>,
        op: At<Op>,
        right: At<Operand>,
    },
    In {
        operand: At<Operand>,
        negated: bool,
        items: Vec<At<Literal>>,
    },
    Like {
        operand: At<Operand>,
        pattern: String,
    },
    IsNull {
        operand: At<Operand>,
        negated: bool,
    },
    Exists(At<Operand>),
    /// `json_contains` and the like.
    Contains {
        /// Whether it is `array_contains…`.
        array: bool,
        wanted: Wanted,
        operand: At<Operand>,
        items: Vec<At<Literal>>,
    },
}

/// How many of its values an array is to contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Any,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Field(String),
    Path {
        root: String,
        /// At least one.
        steps: Vec<Step>,
    },
    Literal(Literal),
    Arithmetic {
        op: At<Arithmetic>,
        left: Box<At<Operand>>,
        right: Box<At<Operand>>,
    },
    Negative(Box<At<Operand>>),
    /// `array_length(…)`.
    Length(Box<At<Operand>>),
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Literal>),
}

impl Literal {
    /// How an error speaks of it.
    pub(super) fn describe(&self) -> String {
        match self {
            Literal::Bool(value) => format!("the literal {value}"),
            Literal::Number(Number::Int(value)) => format!("the integer {value}"),
            Literal::Number(Number::Double(value)) => format!("the float {}", decimal(*value)),
            Literal::Text(value) => format!("the text {}", shortened(value)),
            Literal::List(items) => format!("a list of {}", items.len()),
        }
    }
}

/// A text in quotes, cut where an error would get too long.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", quoted(&text[..end])),
        None => quoted(text).to_string(),
    }
}

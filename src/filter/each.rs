//! Tests that are worked out row by row: those of calculations, and of members of JSON objects.
//!
//! What isn't known is told from what isn't there, as Milvus does. A null in a field of its own, and a
//! calculation without a result, are unknown: the row is in neither a condition nor its opposite. A member
//! that is missing, or of another type than it is compared with, equals nothing and lies nowhere: `==`, `<`
//! and `in` are false for it, and so `!=` and `not in` are true.

use super::ast::{Literal, Step, Wanted};
use super::columns::Column;
use super::documents::Documents;
use super::like::Pattern;
use super::number::{Arithmetic, Number, Op, exact_f64, exact_i64, sorted_doubles, sorted_ints};
use super::value::Value;
use crate::words::json::{Json, Kind};
use std::borrow::Cow;

/// What gives a value for each row.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Column(Column),
    Literal(Literal),
    Path(Path),
    Arithmetic { op: Arithmetic, left: Box<Node>, right: Box<Node> },
    Negative(Box<Node>),
    Length(Path),
}

/// A member of a row's object.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
    /// Whether its first step is a field that may be null, and then is unknown.
    pub(super) nullable: bool,
}

/// A test of one row.
#[derive(Debug, Clone)]
pub(super) enum Each {
    Truth(Node),
    Compare { left: Node, op: Op, right: Node },
    In { node: Node, set: Set },
    Like { node: Node, pattern: Pattern },
    IsNull(Path),
    Exists(Path),
    Contains { path: Path, wanted: Wanted, items: Vec<Literal> },
}

/// Literals that a value is looked for among.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    ints: Vec<i64>,
    doubles: Vec<f64>,
    texts: Vec<String>,
    others: Vec<Literal>,
}

/// A value of one row.
#[derive(Debug, Clone)]
enum Item<'a> {
    Unknown,
    /// Not there, or nothing that compares.
    Absent,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Json(Json<'a>),
    List(&'a [Literal]),
}

impl Each {
    /// Whether it looks into the row's object.
    pub(super) fn reads_documents(&self) -> bool {
        match self {
            Each::Truth(node) | Each::In { node, .. } | Each::Like { node, .. } => node.reads_documents(),
            Each::Compare { left, right, .. } => left.reads_documents() || right.reads_documents(),
            Each::IsNull(_) | Each::Exists(_) | Each::Contains { .. } => true,
        }
    }

    /// Whether the row passes; none if that is unknown.
    pub(super) fn holds(&self, row: usize, documents: &dyn Documents) -> Option<bool> {
        match self {
            Each::Truth(node) => match node.item(row, documents) {
                Item::Unknown => None,
                Item::Bool(value) => Some(value),
                _ => Some(false),
            },
            Each::Compare { left, op, right } => {
                let (left, right) = (left.item(row, documents), right.item(row, documents));
                let order = match (&left, &right) {
                    (Item::Unknown, _) | (_, Item::Unknown) => return None,
                    (Item::Number(a), Item::Number(b)) => a.order(*b),
                    (Item::Text(a), Item::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
                    _ => {
                        let equal = left.equals(&right);
                        return Some(match op {
                            Op::Equal => equal,
                            Op::NotEqual => !equal,
                            _ => false,
                        });
                    }
                };
                Some(op.holds(order))
            }
            Each::In { node, set } => match node.item(row, documents) {
                Item::Unknown => None,
                item => Some(set.has(&item)),
            },
            Each::Like { node, pattern } => match node.item(row, documents) {
                Item::Unknown => None,
                Item::Text(text) => Some(pattern.matches(text.as_bytes())),
                _ => Some(false),
            },
            Each::IsNull(path) => Some(path.find(documents.document(row)).is_none_or(|json| json.kind() == Kind::Null)),
            Each::Exists(path) => Some(path.find(documents.document(row)).is_some()),
            Each::Contains { path, wanted, items } => {
                let document = documents.document(row);
                if path.is_unknown(document) {
                    return None;
                }
                let Some(array) = path.find(document).filter(|json| json.kind() == Kind::Array) else {
                    return Some(false);
                };
                let has = |item: &Literal| array.items().any(|value| Item::of(value).equals(&Item::of_literal(item)));
                Some(match wanted {
                    Wanted::All => items.iter().all(has),
                    Wanted::Any => items.iter().any(has),
                })
            }
        }
    }
}

impl Node {
    fn reads_documents(&self) -> bool {
        match self {
            Node::Column(_) | Node::Literal(_) => false,
            Node::Path(_) | Node::Length(_) => true,
            Node::Arithmetic { left, right, .. } => left.reads_documents() || right.reads_documents(),
            Node::Negative(inner) => inner.reads_documents(),
        }
    }

    fn item<'a>(&'a self, row: usize, documents: &'a dyn Documents) -> Item<'a> {
        match self {
            Node::Column(column) => match column.value(row) {
                Value::Null => Item::Unknown,
                Value::Bool(value) => Item::Bool(value),
                Value::Int64(value) => Item::Number(Number::Int(value)),
                Value::Double(value) => Item::Number(Number::Double(value)),
                Value::VarChar(text) => Item::Text(text),
            },
            Node::Literal(literal) => Item::of_literal(literal),
            Node::Path(path) => path.item(documents.document(row)),
            Node::Arithmetic { op, left, right } => match (left.item(row, documents), right.item(row, documents)) {
                (Item::Number(a), Item::Number(b)) => op.of(a, b).map_or(Item::Unknown, Item::Number),
                (Item::Unknown, _) | (_, Item::Unknown) => Item::Unknown,
                _ => Item::Absent,
            },
            Node::Negative(inner) => match inner.item(row, documents) {
                Item::Number(number) => number.negated().map_or(Item::Unknown, Item::Number),
                Item::Unknown => Item::Unknown,
                _ => Item::Absent,
            },
            Node::Length(path) => match path.item(documents.document(row)) {
                Item::Json(json) if json.kind() == Kind::Array => {
                    Item::Number(Number::Int(json.items().count() as i64))
                }
                Item::Unknown => Item::Unknown,
                _ => Item::Absent,
            },
        }
    }
}

impl Path {
    fn find<'a>(&self, document: &'a str) -> Option<Json<'a>> {
        self.steps.iter().try_fold(Json::of(document), |json, step| match step {
            Step::Key(name) => json.get(name),
            Step::Index(index) => json.at(*index),
        })
    }

    /// Whether the field that it starts with is null.
    fn is_unknown(&self, document: &str) -> bool {
        let root = || match self.steps.first() {
            Some(Step::Key(name)) => Json::of(document).get(name),
            _ => None,
        };
        self.nullable && root().is_none_or(|json| json.kind() == Kind::Null)
    }

    fn item<'a>(&self, document: &'a str) -> Item<'a> {
        match self.find(document) {
            Some(json) => match Item::of(json) {
                Item::Absent if self.is_unknown(document) => Item::Unknown,
                item => item,
            },
            None if self.is_unknown(document) => Item::Unknown,
            None => Item::Absent,
        }
    }
}

impl<'a> Item<'a> {
    fn of(json: Json<'a>) -> Self {
        match json.kind() {
            Kind::Null => Item::Absent,
            Kind::Bool(value) => Item::Bool(value),
            Kind::Int(value) => Item::Number(Number::Int(value)),
            Kind::Double(value) => Item::Number(Number::Double(value)),
            Kind::Text(text) => Item::Text(text),
            Kind::Array | Kind::Object => Item::Json(json),
        }
    }

    fn of_literal(literal: &'a Literal) -> Self {
        match literal {
            Literal::Bool(value) => Item::Bool(*value),
            Literal::Number(number) => Item::Number(*number),
            Literal::Text(text) => Item::Text(Cow::Borrowed(text)),
            Literal::List(items) => Item::List(items),
        }
    }

    /// Whether both are the same; nothing is the same as what isn't there.
    fn equals(&self, other: &Item<'_>) -> bool {
        match (self, other) {
            (Item::Bool(a), Item::Bool(b)) => a == b,
            (Item::Number(a), Item::Number(b)) => a.order(*b).is_eq(),
            (Item::Text(a), Item::Text(b)) => a == b,
            (Item::List(items), Item::Json(json)) | (Item::Json(json), Item::List(items)) => {
                json.kind() == Kind::Array
                    && json.items().count() == items.len()
                    && json.items().zip(*items).all(|(a, b)| Item::of(a).equals(&Item::of_literal(b)))
            }
            (Item::List(a), Item::List(b)) => {
                a.len() == b.len() && a.iter().zip(*b).all(|(a, b)| Item::of_literal(a).equals(&Item::of_literal(b)))
            }
            (Item::Json(a), Item::Json(b)) => same(*a, *b),
            _ => false,
        }
    }
}

/// Whether two arrays or objects hold the same, members of objects in any order.
fn same(a: Json<'_>, b: Json<'_>) -> bool {
    let equal = |a: Json<'_>, b: Json<'_>| match (a.kind(), b.kind()) {
        (Kind::Null, Kind::Null) => true,
        _ => Item::of(a).equals(&Item::of(b)),
    };
    match (a.kind(), b.kind()) {
        (Kind::Array, Kind::Array) => {
            a.items().count() == b.items().count() && a.items().zip(b.items()).all(|(a, b)| equal(a, b))
        }
        (Kind::Object, Kind::Object) => {
            a.members().count() == b.members().count()
                && a.members().all(|(name, value)| b.get(&name).is_some_and(|other| equal(value, other)))
        }
        _ => false,
    }
}

impl Set {
    pub(super) fn new<'a>(items: impl Iterator<Item = &'a Literal> + Clone) -> Self {
        let numbers = || {
            items.clone().filter_map(|item| match item {
                Literal::Number(number) => Some(*number),
                _ => None,
            })
        };
        let mut set = Set {
            ints: sorted_ints(numbers().filter_map(|number| match number {
                Number::Int(i) => Some(i),
                Number::Double(f) => exact_i64(f),
            })),
            doubles: sorted_doubles(numbers().filter_map(|number| match number {
                Number::Int(i) => exact_f64(i),
                Number::Double(f) => Some(f),
            })),
            ..Set::default()
        };
        for item in items {
            match item {
                Literal::Number(_) => {}
                Literal::Text(text) => set.texts.push(text.clone()),
                other => set.others.push(other.clone()),
            }
        }
        set.texts.sort_unstable();
        set
    }

    fn has(&self, item: &Item<'_>) -> bool {
        match item {
            Item::Number(Number::Int(i)) => self.ints.binary_search(i).is_ok(),
            Item::Number(Number::Double(f)) => {
                let at = self.doubles.partition_point(|known| known < f);
                self.doubles.get(at).is_some_and(|known| known == f)
            }
            Item::Text(text) => self.texts.binary_search_by(|known| known.as_str().cmp(text)).is_ok(),
            other => self.others.iter().any(|known| other.equals(&Item::of_literal(known))),
        }
    }
}

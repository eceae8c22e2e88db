//! Tree to plan: names become columns, values are checked against their types, and every `not`
//! moves down to the tests.
//!
//! Moving it down is what makes nulls come out right. Where an unknown counts as "not in", the rows
//! of `a and b` are those of both and the rows of `a or b` those of either; only `not` would have
//! to tell unknown from false, and De Morgan's laws hold with unknowns too.

use super::FULL;
use super::ast::{At, Expression, Literal, Operand, Step, Wanted};
use super::columns::{Column, Columns, Data, Texts};
use super::documents::Shape;
use super::each::{Each, Node, Path, Set};
use super::evaluate::{Filter, Plan, Test};
use super::lexer::{META, Source};
use super::like::Pattern;
use super::number::{
    Arithmetic, Number, Op, double_range, exact_f64, exact_i64, int_range, sorted_doubles, sorted_ints,
};
use super::value::FieldType;
use crate::words::say::quoted;
use crate::words::{Code, Error, Result};

/// Checks a parsed filter against the columns, and the objects beside them.
pub(super) fn check(expression: &Expression, source: Source<'_>, columns: &Columns, shape: &Shape) -> Result<Filter> {
    let plan = Checker { source, columns, shape }.plan(expression, false)?;
    Ok(Filter::new(plan, columns.rows()))
}

/// The error for a name that no field has, with the names there are and the likeliest one.
pub fn field_not_found<'a>(name: &str, fields: impl Iterator<Item = &'a str>) -> Error {
    Error::new(Code::FieldNotFound, missing(name, fields))
}

fn missing<'a>(name: &str, fields: impl Iterator<Item = &'a str>) -> String {
    let fields: Vec<&str> = fields.collect();
    let near = fields
        .iter()
        .map(|field| (edits(&name.to_ascii_lowercase(), &field.to_ascii_lowercase()), field))
        .min()
        .filter(|&(edits, field)| edits <= 2.min(field.len() / 2));
    let guess = near.map_or(String::new(), |(_, field)| format!("; did you mean {}?", quoted(field)));
    if fields.is_empty() {
        return format!("there is no field {}: the index file holds no fields", quoted(name));
    }
    format!("there is no field {}; the fields are {}{guess}", quoted(name), fields.join(", "))
}

/// Insertions, deletions and replacements between two words (Wagner and Fischer). Long words are
/// cut: only small distances matter.
fn edits(a: &str, b: &str) -> usize {
    let cut = |word: &str| word.chars().take(64).collect::<Vec<_>>();
    let (a, b) = (cut(a), cut(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

struct Checker<'a> {
    source: Source<'a>,
    columns: &'a Columns,
    shape: &'a Shape,
}

/// What an operand is: what a pass over one column can test, or what gives a value row by row.
enum Resolved<'a> {
    Column(&'a Column),
    Literal(&'a Literal),
    Node(Node),
}

impl<'a> Checker<'a> {
    fn plan(&self, expression: &Expression, negated: bool) -> Result<Plan> {
        let all = |terms: &[Expression]| terms.iter().map(|term| self.plan(term, negated)).collect::<Result<Vec<_>>>();
        match expression {
            Expression::And(terms) if negated => Ok(Plan::Or(all(terms)?)),
            Expression::Or(terms) if negated => Ok(Plan::And(all(terms)?)),
            Expression::And(terms) => Ok(Plan::And(all(terms)?)),
            Expression::Or(terms) => Ok(Plan::Or(all(terms)?)),
            Expression::Not(inner) => self.plan(inner, !negated),
            Expression::Truth(operand) => self.truth(operand, negated),
            Expression::Compare { left, op, right } => self.comparison(left, op, right, negated),
            Expression::In { operand, negated: not_in, items } => self.list(operand, items, negated != *not_in),
            Expression::Like { operand, pattern } => self.like(operand, pattern, negated),
            Expression::IsNull { operand, negated: not_null } => {
                let negated = negated != *not_null;
                match self.resolve(operand)? {
                    Resolved::Column(column) => Ok(Plan::IsNull { column: column.clone(), negated }),
                    Resolved::Node(Node::Path(path)) => Ok(each(Each::IsNull(path), negated)),
                    _ => Err(self.no_field(operand, "\"is null\"")),
                }
            }
            Expression::Exists(operand) | Expression::Contains { operand, .. } if !FULL => {
                Err(self.no_field(operand, "a comparison"))
            }
            Expression::Exists(operand) => match self.resolve(operand)? {
                Resolved::Node(Node::Path(path)) => Ok(each(Each::Exists(path), negated)),
                _ => Err(self.source.error(
                    operand.at,
                    "\"exists\" is for members of JSON and dynamic fields; other fields are always there, and \"is not null\" \
                     says whether they have a value",
                )),
            },
            Expression::Contains { array, wanted, operand, items } => {
                Ok(each(self.contains(*array, *wanted, operand, items)?, negated))
            }
        }
    }

    /// Finds what an operand speaks of.
    fn resolve<'e>(&self, operand: &'e At<Operand>) -> Result<Resolved<'e>>
    where
        'a: 'e,
    {
        Ok(match &operand.what {
            Operand::Literal(literal) => Resolved::Literal(literal),
            Operand::Field(name) => match self.columns.find(name) {
                Some(column) => Resolved::Column(column),
                None if !FULL => return Err(self.no_such_field(name, operand.at)),
                None => Resolved::Node(Node::Path(self.path(name, &[], operand.at)?)),
            },
            // The parser made none.
            _ if !FULL => return Err(self.no_field(operand, "a comparison")),
            Operand::Path { root, steps } => Resolved::Node(Node::Path(self.path(root, steps, operand.at)?)),
            Operand::Arithmetic { op, left, right } => Resolved::Node(Node::Arithmetic {
                op: op.what,
                left: Box::new(self.number(left, op.what)?),
                right: Box::new(self.number(right, op.what)?),
            }),
            Operand::Negative(inner) => {
                Resolved::Node(Node::Negative(Box::new(self.number(inner, Arithmetic::Subtract)?)))
            }
            Operand::Length(inner) => match self.resolve(inner)? {
                Resolved::Node(Node::Path(path)) => Resolved::Node(Node::Length(path)),
                _ => return Err(self.no_array(inner, "array_length")),
            },
        })
    }

    /// A member of the rows' objects.
    fn path(&self, root: &str, steps: &[Step], at: usize) -> Result<Path> {
        if root == META {
            let Some(Step::Key(name)) = steps.first() else {
                return Err(self.source.error(at, "$meta holds fields by name; write $meta[\"name\"]"));
            };
            if !self.shape.dynamic {
                return Err(self.source.error_of(Code::FieldNotFound, at, "there are no dynamic fields here"));
            }
            // A field of its own is no dynamic one.
            return match self.shape.find(name) {
                Some(_) => Err(self.source.error(at, "this is a field of the schema; write its name without $meta")),
                None => Ok(Path { steps: steps.to_vec(), nullable: false }),
            };
        }
        let first = [Step::Key(root.to_owned())];
        let steps = first.into_iter().chain(steps.iter().cloned());
        match (self.shape.find(root), self.columns.find(root)) {
            (Some(field), _) => Ok(Path { steps: steps.collect(), nullable: field.nullable }),
            (None, Some(column)) => Err(self.source.error(
                at,
                format!(
                    "field {root} is {}, and only JSON, Array and dynamic fields have members",
                    column.field_type()
                ),
            )),
            (None, None) if self.shape.dynamic => Ok(Path { steps: steps.collect(), nullable: false }),
            (None, None) => Err(self.no_such_field(root, at)),
        }
    }

    fn no_such_field(&self, name: &str, at: usize) -> Error {
        let columns = self.columns.fields().map(|(field, _)| field);
        let fields = columns.chain(self.shape.declared.iter().map(|field| field.name.as_str()));
        self.source.error_of(Code::FieldNotFound, at, missing(name, fields))
    }

    /// An operand of a calculation.
    fn number(&self, operand: &At<Operand>, op: Arithmetic) -> Result<Node> {
        let what = match self.resolve(operand)? {
            Resolved::Column(column) => match column.field_type() {
                FieldType::Double if op == Arithmetic::Remainder => {
                    return Err(self.source.error(
                        operand.at,
                        format!("field {} is Double, and remainders are of integers", column.name),
                    ));
                }
                field_type if field_type.is_number() => return Ok(Node::Column(column.clone())),
                other => format!("field {} is {other}", column.name),
            },
            Resolved::Literal(Literal::Number(number)) => return Ok(Node::Literal(Literal::Number(*number))),
            Resolved::Literal(other) => format!("{} came", other.describe()),
            Resolved::Node(Node::Path(path)) if self.elements_of(&path).is_some() => "an array is none".to_owned(),
            Resolved::Node(node) => return Ok(node),
        };
        Err(self.source.error(operand.at, format!("expected a number to calculate with, but {what}")))
    }

    /// The elements' type, if a path is a whole field of type Array.
    fn elements_of(&self, path: &Path) -> Option<FieldType> {
        match path.steps.as_slice() {
            [Step::Key(name)] => self.shape.find(name)?.elements,
            _ => None,
        }
    }

    /// The type of what a path leads to, where the schema says it.
    fn type_of(&self, path: &Path) -> Option<FieldType> {
        match path.steps.as_slice() {
            [Step::Key(name), Step::Index(_)] => self.shape.find(name)?.elements,
            _ => None,
        }
    }

    fn truth(&self, operand: &At<Operand>, negated: bool) -> Result<Plan> {
        match self.resolve(operand)? {
            Resolved::Literal(Literal::Bool(value)) => Ok(Plan::Constant(*value != negated)),
            Resolved::Literal(other) => Err(self
                .source
                .error(operand.at, format!("{} is no condition by itself; compare it with a field", other.describe()))),
            Resolved::Column(column) => match column.field_type() {
                FieldType::Bool => Ok(test(column, Test::Is(!negated), false)),
                other => Err(self.source.error(
                    operand.at,
                    format!(
                        "field {name} is {other}, so it is no condition by itself; compare it with something \
                         (\"not\" binds tighter than a comparison: write not ({name} == …))",
                        name = column.name
                    ),
                )),
            },
            Resolved::Node(node @ Node::Path(_)) => Ok(each(Each::Truth(node), negated)),
            Resolved::Node(_) => {
                Err(self.source.error(operand.at, "a number is no condition by itself; compare it with something"))
            }
        }
    }

    fn comparison(&self, left: &At<Operand>, op: &At<Op>, right: &At<Operand>, negated: bool) -> Result<Plan> {
        match (self.resolve(left)?, self.resolve(right)?) {
            (Resolved::Column(column), Resolved::Literal(value)) => {
                self.with_literal(column, op.what, value, right.at, negated)
            }
            (Resolved::Literal(value), Resolved::Column(column)) => {
                self.with_literal(column, op.what.flipped(), value, left.at, negated)
            }
            (Resolved::Column(a), Resolved::Column(b)) => {
                let (x, y) = (a.field_type(), b.field_type());
                if !meet(x, y) {
                    return Err(self.source.error(
                        op.at,
                        format!("field {} is {x} and field {} is {y}; they can't be compared", a.name, b.name),
                    ));
                }
                self.ordered(x, op)?;
                let op = if negated { op.what.negated() } else { op.what };
                Ok(Plan::Pair { left: a.clone(), op, right: b.clone() })
            }
            (Resolved::Literal(a), Resolved::Literal(b)) => {
                let order = match (a, b) {
                    (Literal::Number(a), Literal::Number(b)) => a.order(*b),
                    (Literal::Text(a), Literal::Text(b)) => a.cmp(b),
                    (Literal::Bool(a), Literal::Bool(b)) => {
                        self.ordered(FieldType::Bool, op)?;
                        a.cmp(b)
                    }
                    _ => {
                        return Err(self
                            .source
                            .error(op.at, format!("{} and {} can't be compared", a.describe(), b.describe())));
                    }
                };
                Ok(Plan::Constant(op.what.holds(order) != negated))
            }
            (a, b) => {
                self.comparable(&a, &b, op)?;
                self.comparable(&b, &a, op)?;
                Ok(each(Each::Compare { left: node(a), op: op.what, right: node(b) }, negated))
            }
        }
    }

    /// Refuses what is never true: a number beside something that is no number, whole arrays in an order.
    fn comparable(&self, one: &Resolved<'_>, other: &Resolved<'_>, op: &At<Op>) -> Result<()> {
        let expected = match one {
            Resolved::Node(Node::Arithmetic { .. } | Node::Negative(_) | Node::Length(_)) => Some(FieldType::Int64),
            Resolved::Node(Node::Path(path)) => {
                if self.elements_of(path).is_some() && !matches!(op.what, Op::Equal | Op::NotEqual) {
                    return Err(self.source.error(op.at, "arrays have no order; use \"==\" or \"!=\", or an element"));
                }
                self.type_of(path)
            }
            _ => None,
        };
        let came = match other {
            Resolved::Literal(literal) => (literal_type(literal), literal.describe()),
            Resolved::Column(column) => (Some(column.field_type()), format!("field {}", column.name)),
            Resolved::Node(_) => return Ok(()),
        };
        match (expected, came) {
            (Some(a), (b, came)) if !b.is_some_and(|b| meet(a, b)) => {
                let expected = if a.is_number() { "a number" } else { a.name() };
                Err(self.source.error(op.at, format!("{expected} can't be compared with {came}")))
            }
            _ => Ok(()),
        }
    }

    fn with_literal(&self, column: &Column, op: Op, value: &Literal, at: usize, negated: bool) -> Result<Plan> {
        let outside = (op == Op::NotEqual) != negated;
        Ok(match (column.data(), value) {
            (Data::Bool(_), Literal::Bool(value)) => {
                self.ordered(FieldType::Bool, &At { at, what: op })?;
                test(column, Test::Is(*value != outside), false)
            }
            (Data::Int64(_), Literal::Number(number)) => test(column, Test::Ints(int_range(op, *number)), outside),
            (Data::Double(_), Literal::Number(number)) => {
                test(column, Test::Doubles(double_range(op, *number)), outside)
            }
            (Data::VarChar(texts), Literal::Text(text)) => {
                let text = text.as_bytes();
                let below = || texts.partition_point(|t| t < text);
                let at_most = || texts.partition_point(|t| t <= text);
                let codes = match op {
                    Op::Equal | Op::NotEqual => texts.codes_of(text),
                    Op::Less => 0..below(),
                    Op::LessEqual => 0..at_most(),
                    Op::Greater => at_most()..texts.len(),
                    Op::GreaterEqual => below()..texts.len(),
                };
                test(column, Test::Codes(codes), outside)
            }
            _ => return Err(self.mismatch(column, value, at)),
        })
    }

    fn list(&self, operand: &At<Operand>, items: &[At<Literal>], negated: bool) -> Result<Plan> {
        let column = match self.resolve(operand)? {
            Resolved::Column(column) => column,
            Resolved::Literal(_) => return Err(self.no_field(operand, "\"in\"")),
            Resolved::Node(node) => {
                let set = Set::new(items.iter().map(|item| &item.what));
                return Ok(each(Each::In { node, set }, negated));
            }
        };
        let fits = |item: &&At<Literal>| match (&item.what, column.field_type()) {
            (Literal::Number(_), field_type) => field_type.is_number(),
            (Literal::Bool(_), field_type) => field_type == FieldType::Bool,
            (Literal::Text(_), field_type) => field_type == FieldType::VarChar,
            (Literal::List(_), _) => false,
        };
        if let Some(wrong) = items.iter().find(|item| !fits(item)) {
            return Err(self.mismatch(column, &wrong.what, wrong.at));
        }
        let numbers = || {
            items.iter().filter_map(|item| match &item.what {
                Literal::Number(number) => Some(*number),
                _ => None,
            })
        };
        let test_of_list = match column.data() {
            Data::Bool(_) => {
                let has = |value| items.iter().any(|item| item.what == Literal::Bool(value));
                let any_value = Plan::IsNull { column: column.clone(), negated: true };
                return Ok(match (has(true), has(false)) {
                    (yes, no) if yes == no => {
                        if yes != negated {
                            any_value
                        } else {
                            Plan::Constant(false)
                        }
                    }
                    (yes, _) => test(column, Test::Is(yes != negated), false),
                });
            }
            Data::Int64(_) => {
                let exact = |number| match number {
                    Number::Int(i) => Some(i),
                    Number::Double(f) => exact_i64(f),
                };
                Test::IntSet(sorted_ints(numbers().filter_map(exact)))
            }
            Data::Double(_) => {
                let exact = |number| match number {
                    Number::Int(i) => exact_f64(i),
                    Number::Double(f) => Some(f),
                };
                Test::DoubleSet(sorted_doubles(numbers().filter_map(exact)))
            }
            Data::VarChar(texts) => {
                let mut wanted = vec![false; texts.len()];
                for item in items {
                    if let Literal::Text(text) = &item.what {
                        wanted[texts.codes_of(text.as_bytes())].fill(true);
                    }
                }
                Test::CodeSet(wanted)
            }
        };
        Ok(test(column, test_of_list, negated))
    }

    fn like(&self, operand: &At<Operand>, pattern: &str, negated: bool) -> Result<Plan> {
        let column = match self.resolve(operand)? {
            Resolved::Column(column) => column,
            Resolved::Node(node @ Node::Path(_)) => {
                return Ok(each(Each::Like { node, pattern: Pattern::new(pattern) }, negated));
            }
            _ => return Err(self.no_field(operand, "\"like\"")),
        };
        let Data::VarChar(texts) = column.data() else {
            return Err(self.source.error(
                operand.at,
                format!("field {} is {}, but \"like\" works on VarChar", column.name, column.field_type()),
            ));
        };
        Ok(test(column, like_test(texts, &Pattern::new(pattern))?, negated))
    }

    fn contains(&self, array: bool, wanted: Wanted, operand: &At<Operand>, items: &[At<Literal>]) -> Result<Each> {
        let path = match self.resolve(operand)? {
            Resolved::Node(Node::Path(path)) => path,
            _ => return Err(self.no_array(operand, if array { "array_contains" } else { "json_contains" })),
        };
        if let Some(elements) = self.elements_of(&path)
            && let Some(wrong) = items.iter().find(|item| !literal_type(&item.what).is_some_and(|t| meet(t, elements)))
        {
            let came = wrong.what.describe();
            return Err(self.source.error(wrong.at, format!("the array's elements are {elements}, but {came} came")));
        }
        Ok(Each::Contains { path, wanted, items: items.iter().map(|item| item.what.clone()).collect() })
    }

    fn no_field(&self, operand: &At<Operand>, what: &str) -> Error {
        let came = match &operand.what {
            Operand::Literal(value) => value.describe(),
            _ => "a calculation".to_owned(),
        };
        self.source.error(operand.at, format!("expected a field before {what}, but {came} came"))
    }

    fn no_array(&self, operand: &At<Operand>, call: &str) -> Error {
        let came = match &operand.what {
            Operand::Field(name) => {
                self.columns.find(name).map_or(String::new(), |column| column.field_type().to_string())
            }
            _ => "something else".to_owned(),
        };
        self.source.error(operand.at, format!("{call} is for arrays, but {came} came"))
    }

    fn ordered(&self, field_type: FieldType, op: &At<Op>) -> Result<()> {
        if field_type == FieldType::Bool && !matches!(op.what, Op::Equal | Op::NotEqual) {
            return Err(self.source.error(op.at, "Bool values have no order; use \"==\" or \"!=\""));
        }
        Ok(())
    }

    fn mismatch(&self, column: &Column, value: &Literal, at: usize) -> Error {
        let remedy = match (column.field_type(), value) {
            (FieldType::VarChar, _) => "put the value in quotes",
            (FieldType::Bool, _) => "compare it with true or false",
            (_, Literal::Text(_)) => "write the number without quotes",
            (_, _) => "compare it with a number",
        };
        self.source.error(
            at,
            format!("field {} is {}, but {} came; {remedy}", column.name, column.field_type(), value.describe()),
        )
    }
}

fn node(resolved: Resolved<'_>) -> Node {
    match resolved {
        Resolved::Column(column) => Node::Column(column.clone()),
        Resolved::Literal(literal) => Node::Literal(literal.clone()),
        Resolved::Node(node) => node,
    }
}

/// Whether values of the two types can be compared.
fn meet(a: FieldType, b: FieldType) -> bool {
    a == b || (a.is_number() && b.is_number())
}

/// The type of field that a literal belongs in; none for a list.
fn literal_type(literal: &Literal) -> Option<FieldType> {
    match literal {
        Literal::Bool(_) => Some(FieldType::Bool),
        Literal::Number(Number::Int(_)) => Some(FieldType::Int64),
        Literal::Number(Number::Double(_)) => Some(FieldType::Double),
        Literal::Text(_) => Some(FieldType::VarChar),
        Literal::List(_) => None,
    }
}

fn each(test: Each, negated: bool) -> Plan {
    if !FULL {
        return Plan::Constant(false);
    }
    Plan::Each { test: Box::new(test), negated }
}

fn test(column: &Column, test: Test, outside: bool) -> Plan {
    Plan::Test { column: column.clone(), test, outside }
}

fn like_test(texts: &Texts, pattern: &Pattern) -> Result<Test> {
    if let Some(prefix) = pattern.as_prefix() {
        let start = texts.partition_point(|t| t < prefix.as_slice());
        let end = texts.partition_point(|t| t < prefix.as_slice() || t.starts_with(&prefix));
        return Ok(Test::Codes(start..end));
    }
    Ok(Test::CodeSet(texts.all()?.map(|text| pattern.matches(text)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, expected) in [("", "", 0), ("pos", "pos", 0), ("pso", "pos", 2), ("lema", "lemma", 1), ("", "ab", 2)]
        {
            assert_eq!((edits(a, b), edits(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn a_missing_field_is_guessed_only_when_near() {
        let error = |name| field_not_found(name, ["pos", "lemma"].into_iter()).message;
        assert!(error("Lema").ends_with("did you mean \"lemma\"?"), "{}", error("Lema"));
        assert!(error("year").ends_with("the fields are pos, lemma"), "{}", error("year"));
        assert!(field_not_found("a", [].into_iter()).message.contains("holds no fields"));
    }
}

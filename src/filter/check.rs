//! Tree to plan: names become columns, values are checked against their types, and every `not`
//! moves down to the tests.
//!
//! Moving it down is what makes nulls come out right. Where an unknown counts as "not in", the rows
//! of `a and b` are those of both and the rows of `a or b` those of either; only `not` would have
//! to tell unknown from false, and De Morgan's laws hold with unknowns too.

use super::ast::{At, Expression, Literal, Operand};
use super::columns::{Column, Columns, Data, Texts};
use super::evaluate::{Filter, Plan, Test};
use super::lexer::Source;
use super::like::Pattern;
use super::number::{Number, Op, compare, double_range, exact_f64, exact_i64, int_range, sorted_doubles, sorted_ints};
use super::value::FieldType;
use crate::words::say::quoted;
use crate::words::{Code, Error, Result};

/// Checks a parsed filter against the columns.
pub(super) fn check(expression: &Expression, source: Source<'_>, columns: &Columns) -> Result<Filter> {
    let plan = Checker { source, columns }.plan(expression, false)?;
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
}

impl Checker<'_> {
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
                let column = self.field(operand, "\"is null\"")?;
                Ok(Plan::IsNull { column: column.clone(), negated: negated != *not_null })
            }
        }
    }

    fn truth(&self, operand: &At<Operand>, negated: bool) -> Result<Plan> {
        match &operand.what {
            Operand::Literal(Literal::Bool(value)) => Ok(Plan::Constant(*value != negated)),
            Operand::Literal(other) => Err(self
                .source
                .error(operand.at, format!("{} is no condition by itself; compare it with a field", other.describe()))),
            Operand::Field(name) => {
                let column = self.column(name, operand.at)?;
                match column.field_type() {
                    FieldType::Bool => Ok(test(column, Test::Is(!negated), false)),
                    other => Err(self.source.error(
                        operand.at,
                        format!(
                            "field {name} is {other}, so it is no condition by itself; compare it with something \
                             (\"not\" binds tighter than a comparison: write not ({name} == …))"
                        ),
                    )),
                }
            }
        }
    }

    fn comparison(&self, left: &At<Operand>, op: &At<Op>, right: &At<Operand>, negated: bool) -> Result<Plan> {
        match (&left.what, &right.what) {
            (Operand::Field(name), Operand::Literal(value)) => {
                self.with_literal(self.column(name, left.at)?, op.what, value, right.at, negated)
            }
            (Operand::Literal(value), Operand::Field(name)) => {
                self.with_literal(self.column(name, right.at)?, op.what.flipped(), value, left.at, negated)
            }
            (Operand::Field(a), Operand::Field(b)) => {
                let (a, b) = (self.column(a, left.at)?, self.column(b, right.at)?);
                let (x, y) = (a.field_type(), b.field_type());
                if x != y && !(x.is_number() && y.is_number()) {
                    return Err(self.source.error(
                        op.at,
                        format!("field {} is {x} and field {} is {y}; they can't be compared", a.name, b.name),
                    ));
                }
                self.ordered(x, op)?;
                let op = if negated { op.what.negated() } else { op.what };
                Ok(Plan::Pair { left: a.clone(), op, right: b.clone() })
            }
            (Operand::Literal(a), Operand::Literal(b)) => {
                let order = match (a, b) {
                    (Literal::Number(Number::Int(a)), Literal::Number(Number::Int(b))) => a.cmp(b),
                    (Literal::Number(Number::Int(a)), Literal::Number(Number::Double(b))) => compare(*a, *b),
                    (Literal::Number(Number::Double(a)), Literal::Number(Number::Int(b))) => compare(*b, *a).reverse(),
                    // Literals are finite, so they have an order.
                    (Literal::Number(Number::Double(a)), Literal::Number(Number::Double(b))) => {
                        a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal)
                    }
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
        let column = self.field(operand, "\"in\"")?;
        let fits = |item: &&At<Literal>| match (&item.what, column.field_type()) {
            (Literal::Number(_), field_type) => field_type.is_number(),
            (Literal::Bool(_), field_type) => field_type == FieldType::Bool,
            (Literal::Text(_), field_type) => field_type == FieldType::VarChar,
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
        let column = self.field(operand, "\"like\"")?;
        let Data::VarChar(texts) = column.data() else {
            return Err(self.source.error(
                operand.at,
                format!("field {} is {}, but \"like\" works on VarChar", column.name, column.field_type()),
            ));
        };
        Ok(test(column, like_test(texts, &Pattern::new(pattern))?, negated))
    }

    fn column(&self, name: &str, at: usize) -> Result<&Column> {
        self.columns.find(name).ok_or_else(|| {
            let fields = self.columns.fields().map(|(field, _)| field);
            self.source.error_of(Code::FieldNotFound, at, missing(name, fields))
        })
    }

    fn field(&self, operand: &At<Operand>, what: &str) -> Result<&Column> {
        match &operand.what {
            Operand::Field(name) => self.column(name, operand.at),
            Operand::Literal(value) => Err(self
                .source
                .error(operand.at, format!("expected a field before {what}, but {} came", value.describe()))),
        }
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

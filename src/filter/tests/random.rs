//! Random filters over random columns, against an evaluator that follows the definition row by row.

use super::columns;
use crate::filter::ast::{At, Expression, Literal, Operand};
use crate::filter::lexer::Source;
use crate::filter::number::{Number, Op};
use crate::filter::params::Params;
use crate::filter::parser::parse;
use crate::filter::{FieldType, Value, compile};
use proptest::prelude::*;
use std::cmp::Ordering;

const FIELDS: [(&str, FieldType); 8] = [
    ("a", FieldType::Int64),
    ("b", FieldType::Int64),
    ("c", FieldType::Double),
    ("d", FieldType::Double),
    ("s", FieldType::VarChar),
    ("t", FieldType::VarChar),
    ("p", FieldType::Bool),
    ("q", FieldType::Bool),
];

type Row = Vec<Value<'static>>;

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![6 => -3i64..4, 1 => Just(i64::MIN), 1 => Just(i64::MAX), 1 => Just((1 << 53) + 1), 1 => Just(1 << 53)]
}

fn double() -> impl Strategy<Value = f64> {
    let rare =
        prop::sample::select(vec![1e300, -1e300, 9_007_199_254_740_992.0, 9_223_372_036_854_775_808.0, -0.0, 0.1]);
    prop_oneof![6 => (-6i32..8).prop_map(|x| f64::from(x) / 2.0), 2 => rare]
}

fn word() -> impl Strategy<Value = String> {
    "[ab%_é\\\\'\"\n]{0,3}"
}

fn value(field_type: FieldType) -> BoxedStrategy<Value<'static>> {
    let value = match field_type {
        FieldType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        FieldType::Int64 => int().prop_map(Value::Int64).boxed(),
        FieldType::Double => double().prop_map(Value::Double).boxed(),
        FieldType::VarChar => word().prop_map(|w| Value::VarChar(w.into())).boxed(),
    };
    prop_oneof![4 => value, 1 => Just(Value::Null)].boxed()
}

fn literal(field_type: FieldType) -> BoxedStrategy<Literal> {
    match field_type {
        FieldType::Bool => any::<bool>().prop_map(Literal::Bool).boxed(),
        FieldType::VarChar => word().prop_map(Literal::Text).boxed(),
        FieldType::Int64 | FieldType::Double => prop_oneof![
            int().prop_map(|i| Literal::Number(Number::Int(i))),
            double().prop_map(|f| Literal::Number(Number::Double(f))),
        ]
        .boxed(),
    }
}

fn here<T>(what: T) -> At<T> {
    At { at: 0, what }
}

fn field(i: usize) -> At<Operand> {
    here(Operand::Field(FIELDS[i].0.to_owned()))
}

fn op(field_type: FieldType) -> impl Strategy<Value = Op> {
    let all = [Op::Equal, Op::NotEqual, Op::Less, Op::LessEqual, Op::Greater, Op::GreaterEqual];
    prop::sample::select(all[..if field_type == FieldType::Bool { 2 } else { 6 }].to_vec())
}

fn leaf() -> impl Strategy<Value = Expression> {
    let compare = (0..FIELDS.len(), any::<bool>()).prop_flat_map(|(i, flipped)| {
        let kind = FIELDS[i].1;
        (op(kind), literal(kind)).prop_map(move |(op, value)| {
            let (field, value) = (field(i), here(Operand::Literal(value)));
            let (left, right) = if flipped { (value, field) } else { (field, value) };
            Expression::Compare { left, op: here(op), right }
        })
    });
    // Neighbours among the fields have the same type; 0..4 are all numbers.
    let pair = prop_oneof![
        (0..4usize, 0..4usize, op(FieldType::Int64)),
        (Just(4), Just(5), op(FieldType::VarChar)),
        (Just(6), Just(7), op(FieldType::Bool)),
    ]
    .prop_map(|(i, j, op)| Expression::Compare { left: field(i), op: here(op), right: field(j) });
    let list = (0..FIELDS.len(), any::<bool>()).prop_flat_map(|(i, negated)| {
        prop::collection::vec(literal(FIELDS[i].1).prop_map(here), 0..4).prop_map(move |items| Expression::In {
            operand: field(i),
            negated,
            items,
        })
    });
    let like = (4..6usize, "[ab%_é\\\\]{0,4}").prop_map(|(i, pattern)| Expression::Like { operand: field(i), pattern });
    let null =
        (0..FIELDS.len(), any::<bool>()).prop_map(|(i, negated)| Expression::IsNull { operand: field(i), negated });
    let truth = prop_oneof![
        (6..8usize).prop_map(|i| Expression::Truth(field(i))),
        any::<bool>().prop_map(|value| Expression::Truth(here(Operand::Literal(Literal::Bool(value))))),
    ];
    prop_oneof![4 => compare, 2 => pair, 2 => list, 2 => like, 1 => null, 1 => truth]
}

fn expression() -> impl Strategy<Value = Expression> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|e| Expression::Not(Box::new(e))),
        ]
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn write_literal(literal: &Literal) -> String {
    match literal {
        Literal::Bool(value) => value.to_string(),
        Literal::Number(Number::Int(value)) => value.to_string(),
        Literal::Number(Number::Double(value)) => format!("{value:?}"),
        Literal::Text(text) => quoted(text),
        Literal::List(_) => unreachable!("tests of lists are beside those of objects"),
    }
}

fn write_operand(operand: &At<Operand>) -> String {
    match &operand.what {
        Operand::Field(name) => name.clone(),
        Operand::Literal(literal) => write_literal(literal),
        _ => unreachable!("tests of calculations are beside those of objects"),
    }
}

fn write(expression: &Expression) -> String {
    let join = |terms: &[Expression], by: &str| {
        terms.iter().map(|term| format!("({})", write(term))).collect::<Vec<_>>().join(by)
    };
    match expression {
        Expression::And(terms) => join(terms, " and "),
        Expression::Or(terms) => join(terms, " || "),
        Expression::Not(inner) => format!("not ({})", write(inner)),
        Expression::Truth(operand) => write_operand(operand),
        Expression::Compare { left, op, right } => {
            format!("{} {} {}", write_operand(left), op.what.symbol(), write_operand(right))
        }
        Expression::In { operand, negated, items } => {
            let items: Vec<_> = items.iter().map(|item| write_literal(&item.what)).collect();
            format!("{} {}in [{}]", write_operand(operand), if *negated { "not " } else { "" }, items.join(", "))
        }
        Expression::Like { operand, pattern } => format!("{} like {}", write_operand(operand), quoted(pattern)),
        Expression::IsNull { operand, negated } => {
            format!("{} is {}null", write_operand(operand), if *negated { "not " } else { "" })
        }
        Expression::Exists(_) | Expression::Contains { .. } => unreachable!("columns have no members"),
    }
}

fn value_of(operand: &Operand, row: &Row) -> Value<'static> {
    match operand {
        Operand::Field(name) => row[FIELDS.iter().position(|(field, _)| field == name).unwrap()].clone(),
        Operand::Literal(Literal::Bool(value)) => Value::Bool(*value),
        Operand::Literal(Literal::Number(Number::Int(value))) => Value::Int64(*value),
        Operand::Literal(Literal::Number(Number::Double(value))) => Value::Double(*value),
        Operand::Literal(Literal::Text(text)) => Value::VarChar(text.clone().into()),
        _ => unreachable!("neither drawn nor written"),
    }
}

/// An exact comparison by other means than the code under test: every value as sign and digits.
fn exactly(value: &Value<'_>) -> (i128, u64) {
    match value {
        Value::Int64(i) => (i128::from(*i), 0),
        Value::Double(f) => {
            let floor = f.floor();
            // Beyond 2^70 the values drawn differ by more than their whole parts' saturation.
            ((floor.clamp(-1e30, 1e30)) as i128, ((f - floor) * 4_503_599_627_370_496.0) as u64)
        }
        _ => unreachable!("only numbers"),
    }
}

fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::VarChar(a), Value::VarChar(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => Some(exactly(a).cmp(&exactly(b))),
    }
}

fn like(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', rest @ ..], text) => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        (['\\', c @ ('%' | '_' | '\\'), rest @ ..], text) => text.first() == Some(c) && like(rest, &text[1..]),
        (['_', rest @ ..], text) => !text.is_empty() && like(rest, &text[1..]),
        ([c, rest @ ..], text) => text.first() == Some(c) && like(rest, &text[1..]),
    }
}

/// Kleene's three values: none is "unknown".
fn naive(expression: &Expression, row: &Row) -> Option<bool> {
    match expression {
        Expression::And(terms) => {
            let values: Vec<_> = terms.iter().map(|term| naive(term, row)).collect();
            if values.contains(&Some(false)) {
                return Some(false);
            }
            values.iter().all(Option::is_some).then_some(true)
        }
        Expression::Or(terms) => {
            let values: Vec<_> = terms.iter().map(|term| naive(term, row)).collect();
            if values.contains(&Some(true)) {
                return Some(true);
            }
            values.iter().all(Option::is_some).then_some(false)
        }
        Expression::Not(inner) => naive(inner, row).map(|value| !value),
        Expression::Truth(operand) => match value_of(&operand.what, row) {
            Value::Bool(value) => Some(value),
            _ => None,
        },
        Expression::Compare { left, op, right } => {
            let order = order(&value_of(&left.what, row), &value_of(&right.what, row))?;
            Some(match op.what {
                Op::Equal => order == Ordering::Equal,
                Op::NotEqual => order != Ordering::Equal,
                Op::Less => order == Ordering::Less,
                Op::LessEqual => order != Ordering::Greater,
                Op::Greater => order == Ordering::Greater,
                Op::GreaterEqual => order != Ordering::Less,
            })
        }
        Expression::In { operand, negated, items } => {
            let value = value_of(&operand.what, row);
            if value == Value::Null {
                return None;
            }
            let item = |item: &At<Literal>| value_of(&Operand::Literal(item.what.clone()), row);
            Some(items.iter().any(|i| order(&value, &item(i)) == Some(Ordering::Equal)) != *negated)
        }
        Expression::Like { operand, pattern } => match value_of(&operand.what, row) {
            Value::VarChar(text) => Some(like(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())),
            _ => None,
        },
        Expression::IsNull { operand, negated } => Some((value_of(&operand.what, row) == Value::Null) != *negated),
        Expression::Exists(_) | Expression::Contains { .. } => unreachable!("columns have no members"),
    }
}

fn table() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(FIELDS.map(|(_, kind)| value(kind)).to_vec(), 0..140)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_filter_finds_what_its_definition_says(rows in table(), expression in expression()) {
        let text = write(&expression);
        let columns = columns(&FIELDS, &rows);
        let expected: Vec<usize> =
            (0..rows.len()).filter(|&row| naive(&expression, &rows[row]) == Some(true)).collect();
        let found: Vec<usize> = match compile(&text, &columns) {
            Ok(filter) => filter.evaluate().iter().collect(),
            Err(error) => panic!("{text}: {error}"),
        };
        prop_assert_eq!(found, expected, "{}", text);
    }

    #[test]
    fn no_text_makes_a_check_panic(rows in table(), pieces in prop::collection::vec(any_piece(), 0..9)) {
        let columns = columns(&FIELDS, &rows[..rows.len().min(3)]);
        if let Ok(filter) = compile(&pieces.join(" "), &columns) {
            prop_assert_eq!(filter.evaluate().len(), columns.rows());
        }
    }

    #[test]
    fn values_survive_the_section(rows in table()) {
        let columns = columns(&FIELDS, &rows);
        for (r, row) in rows.iter().enumerate() {
            for (c, value) in row.iter().enumerate() {
                prop_assert_eq!(&columns.value(c, r), value);
            }
        }
    }
}

/// Mostly well-formed pieces, so that many texts pass the parser and reach the checks.
fn any_piece() -> impl Strategy<Value = String> {
    let words = "a c s p q == != < >= and or not in like is null true 1 -2.5 'x' \"%a_\" [1,2] [] ['b'] ( )";
    prop::sample::select(words.split(' ').map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn selectivity_from_none_to_all_is_exact() {
    let rows: Vec<Row> = (0..1000)
        .map(|i| {
            let mut row = vec![Value::Null; FIELDS.len()];
            row[0] = Value::Int64((i * 7919) % 1000);
            row[4] = Value::VarChar(format!("{:03}", (i * 7919) % 1000).into());
            row
        })
        .collect();
    let columns = columns(&FIELDS, &rows);
    for bound in [0, 1, 2, 63, 64, 65, 500, 998, 999, 1000] {
        for text in [
            format!("a < {bound}"),
            format!("not (a >= {bound})"),
            format!("a in {:?}", (0..bound).collect::<Vec<_>>()),
        ] {
            let found = compile(&text, &columns).unwrap().evaluate();
            assert_eq!(found.count(), bound as usize, "{text:.40}");
            assert!(found.iter().all(|row| (row * 7919) % 1000 < bound as usize));
        }
        let below = compile(&format!("s < \"{bound:03}\""), &columns).unwrap().evaluate();
        assert_eq!(below.count(), if bound == 1000 { 101 } else { bound as usize });
    }
}

#[test]
fn precedence_is_that_of_the_grammar() {
    let text = |a: &str| {
        format!("{:?}", parse(Source(a), &Params::default()).unwrap()).replace(|c: char| c.is_ascii_digit(), "")
    };
    for (short, long) in [
        ("p or q and p or q", "p or (q and p) or q"),
        ("not p and q", "(not p) and q"),
        ("not p or q", "(not p) or q"),
        ("a == 1 and b == 2 or p", "(a == 1 and b == 2) or p"),
    ] {
        // Positions are stripped with the digits.
        assert_eq!(text(short), text(long), "{short}");
    }
}

//! Random filters over columns and JSON objects, against an evaluator that follows the definition with
//! trees of serde_json. The texts are written as they are drawn, so the parser's precedence is tested too.

use super::columns;
use crate::filter::{Declared, Documents, FieldType, Params, Parsed, Shape, Value};
use crate::words::random::SplitMix64;
use serde_json::{Value as Tree, json};
use std::cmp::Ordering;

/// What an operand is for a row. `Unknown` is of columns and calculations, `Absent` of members.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Unknown,
    Absent,
    Tree(Tree),
}

enum Operand {
    Int(usize),
    Double(usize),
    Literal(Tree),
    /// The member's place, by its text and what leads to it.
    Member(&'static str, &'static [&'static str]),
    Length,
    Calculation(char, Box<Operand>, Box<Operand>),
    Negative(Box<Operand>),
}

enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Operand, &'static str, Operand),
    Range(i64, Operand, i64),
    In(Operand, bool, Vec<Tree>),
    Exists(usize),
    IsNull(usize, bool),
    Like(usize, &'static str),
    Contains(bool, Vec<Tree>),
}

/// How members are written, and the steps to them. The first is of a JSON field that may be null, the second of an
/// Array that may be.
const MEMBERS: [(&str, &[&str]); 7] = [
    ("j[\"a\"]", &["j", "a"]),
    ("arr[1]", &["arr", "1"]),
    ("k", &["k"]),
    ("$meta[\"k\"]", &["k"]),
    ("o[\"p\"][0]", &["o", "p", "0"]),
    ("o['p']", &["o", "p"]),
    ("none", &["none"]),
];
const NULLABLE: [&str; 2] = ["j", "arr"];

struct Row {
    ints: [Option<i64>; 2],
    doubles: [Option<f64>; 1],
    document: Tree,
}

fn pick<'a, T>(random: &mut SplitMix64, from: &'a [T]) -> &'a T {
    &from[random.below(from.len() as u32) as usize]
}

fn int(random: &mut SplitMix64) -> i64 {
    match random.below(20) {
        0 => i64::MAX,
        1 => i64::MIN,
        2 => (1 << 53) + 1,
        _ => i64::from(random.below(9)) - 4,
    }
}

fn double(random: &mut SplitMix64) -> f64 {
    *pick(random, &[0.5, -1.5, 2.0, 1.0, 9_007_199_254_740_992.0, 1e300, -0.0, 3.0])
}

fn scalar(random: &mut SplitMix64) -> Tree {
    match random.below(8) {
        0 => json!(random.below(2) == 0),
        1 | 2 => json!(*pick(random, &["", "a", "ab", "b\"é", "1"])),
        3 => json!(double(random)),
        _ => json!(int(random)),
    }
}

fn tree(random: &mut SplitMix64, depth: u32) -> Tree {
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => Tree::Null,
        1..6 => scalar(random),
        6 | 7 => (0..random.below(4)).map(|_| tree(random, depth - 1)).collect(),
        _ => json!({ "p": tree(random, depth - 1) }),
    }
}

fn row(random: &mut SplitMix64) -> Row {
    let mut document = serde_json::Map::new();
    if random.below(4) > 0 {
        document.insert("j".into(), json!({ "a": tree(random, 2), "b\\": 1 }));
    }
    if random.below(4) > 0 {
        document.insert("arr".into(), (0..random.below(4)).map(|_| json!(random.below(4))).collect());
    }
    if random.below(3) > 0 {
        document.insert("k".into(), tree(random, 2));
    }
    if random.below(2) > 0 {
        document.insert("o".into(), json!({ "p": tree(random, 2) }));
    }
    let maybe = |random: &mut SplitMix64| (random.below(6) > 0).then(|| int(random));
    Row {
        ints: [maybe(random), maybe(random)],
        doubles: [(random.below(6) > 0).then(|| double(random))],
        document: Tree::Object(document),
    }
}

fn number(random: &mut SplitMix64, depth: u32) -> Operand {
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0 | 1 => Operand::Int(random.below(2) as usize),
        2 => Operand::Double(0),
        3 => Operand::Literal(if random.below(3) == 0 { json!(double(random)) } else { json!(int(random)) }),
        4 => {
            let (text, steps) = *pick(random, &MEMBERS);
            Operand::Member(text, steps)
        }
        5 => Operand::Length,
        6 => Operand::Negative(Box::new(number(random, depth - 1))),
        _ => {
            let op = *pick(random, &['+', '-', '*', '/', '^']);
            let left = number(random, depth - 1);
            let right = match op {
                '^' => Operand::Literal(json!(random.below(4))),
                _ => number(random, depth - 1),
            };
            Operand::Calculation(op, Box::new(left), Box::new(right))
        }
    }
}

/// A literal alone would be calculated with before any row is seen, and refused if it has no result.
fn varies(operand: &Operand) -> bool {
    match operand {
        Operand::Literal(_) => false,
        Operand::Calculation(_, left, right) => {
            varies(left) && (varies(right) || matches!(**right, Operand::Literal(_)))
        }
        Operand::Negative(inner) => varies(inner),
        _ => true,
    }
}

fn condition(random: &mut SplitMix64, depth: u32) -> Condition {
    let member = |random: &mut SplitMix64| random.below(MEMBERS.len() as u32) as usize;
    match random.below(if depth == 0 { 8 } else { 12 }) {
        0 | 1 => loop {
            let (left, right) = (number(random, 2), number(random, 1));
            if varies(&left) && (varies(&right) || matches!(right, Operand::Literal(_))) {
                let op = *pick(random, &["==", "!=", "<", "<=", ">", ">="]);
                break Condition::Compare(left, op, right);
            }
        },
        2 => {
            let (text, steps) = *pick(random, &MEMBERS);
            // Elements of `arr` are known to be numbers.
            let literal = if steps[0] == "arr" { json!(int(random)) } else { scalar(random) };
            let op = *pick(random, &["==", "!=", "<", ">="]);
            Condition::Compare(Operand::Member(text, steps), op, Operand::Literal(literal))
        }
        3 => {
            let operand = loop {
                let operand = number(random, 1);
                if varies(&operand) {
                    break operand;
                }
            };
            Condition::Range(-2, operand, 3)
        }
        4 => {
            let (text, steps) = *pick(random, &MEMBERS);
            let items = (0..random.below(5)).map(|_| scalar(random)).collect();
            Condition::In(Operand::Member(text, steps), random.below(2) == 0, items)
        }
        5 => match random.below(2) {
            0 => Condition::Exists(member(random)),
            _ => Condition::IsNull(member(random), random.below(2) == 0),
        },
        6 => Condition::Like(member(random), pick::<&str>(random, &["a%", "_", "%b%", "", "%"])),
        7 => Condition::Contains(random.below(2) == 0, (0..random.below(3)).map(|_| json!(random.below(4))).collect()),
        8 => Condition::Not(Box::new(condition(random, depth - 1))),
        n => {
            let terms = (0..2 + random.below(2)).map(|_| condition(random, depth - 1)).collect();
            if n == 9 { Condition::And(terms) } else { Condition::Or(terms) }
        }
    }
}

fn write_operand(operand: &Operand) -> String {
    match operand {
        Operand::Int(i) => ["n", "m"][*i].to_owned(),
        Operand::Double(_) => "x".to_owned(),
        Operand::Literal(tree) => tree.to_string(),
        Operand::Member(text, _) => (*text).to_owned(),
        Operand::Length => "array_length(arr)".to_owned(),
        Operand::Calculation('^', a, b) => format!("({}) ** {}", write_operand(a), write_operand(b)),
        // Parentheses only where they're needed, so that what binds tighter is tested.
        Operand::Calculation(op @ ('*' | '/'), a, b) => format!("{} {op} {}", tight(a), tight(b)),
        Operand::Calculation(op, a, b) => {
            let right = match **b {
                Operand::Calculation('+' | '-', ..) | Operand::Negative(_) => format!("({})", write_operand(b)),
                _ => write_operand(b),
            };
            format!("{} {op} {right}", write_operand(a))
        }
        Operand::Negative(inner) => format!("-({})", write_operand(inner)),
    }
}

fn tight(operand: &Operand) -> String {
    match operand {
        Operand::Calculation(..) => format!("({})", write_operand(operand)),
        _ => write_operand(operand),
    }
}

fn write(condition: &Condition) -> String {
    let list = |items: &[Tree]| Tree::from(items.to_vec()).to_string();
    let join = |terms: &[Condition], by: &str| {
        let each: Vec<_> = terms.iter().map(|term| format!("({})", write(term))).collect();
        each.join(by)
    };
    match condition {
        Condition::And(terms) => join(terms, " and "),
        Condition::Or(terms) => join(terms, " || "),
        Condition::Not(inner) => format!("not ({})", write(inner)),
        Condition::Compare(left, op, right) => format!("{} {op} {}", write_operand(left), write_operand(right)),
        Condition::Range(low, operand, high) => format!("{low} < {} <= {high}", write_operand(operand)),
        Condition::In(operand, negated, items) => {
            format!("{} {}in {}", write_operand(operand), if *negated { "not " } else { "" }, list(items))
        }
        Condition::Exists(member) => format!("exists {}", MEMBERS[*member].0),
        Condition::IsNull(member, negated) => {
            format!("{} is {}null", MEMBERS[*member].0, if *negated { "not " } else { "" })
        }
        Condition::Like(member, pattern) => format!("{} like \"{pattern}\"", MEMBERS[*member].0),
        Condition::Contains(all, items) => {
            let name = if *all { "array_contains_all" } else { "json_contains_any" };
            format!("{name}(arr, {})", list(items))
        }
    }
}

fn find<'a>(document: &'a Tree, steps: &[&str]) -> Option<&'a Tree> {
    steps.iter().try_fold(document, |tree, step| match tree {
        Tree::Array(items) => items.get(step.parse::<usize>().ok()?),
        Tree::Object(members) if step.parse::<usize>().is_err() => members.get(*step),
        _ => None,
    })
}

fn is_unknown(row: &Row, steps: &[&str]) -> bool {
    NULLABLE.contains(&steps[0]) && row.document.get(steps[0]).is_none()
}

fn item(operand: &Operand, row: &Row) -> Item {
    let column = |value: Option<Tree>| value.map_or(Item::Unknown, Item::Tree);
    match operand {
        Operand::Int(i) => column(row.ints[*i].map(Tree::from)),
        Operand::Double(i) => column(row.doubles[*i].map(Tree::from)),
        Operand::Literal(tree) => Item::Tree(tree.clone()),
        Operand::Member(_, steps) => match find(&row.document, steps) {
            _ if is_unknown(row, steps) => Item::Unknown,
            Some(Tree::Null) | None => Item::Absent,
            Some(tree) => Item::Tree(tree.clone()),
        },
        Operand::Length => match row.document.get("arr").and_then(Tree::as_array) {
            Some(items) => Item::Tree(items.len().into()),
            None => Item::Unknown,
        },
        Operand::Negative(inner) => match item(inner, row) {
            Item::Tree(Tree::Number(number)) => match number.as_i64() {
                Some(whole) => whole.checked_neg().map_or(Item::Unknown, |negative| Item::Tree(negative.into())),
                None => Item::Tree((-number.as_f64().unwrap()).into()),
            },
            Item::Unknown => Item::Unknown,
            _ => Item::Absent,
        },
        Operand::Calculation(op, left, right) => match (item(left, row), item(right, row)) {
            (Item::Tree(Tree::Number(a)), Item::Tree(Tree::Number(b))) => {
                if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
                    let (a, b) = (i128::from(a), i128::from(b));
                    let exact = match op {
                        '+' => Some(a + b),
                        '-' => Some(a - b),
                        '*' => a.checked_mul(b),
                        '/' => (b != 0).then(|| a / b),
                        _ => (0..b).try_fold(1i128, |product, _| product.checked_mul(a)),
                    };
                    let whole = exact.and_then(|exact| i64::try_from(exact).ok());
                    return whole.map_or(Item::Unknown, |whole| Item::Tree(whole.into()));
                }
                let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
                let result = match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '/' => a / b,
                    _ => (0..b as i32).fold(1.0, |product, _| product * a),
                };
                if result.is_finite() { Item::Tree(result.into()) } else { Item::Unknown }
            }
            (Item::Unknown, _) | (_, Item::Unknown) => Item::Unknown,
            _ => Item::Absent,
        },
    }
}

/// Integers and floats exactly: by the float's whole part, then by what is left of it.
fn order(a: &Tree, b: &Tree) -> Option<Ordering> {
    let mixed = |whole: i64, float: f64| {
        let floor = float.floor();
        i128::from(whole).cmp(&(floor as i128)).then(if float > floor { Ordering::Less } else { Ordering::Equal })
    };
    match (a, b) {
        (Tree::Number(a), Tree::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            (Some(a), None) => Some(mixed(a, b.as_f64()?)),
            (None, Some(b)) => Some(mixed(b, a.as_f64()?).reverse()),
            (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Tree::String(a), Tree::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => None,
    }
}

fn same(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::Array(a), Tree::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Tree::Object(a), Tree::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        _ => order(a, b).map_or(a == b, Ordering::is_eq),
    }
}

fn naive(condition: &Condition, row: &Row) -> Option<bool> {
    match condition {
        Condition::And(terms) | Condition::Or(terms) => {
            let decides = matches!(condition, Condition::Or(_));
            let values: Vec<_> = terms.iter().map(|term| naive(term, row)).collect();
            if values.contains(&Some(decides)) {
                return Some(decides);
            }
            values.iter().all(Option::is_some).then_some(!decides)
        }
        Condition::Not(inner) => naive(inner, row).map(|value| !value),
        Condition::Range(low, operand, high) => {
            let value = item(operand, row);
            let holds = |bound: i64, fits: fn(Ordering) -> bool| match &value {
                Item::Unknown => None,
                Item::Tree(tree) => Some(order(tree, &json!(bound)).is_some_and(fits)),
                Item::Absent => Some(false),
            };
            Some(holds(*low, Ordering::is_gt)? && holds(*high, Ordering::is_le)?)
        }
        Condition::Compare(left, op, right) => match (item(left, row), item(right, row)) {
            (Item::Unknown, _) | (_, Item::Unknown) => None,
            (Item::Tree(a), Item::Tree(b)) => Some(match *op {
                "==" => same(&a, &b),
                "!=" => !same(&a, &b),
                op => order(&a, &b).is_some_and(|order| match op {
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }),
            }),
            _ => Some(*op == "!="),
        },
        Condition::In(operand, negated, items) => match item(operand, row) {
            Item::Unknown => None,
            Item::Absent => Some(*negated),
            Item::Tree(tree) => Some(items.iter().any(|item| same(&tree, item)) != *negated),
        },
        Condition::Exists(member) => Some(find(&row.document, MEMBERS[*member].1).is_some()),
        Condition::IsNull(member, negated) => {
            Some(find(&row.document, MEMBERS[*member].1).is_none_or(Tree::is_null) != *negated)
        }
        Condition::Like(member, pattern) => {
            let steps = MEMBERS[*member].1;
            if is_unknown(row, steps) {
                return None;
            }
            let Some(Tree::String(text)) = find(&row.document, steps) else { return Some(false) };
            Some(match *pattern {
                "a%" => text.starts_with('a'),
                "_" => text.chars().count() == 1,
                "%b%" => text.contains('b'),
                "" => text.is_empty(),
                _ => true,
            })
        }
        Condition::Contains(all, items) => {
            let array = row.document.get("arr")?.as_array()?;
            let has = |item: &Tree| array.contains(item);
            Some(if *all { items.iter().all(has) } else { items.iter().any(has) })
        }
    }
}

struct Texts(Vec<String>);

impl Documents for Texts {
    fn document(&self, row: usize) -> &str {
        &self.0[row]
    }
}

/// Compares so many filters, with new rows for every tenth; counts the rows that were found.
fn compare(seed: u64, filters: usize) -> usize {
    let mut random = SplitMix64::new(seed);
    let declared = |name: &str, elements| Declared { name: name.into(), elements, nullable: true };
    let shape = Shape { declared: vec![declared("j", None), declared("arr", Some(FieldType::Int64))], dynamic: true };
    let mut total = 0;
    for _ in 0..filters / 10 {
        let rows: Vec<Row> = (0..random.below(90)).map(|_| row(&mut random)).collect();
        let int = |value: Option<i64>| value.map_or(Value::Null, Value::Int64);
        let values: Vec<Vec<Value<'static>>> = rows
            .iter()
            .map(|row| vec![int(row.ints[0]), int(row.ints[1]), row.doubles[0].map_or(Value::Null, Value::Double)])
            .collect();
        let columns = columns(&[("n", FieldType::Int64), ("m", FieldType::Int64), ("x", FieldType::Double)], &values);
        let texts = Texts(rows.iter().map(|row| row.document.to_string()).collect());
        for _ in 0..10 {
            let condition = condition(&mut random, 3);
            let text = write(&condition);
            let filter = Parsed::new(&text, &Params::default()).and_then(|parsed| parsed.check(&columns, &shape));
            let filter = filter.unwrap_or_else(|error| panic!("seed {seed}: {text}: {error}"));
            let found: Vec<usize> = filter.evaluate_with(&texts).iter().collect();
            let expected: Vec<usize> =
                (0..rows.len()).filter(|&row| naive(&condition, &rows[row]) == Some(true)).collect();
            for &row in found.iter().chain(&expected) {
                let both = found.contains(&row) && expected.contains(&row);
                assert!(both, "seed {seed}: {text}: row {row}: {:?} {}", values[row], texts.0[row]);
            }
            total += found.len();
        }
    }
    total
}

#[test]
fn every_filter_finds_what_its_definition_says() {
    let found = compare(7, 1000);
    assert!(found > 5000, "{found} rows are too few to trust in");
}

/// 10,000 filters.
#[test]
#[ignore = "a sample runs each time: npm run test:long"]
fn every_filter_finds_what_its_definition_says_for_long() {
    let base = std::env::var("ELANUS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(100);
    assert!(compare(base, 10_000) > 50_000);
}

//! A checked filter, and the rows for which it is true.

use super::FULL;
use super::columns::{Codes, Column, Data, Texts, bit, numbers};
use super::documents::Documents;
use super::each::Each;
use super::number::{Op, compare};
use crate::words::Bitmap;
use std::cmp::Ordering;
use std::ops::{Range, RangeInclusive};

/// A filter that has been checked against the columns of an index, ready to be evaluated. It holds
/// on to the columns that it reads; copying one copies no rows.
#[derive(Debug, Clone)]
pub struct Filter {
    plan: Plan,
    rows: usize,
}

/// What to compute. There is no negation left: every test can say which rows it is false for.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    Constant(bool),
    And(Vec<Plan>),
    Or(Vec<Plan>),
    IsNull {
        column: Column,
        negated: bool,
    },
    /// Rows that have a value for which the test holds, or with `outside` doesn't.
    Test {
        column: Column,
        test: Test,
        outside: bool,
    },
    Pair {
        left: Column,
        op: Op,
        right: Column,
    },
    /// Rows for which the test holds, or with `negated` is known not to.
    Each {
        test: Box<Each>,
        negated: bool,
    },
}

/// A test of one column's values; its kind always fits the column's type.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Is(bool),
    Ints(RangeInclusive<i64>),
    /// Ascending.
    IntSet(Vec<i64>),
    Doubles(RangeInclusive<f64>),
    /// Ascending.
    DoubleSet(Vec<f64>),
    Codes(Range<usize>),
    /// For each text whether it is wanted.
    CodeSet(Vec<bool>),
}

impl Filter {
    pub(super) fn new(plan: Plan, rows: usize) -> Self {
        Filter { plan, rows }
    }

    /// The rows for which the filter is true, where no objects are beside the columns.
    pub fn evaluate(&self) -> Bitmap {
        self.evaluate_with(&())
    }

    /// The rows for which the filter is true.
    pub fn evaluate_with(&self, documents: &dyn Documents) -> Bitmap {
        rows_of(&self.plan, &Bitmap::all(self.rows), documents)
    }

    /// Whether it speaks of objects beside the columns.
    pub fn reads_documents(&self) -> bool {
        any_each(&self.plan, &|test| FULL && test.reads_documents())
    }
}

/// Whether a plan has a test of this kind among those that are worked out row by row.
fn any_each(plan: &Plan, kind: &dyn Fn(&Each) -> bool) -> bool {
    match plan {
        Plan::And(terms) | Plan::Or(terms) => terms.iter().any(|term| any_each(term, kind)),
        Plan::Each { test, .. } => kind(test),
        _ => false,
    }
}

/// The rows among `within` for which the plan is true; of others it may say anything.
fn rows_of(plan: &Plan, within: &Bitmap, documents: &dyn Documents) -> Bitmap {
    let rows = within.len();
    match plan {
        Plan::Constant(true) => Bitmap::all(rows),
        Plan::Constant(false) => Bitmap::none(rows),
        Plan::And(terms) => {
            // Passes over columns are cheap; what is worked out row by row comes last, for the rows that are left.
            let mut found = within.clone();
            for slow in [false, true] {
                for term in terms.iter().filter(|term| any_each(term, &|_| true) == slow) {
                    found.intersect(&rows_of(term, &found, documents));
                }
            }
            found
        }
        Plan::Or(terms) => terms.iter().fold(Bitmap::none(rows), |mut found, term| {
            found.union(&rows_of(term, within, documents));
            found
        }),
        Plan::Each { .. } if !FULL => Bitmap::none(rows),
        Plan::Each { test, negated } => {
            let mut found = Bitmap::none(rows);
            for row in within.iter() {
                if test.holds(row, documents).is_some_and(|holds| holds != *negated) {
                    found.insert(row);
                }
            }
            found
        }
        Plan::IsNull { column, negated } => {
            let mut found = having_value(column);
            if !negated {
                found.invert();
            }
            found
        }
        Plan::Test { column, test, outside } => {
            let mut found = rows_passing(column, test);
            if *outside {
                found.invert();
            }
            only_valid(column, &mut found);
            found
        }
        Plan::Pair { left, op, right } => {
            let mut found = pairs(left, *op, right);
            only_valid(left, &mut found);
            only_valid(right, &mut found);
            found
        }
    }
}

fn having_value(column: &Column) -> Bitmap {
    match column.validity() {
        Some(bits) => Bitmap::from_words(bits.to_vec(), column.rows()),
        None => Bitmap::all(column.rows()),
    }
}

fn only_valid(column: &Column, found: &mut Bitmap) {
    if column.validity().is_some() {
        found.intersect(&having_value(column));
    }
}

fn rows_passing(column: &Column, test: &Test) -> Bitmap {
    let rows = column.rows();
    match (column.data(), test) {
        (Data::Bool(bits), Test::Is(wanted)) => {
            let mut found = Bitmap::from_words(numbers(bits).to_vec(), rows);
            if !wanted {
                found.invert();
            }
            found
        }
        (Data::Int64(values), Test::Ints(range)) => {
            let (low, high) = (*range.start(), *range.end());
            scan(numbers(values), |v: i64| v >= low && v <= high)
        }
        (Data::Int64(values), Test::IntSet(set)) => scan(numbers(values), |v: i64| set.binary_search(&v).is_ok()),
        (Data::Double(values), Test::Doubles(range)) => {
            let (low, high) = (*range.start(), *range.end());
            scan(numbers(values), |v: f64| v >= low && v <= high)
        }
        (Data::Double(values), Test::DoubleSet(set)) => scan(numbers(values), |v: f64| {
            // Not by total order, in which -0.0 and 0.0 differ.
            let at = set.partition_point(|&s| s < v);
            set.get(at).is_some_and(|&s| s == v)
        }),
        (Data::VarChar(texts), Test::Codes(range)) => {
            let (start, count) = (range.start as u32, range.len() as u32);
            with_codes(texts, |code| code.wrapping_sub(start) < count)
        }
        (Data::VarChar(texts), Test::CodeSet(wanted)) => {
            with_codes(texts, |code| wanted.get(code as usize).copied().unwrap_or(false))
        }
        _ => unreachable!("check() pairs every test with a column of its type"),
    }
}

fn with_codes(texts: &Texts, test: impl Fn(u32) -> bool) -> Bitmap {
    match texts.codes() {
        Codes::One(codes) => scan(codes, |code: u8| test(code.into())),
        Codes::Two(codes) => scan(codes, |code: u16| test(code.into())),
        Codes::Four(codes) => scan(codes, test),
    }
}

fn scan<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> Bitmap {
    let word = |chunk: &[T]| chunk.iter().enumerate().fold(0u64, |word, (i, &v)| word | u64::from(test(v)) << i);
    Bitmap::from_words(values.chunks(64).map(word).collect(), values.len())
}

fn pairs(left: &Column, op: Op, right: &Column) -> Bitmap {
    let rows = left.rows();
    let by_order = |order: &dyn Fn(usize) -> Ordering| Bitmap::from_fn(rows, |row| op.holds(order(row)));
    match (left.data(), right.data()) {
        (Data::Bool(a), Data::Bool(b)) => {
            let (a, b) = (numbers(a), numbers(b));
            by_order(&|row| bit(a, row).cmp(&bit(b, row)))
        }
        (Data::Int64(a), Data::Int64(b)) => {
            let (a, b): (&[i64], &[i64]) = (numbers(a), numbers(b));
            by_order(&|row| a[row].cmp(&b[row]))
        }
        (Data::Double(a), Data::Double(b)) => {
            let (a, b): (&[f64], &[f64]) = (numbers(a), numbers(b));
            by_order(&|row| in_order(a[row], b[row]))
        }
        (Data::Int64(a), Data::Double(b)) => {
            let (a, b): (&[i64], &[f64]) = (numbers(a), numbers(b));
            by_order(&|row| compare(a[row], b[row]))
        }
        (Data::Double(a), Data::Int64(b)) => {
            let (a, b): (&[f64], &[i64]) = (numbers(a), numbers(b));
            by_order(&|row| compare(b[row], a[row]).reverse())
        }
        (Data::VarChar(a), Data::VarChar(b)) => {
            let (x, y) = (a.codes(), b.codes());
            by_order(&|row| a.get(x.get(row)).cmp(b.get(y.get(row))))
        }
        _ => unreachable!("check() pairs columns of types that compare"),
    }
}

/// The order of finite floats; a NaN in a damaged file counts as equal to everything.
fn in_order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

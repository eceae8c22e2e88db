//! Integers and floats compared without rounding: 2⁵³ + 1 is above 9007199254740992.0, and no
//! integer equals 4.5.

use crate::words::order;
use std::cmp::Ordering;
use std::ops::RangeInclusive;

/// A number as it stands in a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i64),
    /// Always finite.
    Double(f64),
}

/// A comparison between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Op {
    /// Whether it holds between two values in this order.
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Op::Equal => order.is_eq(),
            Op::NotEqual => order.is_ne(),
            Op::Less => order.is_lt(),
            Op::LessEqual => order.is_le(),
            Op::Greater => order.is_gt(),
            Op::GreaterEqual => order.is_ge(),
        }
    }

    /// The comparison that holds when this one doesn't.
    pub(super) fn negated(self) -> Op {
        match self {
            Op::Equal => Op::NotEqual,
            Op::NotEqual => Op::Equal,
            Op::Less => Op::GreaterEqual,
            Op::LessEqual => Op::Greater,
            Op::Greater => Op::LessEqual,
            Op::GreaterEqual => Op::Less,
        }
    }

    /// The comparison with its sides exchanged.
    pub(super) fn flipped(self) -> Op {
        match self {
            Op::Less => Op::Greater,
            Op::LessEqual => Op::GreaterEqual,
            Op::Greater => Op::Less,
            Op::GreaterEqual => Op::LessEqual,
            same => same,
        }
    }

    /// As it is written.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Op::Equal => "==",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::LessEqual => "<=",
            Op::Greater => ">",
            Op::GreaterEqual => ">=",
        }
    }
}

/// What two numbers are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

impl Arithmetic {
    /// As it is written.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
            Arithmetic::Power => "**",
        }
    }

    /// The result; none where there is none that 64 bits hold. Two integers give an integer, as in Milvus:
    /// a division drops what is after the point, and a remainder has the sign of what is divided.
    pub(super) fn of(self, a: Number, b: Number) -> Option<Number> {
        if let (Number::Int(a), Number::Int(b)) = (a, b) {
            let whole = match self {
                Arithmetic::Add => a.checked_add(b),
                Arithmetic::Subtract => a.checked_sub(b),
                Arithmetic::Multiply => a.checked_mul(b),
                Arithmetic::Divide => a.checked_div(b),
                Arithmetic::Remainder => a.checked_rem(b),
                Arithmetic::Power if b >= 0 => power(a, b, 1, i64::checked_mul),
                Arithmetic::Power => return Number::finite(float_power(a as f64, b)?),
            };
            return whole.map(Number::Int);
        }
        let (x, y) = (a.float(), b.float());
        Number::finite(match self {
            Arithmetic::Add => x + y,
            Arithmetic::Subtract => x - y,
            Arithmetic::Multiply => x * y,
            Arithmetic::Divide => x / y,
            Arithmetic::Remainder => x % y,
            // Roots differ from machine to machine in their last bit.
            Arithmetic::Power => float_power(x, exact_i64(y)?)?,
        })
    }
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Number::Int(i) => i as f64,
            Number::Double(f) => f,
        }
    }

    fn finite(value: f64) -> Option<Number> {
        value.is_finite().then_some(Number::Double(value))
    }

    pub(super) fn negated(self) -> Option<Number> {
        match self {
            Number::Int(i) => i.checked_neg().map(Number::Int),
            Number::Double(f) => Some(Number::Double(-f)),
        }
    }

    /// How two compare, exactly. Neither is NaN.
    pub(super) fn order(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(&b),
            (Number::Int(a), Number::Double(b)) => compare(a, b),
            (Number::Double(a), Number::Int(b)) => compare(b, a).reverse(),
            (Number::Double(a), Number::Double(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        }
    }
}

fn float_power(x: f64, exponent: i64) -> Option<f64> {
    let magnitude = power(x, exponent.checked_abs()?, 1.0, |a, b| Some(a * b))?;
    Some(if exponent < 0 { 1.0 / magnitude } else { magnitude })
}

/// By squaring; none if a product is. The last square isn't taken: it may be too large where the result isn't.
fn power<T: Copy>(base: T, mut exponent: i64, one: T, times: impl Fn(T, T) -> Option<T>) -> Option<T> {
    let (mut square, mut result) = (base, one);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, square)?;
        }
        exponent >>= 1;
        if exponent > 0 {
            square = times(square, square)?;
        }
    }
    Some(result)
}

/// Which side of a number the nearest storable value is looked for on.
#[derive(Clone, Copy)]
enum Side {
    Below,
    AtMost,
    AtLeast,
    Above,
}

/// The integers for which `x op number` holds. Not for `!=`, whose integers are no range.
pub(super) fn int_range(op: Op, number: Number) -> RangeInclusive<i64> {
    let at = |side| match (number, side) {
        (Number::Int(i), Side::Below) => i128::from(i) - 1,
        (Number::Int(i), Side::Above) => i128::from(i) + 1,
        (Number::Int(i), Side::AtMost | Side::AtLeast) => i128::from(i),
        // Casts to integers saturate, and i128 reaches far past every i64.
        (Number::Double(f), Side::Below) => f.ceil() as i128 - i128::from(f > -1e30),
        (Number::Double(f), Side::AtMost) => f.floor() as i128,
        (Number::Double(f), Side::AtLeast) => f.ceil() as i128,
        (Number::Double(f), Side::Above) => f.floor() as i128 + i128::from(f < 1e30),
    };
    let (low, high) = ends(op, at, i128::from(i64::MIN), i128::from(i64::MAX));
    match (i64::try_from(low.max(i64::MIN.into())), i64::try_from(high.min(i64::MAX.into()))) {
        (Ok(low), Ok(high)) => low..=high,
        #[expect(clippy::reversed_empty_ranges, reason = "no integer at all")]
        _ => 1..=0,
    }
}

/// The floats for which `x op number` holds. Not for `!=`, whose floats are no range.
pub(super) fn double_range(op: Op, number: Number) -> RangeInclusive<f64> {
    let at = |side| {
        let (f, order) = match number {
            Number::Double(f) => (f, Ordering::Equal),
            // The float nearest to an integer can lie on either side of it.
            Number::Int(i) => (i as f64, compare(i, i as f64).reverse()),
        };
        match side {
            Side::Below if order.is_ge() => f.next_down(),
            Side::AtMost if order.is_gt() => f.next_down(),
            Side::AtLeast if order.is_lt() => f.next_up(),
            Side::Above if order.is_le() => f.next_up(),
            _ => f,
        }
    };
    let (low, high) = ends(op, at, f64::NEG_INFINITY, f64::INFINITY);
    low..=high
}

fn ends<T>(op: Op, at: impl Fn(Side) -> T, least: T, greatest: T) -> (T, T) {
    match op {
        Op::Equal | Op::NotEqual => (at(Side::AtLeast), at(Side::AtMost)),
        Op::Less => (least, at(Side::Below)),
        Op::LessEqual => (least, at(Side::AtMost)),
        Op::Greater => (at(Side::Above), greatest),
        Op::GreaterEqual => (at(Side::AtLeast), greatest),
    }
}

/// How an integer compares with a float that is not NaN.
pub(super) fn compare(i: i64, f: f64) -> Ordering {
    let whole = f.trunc();
    i128::from(i).cmp(&(whole as i128)).then(0.0.partial_cmp(&(f - whole)).unwrap_or(Ordering::Equal))
}

/// The integers in ascending order.
pub(super) fn sorted_ints(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut keys: Vec<u64> = values.map(|value| value.cast_unsigned() ^ SIGN).collect();
    order::sort(&mut keys);
    keys.into_iter().map(|key| (key ^ SIGN).cast_signed()).collect()
}

/// The floats, none of them NaN, in ascending order.
pub(super) fn sorted_doubles(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let flipped = |number: u64| if number & SIGN == 0 { SIGN } else { u64::MAX };
    let mut keys: Vec<u64> = values.map(f64::to_bits).map(|bits| bits ^ flipped(bits)).collect();
    order::sort(&mut keys);
    keys.into_iter().map(|key| f64::from_bits(key ^ flipped(!key))).collect()
}

const SIGN: u64 = 1 << 63;

/// The integer as a float, if there is one that equals it.
pub(super) fn exact_f64(i: i64) -> Option<f64> {
    let f = i as f64;
    compare(i, f).is_eq().then_some(f)
}

/// The float as an integer, if there is one that equals it.
pub(super) fn exact_i64(f: f64) -> Option<i64> {
    let range = int_range(Op::Equal, Number::Double(f));
    (!range.is_empty()).then(|| *range.start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPS: [Op; 5] = [Op::Equal, Op::Less, Op::LessEqual, Op::Greater, Op::GreaterEqual];

    fn interesting_i64() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            -3i64..4,
            (0u32..63, -2i64..3).prop_map(|(shift, d)| (1i64 << shift).wrapping_add(d)),
            Just(i64::MIN),
            Just(i64::MAX),
        ]
    }

    fn interesting_f64() -> impl Strategy<Value = f64> {
        prop_oneof![
            (-40i32..40).prop_map(|x| f64::from(x) / 4.0),
            interesting_i64().prop_map(|i| i as f64),
            interesting_i64().prop_map(|i| (i as f64).next_up()),
            any::<f64>().prop_filter("finite", |f| f.is_finite()),
        ]
    }

    proptest! {
        #[test]
        fn ranges_agree_with_the_exact_comparison(i in interesting_i64(), j in interesting_i64(),
                                                  f in interesting_f64(), g in interesting_f64()) {
            for op in OPS {
                prop_assert_eq!(int_range(op, Number::Int(j)).contains(&i), op.holds(i.cmp(&j)));
                prop_assert_eq!(int_range(op, Number::Double(f)).contains(&i), op.holds(compare(i, f)));
                prop_assert_eq!(double_range(op, Number::Int(i)).contains(&f), op.holds(compare(i, f).reverse()));
                prop_assert_eq!(double_range(op, Number::Double(g)).contains(&f), op.holds(f.partial_cmp(&g).unwrap()));
                prop_assert_eq!(op.negated().holds(i.cmp(&j)), !op.holds(i.cmp(&j)));
                prop_assert_eq!(op.flipped().holds(j.cmp(&i)), op.holds(i.cmp(&j)));
            }
        }

        #[test]
        fn sets_are_sorted(
            mut ints in prop::collection::vec(interesting_i64(), 0..20),
            mut doubles in prop::collection::vec(interesting_f64(), 0..20),
        ) {
            let ours = (sorted_ints(ints.iter().copied()), sorted_doubles(doubles.iter().copied()));
            ints.sort();
            doubles.sort_by(f64::total_cmp);
            prop_assert_eq!(ours.0, ints);
            prop_assert_eq!(ours.1.iter().map(|f| f.to_bits()).collect::<Vec<_>>(), doubles.iter().map(|f| f.to_bits()).collect::<Vec<_>>());
        }

        #[test]
        fn casts_are_exact_or_refused(i in interesting_i64(), f in interesting_f64()) {
            if let Some(f) = exact_f64(i) {
                prop_assert_eq!(exact_i64(f), Some(i));
            }
            if let Some(i) = exact_i64(f) {
                prop_assert_eq!(i as f64, f);
            }
        }
    }

    #[test]
    fn arithmetic_keeps_integers_and_knows_its_bounds() {
        use Arithmetic::{Add, Divide, Multiply, Power, Remainder, Subtract};
        let int = |op: Arithmetic, a, b| op.of(Number::Int(a), Number::Int(b));
        assert_eq!(int(Divide, -7, 2), Some(Number::Int(-3)));
        assert_eq!(int(Remainder, -7, 2), Some(Number::Int(-1)));
        assert_eq!((int(Divide, 1, 0), int(Remainder, 1, 0), int(Divide, i64::MIN, -1)), (None, None, None));
        assert_eq!((int(Add, i64::MAX, 1), int(Subtract, i64::MIN, 1), int(Multiply, 1 << 62, 2)), (None, None, None));
        assert_eq!((int(Power, 3, 39), int(Power, 3, 40)), (Some(Number::Int(4_052_555_153_018_976_267)), None));
        assert_eq!((int(Power, -2, 63), int(Power, 1, i64::MAX)), (Some(Number::Int(i64::MIN)), Some(Number::Int(1))));
        assert_eq!(int(Power, 2, -2), Some(Number::Double(0.25)));
        assert_eq!((int(Power, 0, 0), int(Power, 0, -1)), (Some(Number::Int(1)), None));
        let mixed = |op: Arithmetic, a, b| op.of(Number::Int(a), Number::Double(b));
        assert_eq!((mixed(Divide, 1, 2.0), mixed(Divide, 1, 0.0)), (Some(Number::Double(0.5)), None));
        assert_eq!((mixed(Remainder, 7, 2.5), mixed(Power, 2, 0.5)), (Some(Number::Double(2.0)), None));
        assert_eq!(mixed(Power, 10, 400.0), None);
        assert_eq!(Number::Int(i64::MIN).negated(), None);
    }

    #[test]
    fn the_edges_of_both_types() {
        let two53 = 1i64 << 53;
        assert_eq!(compare(two53 + 1, two53 as f64), Ordering::Greater);
        assert_eq!(compare(i64::MAX, i64::MAX as f64), Ordering::Less);
        assert_eq!(compare(i64::MIN, i64::MIN as f64), Ordering::Equal);
        assert_eq!(compare(-4, -4.5), Ordering::Greater);
        assert_eq!((exact_f64(two53 + 1), exact_i64(4.5), exact_i64(-0.0)), (None, None, Some(0)));
        assert_eq!(int_range(Op::Less, Number::Double(f64::MAX)), i64::MIN..=i64::MAX);
        assert!(int_range(Op::Greater, Number::Double(f64::MAX)).is_empty());
        assert!(int_range(Op::Less, Number::Double(-f64::MAX)).is_empty());
        assert!(int_range(Op::Less, Number::Int(i64::MIN)).is_empty());
    }
}

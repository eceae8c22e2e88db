//! Decimal numbers, read exactly.
//!
//! The standard library's reader is quicker, and brings a table of ten kilobytes that don't compress
//! into every browser module. Filters have few numbers.

/// Decimal digits beyond this many can't change the nearest float, but for whether one of them isn't 0.
const MOST_DIGITS: usize = 800;
/// Numbers of more digits before the point are infinite, and of more zeros after it are zero.
const FARTHEST: i64 = 400;

/// The 64-bit float nearest to a decimal number (of two equally near ones the even): digits with at
/// most one point among them, at least one, then optionally `e`, a sign and digits. `None` for any
/// other text. Infinite where the number is too large.
pub fn parse_double(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let zeros = digits().take_while(|&digit| digit == b'0').count();
    let significant = whole.len() + fraction.len() - zeros;
    if significant == 0 {
        return Some(0.0);
    }
    // Value = 0.d1 d2 d3 … · 10^point
    let point = exponent.saturating_add(whole.len() as i64 - zeros as i64);
    if point > FARTHEST {
        return Some(f64::INFINITY);
    }
    if point < -FARTHEST {
        return Some(0.0);
    }
    let taken = significant.min(MOST_DIGITS);
    let mut number = Natural(Vec::new());
    for digit in digits().skip(zeros).take(taken) {
        number.multiply_add(10, u32::from(digit - b'0'));
    }
    // What is cut off is less than one in the last place; a last bit says that there is some.
    let mut inexact = digits().skip(zeros + taken).any(|digit| digit != b'0');
    let tens = point - taken as i64;
    let mut shift = 0;
    if tens >= 0 {
        (0..tens).for_each(|_| number.multiply_add(10, 0));
    } else {
        // Room for 64 bits after all divisions: a division by ten takes less than 3.33 of them.
        shift = 64 + tens.unsigned_abs() as i64 * 10 / 3;
        number.shift_up(shift as usize);
        for _ in tens..0 {
            inexact |= number.divide(10) != 0;
        }
    }
    Some(number.nearest_double(-shift, inexact))
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    }
    Some(if negative { -value } else { value })
}

/// A natural number of any size: 32 bits a part, lowest first.
struct Natural(Vec<u32>);

impl Natural {
    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = addend;
        for part in &mut self.0 {
            let product = u64::from(*part) * u64::from(factor) + u64::from(carry);
            *part = product as u32;
            carry = (product >> 32) as u32;
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    fn shift_up(&mut self, bits: usize) {
        self.multiply_add(1 << (bits % 32), 0);
        self.0.splice(..0, std::iter::repeat_n(0, bits / 32));
    }

    /// Divides, and gives what is left over.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut rest = 0;
        for part in self.0.iter_mut().rev() {
            let dividend = u64::from(rest) << 32 | u64::from(*part);
            *part = (dividend / u64::from(divisor)) as u32;
            rest = (dividend % u64::from(divisor)) as u32;
        }
        rest
    }

    /// The float nearest to this number, or to what is a little above it if it is inexact, times
    /// 2^`exponent`.
    fn nearest_double(mut self, exponent: i64, inexact: bool) -> f64 {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        let bit = |at: i64| u64::from(self.0.get((at / 32) as usize).is_some_and(|part| part >> (at % 32) & 1 == 1));
        let bits = 32 * self.0.len() as i64 - self.0.last().map_or(0, |part| i64::from(part.leading_zeros()));
        // The place of the lowest bit that the float keeps: 53 bits, fewer below the smallest normal one.
        let lowest = (bits - 53).max(-1074 - exponent);
        let kept = (lowest.max(0)..bits).rev().fold(0, |kept, at| kept << 1 | bit(at)) << (-lowest).max(0);
        let half = lowest > 0 && bit(lowest - 1) == 1;
        let more = inexact || (0..lowest - 1).any(|at| bit(at) == 1);
        let mantissa = kept + u64::from(half && (more || kept & 1 == 1));
        if mantissa == 0 {
            return 0.0;
        }
        // A carry into the next power of two falls into place by itself.
        let field = if mantissa >> 52 == 0 { 0 } else { (lowest + exponent + 1075) as u64 };
        if field >= 2047 {
            return f64::INFINITY;
        }
        let bits = if field == 0 { mantissa } else { ((field - 1) << 52) + mantissa };
        f64::from_bits(bits.min(f64::INFINITY.to_bits()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str) {
        let found = parse_double(text).map(f64::to_bits);
        assert_eq!(found, text.parse::<f64>().ok().map(f64::to_bits), "{text}");
    }

    #[test]
    fn numbers_on_the_edge() {
        let edges = [
            "0",
            "0.",
            ".0",
            "0e999",
            "1",
            "00012",
            "0.1",
            ".3",
            "5.",
            "1e22",
            "1e23",
            "9007199254740993",
            "9007199254740992.5",
            "9007199254740993.0000000000000000000000000001",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
            "1e309",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "5e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "2.225073858507201136e-308",
            "4.9406564584124654e-324",
            "7.4109846876186981e-324",
            "1e-400",
            "123456789012345678901234567890",
        ];
        for text in edges {
            check(text);
        }
        check(&format!("{}1e-500", "0".repeat(600)));
        check(&format!("0.{}1", "0".repeat(330)));
        check(&format!("{}e-700", "9".repeat(1000)));
        check(&format!("9007199254740993.{}1", "0".repeat(900)));
        assert_eq!(parse_double("1e309"), Some(f64::INFINITY));
    }

    #[test]
    fn other_texts_are_none() {
        for text in
            ["", ".", "e5", "1e", "1e+", "1.2.3", "1x", "-1", "+1", " 1", "1_000", "inf", "NaN", "1e5.0", "1e-", "١"]
        {
            assert_eq!(parse_double(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn equals_the_standard_library(bits in any::<u64>(), digits in 0usize..25, cut in any::<bool>()) {
            let value = f64::from_bits(bits & (u64::MAX >> 1));
            prop_assume!(value.is_finite());
            let text = if cut { format!("{value:.digits$e}") } else { format!("{value:e}") };
            check(&text);
        }

        #[test]
        fn equals_it_between_two_floats(bits in any::<u64>(), nudge in "[05]?[0-9]{0,3}") {
            let value = f64::from_bits(bits & (u64::MAX >> 1));
            prop_assume!(value.is_finite() && value.next_up().is_finite() && value > 1e-290);
            // Exactly half way, then a little more.
            let (low, high) = (format!("{value:.1100e}"), format!("{:.1100e}", value.next_up()));
            prop_assume!(low.split('e').next_back() == high.split('e').next_back());
            let middle = format!("{:.60e}", value / 2.0 + value.next_up() / 2.0);
            check(&middle);
            check(&low.replace('e', &format!("{nudge}e")));
        }

        #[test]
        fn equals_it_on_any_text(text in "[0-9]{0,30}\\.?[0-9]{0,30}([eE][+-]?[0-9]{0,4})?") {
            let found = parse_double(&text).map(f64::to_bits);
            prop_assert_eq!(found, text.parse::<f64>().ok().map(f64::to_bits), "{}", text);
        }
    }
}

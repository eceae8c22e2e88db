//! Values in messages.
//!
//! The standard library writes a text with what Unicode says of each character and a float with all
//! its digits at any size; in a browser module that is twenty kilobytes for messages that few see.

use std::fmt::{self, Display, Formatter, Write};

/// A text in quotes, with escapes for what can't be seen.
pub fn quoted(text: &str) -> impl Display {
    Quoted(text)
}

/// A number with as many digits as tell it from other floats of 32 bits.
pub fn decimal(value: impl Into<f64>) -> impl Display {
    Decimal(value.into())
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => {
                    f.write_char('\\')?;
                    f.write_char(c)?;
                }
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                // Controls, and what turns the direction of a line or has no width.
                '\0'..='\u{1f}'
                | '\u{7f}'..='\u{a0}'
                | '\u{ad}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202f}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}' => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

struct Decimal(f64);

/// Digits that tell any two floats of 32 bits apart.
const MOST_DIGITS: i32 = 9;

impl Display for Decimal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            return f.write_str("NaN");
        }
        if self.0.is_sign_negative() {
            f.write_char('-')?;
        }
        let size = self.0.abs();
        if size == 0.0 || size.is_infinite() {
            return f.write_str(if size == 0.0 { "0" } else { "inf" });
        }
        // The place of the first digit before the point.
        let mut point = 0;
        while size >= ten_to(point) {
            point += 1;
        }
        while size < ten_to(point - 1) {
            point -= 1;
        }
        let rounded = |count| (size * ten_to(count - point)).round() as u64;
        let is_enough = |&count: &i32| (rounded(count) as f64 * ten_to(point - count)) as f32 == size as f32;
        let count = (1..MOST_DIGITS).find(is_enough).unwrap_or(MOST_DIGITS);
        // Rounding up may have made one digit more, a zero.
        let digits = rounded(count).to_string();
        let point = point - count + digits.len() as i32;
        let digits = digits.trim_end_matches('0');
        let split = point.clamp(0, digits.len() as i32) as usize;
        match point {
            1..=16 if split == digits.len() => {
                f.write_str(digits)?;
                (digits.len()..point as usize).try_for_each(|_| f.write_char('0'))
            }
            1..=16 => write!(f, "{}.{}", &digits[..split], &digits[split..]),
            -4..=0 => {
                f.write_str("0.")?;
                (point..0).try_for_each(|_| f.write_char('0'))?;
                f.write_str(digits)
            }
            _ if digits.len() == 1 => write!(f, "{digits}e{}", point - 1),
            _ => write!(f, "{}.{}e{}", &digits[..1], &digits[1..], point - 1),
        }
    }
}

fn ten_to(power: i32) -> f64 {
    10f64.powi(power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert_eq!(
            quoted("a\"b\\c\n\té\u{7}\u{202e}\u{200b}語").to_string(),
            r#""a\"b\\c\n\té\u{7}\u{202e}\u{200b}語""#
        );
    }

    #[test]
    fn floats_are_short() {
        let texts = [
            0.0f32,
            -0.0,
            1.0,
            0.1,
            -0.95,
            0.99,
            16384.0,
            123456.79,
            1e10,
            1.5e20,
            3.4028235e38,
            1e-3,
            2.5e-7,
            1e-45,
            9.999999e9,
        ]
        .map(|value| decimal(value).to_string());
        assert_eq!(
            texts.each_ref().map(String::as_str),
            [
                "0",
                "-0",
                "1",
                "0.1",
                "-0.95",
                "0.99",
                "16384",
                "123456.79",
                "10000000000",
                "1.5e20",
                "3.4028235e38",
                "0.001",
                "2.5e-7",
                "1e-45",
                "9999999000"
            ]
        );
        assert_eq!(
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|value| decimal(value).to_string()),
            ["NaN", "inf", "-inf"]
        );
    }

    proptest! {
        #[test]
        fn floats_come_back(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(decimal(value).to_string().parse::<f32>().map(f32::to_bits), Ok(bits));
        }
    }
}

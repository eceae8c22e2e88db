//! JSON texts, read in place: one pass that says whether a text is one value, and views that find a
//! member of it without building a tree.
//!
//! Views are made of texts that were checked. Of others they give what there is of a value, or none;
//! nothing panics.

use super::number::parse_double;
use std::borrow::Cow;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

/// A value, as it stands in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without point and exponent that fits 64 bits.
    Int(i64),
    /// Any other number.
    Double(f64),
    /// A string, without its escapes.
    Text(Cow<'a, str>),
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> Json<'a> {
    /// Checks that a text is one value and nothing else, with finite numbers and no deeper than
    /// [`MAX_DEPTH`]; if not, the byte where it stops being one.
    ///
    /// # Errors
    /// That byte.
    pub fn parse(text: &'a str) -> Result<Self, usize> {
        let start = space(text.as_bytes(), 0);
        let end = check(text, start, 0)?;
        match space(text.as_bytes(), end) {
            at if at == text.len() => Ok(Json(&text[start..end])),
            at => Err(at),
        }
    }

    /// A view of a text that was checked before.
    pub fn of(text: &'a str) -> Self {
        Json(text.trim_matches(is_space))
    }

    /// The text of the value.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// What it is.
    pub fn kind(self) -> Kind<'a> {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text(unescaped(self.0.get(1..self.0.len() - 1).unwrap_or_default())),
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'-' | b'0'..=b'9') => number(self.0),
            _ => Kind::Null,
        }
    }

    /// The member of an object; of several of one name the last, as in JavaScript.
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        let mut found = None;
        for (key, value) in self.members() {
            if key == name {
                found = Some(value);
            }
        }
        found
    }

    /// The value at a place of an array.
    pub fn at(self, index: usize) -> Option<Json<'a>> {
        self.items().nth(index)
    }

    /// The values of an array; none of anything else.
    pub fn items(self) -> impl Iterator<Item = Json<'a>> {
        let mut at = if self.0.starts_with('[') { 1 } else { self.0.len() };
        std::iter::from_fn(move || {
            let start = space(self.0.as_bytes(), at);
            if !starts_value(self.0, start) {
                return None;
            }
            let end = skip(self.0.as_bytes(), start);
            at = after_comma(self.0.as_bytes(), end);
            self.0.get(start..end).map(Json)
        })
    }

    /// Names and values of an object; none of anything else.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Json<'a>)> {
        let bytes = self.0.as_bytes();
        let mut at = if self.0.starts_with('{') { 1 } else { self.0.len() };
        std::iter::from_fn(move || {
            let start = space(bytes, at);
            if bytes.get(start) != Some(&b'"') {
                return None;
            }
            let end = skip(bytes, start);
            let name = self.0.get(start + 1..end - 1)?;
            let colon = space(bytes, end);
            let value = space(bytes, colon + 1);
            if bytes.get(colon) != Some(&b':') || !starts_value(self.0, value) {
                return None;
            }
            let value_end = skip(bytes, value);
            at = after_comma(bytes, value_end);
            Some((unescaped(name), Json(self.0.get(value..value_end)?)))
        })
    }
}

/// Writes a text as a JSON string.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                out.push_str("\\u00");
                out.extend([c as u32 >> 4, c as u32 & 15].iter().filter_map(|&digit| char::from_digit(digit, 16)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn starts_value(text: &str, at: usize) -> bool {
    !matches!(text.as_bytes().get(at), None | Some(b']' | b'}' | b',' | b':'))
}

fn after_comma(bytes: &[u8], at: usize) -> usize {
    match space(bytes, at) {
        comma if bytes.get(comma) == Some(&b',') => comma + 1,
        end => end,
    }
}

/// Where a value ends that starts at `at`, past `at` in any case.
fn skip(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0usize;
    let mut i = at;
    while let Some(&byte) = bytes.get(i) {
        match byte {
            b'"' => {
                i += 1;
                while let Some(&inner) = bytes.get(i) {
                    match inner {
                        b'\\' => i += 1,
                        b'"' => break,
                        _ => {}
                    }
                    i += 1;
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => match depth {
                0 => return i.max(at + 1),
                _ => depth -= 1,
            },
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return i.max(at + 1),
            _ => {
                i += 1;
                continue;
            }
        }
        i += 1;
        if depth == 0 {
            return i.min(bytes.len());
        }
    }
    bytes.len()
}

fn number(text: &str) -> Kind<'_> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    // "-0" is a float: as an integer it would lose its sign.
    let is_whole = !digits.contains(['.', 'e', 'E']) && (!negative || digits != "0");
    if is_whole && let Ok(whole) = text.parse() {
        return Kind::Int(whole);
    }
    match parse_double(digits) {
        Some(value) => Kind::Double(if negative { -value } else { value }),
        None => Kind::Null,
    }
}

fn unescaped(body: &str) -> Cow<'_, str> {
    let Some(first) = body.find('\\') else { return Cow::Borrowed(body) };
    let mut out = String::with_capacity(body.len());
    out.push_str(&body[..first]);
    let mut chars = body[first..].chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let mut unit = || {
                    let digits = chars.as_str().get(..4)?;
                    let value = u32::from_str_radix(digits, 16).ok()?;
                    chars = chars.as_str()[4..].chars();
                    Some(value)
                };
                let high = unit().unwrap_or(0xFFFD);
                let mut scalar = high;
                if (0xD800..0xDC00).contains(&high) {
                    let rest = chars.as_str();
                    let low = rest.strip_prefix("\\u").and_then(|rest| u32::from_str_radix(rest.get(..4)?, 16).ok());
                    if let Some(low) = low.filter(|low| (0xDC00..0xE000).contains(low)) {
                        scalar = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                        chars = rest[6..].chars();
                    }
                }
                // Half of a pair stands for nothing.
                out.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Cow::Owned(out)
}

/// Where the value at `at` ends, if it is one; if not, where it stops being one.
fn check(text: &str, at: usize, depth: usize) -> Result<usize, usize> {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        Some(open @ (b'{' | b'[')) => {
            if depth == MAX_DEPTH {
                return Err(at);
            }
            let (object, close) = (*open == b'{', open + 2);
            let mut i = space(bytes, at + 1);
            if bytes.get(i) == Some(&close) {
                return Ok(i + 1);
            }
            loop {
                if object {
                    i = space(bytes, check_text(bytes, i)?);
                    if bytes.get(i) != Some(&b':') {
                        return Err(i);
                    }
                    i = space(bytes, i + 1);
                }
                i = space(bytes, check(text, i, depth + 1)?);
                match bytes.get(i) {
                    Some(b',') => i = space(bytes, i + 1),
                    Some(byte) if *byte == close => return Ok(i + 1),
                    _ => return Err(i),
                }
            }
        }
        Some(b'"') => check_text(bytes, at),
        Some(b'-' | b'0'..=b'9') => check_number(text, at),
        _ => ["true", "false", "null"]
            .iter()
            .find(|word| bytes[at.min(bytes.len())..].starts_with(word.as_bytes()))
            .map(|word| at + word.len())
            .ok_or(at),
    }
}

fn check_text(bytes: &[u8], at: usize) -> Result<usize, usize> {
    if bytes.get(at) != Some(&b'"') {
        return Err(at);
    }
    let mut i = at + 1;
    loop {
        match bytes.get(i) {
            Some(b'"') => return Ok(i + 1),
            Some(b'\\') => match bytes.get(i + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => i += 2,
                Some(b'u') => {
                    let digits = bytes.get(i + 2..i + 6).is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit));
                    if !digits {
                        return Err(i);
                    }
                    i += 6;
                }
                _ => return Err(i),
            },
            Some(byte) if *byte >= b' ' => i += 1,
            _ => return Err(i),
        }
    }
}

fn check_number(text: &str, at: usize) -> Result<usize, usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let end = (from..).find(|&i| !bytes.get(i).is_some_and(u8::is_ascii_digit)).unwrap_or(from);
        if end > from { Ok(end) } else { Err(from) }
    };
    let start = at + usize::from(bytes[at] == b'-');
    let mut end = digits(start)?;
    if end > start + 1 && bytes[start] == b'0' {
        return Err(start);
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    match number(&text[at..end]) {
        Kind::Double(value) if !value.is_finite() => Err(at),
        _ => Ok(end),
    }
}

//! Filter text to tokens.

use super::ast::shortened;
use super::number::{Arithmetic, Op};
use crate::words::number::parse_double;
use crate::words::{Code, Error, Result};

/// The text of a filter, which places its errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a str);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Byte where it starts.
    pub(super) at: usize,
    /// As it is written.
    pub(super) text: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Name,
    /// Without its sign.
    Int(u64),
    Float(f64),
    Text {
        value: String,
        /// Where it escapes `%` or `_`, which only a `like` pattern can.
        like_escape: Option<usize>,
    },
    Bool(bool),
    Compare(Op),
    And,
    Or,
    Not,
    In,
    Like,
    Is,
    Null,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Arithmetic(Arithmetic),
    Exists,
    OpenBrace,
    CloseBrace,
    /// Part of Milvus's grammar that this version doesn't have.
    Unsupported(&'static str),
    End,
}

const BITS: &str = "arithmetic of bits";
const REGEX: &str = "a regular expression";
/// The root of dynamic fields.
pub(super) const META: &str = "$meta";

/// Longest first where one starts with another.
const SYMBOLS: [(&str, Kind); 31] = [
    ("==", Kind::Compare(Op::Equal)),
    ("!=", Kind::Compare(Op::NotEqual)),
    ("!~", Kind::Unsupported(REGEX)),
    ("=~", Kind::Unsupported(REGEX)),
    ("<<", Kind::Unsupported(BITS)),
    (">>", Kind::Unsupported(BITS)),
    ("<=", Kind::Compare(Op::LessEqual)),
    (">=", Kind::Compare(Op::GreaterEqual)),
    ("<", Kind::Compare(Op::Less)),
    (">", Kind::Compare(Op::Greater)),
    ("&&", Kind::And),
    ("||", Kind::Or),
    ("&", Kind::Unsupported(BITS)),
    ("|", Kind::Unsupported(BITS)),
    ("^", Kind::Unsupported(BITS)),
    ("~", Kind::Unsupported(BITS)),
    ("**", Kind::Arithmetic(Arithmetic::Power)),
    ("*", Kind::Arithmetic(Arithmetic::Multiply)),
    ("/", Kind::Arithmetic(Arithmetic::Divide)),
    ("%", Kind::Arithmetic(Arithmetic::Remainder)),
    ("!", Kind::Not),
    ("(", Kind::Open),
    (")", Kind::Close),
    ("[", Kind::OpenList),
    ("]", Kind::CloseList),
    (",", Kind::Comma),
    ("-", Kind::Arithmetic(Arithmetic::Subtract)),
    ("+", Kind::Arithmetic(Arithmetic::Add)),
    ("$meta", Kind::Name),
    ("{", Kind::OpenBrace),
    ("}", Kind::CloseBrace),
];

/// Words that are no field names: all in lower or all in upper case, as in Milvus.
fn keyword(word: &str) -> Option<Kind> {
    Some(match word {
        "and" | "AND" => Kind::And,
        "or" | "OR" => Kind::Or,
        "not" | "NOT" => Kind::Not,
        "in" | "IN" => Kind::In,
        "like" | "LIKE" => Kind::Like,
        "is" | "IS" => Kind::Is,
        "null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        "exists" | "EXISTS" => Kind::Exists,
        _ => return None,
    })
}

/// Whether `word` belongs to the language and can't name a field.
pub(super) fn is_keyword(word: &str) -> bool {
    keyword(word).is_some()
}

impl<'a> Source<'a> {
    /// An error about the text at byte `at`.
    pub(super) fn error(self, at: usize, message: impl std::fmt::Display) -> Error {
        self.error_of(Code::InvalidFilter, at, message)
    }

    /// An error of another code about the text at byte `at`.
    pub(super) fn error_of(self, code: Code, at: usize, message: impl std::fmt::Display) -> Error {
        let before = &self.0[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        let line = match before.matches('\n').count() {
            0 if !self.0.contains('\n') => String::new(),
            lines => format!("line {}, ", lines + 1),
        };
        Error::new(code, format!("filter, {line}column {column}: {message}"))
    }

    /// The token that starts at or after byte `at`.
    pub(super) fn token(self, at: usize) -> Result<Token<'a>> {
        let at = self.0.len() - self.0[at..].trim_start().len();
        let rest = &self.0[at..];
        let token = |kind, length| Ok(Token { kind, at, text: &rest[..length] });
        let Some(first) = rest.chars().next() else { return token(Kind::End, 0) };
        if first.is_ascii_alphabetic() || first == '_' {
            let word = &rest[..rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())];
            return token(keyword(word).unwrap_or(Kind::Name), word.len());
        }
        if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            return self.number(at);
        }
        if first == '"' || first == '\'' {
            return self.text(at, first);
        }
        if let Some((symbol, kind)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
            return token(kind.clone(), symbol.len());
        }
        Err(match first {
            '=' => self.error(at, "\"=\" is no comparison; write \"==\""),
            '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => {
                self.error(at, format!("{} is no quote here; write \" or '", shortened(&rest[..first.len_utf8()])))
            }
            _ => self.error(
                at,
                format!("{} has no meaning in a filter; put text in quotes", shortened(&rest[..first.len_utf8()])),
            ),
        })
    }

    fn number(self, at: usize) -> Result<Token<'a>> {
        let rest = &self.0[at..];
        let mut end = 0;
        let mut after_exponent = false;
        let radix = match rest.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0b" | "0B") => 2,
            _ => 10,
        };
        for c in rest.chars() {
            if !(is_word(c) || c == '.' || (after_exponent && (c == '+' || c == '-'))) {
                break;
            }
            after_exponent = radix == 10 && (c == 'e' || c == 'E');
            end += c.len_utf8();
        }
        let text = &rest[..end];
        let wrong = || self.error(at, format!("{} is no number", shortened(text)));
        if radix == 10 && text.contains(['.', 'e', 'E']) {
            let value = parse_double(text).ok_or_else(wrong)?;
            if !value.is_finite() {
                return Err(self.error(at, format!("{} is too large for a 64-bit float", shortened(text))));
            }
            return Ok(Token { kind: Kind::Float(value), at, text });
        }
        let (digits, radix) = match radix {
            10 if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
            10 => (text, 10),
            _ => (&text[2..], radix),
        };
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return Err(match radix {
                8 => self.error(at, format!("{} starts with 0 and so is octal, but has other digits", shortened(text))),
                _ => wrong(),
            });
        }
        let value = u64::from_str_radix(digits, radix)
            .map_err(|_| self.error(at, format!("{} is too large for a 64-bit integer", shortened(text))))?;
        Ok(Token { kind: Kind::Int(value), at, text })
    }

    /// A text in quotes, with C's escapes.
    fn text(self, at: usize, quote: char) -> Result<Token<'a>> {
        let body = &self.0[at + 1..];
        let mut bytes = Vec::new();
        let mut like_escape = None;
        let mut chars = body.char_indices();
        while let Some((start, c)) = chars.next() {
            if c == quote {
                let value = String::from_utf8(bytes)
                    .map_err(|_| self.error(at, "the \\x or octal escapes of this text don't make UTF-8"))?;
                let text = &self.0[at..at + 1 + start + 1];
                return Ok(Token { kind: Kind::Text { value, like_escape }, at, text });
            }
            if c != '\\' {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            let place = at + 1 + start;
            let Some((_, escape)) = chars.next() else { break };
            let mut digits = |most: usize, radix: u32| {
                let run = chars.as_str().chars().take(most).take_while(|d| d.is_digit(radix)).count();
                let (digits, _) = chars.as_str().split_at(run);
                (0..run).for_each(|_| {
                    chars.next();
                });
                (run, u32::from_str_radix(digits, radix).unwrap_or(0))
            };
            let wrong = |what: String| {
                self.error(place, format!("{what}; the escapes are those of C, and a backslash itself is \"\\\\\""))
            };
            match escape {
                'a' => bytes.push(7),
                'b' => bytes.push(8),
                'f' => bytes.push(12),
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                't' => bytes.push(b'\t'),
                'v' => bytes.push(11),
                '\\' | '\'' | '"' | '?' => bytes.push(escape as u8),
                '%' | '_' => {
                    like_escape.get_or_insert(place);
                    bytes.extend([b'\\', escape as u8]);
                }
                'x' => match digits(2, 16) {
                    (2, byte) => bytes.push(byte as u8),
                    _ => return Err(wrong("\\x wants two hexadecimal digits".into())),
                },
                'u' | 'U' => {
                    let length = if escape == 'u' { 4 } else { 8 };
                    match digits(length, 16) {
                        (n, scalar) if n == length && char::from_u32(scalar).is_some() => {
                            let c = char::from_u32(scalar).unwrap_or_default();
                            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        _ => return Err(wrong(format!("\\{escape} wants {length} hexadecimal digits of a character"))),
                    }
                }
                '0'..='7' => {
                    let (more, rest) = digits(2, 8);
                    let value = (escape as u32 - '0' as u32) * 8u32.pow(more as u32) + rest;
                    bytes.push(u8::try_from(value).map_err(|_| wrong("an octal escape is at most \\377".into()))?);
                }
                other => return Err(wrong(format!("\\{other} is no escape"))),
            }
        }
        Err(self.error(at, format!("the text that starts here has no closing {quote}")))
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

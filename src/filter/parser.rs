//! Tokens to tree, by recursive descent. Tightest first: `not`, then comparisons, `in`, `like` and
//! `is null`, then `and`, then `or`.

use super::ast::{At, Expression, Literal, Operand, shortened};
use super::lexer::{ARITHMETIC, Kind, Source, Token};
use super::number::{Number, Op};
use crate::words::say::quoted;
use crate::words::{Error, Result};

/// How deep parentheses and `not` may nest: each level is a few stack frames, here and in every
/// later walk over the tree.
const MAX_DEPTH: usize = 64;
/// Conditions in one filter: each is a pass over the rows.
const MAX_CONDITIONS: usize = 4096;

/// Parses a whole filter text.
pub(super) fn parse(source: Source<'_>) -> Result<Expression> {
    if source.0.len() > super::MAX_TEXT {
        return Err(
            source.error(0, format!("the text has {} bytes; at most {} are taken", source.0.len(), super::MAX_TEXT))
        );
    }
    let mut parser = Parser { source, next: source.token(0)?, depth: 0, conditions: 0 };
    if parser.next.kind == Kind::End {
        return Err(source.error(0, "the filter is empty; leave it out to get every row"));
    }
    let expression = parser.or()?;
    match parser.next.kind {
        Kind::End => Ok(expression),
        _ => Err(parser.expected("\"and\", \"or\" or the end")),
    }
}

struct Parser<'a> {
    source: Source<'a>,
    next: Token<'a>,
    depth: usize,
    conditions: usize,
}

/// What stands between two `and`s: a finished condition, or an operand that may still be compared.
enum Primary {
    Condition(Expression),
    Operand(At<Operand>),
}

impl<'a> Parser<'a> {
    fn advance(&mut self) -> Result<Token<'a>> {
        let next = self.source.token(self.next.at + self.next.text.len())?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn take(&mut self, kind: &Kind) -> Result<bool> {
        let found = self.next.kind == *kind;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, kind: &Kind, what: &str) -> Result<()> {
        if self.take(kind)? { Ok(()) } else { Err(self.expected(what)) }
    }

    /// "Something else was expected here", with the reason where the text is valid Milvus.
    fn expected(&self, what: &str) -> Error {
        let unsupported = match &self.next.kind {
            Kind::Unsupported(feature) => Some(*feature),
            Kind::Plus | Kind::Minus => Some(ARITHMETIC),
            _ => None,
        };
        let came = match (&self.next.kind, unsupported) {
            (Kind::End, _) => "the filter ends".to_owned(),
            (_, Some(feature)) => {
                format!("{} came; {feature} is not supported in filters yet", quoted(self.next.text))
            }
            _ => format!("{} came", shortened(self.next.text)),
        };
        self.source.error(self.next.at, format!("expected {what}, but {came}"))
    }

    fn or(&mut self) -> Result<Expression> {
        self.chain(&Kind::Or, Self::and, Expression::Or)
    }

    fn and(&mut self) -> Result<Expression> {
        self.chain(&Kind::And, Self::condition, Expression::And)
    }

    fn chain(
        &mut self,
        separator: &Kind,
        term: impl Fn(&mut Self) -> Result<Expression>,
        join: impl Fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression> {
        let first = term(self)?;
        if self.next.kind != *separator {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.take(separator)? {
            terms.push(term(self)?);
        }
        Ok(join(terms))
    }

    fn condition(&mut self) -> Result<Expression> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(self.source.error(
                self.next.at,
                format!("more than {MAX_CONDITIONS} conditions; use \"in [...]\" for many values"),
            ));
        }
        match self.primary()? {
            Primary::Operand(operand) => self.after_operand(operand),
            Primary::Condition(condition) => match self.next.kind {
                Kind::Compare(_) | Kind::In | Kind::Like | Kind::Is => Err(self.source.error(
                    self.next.at,
                    format!(
                        "{} came after a condition, and conditions can't be compared; \"not\" binds tighter than a \
                         comparison: write not (a == 1)",
                        quoted(self.next.text)
                    ),
                )),
                _ => Ok(condition),
            },
        }
    }

    fn primary(&mut self) -> Result<Primary> {
        let nesting = matches!(self.next.kind, Kind::Not | Kind::Open);
        if nesting {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.source.error(
                    self.next.at,
                    format!("nested deeper than {MAX_DEPTH} levels; write it with fewer parentheses"),
                ));
            }
        }
        let primary = if self.take(&Kind::Not)? {
            let inner = match self.primary()? {
                Primary::Condition(condition) => condition,
                Primary::Operand(operand) => Expression::Truth(operand),
            };
            Primary::Condition(Expression::Not(Box::new(inner)))
        } else if self.take(&Kind::Open)? {
            let inner = self.or()?;
            self.expect(&Kind::Close, "\")\", \"and\" or \"or\"")?;
            match inner {
                // (a) == 1 compares a.
                Expression::Truth(operand) => Primary::Operand(operand),
                condition => Primary::Condition(condition),
            }
        } else {
            Primary::Operand(self.operand("a field, a value, \"not\" or \"(\"")?)
        };
        if nesting {
            self.depth -= 1;
        }
        Ok(primary)
    }

    /// What makes a condition of an operand: a comparison, `in`, `like`, `is null`, or nothing.
    fn after_operand(&mut self, operand: At<Operand>) -> Result<Expression> {
        match self.next.kind {
            Kind::Compare(_) => self.comparison(operand),
            Kind::In => {
                self.advance()?;
                self.list(operand, false)
            }
            Kind::Not => {
                self.advance()?;
                self.expect(&Kind::In, "\"in\" (for a pattern write not (a like \"x%\"))")?;
                self.list(operand, true)
            }
            Kind::Like => {
                self.advance()?;
                let pattern = self.next.clone();
                let Kind::Text { value, .. } = pattern.kind else {
                    return Err(self.expected("a pattern in quotes after \"like\""));
                };
                self.advance()?;
                Ok(Expression::Like { operand, pattern: value })
            }
            Kind::Is => {
                self.advance()?;
                let negated = self.take(&Kind::Not)?;
                self.expect(&Kind::Null, if negated { "\"null\"" } else { "\"null\" or \"not null\"" })?;
                Ok(Expression::IsNull { operand, negated })
            }
            _ => Ok(Expression::Truth(operand)),
        }
    }

    fn comparison(&mut self, left: At<Operand>) -> Result<Expression> {
        let op = self.compare_op()?;
        let middle = self.compared(op.what)?;
        if !matches!(self.next.kind, Kind::Compare(_)) {
            return Ok(Expression::Compare { left, op, right: middle });
        }
        let second = self.compare_op()?;
        let rising = |op| matches!(op, Op::Less | Op::LessEqual);
        let falling = |op| matches!(op, Op::Greater | Op::GreaterEqual);
        let is_range = (rising(op.what) && rising(second.what)) || (falling(op.what) && falling(second.what));
        if !is_range {
            return Err(self.source.error(
                second.at,
                format!(
                    "{} came after {}; a range is written 1 < a <= 5 or 5 >= a > 1, and other comparisons are \
                     joined with \"and\"",
                    quoted(second.what.symbol()),
                    quoted(op.what.symbol())
                ),
            ));
        }
        let right = self.compared(second.what)?;
        if matches!(self.next.kind, Kind::Compare(_)) {
            return Err(self.expected("\"and\", \"or\" or the end (a range has two comparisons)"));
        }
        Ok(Expression::And(vec![
            Expression::Compare { left, op, right: middle.clone() },
            Expression::Compare { left: middle, op: second, right },
        ]))
    }

    fn compare_op(&mut self) -> Result<At<Op>> {
        let token = self.advance()?;
        match token.kind {
            Kind::Compare(op) => Ok(At { at: token.at, what: op }),
            _ => Err(self.expected("a comparison")),
        }
    }

    /// The operand after a comparison; it may stand in parentheses.
    fn compared(&mut self, op: Op) -> Result<At<Operand>> {
        let mut open = 0;
        while self.take(&Kind::Open)? {
            open += 1;
        }
        let operand = self.operand(&format!("a field or a value after {}", quoted(op.symbol())))?;
        for _ in 0..open {
            self.expect(&Kind::Close, "\")\"")?;
        }
        Ok(operand)
    }

    fn operand(&mut self, what: &str) -> Result<At<Operand>> {
        let at = self.next.at;
        if self.next.kind != Kind::Name {
            return Ok(At { at, what: Operand::Literal(self.literal(what)?.what) });
        }
        let name = self.advance()?.text;
        match self.next.kind {
            Kind::Open => {
                Err(self.source.error(at, format!("functions such as {name}(…) are not supported in filters yet")))
            }
            Kind::OpenList => {
                Err(self.source.error(at, "paths into JSON or arrays are not supported in filters yet; name a field"))
            }
            _ => Ok(At { at, what: Operand::Field(name.to_owned()) }),
        }
    }

    fn list(&mut self, operand: At<Operand>, negated: bool) -> Result<Expression> {
        self.expect(&Kind::OpenList, "\"[\" and a list of values after \"in\"")?;
        let mut items = Vec::new();
        while !self.take(&Kind::CloseList)? {
            items.push(self.literal("a value or \"]\"")?);
            if self.next.kind != Kind::CloseList {
                self.expect(&Kind::Comma, "\",\" or \"]\"")?;
            }
        }
        Ok(Expression::In { operand, negated, items })
    }

    fn literal(&mut self, what: &str) -> Result<At<Literal>> {
        let at = self.next.at;
        let negative = self.next.kind == Kind::Minus;
        if negative || self.next.kind == Kind::Plus {
            self.advance()?;
            if !matches!(self.next.kind, Kind::Int(_) | Kind::Float(_)) {
                return Err(self.expected("a number after the sign"));
            }
        }
        let literal = match &self.next.kind {
            Kind::Bool(value) => Literal::Bool(*value),
            Kind::Float(value) => Literal::Number(Number::Double(if negative { -value } else { *value })),
            Kind::Int(magnitude) => {
                let value =
                    if negative { 0i64.checked_sub_unsigned(*magnitude) } else { i64::try_from(*magnitude).ok() };
                Literal::Number(Number::Int(value.ok_or_else(|| {
                    self.source.error(at, format!("{} is too large for a signed 64-bit integer", self.next.text))
                })?))
            }
            Kind::Text { value, like_escape: None } => Literal::Text(value.clone()),
            Kind::Text { like_escape: Some(place), .. } => {
                return Err(self.source.error(*place, "\\% and \\_ are escapes of \"like\" patterns only"));
            }
            Kind::Null => {
                return Err(self.source.error(at, "nothing equals null; write \"is null\" or \"is not null\""));
            }
            _ => return Err(self.expected(what)),
        };
        self.advance()?;
        Ok(At { at, what: literal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Code;
    use proptest::prelude::*;

    #[test]
    fn nesting_is_bounded_and_chains_are_not_nesting() {
        for text in ["(".repeat(100_000), "not ".repeat(100_000), "!".repeat(100_000), "a == ((((".repeat(20_000)] {
            assert_eq!(parse(Source(&text)).unwrap_err().code, Code::InvalidFilter, "{}", &text[..9]);
        }
        let deep = format!("{}a{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
        assert!(parse(Source(&deep)).is_ok());
        assert!(parse(Source(&format!("({deep})"))).unwrap_err().message.contains("64 levels"));
        assert!(parse(Source(&vec!["a == 1"; MAX_CONDITIONS].join(" or "))).is_ok());
        assert!(
            parse(Source(&vec!["a"; MAX_CONDITIONS + 1].join(" and ")))
                .unwrap_err()
                .message
                .contains("4096 conditions")
        );
        assert!(parse(Source(&" ".repeat(super::super::MAX_TEXT + 1))).unwrap_err().message.contains("at most"));
    }

    fn fragment() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "a", "(", ")", "[", "]", ",", "==", "!=", "<", "<=", ">", ">=", "and", "or", "not", "&&", "||", "!",
                "in", "like", "is", "null", "true", "-", "+", "1", "0x1f", "017", "0b1", "1.5", "1e3", "\"x\"", "'y'",
                "\"%\\_\"", "'", "\"", "\\", "=", "$", "{", "é", "\n",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pieces in prop::collection::vec(fragment(), 0..12), gap in "[ \t]{0,1}") {
            let _ = parse(Source(&pieces.join(&gap)));
        }
    }
}

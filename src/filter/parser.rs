//! Tokens to tree, by recursive descent. Tightest first: calls and paths, `**`, `not` and signs, `*` `/` `%`,
//! `+` `-`, then comparisons, `in`, `like` and `is null`, then `and`, then `or`.

use super::FULL;
use super::ast::{At, Expression, Literal, Operand, Step, Wanted, shortened};
use super::lexer::{Kind, META, Source, Token};
use super::number::{Arithmetic, Number, Op};
use super::params::Params;
use crate::words::say::quoted;
use crate::words::{Error, Result};

/// How deep parentheses, `not` and signs may nest: each level is a few stack frames, here and in every
/// later walk over the tree.
const MAX_DEPTH: usize = 64;
/// Conditions in one filter: each is a pass over the rows.
const MAX_CONDITIONS: usize = 4096;
/// Additions and the like in one filter: a chain of them is a tree as deep as it is long.
const MAX_OPERATIONS: usize = 256;

/// Parses a whole filter text.
pub(super) fn parse(source: Source<'_>, params: &Params) -> Result<Expression> {
    if source.0.len() > super::MAX_TEXT {
        return Err(
            source.error(0, format!("the text has {} bytes; at most {} are taken", source.0.len(), super::MAX_TEXT))
        );
    }
    let mut parser = Parser { source, params, next: source.token(0)?, depth: 0, conditions: 0, operations: 0 };
    if parser.next.kind == Kind::End {
        return Err(source.error(0, "the filter is empty; leave it out to get every row"));
    }
    let expression = parser.or(START)?;
    match parser.next.kind {
        Kind::End => Ok(expression),
        _ => Err(parser.expected("\"and\", \"or\" or the end")),
    }
}

/// What may stand where a condition starts.
const START: &str = "a field, a value, \"not\" or \"(\"";

struct Parser<'a> {
    source: Source<'a>,
    params: &'a Params,
    next: Token<'a>,
    depth: usize,
    conditions: usize,
    operations: usize,
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
        let came = match &self.next.kind {
            Kind::End => "the filter ends".to_owned(),
            Kind::Unsupported(feature) => {
                format!("{} came; {feature} is not supported in filters yet", quoted(self.next.text))
            }
            _ => format!("{} came", shortened(self.next.text)),
        };
        self.source.error(self.next.at, format!("expected {what}, but {came}"))
    }

    fn only_full(&self, at: usize) -> Error {
        self.source.error(at, "calculations, paths, functions and parameters are understood in collections only")
    }

    fn or(&mut self, what: &str) -> Result<Expression> {
        self.chain(
            &Kind::Or,
            |parser, what| parser.chain(&Kind::And, Self::condition, Expression::And, what),
            Expression::Or,
            what,
        )
    }

    fn chain(
        &mut self,
        separator: &Kind,
        term: impl Fn(&mut Self, &str) -> Result<Expression>,
        join: impl Fn(Vec<Expression>) -> Expression,
        what: &str,
    ) -> Result<Expression> {
        let first = term(self, what)?;
        if self.next.kind != *separator {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.take(separator)? {
            terms.push(term(self, START)?);
        }
        Ok(join(terms))
    }

    fn condition(&mut self, what: &str) -> Result<Expression> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(self.source.error(
                self.next.at,
                format!("more than {MAX_CONDITIONS} conditions; use \"in [...]\" for many values"),
            ));
        }
        match self.sum(what)? {
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

    fn sum(&mut self, what: &str) -> Result<Primary> {
        let ops = &[Arithmetic::Add, Arithmetic::Subtract];
        self.operations(ops, |parser, what| parser.operations(PRODUCTS, Self::unary, what), what)
    }

    /// Operands with these between them, from left to right.
    fn operations(
        &mut self,
        ops: &[Arithmetic],
        term: impl Fn(&mut Self, &str) -> Result<Primary>,
        what: &str,
    ) -> Result<Primary> {
        let mut left = term(self, what)?;
        while FULL
            && let Kind::Arithmetic(op) = self.next.kind
            && ops.contains(&op)
        {
            let at = self.advance()?.at;
            let right = term(self, &format!("a field or a value after {}", quoted(op.symbol())))?;
            left = self.operation(left, At { at, what: op }, right)?;
        }
        Ok(left)
    }

    fn operation(&mut self, left: Primary, op: At<Arithmetic>, right: Primary) -> Result<Primary> {
        let (Primary::Operand(left), Primary::Operand(right)) = (left, right) else {
            return Err(self.source.error(op.at, "conditions can't be calculated with; compare numbers"));
        };
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            return Err(self.source.error(op.at, format!("more than {MAX_OPERATIONS} calculations in one filter")));
        }
        let at = left.at;
        let what = match (&left.what, &right.what) {
            (Operand::Literal(Literal::Number(a)), Operand::Literal(Literal::Number(b))) => {
                let result = op
                    .what
                    .of(*a, *b)
                    .ok_or_else(|| self.source.error(op.at, "this calculation has no result that 64 bits hold"))?;
                Operand::Literal(Literal::Number(result))
            }
            _ => Operand::Arithmetic { op, left: Box::new(left), right: Box::new(right) },
        };
        Ok(Primary::Operand(At { at, what }))
    }

    /// Counts a level of nesting while something is read.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.source.error(
                self.next.at,
                format!("nested deeper than {MAX_DEPTH} levels; write it with fewer parentheses"),
            ));
        }
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    /// `not` and signs.
    fn unary(&mut self, what: &str) -> Result<Primary> {
        match self.next.kind {
            Kind::Not => self.nested(|parser| {
                parser.advance()?;
                let inner = match parser.unary(START)? {
                    Primary::Condition(condition) => condition,
                    Primary::Operand(operand) => Expression::Truth(operand),
                };
                Ok(Primary::Condition(Expression::Not(Box::new(inner))))
            }),
            Kind::Arithmetic(sign @ (Arithmetic::Add | Arithmetic::Subtract)) => self.nested(|parser| {
                let at = parser.advance()?.at;
                let negative = sign == Arithmetic::Subtract;
                // The least integer has no positive one to be the negative of.
                if negative && matches!(parser.next.kind, Kind::Int(magnitude) if magnitude == 1 << 63) {
                    parser.advance()?;
                    let least = Literal::Number(Number::Int(i64::MIN));
                    return Ok(Primary::Operand(At { at, what: Operand::Literal(least) }));
                }
                let place = parser.next.at;
                let Primary::Operand(inner) = parser.unary("a number after the sign")? else {
                    return Err(parser.source.error(place, "a condition can't have a sign; compare numbers"));
                };
                let what = match inner.what {
                    Operand::Literal(Literal::Number(number)) => {
                        let signed = if negative { number.negated() } else { Some(number) };
                        Operand::Literal(Literal::Number(
                            signed.ok_or_else(|| parser.source.error(at, "too large for a signed 64-bit integer"))?,
                        ))
                    }
                    Operand::Literal(other) => {
                        let came = other.describe();
                        return Err(parser
                            .source
                            .error(place, format!("expected a number after the sign, but {came} came")));
                    }
                    _ if !FULL => return Err(parser.only_full(at)),
                    other if negative => Operand::Negative(Box::new(At { at: inner.at, what: other })),
                    other => other,
                };
                Ok(Primary::Operand(At { at, what }))
            }),
            _ => self.power(what),
        }
    }

    fn power(&mut self, what: &str) -> Result<Primary> {
        let base = self.primary(what)?;
        if !FULL || self.next.kind != Kind::Arithmetic(Arithmetic::Power) {
            return Ok(base);
        }
        let at = self.advance()?.at;
        let exponent = self.nested(|parser| parser.unary("a field or a value after \"**\""))?;
        self.operation(base, At { at, what: Arithmetic::Power }, exponent)
    }

    fn primary(&mut self, what: &str) -> Result<Primary> {
        match self.next.kind {
            Kind::Open => self.nested(|parser| {
                parser.advance()?;
                let inner = parser.or(START)?;
                parser.expect(&Kind::Close, "\")\", \"and\" or \"or\"")?;
                Ok(match inner {
                    // (a) == 1 compares a.
                    Expression::Truth(operand) => Primary::Operand(operand),
                    condition => Primary::Condition(condition),
                })
            }),
            Kind::Exists if FULL => {
                self.advance()?;
                Ok(Primary::Condition(Expression::Exists(self.path("a path after \"exists\"")?)))
            }
            Kind::Name => self.named(),
            _ => {
                let literal = self.literal(what)?;
                Ok(Primary::Operand(At { at: literal.at, what: Operand::Literal(literal.what) }))
            }
        }
    }

    /// A field, a path, or a call.
    fn named(&mut self) -> Result<Primary> {
        let name = self.advance()?;
        if !FULL {
            return match self.next.kind {
                Kind::Open | Kind::OpenList => Err(self.only_full(name.at)),
                _ => Ok(Primary::Operand(At { at: name.at, what: Operand::Field(name.text.to_owned()) })),
            };
        }
        if self.next.kind != Kind::Open {
            return Ok(Primary::Operand(self.steps(&name)?));
        }
        let lower = name.text.to_ascii_lowercase();
        let known = lower == name.text || name.text.bytes().all(|byte| !byte.is_ascii_lowercase());
        let (array, rest) = match (lower.strip_prefix("array_"), lower.strip_prefix("json_")) {
            (Some(rest), _) if known => (true, rest),
            (_, Some(rest)) if known => (false, rest),
            _ => (false, ""),
        };
        let wanted = match (rest, array) {
            ("contains" | "contains_all", _) => Wanted::All,
            ("contains_any", _) => Wanted::Any,
            ("length", true) => {
                self.advance()?;
                let operand = self.path("an array in \"array_length\"")?;
                self.expect(&Kind::Close, "\")\"")?;
                return Ok(Primary::Operand(At { at: name.at, what: Operand::Length(Box::new(operand)) }));
            }
            _ => {
                return Err(self.source.error(
                    name.at,
                    format!(
                        "functions such as {}(…) are not supported in filters; there are array_contains, json_contains, \
                         both with _all and _any, and array_length",
                        name.text
                    ),
                ));
            }
        };
        self.advance()?;
        let operand = self.path(&format!("an array in {}", quoted(name.text)))?;
        self.expect(&Kind::Comma, "\",\" and a value")?;
        let items = match rest {
            "contains" => vec![self.literal("a value")?],
            _ => self.list("a list of values, such as [1, 2]")?,
        };
        self.expect(&Kind::Close, "\")\"")?;
        Ok(Primary::Condition(Expression::Contains { array, wanted, operand, items }))
    }

    /// A field or a path, and nothing else.
    fn path(&mut self, what: &str) -> Result<At<Operand>> {
        if self.next.kind == Kind::Open {
            return self.nested(|parser| {
                parser.advance()?;
                let path = parser.path(what)?;
                parser.expect(&Kind::Close, "\")\"")?;
                Ok(path)
            });
        }
        if self.next.kind != Kind::Name {
            return Err(self.expected(what));
        }
        let name = self.advance()?;
        self.steps(&name)
    }

    /// The `["a"][0]` after a name.
    fn steps(&mut self, name: &Token<'a>) -> Result<At<Operand>> {
        let mut steps = Vec::new();
        while self.take(&Kind::OpenList)? {
            steps.push(match &self.next.kind {
                Kind::Text { value, like_escape: None } => Step::Key(value.clone()),
                Kind::Int(index) => Step::Index(usize::try_from(*index).unwrap_or(usize::MAX)),
                _ => return Err(self.expected("a name in quotes or a whole number in [ ]")),
            });
            self.advance()?;
            self.expect(&Kind::CloseList, "\"]\"")?;
        }
        let root = name.text.to_owned();
        let what = match (steps.is_empty(), root == META) {
            (true, true) => return Err(self.expected("[\"…\"] with the name of a field after $meta")),
            (true, false) => Operand::Field(root),
            (false, _) => Operand::Path { root, steps },
        };
        Ok(At { at: name.at, what })
    }

    /// What makes a condition of an operand: a comparison, `in`, `like`, `is null`, or nothing.
    fn after_operand(&mut self, operand: At<Operand>) -> Result<Expression> {
        match self.next.kind {
            Kind::Compare(_) => self.comparison(operand),
            Kind::In => {
                self.advance()?;
                self.members(operand, false)
            }
            Kind::Not => {
                self.advance()?;
                self.expect(&Kind::In, "\"in\" (for a pattern write not (a like \"x%\"))")?;
                self.members(operand, true)
            }
            Kind::Like => {
                self.advance()?;
                let pattern = match &self.next.kind {
                    Kind::Text { value, .. } => value.clone(),
                    Kind::OpenBrace => {
                        let Literal::Text(pattern) = self.template()?.what else {
                            return Err(self.expected("a text as the pattern of \"like\""));
                        };
                        return Ok(Expression::Like { operand, pattern });
                    }
                    _ => return Err(self.expected("a pattern in quotes after \"like\"")),
                };
                self.advance()?;
                Ok(Expression::Like { operand, pattern })
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

    /// The operand after a comparison.
    fn compared(&mut self, op: Op) -> Result<At<Operand>> {
        let at = self.next.at;
        match self.sum(&format!("a field or a value after {}", quoted(op.symbol())))? {
            Primary::Operand(operand) => Ok(operand),
            Primary::Condition(_) => Err(self.source.error(at, "conditions can't be compared; join them with \"and\"")),
        }
    }

    fn members(&mut self, operand: At<Operand>, negated: bool) -> Result<Expression> {
        let items = self.list("\"[\" and a list of values after \"in\"")?;
        Ok(Expression::In { operand, negated, items })
    }

    /// `[1, 2]`, or a parameter that stands for a list.
    fn list(&mut self, what: &str) -> Result<Vec<At<Literal>>> {
        if self.next.kind == Kind::OpenBrace {
            let At { at, what: given } = self.template()?;
            return match given {
                Literal::List(items) => Ok(items.into_iter().map(|what| At { at, what }).collect()),
                other => Err(self.source.error(at, format!("expected {what}, but {} came", other.describe()))),
            };
        }
        self.expect(&Kind::OpenList, what)?;
        let mut items = Vec::new();
        while !self.take(&Kind::CloseList)? {
            items.push(self.literal("a value or \"]\"")?);
            if self.next.kind != Kind::CloseList {
                self.expect(&Kind::Comma, "\",\" or \"]\"")?;
            }
        }
        Ok(items)
    }

    /// What a parameter stands for.
    fn template(&mut self) -> Result<At<Literal>> {
        let at = self.advance()?.at;
        if !FULL {
            return Err(self.only_full(at));
        }
        if self.next.kind != Kind::Name {
            return Err(self.expected("the name of a parameter"));
        }
        let name = self.advance()?;
        self.expect(&Kind::CloseBrace, "\"}\"")?;
        match self.params.get(name.text) {
            Some(value) => Ok(At { at, what: value.clone() }),
            None => Err(self
                .source
                .error(name.at, format!("there is no parameter {}; {}", quoted(name.text), self.params.describe()))),
        }
    }

    fn literal(&mut self, what: &str) -> Result<At<Literal>> {
        let at = self.next.at;
        match self.next.kind {
            Kind::OpenBrace => return self.template(),
            Kind::OpenList if FULL => {
                let items = self.nested(|parser| parser.list(what))?;
                return Ok(At { at, what: Literal::List(items.into_iter().map(|item| item.what).collect()) });
            }
            _ => {}
        }
        let sign = match self.next.kind {
            Kind::Arithmetic(sign @ (Arithmetic::Add | Arithmetic::Subtract)) => Some(sign),
            _ => None,
        };
        if sign.is_some() {
            self.advance()?;
            if !matches!(self.next.kind, Kind::Int(_) | Kind::Float(_)) {
                return Err(self.expected("a number after the sign"));
            }
        }
        let negative = sign == Some(Arithmetic::Subtract);
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

const PRODUCTS: &[Arithmetic] = &[Arithmetic::Multiply, Arithmetic::Divide, Arithmetic::Remainder];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Code;
    use proptest::prelude::*;

    #[test]
    fn nesting_is_bounded_and_chains_are_not_nesting() {
        for text in [
            "(".repeat(100_000),
            "not ".repeat(100_000),
            "!".repeat(100_000),
            "a == ((((".repeat(20_000),
            "-".repeat(100_000),
            "2**".repeat(100_000),
            "a + ".repeat(100_000),
            "[".repeat(100_000),
        ] {
            assert_eq!(
                parse(Source(&text), &Params::default()).unwrap_err().code,
                Code::InvalidFilter,
                "{}",
                &text[..9]
            );
        }
        let deep = format!("{}a{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
        assert!(parse(Source(&deep), &Params::default()).is_ok());
        assert!(parse(Source(&format!("({deep})")), &Params::default()).unwrap_err().message.contains("64 levels"));
        assert!(parse(Source(&vec!["a == 1"; MAX_CONDITIONS].join(" or ")), &Params::default()).is_ok());
        assert!(
            parse(Source(&vec!["a"; MAX_CONDITIONS + 1].join(" and ")), &Params::default())
                .unwrap_err()
                .message
                .contains("4096 conditions")
        );
        assert!(
            parse(Source(&" ".repeat(super::super::MAX_TEXT + 1)), &Params::default())
                .unwrap_err()
                .message
                .contains("at most")
        );
    }

    fn fragment() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "a",
                "(",
                ")",
                "[",
                "]",
                ",",
                "==",
                "!=",
                "<",
                "<=",
                ">",
                ">=",
                "and",
                "or",
                "not",
                "&&",
                "||",
                "!",
                "in",
                "like",
                "is",
                "null",
                "exists",
                "$meta",
                "json_contains",
                "array_length",
                "}",
                "*",
                "/",
                "%",
                "**",
                "true",
                "-",
                "+",
                "1",
                "0x1f",
                "017",
                "0b1",
                "1.5",
                "1e3",
                "\"x\"",
                "'y'",
                "\"%\\_\"",
                "'",
                "\"",
                "\\",
                "=",
                "$",
                "{",
                "é",
                "\n",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pieces in prop::collection::vec(fragment(), 0..12), gap in "[ \t]{0,1}") {
            let _ = parse(Source(&pieces.join(&gap)), &Params::default());
        }
    }
}

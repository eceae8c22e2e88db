//! Values for the `{names}` of a filter.

use super::ast::Literal;
use super::number::Number;
use crate::words::json::{Json, Kind};
use crate::words::say::quoted;
use crate::words::{Error, Result};

/// What the parameters of a filter stand for: `{year}` in `year > {year}`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params(Vec<(String, Literal)>);

impl Params {
    /// Reads a JSON object: booleans, numbers, strings, and arrays of them.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let json = Json::parse(text)
            .ok()
            .filter(|json| json.kind() == Kind::Object)
            .ok_or_else(|| Error::argument("the parameters of a filter are no JSON object of names and values"))?;
        let each = json.members().map(|(name, value)| match literal(value) {
            Some(value) => Ok((name.into_owned(), value)),
            None => Err(Error::argument(format!(
                "the parameter {} of the filter is neither boolean, number nor string, nor a list of such; for null \
                 write \"is null\"",
                quoted(&name)
            ))),
        });
        each.collect::<Result<_>>().map(Params)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Literal> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Which ones there are, for errors.
    pub(super) fn describe(&self) -> String {
        if self.0.is_empty() {
            return "none were given".to_owned();
        }
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        format!("the parameters are {}", names.join(", "))
    }
}

fn literal(json: Json<'_>) -> Option<Literal> {
    Some(match json.kind() {
        Kind::Bool(value) => Literal::Bool(value),
        Kind::Int(value) => Literal::Number(Number::Int(value)),
        Kind::Double(value) => Literal::Number(Number::Double(value)),
        Kind::Text(text) => Literal::Text(text.into_owned()),
        Kind::Array => Literal::List(json.items().map(literal).collect::<Option<_>>()?),
        Kind::Null | Kind::Object => return None,
    })
}

//! Composes the card of an index file: what the caller says of it, what the build knows of it.

use crate::failure::{Failure, Result};
use crate::metadata::Field;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Longer cards are refused: a card is read before anything else.
const MAX_BYTES: usize = 1 << 20;

/// Reads a card given by the caller, and checks what in it speaks of the vectors.
pub fn read(path: &Path, dimension: usize) -> Result<Map<String, Value>> {
    let text = std::fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e))?;
    parse(&text, dimension).map_err(|e| e.at(path.display()))
}

fn parse(text: &str, dimension: usize) -> Result<Map<String, Value>> {
    let card: Map<String, Value> =
        serde_json::from_str(text).map_err(|e| Failure::input(format!("the card is no JSON object: {e}")))?;
    for name in ["build", "fields", "primary_key"] {
        if card.contains_key(name) {
            return Err(Failure::input(format!(
                "the card has a member {name:?}, which the build writes itself; take it out"
            )));
        }
    }
    if card.contains_key("fingerprint") && !card.contains_key("model") {
        return Err(Failure::input("this describes a model; put it under \"model\": {\"model\": {…}, \"name\": …}"));
    }
    if card.get("name").is_some_and(|name| !name.is_string()) {
        return Err(Failure::input("the card's \"name\" must be a text"));
    }
    if let Some(model) = card.get("model") {
        let model = model.as_object().ok_or_else(|| Failure::input("the card's \"model\" must be an object"))?;
        if let Some(stated) = model.get("dimension").filter(|d| d.as_u64() != Some(dimension as u64)) {
            return Err(Failure::input(format!(
                "the card's model has dimension {stated}, but the vectors have {dimension}; \
                 one of them belongs to another model"
            )));
        }
        check_prompts(model)?;
    }
    Ok(card)
}

/// A model may have been trained to read texts of each kind behind words of their own, such as "query: ".
fn check_prompts(model: &Map<String, Value>) -> Result<()> {
    let Some(prompts) = model.get("prompts") else { return Ok(()) };
    let are_texts = |prompts: &Map<String, Value>| {
        prompts.iter().all(|(name, text)| ["query", "document"].contains(&name.as_str()) && text.is_string())
    };
    match prompts.as_object().is_some_and(are_texts) {
        true => Ok(()),
        false => Err(Failure::input(
            "the card's \"model\" has \"prompts\" that aren't {\"query\": TEXT, \"document\": TEXT}, or one of the two: what was \
             put before each text that was embedded",
        )),
    }
}

/// The card as it is stored.
pub fn compose(
    mut card: Map<String, Value>,
    name: Option<&str>,
    id_field: Option<(&str, &str)>,
    schema: &[Field],
    build: Value,
) -> Result<String> {
    if let Some(name) = name {
        card.insert("name".into(), name.into());
    }
    if let Some((name, type_name)) = id_field {
        card.insert("primary_key".into(), json!({ "name": name, "type": type_name }));
    }
    card.insert("fields".into(), schema.iter().map(Field::to_json).collect());
    card.insert("build".into(), build);
    let text = Value::Object(card).to_string();
    if text.len() > MAX_BYTES {
        return Err(Failure::input(format!("the card has {} bytes; {MAX_BYTES} is the most: shorten it", text.len())));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_keeps_what_it_says_and_gains_what_the_build_knows() {
        let card = parse(r#"{"name":"old","licence":"CC0","model":{"name":"m","dimension":4}}"#, 4).unwrap();
        let schema = [Field { name: "pos".into(), type_name: "VarChar", filterable: true, stored: false }];
        let text = compose(card, Some("new"), Some(("id", "Int64")), &schema, json!({"seed": 42})).unwrap();
        assert_eq!(
            text,
            r#"{"name":"new","licence":"CC0","model":{"name":"m","dimension":4},"primary_key":{"name":"id","type":"Int64"},"fields":[{"name":"pos","type":"VarChar","filterable":true,"stored":false}],"build":{"seed":42}}"#
        );
    }

    #[test]
    fn contradictions_are_refused() {
        for (text, part) in [
            ("[]", "no JSON object"),
            (r#"{"build":{}}"#, "\"build\""),
            (r#"{"fingerprint":"sha256:0"}"#, "under \"model\""),
            (r#"{"name":7}"#, "must be a text"),
            (r#"{"model":"m"}"#, "must be an object"),
            (r#"{"model":{"dimension":3}}"#, "vectors have 4"),
            (r#"{"model":{"prompts":"query: "}}"#, "\"prompts\""),
            (r#"{"model":{"prompts":{"query":1}}}"#, "\"prompts\""),
            (r#"{"model":{"prompts":{"passage":"p: "}}}"#, "\"prompts\""),
        ] {
            let message = parse(text, 4).unwrap_err().message;
            assert!(message.contains(part), "{message}");
        }
    }
}

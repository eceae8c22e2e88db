//! JSON as `serde_json` reads it, where both take a text.

use super::json::*;
use proptest::prelude::*;
use serde_json::Value;

/// The tree of a value, by the views.
fn tree(json: Json<'_>) -> Value {
    match json.kind() {
        Kind::Null => Value::Null,
        Kind::Bool(value) => value.into(),
        Kind::Int(value) => value.into(),
        Kind::Double(value) => value.into(),
        Kind::Text(text) => text.into_owned().into(),
        Kind::Array => json.items().map(tree).collect(),
        Kind::Object => json.members().map(|(name, value)| (name.into_owned(), tree(value))).collect(),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\"\\\\\n\u{1}é😀/a]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[a\"\\\\é]{0,3}", inner, 0..5)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn values_are_those_of_serde(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let json = Json::parse(&text).unwrap();
        prop_assert_eq!(tree(json), value.clone());
        prop_assert_eq!(Json::of(&text), json);
        for (name, member) in json.members() {
            prop_assert_eq!(tree(json.get(&name).unwrap()), tree(member));
        }
        for (i, item) in json.items().enumerate() {
            prop_assert_eq!(json.at(i), Some(item));
        }
    }

    #[test]
    fn what_is_no_value_is_refused_as_serde_does(text in "[\\[\\]{}:,\"a0-9.eE+\\- tfn\\\\u]{0,12}") {
        prop_assert_eq!(Json::parse(&text).is_ok(), serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn views_of_any_text_do_not_panic(text in "[\\[\\]{}:,\"aé0-9.\\- tfn\\\\u]{0,24}") {
        let json = Json::of(&text);
        tree(json);
        json.get("a");
        json.at(3);
    }

    #[test]
    fn texts_are_written_as_json(text in any::<String>()) {
        let mut out = String::new();
        write_text(&mut out, &text);
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }
}

#[test]
fn escapes_and_edges() {
    let kind = |text| Json::parse(text).unwrap().kind();
    assert_eq!(kind(r#""\ud83d\ude00\u00e9\/""#), Kind::Text("😀é/".into()));
    assert_eq!(kind(r#""\ud83dx""#), Kind::Text("\u{FFFD}x".into()));
    assert_eq!(kind("9223372036854775807"), Kind::Int(i64::MAX));
    assert_eq!(kind("9223372036854775808"), Kind::Double(9_223_372_036_854_775_808.0));
    assert_eq!(kind(" 1.0 "), Kind::Double(1.0));
    assert!(matches!(kind("-0"), Kind::Double(zero) if zero.is_sign_negative()));
    assert_eq!(Json::parse(r#"{"a":1,"a":2}"#).unwrap().get("a").map(Json::text), Some("2"));
    for (text, at) in [("", 0), ("1e999", 0), ("[1,]", 3), ("{\"a\" 1}", 5), ("\"a\nb\"", 2), ("01", 0), ("1 2", 2)] {
        assert_eq!(Json::parse(text), Err(at), "{text}");
    }
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(Json::parse(&deep(MAX_DEPTH)).is_ok());
    assert!(Json::parse(&deep(MAX_DEPTH + 1)).is_err());
    assert!(Json::parse(&"[".repeat(1 << 20)).is_err());
}

//! What a Milvus server answers, as measured on version 2.3.5; and on milvus-lite 3.2.2 what that version
//! doesn't know. Each row of the table names what of the two it follows.

use super::columns;
use crate::filter::{Columns, Declared, Documents, FieldType, Params, Parsed, Shape, Value};
use crate::words::{Code, Result};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// | id | title | n | tags (Array of VarChar) | meta (JSON) | dynamic |
const DOCUMENTS: [&str; 6] = [
    r#"{"tags":["a","b"],"meta":{"k":1,"s":"x","deep":{"list":[1,[2],"3"]}},"color":"red","size":3}"#,
    r#"{"tags":["b"],"meta":{"k":"1","s":"y"},"color":"blue","size":3.0}"#,
    r#"{"tags":[],"meta":{"k":1.0},"color":null}"#,
    r#"{"tags":["c","a","d"],"meta":{},"size":4.5}"#,
    r#"{"meta":{"k":[1,2]},"color":"Red","size":"3"}"#,
    "",
];

struct Texts;

impl Documents for Texts {
    fn document(&self, row: usize) -> &str {
        DOCUMENTS[row]
    }
}

fn table() -> Columns {
    let row = |id: i64, title: &'static str, n: Option<i64>| {
        vec![Value::from(id), Value::from(title), n.map_or(Value::Null, Value::from)]
    };
    columns(
        &[("id", FieldType::Int64), ("title", FieldType::VarChar), ("n", FieldType::Int64)],
        &[
            row(0, "grape", Some(4)),
            row(1, "a", Some(5)),
            row(2, "Banana", None),
            row(3, "grapefruit", Some(7)),
            row(4, "a_b", Some(10)),
            row(5, "", Some(-3)),
        ],
    )
}

fn shape() -> Shape {
    let declared = |name: &str, elements| Declared { name: name.into(), elements, nullable: true };
    Shape { declared: vec![declared("tags", Some(FieldType::VarChar)), declared("meta", None)], dynamic: true }
}

fn found(text: &str, params: &str) -> Result<Vec<usize>> {
    let filter = Parsed::new(text, &Params::parse(params)?)?.check(&table(), &shape())?;
    Ok(filter.evaluate_with(&Texts).iter().collect())
}

#[test]
fn answers_are_those_that_were_measured() {
    // E: Milvus 2.3.5, L: milvus-lite 3.2.2, D: documented for a later version.
    let table: &[(&str, &[usize])] = &[
        // E: a missing key equals nothing, is below nothing and in no list; but it is unequal.
        ("color == \"red\"", &[0]),
        ("color != \"red\"", &[1, 2, 3, 4, 5]),
        ("not (color == \"red\")", &[1, 2, 3, 4, 5]),
        ("color < \"s\"", &[0, 1, 4]),
        ("color in [\"red\", \"blue\"]", &[0, 1]),
        ("color not in [\"red\", \"blue\"]", &[2, 3, 4, 5]),
        // E: a key with null is there.
        ("exists color", &[0, 1, 2, 4]),
        ("exists meta[\"k\"]", &[0, 1, 2, 4]),
        ("not exists meta[\"k\"]", &[3, 5]),
        ("exists $meta[\"size\"]", &[0, 1, 3, 4]),
        // E: a number isn't a text; 1 is 1.0; integers compare with floats.
        ("meta[\"k\"] == 1", &[0, 2]),
        ("meta[\"k\"] == \"1\"", &[1]),
        ("meta['k'] in [1]", &[0, 2]),
        ("size > 2.5", &[0, 1, 3]),
        ("n > 4.5", &[1, 3, 4]),
        // E: literals on the left, lists without values, calculations.
        ("\"grape\" == title", &[0]),
        ("id in []", &[]),
        ("id + 1 == 3", &[2]),
        ("1 < id <= 5", &[2, 3, 4, 5]),
        ("id % 7 == 3", &[3]),
        ("id ** 2 == 16", &[4]),
        ("id - 1 == -1", &[0]),
        ("id * 2 == 6", &[3]),
        ("id / 2 == 1", &[2, 3]),
        ("size + 1 == 4", &[0, 1]),
        ("meta[\"k\"] * 2 == 2", &[0, 2]),
        // E: text compares byte by byte.
        ("title < \"a\"", &[2, 5]),
        // E: prefixes. L: all patterns.
        ("title like \"grape%\"", &[0, 3]),
        ("title like \"%an%\"", &[2]),
        ("title like \"a\\_b\"", &[4]),
        ("color like \"r%\"", &[0]),
        ("meta[\"s\"] like \"_\"", &[0, 1]),
        // E: names that nobody has.
        ("nokey == 1", &[]),
        ("nokey[\"a\"][0] == 1", &[]),
        // E: and before or.
        ("id == 0 or id == 1 and id == 2", &[0]),
        ("id == 0 || id == 1 && not (id == 2)", &[0, 1]),
        // L: null or missing is null. D: so it is of a path.
        ("n is null", &[2]),
        ("n is not null", &[0, 1, 3, 4, 5]),
        ("color is null", &[2, 3, 5]),
        ("meta[\"k\"] is not null", &[0, 1, 2, 4]),
        ("tags is null", &[4, 5]),
        // D: what is null in a field of its own is unknown.
        ("n > 4 or not (n > 4)", &[0, 1, 3, 4, 5]),
        ("meta[\"k\"] == 1 or not (meta[\"k\"] == 1)", &[0, 1, 2, 3, 4]),
        ("not array_contains(tags, \"a\")", &[1, 2]),
        // E: arrays and lists in JSON.
        ("array_contains(tags, \"a\")", &[0, 3]),
        ("ARRAY_CONTAINS(tags, \"a\")", &[0, 3]),
        ("array_contains_all(tags, [\"a\", \"b\"])", &[0]),
        ("array_contains_any(tags, [\"b\", \"d\"])", &[0, 1, 3]),
        ("array_contains_any(tags, [])", &[]),
        ("array_contains_all(tags, [])", &[0, 1, 2, 3]),
        ("array_length(tags) == 0", &[2]),
        ("array_length(tags) + 1 > 2", &[0, 3]),
        ("tags[0] == \"b\"", &[1]),
        ("tags[1] != \"b\"", &[1, 2, 3]),
        ("tags == [\"b\"]", &[1]),
        ("json_contains(meta[\"k\"], 2)", &[4]),
        ("json_contains(meta[\"deep\"][\"list\"], [2])", &[0]),
        ("json_contains_all(meta[\"deep\"][\"list\"], [1, \"3\"])", &[0]),
        ("json_contains_any(meta[\"deep\"][\"list\"], [3, 4])", &[]),
        ("json_contains(meta[\"s\"], \"x\")", &[]),
        ("meta[\"deep\"][\"list\"][1][0] == 2", &[0]),
        ("$meta[\"color\"] == \"red\"", &[0]),
        ("meta[\"k\"] == [1, 2]", &[4]),
        // Columns and members together.
        ("size == n - 1", &[0]),
        ("title == color or id == size", &[]),
        ("id < size", &[0, 1, 3]),
    ];
    for (text, expected) in table {
        assert_eq!(found(text, "{}").as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn parameters_stand_for_values() {
    let params = r#"{"low":1,"text":"grape","list":[1,3],"words":["a","d"],"flag":true,"pattern":"gr%","empty":[]}"#;
    let table: &[(&str, &[usize])] = &[
        ("id > {low} and id <= 3", &[2, 3]),
        ("{ text } == title", &[0]),
        ("id in {list}", &[1, 3]),
        ("id not in {empty}", &[0, 1, 2, 3, 4, 5]),
        ("title like {pattern}", &[0, 3]),
        ("array_contains_all(tags, {words})", &[3]),
        ("json_contains(meta[\"k\"], {low})", &[4]),
        ("id + {low} == 2", &[1]),
        ("id in [{low}, 2]", &[1, 2]),
        ("{flag}", &[0, 1, 2, 3, 4, 5]),
    ];
    for (text, expected) in table {
        assert_eq!(found(text, params).as_deref(), Ok(*expected), "{text}");
    }
    for (text, says) in [
        ("id == {text}", "column 7: field id is Int64, but the text \"grape\" came"),
        ("id in {low}", "column 7: expected \"[\" and a list of values after \"in\", but the integer 1 came"),
        ("id == {hihg}", "there is no parameter \"hihg\"; the parameters are low, text, list"),
        ("id == {low", "expected \"}\", but the filter ends"),
        ("title like {low}", "a text as the pattern"),
    ] {
        let error = found(text, params).unwrap_err();
        assert!(error.code == Code::InvalidFilter && error.message.contains(says), "{text}: {error}");
    }
    for wrong in ["", "[1]", "{\"a\":null}", "{\"a\":{}}", "{\"a\":[[null]]}", "{"] {
        assert_eq!(Params::parse(wrong).unwrap_err().code, Code::InvalidArgument, "{wrong}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    // E: not binds tighter than a comparison; an Int64 is no Double... which we compare all the same.
    for (text, column, says) in [
        ("not id > 2", 8, "write not (a == 1)"),
        ("array_contains(tags, 1)", 22, "the array's elements are VarChar, but the integer 1 came"),
        ("tags[0] == 1", 9, "VarChar can't be compared with the integer 1"),
        ("tags < [\"a\"]", 6, "arrays have no order"),
        ("tags + 1 == 2", 1, "an array is none"),
        ("array_length(tags) == \"a\"", 20, "a number can't be compared"),
        ("array_length(title) == 1", 14, "for arrays, but VarChar came"),
        ("$meta[\"meta\"] == 1", 1, "write its name without $meta"),
        ("$meta[0] == 1", 1, "write $meta[\"name\"]"),
        ("json_contains(meta[\"k\"])", 24, "\",\" and a value"),
        ("meta[k] == 1", 6, "a name in quotes"),
        ("exists id", 8, "is for members"),
    ] {
        let error = found(text, "{}").unwrap_err();
        assert_eq!(error.code, Code::InvalidFilter, "{text}: {error}");
        assert!(error.message.starts_with(&format!("filter, column {column}: ")), "{text}: {error}");
        assert!(error.message.contains(says), "{text}: {error}");
    }
    let closed = Shape { dynamic: false, ..shape() };
    let check = |text: &str| Parsed::new(text, &Params::default()).unwrap().check(&table(), &closed).unwrap_err();
    assert_eq!(check("color == 1").code, Code::FieldNotFound);
    assert!(check("tagz == 1").message.contains("the fields are id, title, n, tags, meta; did you mean \"tags\"?"));
    assert_eq!(check("$meta[\"a\"] == 1").code, Code::FieldNotFound);
}

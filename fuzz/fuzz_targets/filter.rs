//! Filter expressions over columns of every type, with nulls.
#![no_main]

use elanus::filter::{Columns, ColumnsBuilder, Declared, Documents, FieldType, Params, Parsed, Shape, Value};
use elanus::words::Blob;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const ROWS: usize = 70;

static COLUMNS: LazyLock<Columns> = LazyLock::new(|| {
    let types = [("a", FieldType::Int64), ("b", FieldType::Double), ("c", FieldType::VarChar), ("d", FieldType::Bool)];
    let mut builder = ColumnsBuilder::new(types).expect("the names are good");
    for row in 0..ROWS {
        let text = ["", "a", "ab", "é%_", "zz"][row % 5];
        let values = [(row as i64 - 30).into(), (row as f64 / 4.0).into(), text.into(), (row % 3 == 0).into()];
        for (i, value) in values.into_iter().enumerate() {
            let value = if row % 7 == i { Value::Null } else { value };
            builder.push(i, value).expect("the values are of the types");
        }
    }
    let section = builder.finish(ROWS).expect("each row has its values");
    Columns::open(Blob::copy_of(&section).expect("a small section"), ROWS).expect("a good section")
});

/// An object for each row, with and without a member.
struct Objects;

impl Documents for Objects {
    fn document(&self, row: usize) -> &str {
        [r#"{"j":{"k":[1,"a",{"x":null}]},"l":[1,2],"m":1.5}"#, r#"{"l":[],"m":"é\n"}"#, "", "{}"][row % 4]
    }
}

fuzz_target!(|text: &str| {
    let declared = |name: &str, elements| Declared { name: name.into(), elements, nullable: true };
    let shape = Shape { declared: vec![declared("j", None), declared("l", Some(FieldType::Int64))], dynamic: true };
    let params = Params::parse(r#"{"p":1,"q":["a",2]}"#).expect("good parameters");
    let compile = |text: &str| Parsed::new(text, &params).and_then(|parsed| parsed.check(&COLUMNS, &shape));
    let Ok(filter) = compile(text) else { return };
    let rows = filter.evaluate_with(&Objects);
    assert_eq!(rows.len(), ROWS);
    if let Ok(negated) = compile(&format!("not ({text})")) {
        let mut both = negated.evaluate_with(&Objects);
        both.intersect(&rows);
        assert_eq!(both.count(), 0, "a row is in {text:?} and in its negation");
    }
});

//! A table of filters with the rows they find, and of wrong ones with what is said about them.

use super::{columns, refusal, rows};
use crate::filter::{Columns, ColumnsBuilder, FieldType, Value};
use crate::words::{Code, Error};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const BIG: i64 = (1 << 53) + 1;

/// | row | word | n | x | ok | other |
fn words() -> Columns {
    let row = |word: Option<&'static str>, n: Option<i64>, x: Option<f64>, ok: Option<bool>, other: &'static str| {
        vec![
            word.map_or(Value::Null, Value::from),
            n.map_or(Value::Null, Value::from),
            x.map_or(Value::Null, Value::from),
            ok.map_or(Value::Null, Value::from),
            Value::from(other),
        ]
    };
    columns(
        &[
            ("word", FieldType::VarChar),
            ("n", FieldType::Int64),
            ("x", FieldType::Double),
            ("ok", FieldType::Bool),
            ("other", FieldType::VarChar),
        ],
        &[
            row(Some("apple"), Some(1), Some(1.5), Some(true), "apple"),
            row(Some("Banana"), Some(-2), Some(-0.0), Some(false), "a"),
            row(Some("100%"), Some(BIG), Some(9_007_199_254_740_992.0), None, "b"),
            row(None, None, None, Some(true), ""),
            row(Some("naïve_"), Some(i64::MIN), Some(1e300), Some(false), "naïve"),
            row(Some("it's \"so\"\n"), Some(i64::MAX), Some(0.1), None, "z"),
        ],
    )
}

#[test]
fn filters_find_their_rows() {
    let columns = words();
    let table: &[(&str, &[usize])] = &[
        // Comparisons, from both sides, and both kinds of quotes.
        ("word == \"apple\"", &[0]),
        ("'apple' == word", &[0]),
        ("word != 'apple'", &[1, 2, 4, 5]),
        ("n > 1", &[2, 5]),
        ("1 < n", &[2, 5]),
        ("n<=1", &[0, 1, 4]),
        ("(n) == (1)", &[0]),
        ("n == 0x1 or n == -2", &[0, 1]),
        ("n == 01 or n == -0b10", &[0, 1]),
        ("n == +1", &[0]),
        ("x > 1e0 and x < .2e1", &[0]),
        // Bytewise order.
        ("word < \"a\"", &[1, 2]),
        ("word >= \"naïve_\"", &[4]),
        ("word > \"\"", &[0, 1, 2, 4, 5]),
        // Ranges.
        ("-2 <= n <= 1", &[0, 1]),
        ("-2 < n <= 1", &[0]),
        ("1 >= n > -2", &[0]),
        ("\"a\" <= word < \"b\"", &[0]),
        ("not (-2 <= n <= 1)", &[2, 4, 5]),
        // Integers are exact, and so are integers against floats.
        ("n == 9007199254740993", &[2]),
        ("n == 9007199254740992", &[]),
        ("n > 9007199254740992.0", &[2, 5]),
        ("n == 9007199254740992.0", &[]),
        ("n == 1.0", &[0]),
        ("n == 1.5", &[]),
        ("n != 1.5", &[0, 1, 2, 4, 5]),
        ("n >= -2.5", &[0, 1, 2, 5]),
        ("n < 1e300", &[0, 1, 2, 4, 5]),
        ("n == -9223372036854775808", &[4]),
        ("n == 9223372036854775807", &[5]),
        ("n < 9223372036854775807.0", &[0, 1, 2, 4, 5]),
        ("x == 9007199254740993", &[]),
        ("x < 9007199254740993", &[0, 1, 2, 5]),
        ("x == 0", &[1]),
        ("x in [0, 0.1, 9007199254740993]", &[1, 5]),
        ("x == 0.1", &[5]),
        // Column against column.
        ("word == other", &[0]),
        ("word > other", &[4]),
        ("n < x", &[0, 1, 4]),
        ("x > n", &[0, 1, 4]),
        ("n > x", &[2, 5]),
        ("ok == ok", &[0, 1, 3, 4]),
        // Lists.
        ("word in [\"apple\", 'Banana', \"pear\",]", &[0, 1]),
        ("word not in [\"apple\"]", &[1, 2, 4, 5]),
        ("word in []", &[]),
        ("word not in []", &[0, 1, 2, 4, 5]),
        ("n in [1, 1, -2.0, 7.5]", &[0, 1]),
        ("not (n in [1])", &[1, 2, 4, 5]),
        ("ok in [true]", &[0, 3]),
        ("ok in [true, false]", &[0, 1, 3, 4]),
        ("ok not in [true, false]", &[]),
        ("ok not in []", &[0, 1, 3, 4]),
        ("ok in []", &[]),
        // Bool, alone and compared.
        ("ok", &[0, 3]),
        ("not ok", &[1, 4]),
        ("ok != true", &[1, 4]),
        ("false == ok", &[1, 4]),
        ("true", &[0, 1, 2, 3, 4, 5]),
        ("not TRUE or False", &[]),
        ("1 < 2 and \"a\" != \"b\" and 1.0 == 1", &[0, 1, 2, 3, 4, 5]),
        // and, or, not.
        ("n == 1 or word == 'Banana' and ok", &[0]),
        ("(n == 1 or word == 'Banana') and not ok", &[1]),
        ("n == 1 || n == -2 && !ok", &[0, 1]),
        ("n == 1 OR n == -2 AND NOT ok", &[0, 1]),
        ("not not ok", &[0, 3]),
        ("!(ok or n > 5)", &[1, 4]),
        // An unknown is in neither a condition nor its opposite, but `or` can rescue it.
        ("n > 1 or not (n > 1)", &[0, 1, 2, 4, 5]),
        ("not (n > 1 and ok)", &[0, 1, 4]),
        ("n > 1 or ok", &[0, 2, 3, 5]),
        // Nulls.
        ("word is null", &[3]),
        ("ok IS NOT NULL", &[0, 1, 3, 4]),
        ("not (ok is null)", &[0, 1, 3, 4]),
        ("other is null", &[]),
        ("other is not null", &[0, 1, 2, 3, 4, 5]),
        ("other == ''", &[3]),
        // Patterns.
        ("word like \"apple\"", &[0]),
        ("word like \"a%\"", &[0]),
        ("word like \"%an%\"", &[1]),
        ("word like \"%e\"", &[0]),
        ("word like \"na_ve%\"", &[4]),
        ("word like \"%\\%\"", &[2]),
        ("word like \"%\\\\%\"", &[2]),
        ("word like \"%\\_\"", &[4]),
        ("word like '_____'", &[0]),
        ("word like '%'", &[0, 1, 2, 4, 5]),
        ("not (word like 'a%')", &[1, 2, 4, 5]),
        ("not (word like '%a%')", &[2, 5]),
        ("word LIKE ''", &[]),
        // Escapes.
        ("word == \"it's \\\"so\\\"\\n\"", &[5]),
        ("word == 'it\\x27s \"so\"\\12'", &[5]),
        ("word == \"\\141\\u0070ple\"", &[0]),
        ("word == 'na\\xc3\\xafve\\U0000005f'", &[4]),
        // Calculations.
        ("n + 1 == 2", &[0]),
        ("2 == 1 + n", &[0]),
        ("n * 2 < n", &[1]),
        ("n % 2 == 1", &[0, 2, 5]),
        ("-n == 2", &[1]),
        ("n - 1 - 1 == -1", &[0]),
        ("n - (1 - 1) == 1", &[0]),
        ("n ** 2 == 4", &[1]),
        ("n == 7 - 2 * 3", &[0]),
        ("n == 2 ** 3 ** 0 - 1", &[0]),
        ("n == -2 ** 2 + 5", &[0]),
        ("x / 3 == 0.5", &[0]),
        ("x * n == 1.5", &[0]),
        ("0 < n + 1 <= 2", &[0]),
        ("n + 1 in [2, -1]", &[0, 1]),
        // Without a result a calculation is unknown: in neither the condition nor its opposite.
        ("n + 1 > 0", &[0, 2]),
        ("not (n + 1 > 0)", &[1, 4]),
        ("1 / (n - 1) == 0 or not (1 / (n - 1) == 0)", &[1, 2, 5]),
        // Layout.
        ("  n==1 and ok", &[0]),
        ("n ==\n\t1\n", &[0]),
    ];
    for (text, expected) in table {
        assert_eq!(rows(text, &columns), *expected, "{text}");
    }
}

#[test]
fn wrong_filters_say_where_and_what() {
    let columns = words();
    let table: &[(&str, usize, &str)] = &[
        ("", 1, "the filter is empty"),
        ("n >", 4, "expected a field or a value after \">\", but the filter ends"),
        ("n > 1 word", 7, "expected \"and\", \"or\" or the end, but \"word\" came"),
        ("n > 1 n == 2", 7, "expected \"and\", \"or\""),
        ("(n > 1", 7, "expected \")\""),
        ("n > 1)", 6, "expected \"and\", \"or\" or the end"),
        ("n = 1", 3, "write \"==\""),
        ("not n > 2", 7, "write not (a == 1)"),
        ("not ok == true", 8, "write not (a == 1)"),
        ("not n", 5, "write not (n == …)"),
        ("(n > 1) == true", 9, "conditions can't be compared"),
        ("n", 1, "field n is Int64"),
        ("1", 1, "the integer 1 is no condition"),
        ("word == 3", 9, "field word is VarChar, but the integer 3 came; put the value in quotes"),
        ("n == '3'", 6, "field n is Int64, but the text \"3\" came; write the number without quotes"),
        ("n == true", 6, "field n is Int64, but the literal true came"),
        ("ok == 1", 7, "compare it with true or false"),
        ("ok < true", 6, "Bool values have no order"),
        ("word == n", 6, "field word is VarChar and field n is Int64"),
        ("1 == 'a'", 3, "the integer 1 and the text \"a\" can't be compared"),
        ("n in 3", 6, "expected \"[\""),
        ("n in [1 2]", 9, "expected \",\" or \"]\""),
        ("n in [,]", 7, "expected a value or \"]\""),
        ("n in [1", 8, "but the filter ends"),
        ("n in [1, 'a']", 10, "field n is Int64, but the text \"a\" came"),
        ("3 in [3]", 1, "expected a field before \"in\""),
        ("n in [word]", 7, "expected a value"),
        ("n not like 'a'", 7, "not (a like"),
        ("n like 'a'", 1, "\"like\" works on VarChar"),
        ("word like 3", 11, "expected a pattern in quotes"),
        ("word == '\\%'", 10, "escapes of \"like\" patterns only"),
        ("n == null", 6, "write \"is null\""),
        ("n is 3", 6, "expected \"null\" or \"not null\""),
        ("1 < n > 2", 7, "a range is written"),
        ("n == 1 == 1", 8, "joined with \"and\""),
        ("1 < n < 2 < 3", 11, "a range has two comparisons"),
        ("word == 'abc", 9, "no closing '"),
        ("word == 'a\\q'", 11, "\\q is no escape"),
        ("word == '\\x1'", 10, "\\x wants two"),
        ("word == '\\u12'", 10, "\\u wants 4"),
        ("word == '\\ud800'", 10, "\\u wants 4"),
        ("word == '\\777'", 10, "at most \\377"),
        ("word == '\\xff'", 9, "don't make UTF-8"),
        ("n == 9223372036854775808", 6, "too large for a signed 64-bit integer"),
        ("n == 99999999999999999999", 6, "too large for a 64-bit integer"),
        ("n == 08", 6, "octal"),
        ("n == 0x", 6, "is no number"),
        ("n == 12ab", 6, "is no number"),
        ("n == 1.2.3", 6, "is no number"),
        ("x == 1e999", 6, "too large for a 64-bit float"),
        ("n == -'a'", 7, "a number after the sign"),
        ("word + 1 == 2", 1, "field word is VarChar"),
        ("n + 'a' == 2", 5, "the text \"a\" came"),
        ("x % 2 == 0", 1, "remainders are of integers"),
        ("n + 1", 1, "no condition by itself"),
        ("(n > 1) + 1 == 2", 9, "conditions can't be calculated with"),
        ("n == 1 / 0", 8, "no result that 64 bits hold"),
        ("n + 1 == 'a'", 7, "a number can't be compared with the text \"a\""),
        ("n & 1 == 1", 3, "arithmetic of bits is not supported"),
        ("n == - (n > 1)", 8, "a condition can't have a sign"),
        ("n == {year}", 7, "there is no parameter \"year\"; none were given"),
        ("n == {", 7, "the name of a parameter"),
        ("n in [1]]", 9, "or the end"),
        ("exists n", 8, "\"exists\" is for members"),
        ("exists 3", 8, "expected a path after \"exists\""),
        ("n['a'] == 1", 1, "field n is Int64, and only JSON, Array and dynamic fields have members"),
        ("$meta == 1", 7, "[\"…\"] with the name of a field after $meta"),
        ("array_length(n) == 1", 14, "array_length is for arrays, but Int64 came"),
        ("array_contains(n, 1)", 16, "array_contains is for arrays, but Int64 came"),
        ("json_contains_all(n, 1)", 22, "expected a list of values"),
        ("json_contains(n 1)", 17, "\",\" and a value"),
        ("word =~ 'a'", 6, "a regular expression is not supported"),
        ("text_match(word, 'a')", 1, "functions such as text_match(…) are not supported"),
        ("Json_Contains(n, 1)", 1, "functions such as Json_Contains(…) are not supported"),
        ("n[-1] == 1", 3, "a name in quotes or a whole number"),
        ("word == “apple”", 9, "is no quote here"),
        ("word ==  @", 10, "\"@\" has no meaning"),
        ("naïve == 1", 3, "\"ï\" has no meaning"),
    ];
    for (text, column, says) in table {
        let Error { code, message } = refusal(text, &columns);
        assert_eq!(code, Code::InvalidFilter, "{text}: {message}");
        assert!(message.starts_with(&format!("filter, column {column}: ")), "{text}: {message}");
        assert!(message.contains(says), "{text}: {message}");
    }
    assert!(refusal("n == 1\nand ü", &columns).message.starts_with("filter, line 2, column 5: "));
}

#[test]
fn unknown_fields_come_with_the_known_ones() {
    let error = refusal("wrod == 'a'", &words());
    assert_eq!(error.code, Code::FieldNotFound);
    assert_eq!(
        error.message,
        "filter, column 1: there is no field \"wrod\"; the fields are word, n, x, ok, other; did you mean \"word\"?"
    );
    assert_eq!(refusal("a == 1", &Columns::empty(3)).code, Code::FieldNotFound);
    assert_eq!(rows("true", &Columns::empty(3)), [0, 1, 2]);
}

#[test]
fn values_come_back_as_they_went_in() {
    let columns = words();
    assert_eq!(columns.fields().next(), Some(("word", FieldType::VarChar)));
    assert_eq!(columns.value(0, 4), Value::from("naïve_"));
    assert_eq!(columns.value(1, 2), Value::from(BIG));
    assert_eq!(columns.value(2, 5), Value::from(0.1));
    assert_eq!(columns.value(3, 1), Value::from(false));
    for (column, row) in [(0, 3), (3, 2), (0, 6), (0, 1000), (9, 0)] {
        assert_eq!(columns.value(column, row), Value::Null, "{column} {row}");
    }
}

#[test]
fn a_dictionary_of_any_size_is_coded() {
    for distinct in [1usize, 255, 256, 257, 65_536, 65_537] {
        let mut builder = ColumnsBuilder::new([("t", FieldType::VarChar)]).unwrap();
        let text = |i: usize| format!("{:06}", (i * 7919) % distinct);
        for i in 0..distinct + 3 {
            builder.push(0, Value::from(text(i).as_str())).unwrap();
        }
        let section = builder.finish(distinct + 3).unwrap();
        let columns = Columns::open(crate::words::Blob::copy_of(&section).unwrap(), distinct + 3).unwrap();
        columns.verify().unwrap();
        let again: Vec<usize> = (0..distinct + 3).filter(|&i| text(i) == text(distinct - 1)).collect();
        assert_eq!(rows(&format!("t == '{}'", text(distinct - 1)), &columns), again);
        assert_eq!(columns.value(0, distinct + 2), Value::from(text(distinct + 2).as_str()));
    }
}

#[test]
fn the_builder_refuses_what_it_cannot_hold() {
    let build = |fields: &[(&'static str, FieldType)]| ColumnsBuilder::new(fields.iter().copied());
    for names in [&["a b"][..], &["1a"], &[""], &["and"], &["True"], &["a", "a"], &["ü"]] {
        let fields: Vec<_> = names.iter().map(|&name| (name, FieldType::Bool)).collect();
        assert_eq!(build(&fields).unwrap_err().code, Code::InvalidInput, "{names:?}");
    }
    let names: Vec<String> = (0..1025).map(|i| format!("f{i}")).collect();
    let fields: Vec<_> = names.iter().map(|name| (name.as_str(), FieldType::Bool)).collect();
    assert!(ColumnsBuilder::new(fields.iter().copied().take(1024)).is_ok());
    assert!(ColumnsBuilder::new(fields).unwrap_err().message.contains("1025 fields"));
    let mut builder = build(&[("n", FieldType::Int64), ("x", FieldType::Double)]).unwrap();
    builder.push(0, Value::from(1)).unwrap();
    let error = builder.push(0, Value::from("one")).unwrap_err();
    assert!(error.message.contains("row 1") && error.message.contains("Int64"), "{error}");
    assert!(builder.push(1, Value::from(f64::NAN)).is_err());
    assert!(builder.push(1, Value::from(BIG)).is_err());
    builder.push(1, Value::from(3)).unwrap();
    builder.push(1, Value::Null).unwrap();
    assert!(builder.finish(2).unwrap_err().message.contains("\"n\" has 1 values for 2 rows"));
}

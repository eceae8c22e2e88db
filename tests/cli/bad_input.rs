//! What the commands refuse: with which exit code, and whether the message says where and what to do.

use crate::workshop::{Workshop, fvecs, little, npy, npy_with};

const GOOD: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

#[test]
fn vectors_that_are_wrong_are_refused() {
    let shop = Workshop::new();
    let good = little(&GOOD);
    let files: &[(&str, Vec<u8>, &[&str])] = &[
        ("nan.npy", npy("<f4", 3, 2, &little(&[1.0, 2.0, 3.0, f32::NAN, 5.0, 6.0])), &["row 1", "NaN", "column 1"]),
        (
            "inf.npy",
            npy("<f4", 3, 2, &little(&[1.0, 2.0, 3.0, 4.0, f32::INFINITY, 6.0])),
            &["row 2", "inf", "column 0"],
        ),
        ("int.npy", npy("<i8", 3, 1, &[0; 24]), &["<i8", "astype"]),
        ("big.npy", npy(">f4", 3, 2, &good), &[">f4", "astype"]),
        (
            "fortran.npy",
            npy_with("'descr': '<f4', 'fortran_order': True, 'shape': (3, 2)", &good),
            &["ascontiguousarray"],
        ),
        ("line.npy", npy_with("'descr': '<f4', 'fortran_order': False, 'shape': (6,)", &good), &["[6]", "reshape"]),
        ("cube.npy", npy_with("'descr': '<f4', 'fortran_order': False, 'shape': (3, 2, 1)", &good), &["[3, 2, 1]"]),
        ("short.npy", npy("<f4", 4, 2, &good), &["4 × 2", "24 bytes follow", "truncated"]),
        ("long.npy", npy("<f4", 2, 2, &good), &["2 × 2", "24 bytes follow"]),
        ("none.npy", npy("<f4", 0, 2, &[]), &["no vectors"]),
        ("flat.npy", npy("<f4", 3, 0, &[]), &["0 dimensions"]),
        ("wide.npy", npy("<f4", 1, 40_000, &vec![0; 160_000]), &["40000 dimensions", "32768"]),
        ("text.npy", b"1,2,3\n".to_vec(), &["no NumPy array", "numpy.save"]),
        ("empty.npy", vec![], &["no NumPy array"]),
        (
            "ragged.fvecs",
            fvecs(&[&GOOD[..2], &GOOD[..3], &GOOD[..2]]),
            &["row 1 has 3 dimensions, but row 0 has 2", "ragged"],
        ),
        ("cut.fvecs", fvecs(&[&GOOD[..2], &GOOD[..2]])[..20].to_vec(), &["row 1 is cut off", "truncated"]),
        ("odd.fvecs", b"hello world".to_vec(), &["no such file"]),
        ("tiny.fvecs", vec![1, 0], &["2 bytes", "truncated"]),
        ("empty.fvecs", vec![], &["no vectors"]),
        ("vectors.txt", b"1,2\n".to_vec(), &["ending", ".npy", ".fvecs"]),
        ("vectors", good.clone(), &["ending"]),
    ];
    for (name, bytes, parts) in files {
        shop.put(name, bytes);
        let ran = shop.run(&format!("build {name} -o out.elanus"));
        let parts: Vec<&str> = parts.iter().copied().chain([*name]).collect();
        ran.failed(3, &parts);
    }
    assert!(!shop.names().contains(&"out.elanus".to_owned()));
}

#[test]
fn raw_floats_need_a_dimension_that_fits() {
    let shop = Workshop::new();
    shop.put("v.f32", little(&GOOD));
    shop.put("empty.f32", "");
    shop.put("v.npy", npy("<f4", 3, 2, &little(&GOOD)));
    shop.run("build v.f32 -o out.elanus").failed(2, &["--dimension"]);
    shop.run("build v.f32 --dimension 4 -o out.elanus").failed(3, &["24 bytes", "ragged"]);
    shop.run("build v.f32 --dimension 0 -o out.elanus").failed(3, &["dimension"]);
    shop.run("build v.f32 --dimension 99999999999999999 -o out.elanus").failed(3, &["dimension"]);
    shop.run("build empty.f32 --dimension 2 -o out.elanus").failed(3, &["no vectors"]);
    shop.run("build v.npy --dimension 3 -o out.elanus").failed(3, &["2 dimensions", "3 were expected"]);
}

#[test]
fn metadata_that_is_wrong_is_refused_with_its_line() {
    let shop = Workshop::new();
    shop.put("v.npy", npy("<f4", 3, 2, &little(&GOOD)));
    let cases: &[(&str, &str, &[&str])] = &[
        ("", "{}\n{}\n", &["2 rows of metadata for 3 vectors"]),
        ("", "{}\n{}\n{}\n{}\n", &["4 rows of metadata for 3 vectors"]),
        ("", "", &["0 rows of metadata"]),
        ("", "{}\n{\"a\":}\n{}\n", &["rows.jsonl:2", "column 6", "one JSON object"]),
        ("", "{}\n\n{}\n{}\n", &["rows.jsonl:2", "empty"]),
        ("", "{}\n[1]\n{}\n", &["rows.jsonl:2", "JSON object"]),
        ("", "{}\n{} {}\n{}\n", &["rows.jsonl:2"]),
        ("", "{}\n{}\n{\"a\":1,\"a\":2}\n", &["rows.jsonl:3", "\"a\" appears twice"]),
        ("--id-field id", "{\"id\":1}\n{\"key\":2}\n{\"id\":3}\n", &["rows.jsonl:2", "\"id\"", "key"]),
        ("--id-field id", "{\"id\":1}\n{\"id\":2}\n{\"id\":1}\n", &["rows.jsonl:3", "key 1", "line 1"]),
        ("--id-field id", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"b\"}\n", &["rows.jsonl:3", "\"b\"", "line 2"]),
        ("--id-field id", "{\"id\":1}\n{\"id\":\"1\"}\n{\"id\":3}\n", &["rows.jsonl:2", "\"1\"", "integer"]),
        ("--id-field id", "{\"id\":\"a\"}\n{\"id\":7}\n{\"id\":\"c\"}\n", &["rows.jsonl:2", "text"]),
        ("--id-field id", "{\"id\":1.5}\n{\"id\":2}\n{\"id\":3}\n", &["rows.jsonl:1", "1.5"]),
        ("--id-field id", "{\"id\":null}\n{\"id\":2}\n{\"id\":3}\n", &["rows.jsonl:1", "null"]),
        ("--fields a:Int64", "{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":3}\n", &["rows.jsonl:2", "\"a\"", "Int64"]),
        ("--fields a:Int64", "{\"a\":1}\n{\"a\":[2]}\n{\"a\":3}\n", &["rows.jsonl:2", "\"a\"", "list"]),
        ("--fields b:Int64", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", &["no row has a field \"b\"", "there are: a"]),
        ("--store b", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", &["no row has a field \"b\""]),
        ("--fields not:Int64", "{\"not\":1}\n{\"not\":2}\n{\"not\":3}\n", &["\"not\""]),
    ];
    for (extra, text, parts) in cases {
        shop.put("rows.jsonl", text);
        shop.run(&format!("build v.npy --metadata rows.jsonl {extra} -o out.elanus")).failed(3, parts);
    }
    shop.put("rows.jsonl", b"{}\n{\"a\":\"\xFF\"}\n{}\n");
    shop.run("build v.npy --metadata rows.jsonl -o out.elanus").failed(3, &["rows.jsonl:2", "UTF-8"]);
    shop.put("rows.jsonl", format!("{{}}\n{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(1 << 20)));
    shop.run("build v.npy --metadata rows.jsonl -o out.elanus").failed(3, &["rows.jsonl:2", "1048576"]);
}

#[test]
fn cards_that_contradict_are_refused() {
    let shop = Workshop::new();
    shop.put("v.npy", npy("<f4", 3, 2, &little(&GOOD)));
    for (card, part) in [
        ("{", "no JSON object"),
        ("{\"model\":{\"dimension\":384}}", "dimension 384, but the vectors have 2"),
        ("{\"fields\":[]}", "take it out"),
    ] {
        shop.put("card.json", card);
        shop.run("build v.npy --card card.json -o out.elanus").failed(3, &["card.json", part]);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let shop = Workshop::new().with_collection(10, 2);
    for arguments in [
        "",
        "bake",
        "build vectors.npy",
        "build vectors.npy -o a.elanus --metric HAMMING",
        "build vectors.npy -o a.elanus --index-type DISKANN",
        "build vectors.npy -o a.elanus --index-type IVF_FLAT --rerank int8",
        "build vectors.npy -o a.elanus --index-type IVF_RABITQ --nlist 0",
        "build vectors.npy -o a.elanus --nlist 4",
        "build vectors.npy -o a.elanus --bits 0",
        "build vectors.npy -o a.elanus --bits 9",
        "build vectors.npy -o a.elanus --index-type HNSW --bits 4",
        "build vectors.npy -o a.elanus --index-type IVF_RABITQ --nbits 4",
        "build vectors.npy -o a.elanus --index-type IVF_FLAT --m 1",
        "build vectors.npy -o a.elanus --index-type IVF_PQ --nbits 6",
        "build vectors.npy -o a.elanus --index-type IVF_PQ --m 0",
        "build vectors.npy -o a.elanus --index-type IVF_PQ --m 3",
        "build vectors.npy -o a.elanus --rerank int4",
        "build vectors.npy -o a.elanus --id-field id",
        "build vectors.npy -o a.elanus --metadata rows.jsonl --fields year:Number",
        "build vectors.npy -o a.elanus --index-type FLAT --rerank none",
        "build vectors.npy -o a.elanus --index-type HNSW --rerank none",
        "build vectors.npy -o a.elanus --index-type HNSW --ef-construction 0",
        "search a.elanus",
    ] {
        let ran = shop.run(arguments);
        assert_eq!(ran.code, 2, "{arguments}: {}", ran.err);
    }
    for output in ["vectors.npy", "./vectors.npy", "rows.jsonl"] {
        let ran = shop.run(&format!("build vectors.npy --metadata rows.jsonl -o {output}"));
        ran.failed(2, &["would be replaced"]);
    }
    shop.run("build vectors.npy -o a.elanus").ok();
    shop.run("search a.elanus [1,2] --limit 0").failed(2, &["INVALID_ARGUMENT", "limit"]);
    shop.run("search a.elanus [1,2] --limit 16385").failed(2, &["16384"]);
    shop.run("search a.elanus [1,2] --limit 10 --offset 16375").failed(2, &["INVALID_ARGUMENT", "16384 together"]);
    shop.run("search a.elanus [1,2] --range-filter 0.5").failed(2, &["--radius"]);
    shop.run("search a.elanus [1,2] --radius 0.5 --range-filter 0.5").failed(2, &["must be greater than radius"]);
    shop.run("search a.elanus [1,2] --group-size 2").failed(2, &["--group-by-field"]);
    shop.run("search a.elanus [1,2] --group-by-field pos").failed(3, &["FIELD_NOT_FOUND"]);
    shop.run("bench a.elanus [[1,2]] --limit 0").failed(2, &["--limit"]);
}

#[test]
fn files_that_cannot_be_read_or_written_are_exit_code_4() {
    let shop = Workshop::new().with_collection(10, 2);
    shop.run("build nowhere.npy -o a.elanus").failed(4, &["IO_ERROR", "nowhere.npy"]);
    shop.run("build vectors.npy --metadata nowhere.jsonl -o a.elanus").failed(4, &["nowhere.jsonl"]);
    shop.run("build vectors.npy --card nowhere.json -o a.elanus").failed(4, &["nowhere.json"]);
    shop.run("build vectors.npy -o nowhere/a.elanus").failed(4, &["nowhere/a.elanus"]);
    for command in ["info", "verify"] {
        shop.run(&format!("{command} nowhere.elanus")).failed(4, &["nowhere.elanus"]);
    }
}

#[test]
fn damaged_index_files_are_exit_code_1() {
    let shop = Workshop::new().with_collection(60, 4);
    shop.run("build vectors.npy --metadata rows.jsonl --id-field id -o a.elanus").ok();
    let good = shop.read("a.elanus");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("flipped", flipped, "CORRUPT_FILE"),
        ("cut", good[..good.len() - 64].to_vec(), "CORRUPT_FILE"),
        ("empty", vec![], "CORRUPT_FILE"),
        ("page", b"<!DOCTYPE html><title>404</title>".to_vec(), "UNSUPPORTED_FORMAT"),
        ("newer", [&good[..8], &[99], &good[9..]].concat(), "UNSUPPORTED_VERSION"),
    ];
    for (name, bytes, code) in cases {
        let file = format!("{name}.elanus");
        shop.put(&file, bytes);
        shop.run(&format!("verify {file}")).failed(1, &[code, &file]);
        shop.run(&format!("search {file} [1,2,3,4]")).failed(1, &[code]);
        let err = shop.run(&format!("verify {file} --json")).failed(1, &[code]);
        let error: serde_json::Value = serde_json::from_str(&err).unwrap();
        assert_eq!(error["error"]["code"], *code);
    }
}

#[test]
fn queries_that_are_wrong_are_refused() {
    let shop = Workshop::new().with_collection(60, 4);
    shop.run("build vectors.npy -o a.elanus").ok();
    shop.put("wide.npy", npy("<f4", 1, 6, &little(&GOOD)));
    let cases: &[(&[&str], &[&str])] = &[
        (&["[1,2,3]"], &["DIMENSION_MISMATCH", "4 dimensions", "has 3"]),
        (&["wide.npy"], &["DIMENSION_MISMATCH", "has 6"]),
        (&["[1,2,3,1e60]"], &["INVALID_VECTOR"]),
        (&["[1,2,3,\"4\"]"], &["no list of numbers"]),
        (&["[]"], &["has 0"]),
        (&["[[]]"], &["has 0"]),
        (&["hello"], &["no query", "[0.1, 0.2]"]),
        (&["-"], &["no query"]),
        (&["[1,2,3,4]", "--filter", "year >"], &["INVALID_FILTER"]),
        (&["[1,2,3,4]", "--filter", "year > 5"], &["FIELD_NOT_FOUND"]),
        (&["[1,2,3,4]", "--output-fields", "gloss"], &["FIELD_NOT_FOUND", "gloss"]),
        (&["[[1,2,3,4],[1,2]]"], &["query 1"]),
    ];
    for (arguments, parts) in cases {
        let arguments: Vec<&str> = ["search", "a.elanus"].iter().chain(*arguments).copied().collect();
        let ran = shop.run_with(&arguments, &[], "");
        assert_eq!(ran.code, 3, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(parts.iter().all(|part| ran.err.contains(part)), "{arguments:?}: {}", ran.err);
    }
}

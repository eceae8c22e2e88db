//! Vectors in a column of a Parquet or Arrow file: the same numbers give the same index.

use crate::tables::{Form, Row, arrow_file, arrow_stream, ids, lists, parquet, texts};
use crate::workshop::{Workshop, little};
use arrow_array::ArrayRef;
use arrow_ipc::CompressionType;
use arrow_schema::DataType;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};

const ROWS: [[i8; 3]; 5] = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12], [13, 14, 15]];

/// Rows without gaps.
fn rows<const N: usize>(numbers: &[[i8; N]]) -> Vec<Row> {
    numbers.iter().map(|row| Some(row.iter().map(|&x| Some(x.into())).collect())).collect()
}

fn shop() -> Workshop {
    let shop = Workshop::new();
    shop.put("plain.f32", little(&ROWS.as_flattened().iter().map(|&x| f32::from(x)).collect::<Vec<_>>()));
    shop.run("build plain.f32 --dimension 3 --metric L2 --index-type FLAT -o plain.elanus").ok();
    shop
}

#[track_caller]
fn same(shop: &Workshop, name: &str, bytes: Vec<u8>, more: &str) {
    shop.put(name, bytes);
    shop.run(&format!("build {name} {more} --metric L2 --index-type FLAT -o other.elanus")).ok();
    assert_eq!(shop.read("other.elanus"), shop.read("plain.elanus"), "{name} {more}");
}

#[test]
fn every_kind_of_column_gives_the_same_index() {
    let shop = shop();
    let kinds = [
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::UInt8,
        DataType::UInt16,
    ];
    for kind in &kinds {
        for form in [Form::Fixed, Form::List, Form::Large] {
            let columns = [("id", ids(5)), ("emb", lists(form, kind, &rows(&ROWS))), ("text", texts(5))];
            same(&shop, "x.parquet", parquet(&columns, Compression::UNCOMPRESSED), "");
            same(&shop, "x.arrow", arrow_file(&columns, None), "");
            same(&shop, "x.arrows", arrow_stream(&columns, None), "--array emb");
        }
    }
}

fn two() -> [(&'static str, ArrayRef); 3] {
    let other = [[1], [1], [1], [1], [1]];
    [
        ("id", ids(5)),
        ("a", lists(Form::List, &DataType::Float32, &rows(&ROWS))),
        ("b", lists(Form::List, &DataType::Float32, &rows(&other))),
    ]
}

#[test]
fn every_compression_is_read() {
    let shop = shop();
    for compression in [
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        same(&shop, "x.parquet", parquet(&two(), compression), "--array a");
    }
    for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        same(&shop, "x.feather", arrow_file(&two(), Some(compression)), "--array a");
        // What a file is shows from its content, not from which of these endings it has.
        same(&shop, "x.arrow", arrow_stream(&two(), Some(compression)), "--array a");
    }
}

#[test]
fn other_commands_read_columns_too() {
    let shop = shop();
    shop.put("x.parquet", parquet(&two(), Compression::SNAPPY));
    shop.put("q.feather", arrow_file(&two()[1..2], None));
    shop.run("convert x.parquet x.npy --array a").ok();
    shop.run("build x.npy --metric L2 --index-type FLAT -o other.elanus").ok();
    assert_eq!(shop.read("other.elanus"), shop.read("plain.elanus"));
    shop.run("convert x.parquet y.npy").failed(3, &["--array", "a (", "b ("]);
    shop.run("convert plain.elanus y.npy --array a").failed(2, &["leave out --array a"]);
    let found = shop.run("search plain.elanus q.feather --limit 1 --json").ok();
    let nearest: Vec<serde_json::Value> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let nearest: Vec<_> = nearest.iter().map(|line| line["hits"][0]["id"].as_i64().unwrap()).collect();
    assert_eq!(nearest, [0, 1, 2, 3, 4]);
    let bench = shop.run("bench plain.elanus q.feather -k 2 --json").json();
    assert_eq!(bench["runs"].as_array().unwrap().last().unwrap()["recall"], 1.0);
}

/// Writes the column as each kind of file, which must be refused with these words.
#[track_caller]
fn refused(shop: &Workshop, form: Form, of: &DataType, rows: &[Row], parts: &[&str]) {
    let columns = [("emb", lists(form, of, rows))];
    for (name, bytes) in [
        ("x.parquet", parquet(&columns, Compression::SNAPPY)),
        ("x.arrow", arrow_file(&columns, None)),
        ("x.arrows", arrow_stream(&columns, Some(CompressionType::LZ4_FRAME))),
    ] {
        shop.put(name, bytes);
        shop.run(&format!("build {name} -o x.elanus")).failed(3, parts);
    }
}

#[test]
fn what_is_wrong_with_a_column_is_said() {
    let shop = Workshop::new();
    let with = |at: usize, row: Row| {
        let mut all = rows(&ROWS);
        all[at] = row;
        all
    };
    for form in [Form::Fixed, Form::List] {
        let floats = &DataType::Float32;
        refused(&shop, form, floats, &with(3, None), &["column emb", "row 3", "is null", "replace or drop"]);
        refused(&shop, form, floats, &with(0, None), &["column emb", "row 0", "is null", "replace or drop"]);
        let hole = vec![Some(1.0), None, Some(3.0)];
        refused(&shop, form, floats, &with(4, Some(hole)), &["row 4", "null at position 1", "3 finite numbers"]);
        let nan = vec![Some(1.0), Some(2.0), Some(f64::NAN)];
        refused(&shop, form, floats, &with(2, Some(nan)), &["column emb", "row 2", "NaN at position 2"]);
        refused(&shop, form, &DataType::Int64, &rows(&ROWS), &["no column holds vectors", "emb (", "Int64"]);
    }
    let short = with(3, Some(vec![Some(1.0)]));
    refused(&shop, Form::List, &DataType::Float32, &short, &["row 3", "a list of 1 numbers", "ragged", "3 finite"]);
    let empty: Vec<Row> = vec![Some(vec![]); 3];
    refused(&shop, Form::List, &DataType::Float32, &empty, &["0 dimensions"]);
    refused(&shop, Form::List, &DataType::Float32, &[], &["no vectors"]);

    shop.put("two.parquet", parquet(&two(), Compression::SNAPPY));
    shop.put("two.arrow", arrow_file(&two(), None));
    for name in ["two.parquet", "two.arrow"] {
        shop.run(&format!("build {name} -o x.elanus")).failed(3, &["--array", "a (List(Float32)", "b ("]);
        shop.run(&format!("build {name} --array c -o x.elanus")).failed(3, &["no column c", "id (Int64)", "a ("]);
        shop.run(&format!("build {name} --array id -o x.elanus")).failed(3, &["column id is of Int64", "cast"]);
    }
    shop.put("ids.parquet", parquet(&two()[..1], Compression::SNAPPY));
    shop.run("build ids.parquet -o x.elanus").failed(3, &["no column holds vectors", "id (Int64)"]);
    assert!(!shop.names().contains(&"x.elanus".to_owned()));
}

#[test]
fn what_isnt_such_a_file_is_named() {
    let shop = Workshop::new();
    let (parquet, arrow, stream) =
        (parquet(&two(), Compression::SNAPPY), arrow_file(&two(), None), arrow_stream(&two(), None));
    let cases: [(&str, &[u8], &[&str]); 10] = [
        ("x.arrow", &parquet, &["it is a Parquet file", ".parquet"]),
        ("x.parquet", &arrow, &["it is an Arrow file", ".arrow"]),
        ("x.parquet", b"hello, world", &["no Parquet file"]),
        ("x.parquet", b"PAR", &["truncated"]),
        ("x.arrow", b"hello, world", &["neither a file nor a stream"]),
        ("x.arrow", b"", &["neither a file nor a stream"]),
        ("x.feather", b"FEA1rest", &["Feather of version 1", "version 2"]),
        ("x.arrow", b"ARROW1\0\0ARROW1", &["cut off"]),
        // A stream that was never closed lacks its mark, of 8 bytes.
        ("x.arrows", &stream[..stream.len() - 8], &["cut off", "wasn't closed"]),
        ("x.arrows", &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], &["cut off"]),
    ];
    for (name, bytes, parts) in cases {
        shop.put(name, bytes);
        shop.run(&format!("build {name} --array a -o x.elanus")).failed(3, parts);
    }
    for (name, bytes) in [("x.parquet", &parquet), ("x.arrow", &arrow), ("x.arrows", &stream)] {
        for length in (0..bytes.len()).step_by(bytes.len() / 12) {
            shop.put(name, &bytes[..length]);
            shop.run(&format!("build {name} --array a -o x.elanus")).failed(3, &[name]);
        }
    }
}

//! Vectors from every kind of file: the same numbers give the same index.

use crate::workshop::{Workshop, little, npy};

const ROWS: [[i8; 3]; 4] = [[1, -2, 3], [4, 5, -6], [-7, 8, 9], [10, -11, 12]];

fn numbers() -> impl Iterator<Item = i8> {
    ROWS.into_iter().flatten()
}

fn vecs(number: impl Fn(i8) -> Vec<u8>) -> Vec<u8> {
    let row = |row: &[i8; 3]| [3i32.to_le_bytes().to_vec(), row.iter().flat_map(|&x| number(x)).collect()].concat();
    ROWS.iter().flat_map(row).collect()
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn bf16(x: i8) -> [u8; 2] {
    half::bf16::from_f32(x.into()).to_le_bytes()
}

#[test]
fn every_format_gives_the_same_index() {
    let shop = Workshop::new();
    let floats: Vec<f32> = numbers().map(f32::from).collect();
    shop.put("plain.f32", little(&floats));
    shop.put("int8.npy", npy("|i1", 4, 3, &numbers().map(|x| x as u8).collect::<Vec<_>>()));
    shop.put("int16.npy", npy("<i2", 4, 3, &numbers().flat_map(|x| i16::from(x).to_le_bytes()).collect::<Vec<_>>()));
    shop.put("int32.npy", npy("<i4", 4, 3, &numbers().flat_map(|x| i32::from(x).to_le_bytes()).collect::<Vec<_>>()));
    shop.put("float64.npy", npy("<f8", 4, 3, &numbers().flat_map(|x| f64::from(x).to_le_bytes()).collect::<Vec<_>>()));
    shop.put("one.npz", include_bytes!("../fixtures/vectors/one.npz"));
    shop.put("several.npz", include_bytes!("../fixtures/vectors/several.npz"));
    shop.put("rows.ivecs", vecs(|x| i32::from(x).to_le_bytes().to_vec()));
    let data: Vec<u8> = numbers().flat_map(bf16).collect();
    shop.put(
        "tensor.safetensors",
        safetensors(
            r#"{"__metadata__":{"format":"pt"},"e":{"dtype":"BF16","shape":[4,3],"data_offsets":[8,32]},"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#,
            &[vec![0; 8], data].concat(),
        ),
    );
    let text = |open: &str, separator: &str, close: &str| -> String {
        let row = |row: &[i8; 3]| format!("{open}{}{close}\n", row.map(|x| x.to_string()).join(separator));
        ROWS.iter().map(row).collect()
    };
    shop.put("lists.jsonl", text("[", ",", "]"));
    shop.put("objects.jsonl", text(r#"{"id": 7, "tags": ["a"], "v": ["#, ", ", "]}"));
    shop.put("two.jsonl", text(r#"{"other": [1], "v": ["#, ", ", "]}"));
    shop.put("comma.csv", format!("x,y,z\n{}", text("", ", ", "")));
    shop.put("tab.tsv", text("", "\t", ""));
    shop.run("build plain.f32 --dimension 3 --metric L2 --index-type FLAT -o plain.elanus").ok();
    for source in [
        "int8.npy",
        "int16.npy",
        "int32.npy",
        "float64.npy",
        "one.npz",
        "several.npz --array vectors",
        "rows.ivecs",
        "tensor.safetensors",
        "tensor.safetensors --array e",
        "lists.jsonl",
        "objects.jsonl",
        "two.jsonl --array v",
        "comma.csv",
        "tab.tsv",
    ] {
        shop.run(&format!("build {source} --metric L2 --index-type FLAT -o other.elanus")).ok();
        assert_eq!(shop.read("other.elanus"), shop.read("plain.elanus"), "{source}");
    }

    shop.put("bytes.bvecs", vecs(|x| vec![x.unsigned_abs()]));
    shop.put("bytes.f32", little(&numbers().map(|x| f32::from(x.unsigned_abs())).collect::<Vec<_>>()));
    shop.run("build bytes.bvecs --metric L2 --index-type FLAT -o one.elanus").ok();
    shop.run("build bytes.f32 --dimension 3 --metric L2 --index-type FLAT -o two.elanus").ok();
    assert_eq!(shop.read("one.elanus"), shop.read("two.elanus"));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let shop = Workshop::new();
    let tensor = |shape: &str, offsets: &str| {
        safetensors(&format!(r#"{{"e":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#), &[0; 24])
    };
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("several.npz", include_bytes!("../fixtures/vectors/several.npz").to_vec(), &["--array", "ids, vectors"]),
        ("cut.npz", include_bytes!("../fixtures/vectors/one.npz")[..90].to_vec(), &["no NumPy archive"]),
        // A header of 2 GiB, which version 2 can state.
        ("long.npy", b"\x93NUMPY\x02\x00\xFF\xFF\xFF\x7F{'descr'".to_vec(), &["header isn't whole"]),
        ("text.npz", b"hello".to_vec(), &["no NumPy archive"]),
        ("long.safetensors", u64::MAX.to_le_bytes().to_vec(), &["header isn't whole"]),
        ("short.safetensors", vec![1, 2], &["header isn't whole"]),
        ("text.safetensors", safetensors("hello", &[]), &["no JSON object"]),
        ("far.safetensors", tensor("[2,3]", "[8,32]"), &["the tensor e", "damaged"]),
        ("back.safetensors", tensor("[2,3]", "[24,0]"), &["the tensor e", "damaged"]),
        ("huge.safetensors", tensor("[4294967296,4294967296]", "[0,24]"), &["the tensor e", "damaged"]),
        ("axes.safetensors", tensor("[2,3,1]", "[0,24]"), &["--array", "there are: e"]),
        ("words.jsonl", b"[1, 2]\n[1, \"2\"]\n".to_vec(), &["line 2", "is no number"]),
        ("ragged.jsonl", b"[1, 2]\n\n[1, 2, 3]\n".to_vec(), &["line 3", "3 numbers", "2 were expected"]),
        ("fields.jsonl", b"{\"a\": [1], \"b\": [2]}\n".to_vec(), &["line 1", "--array", "a, b"]),
        ("cut.jsonl", b"[1, 2]\n[3".to_vec(), &["line 2", "no JSON"]),
        ("ragged.csv", b"1,2\n3\n".to_vec(), &["line 2", "1 numbers"]),
        ("words.csv", b"a,b\n1,2\nx,3\n".to_vec(), &["line 3", "\"x\" is no number"]),
        ("head.csv", b"a,b\n".to_vec(), &["no vectors"]),
        ("infinite.csv", b"1,inf\n".to_vec(), &["row 0 holds inf"]),
    ];
    for (name, bytes, parts) in cases {
        shop.put(name, bytes);
        shop.run(&format!("build {name} -o x.elanus")).failed(3, parts);
    }
    shop.put("plain.npy", npy("<f4", 1, 1, &little(&[1.0])));
    shop.run("build plain.npy --array x -o x.elanus").failed(2, &["--array x"]);
    assert!(!shop.names().contains(&"x.elanus".to_owned()));
}

#[test]
fn vectors_of_bits_are_read_as_bytes() {
    let shop = Workshop::new();
    let rows: [[u8; 2]; 5] = [[0xFF, 0], [0xFE, 0], [0, 0], [0x0F, 0xF0], [0xFF, 0]];
    shop.put("bits.npy", npy("|u1", 5, 2, rows.as_flattened()));
    shop.put("bits.jsonl", rows.map(|row| format!("{row:?}\n")).concat());
    shop.put("halves.npy", npy("<f4", 2, 2, &little(&[1.0, 2.0, 3.0, 0.5])));
    shop.put("signed.npy", npy("|i1", 1, 2, &[1, 0xFF]));

    let built = shop.run("build bits.npy --index-type BIN_FLAT -o bits.elanus").ok();
    assert!(built.contains("5 vectors of 16 dimensions, HAMMING, BIN_FLAT, rows of bits"), "{built}");
    shop.run("build bits.jsonl --index-type BIN_FLAT --metric hamming -o lists.elanus").ok();
    assert_eq!(shop.read("bits.elanus"), shop.read("lists.elanus"));
    let info = shop.run("info bits.elanus --json").json();
    assert_eq!((&info["dimension"], &info["metric"]), (&16.into(), &"HAMMING".into()));
    assert!(shop.run("info bits.elanus").ok().contains("rows_bits"));

    let hits = |file: &str, more: &str| {
        let ran = shop.run_with(
            &[&["search", file, "[255, 0]", "--json"][..], &more.split(' ').collect::<Vec<_>>()].concat(),
            &[],
            "",
        );
        let line = ran.json();
        line["hits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| (hit["id"].as_i64().unwrap(), hit["distance"].as_f64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(hits("bits.elanus", "--limit 4"), [(0, 0.0), (4, 0.0), (1, 1.0), (2, 8.0)]);
    assert_eq!(hits("bits.elanus", "--radius 8 --range-filter 1"), [(1, 1.0)]);
    shop.run("build bits.npy --index-type BIN_IVF_FLAT --metric JACCARD --nlist 2 -o lists.elanus").ok();
    shop.run("verify lists.elanus").ok();
    assert_eq!(
        hits("lists.elanus", "--nprobe 2 --limit 5")[2..],
        [(1, 0.125), (3, 1.0 - 4.0 / 12.0), (2, 1.0)].map(|(id, d)| (id, f64::from(d as f32)))
    );
    let bench = shop.run("bench lists.elanus bits.npy --nprobe 1,2 -k 3 --json").json();
    assert_eq!(bench["runs"].as_array().unwrap().last().unwrap()["recall"], 1.0);

    for (arguments, parts) in [
        ("build halves.npy --index-type BIN_FLAT -o no.elanus", &["row 1 holds 0.5 in column 1", "packbits"][..]),
        ("build signed.npy --index-type BIN_FLAT -o no.elanus", &["row 0 holds -1 in column 1"]),
        ("build bits.npy --metric JACCARD -o no.elanus", &["JACCARD is for vectors of bits"]),
        ("build bits.npy --index-type BIN_FLAT --metric L2 -o no.elanus", &["HAMMING and JACCARD"]),
        ("build bits.npy --index-type AUTOINDEX --metric HAMMING -o no.elanus", &["BIN_FLAT"]),
        ("search bits.elanus [0.5,1]", &["the index holds bits", "0.5 at position 0"]),
        ("search bits.elanus [1]", &["16"]),
    ] {
        let ran = shop.run(arguments);
        assert!(ran.code != 0 && parts.iter().all(|part| ran.err.contains(part)), "{arguments}: {}", ran.err);
    }
    shop.run("build bits.npy --index-type BIN_FLAT --rerank f32 -o no.elanus").failed(2, &["--rerank"]);
    shop.run("bench bits.elanus bits.npy --vectors bits.npy").failed(2, &["--vectors"]);
}

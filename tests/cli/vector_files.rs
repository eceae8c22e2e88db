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

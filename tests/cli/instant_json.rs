//! Graphs of `instant-distance` that were saved as JSON: found in them is what is found in those of bincode.

use crate::workshop::Workshop;
use elanus::words::random::SplitMix64;
use instant_distance::{Builder, Hnsw, HnswMap, Point};
use serde::{Deserialize, Serialize};

const ROWS: usize = 300;

#[derive(Clone, Serialize, Deserialize)]
struct Listed(Vec<f32>);

#[derive(Clone, Serialize, Deserialize)]
struct Named {
    numbers: [f32; 5],
}

impl Point for Listed {
    fn distance(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

impl Point for Named {
    fn distance(&self, other: &Self) -> f32 {
        Listed(self.numbers.to_vec()).distance(&Listed(other.numbers.to_vec()))
    }
}

fn numbers() -> Vec<[f32; 5]> {
    let mut random = SplitMix64::new(3);
    (0..ROWS).map(|_| std::array::from_fn(|_| random.normal_f32())).collect()
}

fn listed() -> Vec<Listed> {
    numbers().into_iter().map(|numbers| Listed(numbers.to_vec())).collect()
}

fn graph() -> Hnsw<Listed> {
    Builder::default().seed(4).ef_search(40).build_hnsw(listed()).0
}

/// What is found in the file, and what it becomes.
fn answers(shop: &Workshop, file: &str) -> (String, String, Vec<u8>) {
    let info = shop.run(&format!("info {file} --metric L2 --json")).json();
    let ran = shop.run_with(&["search", file, "[0.1,0.2,0.3,0.4,0.5]", "--metric", "L2", "--limit", "7"], &[], "");
    shop.run(&format!("convert {file} out.elanus --metric L2")).ok();
    let told = ["format", "index_type", "count", "dimension"].map(|key| info[key].to_string());
    (told.join(" "), ran.ok(), shop.read("out.elanus"))
}

/// The same graph in both forms gives the same.
fn alike(bytes: Vec<u8>, json: String) -> String {
    let shop = Workshop::new();
    shop.put("graph.bin", bytes);
    let expected = answers(&shop, "graph.bin");
    let spaced = json.replacen('{', "{\n ", 1);
    for (name, json) in [("graph.json", &json), ("spaced.json", &spaced)] {
        shop.put(name, json);
        assert_eq!(answers(&shop, name), expected);
    }
    expected.1
}

#[test]
fn json_answers_as_bincode_does() {
    let graph = graph();
    alike(bincode::serialize(&graph).unwrap(), serde_json::to_string(&graph).unwrap());

    let points = numbers().into_iter().map(|numbers| Named { numbers }).collect();
    let graph = Builder::default().seed(4).build_hnsw::<Named>(points).0;
    alike(bincode::serialize(&graph).unwrap(), serde_json::to_string(&graph).unwrap());
}

#[test]
fn values_of_a_map_are_ids_if_all_are_whole() {
    let map: HnswMap<Listed, i64> = Builder::default().seed(4).build(listed(), (0..ROWS as i64).map(|i| -i).collect());
    let found = alike(bincode::serialize(&map).unwrap(), serde_json::to_string(&map).unwrap());
    assert!(found.contains("  -"), "{found}");

    let texts: Vec<String> = (0..ROWS).map(|row| format!("row {row}")).collect();
    let map = Builder::default().seed(4).build(listed(), texts);
    let shop = Workshop::new();
    shop.put("map.json", serde_json::to_string(&map).unwrap());
    assert_eq!(shop.run("info map.json --metric L2 --json").json()["count"], ROWS);
    assert!(!answers(&shop, "map.json").1.contains("row"));
}

#[test]
fn what_is_wrong_with_a_graph_is_said() {
    let whole = serde_json::to_value(graph()).unwrap();
    let changed = |pointer: &str, value: serde_json::Value| {
        let mut graph = whole.clone();
        *graph.pointer_mut(pointer).unwrap() = value;
        graph.to_string()
    };
    let text = whole.to_string();
    let shop = Workshop::new();
    for (json, parts) in [
        (text[..text.len() / 2].to_owned(), &["no graph of instant-distance", "EOF"][..]),
        (format!("{text}x"), &["trailing characters"]),
        (changed("/points/7", serde_json::json!([1.0])), &["list 7 has 1 numbers, where 5 were expected"]),
        (changed("/points/7/2", "two".into()), &["invalid type: string"]),
        (changed("/points/7/2", serde_json::Value::Null), &["invalid type: null"]),
        (changed("/points", serde_json::json!([])), &["0 points"]),
        (changed("/points/0", serde_json::json!({"a": [1.0], "b": 2})), &["other than one field"]),
        (changed("/zero", serde_json::json!([[1, 2]])), &["1 nodes of 2 links in layer 0", "exactly 300"]),
        (changed("/zero/3/0", 300.into()), &["link from point 3 to point 300"]),
        (changed("/zero/3/0", (-1).into()), &["invalid value: integer `-1`"]),
        (changed("/ef_search", 0.into()), &["ef_search 0"]),
        (changed("/layers/0", serde_json::json!([])), &["0 nodes of 0 links in layer 1"]),
        (serde_json::json!({"hnsw": whole, "values": [1, 2]}).to_string(), &["2 values for 300 points"]),
        ("{\"hnsw\": 3}".into(), &["invalid type: integer `3`"]),
    ] {
        shop.put("graph.json", json);
        shop.run("info graph.json --metric L2").failed(1, parts);
    }
    shop.put("graph.json", text);
    shop.run("info graph.json").failed(2, &["give the metric"]);
    shop.run("info graph.json --metric L2 --dimension 4").failed(1, &["not of the dimension"]);
}

//! Tuning: it finds what suits, says what it found, and goes on where it was killed.

use crate::workshop::{Workshop, command, little, npy};
use elanus::words::random::SplitMix64;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;

/// Vectors around centres, as embeddings are, and queries of the same kind.
fn shop(rows: usize, dimension: usize) -> Workshop {
    let shop = Workshop::new();
    let mut random = SplitMix64::new(5);
    let centres: Vec<f32> = (0..20 * dimension).map(|_| random.normal_f32()).collect();
    let mut around = |count: usize| -> Vec<f32> {
        (0..count)
            .flat_map(|i| {
                let centre = &centres[i % 20 * dimension..(i % 20 + 1) * dimension];
                centre.iter().map(|x| x + 0.7 * random.normal_f32()).collect::<Vec<f32>>()
            })
            .collect()
    };
    shop.put("vectors.npy", npy("<f4", rows, dimension, &little(&around(rows))));
    shop.put("queries.npy", npy("<f4", 60, dimension, &little(&around(60))));
    shop
}

#[test]
fn what_is_chosen_is_good_enough_and_can_be_built() {
    let shop = shop(6000, 16);
    let tuned = shop
        .run("tune vectors.npy --queries queries.npy --recall 0.9 --output out.elanus --html out.html --report out.json --json")
        .json();
    let chosen = &tuned["chosen"];
    assert!(chosen["quality"].as_f64().unwrap() >= 0.9, "{chosen}");
    assert_eq!(tuned, serde_json::from_slice::<Value>(&shop.read("out.json")).unwrap());

    // The index is the one that was told, and does what was said when it is searched as was said.
    let info = shop.run("info out.elanus --json").json();
    assert_eq!(info["index_type"], chosen["candidate"]["index_type"]);
    assert_eq!(info["card"]["search"], chosen["search"]);
    let mut line = "evaluate out.elanus queries.npy --vectors vectors.npy --json".to_owned();
    for (name, value) in chosen["search"].as_object().unwrap() {
        line += &format!(" --{name} {value}");
    }
    let found = shop.run(&line).json();
    let recall = found["evaluation"]["measures"]["knn_recall@10"]["mean"].as_f64().unwrap();
    assert!((recall - chosen["quality"].as_f64().unwrap()).abs() < 0.02, "{recall} and {chosen}");

    // Nothing on the front is beaten, and the chosen one is the fastest that is good enough.
    let measured = tuned["measured"].as_array().unwrap();
    let number = |entry: &Value, name: &str| entry[name].as_f64().unwrap();
    for a in measured.iter().filter(|entry| entry["front"] == true) {
        let beats = |b: &&Value| {
            number(b, "quality") >= number(a, "quality")
                && number(b, "mean_us") < number(a, "mean_us")
                && number(b, "bytes_per_vector") <= number(a, "bytes_per_vector")
        };
        assert_eq!(measured.iter().find(beats), None);
    }
    let good = measured.iter().filter(|entry| entry["meets_goal"] == true);
    let fastest = good.map(|entry| number(entry, "mean_us")).fold(f64::INFINITY, f64::min);
    assert_eq!(fastest, number(chosen, "mean_us"));

    let page = String::from_utf8(shop.read("out.html")).unwrap();
    assert!(page.contains("class=\"point chosen\"") && !page.contains("NaN") && !page.contains("<script"));
}

#[test]
fn budgets_are_kept_or_missed_with_numbers() {
    let shop = shop(1200, 32);
    let small = shop.run("tune vectors.npy --recall 0.5 --max-bytes-per-vector 40 --prefer size --json").json();
    assert!(small["chosen"]["bytes_per_vector"].as_f64().unwrap() <= 40.0, "{}", small["chosen"]);
    assert_eq!(small["queries"], 500, "rows stand for queries");
    shop.run("tune vectors.npy --queries queries.npy --max-ms 0.000001").failed(1, &["GOAL_MISSED", "the nearest is"]);
    shop.run("tune vectors.npy --max-bytes-per-vector 3").failed(3, &["fits 3 bytes", "the smallest takes"]);
    shop.run("tune vectors.npy --recall 0").failed(2, &["more than 0"]);
    shop.run("tune vectors.npy --recall 1.5").failed(2, &["at most 1"]);
    shop.run("tune vectors.npy --max-ms -1").failed(2, &[]);
    shop.run("tune vectors.npy --metric HAMMING").failed(2, &["COSINE, IP and L2"]);
    shop.run("tune vectors.npy --prefer beauty").failed(2, &["speed or size"]);
    shop.put("wrong.json", "[[1, 2, 3]]");
    shop.run("tune vectors.npy --queries wrong.json").failed(3, &["query 0", "32 finite numbers"]);
    shop.put("few.npy", npy("<f4", 30, 4, &little(&vec![0.5; 120])));
    shop.run("tune few.npy").failed(3, &["FLAT"]);
    let plan = shop.run("tune vectors.npy --dry-run --max-bytes-per-vector 60 --json").json();
    assert!(plan["candidates"].as_array().unwrap().iter().all(|c| c["rows"] != json!(["f32"])), "too large");
}

#[test]
fn judgements_are_a_goal() {
    let shop = shop(1200, 16);
    // For each query two rows that exact search finds, by names that the metadata give.
    let rows: String = (0..1200).map(|i| format!("{{\"id\": \"d{i}\"}}\n")).collect();
    shop.put("rows.jsonl", rows);
    shop.run("build vectors.npy --metadata rows.jsonl --id-field id --index-type FLAT -o flat.elanus").ok();
    let out = shop.run("search flat.elanus queries.npy --limit 2 --json").ok();
    let found: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lines = |i: usize| {
        let hits = found[i]["hits"].as_array().unwrap().iter();
        hits.map(move |hit| format!("{i} 0 {} 1\n", hit["id"].as_str().unwrap())).collect::<String>()
    };
    shop.put("judged.qrels", (0..60).map(lines).collect::<String>());
    let line = "tune vectors.npy --queries queries.npy --qrels judged.qrels --metadata rows.jsonl --id-field id";
    let tuned = shop.run(&format!("{line} --ndcg 0.9 --json")).json();
    assert_eq!((&tuned["measure"], &tuned["exact"]), (&json!("ndcg@10"), &json!(1.0)));
    assert!(tuned["chosen"]["quality"].as_f64().unwrap() >= 0.9);

    // Of a corpus without the judged rows no index can be as good.
    shop.put("half.qrels", (0..60).map(|i| format!("{i} 0 d{} 1\n", (i * 7 + 600) % 1200)).collect::<String>());
    let line = line.replace("judged", "half");
    shop.run(&format!("{line} --ndcg 0.9")).failed(3, &["exact search reaches"]);
    shop.put("none.qrels", "q 0 d 1\n");
    shop.run(&format!("{} --ndcg 0.9", line.replace("half", "none"))).failed(3, &["none of the queries"]);
    shop.run("tune vectors.npy --ndcg 0.9").failed(2, &["--qrels"]);
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_was() {
    let shop = shop(1500, 16);
    let arguments = ["tune", "vectors.npy", "--queries", "queries.npy", "--state", "state.jsonl", "--json"];
    let mut lengths = vec![0];
    for i in 0..4u64 {
        let mut child =
            command(&shop.path("")).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + 100 * i));
        let _ = child.kill();
        child.wait().unwrap();
        let length = std::fs::metadata(shop.path("state.jsonl")).map_or(0, |about| about.len());
        // At most a cut line is lost.
        assert!(length + 1000 >= *lengths.last().unwrap(), "{length} after {lengths:?}");
        lengths.push(length);
    }
    let first = shop.run_with(&arguments, &[], "").json();
    assert!(first["resumed"].as_u64().unwrap() > 0, "{lengths:?}");
    let again = shop.run_with(&arguments, &[], "").json();
    assert_eq!(again["resumed"], again["measurements"], "nothing is measured twice");
    assert_eq!((&again["chosen"], &again["measured"]), (&first["chosen"], &first["measured"]));
    shop.run("tune vectors.npy --state state.jsonl").failed(3, &["state.jsonl", "--state"]);
}

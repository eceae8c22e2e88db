//! What the commands do when all is well.

use crate::workshop::{Workshop, command, fvecs, little, npy, npy_with, vectors};
use serde_json::{Value, json};

const BUILD: &str = "build vectors.npy --metadata rows.jsonl --id-field id -o words.elanus";

/// The documented way, from files to hits.
#[test]
fn from_vectors_to_hits() {
    let shop = Workshop::new().with_collection(300, 16);
    shop.put("card.json", r#"{"name": "words", "model": {"name": "m", "dimension": 16, "fingerprint": "sha256:00"}}"#);
    let built = shop.run(&format!("{BUILD} --card card.json --metric COSINE --index-type SCAN_RABITQ --rerank int8"));
    assert_eq!(built.err, "", "nothing on standard error where it is no terminal");
    let text = built.ok();
    for part in ["300 vectors of 16 dimensions", "pos VarChar (filter, stored)", "gloss VarChar (stored)", "id VarChar"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(shop.names(), ["card.json", "rows.jsonl", "vectors.npy", "words.elanus"], "nothing else is left behind");

    let info = shop.run("info words.elanus --json").json();
    assert_eq!((&info["count"], &info["dimension"], &info["metric"]), (&json!(300), &json!(16), &json!("COSINE")));
    assert_eq!(info["card"]["model"]["fingerprint"], "sha256:00");
    assert_eq!(info["card"]["primary_key"], json!({"name": "id", "type": "VarChar"}));
    assert_eq!(
        info["card"]["fields"],
        json!([
            {"name": "pos", "type": "VarChar", "filterable": true, "stored": true},
            {"name": "year", "type": "Int64", "filterable": true, "stored": true},
            {"name": "gloss", "type": "VarChar", "filterable": false, "stored": true},
        ])
    );
    let text = shop.run("info words.elanus").ok();
    assert!(text.contains("year Int64 (filter, stored)") && text.contains("rows_i8"), "{text}");

    assert!(shop.run("verify words.elanus").ok().contains("whole (300 vectors"));
    assert_eq!(shop.run("verify words.elanus --json").json()["ok"], true);

    // The 40th vector itself, out of the file.
    let query = &vectors(300, 16, 1)[40 * 16..41 * 16];
    shop.put("query.npy", npy("<f4", 1, 16, &little(query)));
    let hits = shop.run("search words.elanus query.npy --json --limit 3 --output-fields gloss,year").json();
    assert_eq!((&hits["hits"][0]["id"], &hits["hits"][0]["row"]), (&json!("w40"), &json!(40)));
    assert_eq!(hits["hits"][0]["fields"], json!({"year": 1940, "gloss": "meaning 40 "}));
    let distances: Vec<f64> = (0..3).map(|i| hits["hits"][i]["distance"].as_f64().unwrap()).collect();
    assert!((distances[0] - 1.0).abs() < 0.02 && distances[0] > distances[1] && distances[1] > distances[2]);

    let args =
        ["search", "words.elanus", "query.npy", "--filter", "pos == \"verb\" and year < 1950", "--json", "-k", "5"];
    let hits = shop.run_with(&args, &[], "").json();
    let rows: Vec<u64> = hits["hits"].as_array().unwrap().iter().map(|h| h["row"].as_u64().unwrap()).collect();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row % 2 == 1 && *row < 50), "{rows:?}");
    assert_eq!(hits["hits"][0].get("fields"), None);
}

#[test]
fn queries_come_from_anywhere() {
    let shop = Workshop::new().with_collection(50, 4);
    shop.run(BUILD).ok();
    let data = vectors(50, 4, 1);
    let query = &data[28..32];
    let text = serde_json::to_string(query).unwrap();
    let half: Vec<u8> = query.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect();
    let double: Vec<u8> = query.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
    shop.put("q.f32", little(query));
    shop.put("q.f16", &half);
    shop.put("q.fvecs", fvecs(&[query]));
    shop.put("q.json", &text);
    shop.put("q8.npy", npy("<f8", 1, 4, &double));
    shop.put("q2.npy", npy("<f2", 1, 4, &half));
    shop.put("flat.npy", npy_with("'descr': '<f4', 'fortran_order': False, 'shape': (4,)", &little(query)));
    let first = |ran: crate::workshop::Ran| ran.json()["hits"][0]["id"].clone();
    for source in ["q.f32", "q.f16", "q.fvecs", "q.json", "q8.npy", "q2.npy", "flat.npy", &text] {
        assert_eq!(first(shop.run_with(&["search", "words.elanus", source, "--json"], &[], "")), "w7", "{source}");
    }
    assert_eq!(first(shop.run_with(&["search", "words.elanus", "-", "--json"], &[], &text)), "w7");

    let both = format!("{text}\n{}", serde_json::to_string(&data[..4]).unwrap());
    let lines = shop.run_with(&["search", "words.elanus", "-", "--json"], &[], &both).ok();
    let ids: Vec<Value> =
        lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["hits"][0]["id"].clone()).collect();
    assert_eq!(ids, ["w7", "w0"]);
    let text = shop.run_with(&["search", "words.elanus", "-", "-k", "1"], &[], &both).ok();
    assert!(text.contains("query 1\n") && text.contains("\"w7\""), "{text}");
}

/// All endings give the same vectors, and so the same search.
#[test]
fn vectors_come_in_several_formats() {
    let shop = Workshop::new();
    let data = vectors(40, 6, 3);
    let halves: Vec<f32> = data.iter().map(|&x| half::f16::from_f32(x).to_f32()).collect();
    let half_bytes: Vec<u8> = data.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect();
    let rows: Vec<&[f32]> = data.chunks(6).collect();
    shop.put("a.npy", npy("<f4", 40, 6, &little(&data)));
    shop.put("b.npy", npy("<f8", 40, 6, &data.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect::<Vec<_>>()));
    shop.put("c.fvecs", fvecs(&rows));
    shop.put("d.f32", little(&data));
    shop.put("e.BIN", little(&data));
    shop.put("f.npy", npy("<f2", 40, 6, &half_bytes));
    shop.put("g.f16", &half_bytes);
    shop.put("h.npy", npy("<f4", 40, 6, &little(&halves)));
    let build = |name: &str, extra: &str| {
        shop.run(&format!("build {name} {extra} --metric L2 -o out.elanus")).ok();
        shop.read("out.elanus")
    };
    let whole = build("a.npy", "");
    for (name, extra) in [("b.npy", ""), ("c.fvecs", ""), ("d.f32", "--dimension 6"), ("e.BIN", "--dimension 6")] {
        assert!(build(name, extra) == whole, "{name}");
    }
    let half = build("h.npy", "");
    for (name, extra) in [("f.npy", ""), ("g.f16", "--dimension 6")] {
        assert!(build(name, extra) == half, "{name}");
    }
}

#[test]
fn the_same_input_gives_the_same_file_on_any_number_of_threads() {
    let shop = Workshop::new().with_collection(700, 24);
    for index_type in ["FLAT", "SCAN_RABITQ", "HNSW"] {
        for seed in ["1", "2"] {
            let files: Vec<Vec<u8>> = ["1", "2", "5"]
                .iter()
                .map(|threads| {
                    let args = format!("{BUILD} --index-type {index_type} --seed {seed} --rerank int8,f32");
                    let args: Vec<&str> = args.split(' ').collect();
                    shop.run_with(&args, &[("RAYON_NUM_THREADS", threads)], "").ok();
                    shop.read("words.elanus")
                })
                .collect();
            assert!(files[0] == files[1] && files[1] == files[2], "{index_type} seed {seed}");
        }
    }
}

#[test]
fn a_recall_is_measured_asked_for_and_checked() {
    let shop = Workshop::new().with_collection(600, 16);
    shop.run(&format!("{BUILD} --calibrate 50")).ok();
    let info = shop.run("info words.elanus --json").json()["calibration"].clone();
    assert_eq!((&info["parameter"], &info["queries"]), (&json!("epsilon"), &json!(50)));
    assert_eq!(info["curves"][1]["points"][6]["setting"], 1.9);
    assert!(shop.run("info words.elanus").ok().contains("at 10 hits, by epsilon: 0 "));
    shop.put("queries.f32", little(&vectors(20, 16, 9)));
    let runs = shop.run("bench words.elanus queries.f32 --recall 0.9 --rerank 20 --json").json()["runs"].clone();
    let aimed = runs.as_array().unwrap().iter().find(|run| run["setting"] == "recall 0.9").unwrap();
    assert!(aimed["recall"].as_f64().unwrap() > 0.85, "{aimed}");
    assert!(shop.run("bench words.elanus queries.f32 --recall 0.9").ok().contains("recall 0.9"));
    shop.put("one.f32", little(&vectors(1, 16, 9)));
    shop.run("search words.elanus one.f32 --recall 0.9").ok();
    shop.run("search words.elanus one.f32 --recall 0.9 --exact").failed(2, &["cannot be used with"]);
    shop.run(&format!("{BUILD} --calibrate 0")).ok();
    shop.run("search words.elanus one.f32 --recall 0.9").failed(2, &["no calibration"]);
    assert_eq!(shop.run("info words.elanus --json").json()["calibration"], Value::Null);
}

#[test]
fn codes_of_several_bits_do_without_rows() {
    let shop = Workshop::new().with_collection(300, 16);
    for index_type in ["SCAN_RABITQ", "IVF_RABITQ"] {
        shop.run(&format!("{BUILD} --index-type {index_type} --bits 7 --rerank none")).ok();
        let info = shop.run("info words.elanus --json").json();
        assert_eq!((&info["bits"], &info["card"]["build"]["bits"]), (&json!(7), &json!(7)));
        assert!(shop.run("info words.elanus").ok().contains("7 bits a dimension"));
        shop.put("queries.f32", little(&vectors(20, 16, 9)));
        let bench = "bench words.elanus queries.f32 --vectors vectors.npy --nprobe 1000 --json";
        let runs = shop.run(bench).json()["runs"].clone();
        assert!(runs.as_array().unwrap().iter().all(|run| run["recall"].as_f64().unwrap() > 0.85), "{runs}");
        shop.run("search words.elanus queries.f32 --exact").failed(2, &["int8, f16 or f32 rows"]);
    }
    shop.run(&format!("{BUILD} --index-type SCAN_RABITQ")).ok();
    assert_eq!(shop.run("info words.elanus --json").json()["bits"], 1);
    shop.run(&format!("{BUILD} --index-type FLAT")).ok();
    assert_eq!(shop.run("info words.elanus --json").json()["bits"], Value::Null);
}

#[test]
fn codes_of_parts_say_what_they_are() {
    let shop = Workshop::new().with_collection(300, 16);
    shop.run(&format!("{BUILD} --index-type IVF_PQ --m 7 --nbits 4")).ok();
    let info = shop.run("info words.elanus --json").json();
    assert_eq!((&info["m"], &info["nbits"], &info["bits"]), (&json!(7), &json!(4), &Value::Null));
    assert_eq!((&info["card"]["build"]["m"], &info["card"]["build"]["nbits"]), (&json!(7), &json!(4)));
    assert!(shop.run("info words.elanus").ok().contains("7 parts of 4 bits"));
    shop.run("verify words.elanus").ok();
    shop.run(&format!("{BUILD} --index-type IVF_PQ")).ok();
    assert!(shop.run("info words.elanus").ok().contains("2 parts of 8 bits"));
    shop.put("queries.f32", little(&vectors(20, 16, 9)));
    let runs = shop.run("bench words.elanus queries.f32 --nprobe 1 --json").json()["runs"].clone();
    assert!(runs.as_array().unwrap().iter().any(|run| run["nprobe"] == 1), "{runs}");
}

#[test]
fn autoindex_says_what_it_chose_and_why() {
    let shop = Workshop::new().with_collection(60, 8);
    let auto = "build vectors.npy -o auto.elanus --index-type AUTOINDEX";
    let built = shop.run(&format!("{auto} --json")).json();
    assert_eq!((&built["index_type"], &built["rerank"]), (&json!("FLAT"), &json!(["f32"])));
    assert!(built["autoindex"].as_str().unwrap().contains("60 rows"), "{built}");
    let card = shop.run("info auto.elanus --json").json()["card"]["build"].clone();
    assert_eq!((&card["index_type"], &card["autoindex"]), (&json!("FLAT"), &built["autoindex"]));
    assert!(shop.run(auto).ok().contains("AUTOINDEX   60 rows"));
    let built = shop.run(&format!("{auto} --max-bytes-per-vector 14 --json")).json();
    assert_eq!((&built["index_type"], &built["rerank"]), (&json!("FLAT"), &json!(["int8"])));
    shop.run(&format!("{auto} --max-bytes-per-vector 3")).failed(2, &["smallest"]);
    shop.run(&format!("{auto} --rerank f32")).failed(2, &["--rerank"]);
    shop.run("build vectors.npy -o a.elanus --max-bytes-per-vector 99").failed(2, &["AUTOINDEX"]);
    shop.run("build vectors.npy -o a.elanus --index-type NONE").failed(2, &["AUTOINDEX"]);
}

#[test]
fn rings_offsets_and_groups() {
    let shop = Workshop::new().with_collection(40, 4);
    shop.run(&format!("{BUILD} --index-type FLAT --metric L2")).ok();
    let search = |extra: &str| {
        let hits = shop.run(&format!("search words.elanus [0.1,0.2,-0.3,0.4] --json {extra}")).json()["hits"].clone();
        let hit = |hit: &Value| (hit["row"].as_u64().unwrap(), hit["distance"].as_f64().unwrap());
        hits.as_array().unwrap().iter().map(hit).collect::<Vec<_>>()
    };
    let all = search("--limit 40");
    let (inner, outer) = (all[5].1, all[15].1);
    assert_eq!(search(&format!("--limit 40 --range-filter {inner} --radius {outer}")), all[5..15]);
    assert_eq!(search("--limit 10 --offset 30"), all[30..]);
    let of = |parity: u64, count: usize| {
        all.iter().copied().filter(|hit| hit.0 % 2 == parity).take(count).collect::<Vec<_>>()
    };
    let first = all[0].0 % 2;
    let expected = [of(first, 3), of(1 - first, 3)].concat();
    assert_eq!(search("--group-by-field pos --group-size 3 --strict-group-size"), expected);
    let text = shop.run("search words.elanus [0.1,0.2,-0.3,0.4] --limit 1 --offset 2").ok();
    assert!(text.starts_with("    3  "), "ranks count from the nearest: {text}");
}

#[test]
fn fields_are_what_the_caller_says() {
    let shop = Workshop::new().with_collection(20, 3);
    shop.run(&format!("{BUILD} --fields gloss:VarChar,year:Double --store pos")).ok();
    let card = shop.run("info words.elanus --json").json()["card"].clone();
    assert_eq!(
        card["fields"],
        json!([
            {"name": "pos", "type": "VarChar", "filterable": false, "stored": true},
            {"name": "year", "type": "Double", "filterable": true, "stored": false},
            {"name": "gloss", "type": "VarChar", "filterable": true, "stored": false},
        ])
    );
    let search = |filter: &str, fields: &str| {
        shop.run_with(
            &["search", "words.elanus", "[1,2,3]", "--json", "--filter", filter, "--output-fields", fields],
            &[],
            "",
        )
    };
    let hits = search("year == 1905.0", "*").json();
    assert_eq!(hits["hits"][0]["fields"], json!({"pos": "verb"}));
    search("pos == \"verb\"", "*").failed(3, &["FIELD_NOT_FOUND", "pos"]);
    search("year > 0", "gloss").failed(3, &["FIELD_NOT_FOUND", "gloss"]);

    shop.run(&format!("{BUILD} --fields none --store none")).ok();
    let info = shop.run("info words.elanus --json").json();
    let names: Vec<&str> = info["sections"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(!names.contains(&"columns") && !names.contains(&"fields"), "{names:?}");
}

#[test]
fn integer_keys_and_no_keys() {
    let shop = Workshop::new().with_collection(3, 2);
    shop.put("rows.jsonl", "{\"id\":9007199254740993}\n{\"id\":-1}\n{\"id\":0}\n");
    shop.put("vectors.npy", npy("<f4", 3, 2, &little(&[1.0, 0.0, 0.0, 1.0, -1.0, 0.0])));
    shop.run(BUILD).ok();
    let out = shop.run("search words.elanus [1,0.1] --json").ok();
    assert!(out.contains("9007199254740993"), "{out}");
    shop.run("build vectors.npy -o plain.elanus").ok();
    let hits = shop.run("search plain.elanus [-1,0.1] --json").json();
    assert_eq!(hits["hits"][0]["id"], 2);
}

#[test]
fn distances_are_milvuss() {
    let shop = Workshop::new();
    shop.put("v.npy", npy("<f4", 2, 2, &little(&[3.0, 4.0, -3.0, -4.0])));
    let first_two = |metric: &str| {
        shop.run(&format!("build v.npy --metric {metric} --index-type FLAT -o v.elanus")).ok();
        let hits = shop.run("search v.elanus [3,4] --json").json();
        [0, 1].map(|i| (hits["hits"][i]["row"].as_u64().unwrap(), hits["hits"][i]["distance"].as_f64().unwrap()))
    };
    assert_eq!(first_two("L2"), [(0, 0.0), (1, 100.0)]);
    assert_eq!(first_two("IP"), [(0, 25.0), (1, -25.0)]);
    let [(near, one), (far, minus_one)] = first_two("COSINE");
    assert_eq!((near, far), (0, 1));
    assert!((one - 1.0).abs() < 1e-6 && (minus_one + 1.0).abs() < 1e-6);
}

#[test]
fn bench_measures_recall_and_latency() {
    let shop = Workshop::new().with_collection(500, 16);
    shop.run(&format!("{BUILD} --calibrate 0")).ok();
    shop.put("queries.npy", npy("<f4", 30, 16, &little(&vectors(30, 16, 77))));
    let result = shop.run("bench words.elanus queries.npy --vectors vectors.npy --rerank 10,500 --json").json();
    let runs = result["runs"].as_array().unwrap();
    assert_eq!(
        runs.iter().map(|r| r["setting"].as_str().unwrap()).collect::<Vec<_>>(),
        ["default", "rerank 10", "rerank 500", "exact"]
    );
    let recall: Vec<f64> = runs.iter().map(|r| r["recall"].as_f64().unwrap()).collect();
    assert!(recall[1] < recall[2] && recall[2] >= 0.97 && recall[3] >= 0.97, "{recall:?}");
    for run in runs {
        let [p50, p95, p99] = ["p50_us", "p95_us", "p99_us"].map(|p| run[p].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p95 && p95 <= p99, "{run}");
    }
    // Against its own rows exact search is perfect.
    let own = shop.run("bench words.elanus queries.npy --rerank 500 --json").json();
    assert_eq!(own["runs"][2]["recall"], 1.0);
    assert_eq!(own["recall_against"], "exact search over the file's int8 rows");

    let text = shop.run("bench words.elanus queries.npy --require-recall 0.9").ok();
    assert!(text.contains("recall@10") && text.contains("rerank 100"), "{text}");
    let failed = shop.run("bench words.elanus queries.npy --rerank 10 --require-recall 1.1");
    assert_eq!(failed.code, 1);
    assert!(failed.err.contains("RECALL_TOO_LOW"), "{}", failed.err);
    let args =
        ["bench", "words.elanus", "queries.npy", "--filter", "pos == \"noun\"", "--vectors", "vectors.npy", "--json"];
    assert!(shop.run_with(&args, &[], "").json()["runs"][0]["recall"].as_f64().unwrap() > 0.9);
}

#[test]
fn a_new_file_replaces_an_old_one_whole() {
    let shop = Workshop::new().with_collection(30, 4);
    shop.run(BUILD).ok();
    let old = shop.read("words.elanus");
    shop.put("rows.jsonl", "{\"id\":1}\n");
    shop.run(BUILD).failed(3, &["1 rows of metadata for 30 vectors"]);
    assert!(shop.read("words.elanus") == old, "a failed build leaves the old file alone");
    shop.run("build vectors.npy --seed 5 -o words.elanus").ok();
    assert!(shop.read("words.elanus") != old);
    assert_eq!(shop.names(), ["rows.jsonl", "vectors.npy", "words.elanus"]);
}

#[test]
fn every_command_explains_itself() {
    let shop = Workshop::new();
    let help = shop.run("--help").ok();
    assert!(help.contains("Exit codes:"), "{help}");
    for name in ["build", "info", "verify", "search", "bench"] {
        assert!(help.contains(name));
        let own = shop.run(&format!("{name} --help")).ok();
        assert!(own.contains("Examples:") && own.contains(&format!("elanus {name} ")), "{own}");
    }
    assert!(shop.run("--version").ok().starts_with("elanus "));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let shop = Workshop::new().with_collection(2000, 4);
    shop.run(BUILD).ok();
    let mut child = command(&shop.path(""))
        .args(["search", "words.elanus", "vectors.npy", "--output-fields", "*"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn info_knows_a_faiss_file_by_its_content() {
    let shop = Workshop::new();
    shop.put("index.bin", include_bytes!("../fixtures/foreign/faiss/hnsw-sq8.faiss"));
    let info = shop.run("info index.bin --json").json();
    assert_eq!((&info["format"], &info["index_type"]), (&json!("Faiss"), &json!("HNSW,SQ8")));
    assert_eq!((&info["count"], &info["dimension"]), (&json!(200), &json!(16)));
    assert!(shop.run("info index.bin").ok().contains("200 vectors of 16 dimensions"));
}

#[test]
fn files_of_other_libraries_are_searched_with_their_ids() {
    let shop = Workshop::new();
    shop.put("graph.bin", include_bytes!("../fixtures/foreign/hnswlib/l2-labels.bin"));
    shop.put("trees.ann", include_bytes!("../fixtures/foreign/annoy/hamming.bin"));
    let told: serde_json::Value =
        serde_json::from_slice(include_bytes!("../fixtures/foreign/hnswlib/l2-labels.json")).unwrap();
    let asked = &told["searches"][1];
    let query = told["queries"][0].to_string();
    let hits =
        shop.run_with(&["search", "graph.bin", &query, "--metric", "l2", "--ef", "40", "--json"], &[], "").json();
    let ids: Vec<_> = hits["hits"].as_array().unwrap().iter().map(|hit| hit["id"].clone()).collect();
    assert_eq!(serde_json::Value::from(ids), asked["ids"][0]);

    shop.run("search graph.bin [1] --metric l2").failed(3, &["DIMENSION_MISMATCH"]);
    shop.run("search graph.bin [1]").failed(2, &["doesn't say its metric", "150 vectors of 12 dimensions"]);
    shop.run("search graph.bin [1] --metric l2 --radius 3").failed(2, &["--radius"]);
    shop.run("info trees.ann").failed(1, &["UNSUPPORTED_FORMAT", "Annoy"]);
    shop.run("info trees.ann --format annoy --dimension 53").failed(2, &["metric"]);
    let info = shop.run("info trees.ann --format annoy --dimension 53 --metric hamming").ok();
    assert!(info.contains("150 vectors of 53 dimensions, HAMMING"), "{info}");
    let found = shop
        .run("search trees.ann [255,0,0,0,0,0,0] --format annoy --dimension 53 --metric hamming --search-k 20 -k 3")
        .ok();
    assert_eq!(found.lines().count(), 3, "{found}");
}

#[test]
fn a_graph_whose_vectors_are_in_a_second_file_is_read_with_it() {
    let shop = Workshop::new();
    // 100 objects of 12 floats, with a count of bytes before each and of objects before all.
    let both = include_bytes!("../fixtures/foreign/nmslib/l2-plain.bin");
    let (graph, data) = both.split_at(both.len() - (8 + 100 * (8 + 16 + 48)));
    shop.put("plain", graph);
    shop.run("info plain --metric l2").failed(1, &["UNSUPPORTED_FORMAT", "save_data=True"]);
    shop.put("plain.dat", data);
    let info = shop.run("info plain --metric l2").ok();
    assert!(info.contains("100 vectors of 12 dimensions, EUCLIDEAN"), "{info}");
    let told: serde_json::Value =
        serde_json::from_slice(include_bytes!("../fixtures/foreign/nmslib/l2-plain.json")).unwrap();
    let asked = &told["searches"][0];
    let query = told["queries"][1].to_string();
    let hits = shop.run_with(&["search", "plain", &query, "--metric", "l2", "--json"], &[], "").json();
    let ids: Vec<_> = hits["hits"].as_array().unwrap().iter().map(|hit| hit["id"].clone()).collect();
    assert_eq!(serde_json::Value::from(ids), asked["ids"][1]);
}

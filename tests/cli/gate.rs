//! Evaluations, and what the gate makes of them.

use crate::workshop::{Workshop, little, npy, vectors};
use serde_json::{Value, json};

/// 400 vectors of 32 dimensions, 60 queries near some of them, and the same vectors with more and fewer bits.
fn shop() -> Workshop {
    let shop = Workshop::new().with_collection(400, 32);
    let rows = vectors(400, 32, 1);
    let noise = vectors(60, 32, 2);
    let queries: Vec<f32> = (0..60)
        .flat_map(|i| (0..32).map(move |d| (i, d)))
        .map(|(i, d)| rows[i * 5 * 32 + d] + 0.8 * noise[i * 32 + d])
        .collect();
    shop.put("queries.npy", npy("<f4", 60, 32, &little(&queries)));
    // The row that each query is near is what it looks for.
    shop.put("judged.qrels", (0..60).map(|i| format!("{i} 0 w{} 1\n", i * 5)).collect::<String>());
    let build = |name: &str, options: &str| {
        shop.run(&format!(
            "build vectors.npy --metadata rows.jsonl --id-field id --index-type SCAN_RABITQ {options} -o {name}"
        ))
        .ok();
    };
    build("middle.elanus", "--rerank none --bits 4");
    build("worse.elanus", "--rerank none --bits 1");
    build("better.elanus", "--rerank int8 --bits 4");
    shop
}

fn evaluation(shop: &Workshop, arguments: &str) -> Value {
    shop.run(&format!("evaluate {arguments} --json")).json()["evaluation"].clone()
}

fn mean(evaluation: &Value, measure: &str) -> f64 {
    evaluation["measures"][measure]["mean"].as_f64().unwrap_or_else(|| panic!("{measure} in {evaluation}"))
}

#[test]
fn indexes_are_measured_alone_and_side_by_side() {
    let shop = shop();
    let all = "queries.npy --vectors vectors.npy --qrels judged.qrels -k 1,10";
    let worse = evaluation(&shop, &format!("worse.elanus {all} --against better.elanus"));
    let better = evaluation(&shop, &format!("better.elanus {all}"));
    for measure in ["knn_recall@10", "ndcg@10", "mrr@1", "recall@10"] {
        assert_eq!(worse["against"]["measures"][measure]["mean"], mean(&better, measure), "{measure}");
        let difference = worse["against"]["measures"][measure]["difference"].as_f64().unwrap();
        assert!((mean(&worse, measure) - mean(&better, measure) - difference).abs() < 2e-6);
        let (low, high) = (&worse["measures"][measure]["low"], &worse["measures"][measure]["high"]);
        assert!(low.as_f64().unwrap() <= mean(&worse, measure) && mean(&worse, measure) <= high.as_f64().unwrap());
    }
    assert!(mean(&better, "knn_recall@10") > 0.97 && mean(&worse, "knn_recall@10") < 0.8, "{worse}");
    assert!(worse["against"]["measures"]["knn_recall@10"]["p"].as_f64().unwrap() < 0.001);
    assert_eq!((&worse["queries"]["count"], &worse["queries"]["judged"]), (&json!(60), &json!(60)));
    assert_eq!(worse["bytes"], shop.read("worse.elanus").len());
    let changed = worse["against"]["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 5);
    assert!(changed.windows(2).all(|pair| pair[0]["rbo"].as_f64() <= pair[1]["rbo"].as_f64()));
    assert_ne!(changed[0]["before"], changed[0]["after"]);

    // An index beside itself: all is equal, and chance explains that.
    let same = evaluation(&shop, "better.elanus queries.npy --against better.elanus");
    assert_eq!(same["against"]["overlap"]["overlap@10"], json!({ "mean": 1.0, "low": 1.0, "high": 1.0 }));
    let beside = &same["against"]["measures"]["knn_recall@10"];
    assert_eq!((&beside["difference"], &beside["p"]), (&json!(0.0), &json!(1.0)));
    assert_eq!(same["against"]["changed"], json!([]));
    // With all rows compared, nothing of the file's own rows is missed.
    assert_eq!(mean(&evaluation(&shop, "better.elanus queries.npy --exact"), "knn_recall@10"), 1.0);
    let text = shop.run(&format!("evaluate worse.elanus {all} --against better.elanus")).ok();
    assert!(["knn_recall@10", "changed most:", "rbo", "p95_us"].iter().all(|part| text.contains(part)), "{text}");
    // But for the time that searches took, the same seed gives the same numbers.
    let again = evaluation(&shop, &format!("worse.elanus {all} --against better.elanus"));
    assert_eq!(
        (&again["measures"], &again["against"]["measures"]),
        (&worse["measures"], &worse["against"]["measures"])
    );
}

/// Every measure, worked out by hand for two queries.
#[test]
fn measures_are_what_their_papers_say() {
    let shop = Workshop::new();
    shop.put("vectors.npy", npy("<f4", 4, 2, &little(&[0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 5.0, 0.0])));
    shop.run("build vectors.npy --index-type FLAT --metric L2 -o four.elanus").ok();
    // Found: 0 1 2 3, and 3 2 1 0.
    shop.put("queries.json", "[[0.1, 0], [6, 0]]");
    shop.put("judged.qrels", "a 0 1 2\na 0 2 1\na 0 9 1\nb 0 0 1\nb 0 3 0\nc 0 1 1\n");
    shop.put("names.txt", "a\nb\n");
    let found = evaluation(&shop, "four.elanus queries.json --qrels judged.qrels --query-ids names.txt -k 2,3");
    let log = |x: f64| x.log2();
    let near = |measure: &str, a: f64, b: f64| {
        assert!((mean(&found, measure) - (a + b) / 2.0).abs() < 1e-6, "{measure} in {found}")
    };
    near("mrr@3", 0.5, 0.0);
    near("recall@3", 2.0 / 3.0, 0.0);
    near("recall@2", 1.0 / 3.0, 0.0);
    near("ndcg@3", (2.0 / log(3.0) + 1.0 / log(4.0)) / (2.0 + 1.0 / log(3.0) + 1.0 / log(4.0)), 0.0);
    assert!(found["measures"].get("knn_recall@3").is_none(), "nobody asked for it");
    shop.put(
        "truth.ivecs",
        [[2i32, 0, 3], [2, 3, 2]].concat().iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>(),
    );
    assert_eq!(mean(&evaluation(&shop, "four.elanus queries.json --truth truth.ivecs -k 2"), "knn_recall@2"), 0.75);
}

#[test]
fn what_cant_be_measured_is_refused() {
    let shop = shop();
    let evaluate =
        |arguments: &str, code, parts: &[&str]| drop(shop.run(&format!("evaluate {arguments}")).failed(code, parts));
    shop.put("bad.qrels", "0 0 w0\n");
    shop.put("strange.qrels", "0 0 x0 1\n");
    shop.put("other.qrels", "q7 0 w0 1\n");
    shop.put("names.txt", "a\nb\n");
    shop.put("truth.ivecs", [2i32, 0, 1].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
    shop.put("policy.json", r#"{"schema_version":1,"maximun":{}}"#);
    shop.put("short.npy", npy("<f4", 1, 32, &little(&[0.5; 32])));
    evaluate("worse.elanus queries.npy", 2, &["rows"]);
    evaluate("worse.elanus queries.npy --qrels bad.qrels", 3, &["bad.qrels", "line 1", "four columns"]);
    evaluate("worse.elanus queries.npy --qrels strange.qrels", 3, &["none of the judged documents (x0"]);
    evaluate("worse.elanus queries.npy --qrels other.qrels", 3, &["judges q7", "--query-ids"]);
    evaluate("worse.elanus queries.npy --qrels judged.qrels --query-ids names.txt", 3, &["60 queries, but 2 names"]);
    evaluate("worse.elanus queries.npy --truth truth.ivecs", 3, &["lists 2 rows for each of 1 queries"]);
    evaluate("better.elanus queries.npy -k 0", 2, &["--limit 0"]);
    evaluate("better.elanus queries.npy -k 5,5", 2, &["--limit 5"]);
    evaluate("better.elanus queries.npy --policy policy.json", 3, &["no policy", "maximun"]);
    evaluate("better.elanus queries.npy --against-queries short.npy", 2, &["give --against"]);
    evaluate(
        "better.elanus queries.npy --against better.elanus --against-queries short.npy",
        3,
        &["60 queries, but 1"],
    );
}

const EVALUATE: &str = "queries.npy --vectors vectors.npy --qrels judged.qrels";

/// A registry with the releases r1 (the champion), r2 (worse) and r3 (better), all but r1 not evaluated.
fn gated() -> Workshop {
    let shop = shop();
    shop.run("registry init").ok();
    shop.run("registry add middle.elanus --name r1").ok();
    shop.put(
        "registry/policy.json",
        r#"{"schema_version": 1, "minimum": {"knn_recall@10": 0.75}, "max_regression": {"knn_recall@10": 0.02, "mrr@10": 0.1}, "max_bytes": 60000}"#,
    );
    shop.run(&format!("registry evaluate r1 {EVALUATE}")).ok();
    shop.run("registry promote r1").ok();
    shop.run("registry add worse.elanus --name r2 --alias challenger").ok();
    shop.run("registry add better.elanus --name r3").ok();
    shop
}

#[test]
fn the_gate_refuses_worse_releases_and_lets_better_ones_through() {
    let shop = gated();
    let state = |shop: &Workshop| shop.run("registry list --json").json()["aliases"].clone();
    // Nobody measured it yet.
    shop.run("registry promote challenger").failed(1, &["GATE_REFUSED", "r2 misses 3 of the 4", "not measured"]);
    let worse = shop.run(&format!("registry evaluate r2 {EVALUATE} --json")).json();
    assert_eq!(worse["evaluation"]["against"]["name"], "r1");
    let (own, champions) = {
        let beside = &worse["evaluation"]["against"]["measures"]["knn_recall@10"];
        (mean(&worse["evaluation"], "knn_recall@10"), beside["mean"].as_f64().unwrap())
    };
    let by = |number: f64| format!("missed by {number:.4}");
    let missed = [by(0.75 - own), by(champions - own - 0.02)];
    let said = shop.run("registry promote r2 --junit gate.xml").failed(1, &["GATE_REFUSED", &missed[0], &missed[1]]);
    assert!(said.contains(&format!("{own:.4}, the champion {champions:.4} (p = 0.0001)")), "{said}");
    let junit = String::from_utf8(shop.read("gate.xml")).unwrap();
    let failures = said.matches("missed by").count();
    assert!(junit.contains(&format!("failures=\"{failures}\"")), "{junit}");
    assert!(junit.contains(&missed[0]) && junit.contains(r#"classname="r2""#), "{junit}");
    shop.run("registry promote r2 --dry-run").failed(1, &["GATE_REFUSED"]);
    assert_eq!(state(&shop), json!({ "champion": "r1", "challenger": "r2" }));

    let better = shop.run(&format!("registry evaluate r3 {EVALUATE} --json")).json();
    // A page that loads it asks the first queries again.
    let test = &shop.run("registry show r3 --json").json()["self_test"];
    let found = shop.run("search better.elanus queries.npy --json").ok();
    for (query, line) in test["queries"].as_array().unwrap().iter().zip(found.lines()) {
        let hits: Value = serde_json::from_str(line).unwrap();
        let ids: Vec<&Value> = hits["hits"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
        assert_eq!(json!(ids), query["ids"]);
    }
    assert_eq!(test["queries"].as_array().unwrap().len(), 3);
    assert!(better["evaluation"]["against"]["measures"]["knn_recall@10"]["difference"].as_f64().unwrap() > 0.0);
    assert!(shop.run("registry promote r3 --dry-run").ok().contains("would be done: champion names r3"));
    assert_eq!(state(&shop)["champion"], "r1");
    let told = shop.run_with(&["registry", "promote", "r3", "--reason", "finds more"], &[], "").ok();
    assert!(told.contains("  ok") && told.contains("champion names r3; it named r1"), "{told}");
    // What r2 was compared with isn't the champion any more.
    shop.run("registry promote r2").failed(1, &["the champion's not measured"]);
    shop.run_with(&["registry", "rollback", "--reason", "slow phones"], &[], "").ok();
    assert_eq!(state(&shop)["champion"], "r1");

    let log = shop.run("registry log").ok();
    let told: Vec<&str> = log.lines().map(|line| line.splitn(5, "  ").last().unwrap()).collect();
    let story = [
        "init",
        "add r1",
        "describe r1: evaluated on queries",
        "promote champion r1",
        "add challenger r2",
        "add r3",
        "describe r2: evaluated on queries",
        "describe r3: evaluated on queries",
        "promote champion r1 → r3: finds more",
        "rollback champion r3 → r1: slow phones",
    ];
    assert_eq!(told.len(), story.len(), "{log}");
    assert!(told.iter().zip(story).all(|(line, part)| line.ends_with(part)), "{log}");
    shop.run("registry verify").ok();
    // Manifests that were replaced are named by nothing, nor is the sketch of rows that all of them named.
    assert_eq!(shop.run("registry gc --json").json()["files"].as_array().unwrap().len(), 4);
    shop.run("registry verify").ok();
}

#[test]
fn a_gate_is_overruled_with_a_reason() {
    let shop = gated();
    shop.run(&format!("registry evaluate r2 {EVALUATE}")).ok();
    shop.run("registry promote r2 --force").failed(2, &["--reason"]);
    shop.run_with(&["registry", "promote", "r2", "--force", "--reason", " "], &[], "").failed(2, &["--reason"]);
    let out = shop.run_with(&["registry", "promote", "r2", "--force", "--reason", "half the bytes"], &[], "").ok();
    assert!(out.contains("MISSED") && out.contains("against the gate"), "{out}");
    assert!(
        shop.run("registry log -n 1")
            .ok()
            .trim_end()
            .ends_with("promote champion r1 → r2, against the gate: half the bytes")
    );
    // A release that the gate lets through isn't forced, whatever was said.
    shop.run(&format!("registry evaluate r3 {EVALUATE}")).ok();
    shop.run("registry promote r3 --force --reason sure").ok();
    assert!(!shop.run("registry log -n 1").ok().contains("against"));
    shop.run("registry promote r3").failed(3, &["names r3 already"]);

    shop.run(&format!("registry evaluate r1 {EVALUATE} --evaluation second")).ok();
    shop.run("registry promote r1").failed(3, &["queries, second", "\"evaluation\""]);
    std::fs::remove_file(shop.path("registry/policy.json")).unwrap();
    shop.run("registry promote r1").failed(3, &["policy.json", "registry alias"]);
    shop.put("mine.json", r#"{"schema_version": 1, "evaluation": "second", "minimum": {"mrr@10": 0.5}}"#);
    shop.run("registry promote r1 --policy mine.json").ok();
    shop.run(&format!("registry evaluate r1 {EVALUATE} --against champion")).failed(2, &["itself"]);
}

#[test]
fn a_policy_judges_without_a_registry() {
    let shop = shop();
    shop.put(
        "policy.json",
        r#"{"schema_version": 1, "minimum": {"knn_recall@10": 0.95, "overlap@10": 0.99}, "max_bytes": 10}"#,
    );
    let all = "queries.npy --vectors vectors.npy --policy policy.json --junit gate.xml";
    shop.run(&format!("evaluate better.elanus {all} --against worse.elanus"))
        .failed(1, &["misses 2 of the 3", "overlap@10", "bytes at most 10"]);
    let junit = String::from_utf8(shop.read("gate.xml")).unwrap();
    assert!(
        junit.contains(r#"tests="3""#) && junit.contains(r#"failures="2""#) && junit.contains("knn_recall@10"),
        "{junit}"
    );
    shop.put("policy.json", r#"{"schema_version": 1, "minimum": {"knn_recall@10": 0.95, "overlap@10": 0.99}}"#);
    let passed = shop.run(&format!("evaluate better.elanus {all} --json")).json();
    assert_eq!(passed["verdict"]["findings"][1]["outcome"], "no_champion");
    assert!(String::from_utf8(shop.read("gate.xml")).unwrap().contains(r#"failures="0""#));
}

/// What a CI job runs: the first release, a worse one, and a better one.
#[cfg(unix)]
#[test]
fn the_script_for_ci_releases_what_the_gate_lets_through() {
    let shop = shop();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci/release.sh");
    let release = |name: &str, index: &str| {
        let mut command = std::process::Command::new("sh");
        command.arg(script).args(["registry", name, index]).args(EVALUATE.split(' ')).current_dir(shop.path(""));
        command.env("ELANUS", env!("CARGO_BIN_EXE_elanus")).output().unwrap()
    };
    let champion = || shop.run("registry list --json").json()["aliases"]["champion"].clone();
    // Nothing says yet what is good enough.
    let out = release("r1", "middle.elanus");
    assert_eq!(out.status.code(), Some(3), "{out:?}");
    shop.put("registry/policy.json", r#"{"schema_version": 1, "max_regression": {"knn_recall@10": 0.02}}"#);
    assert_eq!(release("r1", "middle.elanus").status.code(), Some(0), "a run can be started again");
    assert_eq!(champion(), "r1");
    let out = release("r2", "worse.elanus");
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stderr).contains("missed by"), "{out:?}");
    assert!(String::from_utf8(shop.read("elanus-report/gate.xml")).unwrap().contains(r#"failures="1""#));
    assert_eq!(champion(), "r1");
    assert_eq!(release("r3", "better.elanus").status.code(), Some(0));
    assert_eq!(champion(), "r3");
    shop.run("registry verify").ok();
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let shop = shop();
    std::fs::create_dir(shop.path("<i>")).unwrap();
    shop.put("<i>/old.elanus", shop.read("worse.elanus"));
    shop.put("policy.json", r#"{"schema_version": 1, "minimum": {"overlap@10": 0.99}}"#);
    let all = "better.elanus queries.npy --vectors vectors.npy --against <i>/old.elanus --html report.html";
    let found = evaluation(&shop, all);
    let page = String::from_utf8(shop.read("report.html")).unwrap();
    for foreign in ["<script", "http:", "https:", "src=", "url(", "@import", "<link", "<i>/"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let beside = &found["against"]["measures"]["knn_recall@10"];
    for number in [&found["measures"]["knn_recall@10"]["mean"], &beside["mean"], &found["against"]["rbo"]["mean"]] {
        assert!(page.contains(&format!("{:.4}", number.as_f64().unwrap())), "{number}");
    }
    assert!(page.contains("&lt;i&gt;/old.elanus") && page.contains("prefers-color-scheme: dark"));
    assert_eq!(page.matches(r#"<svg class="plot""#).count(), 3);
    assert!(!page.contains("bounds are missed"));
    // The page is written though the gate refuses: then most of all somebody looks at it.
    shop.run(&format!("evaluate {all} --policy policy.json")).failed(1, &["GATE_REFUSED"]);
    let page = String::from_utf8(shop.read("report.html")).unwrap();
    assert!(page.contains("1 of 1 bounds are missed") && page.contains("overlap@10 at least 0.9900"));
}

//! Experiments: what the simulation reaches, and what a report makes of outcomes.

use crate::workshop::Workshop;
use serde_json::json;

#[test]
fn the_test_errs_seldom_and_finds_a_preference() {
    let shop = Workshop::new();
    let found = shop.run("experiment simulate --experiments 200 --json").json();
    assert!(found["false_positive_rate"].as_f64().unwrap() <= 0.05, "{found}");
    assert!(found["power"].as_f64().unwrap() >= 0.8, "{found}");
    assert!(found["median_queries"].as_u64().unwrap() < 2000);
    let few = "experiment simulate --experiments 20 --clicks 200 --json";
    assert_eq!(shop.run(few).ok(), shop.run(few).ok());
    assert!(shop.run("experiment simulate --experiments 5 --clicks 50").ok().contains("false positives"));
    shop.run("experiment simulate --alpha 0").failed(2, &["--alpha"]);
    shop.run("experiment simulate --preference 1").failed(2, &["--preference"]);
    shop.run("experiment simulate --experiments 0").failed(2, &["experiments"]);
}

#[test]
fn a_report_adds_up_outcomes_and_decides() {
    let shop = Workshop::new();
    let line = |challenger: &str, wins: u64, losses: u64| {
        format!(
            r#"{{"schema_version":1,"champion":"r1","challenger":"{challenger}","wins":{wins},"losses":{losses},"ties":2}}"#
        ) + "\n"
    };
    shop.put("a.jsonl", line("r2", 600, 400) + &line("r3", 52, 48) + "\n");
    shop.put("b.jsonl", line("r2", 500, 500) + &line("r4", 100, 300));
    let told = shop.run("experiment report a.jsonl b.jsonl --json").json();
    assert_eq!(told.as_array().unwrap().len(), 3);
    let of = |i: usize, name: &str| told[i][name].clone();
    assert_eq!((of(0, "wins"), of(0, "losses"), of(0, "ties")), (json!(1100), json!(900), json!(4)));
    assert_eq!([0, 1, 2].map(|i| of(i, "preferred")), [json!("r2"), json!(null), json!("r1")]);
    assert!(of(0, "low").as_f64().unwrap() > 0.5 && of(0, "p").as_f64().unwrap() < 0.05);
    let text = shop.run("experiment report a.jsonl b.jsonl").ok();
    assert!(
        text.contains("r1 and r2: r2 is preferred") && text.contains("r1 and r3: nothing can be said yet"),
        "{text}"
    );

    shop.put("empty.jsonl", "\n");
    shop.put("bad.jsonl", line("r2", 1, 1) + "{\"schema_version\":1}\n");
    shop.put("new.jsonl", line("r2", 1, 1).replace("\":1,", "\":2,"));
    shop.put("many.jsonl", line("r2", 1 << 40, 1));
    shop.run("experiment report empty.jsonl").failed(3, &["no outcomes"]);
    shop.run("experiment report bad.jsonl").failed(3, &["bad.jsonl:2", "no outcome"]);
    shop.run("experiment report new.jsonl").failed(3, &["version 2"]);
    shop.run("experiment report many.jsonl").failed(3, &["at most"]);
    shop.run("experiment report").failed(2, &["FILES"]);
}

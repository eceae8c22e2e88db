//! Releases: added, named, compared, taken back; and whole whatever happens in between.

use crate::workshop::{Workshop, command};
use elanus::words::random::SplitMix64;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;

/// A workshop with two index files and a registry that holds the first as r1, the champion.
fn shop() -> Workshop {
    let shop = Workshop::new().with_collection(60, 8);
    shop.put("card.json", r#"{"name": "words", "model": {"name": "m", "dimension": 8, "fingerprint": "sha256:00"}}"#);
    shop.run("build vectors.npy --card card.json --metadata rows.jsonl -o one.elanus").ok();
    shop.run("build vectors.npy --card card.json --index-type FLAT -o two.elanus").ok();
    shop.run("registry init").ok();
    shop.run("registry add one.elanus --name r1 --alias champion").ok();
    shop
}

fn aliases(shop: &Workshop) -> Value {
    shop.run("registry list --json").json()["aliases"].clone()
}

#[test]
fn releases_are_added_named_compared_and_taken_back() {
    let shop = shop();
    shop.put("model.onnx", "weights");
    let out = shop.run_with(
        &["registry", "add", "two.elanus", "--name", "r2", "--model-file", "model.onnx", "--data", "rows.jsonl"],
        &[("ELANUS_AUTHOR", "ada"), ("GITHUB_SHA", "abc123"), ("SOURCE_DATE_EPOCH", "1700000000")],
        "",
    );
    assert!(out.ok().starts_with("r2: added"));
    let r2 = shop.run("registry show r2 --json").json();
    assert_eq!(
        (&r2["author"], &r2["commit"], &r2["created"]),
        (&json!("ada"), &json!("abc123"), &json!("2023-11-14T22:13:20Z"))
    );
    assert_eq!((&r2["index"]["index_type"], &r2["index"]["count"]), (&json!("FLAT"), &json!(60)));
    assert_eq!((&r2["model"]["fingerprint"], &r2["build"]["seed"]), (&json!("sha256:00"), &json!(42)));
    assert_eq!((&r2["data"]["source"], &r2["data"]["rows"]), (&json!("rows.jsonl"), &json!(60)));
    assert_eq!((&r2["files"][1]["role"], &r2["files"][1]["bytes"]), (&json!("model"), &json!(7)));
    let copy = format!("registry/{}", r2["files"][0]["path"].as_str().unwrap());
    assert_eq!(shop.read(&copy), shop.read("two.elanus"));

    let diff = shop.run("registry diff champion r2").ok();
    assert!(
        diff.contains("r1 → r2") && diff.contains(r#"index.index_type             "SCAN_RABITQ" → "FLAT""#),
        "{diff}"
    );

    shop.run("registry alias challenger r2").ok();
    shop.run_with(&["registry", "alias", "champion", "challenger", "--reason", "it is exact"], &[], "").ok();
    assert_eq!(aliases(&shop), json!({ "champion": "r2", "challenger": "r2" }));
    let back = shop.run("registry rollback --reason slow").ok();
    assert!(back.contains("champion names r1; it named r2"), "{back}");
    assert_eq!(aliases(&shop), json!({ "champion": "r1", "challenger": "r2" }));
    shop.run("registry rollback").failed(3, &["nothing before r1"]);
    shop.run("registry alias challenger --delete").ok();

    let log = shop.run("registry log").ok();
    let told: Vec<&str> = log.lines().map(|line| line.splitn(5, "  ").last().unwrap()).collect();
    assert_eq!(told.len(), 7);
    for (line, part) in told.iter().zip([
        "init",
        "add champion r1",
        "add r2",
        "alias challenger r2",
        "alias champion r1 → r2: it is exact",
        "rollback champion r2 → r1: slow",
        "unalias challenger (was r2)",
    ]) {
        assert!(line.ends_with(part), "{part} in {line}");
    }
    assert_eq!(shop.run("registry log --alias champion -n 1 --json").json()[0]["before"], "r2");
    assert!(shop.run("registry verify").ok().starts_with("whole: 2 releases"));
}

#[test]
fn what_cant_be_done_is_refused_and_changes_nothing() {
    let shop = shop();
    let before = shop.read("registry/registry.json");
    shop.put("broken.elanus", &shop.read("one.elanus")[..2000]);
    shop.run("registry init").failed(2, &["a registry already"]);
    shop.run("registry add one.elanus --name r1").failed(2, &["r1 is taken already"]);
    shop.run("registry add one.elanus --name R2").failed(2, &["is no name"]);
    shop.run("registry add one.elanus --name r2 --alias r1").failed(2, &["a release's name"]);
    shop.run("registry add one.elanus --name champion").failed(2, &["taken already"]);
    shop.run("registry add broken.elanus --name r2").failed(1, &["broken.elanus", "CORRUPT_FILE"]);
    shop.run("registry alias champion r9").failed(3, &["no release or alias \"r9\"", "champion, r1"]);
    shop.run("registry alias champion r1").failed(3, &["names r1 already"]);
    shop.run("registry alias r1 champion").failed(2, &["a release's name"]);
    shop.run("registry alias other --delete").failed(3, &["no alias \"other\""]);
    shop.run("registry rollback other").failed(3, &["no alias \"other\""]);
    shop.run("registry remove champion").failed(3, &["named by champion"]);
    shop.run("registry diff r1 champion").failed(2, &["the same release"]);
    shop.run("registry list --registry elsewhere").failed(3, &["no registry", "registry init"]);
    for dry in ["add two.elanus --name r2 --dry-run", "alias other r1 --dry-run", "gc --keep 0 --dry-run"] {
        shop.run(&format!("registry {dry}")).ok();
    }
    assert_eq!(shop.read("registry/registry.json"), before);
}

#[test]
fn what_is_past_goes_and_what_is_named_stays() {
    let shop = shop();
    shop.run("registry add two.elanus --name r2").ok();
    shop.run("registry alias champion r2").ok();
    // A change that was never finished.
    shop.put("registry/objects/.elanus-x.partial", "half");
    shop.put("registry/objects/unnamed.bin", "1234");
    let kept = shop.run("registry gc --keep 2 --json").json();
    assert_eq!((&kept["releases"], &kept["bytes"]), (&json!([]), &json!(8)));
    shop.run("registry rollback --dry-run").ok();
    let gone = shop.run("registry gc --keep 1 --json").json();
    assert_eq!((&gone["releases"], gone["files"].as_array().unwrap().len()), (&json!(["r1"]), 2));
    shop.run("registry rollback").failed(3, &["r1", "removed"]);
    shop.run("registry verify").ok();
}

/// Whatever byte of whatever file is changed, `verify` says so; what can be read of it isn't believed.
#[test]
fn damage_is_found() {
    let shop = shop();
    shop.run("registry add two.elanus --name r2 --reason because").ok();
    let objects = shop.run("registry show r1 --json").json();
    let index = format!("registry/{}", objects["files"][0]["path"].as_str().unwrap());
    let manifest = format!("registry/objects/{}.json", objects["manifest"].as_str().unwrap());
    for name in [index.as_str(), &manifest, "registry/log.jsonl", "registry/registry.json"] {
        let whole = shop.read(name);
        for at in [0, whole.len() / 3, whole.len() / 2, whole.len() - 2] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            shop.put(name, &flipped);
            let err = shop.run("registry verify").failed(1, &[]);
            assert!(err.contains("CORRUPT_REGISTRY") || err.contains("UNSUPPORTED_VERSION"), "{name} at {at}: {err}");
        }
        shop.put(name, &whole[..whole.len() - 2]);
        shop.run("registry verify").failed(1, &["CORRUPT_REGISTRY"]);
        std::fs::remove_file(shop.path(name)).unwrap();
        assert_ne!(shop.run("registry verify").code, 0, "{name}");
        shop.put(name, &whole);
    }
    shop.run("registry verify").ok();

    // Two indexes in each other's place are both whole.
    let other = shop.run("registry show r2 --json").json();
    let other = format!("registry/{}", other["files"][0]["path"].as_str().unwrap());
    let bytes = shop.read(&other);
    shop.put(&index, &bytes);
    shop.run("registry verify r1").failed(1, &["another hash"]);
}

#[test]
fn changes_at_once_are_all_made() {
    let shop = shop();
    let spawn = |i: usize| {
        let name = format!("x{i}");
        let arguments = ["registry", "add", "two.elanus", "--name", &name, "--alias", "challenger"];
        command(&shop.path("")).args(arguments).stdout(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..6).map(spawn).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let listed = shop.run("registry list --json").json();
    assert_eq!((listed["releases"].as_array().unwrap().len(), &listed["generation"]), (7, &json!(8)));
    shop.run("registry verify").ok();
}

/// Kills the command in mid-change; the registry is whole, and has the old state or the new one.
fn kill(times: usize, seed: u64) {
    println!("seed {seed}");
    let mut random = SplitMix64::new(seed);
    let shop = shop();
    let mut names = vec!["r1".to_owned()];
    let mut made = 0;
    for i in 0..times {
        let name = format!("x{i}");
        let file = ["one.elanus", "two.elanus"][i % 2];
        let arguments = ["registry", "add", file, "--name", &name, "--alias", "champion", "--notes", &name];
        let mut child = command(&shop.path("")).args(arguments).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.next_u64() % 30_000));
        let _ = child.kill();
        child.wait().unwrap();
        let listed = shop.run("registry list --json").json();
        let found: Vec<String> =
            listed["releases"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect();
        if found.len() > names.len() {
            names.push(name);
            made += 1;
        }
        assert_eq!(found, names);
        assert_eq!(&listed["aliases"]["champion"], names.last().unwrap());
        shop.run("registry verify").ok();
    }
    println!("{made} of {times} changes were made before the kill");
    shop.run("registry gc").ok();
    shop.run("registry verify").ok();
    let unfinished = std::fs::read_dir(shop.path("registry/objects")).unwrap();
    assert!(unfinished.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')));
}

#[test]
fn a_killed_change_leaves_the_old_state_or_the_new() {
    kill(12, 7);
}

#[test]
#[ignore = "takes a minute; npm run test:long"]
fn a_hundred_killed_changes_leave_the_old_state_or_the_new() {
    kill(100, 8);
}

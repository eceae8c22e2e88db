//! Sketches of releases: made of rows or queries, kept with the release, damage seen.

use crate::workshop::{Workshop, little, npy, vectors};
use elanus::release::Sketch;
use elanus::release::sketch::{Check, Kernel, Origin, Watch};
use serde_json::{Value, json};

fn shop() -> Workshop {
    let shop = Workshop::new().with_collection(300, 16);
    shop.put("queries.npy", npy("<f4", 100, 16, &little(&vectors(100, 16, 7))));
    shop.run("build vectors.npy -o one.elanus").ok();
    shop.run("registry init").ok();
    shop
}

fn entry(shop: &Workshop, release: &str) -> Option<Value> {
    let shown = shop.run(&format!("registry show {release} --json")).json();
    shown["files"].as_array().unwrap().iter().find(|file| file["role"] == "sketch").cloned()
}

fn read(shop: &Workshop, release: &str) -> Sketch {
    let path = format!("registry/{}", entry(shop, release).unwrap()["path"].as_str().unwrap());
    let bytes = shop.read(&path);
    assert!(bytes.len() <= 32_000, "{} bytes", bytes.len());
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_release_has_a_sketch_of_its_queries_and_corpus() {
    let shop = shop();
    shop.run("registry add one.elanus --name r1").ok();
    let of_rows = read(&shop, "r1");
    assert_eq!((of_rows.from, of_rows.dimension, of_rows.queries.count), (Origin::Rows, 16, 150));
    assert_eq!(of_rows.corpus.count, 150, "queries are held out");
    // Rows of random directions don't find themselves: their nearest is another.
    assert!(of_rows.top1.quantiles[20] < 0.999, "{:?}", of_rows.top1);

    shop.run("registry add one.elanus --name r2 --queries queries.npy").ok();
    let of_queries = read(&shop, "r2");
    assert_eq!((of_queries.from, of_queries.queries.count, of_queries.corpus.count), (Origin::Queries, 100, 300));
    let shown = shop.run("registry show r2 --json").json();
    let first = shown["self_test"]["queries"][0]["vector"][0].as_f64().unwrap();
    assert!((first - f64::from(vectors(1, 16, 7)[0])).abs() < 1e-6, "the self-test asks them as well");

    // An evaluation knows real queries.
    shop.run("registry evaluate r1 queries.npy").ok();
    assert_eq!(read(&shop, "r1"), of_queries);
    let mut watch = Watch::new(&of_queries).unwrap();
    for query in vectors(100, 16, 8).chunks_exact(16) {
        watch.see(query, Some(0.7));
    }
    assert!(watch.judge().unwrap().mmd.p > 0.01, "queries of the same kind");

    shop.run("registry add one.elanus --name r3 --no-sketch").ok();
    assert_eq!(entry(&shop, "r3"), None);
    shop.run("registry evaluate r3 queries.npy").ok();
    assert_eq!(entry(&shop, "r3"), None, "it was not wanted");
    shop.run("registry verify").ok();
    shop.run("registry gc").ok();
    shop.run("registry verify").ok();
}

/// What other languages hold their own watching against: live queries of a shifted domain, and what is found of them.
/// `ELANUS_WRITE_FIXTURES=1` writes it anew.
#[test]
fn the_fixture_is_what_is_found() {
    let shop = shop();
    shop.run("registry add one.elanus --name r1 --queries queries.npy").ok();
    let sketch = read(&shop, "r1");
    let mut live = vectors(100, 16, 9);
    // Less of some dimensions: an in-between, neither the same nor all different.
    live.iter_mut().enumerate().filter(|(i, _)| i % 16 < 4).for_each(|(_, x)| *x = (*x * 0.2 * 1e3).round() / 1e3);
    let top1: Vec<Option<f32>> = (0..100u8).map(|i| (i % 9 > 0).then(|| 0.5 + f32::from(i) / 250.0)).collect();
    let projection = sketch.projection().unwrap();
    let kernel = Kernel::new(&sketch.frequencies.0, sketch.frequency_scale, sketch.features);
    let projected: Vec<Vec<f64>> = live.chunks_exact(16).map(|query| projection.of(query)).collect();
    let mut watch = Watch::new(&sketch).unwrap();
    live.chunks_exact(16).zip(&top1).for_each(|(query, top1)| watch.see(query, *top1));
    let found = watch.judge().unwrap();
    let share = |check: Check| json!({ "count": (check.value * 100.0).round(), "p": check.p });
    let flags = |far: &dyn Fn(&Vec<f64>) -> bool| projected.iter().map(|f| u8::from(far(f))).collect::<Vec<_>>();
    let value = json!({
        "queries": live.chunks_exact(16).collect::<Vec<_>>(),
        "top1": top1,
        "projected": projected[0],
        "phi": kernel.of(&projected[0]),
        "far": flags(&|f| sketch.queries.is_far(f)),
        "far_from_corpus": flags(&|f| sketch.corpus.is_far(f)),
        "window": {
            "mmd": { "t": found.mmd.value.powi(2) / (1.0 / 100.0 + 1.0 / sketch.queries.count as f64),
                "value": found.mmd.value, "p": found.mmd.p },
            "far": share(found.far), "far_from_corpus": share(found.far_from_corpus), "empty": share(found.empty),
            "top1": { "d": found.top1.value, "p": found.top1.p },
        },
    });
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sketch");
    let texts = [("sketch.json", serde_json::to_string(&sketch).unwrap()), ("live.json", value.to_string())];
    for (name, text) in texts {
        let path = folder.join(name);
        if std::env::var_os("ELANUS_WRITE_FIXTURES").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, text + "\n").unwrap();
        } else {
            // Sines and exponentials may differ in their last digits from machine to machine.
            let stored = std::fs::read_to_string(&path).unwrap();
            alike(&serde_json::from_str(&stored).unwrap(), &serde_json::from_str(&text).unwrap(), name);
        }
    }
}

fn alike(a: &Value, b: &Value, at: &str) {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            assert!((x - y).abs() <= 1e-6 * x.abs().max(1e-3), "{at}: {x} and {y}");
        }
        (Value::Array(x), Value::Array(y)) => {
            assert_eq!(x.len(), y.len(), "{at}");
            x.iter().zip(y).enumerate().for_each(|(i, (x, y))| alike(x, y, &format!("{at}.{i}")));
        }
        (Value::Object(x), Value::Object(y)) => {
            assert!(x.keys().eq(y.keys()), "{at}");
            x.iter().for_each(|(name, x)| alike(x, &y[name], &format!("{at}.{name}")));
        }
        _ => assert_eq!(a, b, "{at}"),
    }
}

#[test]
fn the_same_release_has_the_same_sketch() {
    let shop = shop();
    shop.run("registry add one.elanus --name r1").ok();
    shop.run("registry add one.elanus --name r2").ok();
    assert_eq!(entry(&shop, "r1"), entry(&shop, "r2"));
}

#[test]
fn indexes_without_rows_to_look_at_have_none() {
    let shop = shop();
    shop.run("build vectors.npy --rerank none -o codes.elanus").ok();
    shop.run("build --metadata rows.jsonl --text-field gloss -o text.elanus").ok();
    let few = npy("<f4", 20, 16, &little(&vectors(20, 16, 7)));
    shop.put("few.npy", few);
    shop.run("build few.npy -o few.elanus").ok();
    for name in ["codes", "text", "few"] {
        shop.run(&format!("registry add {name}.elanus --name {name}")).ok();
        assert_eq!(entry(&shop, name), None, "{name}");
    }
    let bits: Vec<u8> = vectors(200, 2, 3).iter().flat_map(|x| x.to_le_bytes()).take(200 * 4).collect();
    shop.put("bits.npy", npy("|u1", 200, 4, &bits));
    shop.run("build bits.npy --index-type BIN_FLAT --metric HAMMING -o bits.elanus").ok();
    shop.run("registry add bits.elanus --name bits").ok();
    assert_eq!(read(&shop, "bits").dimension, 32);
    shop.run("registry verify").ok();
}

#[test]
fn a_damaged_sketch_is_found() {
    let shop = shop();
    shop.run("registry add one.elanus --name r1").ok();
    let path = format!("registry/{}", entry(&shop, "r1").unwrap()["path"].as_str().unwrap());
    let whole = shop.read(&path);
    for at in (0..whole.len()).step_by(whole.len() / 7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        shop.put(&path, &flipped);
        shop.run("registry verify").failed(1, &["CORRUPT_REGISTRY"]);
    }
    shop.put(&path, &whole);
    shop.run("registry verify").ok();
}

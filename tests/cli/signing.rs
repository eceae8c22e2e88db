//! Signatures of releases: made, checked, and refused.

use crate::workshop::Workshop;
use serde_json::json;

/// A workshop with a pair of keys, and a registry with the release r1 that is signed.
fn shop() -> Workshop {
    let shop = Workshop::new().with_collection(100, 8);
    shop.run("build vectors.npy -o one.elanus").ok();
    shop.run("build vectors.npy --index-type FLAT -o two.elanus").ok();
    shop.run("registry keygen --no-password --output mine").ok();
    shop.run("registry keygen --no-password --output other").ok();
    shop.run("registry init").ok();
    shop.run("registry add one.elanus --name r1 --alias champion --key mine.key").ok();
    shop
}

fn signature(shop: &Workshop, release: &str) -> String {
    let shown = shop.run(&format!("registry show {release} --json")).json();
    format!("registry/objects/{}.json.minisig", shown["manifest"].as_str().unwrap())
}

#[test]
fn releases_are_signed_and_checked() {
    let shop = shop();
    let said = shop.run("registry verify --public-key mine.pub").ok();
    assert!(said.starts_with("whole: 1 releases") && said.contains("all signed"), "{said}");
    let key = String::from_utf8(shop.read("mine.pub")).unwrap().lines().nth(1).unwrap().to_owned();
    assert!(key.starts_with("RW") && key.len() == 56, "{key}");
    shop.run_with(&["registry", "verify", "--public-key", &key, "--public-key", "other.pub"], &[], "").ok();
    shop.run("registry verify --public-key other.pub").failed(1, &["r1: it is signed by the key", "BAD_SIGNATURE"]);

    shop.run("registry add two.elanus --name r2").ok();
    shop.run("registry verify").ok();
    shop.run("registry verify --public-key mine.pub").failed(1, &["r2: it isn't signed", "BAD_SIGNATURE"]);
    let before = shop.read("registry/registry.json");
    shop.run("registry sign r2 --key mine.key --dry-run").ok();
    assert_eq!(shop.read("registry/registry.json"), before);
    let signed = shop.run("registry sign r2 --key mine.key --json").json();
    assert_eq!((&signed["release"], &signed["dry_run"]), (&json!("r2"), &json!(false)));
    shop.run("registry verify --public-key mine.pub").ok();
    assert!(shop.run("registry log -n 1").ok().contains("sign r2: by the key"));

    // What an evaluation finds changes the manifest, so it has to be signed again.
    shop.run("registry evaluate r1 vectors.npy --exact").ok();
    shop.run("registry verify r1 --public-key mine.pub").failed(1, &["isn't signed"]);
    shop.run("registry evaluate r1 vectors.npy --key mine.key").ok();
    shop.run("registry verify --public-key mine.pub").ok();
    // gc takes the signatures of manifests that are past, and no others.
    shop.run("registry gc").ok();
    shop.run("registry verify --public-key mine.pub").ok();
    let left = std::fs::read_dir(shop.path("registry/objects")).unwrap().flatten();
    assert_eq!(left.filter(|e| e.file_name().to_string_lossy().ends_with(".minisig")).count(), 2);
}

#[test]
fn what_isnt_signed_by_the_key_is_refused() {
    let shop = shop();
    let path = signature(&shop, "r1");
    let whole = shop.read(&path);
    let refused = |part: &str| {
        let err = shop.run("registry verify --public-key mine.pub").failed(1, &[part]);
        assert!(err.contains("BAD_SIGNATURE") || err.contains("CORRUPT_REGISTRY"), "{err}");
    };
    let start = whole.iter().position(|&b| b == b'\n').unwrap() + 1;
    for at in (start..whole.len()).step_by(17) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        shop.put(&path, &flipped);
        refused("r1");
    }
    // Another's signature of the same manifest.
    shop.run("registry sign r1 --key other.key").ok();
    refused("not by");
    // A signature of another manifest.
    shop.run("registry add two.elanus --name r2 --key mine.key").ok();
    shop.put(&path, shop.read(&signature(&shop, "r2")));
    refused("changed");
    shop.put(&path, &whole);
    shop.run("registry verify --public-key mine.pub").ok();

    // A forged manifest under its own hash, named by a forged registry.json, as who may write the folder can make it.
    let shown = shop.run("registry show r1 --json").json();
    let hash = shown["manifest"].as_str().unwrap();
    let manifest = String::from_utf8(shop.read(&format!("registry/objects/{hash}.json"))).unwrap();
    let forged = manifest.replace("\"author\": \"", "\"author\": \"not ");
    assert_ne!(forged, manifest);
    let forged_hash = sha256(forged.as_bytes());
    shop.put(&format!("registry/objects/{forged_hash}.json"), &forged);
    shop.put(&format!("registry/objects/{forged_hash}.json.minisig"), &whole);
    let state = String::from_utf8(shop.read("registry/registry.json")).unwrap();
    shop.put("registry/registry.json", state.replace(hash, &forged_hash));
    shop.run("registry verify r1").ok();
    refused("r1: the signature isn't that of these bytes");
}

#[test]
fn keys_that_are_none_are_refused_and_files_stay() {
    let shop = shop();
    shop.put("text", "no key at all");
    shop.run("registry verify --public-key nowhere.pub").failed(3, &["no public key"]);
    shop.run("registry verify --public-key text").failed(3, &["no public key", "RW"]);
    shop.run("registry verify --public-key mine.key").failed(3, &["no public key"]);
    shop.run("registry sign r1 --key text").failed(3, &["no secret key"]);
    shop.run("registry sign r1 --key mine.pub").failed(3, &["no secret key"]);
    shop.run("registry sign r9 --key mine.key").failed(3, &["r9"]);
    let key = shop.read("mine.key");
    shop.run("registry keygen --no-password --output mine").failed(2, &["mine.pub is there already"]);
    assert_eq!(shop.read("mine.key"), key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(shop.path("mine.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o77, 0, "{mode:o}");
    }
}

#[test]
fn a_key_with_a_password_asks_for_it() {
    let shop = shop();
    let with = |password: &'static str| [("ELANUS_KEY_PASSWORD", password)];
    shop.run_with(&["registry", "keygen", "--output", "locked"], &with(""), "").failed(3, &["--no-password"]);
    shop.run_with(&["registry", "keygen", "--output", "locked"], &with("secret"), "").ok();
    let sign = ["registry", "sign", "r1", "--key", "locked.key"];
    shop.run_with(&sign, &with("wrong"), "").failed(3, &["locked.key", "assword"]);
    shop.run_with(&sign, &with("secret"), "").ok();
    shop.run("registry verify --public-key locked.pub").ok();
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

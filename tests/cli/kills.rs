//! Changes of every kind, killed at random moments, and some at once: the registry is always whole.

use crate::workshop::{Workshop, command};
use elanus::words::random::SplitMix64;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

/// A registry with two signed releases, of which the second is the champion and the first was before it.
fn shop() -> Workshop {
    let shop = Workshop::new().with_collection(100, 8);
    shop.run("build vectors.npy -o one.elanus").ok();
    shop.run("build vectors.npy --index-type FLAT -o two.elanus").ok();
    shop.run("registry keygen --no-password").ok();
    shop.run("registry init").ok();
    shop.run("registry add one.elanus --name r1 --alias champion --key elanus.key").ok();
    shop.run("registry add two.elanus --name r2 --alias champion --key elanus.key").ok();
    shop
}

/// A change of one kind or another, by its number.
fn change(i: usize) -> String {
    match i % 7 {
        0 => format!("registry add one.elanus --name x{i} --alias challenger --key elanus.key"),
        1 => "registry rollback".into(),
        2 => "registry evaluate r1 vectors.npy --exact --key elanus.key".into(),
        3 => format!("registry alias other{i} r1"),
        4 => "registry alias champion r2".into(),
        5 => "registry sign r2 --key elanus.key".into(),
        _ => "registry gc --keep 3".into(),
    }
}

fn generation(shop: &Workshop) -> u64 {
    shop.run("registry list --json").json()["generation"].as_u64().unwrap()
}

fn kill(times: usize, seed: u64) {
    println!("seed {seed}");
    let mut random = SplitMix64::new(seed);
    let shop = shop();
    let mut before = generation(&shop);
    let mut made = 0;
    for i in 0..times {
        let line = change(random.below(7000) as usize);
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut child =
            command(&shop.path("")).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.next_u64() % 60_000));
        let _ = child.kill();
        child.wait().unwrap();
        let after = generation(&shop);
        // gc may take away several releases, each by a change of its own.
        let most = if line.contains("gc") { u64::MAX } else { before + 1 };
        assert!((before..=most).contains(&after), "{i}, {line}: {before} and then {after}");
        made += u64::from(after > before);
        before = after;
        shop.run("registry verify --public-key elanus.pub").ok();
    }
    println!("{made} of {times} changes were made before the kill");
    assert!(made > 0 && made < times as u64, "some are killed, some are not");
    shop.run("registry gc").ok();
    shop.run("registry verify --public-key elanus.pub").ok();
}

#[test]
fn killed_changes_of_every_kind_leave_a_whole_registry() {
    kill(20, 3);
}

#[test]
#[ignore = "takes a minute; npm run test:long"]
fn a_hundred_killed_changes_of_every_kind_leave_a_whole_registry() {
    kill(100, 4);
}

#[test]
fn changes_of_every_kind_at_once_are_made_one_after_the_other() {
    let shop = shop();
    let spawn = |i: usize| {
        let line = change(i);
        let arguments: Vec<&str> = line.split(' ').collect();
        command(&shop.path("")).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut children: Vec<_> = (0..12).map(spawn).collect();
    // Readers never see a state in between.
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        shop.run("registry list --json").json();
        shop.run("registry log --json").json();
    }
    shop.run("registry verify --public-key elanus.pub").ok();
    let log = shop.run("registry log --json").json();
    let listed = shop.run("registry list --json").json();
    assert_eq!(log.as_array().unwrap().len() as u64, listed["generation"].as_u64().unwrap());
    // Which of the changes came first is left to chance, and with it what gc takes; but never the champion.
    let is_champion = |release: &Value| release["aliases"].as_array().unwrap().contains(&"champion".into());
    assert_eq!(
        listed["releases"].as_array().unwrap().iter().filter(|release| is_champion(release)).count(),
        1,
        "{listed}"
    );
}

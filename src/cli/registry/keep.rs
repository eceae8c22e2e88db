//! `elanus registry gc` and `verify`: nothing too much, and nothing damaged.

use super::digest::digest_file;
use super::log::{Action, history};
use super::manifest::{IndexCard, object_path};
use super::signature::{Verifier, signature_path, signed_by, unsigned};
use super::sketch;
use super::state::DAMAGED;
use super::store::{Draft, Snapshot, Store};
use crate::failure::{Failure, Result};
use crate::load;
use crate::output::Output;
use crate::progress::Progress;
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;

/// Take away files that no release names, and releases that are past if asked to.
#[derive(Debug, clap::Args)]
pub struct GcArgs {
    /// Also remove releases that no alias names and that no alias named within its last N.
    #[arg(long, value_name = "N")]
    keep: Option<usize>,

    #[command(flatten)]
    change: super::Change,
}

pub fn gc(args: &GcArgs, store: &Store, output: &mut Output) -> Result<()> {
    let mut changing = store.change()?;
    let past = args.keep.map(|keep| past(&changing.now, keep)).unwrap_or_default();
    let stays: Vec<_> = changing.now.state.releases.iter().filter(|r| !past.contains(&r.name)).cloned().collect();
    let mut named = BTreeSet::new();
    for release in &stays {
        named.insert(object_path(&release.manifest, "manifest.json"));
        named.insert(signature_path(&release.manifest));
        named.extend(store.manifest(release)?.files.into_iter().map(|file| file.path));
    }
    if !args.change.dry_run {
        for name in &past {
            let draft = Draft { release: Some(name.clone()), reason: args.change.reason.clone(), ..Draft::default() };
            changing.commit(Action::Remove, draft, |state| state.releases.retain(|release| release.name != *name))?;
        }
    }
    let files: Vec<_> = store.files()?.into_iter().filter(|(path, _)| !named.contains(path)).collect();
    if !args.change.dry_run {
        for (path, _) in &files {
            changing.delete(path)?;
        }
    }
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    output.either(
        || {
            args.change.tense(&format!(
                "{} {} removed, {} {} deleted, {} freed",
                past.len(),
                if past.len() == 1 { "release" } else { "releases" },
                HumanCount(files.len() as u64),
                if files.len() == 1 { "file" } else { "files" },
                HumanBytes(bytes)
            ))
        },
        || {
            let paths: Vec<&String> = files.iter().map(|(path, _)| path).collect();
            json!({ "dry_run": args.change.dry_run, "releases": past, "files": paths, "bytes": bytes })
        },
    )
}

/// Releases that no alias has named within its last `keep` releases, the present one included.
fn past(now: &Snapshot, keep: usize) -> BTreeSet<String> {
    let mut past: BTreeSet<String> = now.state.releases.iter().map(|release| release.name.clone()).collect();
    for (alias, release) in &now.state.aliases {
        past.remove(release);
        for name in history(&now.entries, alias).iter().rev().take(keep) {
            past.remove(name);
        }
    }
    past
}

/// Check that a registry and all its files are whole.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Only these releases; without any, all. By name or alias.
    releases: Vec<String>,

    /// Also check that each is signed by one of these keys: the key itself, or a .pub file.
    #[arg(long, value_name = "KEY")]
    public_key: Vec<String>,
}

pub fn verify(args: &VerifyArgs, store: &Store, progress: Progress, output: &mut Output) -> Result<()> {
    let keys = args.public_key.iter().map(|key| Verifier::read(key)).collect::<Result<Vec<_>>>()?;
    let state = store.read()?.state;
    let wanted = match args.releases.is_empty() {
        true => state.releases.iter().collect(),
        false => args.releases.iter().map(|name| state.resolve(name)).collect::<Result<Vec<_>>>()?,
    };
    let (mut wrong, mut bytes): (Vec<Failure>, u64) = (Vec::new(), 0);
    for release in &wanted {
        let signed = || if keys.is_empty() { Ok(()) } else { check_signature(release, &keys, store) };
        match signed().and_then(|()| check(release, store, progress)) {
            Ok(checked) => bytes += checked,
            Err(failure) => wrong.push(failure.at(&release.name)),
        }
    }
    if let Some(first) = wrong.first() {
        // Of one kind, or damage and more.
        let code = if wrong.iter().all(|failure| failure.code == first.code) { first.code } else { DAMAGED };
        let all: Vec<&str> = wrong.iter().map(|failure| failure.message.as_str()).collect();
        return Err(Failure::check(code, all.join("\n")));
    }
    let signed = if keys.is_empty() { "" } else { ", all signed" };
    output.either(
        || {
            format!(
                "whole: {} releases, {}, {} changes in the log{signed}",
                wanted.len(),
                HumanBytes(bytes),
                state.generation
            )
        },
        || {
            json!({ "ok": true, "releases": wanted.len(), "bytes": bytes, "generation": state.generation,
                "signed": !keys.is_empty() })
        },
    )
}

fn check_signature(release: &super::state::Release, keys: &[Verifier], store: &Store) -> Result<()> {
    let read = |inside: String| {
        let path = store.path(&inside);
        std::fs::read(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => unsigned(),
            _ => Failure::io("read", &path, &e),
        })
    };
    let signature = read(signature_path(&release.manifest))?;
    let manifest = read(object_path(&release.manifest, "manifest.json"))?;
    signed_by(keys, &signature, &manifest).map(drop)
}

fn check(release: &super::state::Release, store: &Store, progress: Progress) -> Result<u64> {
    let manifest = store.manifest(release)?;
    for entry in &manifest.files {
        let path = store.path(&entry.path);
        let io = |e: std::io::Error| Failure::io("read", &path, &e);
        let mut file = File::open(&path).map_err(io)?;
        let bar = progress.bytes("reading", entry.bytes);
        let count = |piece: &[u8]| {
            bar.inc(piece.len() as u64);
            Ok(())
        };
        let (sha256, bytes) = digest_file(&mut file, count).map_err(io)?;
        bar.finish_and_clear();
        if (&sha256, bytes) != (&entry.sha256, entry.bytes) {
            return Err(Failure::check(
                DAMAGED,
                format!(
                    "{} ({}) has {bytes} bytes and the hash {sha256}; {} bytes of another hash were added: \
                     copy it again from where the registry was made",
                    entry.path, entry.name, entry.bytes
                ),
            ));
        }
    }
    let sealed = load::open(&store.path(&manifest.index_file().path), progress)?;
    let index = IndexCard::of(&sealed);
    if index != manifest.index {
        return Err(Failure::check(DAMAGED, "the index isn't the one that its manifest describes"));
    }
    if let Some(entry) = manifest.sketch() {
        let path = store.path(&entry.path);
        let sketch = sketch::read(&std::fs::read(&path).map_err(|e| Failure::io("read", &path, &e))?)?;
        if (sketch.dimension, sketch.metric.as_str()) != (index.dimension as usize, index.metric.as_str()) {
            return Err(Failure::check(DAMAGED, "the sketch is that of another index"));
        }
    }
    manifest.self_test.as_ref().map_or(Ok(()), |test| test.check(&sealed))?;
    Ok(manifest.bytes())
}

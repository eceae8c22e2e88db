//! `elanus registry list`, `show`, `diff` and `log`: what there is, and how it came about.

use super::log::Entry;
use super::store::Store;
use crate::failure::{Failure, Result};
use crate::output::Output;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn list(store: &Store, output: &mut Output) -> Result<()> {
    let state = store.read()?.state;
    let mut rows = Vec::new();
    for release in &state.releases {
        let aliases: Vec<&str> = state.aliases_of(&release.name).collect();
        rows.push((release, store.manifest(release)?, aliases));
    }
    output.either(
        || {
            if rows.is_empty() {
                return "no releases yet: add one with `elanus registry add`".into();
            }
            let width = rows.iter().map(|(release, ..)| release.name.len()).max().unwrap_or(0).max(7);
            let mut text = format!(
                "{:width$}  {:20}  {:20} {:>11} {:>11}  named by\n",
                "release", "created", "index type", "rows", "bytes"
            );
            for (release, manifest, aliases) in &rows {
                text += &format!(
                    "{:width$}  {:20}  {:20} {:>11} {:>11}  {}\n",
                    release.name,
                    manifest.created,
                    manifest.index.index_type,
                    HumanCount(manifest.index.count.into()).to_string(),
                    HumanBytes(manifest.bytes()).to_string(),
                    aliases.join(", "),
                );
            }
            text
        },
        || {
            let release =
                |(release, manifest, aliases): &(&super::state::Release, super::manifest::Manifest, Vec<&str>)| {
                    json!({ "name": release.name, "manifest": release.manifest, "created": manifest.created,
                        "index": manifest.index, "bytes": manifest.bytes(), "aliases": aliases })
                };
            json!({
                "generation": state.generation,
                "aliases": state.aliases,
                "releases": rows.iter().map(release).collect::<Vec<_>>(),
            })
        },
    )
}

/// Show a release's manifest.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The release, by its name or an alias.
    release: String,
}

pub fn show(args: &ShowArgs, store: &Store, output: &mut Output) -> Result<()> {
    let state = store.read()?.state;
    let release = state.resolve(&args.release)?;
    let manifest = store.manifest(release)?;
    let value = serde_json::to_value(&manifest).unwrap_or_default();
    output.either(
        || {
            let mut text = format!("{}\n  {:24} {}\n", release.name, "manifest", release.manifest);
            let aliases: Vec<&str> = state.aliases_of(&release.name).collect();
            if !aliases.is_empty() {
                text += &format!("  {:24} {}\n", "named by", aliases.join(", "));
            }
            for (path, value) in leaves(&value) {
                if !matches!(path.as_str(), "release" | "schema_version") {
                    text += &format!("  {path:24} {value}\n");
                }
            }
            text
        },
        || {
            let mut value = value.clone();
            value["manifest"] = release.manifest.as_str().into();
            value
        },
    )
}

/// Show in what two releases differ.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// A release, by its name or an alias.
    a: String,
    /// Another.
    b: String,
}

pub fn diff(args: &DiffArgs, store: &Store, output: &mut Output) -> Result<()> {
    let state = store.read()?.state;
    let (a, b) = (state.resolve(&args.a)?, state.resolve(&args.b)?);
    if a.name == b.name {
        return Err(Failure::usage(format!("{} and {} are the same release, {}", args.a, args.b, a.name)));
    }
    let value = |release| Ok::<_, Failure>(serde_json::to_value(store.manifest(release)?).unwrap_or_default());
    let (left, right) = (leaves(&value(a)?), leaves(&value(b)?));
    let paths: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let differ: Vec<(&String, Option<&Value>, Option<&Value>)> = paths
        .into_iter()
        .map(|path| (path, left.get(path), right.get(path)))
        .filter(|(path, old, new)| old != new && path.as_str() != "release")
        .collect();
    output.either(
        || {
            let mut text = format!("{} → {}\n", a.name, b.name);
            let say = |value: Option<&Value>| value.map_or("–".into(), Value::to_string);
            for (path, old, new) in &differ {
                let change = match (old.and_then(|v| v.as_f64()), new.and_then(|v| v.as_f64())) {
                    (Some(old), Some(new)) if old != 0.0 => format!("  ({:+.1} %)", (new / old - 1.0) * 100.0),
                    _ => String::new(),
                };
                text += &format!("  {path:28} {} → {}{change}\n", say(*old), say(*new));
            }
            text
        },
        || {
            let row = |(path, old, new): &(&String, Option<&Value>, Option<&Value>)| json!({ "path": path, "a": old, "b": new });
            json!({ "a": a.name, "b": b.name, "differences": differ.iter().map(row).collect::<Vec<_>>() })
        },
    )
}

/// The values of a tree by their paths.
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, path: String, out: &mut BTreeMap<String, Value>) {
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Object(map) if !map.is_empty() => map.iter().for_each(|(name, value)| walk(value, join(name), out)),
            Value::Array(list) if !list.is_empty() => {
                list.iter().enumerate().for_each(|(i, value)| walk(value, join(&i.to_string()), out));
            }
            leaf => drop(out.insert(path, leaf.clone())),
        }
    }
    let mut out = BTreeMap::new();
    walk(value, String::new(), &mut out);
    out
}

/// Show who changed what, when and why.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// Only changes of this alias.
    #[arg(long)]
    alias: Option<String>,

    /// Only the last N changes.
    #[arg(long, short = 'n')]
    last: Option<usize>,
}

pub fn log(args: &LogArgs, store: &Store, output: &mut Output) -> Result<()> {
    let entries = store.read()?.entries;
    let wanted: Vec<&Entry> =
        entries.iter().filter(|entry| args.alias.is_none() || entry.alias == args.alias).collect();
    let wanted = &wanted[wanted.len() - args.last.unwrap_or(wanted.len()).min(wanted.len())..];
    output.either(|| wanted.iter().map(|entry| line(entry)).collect::<Vec<_>>().join("\n"), || json!(wanted))
}

fn line(entry: &Entry) -> String {
    let mut what = entry.action.name().to_owned();
    if let Some(alias) = &entry.alias {
        what += &format!(" {alias}");
    }
    match (&entry.before, &entry.release) {
        (Some(before), Some(release)) => what += &format!(" {before} → {release}"),
        (None, Some(release)) => what += &format!(" {release}"),
        (Some(before), None) => what += &format!(" (was {before})"),
        (None, None) => {}
    }
    if entry.forced {
        what += ", against the gate";
    }
    let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{:>4}  {}  {}  {what}{reason}", entry.number, entry.time, entry.who)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_have_paths() {
        let found = leaves(&json!({ "a": { "b": 1, "c": [true, "x"], "d": {} }, "e": null }));
        let paths: Vec<_> = found.iter().map(|(path, value)| format!("{path}={value}")).collect();
        assert_eq!(paths, ["a.b=1", "a.c.0=true", "a.c.1=\"x\"", "a.d={}", "e=null"]);
    }
}

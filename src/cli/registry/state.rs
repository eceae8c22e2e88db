//! `registry.json`: which releases there are, and what the aliases name. The one file of a registry
//! that changes; everything else is named by its content.

use super::digest::is_digest;
use crate::failure::{Failure, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What this program writes, and the newest that it reads.
pub const SCHEMA_VERSION: u32 = 1;

/// The code of what was damaged, cut, swapped or forged.
pub const DAMAGED: &str = "CORRUPT_REGISTRY";

/// The alias that `promote` moves unless told otherwise.
pub const CHAMPION: &str = "champion";

/// The content of `registry.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub schema_version: u32,
    /// How many changes have been made: the number of lines of the log that count.
    pub generation: u64,
    /// In the order in which they were added.
    pub releases: Vec<Release>,
    /// The release that each alias names.
    pub aliases: BTreeMap<String, String>,
    pub log: LogHead,
}

/// A release, by its name and its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub name: String,
    /// SHA-256 of the manifest, in hexadecimal digits: `objects/<manifest>.json`.
    pub manifest: String,
}

/// How far `log.jsonl` counts. What stands behind it was never finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogHead {
    pub bytes: u64,
    /// SHA-256 of the last line, which holds that of the line before it.
    pub last: String,
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

impl State {
    pub fn new() -> Self {
        State {
            schema_version: SCHEMA_VERSION,
            generation: 0,
            releases: Vec::new(),
            aliases: BTreeMap::new(),
            log: LogHead { bytes: 0, last: String::new() },
        }
    }

    pub fn parse(text: &str) -> Result<Self> {
        check_version(text, "registry.json")?;
        let state: State = serde_json::from_str(text).map_err(|e| damaged(format!("registry.json: {e}")))?;
        for (i, release) in state.releases.iter().enumerate() {
            let named = check_name(&release.name).is_ok() && is_digest(&release.manifest);
            if !named || state.releases[..i].iter().any(|other| other.name == release.name) {
                return Err(damaged(format!("registry.json: release {i} has no name and manifest of its own")));
            }
        }
        for (alias, release) in &state.aliases {
            if check_name(alias).is_err() || state.find(alias).is_some() || state.find(release).is_none() {
                return Err(damaged(format!("registry.json: alias {alias:?} names {release:?}, which can't be")));
            }
        }
        Ok(state)
    }

    pub fn to_text(&self) -> String {
        // A map of texts and numbers always has a text.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    pub fn find(&self, name: &str) -> Option<&Release> {
        self.releases.iter().find(|release| release.name == name)
    }

    /// The release that a name or an alias stands for.
    pub fn resolve(&self, name: &str) -> Result<&Release> {
        self.find(self.aliases.get(name).map_or(name, String::as_str)).ok_or_else(|| {
            let known: Vec<&str> =
                self.aliases.keys().map(String::as_str).chain(self.releases.iter().map(|r| r.name.as_str())).collect();
            Failure::input(match known.is_empty() {
                true => {
                    format!("there is no release {name:?}; the registry is empty: add one with `elanus registry add`")
                }
                false => format!("there is no release or alias {name:?}; there are {}", known.join(", ")),
            })
        })
    }

    /// The aliases of a release.
    pub fn aliases_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.aliases.iter().filter(move |(_, release)| *release == name).map(|(alias, _)| alias.as_str())
    }
}

/// Refuses what a newer program wrote, before anything else of it is read.
pub fn check_version(text: &str, what: &str) -> Result<()> {
    let version: Version = serde_json::from_str(text).map_err(|e| damaged(format!("{what}: {e}")))?;
    match version.schema_version {
        SCHEMA_VERSION => Ok(()),
        found => Err(Failure::check(
            "UNSUPPORTED_VERSION",
            format!("{what} has schema version {found}; this program knows {SCHEMA_VERSION}: use a newer one"),
        )),
    }
}

/// Names go into addresses and shells: short, and without anything that means something there.
pub fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && name.len() <= 64 && name.chars().all(fine) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{name:?} is no name; it takes 1 to 64 of a-z, 0-9, '.', '_' and '-', and starts with a letter or digit"
    )))
}

pub fn damaged(message: impl Into<String>) -> Failure {
    Failure::check(DAMAGED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_as_it_was_written() {
        let mut state = State::new();
        state.releases.push(Release { name: "r1".into(), manifest: "0".repeat(64) });
        state.aliases.insert("champion".into(), "r1".into());
        assert_eq!(State::parse(&state.to_text()).unwrap(), state);
        assert_eq!(state.resolve("champion").unwrap().name, "r1");
        assert!(state.resolve("r2").unwrap_err().message.contains("champion, r1"));
        assert!(State::new().resolve("r2").unwrap_err().message.contains("registry add"));
    }

    #[test]
    fn contradictions_and_other_versions_are_refused() {
        let text = |releases: &str, aliases: &str, version: u32| {
            format!(
                r#"{{"schema_version":{version},"generation":0,"releases":[{releases}],"aliases":{{{aliases}}},"log":{{"bytes":0,"last":""}}}}"#
            )
        };
        let r1 = format!(r#"{{"name":"r1","manifest":"{}"}}"#, "0".repeat(64));
        assert!(State::parse(&text(&r1, r#""a":"r1""#, 1)).is_ok());
        for (releases, aliases) in [
            (format!("{r1},{r1}"), ""),
            (r1.clone(), r#""a":"r2""#),
            (r1.clone(), r#""r1":"r1""#),
            (r1.clone(), r#""A b":"r1""#),
            (r1.replace("r1", "../r1"), ""),
            (r1.replace("000", "00"), ""),
        ] {
            assert_eq!(State::parse(&text(&releases, aliases, 1)).unwrap_err().code, "CORRUPT_REGISTRY");
        }
        assert_eq!(State::parse(&text("", "", 2)).unwrap_err().code, "UNSUPPORTED_VERSION");
        assert_eq!(State::parse("{}").unwrap_err().code, "CORRUPT_REGISTRY");
    }

    #[test]
    fn names_are_plain() {
        for name in ["r1", "2026-11-26", "a.b_c-d"] {
            assert!(check_name(name).is_ok());
        }
        for name in ["", "-r", ".", "R1", "a/b", "é", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}

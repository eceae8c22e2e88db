//! `log.jsonl`: who changed what, when and why. Lines are only ever added, and each holds the hash
//! of the one before it, so that a line that was changed or taken out shows.

use super::digest::digest;
use super::state::{LogHead, damaged};
use crate::failure::Result;
use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Init,
    Add,
    /// A manifest was replaced by one that says more of the same files.
    Describe,
    Remove,
    /// A manifest was signed.
    Sign,
    /// An alias was set by hand.
    Alias,
    Unalias,
    Promote,
    Rollback,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Init => "init",
            Action::Add => "add",
            Action::Describe => "describe",
            Action::Remove => "remove",
            Action::Sign => "sign",
            Action::Alias => "alias",
            Action::Unalias => "unalias",
            Action::Promote => "promote",
            Action::Rollback => "rollback",
        }
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 1 on.
    pub number: u64,
    /// RFC 3339, in UTC.
    pub time: String,
    pub who: String,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// What the alias named before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Whether a gate that refused was overruled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// SHA-256 of the line before this one, without its end; empty for the first.
    pub previous: String,
}

impl Entry {
    /// The line, with its end.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// The head of the log once this line has been added to it.
pub fn advance(head: &LogHead, line: &str) -> LogHead {
    LogHead { bytes: head.bytes + line.len() as u64, last: digest(line.trim_end().as_bytes()) }
}

/// Reads the lines that count, and checks that they follow from each other.
pub fn parse(bytes: &[u8], head: &LogHead, generation: u64) -> Result<Vec<Entry>> {
    let counts = usize::try_from(head.bytes).ok().and_then(|end| bytes.get(..end)).ok_or_else(|| {
        damaged(format!(
            "log.jsonl has {} bytes, but registry.json counts {}: lines were lost",
            bytes.len(),
            head.bytes
        ))
    })?;
    let text = std::str::from_utf8(counts).map_err(|_| damaged("log.jsonl is no UTF-8"))?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut last = String::new();
    for (i, line) in text.split_terminator('\n').enumerate() {
        let entry: Entry =
            serde_json::from_str(line).map_err(|e| damaged(format!("log.jsonl, line {}: {e}", i + 1)))?;
        if entry.previous != last || entry.number != i as u64 + 1 {
            return Err(damaged(format!(
                "log.jsonl, line {}: it doesn't follow from the line before it; lines were changed or taken out",
                i + 1
            )));
        }
        last = digest(line.as_bytes());
        entries.push(entry);
    }
    if last != head.last || entries.len() as u64 != generation {
        return Err(damaged("log.jsonl doesn't end as registry.json says; one of them was changed"));
    }
    Ok(entries)
}

/// What an alias named over time, the present last: a rollback takes the last one off.
pub fn history(entries: &[Entry], alias: &str) -> Vec<String> {
    let mut stack: Vec<String> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.alias.as_deref() == Some(alias)) {
        match (entry.action, &entry.release) {
            (Action::Rollback, _) => drop(stack.pop()),
            (Action::Unalias, _) => stack.clear(),
            (_, Some(release)) => stack.push(release.clone()),
            _ => {}
        }
    }
    stack
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(steps: &[(Action, &str)]) -> (Vec<u8>, LogHead) {
        let mut head = LogHead { bytes: 0, last: String::new() };
        let mut bytes = Vec::new();
        for (i, (action, release)) in steps.iter().enumerate() {
            let entry = Entry {
                number: i as u64 + 1,
                time: "2026-01-01T00:00:00Z".into(),
                who: "someone".into(),
                action: *action,
                alias: Some("champion".into()),
                release: Some((*release).into()),
                before: None,
                manifest: None,
                forced: false,
                reason: None,
                previous: head.last.clone(),
            };
            head = advance(&head, &entry.to_line());
            bytes.extend_from_slice(entry.to_line().as_bytes());
        }
        (bytes, head)
    }

    const STEPS: [(Action, &str); 3] = [(Action::Alias, "a"), (Action::Promote, "b"), (Action::Promote, "c")];

    #[test]
    fn lines_follow_from_each_other() {
        let (bytes, head) = log(&STEPS);
        assert_eq!(parse(&bytes, &head, 3).unwrap().len(), 3);
        let torn = [&bytes[..], b"{\"number\":4,\"ti"].concat();
        assert_eq!(parse(&torn, &head, 3).unwrap().len(), 3, "what was never finished doesn't count");
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(parse(&changed, &head, 3).unwrap_err().code, "CORRUPT_REGISTRY", "byte {at}");
        }
        assert!(parse(&bytes[..bytes.len() - 1], &head, 3).unwrap_err().message.contains("lost"));
        assert!(parse(&bytes, &head, 2).is_err());
    }

    #[test]
    fn rollbacks_go_further_back_each_time() {
        let of = |steps: &[(Action, &str)]| {
            let (bytes, head) = log(steps);
            history(&parse(&bytes, &head, steps.len() as u64).unwrap(), "champion")
        };
        assert_eq!(of(&STEPS), ["a", "b", "c"]);
        let back = [&STEPS[..], &[(Action::Rollback, "b")]].concat();
        assert_eq!(of(&back), ["a", "b"]);
        assert_eq!(of(&[&back[..], &[(Action::Rollback, "a")]].concat()), ["a"]);
        assert_eq!(of(&[&back[..], &[(Action::Promote, "d")]].concat()), ["a", "b", "d"]);
        assert!(of(&[&STEPS[..], &[(Action::Unalias, "c")]].concat()).is_empty());
    }
}

//! Reads policies.

use crate::failure::{Failure, Result};
use elanus::release::Policy;
use elanus::release::gate::POLICY_VERSION;
use serde::Deserialize;
use std::path::Path;

#[derive(Debug, Deserialize)]
struct Version {
    schema_version: u32,
}

pub fn read(path: &Path) -> Result<Policy> {
    let text = std::fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e))?;
    parse(&text).map_err(|e| e.at(path.display()))
}

fn parse(text: &str) -> Result<Policy> {
    let wrong = |e: serde_json::Error| Failure::input(format!("this is no policy: {e}; see docs/schema/policy-1.json"));
    let version: Version = serde_json::from_str(text).map_err(wrong)?;
    if version.schema_version != POLICY_VERSION {
        return Err(Failure::check(
            "UNSUPPORTED_VERSION",
            format!(
                "the policy has schema version {}; this program knows {POLICY_VERSION}: use a newer one",
                version.schema_version
            ),
        ));
    }
    let policy: Policy = serde_json::from_str(text).map_err(wrong)?;
    match policy.bounds().is_empty() {
        true => Err(Failure::input("the policy asks for nothing; give it a minimum, max_regression or max_bytes")),
        false => Ok(policy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_say_all_that_they_say() {
        let policy = parse(r#"{"schema_version":1,"minimum":{"ndcg@10":0.5},"max_bytes":9}"#).unwrap();
        assert_eq!(policy.bounds().len(), 2);
        for (text, code, part) in [
            ("[]", "INVALID_INPUT", "no policy"),
            (r#"{"schema_version":2,"new":1}"#, "UNSUPPORTED_VERSION", "version 2"),
            (r#"{"schema_version":1}"#, "INVALID_INPUT", "asks for nothing"),
            (r#"{"schema_version":1,"minimun":{}}"#, "INVALID_INPUT", "minimun"),
            (r#"{"schema_version":1,"minimum":{"a":"b"}}"#, "INVALID_INPUT", "no policy"),
            (r#"{"schema_version":1,"max_bytes":-1}"#, "INVALID_INPUT", "no policy"),
        ] {
            let failure = parse(text).unwrap_err();
            assert!(failure.code == code && failure.message.contains(part), "{text}: {failure:?}");
        }
    }
}

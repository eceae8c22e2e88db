//! The gate: what a release must reach to be promoted, and by how much it misses that.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The version of policies that is read.
pub const POLICY_VERSION: u32 = 1;

/// What is asked of a release. `docs/schema/policy-1.json` is its published shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// [`POLICY_VERSION`].
    pub schema_version: u32,
    /// The evaluation that counts, by name, where a release has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// Measures that must not be below.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub minimum: BTreeMap<String, f64>,
    /// Measures that must not be above, such as latencies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub maximum: BTreeMap<String, f64>,
    /// By how much measures may be worse than the champion's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max_regression: BTreeMap<String, f64>,
    /// What all files of a release may have together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// What was measured of a release.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Values by name.
    pub values: BTreeMap<String, f64>,
    /// Of all its files.
    pub bytes: u64,
    /// The same of the champion, on the same queries; none if there is no champion.
    pub champion: Option<BTreeMap<String, Compared>>,
}

/// A champion's value, and how sure the difference is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Compared {
    /// Its value.
    pub value: f64,
    /// How likely a difference as large is by chance, if that was tested.
    pub p: Option<f64>,
}

/// The kind of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Not below.
    Minimum,
    /// Not above.
    Maximum,
    /// Not worse than the champion by more.
    Regression,
    /// Bytes not above.
    Bytes,
}

/// One thing that a policy asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// Its kind.
    pub rule: Rule,
    /// The measure.
    pub measure: String,
    /// The value that is asked for.
    pub limit: f64,
}

/// What came of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is kept.
    Met,
    /// It is missed, by so much.
    Missed(f64),
    /// The release's value, or the champion's, isn't known: as bad as missed.
    Unmeasured,
    /// It speaks of a champion, and there is none.
    NoChampion,
}

/// A bound, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was asked.
    pub bound: Bound,
    /// The release's value.
    pub value: Option<f64>,
    /// The champion's, for a regression.
    pub champion: Option<Compared>,
    /// What came of it.
    pub outcome: Outcome,
}

/// All findings of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// In the order of the policy: minimum, maximum, regression, bytes.
    pub findings: Vec<Finding>,
}

/// Measures that are better when they are smaller.
pub fn smaller_is_better(measure: &str) -> bool {
    measure.ends_with("_us") || measure == "empty"
}

/// Measures that compare a release with the champion, and mean nothing without one.
pub fn is_comparison(measure: &str) -> bool {
    measure.starts_with("overlap@") || measure == "rbo"
}

impl Policy {
    /// The bounds, one by one.
    pub fn bounds(&self) -> Vec<Bound> {
        let all = |rule: Rule, of: &BTreeMap<String, f64>| -> Vec<Bound> {
            of.iter().map(|(measure, &limit)| Bound { rule, measure: measure.clone(), limit }).collect()
        };
        let bytes =
            self.max_bytes.map(|limit| Bound { rule: Rule::Bytes, measure: "bytes".into(), limit: limit as f64 });
        [
            all(Rule::Minimum, &self.minimum),
            all(Rule::Maximum, &self.maximum),
            all(Rule::Regression, &self.max_regression),
            bytes.into_iter().collect(),
        ]
        .concat()
    }

    /// Judges what was measured.
    pub fn judge(&self, measured: &Measured) -> Verdict {
        Verdict { findings: self.bounds().into_iter().map(|bound| judge(bound, measured)).collect() }
    }
}

fn judge(bound: Bound, measured: &Measured) -> Finding {
    let value = match bound.rule {
        Rule::Bytes => Some(measured.bytes as f64),
        _ => measured.values.get(&bound.measure).copied(),
    };
    let by = |excess: f64| match excess <= TOLERANCE {
        true => Outcome::Met,
        false => Outcome::Missed(excess),
    };
    let mut champion = None;
    let outcome = match (bound.rule, value, &measured.champion) {
        (Rule::Regression, _, None) => Outcome::NoChampion,
        (_, None, None) if is_comparison(&bound.measure) => Outcome::NoChampion,
        (_, None, _) => Outcome::Unmeasured,
        (Rule::Minimum, Some(value), _) => by(bound.limit - value),
        (Rule::Maximum | Rule::Bytes, Some(value), _) => by(value - bound.limit),
        (Rule::Regression, Some(value), Some(of_champion)) => {
            champion = of_champion.get(&bound.measure).copied();
            match champion {
                None => Outcome::Unmeasured,
                Some(other) if smaller_is_better(&bound.measure) => by(value - other.value - bound.limit),
                Some(other) => by(other.value - value - bound.limit),
            }
        }
    };
    Finding { bound, value, champion, outcome }
}

/// What rounding may cost: a mean of thirds that should be equal needn't be, to the last bit.
const TOLERANCE: f64 = 1e-9;

impl Verdict {
    /// Whether the release may be promoted.
    pub fn passes(&self) -> bool {
        self.missed().next().is_none()
    }

    /// The findings that stand against it.
    pub fn missed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.passes())
    }
}

impl Finding {
    /// Whether it doesn't stand against the release.
    pub fn passes(&self) -> bool {
        matches!(self.outcome, Outcome::Met | Outcome::NoChampion)
    }
}

/// A number as it is said: bytes and microseconds whole, shares with four digits.
struct Said<'a>(f64, &'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 == "bytes" || self.1.ends_with("_us") {
            true => write!(f, "{:.0}", self.0),
            false => write!(f, "{:.4}", self.0),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = Said(self.limit, &self.measure);
        match self.rule {
            Rule::Minimum => write!(f, "{} at least {limit}", self.measure),
            Rule::Maximum | Rule::Bytes => write!(f, "{} at most {limit}", self.measure),
            Rule::Regression => write!(f, "{} not worse than the champion's by more than {limit}", self.measure),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measure = self.bound.measure.as_str();
        write!(f, "{}: ", self.bound)?;
        let Some(value) = self.value else {
            return f.write_str(match self.outcome {
                Outcome::NoChampion => "there is no champion",
                _ => "not measured; evaluate the release so that it is",
            });
        };
        write!(f, "{}", Said(value, measure))?;
        if let Some(champion) = &self.champion {
            write!(f, ", the champion {}", Said(champion.value, measure))?;
            if let Some(p) = champion.p {
                write!(f, " (p = {p:.4})")?;
            }
        }
        match self.outcome {
            Outcome::Met => Ok(()),
            Outcome::Missed(by) => write!(f, ": missed by {}", Said(by, measure)),
            Outcome::Unmeasured => f.write_str(", the champion's not measured; evaluate the release beside it"),
            Outcome::NoChampion => f.write_str(", there is no champion"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn policy() -> Policy {
        let one = |measure: &str, limit| BTreeMap::from([(measure.to_owned(), limit)]);
        Policy {
            schema_version: POLICY_VERSION,
            evaluation: None,
            minimum: [one("recall@10", 0.9), one("overlap@10", 0.5)].into_iter().flatten().collect(),
            maximum: one("p95_us", 500.0),
            max_regression: [one("recall@10", 0.01), one("mean_us", 50.0)].into_iter().flatten().collect(),
            max_bytes: Some(1000),
        }
    }

    fn measured(values: &[(&str, f64)], bytes: u64, champion: Option<&[(&str, f64)]>) -> Measured {
        let named = |value: &(&str, f64)| (value.0.to_owned(), value.1);
        Measured {
            values: values.iter().map(named).collect(),
            bytes,
            champion: champion.map(|of| {
                of.iter().map(|&(name, value)| (name.to_owned(), Compared { value, p: Some(0.03) })).collect()
            }),
        }
    }

    #[test]
    fn what_misses_is_said_with_numbers() {
        let champion = [("recall@10", 0.95), ("mean_us", 100.0)];
        let values = [("recall@10", 0.89), ("overlap@10", 0.6), ("p95_us", 612.0), ("mean_us", 170.0)];
        let verdict = policy().judge(&measured(&values, 1001, Some(&champion)));
        let said: Vec<String> = verdict.missed().map(Finding::to_string).collect();
        assert_eq!(
            said,
            [
                "recall@10 at least 0.9000: 0.8900: missed by 0.0100",
                "p95_us at most 500: 612: missed by 112",
                "mean_us not worse than the champion's by more than 50: 170, the champion 100 (p = 0.0300): missed by 20",
                "recall@10 not worse than the champion's by more than 0.0100: 0.8900, the champion 0.9500 (p = 0.0300): missed by 0.0500",
                "bytes at most 1000: 1001: missed by 1",
            ]
        );
        assert!(!verdict.passes());
    }

    #[test]
    fn what_is_good_enough_passes() {
        let champion = [("recall@10", 0.91), ("mean_us", 100.0)];
        let values = [("recall@10", 0.9), ("overlap@10", 0.5), ("p95_us", 500.0), ("mean_us", 20.0)];
        assert!(policy().judge(&measured(&values, 1000, Some(&champion))).passes());
        // The first release has nobody to be compared with.
        let alone = policy().judge(&measured(&[values[0], values[2]], 1000, None));
        assert!(alone.passes(), "{alone:?}");
        assert_eq!(alone.findings.iter().filter(|f| f.outcome == Outcome::NoChampion).count(), 3);
    }

    #[test]
    fn what_is_not_known_is_not_good_enough() {
        let nothing = policy().judge(&measured(&[], 10, Some(&[])));
        assert_eq!(nothing.missed().count(), 5, "all but the bytes");
        let nan = policy().judge(&measured(&[("recall@10", f64::NAN), ("p95_us", f64::NAN)], 10, None));
        assert_eq!(nan.missed().count(), 2);
        let said =
            policy().judge(&measured(&[("recall@10", 0.95)], 10, Some(&[]))).missed().next().unwrap().to_string();
        assert_eq!(said, "overlap@10 at least 0.5000: not measured; evaluate the release so that it is");
    }
}

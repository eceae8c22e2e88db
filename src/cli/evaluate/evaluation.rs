//! What an evaluation found, as it is printed, judged, and kept in a release's manifest.

use super::measure::{Answers, Labels, Subject};
use super::options::Options;
use crate::truth;
use elanus::release::{Compared, Measured, ranking, resample};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    pub name: String,
    /// RFC 3339, in UTC.
    pub created: String,
    pub queries: QuerySet,
    /// What `knn_recall` is measured against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
    pub seed: u64,
    /// Parameters of the searches.
    pub search: Map<String, Value>,
    pub measures: BTreeMap<String, Estimate>,
    /// The share of queries that found nothing.
    pub empty: f64,
    pub latency: Latency,
    pub bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuerySet {
    pub count: usize,
    /// Of the numbers in the vectors.
    pub sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qrels_sha256: Option<String>,
}

/// A mean, and its interval of 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// Native, one thread, of the machine that evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    pub p50_us: f64,
    pub p95_us: f64,
    pub p99_us: f64,
    pub mean_us: f64,
}

/// The same queries, asked of another index in the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Against {
    /// A release's name, or a path.
    pub name: String,
    /// Of its index file, if it is a release's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub measures: BTreeMap<String, Beside>,
    /// Of the hits, by key, as deep as was measured.
    pub overlap: BTreeMap<String, Estimate>,
    pub rbo: Estimate,
    pub latency: Latency,
    pub empty: f64,
    pub bytes: u64,
    pub changed: Vec<Changed>,
}

/// The other's value; what the evaluated one has more; how likely that is by chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    pub mean: f64,
    pub difference: f64,
    pub low: f64,
    pub high: f64,
    pub p: f64,
}

/// A query whose answers changed: keys of the other index, and of the evaluated one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed {
    pub query: String,
    pub rbo: f64,
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// Which other index there was.
pub struct Other<'a> {
    pub name: String,
    pub sha256: Option<String>,
    pub subject: &'a Subject<'a>,
    pub answers: &'a Answers,
}

impl Evaluation {
    pub fn of(
        created: String,
        subject: &Subject<'_>,
        answers: &Answers,
        other: Option<Other<'_>>,
        labels: Option<&Labels>,
        options: &Options,
    ) -> Self {
        let recall = answers.measures.iter().any(|(name, _)| name.starts_with("knn_recall"));
        let against = || match &options.truth {
            Some(path) => format!("the rows in {}", path.display()),
            None => truth::described(&subject.sealed, subject.vectors),
        };
        Evaluation {
            name: options.name(),
            created,
            queries: QuerySet {
                count: subject.queries.len(),
                sha256: subject.queries_digest(),
                judged: labels.map(|labels| labels.judged.len()),
                qrels_sha256: labels.map(|labels| labels.sha256.clone()),
            },
            truth: recall.then(against),
            seed: options.seed,
            search: options.search(),
            measures: answers
                .measures
                .iter()
                .map(|(name, values)| (name.clone(), Estimate::of(values, options.seed)))
                .collect(),
            empty: empty(answers),
            latency: Latency::of(&answers.seconds),
            bytes: subject.bytes,
            against: other.map(|other| against_of(&other, answers, labels, options)),
        }
    }

    /// What the gate looks at.
    pub fn measured(&self, bytes: u64) -> Measured {
        let mut values: BTreeMap<String, f64> =
            self.measures.iter().map(|(name, estimate)| (name.clone(), estimate.mean)).collect();
        values.extend(self.latency.named());
        values.insert("empty".into(), self.empty);
        let champion = self.against.as_ref().map(|against| {
            values.extend(against.overlap.iter().map(|(name, estimate)| (name.clone(), estimate.mean)));
            values.insert("rbo".into(), against.rbo.mean);
            let plain = |(name, value)| (name, Compared { value, p: None });
            let mut champion: BTreeMap<String, Compared> = against.latency.named().map(plain).collect();
            champion.insert("empty".into(), Compared { value: against.empty, p: None });
            let tested = |(name, b): (&String, &Beside)| (name.clone(), Compared { value: b.mean, p: Some(b.p) });
            champion.extend(against.measures.iter().map(tested));
            champion
        });
        Measured { values, bytes, champion }
    }
}

fn against_of(other: &Other<'_>, answers: &Answers, labels: Option<&Labels>, options: &Options) -> Against {
    let theirs: BTreeMap<&str, &Vec<f64>> =
        other.answers.measures.iter().map(|(name, values)| (name.as_str(), values)).collect();
    let beside = |(name, own): &(String, Vec<f64>)| {
        let theirs = theirs.get(name.as_str())?;
        let differences: Vec<f64> = own.iter().zip(theirs.iter()).map(|(a, b)| a - b).collect();
        let interval = resample::bootstrap(&differences, options.seed);
        let p = resample::randomisation_test(&differences, options.seed);
        let (mean, difference) = (resample::mean(theirs), interval.mean);
        Some((name.clone(), Beside { mean, difference, low: interval.low, high: interval.high, p }.rounded()))
    };
    let pairs: Vec<(&[String], &[String])> =
        other.answers.hits.iter().zip(&answers.hits).map(|(before, after)| (&before[..], &after[..])).collect();
    let overlap = |&k: &usize| {
        let values: Vec<f64> = pairs.iter().map(|(before, after)| ranking::overlap(before, after, k)).collect();
        (format!("overlap@{k}"), Estimate::of(&values, options.seed))
    };
    let rbo: Vec<f64> =
        pairs.iter().map(|(before, after)| ranking::rank_biased_overlap(before, after, ranking::PERSISTENCE)).collect();
    let mut order: Vec<usize> = (0..pairs.len()).filter(|&i| pairs[i].0 != pairs[i].1).collect();
    order.sort_by(|&a, &b| rbo[a].total_cmp(&rbo[b]).then(a.cmp(&b)));
    order.truncate(options.changed);
    let changed = |i: usize| Changed {
        query: labels.map_or_else(|| i.to_string(), |labels| labels.names[i].clone()),
        rbo: rounded(rbo[i]),
        before: pairs[i].0.to_vec(),
        after: pairs[i].1.to_vec(),
    };
    Against {
        name: other.name.clone(),
        sha256: other.sha256.clone(),
        measures: answers.measures.iter().filter_map(beside).collect(),
        overlap: options.limit.iter().map(overlap).collect(),
        rbo: Estimate::of(&rbo, options.seed),
        latency: Latency::of(&other.answers.seconds),
        empty: empty(other.answers),
        bytes: other.subject.bytes,
        changed: order.into_iter().map(changed).collect(),
    }
}

fn empty(answers: &Answers) -> f64 {
    let none = answers.hits.iter().filter(|hits| hits.is_empty()).count();
    rounded(none as f64 / answers.hits.len().max(1) as f64)
}

/// Six digits are more than a thousand queries can tell.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

impl Estimate {
    fn of(values: &[f64], seed: u64) -> Self {
        let interval = resample::bootstrap(values, seed);
        Estimate { mean: rounded(interval.mean), low: rounded(interval.low), high: rounded(interval.high) }
    }
}

impl Beside {
    fn rounded(self) -> Self {
        let Beside { mean, difference, low, high, p } = self;
        Beside {
            mean: rounded(mean),
            difference: rounded(difference),
            low: rounded(low),
            high: rounded(high),
            p: rounded(p),
        }
    }
}

impl Latency {
    fn of(seconds: &[f64]) -> Self {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let tenths = |seconds: f64| (seconds * 1e7).round() / 10.0;
        let at = |share: f64| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).map_or(0.0, |&seconds| tenths(seconds))
        };
        Latency { p50_us: at(0.5), p95_us: at(0.95), p99_us: at(0.99), mean_us: tenths(resample::mean(seconds)) }
    }

    pub fn named(self) -> impl Iterator<Item = (String, f64)> {
        [("p50_us", self.p50_us), ("p95_us", self.p95_us), ("p99_us", self.p99_us), ("mean_us", self.mean_us)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
    }
}

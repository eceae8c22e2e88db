//! An evaluation for people, and a verdict for people and for CI systems.

use super::evaluation::Evaluation;
use crate::failure::{Failure, Result};
use crate::replace::replace_with;
use elanus::release::{Finding, Outcome, Verdict};
use indicatif::{HumanBytes, HumanCount};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::path::Path;

/// A table of what was found.
pub fn text(of: &str, evaluation: &Evaluation) -> String {
    let queries = &evaluation.queries;
    let judged = queries.judged.map(|n| format!(", {} of them judged", HumanCount(n as u64))).unwrap_or_default();
    let mut text =
        format!("{of}: {} queries{judged}, {}\n", HumanCount(queries.count as u64), HumanBytes(evaluation.bytes));
    if let Some(truth) = &evaluation.truth {
        text += &format!("knn_recall is measured against {truth}\n");
    }
    let against = evaluation.against.as_ref();
    text += &format!("\n{:16} {:>8} {:>17}", "measure", "value", "95 % interval");
    if let Some(against) = against {
        text += &format!("   {:>12} {:>11} {:>19} {:>7}", clipped(&against.name), "difference", "95 % interval", "p");
    }
    text.push('\n');
    for (name, value) in &evaluation.measures {
        text += &format!("{name:16} {:>8.4} {:>17}", value.mean, format!("{:.4} – {:.4}", value.low, value.high));
        if let Some(beside) = against.and_then(|against| against.measures.get(name)) {
            let interval = format!("{:+.4} – {:+.4}", beside.low, beside.high);
            text += &format!("   {:>12.4} {:>+11.4} {interval:>19} {:>7.4}", beside.mean, beside.difference, beside.p);
        }
        text.push('\n');
    }
    let theirs: Vec<f64> = against.iter().flat_map(|a| a.latency.named()).map(|(_, value)| value).collect();
    for (i, (name, value)) in evaluation.latency.named().enumerate() {
        text += &format!("{name:16} {value:>8.0}");
        if let Some(other) = theirs.get(i) {
            text += &format!("{:21}{other:>12.0} {:>+11.0}", "", value - other);
        }
        text.push('\n');
    }
    if evaluation.empty > 0.0 {
        text += &format!("{:16} {:>8.4}\n", "empty", evaluation.empty);
    }
    let Some(against) = against else { return text };
    for (name, value) in &against.overlap {
        text += &format!("{name:16} {:>8.4} {:>17}\n", value.mean, format!("{:.4} – {:.4}", value.low, value.high));
    }
    let rbo = &against.rbo;
    text += &format!("{:16} {:>8.4} {:>17}\n", "rbo", rbo.mean, format!("{:.4} – {:.4}", rbo.low, rbo.high));
    if !against.changed.is_empty() {
        text += "\nchanged most:\n";
    }
    for changed in &against.changed {
        let first = |keys: &[String]| {
            let more = if keys.len() > 5 { ", …" } else { "" };
            format!("{}{more}", keys.iter().take(5).cloned().collect::<Vec<_>>().join(", "))
        };
        text += &format!(
            "  query {} (rbo {:.2}): {} → {}\n",
            changed.query,
            changed.rbo,
            first(&changed.before),
            first(&changed.after)
        );
    }
    text
}

fn clipped(name: &str) -> String {
    match name.chars().count() {
        0..=12 => name.into(),
        n => format!("…{}", name.chars().skip(n - 11).collect::<String>()),
    }
}

/// The findings, a line each.
pub fn verdict_text(verdict: &Verdict) -> String {
    let line = |finding: &Finding| {
        let mark = if finding.passes() { "  ok    " } else { "  MISSED" };
        format!("{mark}  {finding}\n")
    };
    verdict.findings.iter().map(line).collect()
}

/// Fails with what is missed, in numbers.
pub fn require(of: &str, verdict: &Verdict) -> Result<()> {
    let missed: Vec<String> = verdict.missed().map(|finding| format!("\n  {finding}")).collect();
    match missed.is_empty() {
        true => Ok(()),
        false => Err(Failure::check(
            "GATE_REFUSED",
            format!(
                "{of} misses {} of the {} bounds of the policy:{}",
                missed.len(),
                verdict.findings.len(),
                missed.concat()
            ),
        )),
    }
}

/// Writes a verdict as JUnit XML; without one, the evaluation's measures as properties of an empty suite.
pub fn write_junit(path: &Path, of: &str, evaluation: Option<&Evaluation>, verdict: Option<&Verdict>) -> Result<()> {
    let mut suite = TestSuite::new(format!("gate of {of}"));
    for (name, value) in evaluation.iter().flat_map(|e| e.measured(e.bytes).values) {
        suite.add_property((name, value.to_string()));
    }
    for finding in verdict.iter().flat_map(|verdict| &verdict.findings) {
        let mut status = match finding.outcome {
            Outcome::Met => TestCaseStatus::success(),
            Outcome::NoChampion => TestCaseStatus::skipped(),
            Outcome::Missed(_) | Outcome::Unmeasured => TestCaseStatus::non_success(NonSuccessKind::Failure),
        };
        if finding.outcome != Outcome::Met {
            status.set_message(finding.to_string());
        }
        let mut case = TestCase::new(finding.bound.to_string(), status);
        case.set_classname(of.to_owned());
        suite.add_test_case(case);
    }
    let mut report = Report::new("elanus");
    report.add_test_suite(suite);
    let xml = report
        .to_string()
        .map_err(|e| Failure::io("write", path, &std::io::Error::other(format!("the report is no XML ({e})"))))?;
    replace_with(path, xml.as_bytes())
}

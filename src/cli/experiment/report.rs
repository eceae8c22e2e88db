//! `elanus experiment report`: adds up what visitors' pages told, and says what follows from it.

use super::check_alpha;
use crate::failure::{Failure, Result};
use crate::output::Output;
use elanus::release::{Decision, Tally};
use indicatif::HumanCount;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// One line tells of no more queries; a larger number is a mistake, or a lie.
const MOST: u64 = u32::MAX as u64;
const SCHEMA_VERSION: u32 = 1;

/// Say which of two releases visitors prefer, from outcomes that pages told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of outcomes, JSON Lines.
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// The level of the test: how likely it may be wrong at any time, however often one looks.
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    schema_version: u32,
    champion: String,
    challenger: String,
    wins: u64,
    losses: u64,
    #[serde(default)]
    ties: u64,
}

/// Of two releases: what was decided, and on how many queries nothing was.
type Outcomes = BTreeMap<(String, String), (Tally, u64)>;

pub fn run(args: &Args, output: &mut Output) -> Result<()> {
    check_alpha(args.alpha)?;
    let mut outcomes = Outcomes::new();
    for path in &args.files {
        read(path, &mut outcomes)?;
    }
    if outcomes.is_empty() {
        return Err(Failure::input("there are no outcomes yet; a line reads as `elanus experiment --help` shows"));
    }
    output.either(
        || outcomes.iter().map(|(names, found)| text(names, found, args.alpha)).collect::<Vec<_>>().join("\n"),
        || outcomes.iter().map(|(names, found)| value(names, found, args.alpha)).collect::<Vec<_>>().into(),
    )
}

fn read(path: &Path, outcomes: &mut Outcomes) -> Result<()> {
    let io = |e: std::io::Error| Failure::io("read", path, &e);
    for (i, line) in BufReader::new(File::open(path).map_err(io)?).lines().enumerate() {
        let line = line.map_err(io)?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |what: String| Failure::input(what).at(format!("{}:{}", path.display(), i + 1));
        let Line { schema_version, champion, challenger, wins, losses, ties } =
            serde_json::from_str(&line).map_err(|e| wrong(format!("this is no outcome: {e}")))?;
        if schema_version != SCHEMA_VERSION {
            return Err(wrong(format!(
                "schema version {schema_version}; this program knows {SCHEMA_VERSION}: use a newer one"
            )));
        }
        if [wins, losses, ties].iter().any(|&n| n > MOST) {
            return Err(wrong(format!("a line tells of at most {MOST} queries")));
        }
        let (tally, tied) = outcomes.entry((champion, challenger)).or_default();
        *tally = tally.merged(Tally { wins, losses });
        *tied = tied.saturating_add(ties);
    }
    Ok(())
}

fn text((champion, challenger): &(String, String), (tally, ties): &(Tally, u64), alpha: f64) -> String {
    let (low, high) = tally.interval(alpha);
    let verdict = match tally.decision(alpha) {
        Decision::Challenger => format!("{challenger} is preferred"),
        Decision::Champion => format!("{champion} is preferred"),
        Decision::Undecided => "nothing can be said yet".into(),
    };
    format!(
        "{champion} and {challenger}: {verdict}\n  \
         {challenger} won {}, {champion} {}, {} queries decided nothing\n  \
         {challenger} wins {:.1} % of the decided, at any time within {:.1} – {:.1} % with a confidence of {:.0} %; p = {:.4}\n",
        HumanCount(tally.wins),
        HumanCount(tally.losses),
        HumanCount(*ties),
        tally.share() * 100.0,
        low * 100.0,
        high * 100.0,
        (1.0 - alpha) * 100.0,
        tally.p(),
    )
}

fn value((champion, challenger): &(String, String), (tally, ties): &(Tally, u64), alpha: f64) -> Value {
    let (low, high) = tally.interval(alpha);
    let preferred = match tally.decision(alpha) {
        Decision::Challenger => Some(challenger),
        Decision::Champion => Some(champion),
        Decision::Undecided => None,
    };
    json!({ "champion": champion, "challenger": challenger, "wins": tally.wins, "losses": tally.losses, "ties": ties,
        "share": tally.share(), "low": low, "high": high, "alpha": alpha, "p": tally.p(), "preferred": preferred })
}

//! `elanus experiment simulate`: experiments of which the truth is known, from the lists to the verdict.

use super::check_alpha;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::Progress;
use elanus::release::{Decision, Tally, Team, team_draft};
use elanus::words::random::SplitMix64;
use serde_json::{Value, json};

/// Places in a list.
const LIMIT: usize = 10;
/// How likely a visitor who hasn't found it yet looks at the next place.
const PATIENCE: f32 = 0.8;

/// Simulate experiments: how often the test errs where there is no preference, and how often it finds one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Experiments of each kind.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    experiments: u32,

    /// Decided queries after which an experiment ends; one click each. The test looks after every one.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    clicks: u32,

    /// The share of visitors who prefer the challenger, in the experiments with a preference.
    #[arg(long, default_value_t = 0.55)]
    preference: f32,

    /// The level of the test.
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,

    /// What visitors and lists are drawn with.
    #[arg(long, default_value_t = elanus::release::SEED)]
    seed: u64,
}

/// How a visitor chooses a place in the list.
#[derive(Clone, Copy)]
enum Visitor {
    /// By its position alone: whose it is doesn't matter to them.
    Indifferent,
    /// With this probability one of the challenger's, else one of the champion's; the first that they come to.
    Prefers(f32),
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    check_alpha(args.alpha)?;
    if !(args.preference > 0.0 && args.preference < 1.0) {
        return Err(Failure::usage(format!(
            "--preference is {}; it must be more than 0 and less than 1",
            args.preference
        )));
    }
    let bar = progress.count("simulating", 2 * u64::from(args.experiments));
    let mut random = SplitMix64::new(args.seed);
    let mut decided = |visitor: Visitor, truth: Option<Decision>| {
        let mut after: Vec<u32> = Vec::new();
        for _ in 0..args.experiments {
            after.extend(experiment(args, visitor, truth, &mut random));
            bar.inc(1);
        }
        after.sort_unstable();
        after
    };
    let truth = if args.preference > 0.5 { Decision::Challenger } else { Decision::Champion };
    let false_alarms = decided(Visitor::Indifferent, None);
    let found = decided(Visitor::Prefers(args.preference), Some(truth));
    bar.finish_and_clear();
    let rate = |after: &[u32]| after.len() as f64 / f64::from(args.experiments);
    let median = found.get(found.len() / 2).copied();
    output.either(
        || {
            format!(
                "{} experiments of {} decided queries each, looked at after every one, at a level of {}\n\
                 no preference:        {:.1} % decided for one of them (false positives)\n\
                 {:.1} % prefer it: {:>8.1} % decided for it (power){}",
                args.experiments,
                args.clicks,
                args.alpha,
                rate(&false_alarms) * 100.0,
                args.preference * 100.0,
                rate(&found) * 100.0,
                median.map(|n| format!(", half of these after {n} queries")).unwrap_or_default(),
            )
        },
        || {
            json!({ "experiments": args.experiments, "clicks": args.clicks, "alpha": args.alpha, "preference": args.preference,
                "seed": args.seed, "false_positive_rate": rate(&false_alarms), "power": rate(&found),
                "median_queries": median.map_or(Value::Null, Value::from) })
        },
    )
}

/// After how many queries an experiment was decided; `truth`: only for this side.
fn experiment(args: &Args, visitor: Visitor, truth: Option<Decision>, random: &mut SplitMix64) -> Option<u32> {
    let mut tally = Tally::default();
    let mut queries = 0;
    while queries < args.clicks {
        let (champion, challenger) = rankings(random);
        let list = team_draft(&champion, &challenger, LIMIT, random.next_u64());
        let Some(team) = click(&list, visitor, random) else { continue };
        queries += 1;
        let won = team == Team::Challenger;
        tally = tally.merged(Tally { wins: u64::from(won), losses: u64::from(!won) });
        match tally.decision(args.alpha) {
            Decision::Undecided => {}
            decision => return truth.is_none_or(|truth| truth == decision).then_some(queries),
        }
    }
    None
}

/// Two rankings that have a part of their ids in common, in another order.
fn rankings(random: &mut SplitMix64) -> (Vec<u32>, Vec<u32>) {
    let champion: Vec<u32> = (0..LIMIT as u32).collect();
    let mut challenger: Vec<u32> = (4..4 + LIMIT as u32).collect();
    for i in (1..challenger.len()).rev() {
        challenger.swap(i, random.below(i as u32 + 1) as usize);
    }
    (champion, challenger)
}

/// Whose place is clicked on; none if it is nobody's, or the visitor leaves.
fn click(list: &[(u32, Team)], visitor: Visitor, random: &mut SplitMix64) -> Option<Team> {
    let wanted = match visitor {
        Visitor::Indifferent => None,
        Visitor::Prefers(share) if random.unit_f32() < share => Some(Team::Challenger),
        Visitor::Prefers(_) => Some(Team::Champion),
    };
    let team = match wanted {
        Some(wanted) => list.iter().map(|(_, team)| *team).find(|team| *team == wanted),
        None => list.iter().map(|(_, team)| *team).find(|_| random.unit_f32() >= PATIENCE),
    };
    team.filter(|team| *team != Team::Neither)
}

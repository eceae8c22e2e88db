//! `elanus experiment`: what clicks on interleaved lists say, and how far that can be trusted.

mod report;
mod simulate;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::Progress;
use clap::Subcommand;

const EXAMPLES: &str = "\
Examples:
  elanus experiment simulate
  elanus experiment simulate --preference 0.53 --clicks 10000
  elanus experiment report outcomes.jsonl

An outcomes file has one JSON object a line, as many as one likes for the same two releases; they are added up:
  {\"schema_version\":1,\"champion\":\"2026-11\",\"challenger\":\"2026-12\",\"wins\":3,\"losses\":1,\"ties\":12}
A query is won if more of its clicks were on places of the challenger, lost if more were on the champion's.";

/// Compare two releases by what visitors click on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Simulate(simulate::Args),
    Report(report::Args),
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    match &args.command {
        Command::Simulate(args) => simulate::run(args, progress, output),
        Command::Report(args) => report::run(args, output),
    }
}

/// Refuses levels that no test can have.
fn check_alpha(alpha: f64) -> Result<()> {
    match alpha > 0.0 && alpha < 1.0 {
        true => Ok(()),
        false => {
            Err(Failure::usage(format!("--alpha is {alpha}; it must be more than 0 and less than 1, such as 0.05")))
        }
    }
}

//! The `elanus` command: builds index files, looks into them, checks them, searches them, measures
//! and compares them, and keeps releases of them.

mod bench;
mod build;
mod card;
mod convert;
mod evaluate;
mod experiment;
mod failure;
mod foreign;
mod info;
mod instant_json;
mod load;
mod metadata;
mod output;
mod progress;
mod queries;
mod recipe;
mod registry;
mod replace;
mod rows;
mod search;
mod sparse;
mod truth;
mod tune;
mod vectors;
mod verify;

use clap::{Parser, Subcommand};
use output::Output;
use progress::Progress;
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  what was checked isn't as it should be: a damaged or unreadable index file or registry, recall below the demand,
     a release that misses its policy
  2  wrong usage
  3  vectors, metadata, card, query or filter were refused; nothing was written
  4  a file couldn't be read or written, or memory ran out

With --json, results are JSON on standard output, and a failure is one line of JSON on standard error:
  {\"error\":{\"code\":\"INVALID_INPUT\",\"message\":\"…\"}}";

/// Vector search for browsers: build index files from vectors, check them, search them.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Print results, and failures, as JSON.
    #[arg(long, global = true)]
    json: bool,

    /// Show no progress.
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Args),
    Convert(convert::Args),
    Info(info::Args),
    Verify(verify::Args),
    Search(search::Args),
    Bench(bench::Args),
    Evaluate(evaluate::Args),
    Experiment(experiment::Args),
    Registry(registry::Args),
    Tune(tune::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let progress = Progress::new(cli.quiet);
    let mut output = Output::new(cli.json);
    let result = match &cli.command {
        Command::Build(args) => build::run(args, progress, &mut output),
        Command::Convert(args) => convert::run(args, progress, &mut output),
        Command::Info(args) => info::run(args, progress, &mut output),
        Command::Verify(args) => verify::run(args, progress, &mut output),
        Command::Search(args) => search::run(args, progress, &mut output),
        Command::Bench(args) => bench::run(args, progress, &mut output),
        Command::Evaluate(args) => evaluate::run(args, progress, &mut output),
        Command::Experiment(args) => experiment::run(args, progress, &mut output),
        Command::Registry(args) => registry::run(args, progress, &mut output),
        Command::Tune(args) => tune::run(args, progress, &mut output),
    };
    match result.and_then(|()| output.finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output::report(&failure, cli.json),
    }
}

//! `elanus registry`: releases of an index in a folder that any static host can serve.

mod add;
mod alias;
pub mod digest;
mod evaluate;
mod keep;
mod log;
mod manifest;
mod promote;
mod self_test;
mod show;
mod state;
mod store;

use crate::failure::Result;
use crate::output::Output;
use crate::progress::Progress;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;
use store::Store;

pub use store::time;

const EXAMPLES: &str = "\
Examples:
  elanus registry init
  elanus registry add words.elanus --name 2026-11 --notes 'new corpus' --alias challenger
  elanus registry list
  elanus registry diff champion challenger
  elanus registry evaluate 2026-11 queries.npy --vectors vectors.npy
  elanus registry promote 2026-11 --reason 'first release'
  elanus registry rollback --reason 'empty results for names'

A registry is a folder: registry.json says which releases there are and what the aliases name, log.jsonl
who changed that and why, and objects/ has the files, each named by its SHA-256. Copy it to a static host as
it is. A change is made by one rename: a process that is killed leaves the old state or the new one.";

/// Keep releases of an index: versions, aliases, a log.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The registry's folder.
    #[arg(long, short, global = true, default_value = "registry")]
    registry: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an empty registry.
    Init,
    Add(add::Args),
    Remove(add::RemoveArgs),
    /// List the releases and the aliases.
    List,
    Show(show::ShowArgs),
    Diff(show::DiffArgs),
    Evaluate(evaluate::Args),
    Promote(promote::Args),
    Alias(alias::Args),
    Rollback(alias::RollbackArgs),
    Log(show::LogArgs),
    Gc(keep::GcArgs),
    Verify(keep::VerifyArgs),
}

/// What every change takes.
#[derive(Debug, clap::Args)]
struct Change {
    /// Why, for the log.
    #[arg(long)]
    reason: Option<String>,

    /// Check all, say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Change {
    /// What is said of something that was done, or would be.
    fn tense(&self, done: &str) -> String {
        if self.dry_run { format!("would be done: {done}") } else { done.into() }
    }
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    let root = args.registry.as_path();
    if matches!(args.command, Command::Init) {
        Store::init(root)?;
        return output.either(
            || format!("{}: an empty registry", root.display()),
            || json!({ "registry": root, "generation": 1 }),
        );
    }
    let store = Store::open(root)?;
    match &args.command {
        Command::Init => Ok(()),
        Command::Add(args) => add::run(args, &store, progress, output),
        Command::Remove(args) => add::remove(args, &store, output),
        Command::List => show::list(&store, output),
        Command::Show(args) => show::show(args, &store, output),
        Command::Diff(args) => show::diff(args, &store, output),
        Command::Evaluate(args) => evaluate::run(args, &store, progress, output),
        Command::Promote(args) => promote::run(args, &store, output),
        Command::Alias(args) => alias::run(args, &store, output),
        Command::Rollback(args) => alias::rollback(args, &store, output),
        Command::Log(args) => show::log(args, &store, output),
        Command::Gc(args) => keep::gc(args, &store, output),
        Command::Verify(args) => keep::verify(args, &store, progress, output),
    }
}

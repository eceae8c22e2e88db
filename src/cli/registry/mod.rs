//! `elanus registry`: releases of an index in a folder that any static host can serve.

mod add;
mod alias;
pub mod digest;
mod evaluate;
mod keep;
mod log;
mod manifest;
mod promote;
mod range;
mod self_test;
mod serve;
mod show;
mod sign;
mod signature;
mod sketch;
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
  elanus registry keygen
  elanus registry sign 2026-11 --key elanus.key
  elanus registry verify --public-key elanus.pub
  elanus registry serve

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
    Init(InitArgs),
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
    Keygen(sign::KeygenArgs),
    Sign(sign::SignArgs),
    Serve(serve::Args),
}

/// Make an empty registry.
#[derive(Debug, clap::Args)]
struct InitArgs {
    /// Check whether it can be made, and make nothing.
    #[arg(long)]
    dry_run: bool,
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
    match &args.command {
        Command::Init(InitArgs { dry_run }) => {
            match dry_run {
                true => Store::can_init(root)?,
                false => drop(Store::init(root)?),
            }
            let would = if *dry_run { "would be " } else { "" };
            return output.either(
                || format!("{}: {would}an empty registry", root.display()),
                || json!({ "dry_run": dry_run, "registry": root, "generation": 1 }),
            );
        }
        Command::Keygen(args) => return sign::keygen(args, output),
        _ => {}
    }
    let store = Store::open(root)?;
    match &args.command {
        Command::Init(_) | Command::Keygen(_) => Ok(()),
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
        Command::Serve(args) => serve::run(args, &store, output),
        Command::Sign(args) => sign::sign(args, &store, output),
    }
}

//! `elanus registry promote`: a release becomes the champion, if the policy allows it.

use super::Change;
use super::alias::{moved, set};
use super::log::Action;
use super::manifest::Manifest;
use super::state::{CHAMPION, State, check_name};
use super::store::Store;
use crate::evaluate::{Evaluation, read_policy, require, verdict_text, write_junit};
use crate::failure::{Failure, Result};
use crate::output::Output;
use elanus::release::{Measured, Policy};
use serde_json::json;
use std::path::PathBuf;

/// The policy of a registry, in its folder.
const POLICY: &str = "policy.json";

/// Let the champion be a release that its policy allows.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The release, by its name or an alias.
    release: String,

    /// The alias to move.
    #[arg(long, default_value = CHAMPION)]
    alias: String,

    /// What the release must reach. Default: policy.json in the registry.
    #[arg(long)]
    policy: Option<PathBuf>,

    /// Promote it although it misses the policy; needs a --reason, and the log keeps both.
    #[arg(long, requires = "reason")]
    force: bool,

    /// Write the verdict as JUnit XML, for CI systems: a test case for each bound of the policy.
    #[arg(long)]
    junit: Option<PathBuf>,

    #[command(flatten)]
    change: Change,
}

pub fn run(args: &Args, store: &Store, output: &mut Output) -> Result<()> {
    check_name(&args.alias)?;
    if args.force && args.change.reason.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Failure::usage("--force needs a --reason that says why"));
    }
    let mut changing = store.change()?;
    let state = &changing.now.state;
    if state.find(&args.alias).is_some() {
        return Err(Failure::usage(format!("{} is a release's name; an alias needs another", args.alias)));
    }
    let release = state.resolve(&args.release)?.clone();
    if state.aliases.get(&args.alias) == Some(&release.name) {
        return Err(Failure::input(format!("{} names {} already", args.alias, release.name)));
    }
    let policy = policy(args, store)?;
    let manifest = store.manifest(&release)?;
    let evaluation = chosen(&policy, &manifest)?;
    let measured = measured(evaluation, &manifest, &args.alias, state, store)?;
    let verdict = policy.judge(&measured);
    if let Some(path) = &args.junit {
        write_junit(path, &release.name, evaluation, Some(&verdict))?;
    }
    if !args.force {
        require(&release.name, &verdict)?;
    }
    let forced = !verdict.passes();
    let before = set(&mut changing, Action::Promote, &args.alias, &release.name, forced, &args.change)?;
    output.either(
        || {
            let done = args.change.tense(&moved(&args.alias, &release.name, before.as_deref()));
            format!("{}{done}{}", verdict_text(&verdict), if forced { ", against the gate" } else { "" })
        },
        || {
            json!({ "dry_run": args.change.dry_run, "alias": args.alias, "release": release.name, "before": before,
                "forced": forced, "verdict": verdict })
        },
    )
}

fn policy(args: &Args, store: &Store) -> Result<Policy> {
    let path = args.policy.clone().unwrap_or_else(|| store.path(POLICY));
    if args.policy.is_none() && !path.exists() {
        return Err(Failure::input(format!(
            "there is no {}, so nothing says what is good enough; write one (docs/releases.md shows how), or move the \
             alias by hand with `elanus registry alias`",
            path.display()
        )));
    }
    read_policy(&path)
}

/// The evaluation that the policy speaks of; none if the release has none.
fn chosen<'a>(policy: &Policy, manifest: &'a Manifest) -> Result<Option<&'a Evaluation>> {
    match (&policy.evaluation, manifest.evaluations.as_slice()) {
        (Some(name), evaluations) => Ok(evaluations.iter().find(|evaluation| evaluation.name == *name)),
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only)),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|evaluation| evaluation.name.as_str()).collect();
            Err(Failure::input(format!(
                "{} was evaluated on {}; \"evaluation\" in the policy must say which of them counts",
                manifest.release,
                names.join(", ")
            )))
        }
    }
}

/// What is known of a release. What it was compared with counts only if that is what the alias names now.
fn measured(
    evaluation: Option<&Evaluation>,
    manifest: &Manifest,
    alias: &str,
    state: &State,
    store: &Store,
) -> Result<Measured> {
    let mut measured = match evaluation {
        Some(evaluation) => evaluation.measured(manifest.bytes()),
        None => Measured { bytes: manifest.bytes(), ..Measured::default() },
    };
    let Some(champion) = state.aliases.get(alias).and_then(|name| state.find(name)) else {
        measured.champion = None;
        return Ok(measured);
    };
    let sha256 = store.manifest(champion)?.index_file().sha256.clone();
    let against = evaluation.and_then(|evaluation| evaluation.against.as_ref());
    if against.is_none_or(|against| against.sha256.as_ref() != Some(&sha256)) {
        measured.champion = Some(Default::default());
        measured.values.retain(|measure, _| !elanus::release::gate::is_comparison(measure));
    }
    Ok(measured)
}

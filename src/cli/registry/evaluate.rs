//! `elanus registry evaluate`: measures a release, and keeps what was found in its manifest.

use super::Change;
use super::log::Action;
use super::manifest::{Manifest, Role};
use super::self_test::SelfTest;
use super::signature::Signer;
use super::sketch;
use super::state::{CHAMPION, Release, State, damaged};
use super::store::{Draft, Store};
use crate::evaluate::{Evaluation, Found, Options, Place, evaluate, text, write_html};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::Progress;
use serde_json::json;
use std::path::PathBuf;

/// Measure a release on a set of queries, beside the champion, and keep what is found.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The release, by its name or an alias.
    release: String,

    #[command(flatten)]
    options: Options,

    /// The release to compare with, by its name or an alias. Default: the champion, if there is one.
    #[arg(long, help_heading = "Beside another index")]
    against: Option<String>,

    /// Write a page with plots: one file that needs nothing else.
    #[arg(long)]
    html: Option<PathBuf>,

    /// Sign the manifest with this secret key: what is found changes it, so a signature it had doesn't hold any more.
    #[arg(long)]
    key: Option<PathBuf>,

    #[command(flatten)]
    change: Change,
}

pub fn run(args: &Args, store: &Store, progress: Progress, output: &mut Output) -> Result<()> {
    // Measuring takes long and reads files that never change: others may go on meanwhile.
    let signer = args.key.as_deref().map(Signer::open).transpose()?;
    let state = store.read()?.state;
    let release = state.resolve(&args.release)?.clone();
    let other = beside(args, &state, &release)?;
    let manifest = store.manifest(&release)?;
    let against = other.map(|other| Ok::<_, Failure>((other.name.clone(), store.manifest(other)?))).transpose()?;
    let path = store.path(&manifest.index_file().path);
    let other_path = against.as_ref().map(|(_, manifest)| store.path(&manifest.index_file().path));
    let place = |name: &str, manifest: &Manifest, path| Place {
        name: name.to_owned(),
        sha256: Some(manifest.index_file().sha256.clone()),
        path,
        bytes: Some(manifest.bytes()),
    };
    let other = against.as_ref().zip(other_path.as_deref()).map(|((name, m), path)| place(name, m, path));
    let found = evaluate(&place(&release.name, &manifest, &path), other.as_ref(), &args.options, progress)?;
    let Found { evaluation, answers, other, sealed, queries } = found;
    if let Some(path) = &args.html {
        write_html(path, &release.name, &evaluation, &answers, other.as_ref(), None)?;
    }
    if !args.change.dry_run {
        let found = Described {
            evaluation: &evaluation,
            self_test: SelfTest::of(&sealed, &queries)?,
            sketch: sketch::sketch(&sealed, Some(&queries), progress)?,
            signer,
        };
        keep(args, store, &release, found)?;
    }
    output.either(
        || args.change.tense(&text(&release.name, &evaluation)),
        || json!({ "dry_run": args.change.dry_run, "release": release.name, "evaluation": evaluation }),
    )
}

/// The release that it is compared with.
fn beside<'a>(args: &Args, state: &'a State, release: &Release) -> Result<Option<&'a Release>> {
    let other = match &args.against {
        Some(name) => Some(state.resolve(name)?),
        None => state.aliases.get(CHAMPION).and_then(|name| state.find(name)),
    };
    match other.filter(|other| other.name != release.name) {
        None if args.against.is_some() => Err(Failure::usage("a release can't be compared with itself")),
        other => Ok(other),
    }
}

/// What a manifest says more of a release that was evaluated.
struct Described<'a> {
    evaluation: &'a Evaluation,
    /// Real queries say more than random directions.
    self_test: Option<SelfTest>,
    /// And more than rows of the index; of few queries there is none.
    sketch: Option<Vec<u8>>,
    signer: Option<Signer>,
}

/// Puts an evaluation into the manifest, in the place of one of the same name.
fn keep(args: &Args, store: &Store, release: &Release, found: Described<'_>) -> Result<()> {
    let Described { evaluation, self_test, sketch, signer } = found;
    let mut changing = store.change()?;
    let Some(now) = changing.now.state.find(&release.name).cloned() else {
        return Err(Failure::input(format!("{} was removed while it was evaluated", release.name)));
    };
    let (before, mut manifest) = (store.manifest(release)?, store.manifest(&now)?);
    if before.index_file() != manifest.index_file() {
        return Err(damaged(format!("{} has other files than when its evaluation began", release.name)));
    }
    manifest.evaluations.retain(|other| other.name != evaluation.name);
    manifest.evaluations.push(evaluation.clone());
    manifest.self_test = self_test;
    if let Some(sketch) = &sketch
        && manifest.sketch().is_some()
    {
        manifest.set_sketch(changing.put_bytes(Role::Sketch, sketch::NAME, sketch)?);
    }
    let sha256 = changing.put_manifest(&manifest)?;
    if let Some(signer) = &signer {
        changing.put_signature(signer, &manifest)?;
    }
    let draft = Draft {
        release: Some(release.name.clone()),
        manifest: Some(sha256.clone()),
        reason: Some(args.change.reason.clone().unwrap_or_else(|| format!("evaluated on {}", evaluation.name))),
        ..Draft::default()
    };
    changing.commit(Action::Describe, draft, |state| {
        for release in state.releases.iter_mut().filter(|other| other.name == release.name) {
            release.manifest.clone_from(&sha256);
        }
    })
}

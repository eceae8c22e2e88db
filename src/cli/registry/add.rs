//! `elanus registry add` and `remove`: which releases there are.

use super::Change;
use super::digest::digest_file;
use super::log::Action;
use super::manifest::{DataCard, IndexCard, Manifest, Role};
use super::self_test::SelfTest;
use super::signature::Signer;
use super::sketch;
use super::state::{Release, check_name};
use super::store::{Draft, Store, time, who};
use crate::failure::{Failure, Result};
use crate::load;
use crate::output::Output;
use crate::progress::Progress;
use crate::queries;
use indicatif::HumanBytes;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;

/// Add a release: an index file, and what belongs to it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The index file. It is verified, and copied into the registry.
    index: PathBuf,

    /// The release's name: 1 to 64 of a-z, 0-9, '.', '_' and '-'.
    #[arg(long)]
    name: String,

    /// A file of the model that embeds queries; may be given several times.
    #[arg(long)]
    model_file: Vec<PathBuf>,

    /// The file that the vectors or texts came from, for its hash. It isn't copied.
    #[arg(long)]
    data: Option<PathBuf>,

    /// Where the data came from: an address, a table, a query.
    #[arg(long)]
    data_source: Option<String>,

    /// What is new.
    #[arg(long)]
    notes: Option<String>,

    /// Who made it. Default: what ELANUS_AUTHOR, the CI system or the system's user say.
    #[arg(long)]
    author: Option<String>,

    /// The commit it was made from. Default: what GITHUB_SHA or CI_COMMIT_SHA say.
    #[arg(long)]
    commit: Option<String>,

    /// An alias that names it from now on, such as challenger.
    #[arg(long)]
    alias: Option<String>,

    /// Queries like those that visitors will ask, to watch by and for the self-test: a vector file or JSON. Without them
    /// rows of the index stand for queries, until the release is evaluated.
    #[arg(long)]
    queries: Option<String>,

    /// Store no sketch of queries and corpus; pages can't watch for drift then.
    #[arg(long, conflicts_with = "queries")]
    no_sketch: bool,

    /// Sign it with this secret key.
    #[arg(long)]
    key: Option<PathBuf>,

    #[command(flatten)]
    change: Change,
}

pub fn run(args: &Args, store: &Store, progress: Progress, output: &mut Output) -> Result<()> {
    check_name(&args.name)?;
    args.alias.as_deref().map(check_name).transpose()?;
    let sealed = load::open(&args.index, progress)?;
    let card: Value = serde_json::from_str(sealed.card()).unwrap_or_default();
    let data = data_card(args, sealed.header().count, progress)?;
    let index = IndexCard::of(&sealed);
    let queries = args.queries.as_ref().map(|source| queries::read_for(source, &sealed, progress)).transpose()?;
    let self_test = match &queries {
        Some(queries) => SelfTest::of(&sealed, queries)?,
        None => SelfTest::of_directions(&sealed)?,
    };
    let sketch = if args.no_sketch { None } else { sketch::sketch(&sealed, queries.as_deref(), progress)? };
    drop((sealed, queries));
    let signer = args.key.as_deref().map(Signer::open).transpose()?;

    let mut changing = store.change()?;
    let state = &changing.now.state;
    if state.find(&args.name).is_some() || state.aliases.contains_key(&args.name) {
        return Err(Failure::usage(format!(
            "{} is taken already; releases stay as they are: choose another",
            args.name
        )));
    }
    if let Some(alias) = args.alias.as_deref().filter(|alias| state.find(alias).is_some() || **alias == args.name) {
        return Err(Failure::usage(format!("{alias} is a release's name; an alias needs another")));
    }
    let author = args.author.clone().unwrap_or_else(who);
    if args.change.dry_run {
        let text = format!("{}: {} would be added", args.name, args.index.display());
        return output.either(|| text, || json!({ "dry_run": true, "release": args.name, "index": index }));
    }
    let mut files = vec![changing.put_file(Role::Index, &args.index, progress)?];
    for path in &args.model_file {
        files.push(changing.put_file(Role::Model, path, progress)?);
    }
    if let Some(sketch) = &sketch {
        files.push(changing.put_bytes(Role::Sketch, sketch::NAME, sketch)?);
    }
    let part = |name: &str| card.get(name).filter(|value| value.is_object()).cloned();
    let manifest = Manifest {
        commit: args.commit.clone().or_else(commit),
        notes: args.notes.clone(),
        model: part("model"),
        data: Some(data),
        build: part("build"),
        self_test,
        ..Manifest::new(args.name.clone(), time(), author, files, index)
    };
    let sha256 = changing.put_manifest(&manifest)?;
    if let Some(signer) = &signer {
        changing.put_signature(signer, &manifest)?;
    }
    let before = args.alias.as_ref().and_then(|alias| changing.now.state.aliases.get(alias).cloned());
    let draft = Draft {
        alias: args.alias.clone(),
        release: Some(args.name.clone()),
        before,
        manifest: Some(sha256.clone()),
        reason: args.change.reason.clone(),
        ..Draft::default()
    };
    changing.commit(Action::Add, draft, |state| {
        state.releases.push(Release { name: args.name.clone(), manifest: sha256.clone() });
        if let Some(alias) = &args.alias {
            state.aliases.insert(alias.clone(), args.name.clone());
        }
    })?;
    output.either(
        || {
            let alias = args.alias.as_ref().map(|alias| format!(", named by {alias}")).unwrap_or_default();
            format!("{}: added, {}{alias}\n  manifest {sha256}", args.name, HumanBytes(manifest.bytes()))
        },
        || json!({ "release": args.name, "manifest": sha256, "bytes": manifest.bytes(), "alias": args.alias }),
    )
}

fn data_card(args: &Args, rows: u32, progress: Progress) -> Result<DataCard> {
    let sha256 = match &args.data {
        Some(path) => {
            let io = |e: std::io::Error| Failure::io("read", path, &e);
            let mut file = File::open(path).map_err(io)?;
            let bar = progress.bytes("reading the data", file.metadata().map_err(io)?.len());
            let count = |piece: &[u8]| {
                bar.inc(piece.len() as u64);
                Ok(())
            };
            let (sha256, _) = digest_file(&mut file, count).map_err(io)?;
            bar.finish_and_clear();
            Some(sha256)
        }
        None => None,
    };
    let name = || args.data.as_ref().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    Ok(DataCard { source: args.data_source.clone().or_else(name), sha256, rows })
}

fn commit() -> Option<String> {
    ["GITHUB_SHA", "CI_COMMIT_SHA"].iter().find_map(|name| std::env::var(name).ok().filter(|sha| !sha.is_empty()))
}

/// Remove a release that no alias names. `gc` then takes its files away.
#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// The release.
    release: String,

    #[command(flatten)]
    change: Change,
}

pub fn remove(args: &RemoveArgs, store: &Store, output: &mut Output) -> Result<()> {
    let mut changing = store.change()?;
    let state = &changing.now.state;
    let release = state.resolve(&args.release)?.clone();
    let aliases: Vec<&str> = state.aliases_of(&release.name).collect();
    if !aliases.is_empty() {
        return Err(Failure::input(format!(
            "{} is named by {}; move or delete the alias first",
            release.name,
            aliases.join(", ")
        )));
    }
    if !args.change.dry_run {
        let draft = Draft {
            release: Some(release.name.clone()),
            manifest: Some(release.manifest.clone()),
            reason: args.change.reason.clone(),
            ..Draft::default()
        };
        changing.commit(Action::Remove, draft, |state| state.releases.retain(|other| other.name != release.name))?;
    }
    output.either(
        || args.change.tense(&format!("{} removed", release.name)),
        || json!({ "dry_run": args.change.dry_run, "removed": release.name }),
    )
}

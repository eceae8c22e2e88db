//! `elanus registry alias` and `rollback`: what the aliases name.

use super::Change;
use super::log::{Action, history};
use super::state::{CHAMPION, check_name};
use super::store::{Changing, Draft, Store};
use crate::failure::{Failure, Result};
use crate::output::Output;
use serde_json::json;

/// Let an alias name a release, or delete it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The alias, such as champion, challenger or a name of your own.
    alias: String,

    /// The release, by its name or another alias.
    #[arg(required_unless_present = "delete", conflicts_with = "delete")]
    release: Option<String>,

    /// Delete the alias; the release stays.
    #[arg(long)]
    delete: bool,

    #[command(flatten)]
    change: Change,
}

pub fn run(args: &Args, store: &Store, output: &mut Output) -> Result<()> {
    check_name(&args.alias)?;
    let mut changing = store.change()?;
    let state = &changing.now.state;
    let before = state.aliases.get(&args.alias).cloned();
    let Some(name) = &args.release else {
        let Some(before) = before else {
            return Err(Failure::input(format!("there is no alias {:?}", args.alias)));
        };
        if !args.change.dry_run {
            let draft = Draft {
                alias: Some(args.alias.clone()),
                before: Some(before.clone()),
                reason: args.change.reason.clone(),
                ..Draft::default()
            };
            changing.commit(Action::Unalias, draft, |state| drop(state.aliases.remove(&args.alias)))?;
        }
        return output.either(
            || args.change.tense(&format!("{} deleted; it named {before}", args.alias)),
            || json!({ "dry_run": args.change.dry_run, "alias": args.alias, "release": null, "before": before }),
        );
    };
    if state.find(&args.alias).is_some() {
        return Err(Failure::usage(format!("{} is a release's name; an alias needs another", args.alias)));
    }
    let release = state.resolve(name)?.name.clone();
    if before.as_ref() == Some(&release) {
        return Err(Failure::input(format!("{} names {release} already", args.alias)));
    }
    point(&mut changing, Action::Alias, &args.alias, &release, &args.change, output)
}

/// Let an alias name again what it named before.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    /// The alias.
    #[arg(default_value = CHAMPION)]
    alias: String,

    #[command(flatten)]
    change: Change,
}

pub fn rollback(args: &RollbackArgs, store: &Store, output: &mut Output) -> Result<()> {
    let mut changing = store.change()?;
    let past = history(&changing.now.entries, &args.alias);
    let release = match past.as_slice() {
        [] => return Err(Failure::input(format!("there is no alias {:?}", args.alias))),
        [only] => {
            return Err(Failure::input(format!(
                "{} has named nothing before {only}; there is nothing to go back to",
                args.alias
            )));
        }
        [.., before, _] => before.clone(),
    };
    if changing.now.state.find(&release).is_none() {
        return Err(Failure::input(format!(
            "{} named {release} before, which was removed; set it with `elanus registry alias {} RELEASE`",
            args.alias, args.alias
        )));
    }
    point(&mut changing, Action::Rollback, &args.alias, &release, &args.change, output)
}

/// Moves an alias, and says so.
fn point(
    changing: &mut Changing<'_>,
    action: Action,
    alias: &str,
    release: &str,
    change: &Change,
    output: &mut Output,
) -> Result<()> {
    let before = set(changing, action, alias, release, false, change)?;
    output.either(
        || change.tense(&moved(alias, release, before.as_deref())),
        || json!({ "dry_run": change.dry_run, "alias": alias, "release": release, "before": before }),
    )
}

/// Moves an alias; gives what it named before. `forced`: although the gate refused it.
pub fn set(
    changing: &mut Changing<'_>,
    action: Action,
    alias: &str,
    release: &str,
    forced: bool,
    change: &Change,
) -> Result<Option<String>> {
    let before = changing.now.state.aliases.get(alias).cloned();
    if !change.dry_run {
        let draft = Draft {
            alias: Some(alias.into()),
            release: Some(release.into()),
            before: before.clone(),
            forced,
            reason: change.reason.clone(),
            ..Draft::default()
        };
        changing.commit(action, draft, |state| drop(state.aliases.insert(alias.into(), release.into())))?;
    }
    Ok(before)
}

/// What is said of an alias that was moved.
pub fn moved(alias: &str, release: &str, before: Option<&str>) -> String {
    format!("{alias} names {release}{}", before.map(|before| format!("; it named {before}")).unwrap_or_default())
}

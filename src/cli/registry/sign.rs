//! `elanus registry keygen` and `sign`: keys, and signatures of releases.

use super::Change;
use super::log::Action;
use super::signature::{PASSWORD, Signer, password};
use super::store::{Draft, Store};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::replace::replace_new;
use minisign::KeyPair;
use serde_json::json;
use std::path::PathBuf;

/// Make a pair of keys: one that signs releases, and one that pages check them with.
#[derive(Debug, clap::Args)]
pub struct KeygenArgs {
    /// Where they go: OUTPUT.pub and OUTPUT.key. Files that are there stay.
    #[arg(long, short, default_value = "elanus")]
    output: PathBuf,

    /// Leave the secret key without a password: whoever has the file can sign.
    #[arg(long)]
    no_password: bool,
}

pub fn keygen(args: &KeygenArgs, output: &mut Output) -> Result<()> {
    let ending = |ending: &str| {
        let mut path = args.output.clone().into_os_string();
        path.push(ending);
        PathBuf::from(path)
    };
    let (public, secret) = (ending(".pub"), ending(".key"));
    if let Some(there) = [&public, &secret].into_iter().find(|path| path.exists()) {
        return Err(Failure::usage(format!(
            "{} is there already; what was signed with its key would be lost: choose another --output",
            there.display()
        )));
    }
    let failed = |e: minisign::PError| Failure::input(format!("no keys were made: {e}"));
    let pair = match args.no_password {
        true => KeyPair::generate_unencrypted_keypair(),
        false => {
            let password = password(true)?;
            if password.is_empty() {
                return Err(Failure::input(format!(
                    "the password is empty; give one (or put it into {PASSWORD}), or say --no-password"
                )));
            }
            KeyPair::generate_encrypted_keypair(Some(password))
        }
    };
    let KeyPair { pk, sk } = pair.map_err(failed)?;
    let (key, boxed) = (pk.to_base64(), sk.to_box(Some("secret key for releases of Elanus")).map_err(failed)?);
    // The secret one first: a public key alone is of no use.
    replace_new(&secret, boxed.to_string().as_bytes(), true)?;
    replace_new(&public, pk.to_box().map_err(failed)?.to_string().as_bytes(), false)?;
    output.either(
        || {
            format!(
                "{}: signs releases; keep it to yourself\n{}: the public key, for pages and for verify\n  {key}",
                secret.display(),
                public.display()
            )
        },
        || json!({ "secret_key": secret, "public_key_file": public, "public_key": key }),
    )
}

/// Sign a release's manifest, and so all of the release. A signature that is there is replaced.
#[derive(Debug, clap::Args)]
pub struct SignArgs {
    /// The release, by its name or an alias.
    release: String,

    /// The secret key, by `keygen` or by minisign. Its password is asked for, or taken from ELANUS_KEY_PASSWORD.
    #[arg(long)]
    key: PathBuf,

    #[command(flatten)]
    change: Change,
}

pub fn sign(args: &SignArgs, store: &Store, output: &mut Output) -> Result<()> {
    let signer = Signer::open(&args.key)?;
    let mut changing = store.change()?;
    let release = changing.now.state.resolve(&args.release)?.clone();
    let manifest = store.manifest(&release)?;
    if !args.change.dry_run {
        changing.put_signature(&signer, &manifest)?;
        let draft = Draft {
            release: Some(release.name.clone()),
            manifest: Some(release.manifest.clone()),
            reason: Some(args.change.reason.clone().unwrap_or_else(|| format!("by the key {}", signer.id()))),
            ..Draft::default()
        };
        changing.commit(Action::Sign, draft, |_| {})?;
    }
    output.either(
        || args.change.tense(&format!("{} signed by the key {}", release.name, signer.id())),
        || json!({ "dry_run": args.change.dry_run, "release": release.name, "manifest": release.manifest, "key": signer.id() }),
    )
}

//! `elanus verify`

use crate::failure::{Failure, Result};
use crate::load;
use crate::output::Output;
use crate::progress::Progress;
use elanus::words::Error;
use indicatif::{HumanBytes, HumanCount};
use serde::de::IgnoredAny;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  elanus verify words.elanus
  elanus verify words.elanus && cp words.elanus /srv/www/

Reads every byte: checksums, padding, every number, key, code, link and stored field. Exits with 1 and says
what is wrong if something is.";

/// Check that an index file is whole.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The index file.
    file: PathBuf,
}

pub fn run(args: &Args, progress: Progress, output: &mut Output) -> Result<()> {
    let sealed = load::open(&args.file, progress)?;
    let named = |e| Failure::from(e).at(args.file.display());
    if let Err(e) = serde_json::from_str::<IgnoredAny>(sealed.card()) {
        return Err(named(Error::corrupt(format!("the card is no JSON ({e}); the file was written wrongly"))));
    }
    let bar = progress.count("unpacking stored fields", sealed.header().count.into());
    sealed
        .for_each_fields(|row, text| {
            bar.inc(1);
            serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|e| {
                Error::corrupt(format!(
                    "the stored fields of row {row} are no JSON ({e}); the file was written wrongly"
                ))
            })
        })
        .map_err(named)?;
    bar.finish_and_clear();
    let (layout, count) = (sealed.layout(), sealed.header().count);
    output.either(
        || {
            format!(
                "{}: whole ({} vectors, {} sections, {}, checksum {:016x})",
                args.file.display(),
                HumanCount(count.into()),
                layout.entries.len(),
                HumanBytes(layout.file_bytes),
                layout.checksum
            )
        },
        || {
            json!({
                "ok": true,
                "count": count,
                "sections": layout.entries.len(),
                "bytes": layout.file_bytes,
                "checksum": format!("{:016x}", layout.checksum),
            })
        },
    )
}

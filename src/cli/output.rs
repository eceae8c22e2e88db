//! Results on standard output, failures on standard error.

use crate::failure::{Exit, Failure, Result};
use serde_json::{Value, json};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

/// Where a command's results go.
pub struct Output {
    out: BufWriter<Box<dyn Write>>,
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Output { out: BufWriter::new(Box::new(std::io::stdout().lock())), json }
    }

    /// Of a command that is a part of another, which says itself what was done.
    pub fn muted() -> Self {
        Output { out: BufWriter::new(Box::new(std::io::sink())), json: false }
    }

    /// Whether results are wanted as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<()> {
        writeln!(self.out, "{text}").map_err(failed)
    }

    /// A line for people, or a JSON value for programs.
    pub fn either(&mut self, text: impl FnOnce() -> String, value: impl FnOnce() -> Value) -> Result<()> {
        if self.json { self.line(value()) } else { self.line(text().trim_end()) }
    }

    /// Shows what was said so far, of a command that goes on.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(failed)
    }

    pub fn finish(mut self) -> Result<()> {
        self.out.flush().map_err(failed)
    }
}

/// A reader that has seen enough (`| head`) closes the pipe; that is no failure.
const CLOSED: &str = "CLOSED";

fn failed(error: std::io::Error) -> Failure {
    let failure = Failure::io("write", Path::new("standard output"), &error);
    if error.kind() == ErrorKind::BrokenPipe { Failure { code: CLOSED, ..failure } } else { failure }
}

/// Tells of a failure; gives its exit code.
pub fn report(failure: &Failure, json: bool) -> ExitCode {
    if failure.code == CLOSED {
        return ExitCode::SUCCESS;
    }
    if json {
        eprintln!("{}", json!({ "error": { "code": failure.code, "message": failure.message } }));
    } else {
        let hint = if failure.exit == Exit::Usage { "\nSee `elanus --help`." } else { "" };
        eprintln!("error: {} ({}){hint}", failure.message, failure.code);
    }
    ExitCode::from(failure.exit as u8)
}

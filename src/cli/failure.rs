//! How a command fails: an exit code for scripts, a stable name for programs, a sentence for people.

use elanus::words::{Code, Error};
use std::fmt;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Failure>;

/// Exit codes. They are part of the command's interface: `elanus --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was checked isn't as it should be: a damaged index file, or recall below the demand.
    CheckFailed = 1,
    /// The command was called wrongly.
    Usage = 2,
    /// Vectors, metadata, card, query or filter were refused.
    Input = 3,
    /// A file couldn't be read or written, or memory ran out.
    System = 4,
}

/// Why a command stopped.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub code: &'static str,
    pub message: String,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Failure { exit: Exit::Usage, code: Code::InvalidArgument.name(), message: message.into() }
    }

    pub fn input(message: impl Into<String>) -> Self {
        Failure { exit: Exit::Input, code: Code::InvalidInput.name(), message: message.into() }
    }

    pub fn check(code: &'static str, message: impl Into<String>) -> Self {
        Failure { exit: Exit::CheckFailed, code, message: message.into() }
    }

    /// A failed read or write of `path`.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Failure { exit: Exit::System, code: "IO_ERROR", message: format!("can't {doing} {}: {error}", path.display()) }
    }

    /// The same, with the place it speaks of in front.
    pub fn at(self, place: impl fmt::Display) -> Self {
        Failure { message: format!("{place}: {}", self.message), ..self }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.code {
            Code::CorruptFile | Code::UnsupportedFormat | Code::UnsupportedVersion => Exit::CheckFailed,
            Code::InvalidArgument => Exit::Usage,
            Code::OutOfMemory => Exit::System,
            _ => Exit::Input,
        };
        Failure { exit, code: error.code.name(), message: error.message }
    }
}

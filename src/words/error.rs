//! One error type for the whole crate: a stable code to match on and a sentence to read.

use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, as a stable name. JavaScript sees the same names in `ElanusError.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// An option is out of its range or contradicts another one.
    InvalidArgument,
    /// A vector has another dimension than the index.
    DimensionMismatch,
    /// A vector holds NaN or an infinity, or can't be used with the metric.
    InvalidVector,
    /// Rows given to a build are unusable (ragged, duplicate keys, counts that differ).
    InvalidInput,
    /// Bytes that claim to be an index file are damaged or forged.
    CorruptFile,
    /// The bytes are no index file, or use something that this version doesn't know.
    UnsupportedFormat,
    /// The file's format version is outside the readable range.
    UnsupportedVersion,
    /// A filter expression can't be parsed or has a type error.
    InvalidFilter,
    /// A filter or `outputFields` names a field that the file doesn't have.
    FieldNotFound,
    /// The query was embedded by another model than the index.
    ModelMismatch,
    /// Memory ran out; nothing was changed.
    OutOfMemory,
    /// A database has no collection or alias of that name.
    CollectionNotFound,
    /// A database has a collection or an alias of that name already.
    CollectionExists,
}

impl Code {
    /// The name shown to callers in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::DimensionMismatch => "DIMENSION_MISMATCH",
            Code::InvalidVector => "INVALID_VECTOR",
            Code::InvalidInput => "INVALID_INPUT",
            Code::CorruptFile => "CORRUPT_FILE",
            Code::UnsupportedFormat => "UNSUPPORTED_FORMAT",
            Code::UnsupportedVersion => "UNSUPPORTED_VERSION",
            Code::InvalidFilter => "INVALID_FILTER",
            Code::FieldNotFound => "FIELD_NOT_FOUND",
            Code::ModelMismatch => "MODEL_MISMATCH",
            Code::OutOfMemory => "OUT_OF_MEMORY",
            Code::CollectionNotFound => "COLLECTION_NOT_FOUND",
            Code::CollectionExists => "COLLECTION_EXISTS",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure: the [`Code`] to match on, and a message that says what was expected, what came, and
/// what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// Expected, found, remedy: one or two sentences for a person.
    pub message: String,
}

impl Error {
    /// An error with this code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: message.into() }
    }

    /// A damaged or forged file.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Error::new(Code::CorruptFile, message)
    }

    /// An option that can't be honoured.
    pub fn argument(message: impl Into<String>) -> Self {
        Error::new(Code::InvalidArgument, message)
    }

    /// A vector of the wrong length.
    pub fn dimension(expected: usize, found: usize) -> Self {
        Error::new(
            Code::DimensionMismatch,
            format!(
                "the index holds vectors of {expected} dimensions, but the query has {found}; \
                 embed it with the model that the index was built with"
            ),
        )
    }
}

//! What a file of another library doesn't say of itself.

use crate::foreign::{Format, Hints, Space};
use crate::words::{Error, Result};
use serde::Deserialize;
use wasm_bindgen::JsValue;

/// What JavaScript knows of a file that the file doesn't say.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    format: Option<String>,
    dimension: Option<usize>,
    metric: Option<String>,
}

impl Told {
    /// The same, checked.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a name that is none.
    fn hints(&self) -> Result<Hints> {
        Ok(Hints {
            format: self.format.as_deref().map(Format::parse).transpose()?,
            dimension: self.dimension,
            metric: self.metric.as_deref().map(Space::parse).transpose()?,
        })
    }
}

/// What JavaScript says of a file, `{ format, dimension, metric }` or nothing.
///
/// # Errors
/// `INVALID_ARGUMENT` if it has another shape, or a name is none.
pub(super) fn hints(given: JsValue) -> Result<Hints> {
    if given.is_undefined() {
        return Ok(Hints::default());
    }
    let told: Told = serde_wasm_bindgen::from_value(given)
        .map_err(|error| Error::argument(format!("what was said of the file can't be read: {error}")))?;
    told.hints()
}

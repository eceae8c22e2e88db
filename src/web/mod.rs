//! What JavaScript calls. The only place that names wasm-bindgen and its kin; native builds don't
//! have it. Values are handed over in the cheapest way that is safe: bytes and vectors through
//! views on this module's memory, options and descriptions as plain objects, failures as
//! `{ code, message }`.
//!
//! The crate is built for the browser twice, so that nobody downloads readers that they don't use:
//! without features for `.elanus` files, and with `web-foreign` for files of other libraries.

#[cfg(not(feature = "web-foreign"))]
mod builder;
#[cfg(feature = "web-foreign")]
mod foreign;
#[cfg(not(feature = "web-foreign"))]
mod handle;
mod key;
mod loader;
mod told;

#[cfg(not(feature = "web-foreign"))]
pub use builder::{Builder, choose};
#[cfg(feature = "web-foreign")]
pub use foreign::ForeignHandle;
#[cfg(not(feature = "web-foreign"))]
pub use handle::{IndexHandle, IterationHandle};
pub use loader::Loader;
#[cfg(not(feature = "web-foreign"))]
pub use loader::{inspect, is_foreign};

use crate::words::Error;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// Runs when the module is instantiated: a panic is then a message in the console and not only an
/// `unreachable`.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

#[derive(Serialize)]
struct Thrown<'a> {
    code: &'a str,
    message: &'a str,
}

fn thrown(error: Error) -> JsValue {
    let plain = Thrown { code: error.code.name(), message: &error.message };
    serde_wasm_bindgen::to_value(&plain).unwrap_or_else(|_| JsValue::from_str(&error.message))
}

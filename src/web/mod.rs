//! What JavaScript calls. The only place that names wasm-bindgen and its kin; native builds don't
//! have it. Values are handed over in the cheapest way that is safe: bytes and vectors through
//! views on this module's memory, options and descriptions as plain objects, failures as
//! `{ code, message }`.
//!
//! The crate is built for the browser five times, so that nobody downloads what they don't use: without
//! features to search `.elanus` files, with `web-lazy` to search those of which only parts are there, with
//! `web-build` to build them, with `web-foreign` for files of other libraries, and with `web-collection` for
//! collections.

#[cfg(any(
    all(feature = "web-build", feature = "web-foreign"),
    all(feature = "web-build", feature = "web-collection"),
    all(feature = "web-foreign", feature = "web-collection"),
    all(feature = "web-lazy", any(feature = "web-build", feature = "web-foreign", feature = "web-collection"))
))]
compile_error!("web-build, web-foreign, web-collection and web-lazy are modules of their own: build them one by one");

#[cfg(feature = "web-build")]
mod builder;
#[cfg(feature = "web-collection")]
mod collection;
#[cfg(feature = "web-foreign")]
mod foreign;
#[cfg(not(any(feature = "web-build", feature = "web-foreign", feature = "web-collection", feature = "web-lazy")))]
mod handle;
mod key;
#[cfg(not(any(feature = "web-build", feature = "web-lazy")))]
mod loader;
#[cfg(feature = "web-lazy")]
mod partial;
#[cfg(not(any(feature = "web-build", feature = "web-foreign", feature = "web-collection")))]
mod plain;
#[cfg(feature = "web-collection")]
mod schema;
#[cfg(not(any(feature = "web-build", feature = "web-collection", feature = "web-lazy")))]
mod told;

#[cfg(feature = "web-build")]
pub use builder::{Builder, choose};
#[cfg(feature = "web-collection")]
pub use collection::{CatalogHandle, CollectionHandle, Opening, head_of_log};
#[cfg(feature = "web-foreign")]
pub use foreign::ForeignHandle;
#[cfg(not(any(
    feature = "web-build",
    feature = "web-foreign",
    feature = "web-collection",
    feature = "web-lazy"
)))]
pub use handle::{IndexHandle, IterationHandle};
#[cfg(not(any(feature = "web-build", feature = "web-lazy")))]
pub use loader::Loader;
#[cfg(not(any(
    feature = "web-build",
    feature = "web-foreign",
    feature = "web-collection",
    feature = "web-lazy"
)))]
pub use loader::{inspect, is_foreign};
#[cfg(feature = "web-lazy")]
pub use partial::PartialHandle;

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

//! Files of other libraries, with the libraries' own answers.

mod answers;
mod conversion;
mod hostile;
#[path = "../memory/mod.rs"]
mod memory;
mod mutations;

//! Files of other libraries, with the libraries' own answers.

mod answers;
mod hostile;
#[path = "../memory/mod.rs"]
mod memory;

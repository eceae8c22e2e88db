//! Files of other libraries, with the libraries' own answers.

mod answers;
mod conversion;
mod hostile;
mod instant_distance;
#[path = "../memory/mod.rs"]
mod memory;
#[path = "../mutate/mod.rs"]
mod mutate;
mod mutations;

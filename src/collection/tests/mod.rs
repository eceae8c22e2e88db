//! Collections against a plain model in memory, through everything that can happen to their files.

mod cases;
mod disk;
mod files;
mod model;
mod random;

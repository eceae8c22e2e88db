//! The `elanus` command.

fn main() {}

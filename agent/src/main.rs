//! The command `logsieve`.

fn main() {}

//! The `logsieve` binary: parse, hand over, error to exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    logsieve::cli::main()
}

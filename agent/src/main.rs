//! The `logsieve` binary: parse, hand over, error to exit code.

use std::process::ExitCode;

/// The whole process allocates through it, ONNX Runtime too: the model's start and the bursts of a backlog leave glibc's
/// allocator with a third more memory than is in use.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    logsieve::cli::main()
}

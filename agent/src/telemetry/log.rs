//! The agent's own log, on standard error, so that it never mixes with the events on standard output.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::LevelFilter;

use crate::config::raw::{LogFormat, LogLevel};

/// Starts the log. Only the first call in a process has an effect.
pub fn start(level: LogLevel, format: LogFormat) {
    let level: LevelFilter = level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false);
    // An error says that a log was already started, by a test in the same process.
    let _ = match format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

//! `logsieve run`: follows this host's logs.

use std::path::PathBuf;

use crate::config::Checked;
use crate::{app, telemetry};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A configuration file; without one the defaults and what this host has
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Checked::load(arguments.config.as_deref())?;
    telemetry::log::start(config.log_level, config.log_format);
    app::run(&config)
}

//! `logsieve check`: is a configuration sound, and what are the defaults.

use std::path::PathBuf;

use super::output;
use crate::config::{Checked, raw};
use crate::packs;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A configuration file; without one the commented defaults are printed
    file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Some(file) = &arguments.file else {
        return output::print(raw::DEFAULT_YAML.as_bytes());
    };
    let config = Checked::load(Some(file))?;
    let rules = packs::load(&config.pack)?;
    let listen = config.telemetry.as_ref().map_or_else(
        || "off".to_owned(),
        |telemetry| telemetry.listen.to_string(),
    );
    let summary = format!(
        "{}: sound\n  pack       {} rules, {} categories\n  telemetry  {listen}\n",
        file.display(),
        rules.len(),
        rules.categories().len(),
    );
    output::print(summary.as_bytes())
}

//! `logsieve check`: is a configuration sound, and what are the defaults.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::output;
use crate::config::{Checked, raw};
use crate::{packs, sink, sources};

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
    sources::check(&config)?;
    sink::check(&config.sinks)?;
    let pack = packs::read(&config.pack)?;
    let rules = packs::compile(&pack)?;
    drop(packs::library(&config.packs)?);
    let listen = config.telemetry.as_ref().map_or_else(
        || "off".to_owned(),
        |telemetry| telemetry.listener.listen.to_string(),
    );
    let mut summary = format!(
        "{}: sound\n  pack       {} rules, {} categories\n  telemetry  {listen}\n",
        file.display(),
        rules.len(),
        rules.categories().len(),
    );
    let slow = pack
        .rules()
        .iter()
        .zip(rules.keys())
        .filter(|(_, keys)| keys.literals.is_empty());
    for (rule, _) in slow {
        let _ = writeln!(
            summary,
            "  note       rule {} (line {}) requires no literal: its regex runs over every line",
            rule.id, rule.at_line
        );
    }
    output::print(summary.as_bytes())
}

//! `logsieve rules`: work on packs.

use std::io::Write as _;

use super::{Failed, output};
use crate::config::PackChoice;
use crate::packs;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Run the match and no_match lines of every rule
    Test {
        /// Packs by name or file; none tests all that are built in
        #[arg(value_name = "NAME|FILE")]
        packs: Vec<String>,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Test { packs } = command;
    let builtin = logline::rules::Pack::BUILTIN.map(str::to_owned);
    let names = if packs.is_empty() {
        &builtin[..]
    } else {
        packs
    };
    let mut out = Vec::new();
    let mut failures = 0;
    for name in names {
        let pack = packs::read(&PackChoice::parse(name))?;
        let report =
            logline::rules::test_pack(&pack).map_err(|error| packs::unsound(name, error))?;
        failures += report.failures.len();
        for problem in &report.failures {
            writeln!(out, "{name}: FAILED {problem}")?;
        }
        for warning in &report.warnings {
            writeln!(out, "{name}: warning: {warning}")?;
        }
        writeln!(
            out,
            "{name}: {} rules, {} lines run, {} failed, {} warnings",
            pack.rules().len(),
            report.examples,
            report.failures.len(),
            report.warnings.len()
        )?;
    }
    output::print(&out)?;
    if failures > 0 {
        anyhow::bail!(Failed(format!(
            "{failures} lines are not judged as their rules say"
        )));
    }
    Ok(())
}

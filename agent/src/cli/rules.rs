//! `logsieve rules`: work on packs.

use std::io::{IsTerminal as _, Write as _};

use super::{Failed, output, suggest};
use crate::config::PackChoice;
use crate::packs;
use logline::rules::{Pack, RuleSet};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Run the match and no_match lines of every rule
    Test {
        /// Packs by name or file; none tests all that are built in
        #[arg(value_name = "NAME|FILE")]
        packs: Vec<String>,
    },
    /// Turn what the LLM and people have said of templates into rules, with what each would change
    Suggest(suggest::Arguments),
    /// Write a pack as the Fluent Bit filter reads it, to standard output: logsieve.pack in one of its accessible paths
    Pack {
        /// The pack, by name or file
        #[arg(value_name = "NAME|FILE")]
        pack: String,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Test { packs } => test(packs),
        Command::Suggest(arguments) => suggest::run(arguments),
        Command::Pack { pack } => pack_for_filter(pack),
    }
}

/// The filter has nobody to tell in detail what is wrong with a pack: one that is not sound is refused here.
fn pack_for_filter(name: &str) -> anyhow::Result<()> {
    if std::io::stdout().is_terminal() {
        anyhow::bail!("a packed pack is no text: send it to a file, > logsieve.pack");
    }
    let pack = packs::read(&PackChoice::parse(name))?;
    RuleSet::compile(&pack).map_err(|error| packs::unsound(name, error))?;
    output::print(&pack.pack())
}

fn test(packs: &[String]) -> anyhow::Result<()> {
    let builtin = Pack::BUILTIN.map(str::to_owned);
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

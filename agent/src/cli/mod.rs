//! The command line: what can be typed, and which file answers it.

mod ask;
mod audit;
mod bench;
mod check;
mod classify;
mod eval;
mod explain;
mod export;
mod generate;
mod healthcheck;
mod ingest;
mod input;
mod local;
mod output;
mod remote;
mod rules;
mod run;
mod suggest;
mod summary;
mod teach;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::classify::llm;
use crate::config::ConfigError;
use crate::packs::PackLoadError;
use crate::sink::SetupError;
use crate::source::files::PatternError;

/// Labels every log line of this host with what it is about, how bad it is, and why.
#[derive(Debug, Parser)]
#[command(name = "logsieve", version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  logsieve run                              label the logs of this host as they come
  logsieve classify app.log                 label a saved file
  kubectl logs pod | logsieve classify -    label a pipe
  logsieve classify --format summary *.log  what is in these files, and how much of it
  logsieve explain 'panic: out of range'    why a line gets the label that it gets";

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow this host's logs and label them as they come
    Run(run::Arguments),
    /// Label saved log files or standard input
    Classify(classify::Arguments),
    /// Tell how one line is read and why it gets its label
    Explain(explain::Arguments),
    /// Tell how right the verdicts are on labelled lines of your own
    Eval(eval::Arguments),
    /// Account for every line and event in the store, and verify every block
    Audit(audit::Arguments),
    /// Ask a question about what is stored
    Ask(ask::Arguments),
    /// Put saved log files into a store, each line once
    Ingest(ingest::Arguments),
    /// Print the stored events as JSON lines
    Export(export::Arguments),
    /// Ask a running agent whether it is well: exit code 0 or 1
    Healthcheck(healthcheck::Arguments),
    /// Make up lines of log, as a prompt describes them
    Generate(generate::Arguments),
    /// Say what a template is about: it wins over the model, for good
    Teach(teach::Arguments),
    /// Check a configuration file, or print the defaults
    Check(check::Arguments),
    /// Work on packs of rules
    #[command(subcommand)]
    Rules(rules::Command),
    /// Tell what each step of the way costs over a saved log file
    Bench(bench::Arguments),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The built-in pack or pack file that decides.
#[derive(Debug, clap::Args)]
struct PackArgument {
    /// The pack of rules: general, openstack, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "general")]
    pack: String,
}

/// The command ran, but what it was asked for is not so: exit code 1, with this as the only word on it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

/// Parses the command line, runs the command and gives its exit code: 0 done, 1 failed, 2 wrong use or configuration.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Teach(arguments) => teach::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Ask(arguments) => ask::run(&arguments),
        Command::Ingest(arguments) => ingest::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Rules(command) => rules::run(&command),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions { shell } => completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            let wrong_use = error.is::<ConfigError>()
                || error.is::<PackLoadError>()
                || error.is::<PatternError>()
                || error.is::<SetupError>()
                || error.is::<llm::SetupError>();
            ExitCode::from(if wrong_use { 2 } else { 1 })
        }
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "logsieve", &mut script);
    output::print(&script)
}

/// Whoever read our output has seen enough (`| head`): no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Files to read; none or `-` is standard input.
#[derive(Debug, clap::Args)]
struct InputArguments {
    /// Log files; `-` or none reads standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}

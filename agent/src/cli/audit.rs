//! `logsieve audit`: what became of every line and event, and whether every block is what was written.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::export::open;
use super::output;
use crate::store::{Audit, Verification};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The store's directory; without one where `run` keeps it by default. No agent may be using it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How the report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let reader = open(arguments.data_dir.as_ref())?;
    let audit = reader.audit()?;
    let verification = reader.verify()?;
    let sound = audit.balances && verification.sound;
    let mut report = match arguments.format {
        Format::Text => text(&audit, &verification),
        Format::Json => serde_json::to_string_pretty(&serde_json::json!({
            "sound": sound, "audit": audit, "verification": verification,
        }))?,
    };
    report.push('\n');
    output::print(report.as_bytes())?;
    if sound {
        return Ok(());
    }
    Err(super::Failed("the sums are not right, or blocks are damaged".to_owned()).into())
}

fn text(audit: &Audit, found: &Verification) -> String {
    let mut out = String::new();
    let file = &audit.file;
    let mebibytes =
        |bytes: u64| format!("{}.{} MiB", bytes >> 20, (bytes >> 10) % 1024 * 10 / 1024);
    let _ = writeln!(
        out,
        "{}: {} events in {} segments, {} of text in {} of disk",
        file.path.display(),
        file.events,
        file.segments,
        mebibytes(file.text_bytes),
        mebibytes(file.disk_bytes),
    );
    let _ = writeln!(
        out,
        "{} blocks read: {} damaged with {} events",
        found.blocks, found.damaged_blocks, found.damaged_events
    );
    for problem in &found.problems {
        let _ = writeln!(out, "  {problem}");
    }
    let total = &audit.total;
    let _ = writeln!(
        out,
        "\nlines    read {:>12} = stored {} + dropped {} + open {}",
        total.lines, total.stored_lines, total.dropped_lines, total.open_lines
    );
    let _ = writeln!(
        out,
        "events   made {:>12} = stored {} + dropped {}",
        total.events,
        total.stored,
        reasons(&total.dropped)
    );
    for sink in &audit.sinks {
        let record = &sink.record;
        let _ = writeln!(
            out,
            "sink {:<12} {:>12} = delivered {} + filtered {} + sampled {} + rejected {} + expired {} + pending {}{}",
            sink.name,
            file.next.saturating_sub(record.since),
            record.delivered,
            record.filtered,
            record.sampled,
            reasons(&record.rejected),
            reasons(&record.expired),
            sink.pending,
            if sink.balances {
                ""
            } else {
                "   does not add up"
            },
        );
    }
    for stream in audit.streams.iter().filter(|stream| !stream.balances) {
        let ledger = &stream.ledger;
        let _ = writeln!(
            out,
            "stream {} ({}) does not add up: lines {} = {} + {} + {}",
            stream.id,
            stream.name,
            ledger.lines,
            ledger.stored_lines,
            ledger.dropped_lines,
            ledger.open_lines
        );
    }
    let verdict = match (audit.balances, found.sound) {
        (true, true) => "every event is accounted for, every block is what was written",
        (true, false) => "every event is accounted for, but not every block can be read",
        (false, _) => "the sums are not right",
    };
    let _ = write!(out, "\n{verdict}");
    out
}

/// A sum with its parts by reason.
fn reasons(by_reason: &std::collections::BTreeMap<String, u64>) -> String {
    let sum: u64 = by_reason.values().sum();
    if sum == 0 {
        return "0".to_owned();
    }
    let parts: Vec<String> = by_reason
        .iter()
        .map(|(reason, events)| format!("{reason} {events}"))
        .collect();
    format!("{sum} ({})", parts.join(", "))
}

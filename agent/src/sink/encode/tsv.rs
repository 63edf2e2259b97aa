//! Tab-separated columns, for `cut`, `awk` and spreadsheets.

use std::io::Write as _;

use super::{Encode, Outgoing};
use crate::escape::{escape_terminal, write_id};

/// Writes events as tab-separated columns; tabs, line endings and control characters inside a value are escaped.
#[derive(Debug, Default)]
pub struct Tsv;

impl Tsv {
    /// The column names, as a first line.
    pub const HEADER: &'static [u8] =
        b"timestamp\tlevel\tcategory\tstage\tconfidence\treason\ttemplate_id\tmessage\n";
}

impl Encode for Tsv {
    fn encode(&mut self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
        let (batch, event) = (outgoing.batch, outgoing.event);
        if let Some(timestamp) = event.timestamp {
            timestamp.write_rfc3339(out);
        }
        let (why, name) = outgoing.reason();
        let verdict = &event.verdict;
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "\t{}\t{}\t{}\t{:.3}\t{why}{name}\t",
            event.level.as_str(),
            batch.labels.category(verdict.category),
            verdict.stage.as_str(),
            verdict.confidence,
        );
        if let Some(template) = outgoing.template {
            write_id(template.id, out);
        }
        out.push(b'\t');
        escape_terminal(outgoing.message, None, out);
        out.push(b'\n');
    }
}

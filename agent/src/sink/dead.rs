//! What the other side refuses for good, kept in a file with the reason, so that somebody can look at it and send it
//! again by hand.

use std::io::{self, Write as _};
use std::path::Path;

use super::encode::{Encode as _, Json, Outgoing};
use super::file::Rotating;
use crate::config::sinks::{File, StdoutFormat};
use crate::escape::escape_json;

/// One file of dead letters holds so many bytes, and one more is kept.
const MAX_BYTES: u64 = 64 << 20;

/// The dead letters of one sink.
pub(super) struct DeadLetters {
    sink: String,
    json: Json,
    file: Rotating,
    buffer: Vec<u8>,
}

impl DeadLetters {
    pub(super) fn new(sink: &str, host: &str, path: &Path) -> Self {
        Self {
            sink: sink.to_owned(),
            json: Json::with_origin(host),
            file: Rotating::new(&File {
                path: path.to_owned(),
                format: StdoutFormat::Json,
                max_bytes: Some(MAX_BYTES),
                max_age: None,
                keep: Some(1),
                gzip: true,
                sync: true,
            }),
            buffer: Vec::new(),
        }
    }

    /// Adds an event that was refused.
    pub(super) fn add(&mut self, event: &Outgoing<'_>, reason: &str, why: &str) {
        let out = &mut self.buffer;
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{{\"sink\":\"{}\",\"reason\":\"{reason}\",\"why\":\"",
            self.sink
        );
        escape_json(why.as_bytes(), out);
        out.extend_from_slice(b"\",\"event\":");
        self.json.encode(event, out);
        // The event's own line ending.
        out.pop();
        out.extend_from_slice(b"}\n");
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// Where the file cannot be written; what was added is forgotten.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let written = self.file.append(&self.buffer);
        self.buffer = Vec::new();
        written
    }
}

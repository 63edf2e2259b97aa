//! How far a stream has been taken, as it is kept together with the events that it gave.

use std::sync::Arc;

use super::StreamInfo;
use crate::source::{Closed, docker, files};

/// Where a stream stands once the events of the batch that carries this are stored. A run that begins here goes on as if
/// there had been no other: nothing is lost and nothing comes twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose it is; kept under its id.
    pub stream: Arc<StreamInfo>,
    /// Where reading goes on.
    pub place: Place,
    /// Lines that were read and are not part of an event yet, as [`logline::assemble::Assembler::snapshot`] writes them.
    pub open: Vec<u8>,
    /// How many whole lines are in `open`.
    pub open_lines: u64,
    /// The stream gives nothing more, and why.
    pub ended: Option<Closed>,
    /// When it was kept, in nanoseconds since 1970; none before that.
    pub kept_at: Option<i64>,
    /// What was counted since the stream's last cursor.
    pub tally: Tally,
}

/// Where reading of a stream goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File {
        /// Which one.
        file: files::Identity,
        /// The first byte that was not taken.
        offset: u64,
        /// What the bytes just before it are.
        seam: Option<files::Marker>,
    },
    /// A container, through the engine's API; the stream's id is the container's.
    Docker(docker::Position),
    /// Nowhere: what has passed cannot be asked for again.
    #[default]
    Passing,
}

/// What a stream gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes taken.
    pub bytes: u64,
    /// Lines, a line in pieces counted once. Below 0 where lines that were counted before went on with the next file.
    pub lines: i64,
    /// Events made of them.
    pub events: u64,
    /// Lines not wrapped as their source says; they went on as plain text.
    pub malformed: u64,
    /// Bytes cut off at a bound.
    pub cut_bytes: u64,
}

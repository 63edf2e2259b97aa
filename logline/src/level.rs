//! How bad a line is: seven levels, taken from what the line states or, failing that, from its words.

mod access;
mod frames;
mod lexicon;
mod words;

use crate::header::{Format, Header};

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
    ///
    /// PostgreSQL's `LOG` is info, an `alert` is an error (a condition to act on; the program runs on), `emerg` and `panic` are fatal.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let mut lower = [0_u8; 14];
        let lower = lower.get_mut(..name.len())?;
        for (to, from) in lower.iter_mut().zip(name) {
            *to = from | if from.is_ascii_uppercase() { 0x20 } else { 0 };
        }
        Some(match &*lower {
            b"t" | b"trc" | b"trace" | b"trce" | b"finest" | b"finer" | b"v" | b"verbose"
            | b"vrb" | b"silly" | b"all" | b"trace1" | b"trace2" | b"trace3" | b"trace4"
            | b"trace5" | b"trace6" | b"trace7" | b"trace8" => Self::Trace,
            b"d" | b"dbg" | b"debug" | b"dbug" | b"debg" | b"fine" | b"debug1" | b"debug2"
            | b"debug3" | b"debug4" | b"debug5" | b"d1" | b"d2" | b"d3" | b"d4" | b"d5" => {
                Self::Debug
            }
            b"i" | b"inf" | b"info" | b"information" | b"informational" | b"config" | b"log"
            | b"http" | b"infos" => Self::Info,
            b"n" | b"note" | b"notice" | b"ntc" | b"success" => Self::Notice,
            b"w" | b"wrn" | b"warn" | b"warning" | b"wrng" | b"warnings" => Self::Warn,
            b"e" | b"err" | b"eror" | b"error" | b"errr" | b"severe" | b"fail" | b"failure"
            | b"alert" | b"errors" => Self::Error,
            b"f" | b"c" | b"a" | b"p" | b"ftl" | b"fatal" | b"fata" | b"crt" | b"crit"
            | b"critical" | b"emerg" | b"emergency" | b"panic" | b"pnc" | b"dpanic" | b"abort" => {
                Self::Fatal
            }
            _ => return None,
        })
    }

    /// Reads a syslog severity (RFC 5424, 6.2.1): 0 emergency to 7 debug.
    #[must_use]
    pub fn from_syslog(severity: u8) -> Option<Self> {
        Some(match severity {
            0 | 2 => Self::Fatal,
            1 | 3 => Self::Error,
            4 => Self::Warn,
            5 => Self::Notice,
            6 => Self::Info,
            7 => Self::Debug,
            _ => return None,
        })
    }

    /// Reads the numbers of bunyan and pino: 10 trace to 60 fatal; numbers between belong to the step below.
    #[must_use]
    pub fn from_bunyan(number: u32) -> Option<Self> {
        Some(match number {
            10..=19 => Self::Trace,
            20..=29 => Self::Debug,
            30..=39 => Self::Info,
            40..=49 => Self::Warn,
            50..=59 => Self::Error,
            60..=69 => Self::Fatal,
            _ => return None,
        })
    }

    /// Reads a `SeverityNumber` of OpenTelemetry's log data model: 1 to 24, four per level.
    #[must_use]
    pub fn from_otel(number: u32) -> Option<Self> {
        Some(match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => return None,
        })
    }
}

/// The level of an event: the one its header states, or the one its words speak of, or none where neither says anything.
///
/// `message` is what the header leaves to be said, its error field included where there is one. A pure function of the two: no other
/// line and no setting has a say.
#[must_use]
pub fn of(header: &Header<'_>, message: &[u8]) -> Option<Level> {
    match header.level {
        Some(stated) if !catch_all(header.format, stated) => Some(stated),
        Some(stated) => {
            let told = words::infer(message, false).map_or(stated, |told| told.max(stated));
            // A program that chose info or notice itself does not mean an error.
            let most = if matches!(header.format, Format::Syslog | Format::Rfc5424) {
                Level::Warn
            } else {
                Level::Fatal
            };
            Some(told.min(most))
        }
        None => unstated(header, message),
    }
}

/// Whether `stated` is where that format puts everything that it does not look at more closely: PostgreSQL's `LOG` holds failures
/// of sockets and of whole processes, Redis' `#` reaches from its version banner to its crash report, syslog's info is what a program
/// that never chooses a severity gets.
fn catch_all(format: Format, stated: Level) -> bool {
    match format {
        Format::Postgres | Format::Cbs => stated == Level::Info,
        Format::Redis => stated == Level::Warn,
        Format::Syslog | Format::Rfc5424 => matches!(stated, Level::Info | Level::Notice),
        _ => false,
    }
}

fn unstated(header: &Header<'_>, message: &[u8]) -> Option<Level> {
    match header.format {
        // The path and the client's words are not the server's; its status is.
        Format::Access => return access::infer(message),
        // DETAIL, HINT, STATEMENT: they belong to a line before, and quote queries.
        Format::Postgres => return None,
        // A usage text's line: `--strict   fails on any warning`.
        Format::Plain if matches!(message, [b'-', b'-' | b'a'..=b'z' | b'A'..=b'Z', ..]) => {
            return None;
        }
        Format::Plain if frames::is_trace(message) => return Some(Level::Error),
        Format::Kernel | Format::Syslog | Format::Ras
            if header.logger.as_deref() == Some(b"kernel") && frames::is_kernels(message) =>
        {
            return Some(Level::Error);
        }
        _ => {}
    }
    let told =
        words::infer(message, header.format == Format::Plain).or_else(|| access::infer(message));
    if header.error.is_some() {
        return Some(told.map_or(Level::Error, |t| t.max(Level::Error)));
    }
    told
}

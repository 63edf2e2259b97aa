//! Takes an event's text apart into time, level, logger, pid and the message itself.
//!
//! Nothing is configured: the first bytes choose a reader. Formats with a shape of their own ([`json`], [`logfmt`], [`syslog`],
//! [`fixed`]) are read by position; everything else goes through [`generic`], which composes a head from the tokens that all
//! others share (time, level word, bracketed group, pid, logger). Where a reader is not sure it leaves the text in the message:
//! a head that is missed costs a little, a message that is cut costs its meaning.

mod fields;
mod fixed;
mod generic;
mod json;
mod logfmt;
mod postgres;
mod records;
mod syslog;
pub(crate) mod token;

use std::borrow::Cow;

use crate::{
    level::Level,
    time::{TimeContext, Timestamp},
};

/// Which convention the head of a line follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// No known head: the whole text is the message.
    #[default]
    Plain,
    /// One JSON object.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// Kubernetes' and Google's: `I1120 17:01:07.123456   1 file.go:12] message`.
    Klog,
    /// RFC 3164 and its kin: `Nov 20 17:01:07 host program[pid]: message`, with or without `<PRI>`, time or host.
    Syslog,
    /// RFC 5424: `<34>1 2026-11-20T17:01:07Z host program pid msgid - message`.
    Rfc5424,
    /// The kernel's ring buffer: `[12345.678] message`.
    Kernel,
    /// Android's logcat.
    Logcat,
    /// Redis: `pid:role time mark message`.
    Redis,
    /// PostgreSQL: a prefix of any shape, then `SEVERITY:  message`.
    Postgres,
    /// Ruby's Logger: `I, [time #pid]  INFO -- program: message`.
    Ruby,
    /// .NET's console: `info: Category[0]` and the message on the next line.
    DotNet,
    /// One request as a web server or proxy records it; the message starts at the client's address.
    Access,
    /// Windows' servicing log: `2016-09-28 04:30:30, Info   CBS   message`.
    Cbs,
    /// Super-computers' event records (BGL, Thunderbird, HPC).
    Ras,
    /// Some head with a time, a level or both, composed of the tokens that most loggers share.
    Generic,
}

impl Format {
    /// The name shown by `explain`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Klog => "klog",
            Self::Syslog => "syslog",
            Self::Rfc5424 => "rfc5424",
            Self::Kernel => "kernel",
            Self::Logcat => "logcat",
            Self::Redis => "redis",
            Self::Postgres => "postgresql",
            Self::Ruby => "ruby",
            Self::DotNet => "dotnet",
            Self::Access => "access",
            Self::Cbs => "cbs",
            Self::Ras => "ras",
            Self::Generic => "generic",
        }
    }
}

/// What the head of a line tells. Slices borrow from the text wherever it holds the value as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// The convention that was recognised.
    pub format: Format,
    /// When the program says it happened.
    pub timestamp: Option<Timestamp>,
    /// The level that the program states, never one that is guessed.
    pub level: Option<Level>,
    /// The logger, component, program or unit that speaks.
    pub logger: Option<Cow<'a, [u8]>>,
    /// Process or thread id, as written.
    pub pid: Option<&'a [u8]>,
    /// The host that the line names as its origin.
    pub host: Option<&'a [u8]>,
    /// The id of the request that the line belongs to, as its head names it.
    pub request: Option<&'a [u8]>,
    /// What is said. For an event of several lines it runs to the end of the last.
    pub message: Cow<'a, [u8]>,
    /// The `error`/`err`/`exception` field of a structured line.
    pub error: Option<Cow<'a, [u8]>>,
}

/// Reads the head of `text`. Never fails: where nothing is recognised the whole text is the message.
///
/// A byte order mark, carriage returns and colour codes around the head are passed over.
#[must_use]
pub fn parse<'a>(text: &'a [u8], context: &TimeContext) -> Header<'a> {
    let body = token::trim(text);
    dispatch(body, context).unwrap_or_else(|| Header {
        message: Cow::Borrowed(body),
        ..Header::default()
    })
}

fn dispatch<'a>(body: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let mut header = match body.first()? {
        b'{' => return json::parse(body, context),
        b'<' => syslog::with_priority(body, context).or_else(|| generic::parse(body, context)),
        b'[' => syslog::kernel(body).or_else(|| generic::parse(body, context)),
        b'0'..=b'9' => fixed::digits(body, context)
            .or_else(|| records::digits(body, context))
            .or_else(|| generic::parse(body, context)),
        b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'@' => fixed::letters(body, context)
            .or_else(|| logfmt::parse(body, context))
            .or_else(|| syslog::bare(body, context))
            .or_else(|| records::letters(body, context))
            .or_else(|| generic::parse(body, context)),
        b'-' | b':' => records::letters(body, context).or_else(|| generic::parse(body, context)),
        _ => generic::parse(body, context),
    }?;
    look_inside(&mut header, context);
    Some(header)
}

/// A structured line behind another's head (`... etcd[12]: {"level":...`): the inner one knows more, the outer fills its gaps.
fn look_inside<'a>(outer: &mut Header<'a>, context: &TimeContext) {
    let Cow::Borrowed(message) = outer.message else {
        return;
    };
    let parsed = match message.first() {
        Some(b'{') => json::parse(message, context),
        Some(b'I' | b'W' | b'E' | b'F' | b'D') => fixed::klog(message, context),
        Some(b't' | b'l') if outer.format != Format::Logfmt => logfmt::parse(message, context),
        _ => None,
    };
    let Some(inner) = parsed else {
        return;
    };
    // An object that is only the message's data stays in it.
    if inner.level.is_none() && inner.timestamp.is_none() {
        return;
    }
    let outer_head = std::mem::replace(outer, inner);
    outer.timestamp = outer.timestamp.or(outer_head.timestamp);
    outer.level = outer.level.or(outer_head.level);
    outer.logger = outer.logger.take().or(outer_head.logger);
    outer.pid = outer.pid.or(outer_head.pid);
    outer.host = outer.host.or(outer_head.host);
    outer.request = outer.request.or(outer_head.request);
}

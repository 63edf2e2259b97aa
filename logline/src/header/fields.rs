//! What the keys of structured lines mean, whichever library wrote them.

use std::borrow::Cow;

use super::{Format, Header};
use crate::{
    level::Level,
    time::{self, TimeContext, Timestamp},
};

/// What a key stands for. Where several keys of one line stand for the same, the lowest rank wins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Message(u8),
    Level,
    /// RFC 5424's 0 to 7.
    SyslogSeverity,
    OtelSeverity,
    /// Python's `levelno`: 10 debug to 50 critical.
    PythonLevel,
    Time(u8),
    Logger(u8),
    Pid(u8),
    Host,
    Request(u8),
    Error(u8),
    /// MongoDB's and others' single letters, which mean something only together.
    MongoLevel,
    /// An object whose members count as if they stood outside it.
    Nest,
    /// Marks Graylog's GELF, whose `level` is a syslog severity.
    Gelf,
}

/// The role of a key, as JSON loggers and logfmt writers use it.
pub(super) fn role(key: &[u8]) -> Option<Role> {
    use Role::{
        Error, Gelf, Host, Level, Logger, Message, MongoLevel, Nest, OtelSeverity, Pid,
        PythonLevel, Request, SyslogSeverity, Time,
    };
    if key.len() > 28 {
        return None;
    }
    Some(match key {
        b"message" | b"msg" | b"@m" | b"Message" | b"MESSAGE" | b"@message" | b"textPayload"
        | b"renderedMessage" | b"RenderedMessage" | b"log.message" | b"M" => Message(0),
        b"@mt" | b"short_message" | b"Body" | b"body" | b"messageTemplate" | b"MessageTemplate" => {
            Message(1)
        }
        b"event" | b"log" | b"text" | b"description" | b"summary" => Message(2),
        b"level" | b"lvl" | b"severity" | b"Level" | b"LEVEL" | b"@l" | b"log.level"
        | b"loglevel" | b"logLevel" | b"LogLevel" | b"log_level" | b"levelname" | b"level_name"
        | b"Severity" | b"SeverityText" | b"severity_text" | b"severityText" | b"at" | b"L"
        | b"l" | b"@level" => Level,
        b"PRIORITY" | b"priority" | b"syslog.severity" | b"log.syslog.severity.code" => {
            SyslogSeverity
        }
        b"SeverityNumber" | b"severity_number" | b"severityNumber" => OtelSeverity,
        b"levelno" => PythonLevel,
        b"time"
        | b"ts"
        | b"timestamp"
        | b"@timestamp"
        | b"@t"
        | b"Timestamp"
        | b"TIMESTAMP"
        | b"__REALTIME_TIMESTAMP" => Time(0),
        b"t" | b"datetime" | b"date" | b"asctime" | b"timeMillis" | b"eventTime" | b"logged_at"
        | b"created_at" | b"T" | b"@time" | b"timeUnixNano" | b"start_time" | b"instant" => Time(1),
        b"logger" | b"logger_name" | b"loggerName" | b"log.logger" | b"SourceContext"
        | b"Logger" | b"@logger" => Logger(0),
        b"component" | b"subsystem" | b"target" | b"SYSLOG_IDENTIFIER" | b"Category"
        | b"category" | b"N" | b"@module" | b"controller" => Logger(1),
        b"name" | b"module" | b"class" | b"scope" | b"service" | b"service.name" | b"app"
        | b"c" | b"label" | b"context" => Logger(2),
        b"caller" | b"source" | b"src" | b"file" | b"@caller" => Logger(3),
        b"pid" | b"process" | b"process.pid" | b"_PID" | b"process_id" => Pid(0),
        b"thread" | b"thread_name" | b"threadName" | b"tid" | b"thread.name" | b"thread_id"
        | b"ctx" => Pid(1),
        b"hostname" | b"host" | b"host.name" | b"_HOSTNAME" => Host,
        b"request_id" | b"requestId" | b"req_id" | b"reqId" | b"request-id" | b"RequestId" => {
            Request(0)
        }
        b"trace_id" | b"traceId" | b"trace.id" | b"TraceId" | b"correlation_id" => Request(1),
        b"error" | b"err" | b"exception" | b"@x" | b"error.message" | b"Error" | b"Exception"
        | b"errorMessage" => Error(0),
        b"exc_info" | b"stack_trace" | b"stacktrace" | b"stack" | b"error.stack_trace"
        | b"exception.message" | b"cause" => Error(1),
        b"s" => MongoLevel,
        b"fields" | b"record" | b"payload" | b"jsonPayload" => Nest,
        b"_version" | b"version" => Gelf,
        _ => return None,
    })
}

/// A value as it stands in the text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// Between quotes; `true` where it holds a backslash.
    Quoted(&'a [u8], bool),
    /// A number, a bare word, or a literal.
    Bare(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn raw(self) -> &'a [u8] {
        match self {
            Self::Quoted(raw, _) | Self::Bare(raw) => raw,
        }
    }

    pub(super) fn text(self) -> Cow<'a, [u8]> {
        match self {
            Self::Quoted(raw, true) => Cow::Owned(unescape(raw)),
            Self::Quoted(raw, false) | Self::Bare(raw) => Cow::Borrowed(raw),
        }
    }

    fn number(self) -> Option<u32> {
        let raw = self.raw();
        if raw.is_empty() || raw.len() > 6 {
            return None;
        }
        raw.iter().try_fold(0_u32, |n, c| {
            c.is_ascii_digit().then(|| n * 10 + u32::from(c - b'0'))
        })
    }

    /// Whether it stands for the absence of a value.
    fn is_nothing(self) -> bool {
        matches!(
            self.raw(),
            b"" | b"null" | b"nil" | b"<nil>" | b"None" | b"false" | b"{}" | b"[]"
        )
    }
}

/// Gathers the fields of one structured line.
#[derive(Default)]
pub(super) struct Gathered<'a> {
    message: Option<(u8, Value<'a>)>,
    level: Option<Level>,
    numeric: Option<u32>,
    mongo: Option<Level>,
    time: Option<(u8, Option<Timestamp>)>,
    logger: Option<(u8, Value<'a>)>,
    pid: Option<(u8, &'a [u8])>,
    host: Option<&'a [u8]>,
    request: Option<(u8, &'a [u8])>,
    error: Option<(u8, Value<'a>)>,
    gelf: bool,
    template: bool,
}

fn lower<T>(slot: Option<&(u8, T)>, rank: u8) -> bool {
    slot.is_none_or(|(held, _)| rank < *held)
}

impl<'a> Gathered<'a> {
    /// Takes one field in. Returns whether the field told something about the head.
    pub(super) fn take(
        &mut self,
        role: Role,
        key: &[u8],
        value: Value<'a>,
        context: &TimeContext,
    ) -> bool {
        match role {
            Role::Message(rank) => {
                self.template |= key.starts_with(b"@m");
                self.gelf |= key == b"short_message";
                if !lower(self.message.as_ref(), rank) || value.raw() == b"null" {
                    return false;
                }
                self.message = Some((rank, value));
            }
            Role::Level => {
                if self.level.is_some() {
                    return false;
                }
                match value.number() {
                    Some(number) => self.numeric = Some(number),
                    None => {
                        self.level = level(value);
                        return self.level.is_some();
                    }
                }
            }
            Role::SyslogSeverity => {
                let named = value
                    .number()
                    .and_then(|n| Level::from_syslog(u8::try_from(n).ok()?));
                self.level = self.level.or(named).or_else(|| level(value));
            }
            Role::OtelSeverity => {
                self.level = self.level.or_else(|| Level::from_otel(value.number()?));
            }
            Role::PythonLevel => {
                self.level = self.level.or_else(|| {
                    Some(match value.number()? / 10 {
                        1 => Level::Debug,
                        2 => Level::Info,
                        3 => Level::Warn,
                        4 => Level::Error,
                        5 => Level::Fatal,
                        _ => return None,
                    })
                });
            }
            Role::Time(rank) => {
                let at = time::parse(value.raw(), context);
                let shaped = at.is_some() || value.raw().len() >= 8;
                if !shaped
                    || !(lower(self.time.as_ref(), rank) || matches!(self.time, Some((_, None))))
                {
                    return false;
                }
                self.time = Some((rank, at));
            }
            Role::Logger(rank) => {
                if value.is_nothing() || !lower(self.logger.as_ref(), rank) {
                    return false;
                }
                self.logger = Some((rank, value));
            }
            Role::Pid(rank) => {
                if value.is_nothing() || !lower(self.pid.as_ref(), rank) {
                    return false;
                }
                self.pid = Some((rank, value.raw()));
            }
            Role::Host => self.host = self.host.or(Some(value.raw())),
            Role::Request(rank) => {
                if value.is_nothing() || !lower(self.request.as_ref(), rank) {
                    return false;
                }
                self.request = Some((rank, value.raw()));
            }
            Role::Error(rank) => {
                if value.is_nothing()
                    || matches!(value, Value::Bare(b"true" | b"0"))
                    || !lower(self.error.as_ref(), rank)
                {
                    return false;
                }
                self.error = Some((rank, value));
            }
            Role::MongoLevel => self.mongo = level(value),
            Role::Gelf => self.gelf |= key == b"version" && value.raw() == b"1.1",
            Role::Nest => return false,
        }
        true
    }

    /// Level, time or message were found: the line is a log record rather than data.
    pub(super) fn is_record(&self) -> bool {
        self.level.is_some()
            || self.numeric.is_some()
            || self.time.is_some()
            || self.message.is_some()
            || self.error.is_some()
    }

    pub(super) fn has_level(&self) -> bool {
        self.level.is_some()
    }

    pub(super) fn has_time(&self) -> bool {
        self.time.is_some()
    }

    pub(super) fn message(&self) -> Option<Value<'a>> {
        self.message.map(|(_, value)| value)
    }

    pub(super) fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// The header; `whole` is the message where no field is one.
    pub(super) fn header(self, format: Format, whole: &'a [u8]) -> Header<'a> {
        let numeric = self.numeric.and_then(|n| match n {
            0..=7 if self.gelf => Level::from_syslog(n as u8),
            10.. => Level::from_bunyan(n),
            _ => None,
        });
        // Serilog's compact format leaves `@l` out where it is Information.
        let silent = self.template.then_some(Level::Info);
        let message = match (self.message, self.error) {
            (Some((_, value)), _) if !value.raw().is_empty() => value.text(),
            (_, Some((_, value))) => value.text(),
            _ => Cow::Borrowed(whole),
        };
        Header {
            format,
            timestamp: self.time.and_then(|(_, at)| at),
            level: self.level.or(numeric).or(self.mongo).or(silent),
            logger: self.logger.map(|(_, value)| value.text()),
            pid: self.pid.map(|(_, raw)| raw),
            host: self.host,
            request: self.request.map(|(_, raw)| raw),
            message,
            error: self.error.map(|(_, value)| value.text()),
        }
    }
}

/// A level by name, colours and padding around it aside.
fn level(value: Value<'_>) -> Option<Level> {
    let raw = value.raw().trim_ascii();
    Level::from_name(raw).or_else(|| {
        // winston's colorize writes the codes into the value, JSON-escaped: `\u001b[32minfo\u001b[39m`.
        let inner = raw.strip_prefix(b"\\u001b[")?;
        let start = inner.iter().take(12).position(|c| *c == b'm')? + 1;
        let len = inner[start..]
            .iter()
            .take_while(|c| c.is_ascii_alphabetic())
            .count();
        Level::from_name(&inner[start..start + len])
    })
}

/// Undoes JSON's (and Go's) escapes. A broken escape stays as it is written.
pub(super) fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(run) = memchr::memchr(b'\\', &raw[at..]) {
        out.extend_from_slice(&raw[at..at + run]);
        at += run;
        let (plain, len) = match raw.get(at + 1) {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(c @ (b'"' | b'\\' | b'/' | b'\'')) => (*c, 2),
            Some(b'u') => {
                at += unicode(raw, at, &mut out);
                continue;
            }
            Some(b'x') => match (hex(raw, at + 2, 2), raw.get(at + 2)) {
                (Some(byte), Some(_)) => (byte as u8, 4),
                _ => (b'\\', 1),
            },
            _ => (b'\\', 1),
        };
        out.push(plain);
        at += len;
    }
    out.extend_from_slice(&raw[at..]);
    out
}

fn hex(raw: &[u8], at: usize, len: usize) -> Option<u32> {
    raw.get(at..at + len)?
        .iter()
        .try_fold(0, |n, c| Some(n * 16 + char::from(*c).to_digit(16)?))
}

/// Appends the character of `\uXXXX` at `at` (a surrogate pair as one) and returns the length read.
fn unicode(raw: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let Some(first) = hex(raw, at + 2, 4) else {
        out.push(b'\\');
        return 1;
    };
    let (code, len) = match first {
        0xd800..=0xdbff if raw.get(at + 6..at + 8) == Some(b"\\u") => match hex(raw, at + 8, 4) {
            Some(low @ 0xdc00..=0xdfff) => {
                (0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00), 12)
            }
            _ => (0xfffd, 6),
        },
        _ => (first, 6),
    };
    let shown = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    len
}

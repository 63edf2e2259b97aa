//! An answer, or why there is none.

use std::io;
use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;
use ureq::http::header::{LOCATION, RETRY_AFTER};

/// The reason of a [`Failure`] for a connection that was closed before there was an answer.
pub const CUT: &str = "cut";
/// Who asks to be left alone for longer is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// So much of an answer's text is repeated in health and log.
const TOLD_BYTES: usize = 300;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// How long the other side asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Where it leads to, if it does.
    pub location: Option<String>,
}

impl Answer {
    /// An answer whose body was not read.
    pub(super) fn new(status: u16, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            status,
            body: Vec::new(),
            retry_after: text(RETRY_AFTER)
                .and_then(|value| retry_after(value, SystemTime::now()))
                .map(|wait| wait.min(LONGEST_RETRY_AFTER)),
            location: text(LOCATION).map(str::to_owned),
        }
    }

    /// The same with its body.
    #[must_use]
    pub fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Whether the other side does not know who asks.
    #[must_use]
    pub fn is_refusal_of_who_asks(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// The status with the beginning of what the other side says, on one line.
    #[must_use]
    pub fn told(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(TOLD_BYTES)]);
        let words: Vec<&str> = text.split_whitespace().collect();
        let words: String = words
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        if words.is_empty() {
            format!("answered {}", self.status)
        } else {
            format!("answered {}: {words}", self.status)
        }
    }
}

/// The wait that a `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a number can hold is long.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A word for metrics, of a closed set.
    pub reason: &'static str,
    /// Waiting alone will hardly help (a certificate, an address): it is worth trying rarely.
    pub slow: bool,
    /// What happened, for health and log.
    pub why: String,
}

impl Failure {
    /// What `error` means.
    pub(super) fn of(error: &ureq::Error) -> Self {
        let (reason, slow) = match error {
            ureq::Error::Timeout(_) => ("timeout", false),
            ureq::Error::HostNotFound => ("name", false),
            ureq::Error::Io(error) => of_io(error),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::TlsRequired => {
                ("tls", true)
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                ("request", true)
            }
            ureq::Error::ConnectProxyFailed(_) => ("proxy", false),
            _ => ("protocol", false),
        };
        Self {
            reason,
            slow,
            why: error.to_string(),
        }
    }
}

fn of_io(error: &io::Error) -> (&'static str, bool) {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if inner.is_some() {
        return ("tls", true);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => ("connect", false),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ("timeout", false),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::NotConnected => (CUT, false),
        _ => ("io", false),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |value: &str| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:37 GMT"), Some(60));
        assert_eq!(wait("Sun Nov  6 08:50:37 1994"), Some(60));
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:00:00 GMT"),
            Some(0),
            "a date that has passed"
        );
        for odd in ["", "soon", "-1", "1.5", "Sun, 99 Nov 1994 08:50:37 GMT"] {
            assert_eq!(wait(odd), None, "{odd}");
        }
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        Answer::new(status, &map).with_body(body.to_vec())
    }

    #[test]
    fn who_asks_for_hours_is_asked_again_after_minutes() {
        let asked = answer(503, &[("retry-after", "86400")], b"");
        assert_eq!(asked.retry_after, Some(LONGEST_RETRY_AFTER));
    }

    #[test]
    fn what_the_other_side_says_is_one_short_harmless_line() {
        let told = answer(400, &[], b"no \x1b[31mway\r\n  at all").told();
        assert_eq!(told, "answered 400: no [31mway at all");
        assert!(answer(400, &[], &[b'x'; 100_000]).told().len() < 400);
        assert_eq!(answer(503, &[], b"\n").told(), "answered 503");
    }
}

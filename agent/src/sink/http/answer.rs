//! What an answer means for the events: taken, refused for good, or to be sent again.

use std::io;
use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;
use ureq::http::header::{LOCATION, RETRY_AFTER};

use crate::sink::transport::{CUT, Outcome};

/// Who asks to be left alone for longer is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// So much of an answer's text is repeated in health and log.
const TOLD_BYTES: usize = 300;

/// An answer.
#[derive(Clone, Debug)]
pub(in crate::sink) struct Answer {
    /// The status.
    pub(in crate::sink) status: u16,
    /// The body, as far as it was read.
    pub(in crate::sink) body: Vec<u8>,
    retry_after: Option<Duration>,
    location: Option<String>,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            status,
            body,
            retry_after: text(RETRY_AFTER)
                .and_then(|value| retry_after(value, SystemTime::now()))
                .map(|wait| wait.min(LONGEST_RETRY_AFTER)),
            location: text(LOCATION).map(str::to_owned),
        }
    }

    /// Whether the other side does not know who asks.
    pub(super) fn is_refusal_of_who_asks(&self) -> bool {
        matches!(self.status, 401 | 403)
    }

    /// The status with the beginning of what the other side says, on one line.
    pub(in crate::sink) fn told(&self) -> String {
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

    /// What becomes of the events by the rules that most receivers over HTTP share.
    pub(in crate::sink) fn outcome(&self) -> Outcome {
        let retry = |reason, slow| Outcome::Retry {
            reason,
            after: self.retry_after,
            slow,
            why: self.told(),
        };
        let slow = |reason, remedy: &str| Outcome::Retry {
            reason,
            after: self.retry_after,
            slow: true,
            why: format!("{}; {remedy}; nothing is given up meanwhile", self.told()),
        };
        match self.status {
            200..=299 => Outcome::Done,
            300..=399 => {
                let place = self.location.as_deref().unwrap_or("nowhere");
                let place: String = place
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(200)
                    .collect();
                slow(
                    "http_3xx",
                    &format!("it leads to {place}: put that into `url`"),
                )
            }
            401 => slow("http_401", "the token or password is not right"),
            403 => slow("http_403", "the token or user may not write here"),
            404 | 405 => slow("http_404", "the path in `url` is not right"),
            407 => slow("http_407", "the proxy asks for a user and password"),
            408 => retry("http_408", false),
            413 => Outcome::TooLarge { why: self.told() },
            429 => retry("http_429", false),
            500 => retry("http_500", false),
            502 => retry("http_502", false),
            503 => retry("http_503", false),
            504 => retry("http_504", false),
            400..=499 => Outcome::Rejected {
                reason: match self.status {
                    400 => "http_400",
                    415 => "http_415",
                    422 => "http_422",
                    _ => "http_4xx",
                },
                why: self.told(),
            },
            501 | 505..=599 => retry("http_5xx", true),
            _ => retry("http_other", true),
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

/// What becomes of a request that got no answer.
pub(super) fn failed(error: &ureq::Error) -> Outcome {
    let (reason, slow) = match error {
        ureq::Error::Timeout(_) => ("timeout", false),
        ureq::Error::HostNotFound => ("name", false),
        ureq::Error::Io(error) => of_io(error),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::TlsRequired => ("tls", true),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
            ("request", true)
        }
        ureq::Error::ConnectProxyFailed(_) => ("proxy", false),
        _ => ("protocol", false),
    };
    Outcome::Retry {
        reason,
        after: None,
        slow,
        why: error.to_string(),
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
        Answer::new(status, &map, body.to_vec())
    }

    #[test]
    fn every_status_means_one_thing() {
        for status in [200, 201, 202, 204, 299] {
            assert!(matches!(answer(status, &[], b"").outcome(), Outcome::Done));
        }
        for status in [408, 429, 500, 502, 503, 504] {
            let outcome = answer(status, &[("retry-after", "7")], b"").outcome();
            let Outcome::Retry { after, slow, .. } = outcome else {
                panic!("{status}: {outcome:?}")
            };
            assert_eq!(after, Some(Duration::from_secs(7)), "{status}");
            assert!(!slow, "{status}");
        }
        for status in [301, 307, 401, 403, 404, 405, 407, 501, 507] {
            let outcome = answer(status, &[], b"").outcome();
            assert!(
                matches!(outcome, Outcome::Retry { slow: true, .. }),
                "{status}: {outcome:?}"
            );
        }
        for status in [400, 406, 409, 410, 411, 415, 422, 431, 451] {
            assert!(
                matches!(answer(status, &[], b"").outcome(), Outcome::Rejected { .. }),
                "{status}"
            );
        }
        assert!(matches!(
            answer(413, &[], b"").outcome(),
            Outcome::TooLarge { .. }
        ));
    }

    #[test]
    fn who_asks_for_hours_is_asked_again_after_minutes() {
        let Outcome::Retry { after, .. } = answer(503, &[("retry-after", "86400")], b"").outcome()
        else {
            panic!("a retry")
        };
        assert_eq!(after, Some(LONGEST_RETRY_AFTER));
    }

    #[test]
    fn what_the_other_side_says_is_one_short_harmless_line() {
        let told = answer(400, &[], b"no \x1b[31mway\r\n  at all").told();
        assert_eq!(told, "answered 400: no [31mway at all");
        assert!(answer(400, &[], &[b'x'; 100_000]).told().len() < 400);
        assert_eq!(answer(503, &[], b"\n").told(), "answered 503");
        let Outcome::Retry { why, .. } =
            answer(308, &[("location", "https://new.example/in")], b"").outcome()
        else {
            panic!("a retry")
        };
        assert!(why.contains("it leads to https://new.example/in"), "{why}");
    }
}

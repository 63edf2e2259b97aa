//! What an answer means for the events: taken, refused for good, or to be sent again.

use crate::client::{Answer, Client, Failure, Sending};
use crate::sink::transport::{Outcome, Prepared};

/// At most so much of an answer's body is read: a message, or a partial success.
const ANSWER_BYTES: u64 = 64 * 1024;

impl Client {
    /// Sends `request` as the body of a POST with this content type.
    ///
    /// # Errors
    /// What becomes of the request where there is no answer.
    pub(in crate::sink) fn post(
        &mut self,
        request: &Prepared<'_>,
        content_type: &'static str,
    ) -> Result<Answer, Outcome> {
        self.send(&Sending {
            body: request.body,
            content_type,
            compression: request.compression,
            patience: request.patience,
            answer_bytes: ANSWER_BYTES,
        })
        .map_err(Outcome::from)
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Retry {
            reason: failure.reason,
            after: None,
            slow: failure.slow,
            why: failure.why,
        }
    }
}

impl Answer {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(status: u16, retry_after: Option<u64>, location: Option<&str>) -> Answer {
        Answer {
            status,
            body: Vec::new(),
            retry_after: retry_after.map(Duration::from_secs),
            location: location.map(str::to_owned),
        }
    }

    #[test]
    fn every_status_means_one_thing() {
        for status in [200, 201, 202, 204, 299] {
            assert!(matches!(
                answer(status, None, None).outcome(),
                Outcome::Done
            ));
        }
        for status in [408, 429, 500, 502, 503, 504] {
            let outcome = answer(status, Some(7), None).outcome();
            let Outcome::Retry { after, slow, .. } = outcome else {
                panic!("{status}: {outcome:?}")
            };
            assert_eq!(after, Some(Duration::from_secs(7)), "{status}");
            assert!(!slow, "{status}");
        }
        for status in [301, 307, 401, 403, 404, 405, 407, 501, 507] {
            let outcome = answer(status, None, None).outcome();
            assert!(
                matches!(outcome, Outcome::Retry { slow: true, .. }),
                "{status}: {outcome:?}"
            );
        }
        for status in [400, 406, 409, 410, 411, 415, 422, 431, 451] {
            assert!(
                matches!(
                    answer(status, None, None).outcome(),
                    Outcome::Rejected { .. }
                ),
                "{status}"
            );
        }
        assert!(matches!(
            answer(413, None, None).outcome(),
            Outcome::TooLarge { .. }
        ));
    }

    #[test]
    fn a_redirect_is_told_with_its_place() {
        let Outcome::Retry { why, .. } =
            answer(308, None, Some("https://new.example/in")).outcome()
        else {
            panic!("a retry")
        };
        assert!(why.contains("it leads to https://new.example/in"), "{why}");
    }
}

//! What a receiver answers: an `ExportLogsServiceResponse` after success, a `google.rpc.Status` or just words after a failure.

use prost::Message as _;

use crate::wire::otlp::{Response, Status};

/// How many records a successful answer rejects for good, and in what words. Nothing where the body is empty, is JSON, or cannot be
/// understood: a 2xx is a success whatever its body is (Fluent Bit answers 201 with none).
#[must_use]
pub fn partial_success(body: &[u8]) -> Option<(u64, String)> {
    let partial = Response::decode(body).ok()?.partial_success?;
    let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0);
    (rejected > 0 || !partial.error_message.is_empty()).then_some((rejected, partial.error_message))
}

/// The words of a failure, for the log.
#[must_use]
pub fn failure(body: &[u8]) -> String {
    match Status::decode(body) {
        Ok(status) if !status.message.is_empty() => status.message,
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::otlp::PartialSuccess;

    #[test]
    fn a_partial_success_is_read_and_anything_else_is_whole() {
        let answer = Response {
            partial_success: Some(PartialSuccess {
                rejected_log_records: 3,
                error_message: "too old".into(),
            }),
        };
        assert_eq!(
            partial_success(&answer.encode_to_vec()),
            Some((3, "too old".into()))
        );
        // A message without a count is a warning: nothing was rejected.
        assert_eq!(
            partial_success(b"\x0a\x05\x12\x03eh?"),
            Some((0, "eh?".into()))
        );
        // A count below zero is no count.
        assert_eq!(
            partial_success(b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            None
        );
        for whole in [
            &b""[..],
            b"\x0a\x00",
            b"{\"partialSuccess\":{}}",
            b"\xff\xff\xff\xff",
        ] {
            assert_eq!(partial_success(whole), None, "{whole:?}");
        }
    }

    #[test]
    fn a_failure_is_told_in_the_receivers_words() {
        let status = Status {
            code: 14,
            message: "try later".into(),
        };
        assert_eq!(failure(&status.encode_to_vec()), "try later");
        assert_eq!(failure(b"no such page"), "no such page");
    }
}

//! What other pipelines send: `POST /ingest` and `POST /v1/logs`. Answered once the store has it.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use prost::Message as _;
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::Api;
use super::extract::{announced, read_within, too_large};
use super::problem::{ErrorBody, Problem};
use crate::source::receive::{Encoding, Intake, Refused, Share, Summary};
use crate::wire::otlp::{PartialSuccess, Response as Taken, Status};

const SETTING: &str = "sources.http.max_body_bytes";
/// After this time the sender may try again, in seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("1");

/// What became of the records.
#[derive(Serialize, ToSchema)]
pub(super) struct Ingested {
    /// Records that are stored now.
    accepted: u64,
    /// Records that cannot be taken, by reason.
    rejected: std::collections::BTreeMap<&'static str, u64>,
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Records in JSON.
    Json,
    /// OTLP in protobuf.
    Otlp,
    /// OTLP in JSON.
    OtlpJson,
}

impl Way {
    fn receiver(self) -> &'static str {
        match self {
            Self::Json => "http",
            Self::Otlp | Self::OtlpJson => "otlp",
        }
    }

    fn limit(self, intake: &Intake) -> usize {
        match self {
            Self::Json | Self::Otlp => intake.max_bytes(),
            Self::OtlpJson => intake.max_document(),
        }
    }

    fn read(
        self,
        intake: &Intake,
        body: &[u8],
        encoding: Encoding,
        share: Share,
        tell: Tell,
    ) -> Result<Summary, Refused> {
        match self {
            Self::Json => intake.json(body, encoding, share, tell),
            Self::Otlp => intake.otlp(body, encoding, share, tell),
            Self::OtlpJson => intake.otlp_json(body, encoding, share, tell),
        }
    }
}

type Tell = Box<dyn FnOnce(bool) + Send>;

/// Takes events of another pipeline, as JSON: an object a line, or an array of objects; gzip and zstd are understood.
///
/// The text stands in `message`, `log` or the like; time, level, stream and the names of pod and container are taken from where
/// collectors write them. Answered once the events are stored; a request that was not answered with 200 may come again.
#[utoipa::path(
    post,
    path = "/ingest",
    tag = "receive",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = Ingested))
)]
pub(super) async fn ingest(State(api): State<Api>, request: Request) -> Result<Response, Response> {
    match take(&api, request, Way::Json).await {
        Ok(summary) if summary.taken == 0 && summary.rejected() > 0 => Err(Problem::bad(
            "no_record",
            reasons(&summary),
            "send JSON objects with a text in `message` or `log`, one a line or in an array",
        )
        .into_response()),
        Ok(summary) => Ok(Json(Ingested {
            accepted: summary.taken,
            rejected: summary.rejected,
        })
        .into_response()),
        Err(problem) => Err(retryable(problem)),
    }
}

/// Takes events of another pipeline by OTLP: an `ExportLogsServiceRequest` in protobuf or JSON; gzip and zstd are understood.
///
/// Answered with an `ExportLogsServiceResponse` once the events are stored, where a partial success counts the records that cannot
/// be taken. A body in JSON may be a quarter as long as one in protobuf.
#[utoipa::path(
    post,
    path = "/v1/logs",
    tag = "receive",
    request_body(content = Vec<u8>, content_type = "application/x-protobuf"),
    responses(
        (status = 200, description = "An ExportLogsServiceResponse", body = Vec<u8>, content_type = "application/x-protobuf"),
        (status = 415, description = "The body is said to be neither protobuf nor JSON", body = ErrorBody),
    )
)]
pub(super) async fn otlp(State(api): State<Api>, request: Request) -> Response {
    match kind(request.headers()) {
        Some(Way::Otlp) => match take(&api, request, Way::Otlp).await {
            Ok(summary) => {
                let partial_success = (summary.rejected() > 0).then(|| PartialSuccess {
                    rejected_log_records: i64::try_from(summary.rejected()).unwrap_or(i64::MAX),
                    error_message: reasons(&summary),
                });
                protobuf(StatusCode::OK, Taken { partial_success }.encode_to_vec())
            }
            Err(problem) => {
                // The specification wants a google.rpc.Status; its code may be left open.
                let status = Status {
                    code: 0,
                    message: format!("{}; {}", problem.message, problem.hint),
                };
                let plain = retryable(problem);
                let mut response = protobuf(plain.status(), status.encode_to_vec());
                if let Some(again) = plain.headers().get(header::RETRY_AFTER) {
                    response
                        .headers_mut()
                        .insert(header::RETRY_AFTER, again.clone());
                }
                response
            }
        },
        Some(way) => match take(&api, request, way).await {
            Ok(summary) if summary.rejected() > 0 => Json(json!({
                "partialSuccess": {
                    "rejectedLogRecords": summary.rejected().to_string(),
                    "errorMessage": reasons(&summary),
                }
            }))
            .into_response(),
            Ok(_) => Json(json!({})).into_response(),
            Err(problem) => retryable(problem),
        },
        None => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_otlp",
            "the body is said to be neither protobuf nor JSON",
            "send the header Content-Type: application/x-protobuf, or application/json",
        )
        .into_response(),
    }
}

/// Why records were not taken.
fn reasons(summary: &Summary) -> String {
    let reasons: Vec<&str> = summary.rejected.keys().copied().collect();
    format!("records that cannot be taken: {}", reasons.join(", "))
}

fn protobuf(status: StatusCode, body: Vec<u8>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/x-protobuf")];
    (status, headers, body).into_response()
}

/// In which encoding an OTLP request is said to come.
fn kind(headers: &HeaderMap) -> Option<Way> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next()?.trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-protobuf" | "application/protobuf" => Some(Way::Otlp),
        "application/json" => Some(Way::OtlpJson),
        _ => None,
    }
}

/// The answer to a request that is to come again says when.
fn retryable(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, AGAIN);
    }
    response
}

async fn take(api: &Api, request: Request, way: Way) -> Result<Summary, Problem> {
    let Some(intake) = api.inner.parts.intake.clone() else {
        return Err(Problem::unavailable(
            "receiver_off",
            "nothing is received by HTTP",
            "set sources.http.enabled",
        ));
    };
    let taken = within(api, request, &intake, way).await;
    if let Err((why, _)) = &taken {
        intake.count_refused(way.receiver(), why);
    }
    taken.map_err(|(_, problem)| problem)
}

/// Why a request is not taken: for the metrics, and for the sender.
type Refusal = (Refused, Problem);

async fn within(
    api: &Api,
    request: Request,
    intake: &Intake,
    way: Way,
) -> Result<Summary, Refusal> {
    let refuse = |why: Refused| {
        let problem = problem(&why, way.limit(intake));
        (why, problem)
    };
    intake.check().map_err(refuse)?;
    let encoding = encoding(request.headers()).map_err(|problem| {
        let unknown = Refused::Malformed("a compression that is not known");
        (unknown, problem)
    })?;
    let limit = way.limit(intake);
    let length = announced(request.headers()).map_or(limit, |length| {
        usize::try_from(length).unwrap_or(usize::MAX)
    });
    if length > limit {
        return Err(refuse(Refused::TooLarge));
    }
    let share = intake.room(length).map_err(refuse)?;
    let body: Bytes = read_within(request, api, limit, SETTING)
        .await
        .map_err(|problem| match problem.status {
            StatusCode::PAYLOAD_TOO_LARGE => (Refused::TooLarge, problem),
            _ => (Refused::Malformed("the body did not come whole"), problem),
        })?;
    let (told, kept) = oneshot::channel();
    let tell: Tell = Box::new(move |kept| {
        // Whoever has gone needs no answer.
        let _ = told.send(kept);
    });
    let worker = intake.clone();
    let summary = api
        .receive(move || way.read(&worker, &body, encoding, share, tell))
        .await
        .map_err(|problem| (Refused::Busy, problem))?
        .map_err(refuse)?;
    match tokio::time::timeout(api.options().timeout, kept).await {
        Ok(Ok(true)) => Ok(summary),
        Ok(Ok(false) | Err(_)) => Err(refuse(Refused::NotKept)),
        Err(_) => Err(refuse(Refused::Busy)),
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let named = headers.get(header::CONTENT_ENCODING);
    let named = named.map_or(Some(""), |named| named.to_str().ok());
    named.and_then(Encoding::named).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unknown_encoding",
            "the body is compressed in a way that is not known",
            "send it plain, or with Content-Encoding gzip or zstd",
        )
    })
}

fn problem(why: &Refused, limit: usize) -> Problem {
    match why {
        Refused::NotKept => Problem::unavailable(
            "store_unavailable",
            "the events cannot be stored now",
            "send them again; GET /health says what is wrong with the store",
        ),
        Refused::Busy => Problem::busy("too much is on its way to the store"),
        Refused::Stopping => {
            Problem::unavailable("stopping", "the agent stops", "send it again when it is up")
        }
        Refused::TooLarge => too_large(limit, SETTING),
        Refused::Malformed(why) => Problem::bad(
            "bad_body",
            *why,
            "send it as its Content-Type and Content-Encoding say",
        ),
    }
}

//! Who may ask, before anything else is looked at: the name that was asked for, the page that asks, how often; and what
//! stands on every answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Api;
use super::problem::Problem;

/// Who sent a request; put there by the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) SocketAddr);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What a request's own id may be as long as.
const MAX_ID: usize = 64;

/// Checks a request, passes it on, and marks its answer.
pub(super) async fn gate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let shared = origin
        .as_ref()
        .filter(|origin| api.lets_share(origin.as_bytes()))
        .cloned();
    let mut response = match refusal(&api, &request, shared.is_some()) {
        Some(problem) => problem.into_response(),
        None if shared.is_some() && is_preflight(&request) => preflight(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if !api.options().cors_origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = shared {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("x-request-id, retry-after"),
        );
    }
    response
}

fn refusal(api: &Api, request: &Request, shared: bool) -> Option<Problem> {
    let asked = authority(request.headers(), request.uri());
    if !api.answers_to(asked) {
        return Some(Problem::new(
            StatusCode::FORBIDDEN,
            "host_not_allowed",
            format!("this agent is not asked as `{}`", asked.unwrap_or_default()),
            "ask for localhost or the address it listens on, name it in api.hosts, or set api.token_file",
        ));
    }
    // A page of somewhere else may make a browser send this; whoever sits at that browser has not asked for it.
    let foreign = request
        .headers()
        .get(header::ORIGIN)
        .is_some_and(|origin| !shared && !is_of(origin.as_bytes(), asked));
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD)
        && !request.headers().contains_key(header::UPGRADE);
    if foreign && !harmless {
        return Some(Problem::new(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "a page of another origin may not ask this",
            "name the page's origin in api.cors_origins",
        ));
    }
    let from = request.extensions().get::<Client>();
    let address = from.map_or(IpAddr::from([0, 0, 0, 0]), |client| client.0.ip());
    if !api.rate().allows(address, Instant::now()) {
        return Some(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "this address asks more often than api.requests_per_second",
            "wait a second, and ask less often",
        ));
    }
    None
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    (
        StatusCode::NO_CONTENT,
        [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, last-event-id, x-request-id",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ],
    )
        .into_response()
}

/// The host and port that were asked for.
fn authority<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    uri.authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// The name in `authority`, without its port.
pub(super) fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host),
    }
}

/// Whether this is a name that can only mean this host itself, so that nobody's DNS can lead here under another one.
pub(super) fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether `origin` is that of the page that `asked` serves.
fn is_of(origin: &[u8], asked: Option<&str>) -> bool {
    let Ok(origin) = std::str::from_utf8(origin) else {
        return false;
    };
    origin
        .split_once("://")
        .is_some_and(|(_, host)| asked.is_some_and(|asked| host.eq_ignore_ascii_case(asked)))
}

/// The request's own id where it has a sound one, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let sound = |id: &&HeaderValue| {
        (1..=MAX_ID).contains(&id.len())
            && id
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
    };
    headers
        .get(REQUEST_ID)
        .filter(sound)
        .cloned()
        .unwrap_or_else(|| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let id = format!("{:x}-{number:x}", std::process::id());
            HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("none"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_told_from_the_port() {
        for (authority, host) in [
            ("localhost:7333", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:7333", "::1"),
            ("[::1]", "::1"),
            ("127.0.0.1:7333", "127.0.0.1"),
            ("evil.example:7333", "evil.example"),
            ("", ""),
            ("[", ""),
        ] {
            assert_eq!(host_of(authority), host);
        }
    }

    #[test]
    fn only_names_of_this_very_host_are_local() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.",
            "10.0.0.1",
            "0.0.0.0",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn a_page_is_of_the_host_that_serves_it() {
        assert!(is_of(b"http://localhost:7333", Some("localhost:7333")));
        assert!(!is_of(b"http://localhost:9999", Some("localhost:7333")));
        assert!(!is_of(b"null", Some("localhost:7333")));
        assert!(!is_of(b"http://\xff", Some("localhost:7333")));
    }

    #[test]
    fn a_request_keeps_a_sound_id_and_loses_another() {
        let mut headers = HeaderMap::new();
        let first = request_id(&headers);
        assert_ne!(first, request_id(&headers));
        headers.insert(REQUEST_ID, HeaderValue::from_static("abc-1.2"));
        assert_eq!(request_id(&headers), "abc-1.2");
        headers.insert(REQUEST_ID, HeaderValue::from_static("<script>"));
        assert_ne!(request_id(&headers), "<script>");
    }
}

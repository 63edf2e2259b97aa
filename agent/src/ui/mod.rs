//! The page for a browser: a few static files inside the binary. They ask the HTTP API, as any client does.
//!
//! Enters: a request for a file. Leaves: the file, or the word that the browser has it already. Nothing of another host is
//! ever loaded, nothing of a log becomes HTML (the policy forbids every way to parse it), and no build step stands between
//! the sources in `js/` and what is served.

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use xxhash_rust::xxh3::xxh3_64;

/// What the page may do: load its own files and ask its own agent. No script or style inside the page, no frame, no form that
/// leaves it, and no text that is parsed as HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const PAGE: &[u8] = include_bytes!("index.html");
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files under `/ui/`: name, kind, content.
const FILES: &[(&str, &str, &[u8])] = &[
    ("style.css", CSS, include_bytes!("style.css")),
    ("views.css", CSS, include_bytes!("views.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("icon.svg")),
    ("main.js", SCRIPT, include_bytes!("js/main.js")),
    ("api.js", SCRIPT, include_bytes!("js/api.js")),
    ("ask.js", SCRIPT, include_bytes!("js/ask.js")),
    ("chart.js", SCRIPT, include_bytes!("js/chart.js")),
    ("dom.js", SCRIPT, include_bytes!("js/dom.js")),
    ("line.js", SCRIPT, include_bytes!("js/line.js")),
    ("live.js", SCRIPT, include_bytes!("js/live.js")),
    ("names.js", SCRIPT, include_bytes!("js/names.js")),
    ("now.js", SCRIPT, include_bytes!("js/now.js")),
    ("tail.js", SCRIPT, include_bytes!("js/tail.js")),
    ("template.js", SCRIPT, include_bytes!("js/template.js")),
    ("try.js", SCRIPT, include_bytes!("js/try.js")),
];

/// Whether whoever asks with these headers is a browser that wants a page.
#[must_use]
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accepted.is_some_and(|kinds| {
        kinds
            .split(',')
            .any(|kind| kind.trim().split(';').next() == Some("text/html"))
    })
}

/// The page. It stands for everybody: it holds nothing of the logs.
#[must_use]
pub fn page(asked: &HeaderMap) -> Response {
    file(asked, HTML, PAGE)
}

/// The files that the page loads, under `/ui/`.
pub fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let one = |Path(name): Path<String>, asked: HeaderMap| async move {
        match FILES.iter().find(|(known, ..)| *known == name) {
            Some((_, kind, content)) => file(&asked, kind, content),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    };
    Router::new().route("/ui/{name}", get(one))
}

/// `content`, or only that it has not changed. A browser keeps it and asks each time, so that a new agent has its new page.
fn file(asked: &HeaderMap, kind: &'static str, content: &'static [u8]) -> Response {
    let tag = format!("\"{:016x}\"", xxh3_64(content));
    let has_it = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let mut response = if has_it {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Bytes::from_static(content).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_page_and_a_program_does_not() {
        let asks = |accept: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            is_wanted(&headers)
        };
        assert!(asks(Some("text/html,application/xhtml+xml,*/*;q=0.8")));
        assert!(asks(Some("application/json, text/html;q=0.9")));
        assert!(!asks(Some("*/*")));
        assert!(!asks(Some("application/json")));
        assert!(!asks(None));
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let first = page(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut asked = HeaderMap::new();
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(page(&asked).status(), StatusCode::NOT_MODIFIED);
    }

    /// What would parse a text as HTML or run it, or reach for another host.
    const FORBIDDEN: &[&str] = &[
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "createContextualFragment",
        "eval(",
        "new Function",
        "srcdoc",
        "https://",
        "//cdn",
        "style=",
        "onclick=\"",
    ];

    #[test]
    fn nothing_parses_html_or_asks_another_host() {
        let all = FILES.iter().map(|(name, _, content)| (*name, *content));
        for (name, content) in all.chain([("index.html", PAGE)]) {
            let text = std::str::from_utf8(content).unwrap();
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{name} has `{word}`");
            }
            let urls = text.matches("http://").count();
            let own = text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(urls, own, "{name} names another host");
            assert!(text.lines().count() <= 400, "{name} is too long");
        }
    }

    #[test]
    fn every_file_that_is_loaded_is_there_and_all_are_small() {
        let html = std::str::from_utf8(PAGE).unwrap();
        let mut wanted: Vec<String> = html
            .split("\"/ui/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        for (_, _, content) in FILES {
            let text = std::str::from_utf8(content).unwrap();
            let imported = text
                .split("from './")
                .skip(1)
                .map(|rest| rest.split('\'').next().unwrap().to_owned());
            wanted.extend(imported);
        }
        for name in &wanted {
            assert!(FILES.iter().any(|(known, ..)| known == name), "{name}");
        }
        for (name, ..) in FILES {
            assert!(
                wanted.iter().any(|one| one == name),
                "{name} is never loaded"
            );
        }
        let size: usize = FILES.iter().map(|(.., content)| content.len()).sum();
        assert!(size + PAGE.len() < 100_000, "{size} bytes");
    }
}

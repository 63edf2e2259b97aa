//! `/docs` and `/openapi.json`: the API's description, made from the code, and a page that shows it. The page loads nothing:
//! no script, style or image of any other host, and none of this one.

use std::fmt::Write as _;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::Api;
use super::problem::{ErrorBody, ErrorDetail};

/// The refusals that any request may meet, with their meaning.
const ANY: &[(&str, &str)] = &[
    ("400", "The request cannot be understood"),
    ("401", "A bearer token is needed"),
    (
        "403",
        "The agent is not asked under this name, or not by a page of this origin",
    ),
    ("405", "The path does not take this method"),
    ("422", "A value cannot be used"),
    ("429", "This address asks too often"),
    ("500", "A bug in the agent"),
    (
        "503",
        "A part that is needed is not there, does not work or is busy",
    ),
];
/// Those that a request with a body may meet beside.
const WITH_BODY: &[(&str, &str)] = &[
    ("408", "The body came too slowly"),
    ("413", "The body is too large"),
    ("415", "The body is not of the kind that is needed"),
];

/// What the description begins with.
pub(super) fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("logsieve")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What the containers of this host print: stored lines, live streams, labels, questions.",
        ))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// The description, for programs and for people.
pub(super) fn pages(mut description: OpenApi) -> Router<Api> {
    complete(&mut description);
    let json = Bytes::from(description.to_json().unwrap_or_default());
    let html = Bytes::from(page(&description));
    let json = move || async { ([(header::CONTENT_TYPE, "application/json")], json) };
    let html = move || async {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        (headers, html)
    };
    Router::new()
        .route("/openapi.json", get(json))
        .route("/docs", get(html))
}

/// Adds the refusals that every operation has in common.
fn complete(description: &mut OpenApi) {
    let schemas = &mut description.components.get_or_insert_default().schemas;
    schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    schemas.insert(ErrorDetail::name().into_owned(), ErrorDetail::schema());
    for item in description.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    "What was asked for".clone_into(&mut response.description);
                }
            }
            add(operation, ANY);
            if operation.request_body.is_some() {
                add(operation, WITH_BODY);
            }
        }
    }
}

fn add(operation: &mut Operation, refusals: &[(&str, &str)]) {
    for (status, meaning) in refusals {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(ErrorBody::name())))
            .build();
        let response = ResponseBuilder::new()
            .description(*meaning)
            .content("application/json", content)
            .build();
        operation
            .responses
            .responses
            .entry((*status).to_owned())
            .or_insert(response.into());
    }
}

fn page(description: &OpenApi) -> String {
    let mut out = String::from(HEAD);
    for (path, item) in &description.paths.paths {
        for (method, operation) in [("GET", &item.get), ("POST", &item.post)] {
            if let Some(operation) = operation {
                section(&mut out, method, path, operation);
            }
        }
    }
    out.push_str("</html>");
    out
}

/// The page shows, and does nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
<title>logsieve: API</title><style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}h2{font-size:1.05rem;margin:2rem 0 .3rem;font-family:ui-monospace,monospace}b{color:#06c}\
table{border-collapse:collapse;margin:.5rem 0}td{border-top:1px solid #ccc;padding:.2rem .8rem .2rem 0;vertical-align:top}\
code{font-family:ui-monospace,monospace}@media(prefers-color-scheme:dark){body{color:#ddd;background:#151515}b{color:#7bf}\
td{border-color:#444}a{color:#7bf}}</style><h1>logsieve: API</h1><p>Made from the code; \
<a href=/openapi.json>/openapi.json</a> says the same for programs. Refusals are \
<code>{\"error\": {\"code\", \"message\", \"hint\"}, \"detail\"}</code>. Where a token is set, send \
<code>Authorization: Bearer TOKEN</code>.";

fn section(out: &mut String, method: &str, path: &str, operation: &Operation) {
    // Writing to a String cannot fail.
    let _ = write!(out, "<h2><b>{method}</b> {}</h2>", escaped(path));
    for text in [&operation.summary, &operation.description]
        .into_iter()
        .flatten()
    {
        let _ = write!(out, "<p>{}", escaped(text));
    }
    out.push_str("<table>");
    for parameter in operation.parameters.iter().flatten() {
        let RefOr::T(parameter) = parameter else {
            continue;
        };
        let _ = write!(
            out,
            "<tr><td><code>{}</code><td>{}",
            escaped(&parameter.name),
            escaped(parameter.description.as_deref().unwrap_or_default())
        );
    }
    let body = operation.request_body.as_ref().map(serde_json::to_value);
    if let Some(Ok(body)) = body {
        let _ = write!(
            out,
            "<tr><td>body<td><code>{}</code>",
            escaped(&body["content"].to_string())
        );
    }
    out.push_str("</table>");
}

/// `text` as the content of an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

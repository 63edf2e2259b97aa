//! What is refused, and how: always with a word for programs, what is wrong, and what to do about it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::{agent, get, id_of, post, refused};
use crate::harness::{ask, dir};

#[test]
fn every_refusal_says_what_to_do() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let port = agent.api;
    for (path, status, code) in [
        ("/nothing/here", 404, "not_found"),
        ("/api", 404, "not_found"),
        ("/api/containers/nobody", 404, "container_not_found"),
        ("/api/containers/%FF", 400, "bad_path"),
        (
            "/api/logs/raw?container_id=nobody",
            404,
            "container_not_found",
        ),
        (
            "/api/logs/stats?container_id=nobody",
            404,
            "container_not_found",
        ),
        (
            "/api/events?container_id=nobody",
            404,
            "container_not_found",
        ),
        ("/api/logs/raw?tail=0", 422, "bad_value"),
        ("/api/logs/raw?tail=1000000", 422, "bad_value"),
        ("/api/logs/raw?tail=-1", 422, "bad_value"),
        ("/api/logs/raw?tail=many", 422, "bad_value"),
        ("/api/logs/raw?from_ts=yesterday-ish", 422, "bad_value"),
        ("/api/logs/raw?to_ts=2026-13-45T99:00:00Z", 422, "bad_value"),
        ("/api/logs/raw?level=loud", 422, "bad_value"),
        ("/api/logs/raw?template_id=xyz", 422, "bad_value"),
        ("/api/events?level=loud", 422, "bad_value"),
        ("/api/templates?limit=0", 422, "bad_value"),
        ("/api/templates?sort=sideways", 422, "bad_value"),
        ("/api/templates/xyz", 404, "template_not_found"),
        ("/api/templates/0000000000000000", 404, "template_not_found"),
        (
            "/api/logs/query/suggestions?container_id=nobody",
            404,
            "container_not_found",
        ),
        (
            "/api/logs/query/stats?container_id=nobody",
            404,
            "container_not_found",
        ),
        ("/api/llm/log?limit=0", 422, "bad_value"),
        ("/api/logs/stream", 426, "not_a_websocket"),
        ("/api/classify", 405, "method_not_allowed"),
    ] {
        refused(&get(&agent, path), status, code);
    }
    for (path, body, status, code) in [
        ("/api/classify", "{", 400, "bad_json"),
        ("/api/classify", "nonsense", 400, "bad_json"),
        ("/api/classify", "[1,2]", 422, "bad_value"),
        ("/api/classify", "{}", 422, "bad_value"),
        ("/api/classify", r#"{"log_message": 3}"#, 422, "bad_value"),
        (
            "/api/classify",
            r#"{"log_message": "a", "more": 1}"#,
            422,
            "bad_value",
        ),
        ("/api/classify", r#"{"log_message": " "}"#, 400, "empty"),
        ("/api/classify", r#"{"lines": []}"#, 422, "bad_value"),
        ("/api/classify", "\"\\ud800\"", 400, "bad_json"),
        ("/api/logs/query", r#"{"k": 8}"#, 422, "bad_value"),
        ("/api/logs/query", r#"{"question": " "}"#, 422, "bad_value"),
        (
            "/api/logs/query",
            r#"{"question": "why", "k": 0}"#,
            422,
            "bad_value",
        ),
        (
            "/api/logs/query",
            r#"{"question": "why", "k": 1000000}"#,
            422,
            "bad_value",
        ),
        (
            "/api/logs/query",
            r#"{"question": "why", "k": -1}"#,
            422,
            "bad_value",
        ),
        (
            "/api/logs/query",
            r#"{"question": "why", "from_ts": "soon"}"#,
            422,
            "bad_value",
        ),
        (
            "/api/logs/query",
            r#"{"question": "why", "container_id": "nobody"}"#,
            404,
            "container_not_found",
        ),
        (
            "/api/templates/0000000000000000/label",
            r#"{"category": "network"}"#,
            404,
            "template_not_found",
        ),
    ] {
        refused(&post(&agent, path, body), status, code);
    }
    let typed = |kind: &str| ask(port, "POST", "/api/classify", &[kind], b"{}").unwrap();
    refused(&typed("X-None: 1"), 415, "not_json");
    refused(&typed("Content-Type: text/plain"), 415, "not_json");
    for method in ["DELETE", "PUT", "PATCH", "OPTIONS"] {
        let reply = ask(port, method, "/api/audit", &[], b"").unwrap();
        refused(&reply, 405, "method_not_allowed");
        assert!(reply.head.contains("allow: get"), "{reply:?}");
    }
    let bad_id = ["Last-Event-ID: abc"];
    refused(
        &ask(port, "GET", "/api/events", &bad_id, b"").unwrap(),
        422,
        "bad_value",
    );
    // It still works.
    let known = format!("/api/logs/raw?container_id={}", id_of(dir.path()));
    assert_eq!(get(&agent, &known).status, 200);
    agent.terminate();
}

#[test]
fn a_body_that_is_huge_or_slow_is_given_up() {
    let dir = dir();
    let agent = agent(dir.path(), "max_body_bytes: 4096, timeout_ms: 500");
    let huge = format!(r#"{{"log_message": "{}"}}"#, "x".repeat(8192));
    refused(&post(&agent, "/api/classify", &huge), 413, "body_too_large");
    let open = |head: &str| {
        let mut socket = TcpStream::connect(("127.0.0.1", agent.api)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        let whole = format!(
            "POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n\r\n"
        );
        socket.write_all(whole.as_bytes()).unwrap();
        socket
    };
    // One that does not say how much it sends.
    let mut endless = open("Transfer-Encoding: chunked");
    for _ in 0..16 {
        let piece = format!("400\r\n{}\r\n", "x".repeat(1024));
        if endless.write_all(piece.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = [0; 12];
    endless.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // One that says so and does not send it.
    let mut slow = open("Content-Length: 100");
    slow.write_all(b"{\"log_").unwrap();
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    agent.terminate();
}

#[test]
fn who_has_no_token_sees_nothing_of_the_logs() {
    let dir = dir();
    let secret = dir.path().join("token");
    fs::write(&secret, "open-sesame\n").unwrap();
    let agent = agent(dir.path(), &format!("token_file: \"{}\"", secret.display()));
    let port = agent.api;
    let paths = [
        "/health",
        "/api/containers",
        "/api/logs/raw",
        "/api/logs/stats",
        "/api/logs/stream",
        "/api/events",
        "/api/templates",
        "/api/audit",
    ];
    for path in paths {
        for token in [
            "X-None: 1",
            "Authorization: Bearer open-sesam",
            "Authorization: Basic open-sesame",
        ] {
            refused(
                &ask(port, "GET", path, &[token], b"").unwrap(),
                401,
                "unauthorized",
            );
        }
    }
    let right = "Authorization: Bearer open-sesame";
    for path in ["/api/containers", "/api/logs/raw", "/api/audit"] {
        assert_eq!(ask(port, "GET", path, &[right], b"").unwrap().status, 200);
    }
    // With a token it may be asked under any name.
    let named = ask(
        port,
        "GET",
        "/api/audit",
        &[right, "Host: logs.example.org"],
        b"",
    );
    assert_eq!(named.unwrap().status, 200);
    agent.terminate();
}

/// A page of somewhere else, whose name was made to lead here, or which has a browser send what nobody asked for.
#[test]
fn a_browser_is_not_made_to_ask_for_others() {
    let dir = dir();
    let agent = agent(
        dir.path(),
        "hosts: [logs.example.org], cors_origins: [\"https://good.example\"]",
    );
    let port = agent.api;
    let with = |method: &str, path: &str, headers: &[&str], body: &[u8]| {
        ask(port, method, path, headers, body).unwrap()
    };
    for host in [
        "Host: evil.example",
        "Host: evil.example:7333",
        "Host: localhost.evil.example",
        "Host:",
    ] {
        refused(
            &with("GET", "/api/logs/raw", &[host], b""),
            403,
            "host_not_allowed",
        );
    }
    for host in [
        "Host: localhost",
        "Host: LOGS.example.org:1",
        "Host: [::1]:7333",
    ] {
        assert_eq!(
            with("GET", "/api/audit", &[host], b"").status,
            200,
            "{host}"
        );
    }
    let json = "Content-Type: application/json";
    let line = br#"{"log_message": "x"}"#;
    let evil = "Origin: https://evil.example";
    let reply = with("POST", "/api/classify", &[json, evil], line);
    refused(&reply, 403, "origin_not_allowed");
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", evil];
    refused(
        &with("GET", "/api/logs/stream", &upgrade, b""),
        403,
        "origin_not_allowed",
    );
    // A browser shows it nothing.
    assert!(
        !with("GET", "/api/audit", &[evil], b"")
            .head
            .contains("access-control-allow")
    );
    let good = "Origin: https://good.example";
    let reply = with("POST", "/api/classify", &[json, good], line);
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .head
            .contains("access-control-allow-origin: https://good.example")
    );
    let asked = "Access-Control-Request-Method: POST";
    let preflight = with("OPTIONS", "/api/classify", &[good, asked], b"");
    assert_eq!(preflight.status, 204);
    assert!(preflight.head.contains("access-control-allow-headers: "));
    refused(
        &with("OPTIONS", "/api/classify", &[evil, asked], b""),
        403,
        "origin_not_allowed",
    );
    agent.terminate();
}

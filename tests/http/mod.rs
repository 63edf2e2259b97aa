//! The API from outside: the seeds' shapes, refusals, live streams, bounds, and a client that tries everything that the
//! description allows.

mod bounds;
mod live;
mod refusals;
mod shapes;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Agent, Reply, ask, dir, python, until};

/// How many lines [`config`]'s file holds at first.
const LINES: u32 = 60;

/// Follows `app.log` of `dir`, which has [`LINES`] lines; a third are errors.
fn config(dir: &Path) -> String {
    append(dir, 0..LINES);
    format!(
        "sources:\n  files: {{include: [\"{0}/app.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off, socket: \"{0}/no-engine.sock\"}}\n  demo: off\nevents: {{max_wait_ms: 100}}\n",
        dir.display()
    )
}

fn append(dir: &Path, numbers: std::ops::Range<u32>) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("app.log"))
        .unwrap();
    let mut text = String::new();
    for n in numbers {
        let what = if n % 3 == 0 {
            "ERROR cannot open /data: Permission denied"
        } else {
            "INFO request served"
        };
        text.push_str(&format!(
            "2026-03-01T10:{:02}:{:02}.000000000Z stdout F {what} in step {n}\n",
            n / 60 % 60,
            n % 60
        ));
    }
    file.write_all(text.as_bytes()).unwrap();
}

/// An agent that has stored the file's lines.
fn agent(dir: &Path, settings: &str) -> Agent {
    let agent = Agent::start_with_api(dir, &config(dir), settings);
    agent.wait_for(LINES as usize, |_| true);
    agent
}

#[track_caller]
fn get(agent: &Agent, path: &str) -> Reply {
    ask(agent.api, "GET", path, &[], b"").unwrap()
}

#[track_caller]
fn post(agent: &Agent, path: &str, body: &str) -> Reply {
    let json = "Content-Type: application/json";
    ask(agent.api, "POST", path, &[json], body.as_bytes()).unwrap()
}

/// Fails unless the reply is a refusal in the form that every refusal has.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    let body = reply.json();
    assert_eq!(body["error"]["code"], code, "{body}");
    for field in ["message", "hint"] {
        let text = body["error"][field].as_str();
        assert!(text.is_some_and(|text| !text.is_empty()), "{body}");
    }
    assert_eq!(body["detail"], body["error"]["message"], "{body}");
    assert!(reply.head.contains("content-type: application/json"));
    assert!(reply.head.contains("x-request-id: "), "{reply:?}");
}

/// The path of the file as a container's id in a path or query.
fn id_of(dir: &Path) -> String {
    format!("{}/app.log", dir.display()).replace('/', "%2F")
}

/// The events in the text of a stream of server-sent events: id and object.
fn sent(text: &str) -> Vec<(u64, Value)> {
    let mut found = Vec::new();
    let mut id = 0;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("id: ") {
            id = number.parse().unwrap();
        } else if let Some(object) = line.strip_prefix("data: ") {
            found.push((id, serde_json::from_str(object).unwrap()));
        }
    }
    found
}

/// A client that knows nothing but the description tries what it allows, and what it does not.
#[test]
fn schemathesis_finds_no_fault_and_nothing_undocumented() {
    let dir = dir();
    let Some(python) = python() else { return };
    let agent = agent(dir.path(), "");
    let base = format!("http://127.0.0.1:{}", agent.api);
    let output = Command::new(python.with_file_name("st"))
        .current_dir(dir.path())
        .args(["run", &format!("{base}/openapi.json"), "--url", &base])
        // They never end; real clients try them in `live`.
        .args(["--exclude-path", "/api/events"])
        .args(["--exclude-path", "/api/logs/stream"])
        // It cannot write JSON lines or protobuf; `receive` sends them, sound and not.
        .args(["--exclude-path", "/ingest"])
        .args(["--exclude-path", "/v1/logs"])
        .args(["--phases", "coverage,fuzzing", "--max-examples", "20"])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,negative_data_rejection"])
        .args(["--generation-deterministic", "--suppress-health-check", "all"])
        .args(["--request-timeout", "60", "--no-color"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}\nthe agent's log:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        agent.log()
    );
    agent.terminate();
}

#[test]
fn the_documentation_loads_nothing_and_names_every_path() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let page = get(&agent, "/docs");
    assert_eq!(page.status, 200);
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'")
    );
    for loading in [
        "<script", "<link", "<img", "src=", "@import", "url(", "http://", "https://",
    ] {
        assert!(!page.body.contains(loading), "{loading}");
    }
    let described = get(&agent, "/openapi.json").json();
    let paths = described["paths"].as_object().unwrap();
    for path in [
        "/",
        "/health",
        "/api/containers",
        "/api/containers/{id}",
        "/api/logs/raw",
        "/api/logs/stats",
        "/api/logs/stream",
        "/api/logs/query",
        "/api/logs/query/suggestions",
        "/api/logs/query/stats",
        "/api/classify",
        "/api/generate",
        "/api/events",
        "/api/templates",
        "/api/templates/{id}",
        "/api/templates/{id}/label",
        "/api/audit",
        "/api/llm/log",
    ] {
        assert!(paths.contains_key(path), "{path}");
        assert!(page.body.contains(path), "{path}");
    }
    agent.terminate();
}

/// A stop ends what is open: an answer that is being given, and live streams.
#[test]
fn a_stop_ends_live_streams_and_the_agent() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let port = agent.api;
    let stream = std::thread::spawn(move || ask(port, "GET", "/api/events", &[], b""));
    let (mut socket, _) = live::websocket(port, "/api/logs/stream");
    // Both are open once an event comes through.
    append(dir.path(), LINES..LINES + 1);
    socket.read().unwrap();
    agent.terminate();
    assert!(sent(&stream.join().unwrap().unwrap().body).len() <= 1);
    let mut last = Ok(());
    while last.is_ok() {
        last = socket.read().map(drop);
    }
}

/// The words of an answer come as they are found, then the whole of it.
#[test]
fn an_answer_is_streamed_to_who_asks_for_that() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let body = r#"{"question": "what errors are there?", "stream": true}"#;
    let reply = post(&agent, "/api/logs/query", body);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.head.contains("content-type: text/event-stream"));
    let told = sent(&reply.body);
    let (_, answer) = told.last().unwrap();
    assert!(reply.body.contains("event: answer\n"), "{reply:?}");
    let lines = answer["references"][0]["lines"].as_array().unwrap();
    assert!(
        lines
            .iter()
            .all(|line| line["text"].as_str().unwrap().contains("ERROR"))
    );
    // What follows is about the same.
    let next = serde_json::json!({
        "question": "and since when?",
        "conversation_id": answer["conversation_id"],
    });
    let next = post(&agent, "/api/logs/query", &next.to_string()).json();
    assert_eq!(next["conversation_id"], answer["conversation_id"], "{next}");
    agent.terminate();
}

/// What is taught is kept, and wins.
#[test]
fn a_template_is_given_its_category() {
    let dir = dir();
    fs::write(
        dir.path().join("pack.yaml"),
        "version: 1\nname: small\ntaxonomy:\n  version: 1\n  categories:\n    - {id: work, means: what it does}\n    - {id: trouble, means: what fails}\nrules:\n  - {id: trouble.denied, category: trouble, any: [Permission denied], match: ['Permission denied']}\n",
    )
    .unwrap();
    let config = format!(
        "{}classify: {{pack: \"{}/pack.yaml\"}}\n",
        config(dir.path()),
        dir.path().display()
    );
    let agent = Agent::start(dir.path(), &config);
    let event = agent
        .wait_for(1, |event| event["stage"] == "none")
        .remove(0);
    let id = event["template_id"].as_str().unwrap();
    let path = format!("/api/templates/{id}/label");
    let no = post(&agent, &path, r#"{"category": "nonsense"}"#);
    refused(&no, 422, "bad_value");
    assert!(no.body.contains("work, trouble"), "{no:?}");
    let taught = post(&agent, &path, r#"{"category": "work"}"#);
    assert_eq!(taught.status, 200, "{taught:?}");
    assert_eq!(taught.json()["template"], event["template"]);
    // From now on events of the template have it, and so has the line when somebody asks about it.
    append(dir.path(), LINES..LINES + 3);
    agent.wait_for(1, |event| event["category"] == "work");
    let line = event["line"].as_str().unwrap();
    let body = serde_json::json!({ "log_message": line }).to_string();
    until(
        "the verdict to be stored",
        || {
            let said = post(&agent, "/api/classify", &body).json();
            (said["final_category"] == "work").then_some(())
        },
        || agent.log(),
    );
    let template = get(&agent, &format!("/api/templates/{id}")).json();
    assert_eq!(template["judged"]["stage"], "taught", "{template}");
    agent.terminate();
}

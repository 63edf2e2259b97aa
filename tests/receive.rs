//! What other pipelines send: taken, and acknowledged once it is stored; sent by libraries that are not this project's.

mod hostile;
mod roundtrip;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Agent, ask, dir, free_port, logsieve, objects, python, repo, until};

/// A run of tests/receivers/sender.py; killed with the value.
struct Sender {
    child: Child,
    said: PathBuf,
}

impl Sender {
    /// `None`, said aloud, where its packages are not installed.
    fn start(dir: &Path, protocol: &str, port: u16, args: &[&str]) -> Option<Self> {
        let python = python()?;
        let number = fs::read_dir(dir).unwrap().count();
        let said = dir.join(format!("sender-{number}.said"));
        let child = Command::new(python)
            .arg(repo().join("tests/receivers/sender.py"))
            .args([protocol, &port.to_string()])
            .args(args)
            .stdin(Stdio::null())
            .stdout(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        Some(Self { child, said })
    }

    /// All that it has said so far.
    fn said(&self) -> Vec<Value> {
        let bytes = fs::read(&self.said).unwrap();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        objects(&bytes[..whole])
    }

    /// The numbers of the events that were acknowledged.
    fn acked(&self) -> Vec<u64> {
        let acked = self.said().into_iter().flat_map(|line| {
            let numbers = line["acked"].as_array().cloned();
            numbers.unwrap_or_default()
        });
        acked.map(|number| number.as_u64().unwrap()).collect()
    }

    /// Waits for its end, and gives all that it has said.
    fn finish(mut self) -> Vec<Value> {
        let status = until(
            "the sender's end",
            || self.child.try_wait().unwrap(),
            || fs::read_to_string(&self.said).unwrap(),
        );
        assert!(status.success(), "{:?}", self.said());
        self.said()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an agent receives: HTTP, and Fluent forward on this port.
fn sources(port: u16, more: &str) -> String {
    format!(
        "drain_timeout_seconds: 5\nsources:\n  http: {{enabled: true, max_body_bytes: 65536}}\n  forward: {{listen: \"127.0.0.1:{port}\"{more}}}\n"
    )
}

/// The number in the text of an event of the sender.
fn seq(event: &Value) -> Option<u64> {
    let line = event["line"].as_str()?;
    let (_, after) = line.split_once("seq=")?;
    after.split(';').next()?.parse().ok()
}

/// What the store in `dir` holds.
fn stored(dir: &Path) -> Vec<Value> {
    let state = dir.join("state");
    let args = ["export", "--data-dir", state.to_str().unwrap()];
    objects(&logsieve(args, b"").expect(0).stdout)
}

#[test]
fn every_mode_of_forward_becomes_the_same_events() {
    let dir = dir();
    let port = free_port();
    let agent = Agent::start(dir.path(), &sources(port, ""));
    for (mode, events) in [("message", 1), ("forward", 3), ("packed", 3), ("gzip", 3)] {
        let tag = format!("app.{mode}");
        let args = [
            "--mode",
            mode,
            "--events",
            &events.to_string(),
            "--tag",
            &tag,
        ];
        let Some(sender) = Sender::start(dir.path(), "forward", port, &args) else {
            return;
        };
        assert_eq!(sender.finish().last().unwrap()["done"], events);
        // Acknowledged means stored, and printed soon.
        let printed = agent.wait_for(events, |event| event["source"] == tag.as_str());
        for (n, event) in printed.iter().enumerate() {
            assert_eq!(
                event["line"],
                format!("request {n} served in {n} ms seq={n};"),
                "the runtime's line feed is gone"
            );
            assert!(
                event["timestamp"]
                    .as_str()
                    .unwrap()
                    .starts_with("2026-03-01T10:00:00")
            );
            assert_eq!(event["stream"], "stdout");
        }
    }
    assert_eq!(
        agent.metric("logsieve_received_events_total", &["receiver=\"forward\""]),
        10.0
    );
    let audit: Value = ask(agent.api, "GET", "/api/audit", &[], b"")
        .unwrap()
        .json();
    assert_eq!(audit["balances"], json!(true), "{audit}");
    agent.terminate();
}

#[test]
fn a_record_keeps_its_pod_its_time_its_level_and_everything_else() {
    let dir = dir();
    let agent = Agent::start(dir.path(), &sources(free_port(), ""));
    let body = concat!(
        r#"{"message":"cannot open /data: Permission denied","level":"warn","timestamp":"2026-03-01T10:00:00.5Z","stream":"stderr","source_type":"kubernetes_logs","file":"/var/log/pods/shop_cart-1_0b9d/web/0.log","host":"node-7","kubernetes":{"pod_name":"cart-1","pod_namespace":"shop","container_name":"web","container_image":"cart:7","container_id":"containerd://4f1c","pod_node_name":"node-7","pod_labels":{"app":"cart"}}}"#,
        "\n",
        r#"{"log":"from fluentd\n","container_id":"beef","container_name":"/db-1","source":"stdout"}"#,
        "\n",
        r#"{"log":"of a tag","tag":"kube.var.log.containers.api-5d_prod_api-4f1c0de9ab4f1c0de9ab4f1c0de9ab4f1c0de9ab4f1c0de9ab4f1c0de9ab0123.log","date":1772359200.25}"#,
        "\n",
        r#"{"message":"charged","amount":12,"user":{"id":"u-1"},"level":"notice"}"#,
        "\n\"a text alone\"\n",
        // As Fluent Bit's `cri` leaves a line that it has joined of pieces.
        r#"{"log":"joined of pieces","stream":"stderr","_p":"P","time":"2026-03-01T10:00:01.5Z"}"#,
        "\n",
        // As Vector's `kubernetes_logs` does.
        r#"{"message":"joined by another","_partial":true,"stream":"stdout"}"#,
        "\n",
    );
    let reply = ask(agent.api, "POST", "/ingest", &[], body.as_bytes()).unwrap();
    assert_eq!(
        (reply.status, &reply.json()),
        (200, &json!({"accepted": 7, "rejected": {}}))
    );
    let events = agent.wait_for(7, |_| true);
    let by_message: BTreeMap<&str, &Value> = events
        .iter()
        .map(|event| (event["message"].as_str().unwrap(), event))
        .collect();
    let cart = by_message["cannot open /data: Permission denied"];
    assert_eq!(cart["line"], "cannot open /data: Permission denied");
    assert_eq!(cart["timestamp"], "2026-03-01T10:00:00.500Z");
    assert_eq!(
        (&cart["level"], &cart["stream"]),
        (&json!("warn"), &json!("stderr"))
    );
    assert_eq!(cart["category"], "security");
    assert_eq!(cart["k8s"]["namespace"], "shop");
    assert_eq!(cart["k8s"]["pod"], "cart-1");
    assert_eq!(cart["k8s"]["container"], "web");
    assert_eq!(
        cart["container"],
        json!({"id": "4f1c", "name": "web", "image": "cart:7"})
    );
    assert_eq!(by_message["from fluentd"]["container"]["name"], "db-1");
    let tagged = by_message["of a tag"];
    assert_eq!(
        (&tagged["k8s"]["namespace"], &tagged["k8s"]["pod"]),
        (&json!("prod"), &json!("api-5d"))
    );
    assert_eq!(tagged["timestamp"], "2026-03-01T10:00:00.250Z");
    // What has no place of its own stays in the line.
    let charged = by_message["charged"];
    assert_eq!(charged["level"], "notice");
    let line: Value = serde_json::from_str(charged["line"].as_str().unwrap()).unwrap();
    assert_eq!(
        line,
        json!({"message": "charged", "amount": 12, "user": {"id": "u-1"}})
    );
    assert_eq!(by_message["a text alone"]["source"], "http");
    for joined in ["joined of pieces", "joined by another"] {
        assert_eq!(by_message[joined]["line"], joined);
    }
    agent.terminate();
}

#[test]
fn an_array_and_both_compressions_are_read() {
    let dir = dir();
    let agent = Agent::start(dir.path(), &sources(free_port(), ""));
    let body = br#"[{"message":"one, [two] \"three\""},{"message":"four"}]"#;
    let gzip = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::stream::encode_all(&body[..], 1).unwrap();
    for (encoding, body) in [("identity", body.to_vec()), ("gzip", gzip), ("zstd", zstd)] {
        let header = format!("Content-Encoding: {encoding}");
        let reply = ask(agent.api, "POST", "/ingest", &[&header], &body).unwrap();
        assert_eq!(
            (reply.status, &reply.json()["accepted"]),
            (200, &json!(2)),
            "{encoding}"
        );
    }
    agent.wait_for(3, |event| event["line"] == "one, [two] \"three\"");
    agent.terminate();
}

#[test]
fn otlp_is_taken_and_answered_in_its_own_words() {
    let dir = dir();
    let agent = Agent::start(dir.path(), &sources(free_port(), ""));
    let mut ids = Vec::new();
    for args in [&[][..], &["--gzip"]] {
        let Some(sender) = Sender::start(dir.path(), "otlp", agent.api, args) else {
            return;
        };
        let said = sender.finish();
        assert_eq!(said[0]["status"], 200, "{said:?}");
        assert_eq!(said[0]["kind"], "application/x-protobuf");
        // The record that says nothing.
        assert_eq!(said[0]["answer"]["rejected"], 1, "{said:?}");
    }
    let events = agent.wait_for(10, |_| true);
    for event in &events {
        assert_eq!(event["source"], "checkout");
        assert_eq!(event["k8s"]["pod"], "checkout-1");
        let line = event["line"].as_str().unwrap();
        if line.contains("/data/") {
            assert_eq!(
                (&event["level"], &event["stream"]),
                (&json!("error"), &json!("stderr"))
            );
            assert!(
                event["timestamp"]
                    .as_str()
                    .unwrap()
                    .starts_with("2026-03-01T10:00:00")
            );
            ids.push(event["event_id"].as_str().unwrap().to_owned());
        } else if line.contains("payment") {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                line,
                json!({"message": "payment accepted", "amount": 12, "trace_id": "000102030405060708090a0b0c0d0e0f"})
            );
        } else {
            assert_eq!(
                (&event["message"], &event["level"]),
                (&json!("slow query"), &json!("warn"))
            );
        }
    }
    // The same request again: a receiver behind the agent can tell.
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
    agent.terminate();
}

#[test]
fn otlp_in_json_says_the_same() {
    let dir = dir();
    let agent = Agent::start(dir.path(), &sources(free_port(), ""));
    let body = json!({"resourceLogs": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "checkout"}},
            {"key": "k8s.pod.name", "value": {"stringValue": "checkout-1"}},
            {"key": "k8s.namespace.name", "value": {"stringValue": "shop"}},
        ]},
        "scopeLogs": [{"scope": {"name": "a library"}, "logRecords": [
            {
                "timeUnixNano": "1772359200500000000", "severityNumber": 17, "body": {"stringValue": "cannot open /data"},
                "attributes": [{"key": "log.iostream", "value": {"stringValue": "stderr"}}],
            },
            {
                "observedTimeUnixNano": 1_772_359_201_000_000_000_u64, "severityText": "WARN", "traceId": "5b8efff798038103d269b633813fc60c",
                "body": {"kvlistValue": {"values": [
                    {"key": "msg", "value": {"stringValue": "slow"}},
                    {"key": "ms", "value": {"intValue": "900"}},
                    {"key": "hosts", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"boolValue": true}]}}},
                ]}},
            },
            {},
        ]}],
    }]});
    let headers = ["Content-Type: application/json; charset=utf-8"];
    let reply = ask(
        agent.api,
        "POST",
        "/v1/logs",
        &headers,
        body.to_string().as_bytes(),
    )
    .unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        reply.json(),
        json!({"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "records that cannot be taken: empty"}})
    );
    let events = agent.wait_for(2, |event| event["source"] == "checkout");
    let said = |message: &str| {
        let found = events.iter().find(|event| event["message"] == message);
        found.unwrap_or_else(|| panic!("{message}: {events:#?}"))
    };
    let opened = said("cannot open /data");
    assert_eq!(opened["timestamp"], "2026-03-01T10:00:00.500Z");
    assert_eq!(
        (&opened["level"], &opened["stream"]),
        (&json!("error"), &json!("stderr"))
    );
    assert_eq!(opened["k8s"]["pod"], "checkout-1");
    let slow = said("slow");
    assert_eq!(
        (&slow["level"], &slow["timestamp"]),
        (&json!("warn"), &json!("2026-03-01T10:00:01Z"))
    );
    let line: Value = serde_json::from_str(slow["line"].as_str().unwrap()).unwrap();
    assert_eq!(
        line,
        json!({"message": "slow", "ms": 900, "hosts": ["a", true], "trace_id": "5b8efff798038103d269b633813fc60c"})
    );
    agent.terminate();
}

#[test]
fn what_is_acknowledged_is_in_the_store_whenever_the_agent_dies() {
    let dir = dir();
    let port = free_port();
    let agent = Agent::start(dir.path(), &sources(port, ""));
    let args = ["--events", "7", "--for", "40"];
    let Some(sender) = Sender::start(dir.path(), "forward", port, &args) else {
        return;
    };
    until(
        "acknowledgements",
        || (sender.acked().len() >= 140).then_some(()),
        || format!("{:?}", sender.said()),
    );
    agent.kill();
    let acked = sender.acked();
    drop(sender);
    let kept: Vec<u64> = stored(dir.path()).iter().filter_map(seq).collect();
    let missing: Vec<_> = acked.iter().filter(|n| !kept.contains(n)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_one_agent_sends_another_one_reads_as_the_lines_that_they_were() {
    let (first_dir, second_dir) = (dir(), dir());
    let port = free_port();
    let second = Agent::start(second_dir.path(), &sources(port, ""));
    let pod = first_dir.path().join("pods/shop_cart-7d9_0b9d/web");
    fs::create_dir_all(&pod).unwrap();
    let lines = concat!(
        "2026-03-01T10:00:00.5Z stderr F ERROR cannot open /data: Permission denied\n",
        "2026-03-01T10:00:01Z stdout F {\"level\":\"warn\",\"msg\":\"slow query\",\"ms\":900}\n",
    );
    fs::write(pod.join("0.log"), lines).unwrap();
    let first = Agent::start(
        first_dir.path(),
        &format!(
            "sources:\n  files: {{include: [\"{}/pods/*/*/*.log\"], start_at: beginning}}\n  docker: {{enabled: off}}\nsinks:\n  stdout: {{format: json}}\n  a: {{type: http, url: \"http://127.0.0.1:{1}/ingest\"}}\n  b: {{type: otlp, url: \"http://127.0.0.1:{1}\"}}\n  c: {{type: forward, url: \"tcp://127.0.0.1:{port}\"}}\n",
            first_dir.path().display(),
            second.api,
        ),
    );
    let printed = first.wait_for(2, |_| true);
    let received = second.wait_for(6, |_| true);
    for want in &printed {
        let same: Vec<_> = received
            .iter()
            .filter(|event| event["line"] == want["line"])
            .collect();
        assert_eq!(same.len(), 3, "{want} among {received:#?}");
        for event in same {
            for key in [
                "timestamp",
                "level",
                "stream",
                "message",
                "category",
                "template_id",
            ] {
                assert_eq!(event[key], want[key], "{key} of {event}");
            }
            for key in ["namespace", "pod", "container"] {
                assert_eq!(event["k8s"][key], want["k8s"][key], "{key} of {event}");
            }
        }
    }
    first.terminate();
    second.terminate();
}

//! Sinks that speak a protocol of their own, against receivers that decode with libraries that are not this project's: what arrives,
//! and what becomes of it where a receiver refuses, is late, loses the connection or takes a part.

mod forward;
mod loki;
mod otlp;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Agent, Peer, until};

/// A container's log as the kubelet keeps it, with a level, a trace and bytes that are no UTF-8.
fn pod_log(dir: &Path) -> PathBuf {
    let pod = dir.join("pods/shop_cart-7d9_0b9d/web.server");
    fs::create_dir_all(&pod).unwrap();
    let mut text = Vec::new();
    for n in 0..40 {
        let line = format!(
            "2026-03-01T10:00:00.{:09}Z stdout F INFO served request {n} in {} ms\n",
            n / 2,
            n * 3
        );
        text.extend_from_slice(line.as_bytes());
    }
    text.extend_from_slice(
        b"2026-03-01T10:00:01Z stderr F ERROR cannot open /data: Permission denied\n",
    );
    let login = format!("2026-03-01T10:00:02Z stdout F Authorization: Bearer {SECRET}\n");
    text.extend_from_slice(login.as_bytes());
    text.extend_from_slice(b"2026-03-01T10:00:02Z stdout F name \xff\xfe\x00 \"quoted\" end\n");
    let log = pod.join("3.log");
    fs::write(&log, text).unwrap();
    log
}

/// How many events [`pod_log`] holds.
const EVENTS: usize = 43;
/// Stands in one of them, and must not leave.
const SECRET: &str = "c2VjcmV0LXRva2VuLW9mLXRoZS10ZXN0";

/// An agent that reads the pod's log, writes JSON to standard output, and has this sink beside it.
fn agent(dir: &Path, sink: &str) -> Agent {
    Agent::start(
        dir,
        &format!(
            "drain_timeout_seconds: 2\nsources:\n  files: {{include: [\"{}/pods/*/*/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 100}}\nsinks:\n  stdout: {{format: json}}\n  out: {{{sink}, batch: {{max_wait_ms: 100}}, retry: {{initial_ms: 20, max_ms: 200}}}}\n",
            dir.display()
        ),
    )
}

/// The events by their id; fails where one has none.
#[track_caller]
fn by_id(events: &[Value], id: impl Fn(&Value) -> &Value) -> BTreeMap<String, Value> {
    events
        .iter()
        .map(|event| (id(event).as_str().unwrap().to_owned(), event.clone()))
        .collect()
}

/// What standard output had of the same events, by id.
fn printed(agent: &Agent) -> BTreeMap<String, Value> {
    by_id(
        &agent.wait_for(EVENTS, |_| true),
        |event| &event["event_id"],
    )
}

fn wait_delivered(agent: &Agent, n: usize) {
    until(
        "the sink's count",
        || {
            (agent.metric("logsieve_sink_events_total", &["sink=\"out\""]) as usize >= n)
                .then_some(())
        },
        || agent.metrics(),
    );
}

/// Every event was sent, the one with the secret too, and the secret was not.
#[track_caller]
fn assert_masked(peer: &Peer) {
    let said = Value::from(peer.said()).to_string();
    assert!(said.contains("Authorization: "), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}

//! Fluent forward, decoded with msgpack.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{EVENTS, agent, assert_masked, by_id, pod_log, printed, wait_delivered};
use crate::harness::{Peer, dir, free_port, until};

fn secret(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn carries_the_same_record_as_the_json() {
    let dir = dir();
    pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "forward", &[]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!(
            "type: forward, url: \"tcp://127.0.0.1:{}\", compression: gzip",
            peer.port
        ),
    );
    let events = peer.taken(EVENTS, &["ok"]);
    let got = by_id(&events, |event| &event["record"]["event_id"]);
    let want = printed(&agent);
    assert_eq!(got.len(), events.len(), "an event came twice");
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        want.keys().collect::<Vec<_>>()
    );
    for (id, event) in &want {
        let other = &got[id];
        let mut event = event.as_object().unwrap().clone();
        // The time stands before the record.
        event.remove("timestamp");
        assert_eq!(Value::Object(event), other["record"]);
        assert_eq!(other["tag"], "logsieve.shop.web_server");
    }
    let time = &got
        .values()
        .find(|event| event["record"]["level"] == "error")
        .unwrap()["time"];
    assert_eq!(*time, serde_json::json!([1_772_359_201_u32, 0]));
    assert_masked(&peer);
    let request = &peer.requests()[0];
    assert_eq!(request["option"]["compressed"], "gzip");
    agent.terminate();
}

#[test]
fn sends_again_what_was_not_acknowledged_under_the_same_chunk() {
    let dir = dir();
    pod_log(dir.path());
    let faults = "cut,noack,wrong,drop,empty,garbage,endless,ok";
    let Some(peer) = Peer::start(dir.path(), "forward", &["--faults", faults]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!(
            "type: forward, url: \"tcp://127.0.0.1:{}\", timeout_ms: 500, tag: all",
            peer.port
        ),
    );
    let taken = by_id(
        &peer.taken(EVENTS, &["ok"]),
        |event| &event["record"]["event_id"],
    );
    let want = printed(&agent);
    assert_eq!(
        taken.keys().collect::<Vec<_>>(),
        want.keys().collect::<Vec<_>>()
    );
    wait_delivered(&agent, EVENTS);
    // The first batch went through every fault, under one id; no other batch was sent before it was acknowledged.
    let requests = peer.requests();
    let actions: Vec<_> = requests
        .iter()
        .map(|request| request["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions[..8],
        [
            "cut", "noack", "wrong", "drop", "empty", "garbage", "endless", "ok"
        ]
    );
    let chunks: BTreeSet<_> = requests[1..8]
        .iter()
        .map(|request| request["option"]["chunk"].as_str().unwrap())
        .collect();
    assert_eq!(chunks.len(), 1, "{chunks:?}");
    until(
        "every attempt in vain to be counted",
        || {
            let retries = agent.metric("logsieve_sink_retries_total", &["sink=\"out\""]);
            (retries >= 7.0).then_some(())
        },
        || agent.metrics(),
    );
    agent.terminate();
}

#[test]
fn sends_only_those_tags_again_that_were_not_acknowledged() {
    let dir = dir();
    pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "forward", &["--faults", "ok,noack"]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!(
            "type: forward, url: \"tcp://127.0.0.1:{}\", timeout_ms: 500, tag: \"by.{{stream}}\"",
            peer.port
        ),
    );
    let events = peer.taken(EVENTS, &["ok"]);
    assert_eq!(
        events.len(),
        EVENTS,
        "what was acknowledged did not come again"
    );
    let tags: BTreeSet<_> = events
        .iter()
        .map(|event| event["tag"].as_str().unwrap())
        .collect();
    assert_eq!(tags, ["by.stderr", "by.stdout"].into());
    agent.terminate();
}

#[test]
fn logs_in_with_a_shared_key_and_a_user() {
    let dir = dir();
    pod_log(dir.path());
    let args = [
        "--shared-key",
        "open sesame",
        "--user",
        "ali",
        "--password",
        "baba",
    ];
    let Some(peer) = Peer::start(dir.path(), "forward", &args) else {
        return;
    };
    let key = secret(dir.path(), "key", "open says me\n");
    let password = secret(dir.path(), "password", "baba\n");
    let agent = agent(
        dir.path(),
        &format!(
            "type: forward, url: \"tcp://127.0.0.1:{}\", shared_key: {{file: {key}}}, auth: {{user: ali, password: {{file: {password}}}}}",
            peer.port
        ),
    );
    until(
        "the refusal in the health page",
        || {
            agent
                .health()
                .1
                .to_string()
                .contains("shared_key mismatch")
                .then_some(())
        },
        || agent.log(),
    );
    assert!(
        peer.requests().is_empty(),
        "nothing is sent to whom the key is not known"
    );
    // The key is put right while the agent runs: it is read anew for the next attempt.
    fs::write(&key, "open sesame\n").unwrap();
    assert_eq!(peer.taken(EVENTS, &["ok"]).len(), EVENTS);
    assert!(!agent.log().contains("open s"), "{}", agent.log());
    agent.terminate();
}

#[test]
fn a_receiver_without_a_shared_key_is_told_of() {
    let dir = dir();
    pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "forward", &[]) else {
        return;
    };
    let key = secret(dir.path(), "key", "open sesame");
    let agent = agent(
        dir.path(),
        &format!(
            "type: forward, url: \"tcp://127.0.0.1:{}\", shared_key: {{file: {key}}}, timeout_ms: 300",
            peer.port
        ),
    );
    until(
        "the reason in the health page",
        || {
            agent
                .health()
                .1
                .to_string()
                .contains("sent no HELO")
                .then_some(())
        },
        || agent.log(),
    );
    assert!(peer.requests().is_empty());
    agent.terminate();
}

#[test]
fn over_tls_believes_only_whom_it_was_told_to() {
    let dir = dir();
    pod_log(dir.path());
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=receiver",
        ])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output();
    let Ok(made) = made else {
        return println!("SKIPPED: no openssl (see scripts/setup-tests)");
    };
    assert!(made.status.success(), "{made:?}");
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let Some(peer) = Peer::start(dir.path(), "forward", &["--tls", &cert, &key]) else {
        return;
    };
    let url = format!("type: forward, url: \"tls://127.0.0.1:{}\"", peer.port);
    let doubting = agent(dir.path(), &url);
    until(
        "the doubt in the health page",
        || {
            doubting
                .health()
                .1
                .to_string()
                .contains("certificate")
                .then_some(())
        },
        || doubting.log(),
    );
    doubting.terminate();
    assert!(peer.requests().is_empty());
    // The store has kept what could not be sent.
    let told = agent(dir.path(), &format!("{url}, tls: {{ca_file: {cert}}}"));
    assert_eq!(peer.taken(EVENTS, &["ok"]).len(), EVENTS);
    told.terminate();
}

#[test]
fn outlives_a_receiver_that_restarts() {
    let dir = dir();
    let log = pod_log(dir.path());
    let port = free_port().to_string();
    let agent = agent(
        dir.path(),
        &format!("type: forward, url: \"tcp://127.0.0.1:{port}\""),
    );
    let want: BTreeSet<String> = printed(&agent).into_keys().collect();
    let Some(first) = Peer::start(dir.path(), "forward", &["--port", &port]) else {
        return;
    };
    let got = by_id(
        &first.taken(EVENTS, &["ok"]),
        |event| &event["record"]["event_id"],
    );
    assert_eq!(got.into_keys().collect::<BTreeSet<_>>(), want);
    wait_delivered(&agent, EVENTS);
    drop(first);
    let second = Peer::start(dir.path(), "forward", &["--port", &port]).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    writeln!(file, "2026-03-01T10:00:03Z stdout F after the restart").unwrap();
    let events = second.taken(1, &["ok"]);
    assert_eq!(events[0]["record"]["line"], "after the restart");
    agent.terminate();
}

#[test]
fn without_acknowledgements_what_was_sent_counts_as_delivered() {
    let dir = dir();
    pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "forward", &[]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!(
            "type: forward, url: \"tcp://127.0.0.1:{}\", ack: false, tag: \"{{service}}.{{pod}}.{{level}}\"",
            peer.port
        ),
    );
    let events = peer.taken(EVENTS, &["ok"]);
    assert_eq!(events.len(), EVENTS);
    let requests = peer.requests();
    assert!(
        requests
            .iter()
            .all(|request| request["option"]["chunk"].is_null()),
        "{requests:?}"
    );
    assert!(
        requests
            .iter()
            .any(|request| request["tag"] == "web_server.cart-7d9.error")
    );
    wait_delivered(&agent, EVENTS);
    agent.terminate();
}

#[test]
fn what_was_not_acknowledged_before_a_kill_comes_again() {
    let dir = dir();
    pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "forward", &["--faults", "slow=60"]) else {
        return;
    };
    let sink = format!(
        "type: forward, url: \"tcp://127.0.0.1:{}\", tag: all",
        peer.port
    );
    let first = agent(dir.path(), &sink);
    let unacknowledged = peer.taken(1, &["slow=60"]);
    first.kill();
    let second = agent(dir.path(), &sink);
    let taken = peer.taken(EVENTS, &["ok"]);
    let id = |event: &Value| event["record"]["event_id"].as_str().unwrap().to_owned();
    let ids: BTreeSet<String> = taken.iter().map(id).collect();
    assert_eq!((ids.len(), taken.len()), (EVENTS, EVENTS));
    assert!(
        unacknowledged.iter().map(id).all(|id| ids.contains(&id)),
        "a receiver can tell what came twice"
    );
    second.terminate();
}

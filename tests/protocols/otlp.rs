//! OTLP over HTTP, decoded with opentelemetry-proto.

use std::fs;
use std::io::Write;

use super::{EVENTS, agent, assert_masked, by_id, pod_log, printed, wait_delivered};
use crate::harness::{Peer, dir, until};

#[test]
fn records_follow_the_semantic_conventions() {
    let dir = dir();
    let log = pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "otlp", &[]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!(
            "type: otlp, url: \"http://127.0.0.1:{}\", compression: gzip",
            peer.port
        ),
    );
    let events = peer.taken(EVENTS, &["ok"]);
    assert_eq!(events.len(), EVENTS);
    let got = by_id(&events, |event| &event["attributes"]["log.record.uid"]);
    let want = printed(&agent);
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        want.keys().collect::<Vec<_>>()
    );
    for (id, printed) in &want {
        let (record, attributes) = (&got[id], &got[id]["attributes"]);
        assert_eq!(record["body"], printed["line"]);
        assert_eq!(attributes["log.iostream"], printed["stream"]);
        assert_eq!(attributes["log.record.template"], printed["template"]);
        assert_eq!(
            attributes["log.file.path"],
            log.canonicalize().unwrap().to_str().unwrap()
        );
        for name in [
            "category",
            "stage",
            "confidence",
            "reason",
            "template_id",
            "event_id",
        ] {
            assert_eq!(
                attributes[format!("logsieve.{name}")],
                printed[name],
                "{name}"
            );
        }
        let resource = &record["resource"];
        assert_eq!(resource["service.name"], "web.server");
        assert_eq!(resource["k8s.namespace.name"], "shop");
        assert_eq!(resource["k8s.pod.name"], "cart-7d9");
        assert_eq!(resource["k8s.pod.uid"], "0b9d");
        assert_eq!(resource["k8s.container.name"], "web.server");
        assert_eq!(resource["k8s.container.restart_count"], 3);
        assert_eq!(resource["host.name"], printed["host"]);
        assert_eq!(record["scope"], "logsieve");
        assert!(record["observed"].as_u64().unwrap() > record["time"].as_u64().unwrap());
    }
    assert_masked(&peer);
    let of = |level: &str| {
        let id = want
            .iter()
            .find(|(_, event)| event["level"] == level)
            .unwrap()
            .0;
        got[id].clone()
    };
    assert_eq!(of("error")["severity"], serde_json::json!([17, "ERROR"]));
    assert_eq!(of("error")["time"], 1_772_359_201_000_000_000_u64);
    assert_eq!(of("info")["severity"], serde_json::json!([9, "INFO"]));
    let odd = got
        .values()
        .find(|event| event["attributes"]["logsieve.line"].is_object())
        .unwrap();
    assert_eq!(
        odd["attributes"]["logsieve.line"]["bytes"],
        "6e616d6520fffe00202271756f7465642220656e64"
    );
    agent.terminate();
}

#[test]
fn waits_as_long_as_it_is_asked_to_and_loses_nothing() {
    let dir = dir();
    pod_log(dir.path());
    let faults = "status=429=2,status=503,cut,drop,status=502,ok";
    let Some(peer) = Peer::start(dir.path(), "otlp", &["--faults", faults]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!("type: otlp, url: \"http://127.0.0.1:{}\"", peer.port),
    );
    let taken = by_id(
        &peer.taken(EVENTS, &["ok"]),
        |event| &event["attributes"]["log.record.uid"],
    );
    assert_eq!(taken.len(), EVENTS);
    wait_delivered(&agent, EVENTS);
    let requests = peer.requests();
    let at = |n: usize| requests[n]["at"].as_f64().unwrap();
    assert!(
        at(1) - at(0) >= 2.0,
        "Retry-After is kept to: {} s",
        at(1) - at(0)
    );
    agent.terminate();
}

#[test]
fn counts_what_a_partial_success_rejects_and_does_not_send_it_again() {
    let dir = dir();
    pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "otlp", &["--faults", "partial=3"]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!("type: otlp, url: \"http://127.0.0.1:{}\"", peer.port),
    );
    let rejected = || {
        agent.metric(
            "logsieve_sink_rejected_events_total",
            &["sink=\"out\"", "reason=\"partial_success\""],
        )
    };
    until(
        "the rejection",
        || (rejected() > 2.5).then_some(()),
        || agent.metrics(),
    );
    wait_delivered(&agent, EVENTS - 3);
    let events = peer.taken(EVENTS, &["partial=3", "ok"]);
    assert_eq!((events.len(), rejected() as usize), (EVENTS, 3));
    until(
        "the reason in the health page",
        || {
            let health = agent.health().1.to_string();
            health.contains("too old for this store").then_some(())
        },
        || agent.health().1.to_string(),
    );
    agent.terminate();
}

#[test]
fn gives_a_500_eight_attempts_and_a_400_one() {
    let dir = dir();
    let log = pod_log(dir.path());
    let faults = format!("{}status=400", "status=500,".repeat(8));
    let Some(peer) = Peer::start(dir.path(), "otlp", &["--faults", &faults]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!("type: otlp, url: \"http://127.0.0.1:{}\"", peer.port),
    );
    let rejected = |reason: &str| {
        let reason = format!("reason=\"{reason}\"");
        agent.metric(
            "logsieve_sink_rejected_events_total",
            &["sink=\"out\"", &reason],
        ) as usize
    };
    let append = |line: &str| {
        let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
        writeln!(file, "2026-03-01T10:00:03Z stdout F {line}").unwrap();
    };
    until(
        "the end of patience",
        || (rejected("http_500") > 0).then_some(()),
        || agent.metrics(),
    );
    append("refused at once");
    until(
        "the refusal",
        || (rejected("http_400") > 0).then_some(()),
        || agent.metrics(),
    );
    append("taken");
    let taken = peer.taken(1, &["ok"]);
    assert_eq!(taken.last().unwrap()["body"], "taken");
    until(
        "every event to be accounted for",
        || {
            let delivered = agent.metric("logsieve_sink_events_total", &["sink=\"out\""]) as usize;
            (delivered + rejected("http_500") + rejected("http_400") == EVENTS + 2).then_some(())
        },
        || agent.metrics(),
    );
    agent.terminate();
}

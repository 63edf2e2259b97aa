//! Loki's push API, held against its documentation.

use super::{EVENTS, agent, assert_masked, by_id, pod_log, printed, wait_delivered};
use crate::harness::{Peer, dir, until};

#[test]
fn has_few_labels_and_the_rest_as_metadata() {
    let dir = dir();
    pod_log(dir.path());
    let Some(peer) = Peer::start(dir.path(), "loki", &[]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!(
            "type: loki, url: \"http://127.0.0.1:{}\", tenant: ops, compression: gzip, fixed_labels: {{cluster: test}}",
            peer.port
        ),
    );
    let events = peer.taken(EVENTS, &["ok"]);
    let got = by_id(&events, |event| &event["metadata"]["event_id"]);
    let want = printed(&agent);
    assert_eq!(
        got.keys().collect::<Vec<_>>(),
        want.keys().collect::<Vec<_>>()
    );
    for (id, printed) in &want {
        let (labels, metadata) = (&got[id]["labels"], &got[id]["metadata"]);
        let names: Vec<_> = labels.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            ["category", "cluster", "level", "namespace", "service_name"]
        );
        assert_eq!(labels["category"], printed["category"]);
        assert_eq!(labels["level"], printed["level"]);
        assert_eq!(
            (&labels["namespace"], &labels["service_name"]),
            (&"shop".into(), &"web.server".into())
        );
        assert_eq!(got[id]["line"], printed["line"]);
        for name in [
            "stage",
            "reason",
            "template_id",
            "template",
            "stream",
            "host",
        ] {
            assert_eq!(metadata[name], printed[name], "{name}");
        }
        assert_eq!(metadata["pod"], "cart-7d9");
    }
    assert_masked(&peer);
    // Two lines a nanosecond have one time each, in the order in which they were written.
    let times: Vec<u64> = events
        .iter()
        .filter(|event| {
            event["labels"]["level"] == "info" && event["line"].as_str().unwrap().contains("served")
        })
        .map(|event| event["time"].as_u64().unwrap())
        .collect();
    assert_eq!(times.len(), 40);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert_eq!(peer.requests()[0]["tenant"], "ops");
    agent.terminate();
}

#[test]
fn counts_what_a_400_refuses_and_goes_on() {
    let dir = dir();
    pod_log(dir.path());
    let words =
        "entry_ignored:_entry_too_far_behind;_user_fake_total_ignored:_2_out_of_5_for_stream";
    let words = words
        .replace("total_ignored", "total ignored")
        .replace(' ', "_");
    let faults = format!("status=429,status=500,refuse={words}");
    let Some(peer) = Peer::start(dir.path(), "loki", &["--faults", &faults]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!("type: loki, url: \"http://127.0.0.1:{}\"", peer.port),
    );
    let rejected =
        || agent.metric("logsieve_sink_rejected_events_total", &["sink=\"out\""]) as usize;
    until(
        "the refusal",
        || (rejected() > 0).then_some(()),
        || agent.metrics(),
    );
    wait_delivered(&agent, EVENTS - 2);
    assert_eq!(rejected(), 2);
    let refused = format!("refuse={words}");
    assert_eq!(
        peer.taken(EVENTS, &[&refused, "ok"]).len(),
        EVENTS,
        "nothing was sent again after the 400"
    );
    agent.terminate();
}

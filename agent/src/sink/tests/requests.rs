//! What a receiver sees while all is well.

use super::receiver::{Answer, Receiver};
use super::rig::{Rig, numbers, objects};

fn fine(_: usize, _: &super::receiver::Request) -> Answer {
    Answer::status(200)
}

#[test]
fn every_event_comes_once_in_order_over_one_connection_in_batches_of_the_size_asked_for() {
    let receiver = Receiver::start(fine);
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", batch: {{max_events: 70, max_wait_ms: 20}}}}",
        receiver.url()
    ));
    for part in 0..10 {
        rig.numbered(part * 100, 100);
    }
    let [record] = rig.finish(["a"]);
    assert_eq!(numbers(&receiver.taken()), (0..1000).collect::<Vec<_>>());
    assert_eq!((record.delivered, record.cursor), (1000, 1000));
    assert_eq!(receiver.connections(), 1, "the connection is kept");
    for request in receiver.requests() {
        assert!(objects(&request.body).len() <= 70);
        assert_eq!(request.line, "POST /in HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
        assert_eq!(request.header("content-encoding"), None);
        assert!(
            request
                .header("user-agent")
                .unwrap()
                .starts_with("logsieve/")
        );
    }
    let bytes: usize = receiver.requests().iter().map(|r| r.wire_bytes).sum();
    assert_eq!(record.bytes, bytes as u64);
    let ids: std::collections::HashSet<String> = receiver
        .taken()
        .iter()
        .flat_map(|body| objects(body))
        .map(|object| object["event_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1000, "every event has an id of its own");
}

#[test]
fn a_body_is_as_large_as_asked_for_and_never_much_larger() {
    let receiver = Receiver::start(fine);
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", batch: {{max_bytes: 20000, max_wait_ms: 50}}}}",
        receiver.url()
    ));
    rig.numbered(0, 2000);
    let [record] = rig.finish(["a"]);
    assert_eq!(record.delivered, 2000);
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request.body.len() < 21_000));
    assert!(
        requests
            .iter()
            .filter(|request| request.body.len() >= 20_000)
            .count()
            + 1
            >= requests.len()
    );
}

#[test]
fn bodies_can_be_compressed_and_arrays() {
    for compression in ["gzip", "zstd"] {
        let receiver = Receiver::start(fine);
        let mut rig = Rig::start(&format!(
            "a: {{type: http, url: \"{}\", compression: {compression}, format: array, batch: {{max_wait_ms: 10}}}}",
            receiver.url()
        ));
        rig.numbered(0, 500);
        let [record] = rig.finish(["a"]);
        let requests = receiver.requests();
        let events: usize = requests
            .iter()
            .map(|request| {
                assert_eq!(request.header("content-encoding"), Some(compression));
                assert_eq!(request.header("content-type"), Some("application/json"));
                assert!(request.wire_bytes * 3 < request.body.len(), "it is smaller");
                serde_json::from_slice::<Vec<serde_json::Value>>(&request.body)
                    .unwrap()
                    .len()
            })
            .sum();
        assert_eq!(events, 500);
        assert_eq!(
            record.bytes,
            requests.iter().map(|r| r.wire_bytes as u64).sum::<u64>()
        );
    }
}

#[test]
fn a_batch_waits_for_more_events_no_longer_than_asked_for() {
    let receiver = Receiver::start(fine);
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", batch: {{max_wait_ms: 300}}}}",
        receiver.url()
    ));
    let begin = std::time::Instant::now();
    rig.numbered(0, 1);
    let first = receiver.wait(|requests| !requests.is_empty());
    let waited = first[0].at - begin;
    assert!((0.25..30.0).contains(&waited.as_secs_f64()), "{waited:?}");
    // What comes while a batch waits goes with it.
    rig.numbered(1, 1);
    std::thread::sleep(std::time::Duration::from_millis(50));
    rig.numbered(2, 1);
    receiver.wait(|requests| requests.len() == 2);
    let [record] = rig.finish(["a"]);
    assert_eq!(record.delivered, 3);
    assert_eq!(numbers(&receiver.taken()), [0, 1, 2]);
}

#[test]
fn headers_and_who_asks_go_with_every_request() {
    let receiver = Receiver::start(fine);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "t0ken\n").unwrap();
    let secret = file.path().display();
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{0}\", headers: {{X-Scope-OrgID: me}}, auth: {{bearer: {{file: {secret}}}}}}}, \
         b: {{type: http, url: \"{0}?b\", auth: {{user: ann, password: {{file: {secret}}}}}}}",
        receiver.url()
    ));
    rig.numbered(0, 1);
    let records = rig.finish(["a", "b"]);
    assert!(records.iter().all(|record| record.delivered == 1));
    for request in receiver.requests() {
        if request.line.contains("?b") {
            // "ann:t0ken"
            assert_eq!(request.header("authorization"), Some("Basic YW5uOnQwa2Vu"));
        } else {
            assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
            assert_eq!(request.header("x-scope-orgid"), Some("me"));
        }
    }
}

#[test]
fn a_proxy_is_asked_to_reach_the_receiver() {
    let receiver = Receiver::start(|_, _| Answer::status(502));
    let mut rig = Rig::draining(
        &format!(
            "a: {{type: http, url: \"http://logs.example.invalid/in\", compression: none, proxy: \"http://{}\", batch: {{max_wait_ms: 0}}}}",
            receiver.address()
        ),
        std::time::Duration::from_millis(300),
    );
    rig.numbered(0, 1);
    let asked = receiver.wait(|requests| !requests.is_empty());
    assert!(
        asked[0].line.contains("logs.example.invalid"),
        "{}",
        asked[0].line
    );
    rig.shutdown.trigger();
    let [record] = rig.finish(["a"]);
    assert_eq!(record.delivered, 0);
}

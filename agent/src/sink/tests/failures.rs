//! What becomes of events where the receiver refuses, is away, slow, or wrong: nothing is lost that could be taken.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::receiver::{Answer, Receiver, Request};
use super::rig::{Rig, numbers, objects, until};

const QUICK: &str = "batch: {max_events: 100, max_wait_ms: 10}, retry: {initial_ms: 5, max_ms: 50}";

#[test]
fn what_cannot_be_taken_now_is_sent_again_until_it_is_taken() {
    let faults = [
        Answer::status(408),
        Answer::status(429),
        Answer::status(500),
        Answer::status(502),
        Answer::status(503),
        Answer::status(504),
        Answer::Cut(0),
        Answer::Cut(1000),
        Answer::Hang(Duration::from_millis(3_000)),
    ];
    for fault in faults {
        let bad = fault.clone();
        let receiver = Receiver::start(move |n, _| {
            if n % 3 < 2 {
                bad.clone()
            } else {
                Answer::status(204)
            }
        });
        let mut rig = Rig::start(&format!(
            "a: {{type: http, url: \"{}\", timeout_ms: 1500, {QUICK}}}",
            receiver.url()
        ));
        rig.numbered(0, 300);
        let [record] = rig.finish(["a"]);
        assert_eq!(
            numbers(&receiver.taken()),
            (0..300).collect::<Vec<_>>(),
            "{fault:?}"
        );
        assert_eq!(record.delivered, 300, "{fault:?}");
        let requests = receiver.requests();
        for same in requests.chunks(3) {
            assert!(
                same.iter()
                    .all(|r| r.body == same[2].body || matches!(r.answer, Answer::Cut(_))),
                "the same batch is sent again: {fault:?}"
            );
        }
    }
}

#[test]
fn a_receiver_that_asks_to_be_left_alone_is() {
    let receiver = Receiver::start(|n, _| match n {
        0 => Answer::Status(429, vec![("Retry-After", "4".to_owned())], "slow down"),
        _ => Answer::status(200),
    });
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", {QUICK}}}",
        receiver.url()
    ));
    rig.numbered(0, 10);
    let said = rig.wait_for("sink a", |ok, _| !ok);
    assert!(said.contains("answered 429: slow down"), "{said}");
    until("the waiting to be told", || {
        let waits = rig.metric("sink_backoff", "sink=\"a\"") > 0.0;
        (waits && rig.metric("sink_pending_events", "sink=\"a\"") == 10.0).then_some(())
    });
    let requests = receiver.wait(|requests| requests.len() == 2);
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(4));
    rig.wait_for("sink a", |ok, detail| {
        ok && detail.starts_with("sends to http://127.0.0.1")
    });
    assert_eq!(rig.metric("sink_retries_total", "reason=\"http_429\""), 1.0);
    until("the end of waiting", || {
        (rig.metric("sink_pending_events", "sink=\"a\"") == 0.0).then_some(())
    });
    rig.finish(["a"]);
}

#[test]
fn a_receiver_that_is_away_gets_everything_once_it_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let other = Receiver::start(|_, _| Answer::status(200));
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"http://{address}/\", {QUICK}}}, b: {{type: http, url: \"{}\", {QUICK}}}",
        other.url()
    ));
    rig.numbered(0, 250);
    let said = rig.wait_for("sink a", |ok, _| !ok);
    assert!(
        said.contains("refused") && said.contains("what comes is kept"),
        "{said}"
    );
    // The outage of one holds up no other.
    other.wait(|requests| {
        requests
            .iter()
            .map(|r| objects(&r.body).len())
            .sum::<usize>()
            == 250
    });
    rig.numbered(250, 250);
    let receiver = Receiver::listen(TcpListener::bind(address).unwrap(), None, |_, _| {
        Answer::status(200)
    });
    let [a, b] = rig.finish(["a", "b"]);
    assert_eq!((a.delivered, b.delivered), (500, 500));
    assert_eq!(numbers(&receiver.taken()), (0..500).collect::<Vec<_>>());
    assert_eq!(numbers(&other.taken()), (0..500).collect::<Vec<_>>());
}

#[test]
fn a_body_that_is_too_large_is_sent_in_halves_and_only_a_too_large_event_is_refused() {
    let receiver = Receiver::start(|_, request: &Request| {
        if request.body.len() > 8_000 || (request.body.is_empty() && request.wire_bytes > 8_000) {
            Answer::Status(413, Vec::new(), "at most 8000")
        } else {
            Answer::status(200)
        }
    });
    let dead = tempfile::tempdir().unwrap();
    let letters = dead.path().join("dead.ndjson");
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", dead_letter: {}, batch: {{max_wait_ms: 10}}}}",
        receiver.url(),
        letters.display()
    ));
    rig.numbered(0, 50);
    let long = format!("request number=50 {}", "x".repeat(9_000));
    rig.lines(0, [long.as_str()]);
    rig.numbered(51, 50);
    let [record] = rig.finish(["a"]);
    let expected: Vec<u64> = (0..101).filter(|n| *n != 50).collect();
    assert_eq!(numbers(&receiver.taken()), expected);
    assert_eq!(record.delivered, 100);
    assert_eq!(record.rejected["too_large"], 1);
    let letters = objects(&std::fs::read(letters).unwrap());
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["reason"], "too_large");
    assert_eq!(letters[0]["event"]["line"], long);
}

#[test]
fn a_receiver_that_closes_without_a_word_when_a_body_is_too_large_gets_smaller_ones() {
    let receiver = Receiver::start(|_, request: &Request| {
        if request.wire_bytes > 100_000 {
            Answer::Cut(0)
        } else {
            Answer::status(200)
        }
    });
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", batch: {{max_wait_ms: 50}}, retry: {{initial_ms: 1, max_ms: 5}}}}",
        receiver.url()
    ));
    for part in 0..3 {
        rig.numbered(part * 1_000, 1_000);
    }
    let [record] = rig.finish(["a"]);
    assert_eq!(numbers(&receiver.taken()), (0..3_000).collect::<Vec<_>>());
    assert_eq!(record.delivered, 3_000);
}

#[test]
fn what_is_refused_for_good_is_counted_kept_aside_and_not_sent_again() {
    let receiver = Receiver::start(|_, request: &Request| {
        if request.body.windows(4).any(|part| part == b"evil") {
            Answer::Status(400, Vec::new(), "cannot \"parse\" that")
        } else {
            Answer::status(200)
        }
    });
    let dead = tempfile::tempdir().unwrap();
    let letters = dead.path().join("dead.ndjson");
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", dead_letter: {}, batch: {{max_wait_ms: 0}}}}",
        receiver.url(),
        letters.display()
    ));
    rig.lines(0, ["an evil line"]);
    let said = rig.wait_for("sink a", |ok, _| !ok);
    assert!(
        said.contains("answered 400: cannot \"parse\" that"),
        "{said}"
    );
    assert!(said.contains("1 events were refused"), "{said}");
    rig.numbered(0, 20);
    let said = rig.wait_for("sink a", |ok, _| ok);
    assert!(said.contains("1 events were refused"), "{said}");
    assert_eq!(
        rig.metric("sink_rejected_events_total", "reason=\"http_400\""),
        1.0
    );
    let [record] = rig.finish(["a"]);
    assert_eq!((record.delivered, record.rejected["http_400"]), (20, 1));
    let letters = objects(&std::fs::read(letters).unwrap());
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["sink"], "a");
    assert_eq!(letters[0]["why"], "answered 400: cannot \"parse\" that");
    assert_eq!(letters[0]["event"]["line"], "an evil line");
}

#[test]
fn a_wrong_token_loses_nothing_and_the_new_one_is_found() {
    let receiver = Receiver::start(
        |_, request: &Request| match request.header("authorization") {
            Some("Bearer right") => Answer::status(200),
            _ => Answer::status(401),
        },
    );
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "wrong").unwrap();
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", auth: {{bearer: {{file: {}}}}}, {QUICK}}}",
        receiver.url(),
        token.path().display()
    ));
    rig.numbered(0, 30);
    let said = rig.wait_for("sink a", |ok, _| !ok);
    assert!(
        said.contains("the token or password is not right"),
        "{said}"
    );
    std::fs::write(token.path(), "right").unwrap();
    let [record] = rig.finish(["a"]);
    assert_eq!(record.delivered, 30);
    assert_eq!(numbers(&receiver.taken()), (0..30).collect::<Vec<_>>());
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let receiver = Receiver::start(|n, _| match n {
        0 => Answer::Status(302, vec![("Location", "/elsewhere".to_owned())], ""),
        _ => Answer::status(200),
    });
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", {QUICK}}}",
        receiver.url()
    ));
    rig.numbered(0, 5);
    let [record] = rig.finish(["a"]);
    assert_eq!(record.delivered, 5);
    assert!(
        receiver
            .requests()
            .iter()
            .all(|request| request.line.starts_with("POST /in "))
    );
}

#[test]
fn a_batch_can_be_given_up_after_a_time() {
    let receiver = Receiver::start(|_, request: &Request| {
        if request.body.windows(8).any(|part| part == b"number=0") {
            Answer::status(503)
        } else {
            Answer::status(200)
        }
    });
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", batch: {{max_events: 1, max_wait_ms: 0}}, retry: {{initial_ms: 5, max_ms: 50, max_elapsed_seconds: 1}}}}",
        receiver.url()
    ));
    let begin = Instant::now();
    rig.numbered(0, 3);
    let [record] = rig.finish(["a"]);
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!((record.delivered, record.rejected["given_up"]), (2, 1));
}

#[test]
fn a_sink_ends_with_the_drain_and_leaves_what_it_could_not_deliver() {
    for answer in [Answer::status(503), Answer::Hang(Duration::from_secs(20))] {
        let receiver = Receiver::start(move |_, _| answer.clone());
        let mut rig = Rig::draining(
            &format!(
                "a: {{type: http, url: \"{}\", batch: {{max_wait_ms: 0}}}}",
                receiver.url()
            ),
            Duration::from_secs(2),
        );
        rig.shutdown.trigger();
        rig.numbered(0, 40);
        receiver.wait(|requests| !requests.is_empty());
        let begin = Instant::now();
        let [record] = rig.finish(["a"]);
        assert!(
            begin.elapsed() < Duration::from_secs(15),
            "{:?}",
            begin.elapsed()
        );
        assert_eq!((record.delivered, record.cursor), (0, 0));
    }
}

#[test]
fn a_receiver_that_comes_back_while_the_agent_stops_gets_the_rest() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    // Long waits, so that only the stop itself can bring the next attempt in time.
    let mut rig = Rig::draining(
        &format!(
            "a: {{type: http, url: \"http://{address}/\", batch: {{max_wait_ms: 0}}, retry: {{initial_ms: 600000, max_ms: 600000}}}}"
        ),
        Duration::from_secs(10),
    );
    rig.numbered(0, 40);
    rig.wait_for("sink a", |ok, _| !ok);
    let receiver = Receiver::listen(TcpListener::bind(address).unwrap(), None, |_, _| {
        Answer::status(200)
    });
    rig.shutdown.trigger();
    let [record] = rig.finish(["a"]);
    assert_eq!(record.delivered, 40);
    assert_eq!(numbers(&receiver.taken()), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_is_away_when_the_input_ends_is_waited_for_no_longer_than_a_stop_may_take() {
    let receiver = Receiver::start(|_, _| Answer::status(503));
    let mut rig = Rig::draining(
        &format!(
            "a: {{type: http, url: \"{}\", batch: {{max_wait_ms: 0}}, retry: {{initial_ms: 600000, max_ms: 600000}}}}",
            receiver.url()
        ),
        Duration::from_secs(1),
    );
    rig.numbered(0, 40);
    rig.wait_for("sink a", |ok, _| !ok);
    let begin = Instant::now();
    let [record] = rig.finish(["a"]);
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!((record.delivered, record.cursor), (0, 0));
}

#[test]
fn a_token_whose_file_is_gone_for_a_moment_still_does() {
    let receiver = Receiver::start(|n, request: &Request| {
        assert_eq!(request.header("authorization"), Some("Bearer right"));
        Answer::status(if n == 1 { 401 } else { 200 })
    });
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "right").unwrap();
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", auth: {{bearer: {{file: {}}}}}, {QUICK}}}",
        receiver.url(),
        token.display()
    ));
    rig.numbered(0, 10);
    receiver.wait(|requests| requests.len() == 1);
    std::fs::remove_file(&token).unwrap();
    rig.numbered(10, 10);
    let [record] = rig.finish(["a"]);
    assert_eq!(record.delivered, 20);
    assert_eq!(numbers(&receiver.taken()), (0..20).collect::<Vec<_>>());
}

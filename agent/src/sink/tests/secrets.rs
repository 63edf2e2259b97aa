//! No secret leaves, in whatever part of an event it stands.

use super::receiver::{Answer, Receiver};
use super::rig::{Rig, objects};

const SECRET: &str = "Zx81-quite-Hidden-77";

/// What a sink with these settings sends of `lines`, and what its metrics say then.
fn sent(settings: &str, lines: &[String]) -> (Vec<serde_json::Value>, String) {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", batch: {{max_wait_ms: 5}}, {settings}}}",
        receiver.url()
    ));
    rig.lines(0, lines.iter().map(String::as_str));
    let metrics = std::sync::Arc::clone(&rig.metrics);
    rig.finish(["a"]);
    let events = receiver
        .taken()
        .iter()
        .flat_map(|body| objects(body))
        .collect();
    (
        events,
        String::from_utf8(metrics.render().unwrap()).unwrap(),
    )
}

fn lines() -> Vec<String> {
    vec![
        // In the message, which is a piece of the line.
        format!("2026-11-20T17:00:00Z INFO web: login with password={SECRET} accepted"),
        // In a message that is not: it was decoded.
        format!(
            "{{\"level\":\"info\",\"msg\":\"a \\\"quoted\\\" login with password={SECRET} accepted\"}}"
        ),
        // Before the message, and in it.
        format!("2026-11-20T17:00:01Z INFO password={SECRET} login: again password={SECRET}"),
        "2026-11-20T17:00:02Z INFO web: nothing to hide here".to_owned(),
    ]
}

#[test]
fn no_part_of_an_event_holds_the_secret_and_the_rest_stays() {
    let (events, metrics) = sent("format: ndjson", &lines());
    assert_eq!(events.len(), 4);
    for event in &events {
        assert!(!event.to_string().contains(SECRET), "{event}");
    }
    assert_eq!(
        events[0]["message"],
        "web: login with password=[redacted:password] accepted"
    );
    assert_eq!(
        events[0]["line"],
        "2026-11-20T17:00:00Z INFO web: login with password=[redacted:password] accepted"
    );
    let template = events[0]["template"].as_str().unwrap();
    assert!(template.contains("login with password="), "{template}");
    assert_eq!(
        events[1]["message"],
        "a \"quoted\" login with password=[redacted:password] accepted"
    );
    assert_eq!(events[3]["message"], "web: nothing to hide here");
    let found = metrics.lines().find(|line| {
        line.starts_with("logsieve_sink_redacted_total{detector=\"password\",sink=\"a\"}")
    });
    // Once in the first, in line and decoded message of the second, twice in the third.
    assert_eq!(found.unwrap().rsplit(' ').next(), Some("5"));
}

#[test]
fn what_is_sampled_away_leaves_without_its_secrets_too() {
    let line = format!("2026-11-20T17:00:00Z INFO web: login with password={SECRET} accepted");
    let (events, _) = sent("sample: {first_per_minute: 1}", &vec![line; 5]);
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["sampled_count"], 4);
    assert!(
        events
            .iter()
            .all(|event| !event.to_string().contains(SECRET))
    );
}

#[test]
fn it_can_be_switched_off_and_own_patterns_added() {
    let (events, _) = sent("redact: false", &lines());
    assert!(events[0].to_string().contains(SECRET));
    let (events, metrics) = sent(
        "redact: {detectors: [jwt], patterns: {ticket: \"T-(?<secret>[0-9]{6})\"}}",
        &[format!("INFO ticket T-123456 of password={SECRET} is open")],
    );
    assert_eq!(
        events[0]["line"],
        format!("INFO ticket T-[redacted:ticket] of password={SECRET} is open")
    );
    assert!(
        metrics.contains("logsieve_sink_redacted_total{detector=\"ticket\",sink=\"a\"} 1"),
        "{metrics}"
    );
}

#[test]
fn refused_events_are_kept_aside_without_their_secrets() {
    let dead = tempfile::tempdir().unwrap();
    let letters = dead.path().join("dead.ndjson");
    let receiver = Receiver::start(|_, _| Answer::status(400));
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", dead_letter: {}}}",
        receiver.url(),
        letters.display()
    ));
    rig.lines(0, lines().iter().map(String::as_str));
    let [record] = rig.finish(["a"]);
    assert_eq!(record.rejected["http_400"], 4);
    let kept = std::fs::read_to_string(letters).unwrap();
    assert_eq!(kept.lines().count(), 4);
    assert!(!kept.contains(SECRET));
}

//! The bounds on how much is answered at a time, and what is answered within them.

use std::net::TcpStream;

use super::{LINES, agent, append, get, id_of, refused};
use crate::harness::{dir, until};

#[test]
fn an_address_that_asks_too_often_waits() {
    let dir = dir();
    let agent = agent(dir.path(), "requests_per_second: 5");
    let mut refusals = 0;
    for _ in 0..100 {
        let reply = get(&agent, "/");
        if reply.status != 200 {
            refused(&reply, 429, "too_many_requests");
            assert!(reply.head.contains("retry-after: 1"), "{reply:?}");
            refusals += 1;
        }
    }
    assert!(refusals > 0);
    until(
        "another chance",
        || (get(&agent, "/").status == 200).then_some(()),
        || agent.log(),
    );
    agent.terminate();
}

#[test]
fn connections_beyond_the_bound_are_told_so() {
    let dir = dir();
    let agent = agent(dir.path(), "max_connections: 3");
    let open: Vec<_> = (0..3)
        .map(|_| TcpStream::connect(("127.0.0.1", agent.api)).unwrap())
        .collect();
    let reply = until(
        "a refusal",
        || crate::harness::ask(agent.api, "GET", "/", &[], b"").ok(),
        || agent.log(),
    );
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.json()["error"]["code"], "busy");
    drop(open);
    until(
        "a free place",
        || {
            crate::harness::ask(agent.api, "GET", "/", &[], b"")
                .ok()
                .filter(|reply| reply.status == 200)
        },
        || agent.log(),
    );
    agent.terminate();
}

#[test]
fn lines_are_found_by_time_level_text_and_template() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let lines = |query: &str| -> Vec<String> {
        let reply = get(&agent, &format!("/api/logs/raw?{query}"));
        assert_eq!(reply.status, 200, "{query}: {reply:?}");
        let logs = reply.json()["logs"].as_str().unwrap().to_owned();
        logs.lines().map(str::to_owned).collect()
    };
    let of_file = format!("container_id={}", id_of(dir.path()));
    assert_eq!(lines(&format!("{of_file}&tail=2")).len(), 2);
    let last = lines("tail=1").remove(0);
    assert!(last.ends_with(&format!("step {}", LINES - 1)), "{last}");
    assert!(last.starts_with("2026-03-01T10:00:59Z "), "{last}");
    assert_eq!(lines("level=error").len(), LINES as usize / 3);
    let minute = "from_ts=2026-03-01T10:00:10Z&to_ts=2026-03-01T10:00:20Z";
    assert_eq!(lines(minute).len(), 10);
    let seconds = "from_ts=1772359210&to_ts=1772359220";
    assert_eq!(lines(seconds), lines(minute));
    assert_eq!(lines("contains=step+7"), lines("contains=step%207"));
    assert_eq!(lines("contains=step+59").len(), 1);
    assert!(lines("contains=nowhere").is_empty());
    assert!(lines("category=no-such").is_empty());
    let all = get(&agent, "/api/logs/raw?tail=10000&events=true").json();
    assert_eq!(all["truncated"], false);
    let events = all["events"].as_array().unwrap();
    assert_eq!(events.len(), LINES as usize);
    let id = events[0]["template_id"].as_str().unwrap();
    let same = events
        .iter()
        .filter(|event| event["template_id"] == id)
        .count();
    assert_eq!(lines(&format!("template_id={id}")).len(), same);
    agent.terminate();
}

/// Secrets stay on this host: where others can ask, or where it is so configured, they are masked.
#[test]
fn secrets_are_masked_where_that_is_wanted() {
    const SECRET: &str = "c2VjcmV0LXRva2VuLW9mLXRoZS10ZXN0";
    for (settings, is_shown) in [("redact: off", true), ("redact: on", false)] {
        let dir = dir();
        std::fs::write(
            dir.path().join("app.log"),
            format!("2026-03-01T10:00:00Z stdout F Authorization: Bearer {SECRET}\n"),
        )
        .unwrap();
        let agent = agent(dir.path(), settings);
        append(dir.path(), LINES..LINES + 1);
        until(
            "the line",
            || {
                let page = get(&agent, "/api/logs/raw?contains=Authorization&events=true");
                (page.json()["events"].as_array()?.len() == 1).then_some(page)
            },
            || agent.log(),
        );
        let shown = get(&agent, "/api/logs/raw?tail=1000&events=true").body;
        assert_eq!(shown.contains(SECRET), is_shown, "{shown}");
        agent.terminate();
    }
}

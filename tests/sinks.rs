//! Sinks of a running agent: files, JSON over HTTP and standard output side by side, outages, stops and starts.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Agent, Answer, Receiver, dir, free_port, logsieve, objects, until};

/// An agent that reads `app.log` and has these sinks.
fn agent(dir: &Path, sinks: &str) -> Agent {
    Agent::start(
        dir,
        &format!(
            "drain_timeout_seconds: 3\nsources:\n  files: {{include: [\"{}/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 100}}\nsinks:\n{sinks}",
            dir.display()
        ),
    )
}

fn write(dir: &Path, numbers: std::ops::Range<u32>) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("app.log"))
        .unwrap();
    let lines: String = numbers
        .map(|n| format!("2026-03-01T10:00:00Z INFO order {n} shipped\n"))
        .collect();
    file.write_all(lines.as_bytes()).unwrap();
}

fn lines(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["line"].as_str().unwrap())
        .collect()
}

fn ids(events: &[Value]) -> BTreeSet<&str> {
    events
        .iter()
        .map(|event| event["event_id"].as_str().unwrap())
        .collect()
}

fn taken(receiver: &Receiver) -> Vec<Value> {
    receiver
        .taken()
        .iter()
        .flat_map(|body| objects(body))
        .collect()
}

#[test]
fn an_outage_over_a_restart_loses_nothing_and_repeats_nothing() {
    let dir = dir();
    let path = dir.path();
    let port = free_port();
    let sinks = format!(
        "  stdout: {{format: json}}\n  kept: {{type: file, path: \"{}/out/events.json\", rotate: {{max_bytes: 200000, keep: 0, gzip: false}}}}\n  \
         far: {{type: http, url: \"http://127.0.0.1:{port}/in\", batch: {{max_events: 300, max_wait_ms: 50}}, retry: {{initial_ms: 10, max_ms: 100}}}}\n",
        path.display()
    );
    write(path, 0..1_000);
    let first = agent(path, &sinks);
    first.wait_for(1_000, |_| true);
    until(
        "the outage to be told",
        || {
            let (status, health) = first.health();
            let far = &health["components"]["sink far"];
            (far["ok"] == false).then(|| assert_ne!(status, 0))
        },
        || first.log(),
    );
    until(
        "the other sink to be well and everything to be pending for this one",
        || {
            let kept = &first.health().1["components"]["sink kept"]["ok"];
            let pending = first.metric("logsieve_sink_pending_events", &["sink=\"far\""]);
            (*kept == true && pending == 1_000.0).then_some(())
        },
        || format!("{:?}\n{}", first.health(), first.metrics()),
    );
    // The end does not wait for who is away longer than it may, and is no failure.
    let begin = Instant::now();
    let mut printed = first.terminate();
    assert!(begin.elapsed() < Duration::from_secs(30));

    write(path, 1_000..2_000);
    let second = agent(path, &sinks);
    let receiver = Receiver::listen(
        TcpListener::bind(("127.0.0.1", port)).unwrap(),
        None,
        |n, _| {
            if n % 4 == 1 {
                Answer::status(503)
            } else {
                Answer::status(200)
            }
        },
    );
    receiver.wait(|requests| {
        let taken = requests.iter().filter(|request| request.was_taken());
        taken
            .map(|request| objects(&request.body).len())
            .sum::<usize>()
            >= 2_000
    });
    second.wait_for(1_000, |_| true);
    printed.extend(second.terminate());

    let expected: Vec<String> = (0..2_000)
        .map(|n| format!("2026-03-01T10:00:00Z INFO order {n} shipped"))
        .collect();
    let far = taken(&receiver);
    assert_eq!(lines(&far), expected);
    assert_eq!(lines(&printed), expected);
    let mut files: Vec<_> = fs::read_dir(path.join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // Those put aside have their moment in the name; the one without is the newest.
    files.sort_by_key(|path| {
        (
            path.extension().is_some_and(|it| it == "json"),
            path.clone(),
        )
    });
    assert!(files.len() > 2, "{files:?}");
    let kept: Vec<Value> = files
        .iter()
        .flat_map(|path| objects(&fs::read(path).unwrap()))
        .collect();
    assert_eq!(lines(&kept), expected);
    assert_eq!(ids(&far), ids(&printed));
    assert_eq!(ids(&far), ids(&kept));
    assert_eq!(ids(&far).len(), 2_000);
}

#[test]
fn a_slow_receiver_holds_up_no_other_sink() {
    let dir = dir();
    let slow = Receiver::start(|_, _| Answer::Hang(Duration::from_secs(60)));
    write(dir.path(), 0..20_000);
    let agent = agent(
        dir.path(),
        &format!(
            "  stdout: {{format: json}}\n  slow: {{type: http, url: \"{}\", timeout_ms: 500}}\n",
            slow.url()
        ),
    );
    agent.wait_for(20_000, |_| true);
    // All that one sink has printed the other one still has before it, and goes on trying. The page is put together from
    // what the store and the sinks told last, which is a little behind the lines printed.
    until(
        "the slow sink to be owed everything and to try again",
        || {
            let pending = agent.metric("logsieve_sink_pending_events", &["sink=\"slow\""]);
            let retries = agent.metric(
                "logsieve_sink_retries_total",
                &["sink=\"slow\"", "reason=\"timeout\""],
            );
            (pending == 20_000.0 && retries >= 1.0).then_some(())
        },
        || agent.metrics(),
    );
    assert!(slow.taken().is_empty());
    agent.terminate();
}

#[test]
fn settings_that_cannot_be_used_are_told_by_check_and_refuse_the_start() {
    let dir = dir();
    let file = dir.path().join("logsieve.yaml");
    fs::write(
        &file,
        "sources: {demo: on}\nstore: {enabled: false}\nsinks: {far: {type: http, url: \"https://localhost/\", tls: {ca_file: /no/such}}}\n",
    )
    .unwrap();
    for arguments in [vec!["check"], vec!["run", "-c"]] {
        let out = logsieve(
            arguments
                .iter()
                .map(std::ffi::OsStr::new)
                .chain([file.as_os_str()]),
            b"",
        );
        let said = out.expect(2).stderr;
        assert!(said.contains("sinks.far"), "{said}");
        assert!(
            said.contains("tls.ca_file: /no/such cannot be read"),
            "{said}"
        );
    }
}

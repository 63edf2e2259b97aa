//! The metrics and health listener: what promtool says of it, and a real Prometheus that scrapes it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Agent, Prometheus, dir, fed, get, text, until};

const LINES: u32 = 300;

/// An agent that has labelled [`LINES`] lines of a file.
fn busy(dir: &std::path::Path) -> Agent {
    let logs = dir.join("logs");
    fs::create_dir_all(&logs).unwrap();
    let body: String = (0..LINES)
        .map(|n| {
            format!(
                "2026-03-01T10:00:00Z stdout F 2026-03-01T10:00:00Z {} request {n}\n",
                if n % 3 == 0 { "ERROR" } else { "INFO" }
            )
        })
        .collect();
    fs::write(logs.join("app.log"), body).unwrap();
    let agent = Agent::start(dir, &config(&logs));
    agent.wait_for(LINES as usize, |_| true);
    agent
}

#[test]
fn promtool_finds_nothing_wrong_with_the_page() {
    let dir = dir();
    let agent = busy(dir.path());
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let Ok(output) = fed(&mut promtool, agent.metrics().as_bytes()) else {
        return println!("SKIPPED: no promtool (see scripts/setup-tests)");
    };
    assert!(
        output.status.success(),
        "{}{}\n{}",
        text(&output.stdout),
        text(&output.stderr),
        agent.metrics()
    );
    agent.terminate();
}

#[test]
fn the_counts_are_those_of_the_lines() {
    let dir = dir();
    let agent = busy(dir.path());
    let lines = f64::from(LINES);
    assert!(
        (agent.metric("logsieve_events_total", &[]) - lines).abs() < 0.5,
        "{}",
        agent.metrics()
    );
    assert!(
        (agent.metric("logsieve_events_total", &["level=\"error\""]) - lines / 3.0).abs() < 0.5,
        "{}",
        agent.metrics()
    );
    for line in agent
        .metrics()
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        assert!(
            line.starts_with("logsieve_") || line.starts_with("process_"),
            "{line}"
        );
        assert!(!line.contains("request "), "log text in a label: {line}");
    }
    agent.terminate();
}

#[test]
fn templates_are_counted_and_only_those_never_seen_before_are_new() {
    let dir = dir();
    let new = |agent: &Agent| agent.metric("logsieve_new_templates_total", &[]);
    let agent = busy(dir.path());
    let seen = until(
        "the templates to be told",
        || {
            let now = agent.metric("logsieve_templates", &[]);
            (now >= 1.0 && (now - new(&agent)).abs() < 0.5).then_some(now)
        },
        || agent.metrics(),
    );
    agent.terminate();

    // The next run knows them from the store.
    let logs = dir.path().join("logs");
    fs::write(
        logs.join("more.log"),
        "2026-03-01T10:00:00Z stdout F 2026-03-01T10:00:00Z INFO request 7\n\
         2026-03-01T10:00:00Z stdout F 2026-03-01T10:00:00Z ERROR lost the handle of shard three\n",
    )
    .unwrap();
    let agent = Agent::start(dir.path(), &config(&logs));
    agent.wait_for(2, |_| true);
    until(
        "the new template",
        || {
            (agent.metric("logsieve_new_templates_total", &["level=\"error\""]) >= 1.0)
                .then_some(())
        },
        || agent.metrics(),
    );
    until(
        "the count of all templates",
        || {
            let all = agent.metric("logsieve_templates", &[]);
            ((all - seen - 1.0).abs() < 0.5).then_some(())
        },
        || agent.metrics(),
    );
    assert!((new(&agent) - 1.0).abs() < 0.5, "{}", agent.metrics());
    agent.terminate();
}

#[test]
fn health_is_json_and_names_what_is_off() {
    let dir = dir();
    let agent = busy(dir.path());
    let (status, health) = agent.health();
    assert_eq!(status, 200, "{health}");
    assert!(health["status"].is_string(), "{health}");
    assert_eq!(get(agent.port, "/nothing/here").unwrap().0, 404);
    agent.terminate();
}

fn config(logs: &std::path::Path) -> String {
    format!(
        "sources:\n  files: {{include: [\"{}/*.log\"], start_at: beginning}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 100}}\n",
        logs.display()
    )
}

#[test]
fn a_real_prometheus_scrapes_it() {
    let dir = dir();
    let agent = busy(dir.path());
    let yaml = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: logsieve\n    static_configs: [{{targets: [\"127.0.0.1:{}\"]}}]\n",
        agent.port
    );
    let Some(prometheus) = Prometheus::start(dir.path(), &yaml) else {
        return println!("SKIPPED: no prometheus (see scripts/setup-tests)");
    };
    let query = format!("/api/v1/query?query=sum(logsieve_events_total)%20==%20{LINES}");
    let answer = until(
        "Prometheus to have the count",
        || {
            let (_, body) = get(prometheus.port, &query).ok()?;
            let answer: Value = serde_json::from_str(&body).ok()?;
            (answer["data"]["result"].as_array()?.len() == 1).then_some(answer)
        },
        || prometheus.log(),
    );
    assert_eq!(answer["status"], "success");
    agent.terminate();
}

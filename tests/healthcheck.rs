//! `logsieve healthcheck`, against running agents and against none.

use std::fs;

use crate::harness::{Agent, dir, free_port, logsieve, until};

fn check(dir: &std::path::Path, more: &[&str]) -> (i32, String) {
    let file = dir.join("logsieve.yaml").display().to_string();
    let mut args = vec!["healthcheck", "-c", &file];
    args.extend(more);
    let output = logsieve(args, b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &output.stderr;
    (output.code, said)
}

const QUIET: &str =
    "sources: {files: {include: [/nonexistent/*.log]}, docker: {enabled: off}, demo: off}\n";

#[test]
fn a_running_agent_is_well_and_an_ended_one_is_not() {
    let dir = dir();
    let agent = Agent::start(dir.path(), QUIET);
    let (code, said) = check(dir.path(), &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("ok, up for "), "{said}");
    agent.terminate();
    let (code, said) = check(dir.path(), &[]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("no agent answers at http://127.0.0.1:"),
        "{said}"
    );
}

#[test]
fn a_broken_part_is_told_and_is_a_failure_only_where_that_is_wanted() {
    let dir = dir();
    let nobody = free_port();
    fs::create_dir(dir.path().join("logs")).unwrap();
    fs::write(dir.path().join("logs/a.log"), "ERROR no\n").unwrap();
    let agent = Agent::start(
        dir.path(),
        &format!(
            "sources: {{files: {{include: [\"{}/logs/*.log\"], start_at: beginning}}, docker: {{enabled: off}}, demo: off}}\nsinks: {{stdout: {{enabled: false}}, away: {{type: http, url: \"http://127.0.0.1:{nobody}/\"}}}}\ndrain_timeout_seconds: 1\n",
            dir.path().display()
        ),
    );
    until(
        "the sink to find nobody",
        || (agent.health().1["status"] == "degraded").then_some(()),
        || agent.log(),
    );
    let (code, said) = check(dir.path(), &[]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.starts_with("degraded, up for ") && said.contains("\n! sink"),
        "{said}"
    );
    let (code, said) = check(dir.path(), &["--strict"]);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn the_token_of_the_configuration_is_sent() {
    let dir = dir();
    let token = dir.path().join("token");
    fs::write(&token, "s3cret\n").unwrap();
    let agent = Agent::start_with_token(dir.path(), QUIET, &token);
    let (code, said) = check(dir.path(), &[]);
    assert_eq!(code, 0, "{said}");
    fs::write(&token, "another\n").unwrap();
    let (code, said) = check(dir.path(), &[]);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("another token") && !said.contains("s3cret"),
        "{said}"
    );
    drop(agent);
}

#[test]
fn without_a_health_page_there_is_nothing_to_ask() {
    let dir = dir();
    fs::write(
        dir.path().join("logsieve.yaml"),
        "telemetry: {listen: \"\"}\n",
    )
    .unwrap();
    let (code, said) = check(dir.path(), &[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("telemetry.listen is empty"), "{said}");
}

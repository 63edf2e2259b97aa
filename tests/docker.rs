//! `run` over the Docker API against a real engine: every line of every container, exactly once.

use std::path::Path;

use serde_json::Value;

use crate::harness::{Agent, Engine, dir, until};

fn follow(dir: &Path, engine: &Engine) -> Agent {
    Agent::start(
        dir,
        &format!(
            "sources:\n  docker: {{enabled: on, socket: \"{}\", tail_lines: 100000, labels: [tier]}}\n  demo: off\nevents: {{max_wait_ms: 300}}\n",
            engine.socket().display()
        ),
    )
}

fn of<'a>(events: &'a [Value], container: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["container"]["name"] == container)
        .collect()
}

fn lines<'a>(events: &'a [Value], container: &str) -> Vec<&'a str> {
    of(events, container)
        .iter()
        .map(|event| event["line"].as_str().unwrap())
        .collect()
}

#[test]
fn traces_json_long_lines_and_both_streams_of_many_containers() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    // One that printed everything and died before the agent came.
    engine.run(
        "dead",
        &["--label", "tier=back", "--label", "secret=no"],
        "echo 'ERROR cannot open /data: Permission denied'; exit 3",
    );
    engine.wait_for_end("dead");
    let agent = follow(dir.path(), &engine);
    engine.run(
        "trace",
        &[],
        r#"echo 'INFO before'; printf 'Exception in thread "main" java.lang.IllegalStateException: boom\n\tat com.acme.A.a(A.java:1)\n\tat com.acme.B.b(B.java:2)\nCaused by: java.io.IOException: pipe\n\t... 2 more\n'; echo 'INFO after'"#,
    );
    engine.run(
        "json",
        &["--log-driver", "local"],
        r#"printf '{"level":"error","msg":"payment refused","order":7}\n'"#,
    );
    engine.run(
        "long",
        &[],
        "head -c 40000 /dev/zero | tr '\\0' a; echo END; echo short",
    );
    engine.run(
        "both",
        &[],
        "for i in $(seq 0 99); do echo \"out $i\"; echo \"err $i\" >&2; done",
    );
    for name in ["trace", "json", "long", "both"] {
        engine.wait_for_end(name);
    }
    agent.wait_for(1, |event| event["line"] == "INFO after");
    agent.wait_for(1, |event| event["line"] == "short");
    agent.wait_for(200, |event| event["container"]["name"] == "both");
    agent.wait_for(1, |event| event["container"]["name"] == "json");
    agent.wait_for(1, |event| event["container"]["name"] == "dead");
    let events = agent.terminate();

    assert_eq!(
        lines(&events, "dead"),
        ["ERROR cannot open /data: Permission denied"]
    );
    let trace = lines(&events, "trace");
    assert_eq!(
        (trace.first(), trace.last()),
        (Some(&"INFO before"), Some(&"INFO after")),
        "{trace:#?}"
    );
    assert_eq!(trace.len(), 3, "{trace:#?}");
    assert!(
        trace[1].contains("boom\n\tat com.acme.A") && trace[1].ends_with("... 2 more"),
        "{trace:#?}"
    );
    let json = of(&events, "json");
    assert_eq!(
        (json.len(), &json[0]["level"], &json[0]["message"]),
        (1, &"error".into(), &"payment refused".into())
    );
    assert_eq!(
        lines(&events, "long"),
        [format!("{}END", "a".repeat(40_000)).as_str(), "short"]
    );
    for (stream, prefix) in [("stdout", "out"), ("stderr", "err")] {
        let got: Vec<&str> = of(&events, "both")
            .iter()
            .filter(|event| event["stream"] == stream)
            .map(|event| event["line"].as_str().unwrap())
            .collect();
        let want: Vec<String> = (0..100).map(|n| format!("{prefix} {n}")).collect();
        assert_eq!(got, want, "{stream}");
    }
    let dead = of(&events, "dead")[0];
    assert_eq!(dead["container"]["image"], "logsieve-test:1");
    assert_eq!(dead["container"]["id"].as_str().unwrap().len(), 64);
    let whole = serde_json::to_string(dead).unwrap();
    assert!(
        !whole.contains("secret"),
        "only the labels that are let through: {whole}"
    );
}

#[test]
fn a_container_that_restarts_is_followed_on() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    let agent = follow(dir.path(), &engine);
    for run in 0..4 {
        let (event_name, script) = ("again", "for i in 0 1 2 3 4; do echo \"tick $i\"; done");
        if run == 0 {
            engine.run(event_name, &[], script);
        } else {
            engine.docker(&["start", event_name]);
        }
        engine.wait_for_end(event_name);
        agent.wait_for(5 * (run + 1), |event| event["container"]["name"] == "again");
    }
    let want: Vec<String> = (0..4)
        .flat_map(|_| (0..5).map(|n| format!("tick {n}")))
        .collect();
    assert_eq!(lines(&agent.terminate(), "again"), want);
}

#[test]
fn the_engines_restart_neither_loses_nor_repeats_a_line() {
    let Some(mut engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    engine.run(
        "early",
        &[],
        "for i in $(seq 0 199); do echo \"early $i\"; done; sleep 600",
    );
    let agent = follow(dir.path(), &engine);
    agent.wait_for(200, |event| event["container"]["name"] == "early");
    engine.down();
    until(
        "the agent to notice",
        || Some(agent.health().1.to_string()).filter(|health| health.contains("docker")),
        || agent.log(),
    );
    engine.up();
    engine.docker(&["start", "early"]);
    engine.run("late", &[], "echo 'late 0'");
    agent.wait_for(400, |event| event["container"]["name"] == "early");
    agent.wait_for(1, |event| event["line"] == "late 0");
    let events = agent.terminate();
    let want: Vec<String> = (0..2)
        .flat_map(|_| (0..200).map(|n| format!("early {n}")))
        .collect();
    assert_eq!(
        lines(&events, "early"),
        want,
        "what was printed before the restart comes once, what came after it too"
    );
    assert_eq!(lines(&events, "late"), ["late 0"]);
}

#[test]
fn only_get_requests_reach_the_engine() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    engine.run("one", &[], "echo hello");
    let before = engine.requests().len();
    let agent = follow(dir.path(), &engine);
    agent.wait_for(1, |event| event["line"] == "hello");
    agent.terminate();
    let requests = engine.requests();
    let by_agent = &requests[before..];
    assert!(!by_agent.is_empty());
    let writing: Vec<_> = by_agent
        .iter()
        .filter(|request| !request.contains("Calling GET") && !request.contains("Calling HEAD"))
        .collect();
    assert!(writing.is_empty(), "{writing:#?}");
}

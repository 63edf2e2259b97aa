//! Vector's programs in `vector-config/`, run over what a real agent sends.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::files;
use super::pipelines::{components, named, yaml};
use crate::harness::{Agent, Answer, Peer, Receiver, ask, dir, fed, objects, python, repo, text};

/// Runs a program of `vector-config` over these events; the fields of `times` are times when it sees them.
fn run_vrl(python: &Path, program: &Path, times: &str, events: &[Value]) -> Vec<Value> {
    let mut command = Command::new(python);
    command
        .arg(repo().join("tests/shipped/vrl.py"))
        .arg(program)
        .env("VRL_TIMES", times);
    let input: String = events.iter().map(|event| format!("{event}\n")).collect();
    let output = fed(&mut command, input.as_bytes()).unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        program.display(),
        text(&output.stderr)
    );
    objects(&output.stdout)
}

#[test]
fn vectors_programs_compile() {
    let Some(python) = python() else { return };
    let dir = dir();
    let mut programs = files(&repo().join("vector-config"));
    programs.retain(|path| path.extension().is_some_and(|ending| ending == "vrl"));
    assert!(programs.len() >= 4, "{programs:?}");
    for program in &programs {
        run_vrl(&python, program, "", &[]);
    }
    // Conditions too.
    for path in named("vector-config", "vector.yaml") {
        let whole = yaml(&path);
        for (name, transform) in components(&whole, "transforms") {
            let mut conditions: Vec<&str> = transform
                .get("exclude")
                .into_iter()
                .chain(transform.get("starts_when"))
                .filter_map(Value::as_str)
                .collect();
            let routes = transform
                .get("route")
                .and_then(Value::as_object)
                .into_iter()
                .flatten();
            conditions.extend(routes.map(|(_, condition)| condition.as_str().unwrap()));
            for condition in conditions {
                let program = dir.path().join("condition.vrl");
                fs::write(&program, format!(".holds = ({condition})\n")).unwrap();
                let said = run_vrl(
                    &python,
                    &program,
                    "",
                    &[json!({"category": "crash", "level": "info"})],
                );
                assert!(
                    said[0]["holds"].is_boolean(),
                    "{}: {name}: {condition}: {said:?}",
                    path.display()
                );
            }
        }
    }
}

const LINES: &str = "2026-03-01T10:00:00.500000000Z stderr F ERROR cannot open /data: Permission denied\n\
    2026-03-01T10:00:01.000000000Z stdout F INFO served request 7 in 12 ms\n\
    2026-03-01T10:00:02.000000000Z stderr F panic: runtime error: index out of range [5] with length 3\n";

/// An agent that reads `pods/` below `dir` and has these sinks.
fn agent(dir: &Path, sinks: &str) -> Agent {
    Agent::start(
        dir,
        &format!(
            "drain_timeout_seconds: 2\nsources:\n  files: {{include: [\"{0}/pods/*/*/*.log\", \"{0}/pods/*/*/*.log.*\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 100}}\nsinks:\n  stdout: {{format: json}}\n{sinks}",
            dir.display()
        ),
    )
}

fn bodies(receiver: &Receiver, n: usize) -> Vec<Value> {
    let all = |receiver: &Receiver| -> Vec<Value> {
        receiver
            .taken()
            .iter()
            .flat_map(|body| objects(body))
            .collect()
    };
    crate::harness::until(
        "the events",
        || Some(all(receiver)).filter(|events| events.len() >= n),
        || format!("{:?}", receiver.requests()),
    )
}

/// What an event must be after Vector's shaping, whichever way it came.
#[track_caller]
fn assert_shaped(shaped: &[Value], printed: &[Value], way: &str) {
    assert_eq!(shaped.len(), printed.len(), "{way}");
    let by_id: BTreeMap<&str, &Value> = printed
        .iter()
        .map(|event| (event["event_id"].as_str().unwrap(), event))
        .collect();
    for event in shaped {
        let want = by_id[event["event_id"].as_str().unwrap()];
        for key in [
            "category",
            "level",
            "stage",
            "template_id",
            "template",
            "host",
            "stream",
            "reason",
            "line",
        ] {
            assert_eq!(event[key], want[key], "{way}: {key} of {event}");
        }
        assert_eq!(event["namespace"], "shop", "{way}: {event}");
        assert_eq!(event["service"], "web", "{way}: {event}");
        assert_eq!(event["k8s"]["pod"], "cart-7d9", "{way}: {event}");
        // A time, which Python prints with a space: 2026-03-01 10:00:00.500 UTC.
        let time = event["timestamp"].as_str().unwrap();
        assert_eq!(
            &time[..19],
            want["timestamp"].as_str().unwrap()[..19].replace('T', " "),
            "{way}: {event}"
        );
        for own in ["source_type", "path", "tag", "attributes", "resources"] {
            assert!(event.get(own).is_none(), "{way}: {own} is left in {event}");
        }
    }
}

#[test]
fn what_an_agent_sends_has_one_shape_in_vector_whichever_way_it_came() {
    let Some(python) = python() else { return };
    let dir = dir();
    let pod = dir.path().join("pods/shop_cart-7d9_0b9d/web");
    fs::create_dir_all(&pod).unwrap();
    fs::write(pod.join("0.log"), LINES).unwrap();
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let Some(otlp) = Peer::start(dir.path(), "otlp", &[]) else {
        return;
    };
    let Some(forward) = Peer::start(dir.path(), "forward", &[]) else {
        return;
    };
    let agent = agent(
        dir.path(),
        &format!(
            "  http: {{type: http, url: \"{}\"}}\n  otlp: {{type: otlp, url: \"http://127.0.0.1:{}\"}}\n  forward: {{type: forward, url: \"tcp://127.0.0.1:{}\"}}\n",
            receiver.url(),
            otlp.port,
            forward.port
        ),
    );
    let printed = agent.wait_for(3, |_| true);
    let folder = repo().join("vector-config/agent-to-vector");

    // Vector's http_server adds where the request came from.
    let mut events = bodies(&receiver, 3);
    for event in &mut events {
        event["path"] = "/logsieve".into();
        event["source_type"] = "http_server".into();
    }
    assert_shaped(
        &run_vrl(&python, &folder.join("shape.vrl"), "", &events),
        &printed,
        "http",
    );

    // Its fluent source makes a time of the entry's own one, and keeps the tag.
    let records = forward.taken(3, &["ok"]);
    let events: Vec<Value> = records
        .iter()
        .map(|record| {
            let mut event = record["record"].clone();
            let id = event["event_id"].as_str().unwrap().to_owned();
            let same = printed
                .iter()
                .find(|printed| printed["event_id"] == id)
                .unwrap();
            event["timestamp"] = same["timestamp"].clone();
            event["tag"] = "logsieve.shop.web".into();
            event
        })
        .collect();
    assert_shaped(
        &run_vrl(&python, &folder.join("shape.vrl"), "timestamp", &events),
        &printed,
        "forward",
    );

    // Its opentelemetry source keeps attributes as maps and the body as the message.
    let records = otlp.taken(3, &["ok"]);
    let events: Vec<Value> = records
        .iter()
        .map(|record| {
            let id = &record["attributes"]["logsieve.event_id"];
            let same = printed.iter().find(|printed| printed["event_id"] == *id).unwrap();
            json!({
                "timestamp": same["timestamp"], "observed_timestamp": same["timestamp"],
                "message": record["body"], "severity_text": record["severity"][1], "severity_number": record["severity"][0],
                "attributes": record["attributes"], "resources": record["resource"],
                "scope": {"name": record["scope"]}, "source_type": "opentelemetry",
            })
        })
        .collect();
    let shaped = run_vrl(
        &python,
        &folder.join("shape_otlp.vrl"),
        "timestamp,observed_timestamp",
        &events,
    );
    assert_shaped(&shaped, &printed, "otlp");
    agent.terminate();
}

#[test]
fn what_vector_hands_over_comes_back_labelled_and_knows_its_pod() {
    let Some(python) = python() else { return };
    let dir = dir();
    let folder = repo().join("vector-config/handover");
    let own = yaml(&folder.join("logsieve.yaml"));
    assert_eq!(own["sources"]["http"]["enabled"], true);
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let agent = Agent::start(
        dir.path(),
        &format!(
            "sources: {{http: {{enabled: true}}, docker: {{enabled: off}}, demo: off}}\nsinks:\n  vector: {{type: http, url: \"{}\"}}\n",
            receiver.url()
        ),
    );
    // As `kubernetes_logs`, `reduce` and the http sink's JSON leave an event; a Vector 0.58 marks lines longer than 16 KiB.
    let mut sent = json!({
        "_partial": true,
        "timestamp": "2026-03-01T10:00:00.500000000Z", "stream": "stderr", "source_type": "kubernetes_logs",
        "file": "/var/log/pods/shop_cart-7d9_0b9d/web/0.log",
        "message": "ERROR cannot open /data: Permission denied\n\tat com.acme.A.a(A.java:1)",
        "kubernetes": {
            "pod_namespace": "shop", "pod_name": "cart-7d9", "pod_uid": "0b9d", "container_name": "web",
            "container_image": "cart:7", "pod_node_name": "node-1", "pod_ips": ["10.0.0.7"],
            "pod_labels": {"app": "cart"}, "node_labels": {"zone": "a"}, "namespace_labels": {"team": "shop"},
        },
    });
    let vector = yaml(&folder.join("vector.yaml"));
    let left_out = &vector["sinks"]["to_logsieve"]["encoding"]["except_fields"];
    for field in left_out.as_array().unwrap() {
        sent.as_object_mut()
            .unwrap()
            .remove(field.as_str().unwrap());
    }
    let reply = ask(
        agent.api,
        "POST",
        "/ingest",
        &[],
        format!("{sent}\n").as_bytes(),
    )
    .unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    let events = bodies(&receiver, 1);
    let shaped = run_vrl(&python, &folder.join("shape.vrl"), "", &events);
    let event = &shaped[0];
    assert_eq!(
        (&event["category"], &event["level"], &event["stream"]),
        (&"security".into(), &"error".into(), &"stderr".into())
    );
    assert_eq!(
        (&event["namespace"], &event["service"], &event["k8s"]["pod"]),
        (&"shop".into(), &"web".into(), &"cart-7d9".into())
    );
    assert_eq!(
        event["line"], sent["message"],
        "nothing is left that has no place"
    );
    assert_eq!(event["lines"], 2);
    agent.terminate();
}

//! `run` over the Docker API against a real engine: every line of every container, exactly once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use logsieve::shutdown::Shutdown;
use logsieve::source::docker::{Config, Host, Position, Start, spawn};
use logsieve::source::{Counters, Message};
use serde_json::Value;

use crate::harness::{Agent, Engine, dir, get, until};

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

/// The source alone, without the rest of the agent: what it sends, and where it may be resumed.
struct Source {
    messages: Option<Receiver<Message>>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    /// Container ids by stream.
    opened: HashMap<u32, String>,
    /// Container, text without its time, position.
    records: Vec<(String, String, Position)>,
}

impl Source {
    fn start(engine: &Engine, resume: HashMap<String, Position>) -> Self {
        let (sender, messages) = sync_channel(16);
        let shutdown = Shutdown::new();
        let config = Config {
            host: Host::Unix(engine.socket()),
            start_at: Start::All,
            resume,
            ..Config::default()
        };
        let counters = Arc::new(Counters::default());
        let thread = spawn(config, sender, shutdown.clone(), counters).unwrap();
        Self {
            messages: Some(messages),
            shutdown,
            thread: Some(thread),
            opened: HashMap::new(),
            records: Vec::new(),
        }
    }

    /// Receives until it is as wanted.
    #[track_caller]
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let message = self
                .messages
                .as_ref()
                .unwrap()
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|error| panic!("waited for {what}: {error}; {:?}", self.records));
            match message {
                Message::Opened { id, origin, .. } => {
                    let container = origin.container.as_ref().unwrap().id.clone();
                    self.opened.insert(id.0, container);
                }
                Message::Record {
                    id,
                    bytes,
                    position,
                    ..
                } => {
                    let text = String::from_utf8(bytes).unwrap();
                    let text = text.split_once(' ').unwrap().1.to_owned();
                    self.records
                        .push((self.opened[&id.0].clone(), text, position));
                }
                Message::Closed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn texts(&self) -> Vec<&str> {
        self.records
            .iter()
            .map(|(_, text, _)| text.as_str())
            .collect()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.shutdown.trigger();
        self.messages.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn a_restart_goes_on_at_the_exact_line_also_within_one_second_and_one_nanosecond() {
    let Some(mut engine) = Engine::start() else {
        return;
    };
    // Bursts, equal lines, and one line whose equal pieces have one time.
    let script = "for i in $(seq 0 59); do echo same; echo line $i; echo same; echo err $i >&2; done; \
                  head -c 100000 /dev/zero | tr '\\0' a; echo END; echo last; sleep 600";
    for driver in ["json-file", "local"] {
        let name = format!("burst-{driver}");
        engine.run(&name, &["--log-driver", driver], script);
        let id = engine.id_of(&name);
        let of_it = |source: &Source| source.records.iter().filter(|(of, ..)| *of == id).count();
        let mut whole = Source::start(&engine, HashMap::new());
        // The two streams of a container race each other: either may end first.
        whole.until("all", |source| {
            let has = |wanted: &str| {
                let found =
                    |(of, text, _): &(String, String, Position)| *of == id && text == wanted;
                source.records.iter().any(found)
            };
            has("last\n") && has("err 59\n")
        });
        whole.records.retain(|(of, ..)| *of == id);
        let count = whole.records.len();
        assert!(count > 240, "{count}");
        let pieces = whole
            .texts()
            .iter()
            .filter(|text| text.starts_with("aaa"))
            .count();
        assert!(pieces >= 5, "one line in pieces, all of one time");
        // Every position in the pieces, and some in the bursts.
        for at in (0..count - 9).step_by(37).chain(count - 9..count - 1) {
            let resume = HashMap::from([(id.clone(), whole.records[at].2)]);
            let mut rest = Source::start(&engine, resume);
            rest.until("the rest", |source| of_it(source) >= count - at - 1);
            rest.records.retain(|(of, ..)| *of == id);
            assert_eq!(
                rest.texts(),
                &whole.texts()[at + 1..],
                "{driver}, after record {at}"
            );
        }
        // The engine ends and comes again between the two, and the container prints all of it once more.
        let at = count - 4;
        let resume = HashMap::from([(id.clone(), whole.records[at].2)]);
        let mut expected: Vec<String> = whole.texts()[at + 1..]
            .iter()
            .map(|text| (*text).to_owned())
            .collect();
        let mut again = whole.texts();
        again.sort_unstable();
        engine.down();
        let mut rest = Source::start(&engine, resume);
        engine.up();
        engine.docker(&["start", &name]);
        rest.until("the rest and the second run", |source| {
            source.records.len() >= expected.len() + count
        });
        rest.records.retain(|(of, ..)| *of == id);
        let mut second: Vec<&str> = rest.texts().split_off(expected.len());
        let first: Vec<String> = rest.texts()[..expected.len()]
            .iter()
            .map(|text| (*text).to_owned())
            .collect();
        assert_eq!(first, std::mem::take(&mut expected), "{driver}");
        // The two streams of a container race each other.
        second.sort_unstable();
        assert_eq!(second, again, "{driver}");
        engine.docker(&["rm", "--force", &name]);
    }
}

#[test]
fn what_was_printed_and_ended_while_the_agent_was_away_is_read() {
    let Some(engine) = Engine::start() else {
        return;
    };
    engine.run(
        "known",
        &[],
        "echo one; while ! [ -e /go ]; do sleep 0.1; done; echo two",
    );
    engine.run("gone", &[], "echo one; sleep 600");
    let mut source = Source::start(&engine, HashMap::new());
    source.until("both", |source| source.records.len() == 2);
    let (known, gone) = (engine.id_of("known"), engine.id_of("gone"));
    let first = |id: &str| source.records.iter().find(|(of, ..)| of == id).unwrap().2;
    let resume = HashMap::from([(known.clone(), first(&known)), (gone.clone(), first(&gone))]);
    drop(source);
    let go = engine.home().join("go");
    std::fs::write(&go, "").unwrap();
    engine.docker(&["cp", go.to_str().unwrap(), "known:/go"]);
    engine.wait_for_end("known");
    engine.docker(&["rm", "--force", "gone"]);
    engine.run("brief", &[], "echo brief");
    engine.wait_for_end("brief");
    let mut source = Source::start(&engine, resume);
    source.until("the rest", |source| source.texts().len() >= 2);
    let mut texts = source.texts();
    texts.sort_unstable();
    assert_eq!(texts, ["brief\n", "two\n"]);
}

#[test]
fn a_running_container_that_is_renamed_goes_on_under_its_new_name() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    let agent = follow(dir.path(), &engine);
    engine.run(
        "old",
        &[],
        "for i in $(seq 0 99); do echo tick $i; sleep 0.05; done; echo done",
    );
    agent.wait_for(5, |event| event["container"]["name"] == "old");
    engine.docker(&["rename", "old", "new"]);
    agent.wait_for(1, |event| event["line"] == "done");
    let events = agent.terminate();
    let (old, new) = (lines(&events, "old"), lines(&events, "new"));
    let want: Vec<String> = (0..100)
        .map(|n| format!("tick {n}"))
        .chain(["done".to_owned()])
        .collect();
    assert_eq!([old, new.clone()].concat(), want);
    assert!(new.len() > 1, "the name was taken up while it ran");
}

#[test]
fn the_api_lists_the_engines_containers_without_their_environment() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    let agent = follow(dir.path(), &engine);
    let options = [
        "--env",
        "DATABASE_PASSWORD=Sw0rdf1sh",
        "--label",
        "tier=back",
        "--label",
        "secret=no",
    ];
    engine.run("shop", &options, "echo 'INFO shop is open'; sleep 600");
    engine.run("job", &[], "echo 'INFO job is done'");
    engine.wait_for_end("job");
    agent.wait_for(2, |event| !event["container"].is_null());
    let ask = |path: &str| {
        let (status, body) = get(agent.api, path).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        assert!(
            !body.contains("Sw0rdf1sh") && !body.contains("secret"),
            "{path}: {body}"
        );
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let named = |all: &Value, name: &str| {
        let has = |one: &&Value| one["name"] == name;
        all.as_array().unwrap().iter().find(has).unwrap().clone()
    };
    let all = until(
        "both containers with lines",
        || {
            let all = ask("/api/containers");
            let read = |name: &str| named(&all, name)["source"] == "docker";
            (read("shop") && read("job")).then_some(all)
        },
        || agent.log(),
    );
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
    let shop = named(&all, "shop");
    assert_eq!(
        (&shop["state"], &shop["labels"]),
        (&"running".into(), &serde_json::json!({"tier": "back"})),
        "{shop}"
    );
    assert!(!shop["image"].as_str().unwrap().is_empty(), "{shop}");
    assert_eq!(named(&all, "job")["state"], "exited");
    let id = shop["id"].as_str().unwrap();
    assert_eq!(ask(&format!("/api/containers/{}", &id[..12])), shop);
    assert_eq!(ask("/api/containers/shop"), shop);
    let lines = ask("/api/logs/raw?container_id=shop").to_string();
    assert!(lines.contains("shop is open"), "{lines}");
    assert!(!lines.contains("job is done"), "{lines}");
    // What is gone is known by its lines.
    engine.docker(&["rm", "-f", "shop"]);
    until(
        "the container to be gone",
        || (ask("/api/containers/shop")["state"] == "removed").then_some(()),
        || agent.log(),
    );
    agent.terminate();
}

#[test]
fn an_engine_that_ends_leaves_no_process_behind() {
    let Some(mut engine) = Engine::start() else {
        return;
    };
    let home = engine.home().to_owned();
    engine.run("one", &[], "sleep 600");
    assert!(Engine::processes(&home) >= 3);
    engine.down();
    assert_eq!(Engine::processes(&home), 0, "after the daemon's own end");
    engine.up();
    engine.docker(&["start", "one"]);
    drop(engine);
    assert_eq!(Engine::processes(&home), 0, "after the test's end");
}

#[test]
fn labels_say_how_a_container_is_read() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    let agent = follow(dir.path(), &engine);
    let trace = r#"printf 'java.lang.IllegalStateException: boom\n\tat com.acme.A.a(A.java:1)\n'; echo 'No valid host was found.'; sleep 1000"#;
    engine.run("shy", &["--label", "logsieve/exclude=true"], trace);
    engine.run(
        "own",
        &[
            "--label",
            "logsieve/multiline=off",
            "--label",
            "logsieve/pack=openstack",
            "--label",
            "tier=back",
        ],
        trace,
    );
    engine.run(
        "odd",
        &[
            "--label",
            "logsieve/multiline=perhaps",
            "--label",
            "logsieve/exclude=false",
        ],
        trace,
    );
    let last = "No valid host was found.";
    agent.wait_for(2, |event| event["line"] == last);
    // Begun before the others, so it would have been heard by now.
    let events = agent.terminate();
    assert_eq!(lines(&events, "shy"), [""; 0]);
    let own = of(&events, "own");
    assert_eq!(own.len(), 3, "no line is joined: {own:#?}");
    assert_eq!(own[2]["category"], "Resource_Allocation_Errors");
    let reason = own[2]["reason"].as_str().unwrap();
    assert!(reason.starts_with("rule openstack/"), "{reason}");
    assert_eq!(own[0]["container"]["labels"]["tier"], "back");
    assert!(own[0]["container"]["labels"]["logsieve/pack"].is_null());
    let odd = of(&events, "odd");
    assert_eq!(odd.len(), 2, "a trace is one event: {odd:#?}");
    assert_ne!(odd[1]["category"], own[2]["category"]);
}

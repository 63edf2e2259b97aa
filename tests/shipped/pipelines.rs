//! `vector-config/` and `fluent-bit/`: keys that are documented, parts that fit together, and Vector's programs run over what a
//! real agent sends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use super::files;
use crate::harness::{Agent, Answer, Peer, Receiver, ask, dir, objects, python, repo, text};

/// The documented keys by component: `vector sink loki`.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let list = fs::read_to_string(repo().join("tests/shipped/keys.txt")).unwrap();
    let rows = list
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let (component, keys) = line.split_once(": ").unwrap();
        (
            component.to_owned(),
            keys.split(' ').map(str::to_owned).collect(),
        )
    })
    .collect()
}

/// Whether a list of keys has this one, with `*` for names of one's own.
fn knows(keys: &BTreeSet<String>, key: &str) -> bool {
    let free = |known: &String| {
        known
            .strip_suffix('*')
            .is_some_and(|head| key.starts_with(head) && key.len() > head.len())
    };
    keys.contains(key) || keys.iter().any(free)
}

/// Every key of `given` must be among those of `component`.
#[track_caller]
fn all_known(place: &Path, component: &str, given: &Map<String, Value>) {
    let all = documented();
    let keys = all
        .get(component)
        .unwrap_or_else(|| panic!("{}: {component} stands in no list", place.display()));
    for (key, value) in given {
        assert!(
            knows(keys, key),
            "{}: {component} has no `{key}`",
            place.display()
        );
        for inner in value.as_object().into_iter().flat_map(Map::keys) {
            let key = format!("{key}.{inner}");
            assert!(
                knows(keys, &key),
                "{}: {component} has no `{key}`",
                place.display()
            );
        }
    }
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn named(folder: &str, name: &str) -> Vec<PathBuf> {
    let all = files(&repo().join(folder));
    let found: Vec<_> = all
        .into_iter()
        .filter(|path| path.file_name().unwrap() == name)
        .collect();
    assert!(
        found.len() >= 3 || name == "logsieve.yaml",
        "{folder}: {found:?}"
    );
    found
}

fn components<'a>(whole: &'a Value, kind: &str) -> Vec<(&'a String, &'a Map<String, Value>)> {
    let section = whole[kind].as_object().into_iter().flatten();
    section
        .map(|(name, value)| (name, value.as_object().unwrap()))
        .collect()
}

#[test]
fn vectors_keys_are_documented_and_its_parts_are_connected() {
    for path in named("vector-config", "vector.yaml") {
        let whole = yaml(&path);
        all_known(&path, "vector root", whole.as_object().unwrap());
        let mut outputs = BTreeSet::new();
        for (kind, one) in [
            ("sources", "source"),
            ("transforms", "transform"),
            ("sinks", "sink"),
        ] {
            for (name, component) in components(&whole, kind) {
                let known = component["type"].as_str().unwrap();
                all_known(&path, &format!("vector {one} {known}"), component);
                outputs.insert(name.clone());
                if known == "opentelemetry" {
                    outputs.insert(format!("{name}.logs"));
                }
                if known == "route" {
                    let routes = component["route"].as_object().unwrap().keys();
                    outputs.extend(routes.map(|route| format!("{name}.{route}")));
                    outputs.insert(format!("{name}._unmatched"));
                }
            }
        }
        let mut read = BTreeSet::new();
        for kind in ["transforms", "sinks"] {
            for (name, component) in components(&whole, kind) {
                for input in component["inputs"].as_array().unwrap() {
                    let input = input.as_str().unwrap();
                    assert!(
                        outputs.contains(input),
                        "{}: {name} reads {input}",
                        path.display()
                    );
                    read.insert(input.split('.').next().unwrap());
                }
                if let Some(file) = component.get("file") {
                    let beside =
                        path.with_file_name(Path::new(file.as_str().unwrap()).file_name().unwrap());
                    assert!(
                        beside.is_file(),
                        "{}: {name} needs {}",
                        path.display(),
                        beside.display()
                    );
                }
            }
        }
        for kind in ["sources", "transforms"] {
            for (name, _) in components(&whole, kind) {
                assert!(
                    read.contains(name.as_str()),
                    "{}: nobody reads {name}",
                    path.display()
                );
            }
        }
    }
}

/// Seen in a Vector 0.58: the agent waits 30 s for the answer, which a sink without a buffer on the disk holds back while it is down or
/// collects (`aws_s3`, 300 s); every 30 s all other sinks got everything again. And what such a sink refuses (Elasticsearch a
/// document that it has, or one too many at once) was a 400 to the agent, for the whole request.
#[test]
fn a_slow_or_refusing_sink_of_vectors_does_not_hold_its_answer_back() {
    for path in named("vector-config", "vector.yaml") {
        let whole = yaml(&path);
        if whole["acknowledgements"]["enabled"] != true {
            continue;
        }
        for (name, sink) in components(&whole, "sinks") {
            let buffer = sink.get("buffer").unwrap_or(&Value::Null);
            let at = path.display();
            assert_eq!(buffer["type"], "disk", "{at}: {name}");
            assert_eq!(buffer["when_full"], "block", "{at}: {name}");
            // Vector takes none that is smaller.
            assert!(
                buffer["max_size"]
                    .as_u64()
                    .is_some_and(|size| size >= 268_435_488),
                "{at}: {name}"
            );
            if sink["type"] == "elasticsearch" {
                let again = sink.get("request_retry_partial");
                assert_eq!(again, Some(&Value::Bool(true)), "{at}: {name}");
            }
        }
    }
}

#[test]
fn fluent_bits_keys_are_documented() {
    for path in named("fluent-bit", "fluent-bit.yaml") {
        let whole = yaml(&path);
        let at = path.display();
        assert_eq!(
            whole.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["pipeline", "service"],
            "{at}"
        );
        // Dots are part of the names here, so a section is one map without sections in it.
        let all = documented();
        for key in whole["service"].as_object().unwrap().keys() {
            assert!(
                knows(&all["fluent-bit service"], key),
                "{at}: service has no `{key}`"
            );
        }
        for (kind, one) in [
            ("inputs", "input"),
            ("filters", "filter"),
            ("outputs", "output"),
        ] {
            for component in whole["pipeline"][kind].as_array().into_iter().flatten() {
                let mut component = component.as_object().unwrap().clone();
                let name = component["name"].as_str().unwrap().to_owned();
                // Every component may have them; a filter may be one.
                let processors = component.remove("processors").unwrap_or_default();
                for processor in processors["logs"].as_array().into_iter().flatten() {
                    let processor = processor.as_object().unwrap();
                    let name = processor["name"].as_str().unwrap();
                    all_known(&path, &format!("fluent-bit filter {name}"), processor);
                }
                all_known(&path, &format!("fluent-bit {one} {name}"), &component);
                assert!(
                    kind == "inputs" || component.contains_key("match"),
                    "{at}: {name} matches nothing"
                );
            }
        }
        let tags: Vec<_> = whole["pipeline"]["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .collect();
        assert!(
            tags.iter()
                .all(|input| input["tag"].is_string() || input["name"] == "forward"),
            "{at}"
        );
    }
}

#[test]
fn both_sides_of_a_connection_name_the_same_place() {
    let folder = |name: &str| repo().join(name);
    for name in ["vector-config/agent-to-vector", "vector-config/handover"] {
        let (agent, vector) = (
            yaml(&folder(name).join("logsieve.yaml")),
            yaml(&folder(name).join("vector.yaml")),
        );
        let listens = components(&vector, "sources")
            .into_iter()
            .find(|(_, source)| source["type"] == "http_server")
            .unwrap()
            .1;
        let url = format!(
            "http://{}{}",
            listens["address"].as_str().unwrap(),
            listens["path"].as_str().unwrap()
        );
        assert_eq!(agent["sinks"]["vector"]["url"], url, "{name}");
    }
    let both = yaml(&folder("vector-config/agent-to-vector/logsieve.yaml"));
    let vector = yaml(&folder("vector-config/agent-to-vector/vector.yaml"));
    assert_eq!(
        both["sinks"]["vector-otlp"]["url"],
        format!(
            "http://{}",
            vector["sources"]["from_otlp"]["http"]["address"]
                .as_str()
                .unwrap()
        )
    );
    assert_eq!(
        both["sinks"]["vector-forward"]["url"],
        format!(
            "tcp://{}",
            vector["sources"]["from_forward"]["address"]
                .as_str()
                .unwrap()
        )
    );
    for name in ["fluent-bit/agent-to-fluent-bit", "fluent-bit/handover"] {
        let (agent, fluent) = (
            yaml(&folder(name).join("logsieve.yaml")),
            yaml(&folder(name).join("fluent-bit.yaml")),
        );
        for input in fluent["pipeline"]["inputs"].as_array().unwrap() {
            let place = format!(
                "{}:{}",
                input["listen"].as_str().unwrap_or("-"),
                input["port"]
            );
            match input["name"].as_str().unwrap() {
                "forward" => assert_eq!(
                    agent["sinks"]["fluent"]["url"],
                    format!("tcp://{place}"),
                    "{name}"
                ),
                "opentelemetry" => assert_eq!(
                    agent["sinks"]["fluent-otlp"]["url"],
                    format!("http://{place}"),
                    "{name}"
                ),
                _ => {}
            }
        }
    }
    // What is handed over is sent to where it is received.
    let fluent = yaml(&folder("fluent-bit/handover/fluent-bit.yaml"));
    let out = &fluent["pipeline"]["outputs"][0];
    let read = yaml(&folder("fluent-bit/handover/logsieve.yaml"));
    assert_eq!(
        read["sources"]["forward"]["listen"],
        format!("{}:{}", out["host"].as_str().unwrap(), out["port"])
    );
    let api = "http://127.0.0.1:7333";
    let vector = yaml(&folder("vector-config/handover/vector.yaml"));
    assert_eq!(
        vector["sinks"]["to_logsieve"]["uri"],
        format!("{api}/ingest")
    );
    let collector = yaml(&folder("deploy/otel-collector/collector.yaml"));
    let out = &collector["exporters"]["otlphttp/logsieve"];
    assert_eq!(out["logs_endpoint"], format!("{api}/v1/logs"));
    let back = &collector["receivers"]["otlp/labelled"]["protocols"]["http"];
    let read = yaml(&folder("deploy/otel-collector/logsieve.yaml"));
    assert_eq!(
        read["sinks"]["collector"]["url"],
        format!("http://{}", back["endpoint"].as_str().unwrap())
    );
}

/// Both were seen in a Fluent Bit 5.1.1 that was killed: without the first, files that it had not met before were read from their ends;
/// with the second, chunks that it had acknowledged were thrown away.
#[test]
fn a_fluent_bit_that_is_killed_loses_nothing_by_its_configuration() {
    for path in named("fluent-bit", "fluent-bit.yaml") {
        let whole = yaml(&path);
        let is_on = |value: &Value| *value == true || value == "on";
        assert!(
            !is_on(&whole["service"]["storage.checksum"]),
            "{}",
            path.display()
        );
        for input in whole["pipeline"]["inputs"].as_array().unwrap() {
            if input["name"] == "tail" {
                assert!(is_on(&input["read_from_head"]), "{}", path.display());
                assert!(input["db"].is_string(), "{}", path.display());
            }
            assert_eq!(input["storage.type"], "filesystem", "{}", path.display());
        }
    }
}

#[test]
fn the_filter_is_called_by_names_that_it_has() {
    let fluent = yaml(&repo().join("fluent-bit/wasm-filter/fluent-bit.yaml"));
    let filters = fluent["pipeline"]["filters"].as_array().unwrap();
    let wasm = filters
        .iter()
        .find(|filter| filter["name"] == "wasm")
        .unwrap();
    let plugin = repo().join("plugins/fluent-bit-filter");
    let source = fs::read_to_string(plugin.join("src/abi.rs")).unwrap();
    let function = wasm["function_name"].as_str().unwrap();
    assert!(
        source.contains(&format!("extern \"C\" fn {function}(")),
        "{function}"
    );
    let manifest = fs::read_to_string(plugin.join("Cargo.toml")).unwrap();
    let path = Path::new(wasm["wasm_path"].as_str().unwrap());
    let name = path.file_stem().unwrap().to_str().unwrap();
    assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
}

/// Runs a program of `vector-config` over these events; the fields of `times` are times when it sees them.
fn run_vrl(python: &Path, program: &Path, times: &str, events: &[Value]) -> Vec<Value> {
    let mut child = Command::new(python)
        .arg(repo().join("tests/shipped/vrl.py"))
        .arg(program)
        .env("VRL_TIMES", times)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input: String = events.iter().map(|event| format!("{event}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that does not compile is told before anything is read.
            let _ = stdin.write_all(input.as_bytes());
        });
        child.wait_with_output().unwrap()
    });
    assert!(
        output.status.success(),
        "{}: {}",
        program.display(),
        text(&output.stderr)
    );
    objects(&output.stdout)
}

/// The texts in a value, at any depth.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

/// Since 0.57 Vector puts in no variables of the environment unless told to, and refuses to start with a sink whose templates have
/// nothing fixed before their first field or time.
#[test]
fn vector_starts_without_its_dangerous_switches_but_for_labels() {
    for path in named("vector-config", "vector.yaml") {
        let at = path.display();
        assert!(!fs::read_to_string(&path).unwrap().contains("${"), "{at}");
        for (name, sink) in components(&yaml(&path), "sinks") {
            let mut found = Vec::new();
            sink.values().for_each(|value| texts(value, &mut found));
            let free = found.iter().any(|text| {
                text.contains("{{")
                    && matches!(text.split(['{', '%']).next(), None | Some("" | "/"))
            });
            let allowed = sink
                .get("dangerously_allow_unconfined_template_resolution")
                .is_some_and(|allowed| *allowed == true);
            assert_eq!(allowed, free, "{at}: {name}");
            assert!(!allowed || sink["type"] == "loki", "{at}: {name}");
        }
    }
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

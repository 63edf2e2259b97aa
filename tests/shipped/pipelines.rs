//! `vector-config/` and `fluent-bit/`: keys that are documented, and parts that fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::files;
use crate::harness::repo;

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

pub(super) fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn named(folder: &str, name: &str) -> Vec<PathBuf> {
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

pub(super) fn components<'a>(
    whole: &'a Value,
    kind: &str,
) -> Vec<(&'a String, &'a Map<String, Value>)> {
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

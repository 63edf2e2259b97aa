//! The requests and responses of the programs whose clients this API serves, as files under `tests/golden/http/`: what is
//! asked, and which fields of which kind come back. There may be more fields, never fewer or others.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

use super::{agent, id_of};
use crate::harness::{ask, dir, repo};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Which program's client asks so.
    #[serde(rename = "from")]
    _from: String,
    method: String,
    /// `{id}` stands for a container that is known.
    path: String,
    #[serde(default)]
    body: Option<Value>,
    status: u16,
    answer: Value,
}

/// Whether `value` is of the kind that `wanted` tells: the name of a type, with `?` where it may be null; an object of
/// such, whose fields must be there; a list with one such, which each item must be, and there must be one; or text after
/// `=`, which it must be.
fn is_of(wanted: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    match (wanted, value) {
        (Value::String(kind), value) if kind.starts_with('=') => {
            if *value != kind[1..] {
                wrong.push(format!("{at}: {value} is no {kind}"));
            }
        }
        (Value::String(kind), value) => {
            let fits = match kind.trim_end_matches('?') {
                "string" => value.is_string(),
                "integer" => value.is_u64() || value.is_i64(),
                "number" => value.is_number(),
                "boolean" => value.is_boolean(),
                "object" => value.is_object(),
                "array" => value.is_array(),
                _ => false,
            };
            if !(fits || kind.ends_with('?') && value.is_null()) {
                wrong.push(format!("{at}: {value} is no {kind}"));
            }
        }
        (Value::Object(fields), Value::Object(values)) => {
            for (name, kind) in fields {
                match values.get(name) {
                    Some(value) => is_of(kind, value, &format!("{at}.{name}"), wrong),
                    None => wrong.push(format!("{at}: there is no {name}")),
                }
            }
        }
        (Value::Array(kinds), Value::Array(values)) => {
            if values.is_empty() {
                wrong.push(format!("{at} is empty"));
            }
            for (place, value) in values.iter().enumerate() {
                is_of(&kinds[0], value, &format!("{at}[{place}]"), wrong);
            }
        }
        (wanted, value) => wrong.push(format!("{at}: {value} is not like {wanted}")),
    }
}

#[test]
fn the_seeds_clients_find_what_they_look_for() {
    let dir = dir();
    let agent = agent(dir.path(), "");
    let files: BTreeMap<_, _> = fs::read_dir(repo().join("tests/golden/http"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.clone(), fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(files.len() >= 10);
    let mut wrong = Vec::new();
    for (file, text) in files {
        let case: Case = serde_json::from_str(&text.replace("{id}", &id_of(dir.path())))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let body = case
            .body
            .map_or(String::new(), |body| body.to_string().replace("%2F", "/"));
        let headers: &[&str] = if body.is_empty() {
            &[]
        } else {
            &["Content-Type: application/json"]
        };
        let reply = ask(
            agent.api,
            &case.method,
            &case.path,
            headers,
            body.as_bytes(),
        )
        .unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if reply.status != case.status {
            wrong.push(format!("{name}: {reply:?}"));
            continue;
        }
        is_of(&case.answer, &reply.json(), &name, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    agent.terminate();
}

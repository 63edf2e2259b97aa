//! Who may import whom: `use crate::...` of the agent and of the pure crate, read from the sources and held against the tables below.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::repo;

/// The agent's rooms and the rooms that each may import. `app` and `cli` stand above: they see all, and only `main` and `cli` see `app`.
const AGENT: &[(&str, &[&str])] = &[
    ("escape", &[]),
    ("shutdown", &[]),
    ("config", &[]),
    ("packs", &["config"]),
    ("web", &[]),
    ("wire", &[]),
    ("client", &["config"]),
    ("telemetry", &["config", "web"]),
    ("source", &["shutdown", "telemetry", "wire"]),
    (
        "kubernetes",
        &["client", "config", "shutdown", "source", "telemetry"],
    ),
    (
        "sources",
        &[
            "config",
            "flow",
            "kubernetes",
            "packs",
            "shutdown",
            "source",
            "telemetry",
        ],
    ),
    ("stores", &["config", "flow", "store"]),
    ("generate", &["classify"]),
    (
        "writing",
        &["classify", "generate", "http", "store", "telemetry"],
    ),
    ("models", &["classify", "config"]),
    (
        "http",
        &[
            "ask",
            "classify",
            "config",
            "escape",
            "flow",
            "shutdown",
            "sink",
            "source",
            "store",
            "telemetry",
            "ui",
            "web",
            "wire",
        ],
    ),
    ("ui", &[]),
    ("classify", &["client", "config", "shutdown", "telemetry"]),
    ("flow", &["classify", "escape", "source", "telemetry"]),
    (
        "store",
        &["classify", "escape", "flow", "source", "telemetry"],
    ),
    ("answers", &["ask"]),
    ("ask", &["classify", "flow", "store", "telemetry"]),
    (
        "sink",
        &[
            "classify",
            "client",
            "config",
            "escape",
            "flow",
            "shutdown",
            "source",
            "store",
            "telemetry",
            "wire",
        ],
    ),
];

/// The pure crate's modules, in the order of the data: each may import what stands in its row.
const LOGLINE: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("event", &["time"]),
    ("escape", &["template"]),
    ("level", &["header"]),
    ("decode", &["escape", "event", "time"]),
    ("assemble", &["event", "time"]),
    ("header", &["level", "time"]),
    ("template", &[]),
    ("redact", &[]),
    ("rules", &["event", "header", "level", "time"]),
    (
        "sieve",
        &["event", "header", "level", "rules", "template", "time"],
    ),
    (
        "alone",
        &[
            "decode", "escape", "event", "level", "rules", "sieve", "template", "time",
        ],
    ),
];

/// What a pure crate never touches: the world outside, in the words of the standard library.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::time",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "std::os",
    "tokio",
    "async fn",
];

fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            // A room's own tests may look at its neighbours.
        } else if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let code: String = fs::read_to_string(&path)
                .unwrap()
                .lines()
                .map(without_comment)
                .fold(String::new(), |all, line| all + line + "\n");
            found.push((path, code));
        }
    }
    found
}

fn without_comment(line: &str) -> &str {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//") { "" } else { line }
}

/// The first names after every `crate::`, braces opened: `crate::a`, and `a` and `b` of `crate::{a::X, b}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` of a macro and `some_crate::` are other things.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(first_name(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.insert(first_name(item.trim_start()));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(c);
        }
        names.insert(first_name(item.trim_start()));
    }
    names.remove("");
    names
}

fn first_name(path: &str) -> String {
    path.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The room of a file: its folder directly under `src`, or its own stem.
fn room(src: &Path, file: &Path) -> String {
    let first = file.strip_prefix(src).unwrap().components().next().unwrap();
    Path::new(first.as_os_str())
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

fn back_arrows(src: &Path, table: &[(&str, &[&str])], above: &[&str]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = table.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, code) in sources(src) {
        let room = room(src, &file);
        if ["main", "lib"].contains(&room.as_str()) {
            continue;
        }
        let shown = file
            .strip_prefix(repo())
            .unwrap_or(&file)
            .display()
            .to_string();
        let is_above = above.contains(&room.as_str());
        let Some(may) = allowed
            .get(room.as_str())
            .copied()
            .or(is_above.then_some(&[][..]))
        else {
            wrong.push(format!(
                "{shown}: the room `{room}` stands in no table of tests/rooms.rs"
            ));
            continue;
        };
        for name in imports(&code) {
            let is_room = allowed.contains_key(name.as_str()) || above.contains(&name.as_str());
            let is_back = !is_above && name != room && !may.contains(&name.as_str());
            if is_room && is_back {
                wrong.push(format!("{shown}: `{room}` imports `{name}`"));
            }
        }
    }
    wrong
}

#[test]
fn the_agents_rooms_import_along_the_data() {
    let wrong = back_arrows(&repo().join("agent/src"), AGENT, &["app", "cli"]);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_crates_modules_import_along_the_data() {
    let wrong = back_arrows(&repo().join("logline/src"), LOGLINE, &[]);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_crate_touches_nothing_outside() {
    let mut wrong = Vec::new();
    for (file, code) in sources(&repo().join("logline/src")) {
        wrong.extend(
            IMPURE
                .iter()
                .filter(|word| code.contains(*word))
                .map(|word| format!("{}: {word}", file.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let manifest = fs::read_to_string(repo().join("logline/Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("path ="),
        "logline depends on nothing local"
    );
}

#[test]
fn the_scan_itself_sees_what_it_must() {
    let code = "use crate::{app::App, config::{self, Checked}, sink};\nlet x = crate::store::open();\nuse other_crate::nothing;\n$crate::macros!();\n";
    let names: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(names, ["app", "config", "sink", "store"]);
    assert_eq!(
        room(Path::new("/r/src"), Path::new("/r/src/source/files/mod.rs")),
        "source"
    );
    assert_eq!(room(Path::new("/r/src"), Path::new("/r/src/app.rs")), "app");
}

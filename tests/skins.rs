//! One classifier, several skins: a line gets the same verdict from `logsieve classify`, from the Fluent Bit filter and from the functions
//! for Arroyo.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use logline::rules::Pack;
use serde_json::{Value, json};

use crate::harness::filter::filter;
use crate::harness::udf::call;
use crate::harness::{eval_data, logsieve, objects, repo};

/// Files under a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Lines as a log holds them, each once: of this repository's accuracy set, goldens and packs.
fn own_lines() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let mut add = |text: &str| lines.extend(text.lines().map(str::to_owned));
    let mut found = Vec::new();
    files(&repo().join("tests/accuracy"), &mut found);
    files(&repo().join("tests/golden"), &mut found);
    for file in found {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for line in text.lines() {
            add(line);
            // category<TAB>level<TAB>line
            if let Some(last) = line.splitn(3, '\t').nth(2) {
                add(last);
            }
        }
    }
    for name in Pack::BUILTIN {
        for rule in Pack::builtin(name).unwrap().rules() {
            rule.matches
                .iter()
                .chain(&rule.no_match)
                .for_each(|text| add(text));
        }
    }
    lines
}

#[track_caller]
fn assert_alike(lines: &[String]) {
    for (pack, function) in [("general", "logsieve"), ("openstack", "logsieve_openstack")] {
        let input: Vec<u8> = lines
            .iter()
            .flat_map(|line| [line.as_bytes(), b"\n"])
            .collect::<Vec<_>>()
            .concat();
        let arguments = [
            "classify",
            "--format",
            "json",
            "--no-join",
            "--no-merge",
            "--pack",
            pack,
            "-",
        ];
        let agents = objects(&logsieve(arguments, &input).expect(0).stdout);
        assert_eq!(agents.len(), lines.len());

        let rows: Vec<Option<&String>> = lines.iter().map(Some).collect();
        let functions = call("call", "log_verdict", &[("LOGSIEVE_PACK", pack)], &rows);
        for ((line, agent), function) in lines.iter().zip(&agents).zip(&functions) {
            let function: Value = serde_json::from_str(function.as_deref().unwrap()).unwrap();
            for (field, value) in function.as_object().unwrap() {
                assert_eq!(value, &agent[field], "{pack}: {field} of {line:?}");
            }
        }

        let records = lines.iter().map(|line| json!({ "log": line }).to_string());
        let Some((_, filtered)) = filter(function, records) else {
            return;
        };
        for ((line, agent), filtered) in lines.iter().zip(&agents).zip(&filtered) {
            let record: Value =
                serde_json::from_slice(filtered.record.as_deref().unwrap()).unwrap();
            for field in ["category", "level", "stage", "confidence", "template_id"] {
                assert_eq!(record[field], agent[field], "{pack}: {field} of {line:?}");
            }
        }
    }
}

#[test]
fn every_skin_says_the_same_of_the_projects_own_lines() {
    let lines: Vec<String> = own_lines().into_iter().collect();
    assert!(lines.len() > 3_000, "{} lines", lines.len());
    assert_alike(&lines);
}

#[test]
fn every_skin_says_the_same_of_real_lines() {
    let Some(data) = eval_data() else { return };
    let mut found = Vec::new();
    files(&data.join("loghub"), &mut found);
    files(&data.join("zoo/raw"), &mut found);
    let mut lines = BTreeSet::new();
    for file in found {
        if file.extension().is_some_and(|ending| ending == "log") {
            let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            lines.extend(text.lines().step_by(7).map(str::to_owned));
        }
    }
    let lines: Vec<String> = lines.into_iter().collect();
    assert!(lines.len() > 2_000, "{} lines", lines.len());
    assert_alike(&lines);
}

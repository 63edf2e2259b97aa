//! How much of what answers a question `ask` finds, on logs and questions of our own (`tests/golden/ask/own`): by words alone,
//! and with the model, which may not find less.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Agent, ask, dir, get, logsieve, model, repo, until};

/// References that count.
const K: usize = 8;
/// How often each line is printed, with other values.
const TIMES: usize = 5;

/// A program's log, and what is asked about it.
struct Program {
    name: String,
    log: String,
    /// The tag of each line.
    tags: HashMap<String, String>,
    questions: Vec<Asked>,
}

struct Asked {
    kind: String,
    text: String,
    gold: BTreeSet<String>,
}

fn programs() -> Vec<Program> {
    let folder = repo().join("tests/golden/ask/own");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "lines"))
        .collect();
    names.sort();
    let programs: Vec<Program> = names.iter().map(|path| program(path)).collect();
    assert!(programs.len() >= 5);
    programs
}

fn program(path: &Path) -> Program {
    let lines = fs::read_to_string(path).unwrap();
    let patterns: Vec<(&str, &str)> = lines
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let (mut log, mut tags) = (String::new(), HashMap::new());
    let mut n = 0_u64;
    for time in 0..TIMES {
        for (tag, pattern) in &patterns {
            let second = n % 60;
            let line = format!(
                "2026-05-04T{:02}:{:02}:{second:02}Z ",
                8 + time,
                n / 60 % 60
            );
            let line = line + &filled(pattern, &mut n);
            log.push_str(&line);
            log.push('\n');
            tags.insert(line, (*tag).to_owned());
        }
    }
    let known: BTreeSet<&str> = patterns.iter().map(|(tag, _)| *tag).collect();
    let questions = fs::read_to_string(path.with_extension("questions")).unwrap();
    let questions = questions.lines().map(|line| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next().unwrap();
        let (kind, text, gold) = (next(), next(), next());
        let gold: BTreeSet<String> = gold.split_whitespace().map(str::to_owned).collect();
        assert!(
            gold.iter().all(|tag| known.contains(tag.as_str())),
            "{line}"
        );
        assert_eq!(gold.is_empty(), kind == "absent", "{line}");
        Asked { kind, text, gold }
    });
    Program {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        questions: questions.collect(),
        log,
        tags,
    }
}

/// A line with values in its places.
fn filled(pattern: &str, n: &mut u64) -> String {
    let mut line = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (kind, after) = after.split_once('}').unwrap();
        *n += 1;
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        line.push_str(before);
        line.push_str(&match kind {
            "n" => (mixed % 9_000 + 1).to_string(),
            "ms" => (mixed % 9_000 + 10).to_string(),
            "id" => format!("{mixed:08x}"),
            "ip" => format!(
                "10.{}.{}.{}",
                mixed % 250,
                mixed / 250 % 250,
                mixed / 70_000 % 250 + 1
            ),
            "user" => ["mara", "toivo", "ines", "olek"][(mixed % 4) as usize].to_owned(),
            _ => panic!("{pattern}: there is no {{{kind}}}"),
        });
        rest = after;
    }
    *n += 1;
    line + rest
}

/// Sums by kind of question: what was found, and how many there are.
#[derive(Default)]
struct Figures(BTreeMap<String, (f64, f64)>);

impl Figures {
    fn add(&mut self, program: &Program, asked: &Asked, answer: &Value) {
        let mut found: Vec<&str> = Vec::new();
        for reference in answer["references"].as_array().unwrap() {
            for line in reference["lines"].as_array().unwrap() {
                let line = line["text"].as_str().unwrap();
                let tag = program.tags.get(line);
                let tag = tag.unwrap_or_else(|| panic!("{line:?} is no line of {}", program.name));
                if !found.contains(&tag.as_str()) {
                    found.push(tag);
                }
            }
        }
        let hits = found
            .iter()
            .take(K)
            .filter(|tag| asked.gold.contains(**tag))
            .count();
        let share = match asked.gold.len() {
            0 => f64::from(u8::from(found.is_empty())),
            all => hits as f64 / all as f64,
        };
        let (sum, count) = self.0.entry(asked.kind.clone()).or_default();
        *sum += share;
        *count += 1.0;
    }

    fn of(&self, kind: &str) -> f64 {
        let (sum, count) = self.0[kind];
        sum / count
    }

    /// Over all questions that have an answer.
    fn all(&self) -> f64 {
        let there = ["words", "sense"].map(|kind| self.0[kind]);
        there.iter().map(|(sum, _)| sum).sum::<f64>() / there.iter().map(|(_, n)| n).sum::<f64>()
    }

    fn told(&self, how: &str) {
        for (kind, (sum, count)) in &self.0 {
            println!("{how}: {kind} {:.3} of {count}", sum / count);
        }
        println!("{how}: all {:.3}", self.all());
    }
}

fn by_words() -> Figures {
    let mut figures = Figures::default();
    for program in programs() {
        let dir = dir();
        let (log, data) = (dir.path().join("app.log"), dir.path().join("data"));
        fs::write(&log, &program.log).unwrap();
        let (log, data) = (log.to_str().unwrap(), data.to_str().unwrap());
        logsieve(["ingest", "--data-dir", data, "--model", "none", log], b"").expect(0);
        for asked in &program.questions {
            let out = logsieve(
                [
                    "ask",
                    "--data-dir",
                    data,
                    "--model",
                    "none",
                    "--format",
                    "json",
                    &asked.text,
                ],
                b"",
            );
            let answer = serde_json::from_slice(&out.expect(0).stdout).unwrap();
            figures.add(&program, asked, &answer);
        }
    }
    figures
}

/// Asks one agent that follows all logs about each of them.
fn with_model(model: &Path) -> Figures {
    let dir = dir();
    let logs = dir.path().join("logs");
    fs::create_dir_all(&logs).unwrap();
    let programs = programs();
    for program in &programs {
        fs::write(logs.join(&program.name).with_extension("log"), &program.log).unwrap();
    }
    let config = format!(
        "sources:\n  files: {{include: [\"{}/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nclassify: {{wait_ms: 0, model: {{directory: \"{}\"}}}}\nevents: {{max_wait_ms: 100}}\n",
        logs.display(),
        model.display()
    );
    let agent = Agent::start_with_api(dir.path(), &config, "requests_per_second: 100000");
    let lines: usize = programs
        .iter()
        .map(|program| program.log.lines().count())
        .sum();
    until(
        "every template has its place",
        || {
            let (_, body) = get(agent.api, "/api/logs/query/stats").ok()?;
            let stats: Value = serde_json::from_str(&body).ok()?;
            let stats = &stats["vector_store"];
            let all = stats["events"].as_u64()? == lines as u64;
            (all && stats["vectors"] == stats["templates"]).then_some(())
        },
        || agent.log(),
    );
    let mut figures = Figures::default();
    for program in &programs {
        let log = logs.join(&program.name).with_extension("log");
        for asked in &program.questions {
            let body = json!({"question": asked.text, "k": K, "container_id": log});
            let body = serde_json::to_vec(&body).unwrap();
            let json = "Content-Type: application/json";
            let reply = ask(agent.api, "POST", "/api/logs/query", &[json], &body).unwrap();
            assert_eq!(reply.status, 200, "{reply:?}");
            figures.add(program, asked, &reply.json());
        }
    }
    agent.terminate();
    figures
}

#[test]
fn questions_in_other_words_than_the_log_s_are_answered() {
    let words = by_words();
    words.told("by words");
    assert!(words.of("words") >= 0.95, "{:?}", words.0);
    assert!(words.of("sense") >= 0.75, "{:?}", words.0);
}

#[test]
fn the_model_finds_no_less_than_words_alone() {
    let Some(model) = model() else { return };
    let words = by_words();
    let model = with_model(&model);
    model.told("with the model");
    assert!(
        model.all() >= words.all(),
        "{:?} and {:?}",
        model.0,
        words.0
    );
    assert!(model.of("sense") >= 0.85, "{:?}", model.0);
}

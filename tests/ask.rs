//! `ingest` and `ask` from outside: a small shop's log, made here, and what can be asked about it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Agent, dir, get, logsieve, text, until};

/// Two days of a shop: orders that go well, a database that goes away at a known time, one lack of memory.
fn shop() -> String {
    let mut log = String::new();
    for day in [11, 12] {
        for minute in 0..600 {
            let (hour, minute) = (8 + minute / 60, minute % 60);
            let at = format!("2026-03-{day}T{hour:02}:{minute:02}");
            let order = day * 100_000 + hour * 1_000 + minute;
            let _ = writeln!(
                log,
                "{at}:01Z INFO shop.orders order {order} accepted for customer cust-{}",
                minute % 7
            );
            let _ = writeln!(log, "{at}:02Z INFO shop.mail mail queued for order {order}");
            if day == 12 && hour == 10 && (15..20).contains(&minute) {
                let _ = writeln!(
                    log,
                    "{at}:03Z ERROR shop.db connection to 10.0.7.9:5432 refused"
                );
                let _ = writeln!(
                    log,
                    "{at}:04Z WARN shop.orders order {order} put off, will be tried again in 30s"
                );
            }
        }
    }
    let _ = writeln!(
        log,
        "2026-03-12T18:00:00Z ERROR kernel Out of memory: Killed process 4711 (thumbnailer)"
    );
    log
}

fn ingest(dir: &Path, log: &str) -> String {
    std::fs::write(dir.join("shop.log"), log).unwrap();
    again(dir)
}

fn again(dir: &Path) -> String {
    let (log, data) = (dir.join("shop.log"), dir.join("data"));
    let arguments = [
        "ingest",
        "--data-dir",
        data.to_str().unwrap(),
        "--name",
        "shop",
        "--model",
        "none",
        log.to_str().unwrap(),
    ];
    text(&logsieve(arguments, b"").expect(0).stdout).to_owned()
}

fn ask(dir: &Path, question: &str, more: &[&str]) -> Value {
    let data = dir.join("data");
    let mut arguments = vec![
        "ask",
        "--data-dir",
        data.to_str().unwrap(),
        "--model",
        "none",
        "--format",
        "json",
        question,
    ];
    arguments.extend(more);
    serde_json::from_slice(&logsieve(arguments, b"").expect(0).stdout).unwrap()
}

fn lines(answer: &Value) -> Vec<&str> {
    let references = answer["references"].as_array().unwrap().iter();
    references
        .flat_map(|reference| reference["lines"].as_array().unwrap())
        .map(|line| line["text"].as_str().unwrap())
        .collect()
}

#[test]
fn answers_are_counted_and_quoted_from_what_was_ingested() {
    let dir = dir();
    let log = shop();
    let told = ingest(dir.path(), &log);
    assert!(
        told.starts_with(&format!("{} bytes read", log.len())),
        "{told}"
    );
    let written: HashSet<&str> = log.lines().collect();

    // In other words than the log's.
    let answer = ask(dir.path(), "Could the shop not reach its database?", &[]);
    let best = &answer["references"][0];
    let template = best["template"].as_str().unwrap_or_default();
    assert!(
        template.ends_with("connection to <ip>:<num> refused"),
        "{answer:#}"
    );
    assert_eq!(best["count"], 5);
    assert_eq!(
        (best["level"].as_str(), best["id"].as_u64()),
        (Some("error"), Some(1))
    );
    assert_eq!(best["first"], "2026-03-12T10:15:03Z");
    assert_eq!(best["last"], "2026-03-12T10:19:03Z");
    assert_eq!(best["streams"][0]["name"], "shop");
    assert!(answer["answer"].as_str().unwrap().contains("[1]"));
    assert!(lines(&answer).iter().all(|line| written.contains(line)));

    // Synonyms of operations.
    let answer = ask(dir.path(), "was anything killed by the oom killer?", &[]);
    assert_eq!(answer["references"][0]["count"], 1, "{answer:#}");

    // Exactly one name.
    let answer = ask(dir.path(), "what happened to order 1210017?", &[]);
    let found = lines(&answer);
    assert_eq!(found.len(), 3, "{answer:#}");
    assert!(
        found
            .iter()
            .all(|line| line.contains(" 1210017 ") || line.ends_with(" 1210017"))
    );

    // A stretch of time, and what was there before it.
    let answer = ask(
        dir.path(),
        "Which errors were logged between 10:10 and 10:17 on 2026-03-12?",
        &[],
    );
    assert_eq!(
        answer["references"].as_array().unwrap().len(),
        1,
        "{answer:#}"
    );
    assert_eq!(answer["references"][0]["count"], 2);
    assert_eq!(answer["references"][0]["count_before"], 0);
    assert_eq!(lines(&answer).len(), 2);

    // How many.
    let answer = ask(
        dir.path(),
        "How many orders were accepted on 2026-03-11?",
        &["-k", "1"],
    );
    assert_eq!(answer["references"].as_array().unwrap().len(), 1);
    assert_eq!(answer["references"][0]["count"], 600, "{answer:#}");
    assert!(
        answer["answer"].as_str().unwrap().starts_with("600 times"),
        "{answer:#}"
    );
}

#[test]
fn what_is_not_there_is_not_found_and_says_where_it_was_looked_for() {
    let dir = dir();
    ingest(dir.path(), &shop());
    for question in [
        "what happened to order 9999999?",
        "what did 10.0.7.10 do?",
        "Did the TLS certificate of the mail expire?",
        "Which errors were logged between 11:00 and 11:30 on 2026-03-12?",
    ] {
        let answer = ask(dir.path(), question, &[]);
        assert_eq!(answer["found"], false, "{question}: {answer:#}");
        assert_eq!(answer["references"], Value::Array(Vec::new()), "{question}");
        let told = answer["answer"].as_str().unwrap();
        assert!(told.starts_with("Nothing found"), "{told}");
    }
}

#[test]
fn a_file_is_ingested_once_and_goes_on_where_it_has_grown() {
    let dir = dir();
    let mut log = shop();
    ingest(dir.path(), &log);
    assert!(again(dir.path()).starts_with("0 bytes read"));
    let more = "2026-03-12T18:00:05Z INFO shop.orders order 1218005 accepted for customer cust-1\n";
    log.push_str(more);
    // A copy of it is the same file; so is the file under another name.
    std::fs::write(dir.path().join("copy.log"), &log).unwrap();
    std::fs::rename(dir.path().join("copy.log"), dir.path().join("shop.log")).unwrap();
    let told = again(dir.path());
    assert!(
        told.starts_with(&format!("{} bytes read", more.len())),
        "{told}"
    );
    let answer = ask(dir.path(), "which orders were accepted?", &["-k", "1"]);
    assert_eq!(answer["references"][0]["count"], 1_201, "{answer:#}");
}

/// A program that starts twice, and another one beside it.
#[test]
fn the_last_start_bounds_a_question_and_others_are_heard_at_that_time() {
    let dir = dir();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let put = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        logsieve(["ingest", "--data-dir", data, "--model", "none", file], b"").expect(0);
    };
    let mut depot = String::new();
    for (hour, times) in [(8, 4), (11, 2)] {
        depot.push_str(&format!(
            "2026-03-12T{hour:02}:00:00Z INFO depot starting, version 7\n2026-03-12T{hour:02}:00:02Z INFO depot listening on 0.0.0.0:8080\n"
        ));
        for n in 0..times {
            depot.push_str(&format!(
                "2026-03-12T{hour:02}:30:{n:02}Z ERROR shelf {n} cannot be reached by the crane\n"
            ));
        }
    }
    put("depot.log", &depot);
    put(
        "crane.log",
        "2026-03-12T08:29:58Z WARN brake hot\n2026-03-12T11:29:58Z WARN power of the crane is gone\n2026-03-12T11:40:00Z INFO crane parked\n",
    );
    for question in [
        "Which shelves could not be reached since the last restart?",
        "Which shelves could not be reached since depot.log was restarted?",
    ] {
        let answer = ask(dir.path(), question, &["-k", "1", "--around", "3"]);
        let best = &answer["references"][0];
        assert_eq!(best["count"], 2, "{answer:#}");
        assert_eq!(answer["looked_at"]["from"], "2026-03-12T11:00:00Z");
        let assumed = answer["looked_at"]["assumed"][0].as_str().unwrap();
        assert!(assumed.contains("the last start"), "{assumed}");
        let elsewhere = best["elsewhere"].as_array().unwrap();
        assert_eq!(elsewhere.len(), 1, "{answer:#}");
        assert_eq!(elsewhere[0]["source"], "crane.log");
        assert!(
            elsewhere[0]["text"]
                .as_str()
                .unwrap()
                .ends_with("power of the crane is gone")
        );
        assert_eq!(best["before"].as_array().unwrap().len(), 3, "{answer:#}");
    }
    let told = logsieve(
        [
            "ask",
            "--data-dir",
            data,
            "--model",
            "none",
            "--around",
            "3",
            "--color",
            "never",
            "shelves not reached since the last restart",
        ],
        b"",
    )
    .expect(0);
    assert!(
        text(&told.stdout).contains("  ~ crane.log 2026-03-12T11:29:58Z"),
        "{}",
        text(&told.stdout)
    );
    // Nothing says when the crane started.
    let answer = ask(
        dir.path(),
        "What was hot since the restart of crane.log?",
        &[],
    );
    let assumed = answer["looked_at"]["assumed"][0].as_str().unwrap();
    assert!(assumed.contains("no start is stored"), "{answer:#}");
}

/// What has become more, by the API.
#[test]
fn templates_that_surge_and_those_of_a_category_are_listed() {
    let dir = dir();
    fs::create_dir_all(dir.path().join("logs")).unwrap();
    fs::write(dir.path().join("logs/shop.log"), shop()).unwrap();
    let config = format!(
        "sources:\n  files: {{include: [\"{}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 200}}\nclassify: {{model: {{enabled: off}}}}\n",
        dir.path().display()
    );
    let agent = Agent::start(dir.path(), &config);
    let list = |query: &str| -> Value {
        let (status, body) = get(agent.api, &format!("/api/templates?{query}")).unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let all = until(
        "the last line's template",
        || {
            let found = list("contains=Killed&category=resource");
            (found["total"] == 1).then_some(found)
        },
        || agent.log(),
    );
    assert_eq!(all["templates"][0].get("count_since"), None, "{all:#}");
    assert_eq!(list("contains=Killed&category=database")["total"], 0);
    // Four times as many orders as in the night and the morning before; the five refusals are too few to be a surge.
    let surging = list("surging_since=2026-03-12T10:00:00Z");
    let texts = surging["templates"].to_string();
    assert!(
        texts.contains("accepted") && !texts.contains("refused"),
        "{surging:#}"
    );
    assert_eq!(list("surging_since=2026-03-12T14:00:00Z")["total"], 0);
    // Nothing was written in the night.
    let surging = list("surging_since=2026-03-12T07:00:00Z");
    let texts = surging["templates"].to_string();
    assert!(texts.contains("accepted"), "{surging:#}");
    let first = &surging["templates"][0];
    assert!(first["count_since"].as_u64() >= Some(590), "{surging:#}");
    assert_eq!(first["count_before"], 0, "{surging:#}");
    agent.terminate();
}

#[test]
fn wrong_use_of_ask_is_told() {
    let dir = dir();
    ingest(dir.path(), &shop());
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let told = logsieve(
        [
            "ask",
            "--data-dir",
            data,
            "--container",
            "nobody",
            "errors?",
        ],
        b"",
    )
    .expect(1);
    assert!(told.stderr.contains("`nobody`"), "{}", told.stderr);
    logsieve(["ask", "--data-dir", data], b"").expect(2);
    logsieve(["ask", "--data-dir", "/nonexistent/place", "errors?"], b"").expect(1);
    // Any number of references, and text that would move a terminal's cursor.
    for (question, k) in [
        ("errors?", "0"),
        ("orders accepted", "1000000"),
        ("\u{1b}[2J \u{7f} ?", "8"),
    ] {
        logsieve(
            [
                "ask",
                "--data-dir",
                data,
                "-k",
                k,
                "--color",
                "never",
                question,
            ],
            b"",
        )
        .expect(0);
    }
    let hostile = "2026-03-12T18:00:06Z ERROR shop.ui title \u{1b}[2J cleared by \u{1b}]0;x\u{7} of a guest\n";
    std::fs::write(dir.path().join("hostile.log"), hostile).unwrap();
    let file = dir.path().join("hostile.log");
    logsieve(
        [
            "ingest",
            "--data-dir",
            data,
            "--model",
            "none",
            file.to_str().unwrap(),
        ],
        b"",
    )
    .expect(0);
    let told = logsieve(
        [
            "ask",
            "--data-dir",
            data,
            "--color",
            "never",
            "which title was cleared?",
        ],
        b"",
    )
    .expect(0);
    assert!(!told.stdout.contains(&0x1b), "{}", text(&told.stdout));
    assert!(
        text(&told.stdout).contains("cleared by"),
        "{}",
        text(&told.stdout)
    );
}

#[test]
fn a_running_agent_answers_over_its_api() {
    let dir = dir();
    std::fs::create_dir_all(dir.path().join("logs")).unwrap();
    std::fs::write(dir.path().join("logs/shop.log"), shop()).unwrap();
    let config = format!(
        "sources:\n  files: {{include: [\"{}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 200}}\nclassify: {{model: {{enabled: off}}}}\n",
        dir.path().display()
    );
    let agent = Agent::start(dir.path(), &config);
    let url = format!("http://127.0.0.1:{}", agent.api);
    let ask = |question: &str| -> Value {
        let told = logsieve(["ask", "--url", &url, "--format", "json", question], b"").expect(0);
        serde_json::from_slice(&told.stdout).unwrap()
    };
    let answer = until(
        "the last line can be asked about",
        || {
            let answer = ask("was anything killed by the oom killer?");
            (answer["references"][0]["count"] == 1).then_some(answer)
        },
        || agent.log(),
    );
    assert!(
        answer["answer"].as_str().unwrap().contains("[1]"),
        "{answer:#}"
    );
    assert_eq!(answer["question"], "was anything killed by the oom killer?");
    let (status, body) = get(agent.api, "/api/logs/query/suggestions").unwrap();
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("Killed process"), "{body}");
    let (status, body) = get(agent.api, "/api/logs/query/stats").unwrap();
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"templates\""), "{body}");
    let told = logsieve(
        ["ask", "--url", &url, "--container", "nobody", "errors?"],
        b"",
    )
    .expect(1);
    assert!(told.stderr.contains("404"), "{}", told.stderr);
    agent.terminate();
}

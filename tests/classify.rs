//! The formats of `classify`, its joins, its order.

use serde_json::Value;

use crate::harness::{dir, logsieve, objects, text};

/// A program's output: a header with a level, a stack trace, an indented continuation.
const PROGRAM: &str = "\
2026-03-01T10:00:00.125Z INFO  [main] com.acme.Boot - started in 312 ms
2026-03-01T10:00:01.000Z ERROR [worker-3] com.acme.Orders - cannot store order 4711
java.lang.IllegalStateException: pool is shut down
\tat com.acme.Pool.take(Pool.java:88)
\tat com.acme.Orders.store(Orders.java:41)
Caused by: java.io.IOException: Broken pipe
\t... 7 more
2026-03-01T10:00:02.500Z WARN  [worker-3] com.acme.Orders - retrying order 4711
";

fn json(args: &[&str], input: &[u8]) -> Vec<Value> {
    let all: Vec<&str> = ["classify", "--format", "json"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    objects(&logsieve(all, input).expect(0).stdout)
}

fn lines_of(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["line"].as_str().unwrap())
        .collect()
}

#[test]
fn every_object_has_the_fixed_fields() {
    let events = json(&["-"], PROGRAM.as_bytes());
    assert_eq!(events.len(), 3);
    for event in &events {
        for field in [
            "line",
            "timestamp",
            "message",
            "level",
            "category",
            "stage",
            "confidence",
            "reason",
            "template_id",
            "template",
        ] {
            assert!(event.get(field).is_some(), "no {field} in {event}");
        }
        let confidence = event["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence), "{event}");
        assert!(
            ["rule", "none"].contains(&event["stage"].as_str().unwrap()),
            "{event}"
        );
    }
    assert_eq!(events[0]["level"], "info");
    assert_eq!(events[1]["level"], "error");
    assert_eq!(events[2]["level"], "warn");
    assert!(
        events[0]["timestamp"]
            .as_str()
            .unwrap()
            .starts_with("2026-03-01T10:00:00.125"),
        "{}",
        events[0]
    );
    assert!(
        events[2]["message"]
            .as_str()
            .unwrap()
            .ends_with("retrying order 4711"),
        "{}",
        events[2]
    );
    assert!(
        !events[2]["template"].as_str().unwrap().contains("4711"),
        "{}",
        events[2]
    );
}

#[test]
fn a_stack_trace_is_one_event_and_its_text_is_whole() {
    let events = json(&["-"], PROGRAM.as_bytes());
    let joined: Vec<&str> = lines_of(&events)
        .iter()
        .flat_map(|line| line.split('\n'))
        .collect();
    assert_eq!(
        joined,
        PROGRAM.lines().collect::<Vec<_>>(),
        "every line, in order, in some event"
    );
    assert!(events[1]["line"].as_str().unwrap().ends_with("... 7 more"));
}

#[test]
fn no_join_prints_one_object_per_input_line_empty_ones_too() {
    let input = b"one\n\n\n\tat two\n  \nthree\n\n";
    assert_eq!(
        lines_of(&json(&["--no-join", "-"], input)),
        ["one", "", "", "\tat two", "  ", "three", ""]
    );
    let without_the_last_newline = b"one\n\ntwo";
    assert_eq!(
        lines_of(&json(&["--no-join", "-"], without_the_last_newline)),
        ["one", "", "two"]
    );
    assert!(json(&["--no-join", "-"], b"").is_empty());
}

#[test]
fn files_come_in_the_order_given_and_dash_is_standard_input() {
    let dir = dir();
    let (first, second) = (dir.path().join("first.log"), dir.path().join("second.log"));
    std::fs::write(&first, "a1\na2\n").unwrap();
    std::fs::write(&second, "b1 has no newline").unwrap();
    let run = |args: &[&str]| -> Vec<String> {
        lines_of(&json(args, b"in1\nin2\n"))
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    assert_eq!(run(&[second, first]), ["b1 has no newline", "a1", "a2"]);
    assert_eq!(
        run(&[first, "-", second]),
        ["a1", "a2", "in1", "in2", "b1 has no newline"]
    );
    assert_eq!(
        run(&[]),
        ["in1", "in2"],
        "without a file it reads standard input"
    );
}

#[test]
fn the_same_event_under_any_wrapper_gets_the_same_verdict() {
    let line = "2026-03-01T10:00:01.000Z ERROR db: connection to 10.0.0.7:5432 refused";
    let plain = format!("{line}\n");
    let cri = format!("2026-03-01T10:00:01.100000000Z stderr F {line}\n");
    let docker = format!(
        "{{\"log\":\"{line}\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-01T10:00:01.1Z\"}}\n"
    );
    let [plain, cri, docker] =
        [plain, cri, docker].map(|input| json(&["-"], input.as_bytes()).remove(0));
    for field in [
        "line",
        "message",
        "level",
        "category",
        "stage",
        "template_id",
    ] {
        assert_eq!(plain[field], cri[field], "{field}: plain against CRI");
        assert_eq!(
            plain[field], docker[field],
            "{field}: plain against json-file"
        );
    }
}

#[test]
fn pieces_of_a_long_line_are_joined_under_both_wrappers() {
    let (a, b, c) = ("a".repeat(16_384), "b".repeat(16_384), "c-end");
    let cri = format!(
        "2026-03-01T10:00:01Z stdout P {a}\n2026-03-01T10:00:01Z stderr F in between\n2026-03-01T10:00:01Z stdout P {b}\n2026-03-01T10:00:01Z stdout F {c}\n"
    );
    let wrap = |text: &str, stream: &str| {
        format!(
            "{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"2026-03-01T10:00:01Z\"}}\n"
        )
    };
    let docker = [
        wrap(&a, "stdout"),
        wrap("in between\\n", "stderr"),
        wrap(&b, "stdout"),
        wrap(&format!("{c}\\n"), "stdout"),
    ]
    .concat();
    for input in [cri, docker] {
        let events = json(&["-"], input.as_bytes());
        let mut lines = lines_of(&events);
        lines.sort_unstable();
        assert_eq!(lines, [format!("{a}{b}{c}").as_str(), "in between"]);
    }
}

#[test]
fn tsv_has_one_row_per_event_and_no_stray_tab_or_newline() {
    let output = logsieve(["classify", "--format", "tsv", "-"], PROGRAM.as_bytes()).expect(0);
    let table = text(&output.stdout);
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split('\t').collect()).collect();
    let events = rows.len() - usize::from(rows[0].contains(&"level"));
    assert_eq!(events, 3, "{table}");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{table}");
}

#[test]
fn pretty_shows_control_characters_and_no_colour_into_a_pipe() {
    let output = logsieve(
        ["classify", "--format", "pretty", "-"],
        b"ERROR owned \x1b]0;title\x07 \x1b[2J\x08 end\n",
    )
    .expect(0);
    assert!(
        !output.stdout.contains(&0x1b)
            && !output.stdout.contains(&0x07)
            && !output.stdout.contains(&0x08),
        "{:?}",
        text(&output.stdout)
    );
    let shown = text(&output.stdout);
    assert!(shown.contains("owned") && shown.contains("end"), "{shown}");
}

#[test]
fn the_summary_counts_every_event() {
    let mut input = String::new();
    for n in 0..120 {
        input.push_str(&format!(
            "2026-03-01T10:00:00Z INFO request {n} served in {} ms\n",
            n * 3
        ));
    }
    for n in 0..17 {
        input.push_str(&format!("2026-03-01T10:00:01Z ERROR disk {n} failed\n"));
    }
    let output = logsieve(["classify", "--format", "summary", "-"], input.as_bytes()).expect(0);
    let summary = text(&output.stdout);
    for number in ["137", "120", "17"] {
        assert!(
            summary
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word == number),
            "no {number} in\n{summary}"
        );
    }
    assert!(
        summary.contains("info") && summary.contains("error"),
        "{summary}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    // `logsieve classify FILE | head -1`: no panic, no message about a broken pipe.
    let dir = dir();
    let file = dir.path().join("big.log");
    std::fs::write(&file, "INFO the same again\n".repeat(200_000)).unwrap();
    let script = format!(
        "{{ '{}' classify --format json '{}'; echo \"code $?\" >&2; }} | head -n 1",
        env!("CARGO_BIN_EXE_logsieve"),
        file.display()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .env("LOGSIEVE_MODEL", "none")
        .output()
        .unwrap();
    assert_eq!(objects(&output.stdout).len(), 1);
    let errors = text(&output.stderr);
    assert!(
        !errors.contains("panic") && errors.trim_end().lines().count() == 1,
        "{errors}"
    );
    assert!(
        errors.contains("code 0") || errors.contains("code 141"),
        "{errors}"
    );
}

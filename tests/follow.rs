//! `run` over files: rotation, truncation, drain, 10,000 files; every line once, in order.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Agent, dir, until};

/// Follows `*.log` in `dir`'s `logs` from their beginning.
fn config(dir: &Path) -> String {
    fs::create_dir_all(dir.join("logs")).unwrap();
    format!(
        "sources:\n  files: {{include: [\"{}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 200}}\n",
        dir.display()
    )
}

/// CRI lines `PREFIX n` as one writer prints them.
fn line(prefix: &str, n: u32) -> String {
    format!("2026-03-01T10:00:00.000000000Z stdout F {prefix} {n}\n")
}

fn append(file: &Path, text: &str) {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

fn texts(events: &[Value], prefix: &str) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| event["line"].as_str())
        .filter(|line| line.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

#[track_caller]
fn assert_each_once_in_order(events: &[Value], prefix: &str, n: u32) {
    let got = texts(events, prefix);
    let want: Vec<String> = (0..n).map(|n| format!("{prefix} {n}")).collect();
    if got == want {
        return;
    }
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for line in &got {
        *counts.entry(line).or_default() += 1;
    }
    let lost: Vec<_> = want
        .iter()
        .filter(|line| !counts.contains_key(line.as_str()))
        .take(5)
        .collect();
    let twice: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count > 1)
        .take(5)
        .collect();
    panic!(
        "{} of {n} lines; lost {lost:?}, repeated {twice:?}, order kept: {}",
        got.len(),
        got.is_sorted()
    );
}

#[test]
fn a_rename_while_the_writer_goes_on_loses_nothing() {
    let dir = dir();
    let agent = Agent::start(dir.path(), &config(dir.path()));
    let file = dir.path().join("logs/app.log");
    let mut n = 0;
    for round in 0..5 {
        let mut writer = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .unwrap();
        for k in 0..500 {
            writer.write_all(line("rotated", n).as_bytes()).unwrap();
            n += 1;
            if k == 0 {
                // A file that comes and goes by its name before anybody can look was never there.
                agent.wait_for_line(&format!("rotated {}", n - 1));
            }
        }
        // As logrotate does: the name changes, the writer keeps its descriptor for a while.
        fs::rename(&file, dir.path().join(format!("logs/app.log.{round}"))).unwrap();
        for _ in 0..100 {
            writer.write_all(line("rotated", n).as_bytes()).unwrap();
            n += 1;
        }
        // The next file appears when this one is known to be read; without that, order between files is nobody's promise.
        agent.wait_for_line(&format!("rotated {}", n - 1));
    }
    assert_each_once_in_order(&agent.terminate(), "rotated", n);
}

#[test]
fn a_copytruncate_loses_nothing_that_was_read_and_nothing_after_it() {
    let dir = dir();
    let agent = Agent::start(dir.path(), &config(dir.path()));
    let file = dir.path().join("logs/app.log");
    let mut n = 0;
    for round in 0..4 {
        for _ in 0..200 {
            append(&file, &line("truncated", n));
            n += 1;
        }
        agent.wait_for_line(&format!("truncated {}", n - 1));
        fs::copy(&file, dir.path().join(format!("logs/app.{round}.copy"))).unwrap();
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(0)
            .unwrap();
    }
    append(&file, &line("truncated", n));
    agent.wait_for_line(&format!("truncated {n}"));
    assert_each_once_in_order(&agent.terminate(), "truncated", n + 1);
}

#[test]
fn sigterm_passes_on_everything_that_was_written_before() {
    let dir = dir();
    // Long enough for a busy machine; the end comes when all is passed on.
    let patient = format!("drain_timeout_seconds: 120\n{}", config(dir.path()));
    let agent = Agent::start(dir.path(), &patient);
    let file = dir.path().join("logs/app.log");
    let all: String = (0..50_000).map(|n| line("drained", n)).collect();
    append(&file, &all);
    agent.wait_for_line("drained 0");
    // Most of the lines are still in the file or in the agent's channels now.
    let events = agent.terminate();
    assert_each_once_in_order(&events, "drained", 50_000);
}

#[test]
fn an_open_event_is_printed_at_the_stop() {
    let dir = dir();
    let waits = config(dir.path()).replace("max_wait_ms: 200", "max_wait_ms: 60000");
    let agent = Agent::start(dir.path(), &waits);
    let file = dir.path().join("logs/app.log");
    let open = "first line\njava.lang.IllegalStateException: never closed\n\tat com.acme.Main.main(Main.java:5)\nhalf a line without its newline";
    append(&file, open);
    let bytes = u32::try_from(open.len()).unwrap();
    agent.wait_for_line("first line");
    until(
        "all bytes to be read",
        || (agent.metric("logsieve_bytes_read_total", &[]) >= f64::from(bytes)).then_some(()),
        || agent.metrics(),
    );
    let events = agent.terminate();
    let all: Vec<&str> = events
        .iter()
        .flat_map(|event| event["line"].as_str().unwrap().split('\n'))
        .collect();
    for part in [
        "java.lang.IllegalStateException: never closed",
        "\tat com.acme.Main.main(Main.java:5)",
    ] {
        assert_eq!(
            all.iter().filter(|line| **line == part).count(),
            1,
            "{part:?} in {all:?}"
        );
    }
    // A half line is no line yet: the next run has it whole.
    assert!(
        !all.iter().any(|line| line.starts_with("half a line")),
        "{all:?}"
    );
    append(&file, " at last\nnext\n");
    let agent = Agent::start(dir.path(), &config(dir.path()));
    agent.wait_for_line("half a line without its newline at last");
    agent.wait_for_line("next");
    assert_eq!(agent.terminate().len(), 2);
}

#[test]
fn ten_thousand_files_are_all_read() {
    let dir = dir();
    let config = config(dir.path());
    for n in 0..10_000 {
        fs::write(dir.path().join(format!("logs/f{n}.log")), line("many", n)).unwrap();
    }
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for(10_000, |event| {
        event["line"]
            .as_str()
            .is_some_and(|line| line.starts_with("many"))
    });
    // Idle files may be closed; what is appended to any of them is still seen.
    for n in [0, 4_999, 9_999] {
        append(
            &dir.path().join(format!("logs/f{n}.log")),
            &line("again", n),
        );
        agent.wait_for_line(&format!("again {n}"));
    }
    let (_, peak) = agent.resident_kib();
    let events = agent.terminate();
    let mut got = texts(&events, "many");
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.len(), 10_000);
    assert_eq!(texts(&events, "many").len(), 10_000, "each once");
    assert!(peak < 150 * 1024, "{peak} KiB");
}

#[test]
fn files_that_vanish_or_may_not_be_read_stop_nobody_else() {
    let dir = dir();
    let config = config(dir.path());
    let logs = dir.path().join("logs");
    std::os::unix::fs::symlink("/nowhere/at/all", logs.join("dangling.log")).unwrap();
    fs::create_dir(logs.join("directory.log")).unwrap();
    fs::write(logs.join("good.log"), line("good", 0)).unwrap();
    fs::write(logs.join("short.log"), line("short", 0)).unwrap();
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("short 0");
    fs::remove_file(logs.join("short.log")).unwrap();
    append(&logs.join("good.log"), &line("good", 1));
    agent.wait_for_line("good 1");
    // The name comes back as another file: it is read from its beginning.
    fs::write(logs.join("short.log"), line("short", 1)).unwrap();
    agent.wait_for_line("short 1");
    let events = agent.terminate();
    assert_each_once_in_order(&events, "good", 2);
    assert_each_once_in_order(&events, "short", 2);
}

#[test]
fn a_container_and_its_pod_are_told_from_the_path() {
    let dir = dir();
    let pod = dir
        .path()
        .join("pods/shop_cart-7d9f_0a1b2c3d-0000-4000-8000-000000000000/cart");
    fs::create_dir_all(&pod).unwrap();
    fs::write(
        pod.join("2.log"),
        "2026-03-01T10:00:00.5Z stderr F cart is empty\n",
    )
    .unwrap();
    let agent = Agent::start(
        dir.path(),
        &format!(
            "sources:\n  files: {{include: [\"{}/pods/*/*/*.log\"], start_at: beginning}}\n  docker: {{enabled: off}}\n  demo: off\n",
            dir.path().display()
        ),
    );
    let event = agent.wait_for_line("cart is empty");
    assert_eq!(event["stream"], "stderr");
    assert_eq!(event["k8s"]["namespace"], "shop");
    assert_eq!(event["k8s"]["pod"], "cart-7d9f");
    assert_eq!(event["k8s"]["container"], "cart");
    assert!(
        event["event_id"].as_str().is_some_and(|id| !id.is_empty()),
        "{event}"
    );
    agent.terminate();
}

#[test]
fn templates_of_long_ago_leave_room_for_new_ones_after_a_restart() {
    let words = [
        "red", "green", "blue", "white", "black", "brown", "amber", "violet",
    ];
    let dir = dir();
    let config = config(dir.path()) + "classify: {max_templates: 8}\n";
    let file = dir.path().join("logs/a.log");
    // Each is a shape of its own, so that none becomes part of another.
    let shape = |n: usize| format!("{}{}", format!("{} ", words[n % 8]).repeat(n + 2), "end");
    let print = |from: usize, to: usize| {
        for n in from..to {
            let text = shape(n);
            append(
                &file,
                &format!("2026-03-01T10:00:00.000000000Z stdout F {text}\n"),
            );
        }
    };
    let template = |events: &[Value], n: usize| {
        let event = events.iter().find(|event| event["line"] == shape(n));
        event.unwrap()["template"].as_str().unwrap().to_owned()
    };
    print(0, 8);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for(8, |_| true);
    print(8, 9);
    agent.wait_for(9, |_| true);
    let events = agent.terminate();
    assert_eq!(template(&events, 7), shape(7));
    assert_ne!(template(&events, 8), shape(8), "there is no room left");

    print(9, 11);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for(2, |_| true);
    // One that was left out comes again.
    print(0, 1);
    agent.wait_for(3, |_| true);
    let events = agent.terminate();
    assert_eq!(template(&events, 9), shape(9));
    assert_eq!(template(&events, 10), shape(10));
}

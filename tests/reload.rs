//! SIGHUP: a changed pack takes over without a line lost; a broken one leaves the old one in force and is told.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Agent, dir, until};

/// A pack whose only category is `name`, for lines with `tick`.
fn pack(name: &str) -> String {
    format!(
        "version: 1\nname: mine\ntaxonomy:\n  version: 1\n  categories:\n    - {{id: {name}, means: \"a test\"}}\nrules:\n  - id: {name}.tick\n    category: {name}\n    any: [\"tick\"]\n    match: [\"tick 1\"]\n"
    )
}

fn start(dir: &Path) -> Agent {
    fs::create_dir_all(dir.join("logs")).unwrap();
    fs::write(dir.join("pack.yaml"), pack("before")).unwrap();
    Agent::start(
        dir,
        &format!(
            "sources:\n  files: {{include: [\"{0}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 100}}\nclassify: {{pack: \"{0}/pack.yaml\"}}\n",
            dir.display()
        ),
    )
}

fn append(dir: &Path, text: &str) {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("logs/app.log"))
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

#[test]
fn a_changed_pack_takes_over_without_a_line_lost() {
    let dir = dir();
    let agent = start(dir.path());
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                let lines: String = (n..n + 20).map(|n| format!("tick {n}\n")).collect();
                append(dir.path(), &lines);
                n += 20;
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            n
        });
        agent.wait_for(100, |event| event["category"] == "before");
        fs::write(dir.path().join("pack.yaml"), pack("after")).unwrap();
        agent.signal("HUP");
        agent.wait_for(100, |event| event["category"] == "after");
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    agent.wait_for_line(&format!("tick {}", written - 1));
    let events = agent.terminate();
    let lines: Vec<&str> = events
        .iter()
        .map(|event| event["line"].as_str().unwrap())
        .collect();
    let want: Vec<String> = (0..written).map(|n| format!("tick {n}")).collect();
    assert_eq!(lines, want, "each line once, in order");
    let turn = events
        .iter()
        .position(|event| event["category"] == "after")
        .unwrap();
    assert!(
        events[..turn]
            .iter()
            .all(|event| event["category"] == "before")
    );
    assert!(
        events[turn..]
            .iter()
            .all(|event| event["category"] == "after"),
        "no line is judged by the old pack after the new one"
    );
}

#[test]
fn a_broken_pack_leaves_the_old_one_in_force_and_health_tells_it() {
    let dir = dir();
    let agent = start(dir.path());
    append(dir.path(), "tick 1\n");
    agent.wait_for_line("tick 1");
    fs::write(
        dir.path().join("pack.yaml"),
        pack("after").replace("any: [\"tick\"]", "regex: [\"tick(\"]"),
    )
    .unwrap();
    agent.signal("HUP");
    let told = until(
        "the health page to name the broken pack",
        || Some(agent.health().1.to_string()).filter(|health| health.contains("pack.yaml")),
        || format!("{}\n{}", agent.health().1, agent.log()),
    );
    assert!(told.contains("after.tick"), "which rule: {told}");
    append(dir.path(), "tick 2\n");
    assert_eq!(agent.wait_for_line("tick 2")["category"], "before");
    // Mended, it is taken, and health is well again.
    fs::write(dir.path().join("pack.yaml"), pack("mended")).unwrap();
    agent.signal("HUP");
    until(
        "the health page to be clear again",
        || Some(agent.health().1.to_string()).filter(|health| !health.contains("after.tick")),
        || agent.health().1.to_string(),
    );
    append(dir.path(), "tick 3\n");
    assert_eq!(agent.wait_for_line("tick 3")["category"], "mended");
    agent.terminate();
}

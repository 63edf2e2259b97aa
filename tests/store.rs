//! What the agent keeps: restarts, rotations while it was down, sinks that were down, and a store that cannot be used.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::harness::{Agent, Answer, Receiver, dir, get, logsieve, objects, text, until};

/// Follows `logs/*.log` of `dir` from the beginning, with `sinks` (YAML, without its key).
fn config(dir: &Path, sinks: &str) -> String {
    fs::create_dir_all(dir.join("logs")).unwrap();
    format!(
        "sources:\n  files: {{include: [\"{}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 200}}\n{sinks}",
        dir.display()
    )
}

fn append(dir: &Path, name: &str, numbers: std::ops::Range<u32>) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("logs").join(name))
        .unwrap();
    for n in numbers {
        writeln!(
            file,
            "2026-03-01T10:00:00.000000000Z stdout F line {n} of the test"
        )
        .unwrap();
    }
}

/// The numbers of the test's lines, in order.
fn numbers(events: &[Value]) -> Vec<u32> {
    let number = |event: &Value| {
        let line = event["line"].as_str()?.strip_prefix("line ")?;
        line.split(' ').next()?.parse().ok()
    };
    events.iter().filter_map(number).collect()
}

fn health_of(agent: &Agent, part: &str) -> Value {
    agent.health().1["components"][part].clone()
}

/// Waits until the health page says of a part that it works, or that it does not.
#[track_caller]
fn wait_for_health(agent: &Agent, part: &str, ok: bool) {
    until(
        &format!("{part} to be told, ok: {ok}"),
        || (health_of(agent, part)["ok"] == ok).then_some(()),
        || format!("{:?}\n{}", agent.health(), agent.log()),
    );
}

#[test]
fn a_restart_goes_on_at_the_exact_line() {
    let dir = dir();
    let config = config(dir.path(), "");
    append(dir.path(), "app.log", 0..100);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("line 99 of the test");
    assert_eq!(numbers(&agent.terminate()), (0..100).collect::<Vec<_>>());
    append(dir.path(), "app.log", 100..150);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("line 149 of the test");
    let events = agent.terminate();
    assert_eq!(numbers(&events), (100..150).collect::<Vec<_>>());
    // Who reads on knows the templates from before, by the same ids.
    let agent = Agent::start(dir.path(), &config);
    append(dir.path(), "app.log", 150..151);
    let event = agent.wait_for_line("line 150 of the test");
    assert_eq!(event["template_id"], events[0]["template_id"]);
}

#[test]
fn what_was_rotated_away_while_the_agent_was_down_is_read_to_its_end() {
    let dir = dir();
    let config = config(dir.path(), "");
    append(dir.path(), "app.log", 0..100);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("line 99 of the test");
    agent.terminate();
    let logs = dir.path().join("logs");
    // Two rotations, neither of whose new names the pattern covers.
    append(dir.path(), "app.log", 100..150);
    fs::rename(logs.join("app.log"), logs.join("app.log.1")).unwrap();
    append(dir.path(), "app.log", 150..200);
    fs::rename(logs.join("app.log.1"), logs.join("app.log.2")).unwrap();
    fs::rename(logs.join("app.log"), logs.join("app.log.1")).unwrap();
    append(dir.path(), "app.log", 200..250);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("line 249 of the test");
    agent.wait_for_line("line 149 of the test");
    agent.wait_for_line("line 199 of the test");
    let mut found = numbers(&agent.terminate());
    found.sort_unstable();
    assert_eq!(found, (100..250).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_was_down_gets_what_it_is_owed_after_a_restart() {
    let dir = dir();
    let up = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&up);
    let receiver = Receiver::start(move |_, _| {
        Answer::status(if open.load(Ordering::Acquire) {
            200
        } else {
            503
        })
    });
    let sinks = format!(
        "sinks:\n  stdout: {{format: json}}\n  out: {{type: http, url: \"{}\", compression: none, retry: {{initial_ms: 50, max_ms: 200}}}}\ndrain_timeout_seconds: 2\n",
        receiver.url()
    );
    let config = config(dir.path(), &sinks);
    append(dir.path(), "app.log", 0..5_000);
    let agent = Agent::start(dir.path(), &config);
    // The one that is down does not hold up the other.
    agent.wait_for_line("line 4999 of the test");
    until(
        "a request in vain",
        || (!receiver.requests().is_empty()).then_some(()),
        || agent.log(),
    );
    wait_for_health(&agent, "sink out", false);
    agent.terminate();
    assert!(receiver.taken().is_empty());
    up.store(true, Ordering::Release);
    let agent = Agent::start(dir.path(), &config);
    let taken = until(
        "everything that is owed",
        || {
            let events: Vec<Value> = receiver
                .taken()
                .iter()
                .flat_map(|body| objects(body))
                .collect();
            (events.len() >= 5_000).then_some(events)
        },
        || agent.log(),
    );
    assert_eq!(numbers(&taken), (0..5_000).collect::<Vec<_>>());
    let again = agent.terminate();
    assert!(again.is_empty(), "standard output had everything before");
}

#[test]
fn a_store_that_cannot_be_used_is_named_and_lines_go_on() {
    let dir = dir();
    fs::write(dir.path().join("in-the-way"), "a file").unwrap();
    let store = format!(
        "store: {{directory: \"{}/in-the-way/state\"}}\n",
        dir.path().display()
    );
    let config = config(dir.path(), &store);
    append(dir.path(), "app.log", 0..100);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("line 99 of the test");
    wait_for_health(&agent, "store", false);
    // It is tried again: what stood in the way goes, and the store is there without a restart.
    fs::remove_file(dir.path().join("in-the-way")).unwrap();
    wait_for_health(&agent, "store", true);
    append(dir.path(), "app.log", 100..200);
    agent.wait_for_line("line 199 of the test");
    assert_eq!(numbers(&agent.terminate()), (0..200).collect::<Vec<_>>());
    let state = dir.path().join("in-the-way/state");
    let stored = logsieve(["export", "--data-dir", state.to_str().unwrap()], b"").expect(0);
    assert_eq!(
        numbers(&objects(&stored.stdout)),
        (100..200).collect::<Vec<_>>()
    );
}

#[test]
fn a_damaged_file_is_set_aside_and_the_agent_starts() {
    let dir = dir();
    let config = config(dir.path(), "");
    append(dir.path(), "app.log", 0..100);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("line 99 of the test");
    agent.terminate();
    let state = dir.path().join("state");
    let file = state.join("store.redb");
    let size = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    fs::write(&file, vec![0x5a; size]).unwrap();
    let agent = Agent::start(dir.path(), &config);
    append(dir.path(), "app.log", 100..200);
    agent.wait_for_line("line 199 of the test");
    wait_for_health(&agent, "store", true);
    agent.terminate();
    let aside = fs::read_dir(&state)
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("damaged")
        })
        .count();
    assert_eq!(aside, 1);
}

#[test]
fn a_second_agent_on_the_same_directory_says_so_and_does_its_work() {
    let dir = dir();
    let config = config(dir.path(), "");
    append(dir.path(), "app.log", 0..100);
    let first = Agent::start(dir.path(), &config);
    first.wait_for_line("line 99 of the test");
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    let store = format!(
        "{config}store: {{directory: \"{}/state\"}}\n",
        dir.path().display()
    );
    let second = Agent::start(&other, &store);
    second.wait_for_line("line 99 of the test");
    wait_for_health(&second, "store", false);
    first.terminate();
}

#[test]
fn a_full_disk_is_named_and_lines_go_on_until_there_is_room_again() {
    let dir = dir();
    let disk = dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
        .arg(&disk)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return println!("SKIPPED: a tmpfs cannot be mounted here");
    }
    let _unmount = Unmount(disk.clone());
    let ballast = disk.join("ballast");
    let store = format!("store: {{directory: \"{}/state\"}}\n", disk.display());
    let config = config(dir.path(), &store);
    let agent = Agent::start(dir.path(), &config);
    append(dir.path(), "app.log", 0..100);
    agent.wait_for_line("line 99 of the test");
    // Everything that is left is taken.
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    let mut n = 100;
    until(
        "a store that says that it is full",
        || {
            append(dir.path(), "app.log", n..n + 500);
            n += 500;
            agent.wait_for_line(&format!("line {} of the test", n - 1));
            (health_of(&agent, "store")["ok"] == false).then_some(())
        },
        || agent.log(),
    );
    fs::remove_file(&ballast).unwrap();
    wait_for_health(&agent, "store", true);
    append(dir.path(), "app.log", n..n + 100);
    n += 100;
    agent.wait_for_line(&format!("line {} of the test", n - 1));
    assert_eq!(numbers(&agent.terminate()), (0..n).collect::<Vec<_>>());
}

/// Unmounts when the test is over, however it ends.
struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn the_audit_accounts_for_every_line_of_a_running_agent() {
    let dir = dir();
    let config = config(dir.path(), "");
    append(dir.path(), "app.log", 0..1_000);
    let agent = Agent::start(dir.path(), &config);
    agent.wait_for_line("line 999 of the test");
    let audit = until(
        "the last acknowledgement",
        || {
            let (status, body) = get(agent.api, "/api/audit").unwrap();
            assert_eq!(status, 200, "{body}");
            let audit: Value = serde_json::from_str(&body).unwrap();
            (audit["sinks"][0]["delivered"] == 1_000).then_some(audit)
        },
        || agent.log(),
    );
    assert_eq!(audit["balances"], true, "{audit}");
    assert_eq!(audit["total"]["lines"], 1_000, "{audit}");
    assert_eq!(audit["total"]["stored"], 1_000, "{audit}");
    let (status, body) = get(agent.api, "/api/nothing").unwrap();
    assert_eq!(status, 404);
    assert!(body.contains("\"detail\""), "{body}");
    agent.terminate();
    let state = dir.path().join("state");
    let printed = logsieve(["audit", "--data-dir", state.to_str().unwrap()], b"").expect(0);
    let printed = text(&printed.stdout);
    assert!(
        printed.contains("every event is accounted for"),
        "{printed}"
    );
    let nowhere = dir.path().join("nowhere");
    let refused = logsieve(["audit", "--data-dir", nowhere.to_str().unwrap()], b"").expect(1);
    assert!(refused.stderr.contains("--data-dir"), "{}", refused.stderr);
}

#[test]
fn what_is_kept_is_for_the_agents_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = dir();
    let agent = Agent::start(dir.path(), &config(dir.path(), ""));
    let file = dir.path().join("state/store.redb");
    until("the store", || file.exists().then_some(()), || agent.log());
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    agent.terminate();
}

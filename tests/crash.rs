//! `kill -9` at any moment, while files are written and rotated: the store holds every line once, a receiver gets every line,
//! and again only what one batch held.
//!
//! `make test` kills for a minute at a rate that a debug build keeps up with; `make soak` kills 200 times at 20,000 lines/s.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::harness::{Agent, Answer, Receiver, dir, logsieve, text, until, until_within};

/// Events in one request of the sink: what may come twice after a kill.
const BATCH_EVENTS: u64 = 2_000;

/// A number from the environment, for runs that are longer than the usual one.
fn setting(name: &str, usual: u64) -> u64 {
    let value = std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok());
    value.unwrap_or(usual)
}

/// A container whose log is written, split and rotated as a kubelet does: renamed every so often, and what was renamed
/// before that compressed.
struct Container {
    directory: PathBuf,
    file: File,
    opened: Instant,
    rotations: u32,
    previous: Option<PathBuf>,
}

impl Container {
    fn new(pods: &Path, name: &str) -> Self {
        let directory = pods.join(format!("test_{name}_0b9d-{name}/app"));
        fs::create_dir_all(&directory).unwrap();
        let file = File::create(directory.join("0.log")).unwrap();
        Self {
            directory,
            file,
            opened: Instant::now(),
            rotations: 0,
            previous: None,
        }
    }

    fn rotate(&mut self) {
        self.rotations += 1;
        let aside = self
            .directory
            .join(format!("0.log.20260301-1{:05}", self.rotations));
        fs::rename(self.directory.join("0.log"), &aside).unwrap();
        self.file = File::create(self.directory.join("0.log")).unwrap();
        self.opened = Instant::now();
        if let Some(old) = self.previous.replace(aside) {
            // `gzip` writes the new file whole before it takes the old one away.
            let status = Command::new("gzip").arg(&old).status().unwrap();
            assert!(status.success());
        }
    }
}

/// One line, in one piece or two; the numbers in it differ in every line, as do the words around them.
fn line(n: u64) -> (String, Option<String>) {
    let time = format!(
        "2026-03-01T10:00:{:02}.{:09}Z",
        n / 1_000_000 % 60,
        n % 1_000_000 * 1000
    );
    let text = match n % 7 {
        0 => format!(
            "connection from 10.0.{}.{} refused seq={n};",
            n % 251,
            n % 13
        ),
        1 => format!(
            "{{\"level\":\"warn\",\"msg\":\"cache miss for user {}\",\"seq\":\"seq={n};\"}}",
            n % 97
        ),
        2 => format!("GET /api/items/{} 200 {}ms seq={n};", n % 1009, n % 300),
        3 => format!(
            "ERROR worker-{} panicked: index out of range seq={n};",
            n % 5
        ),
        4 => format!(
            "request {:032x} finished seq={n};",
            u128::from(n) * 0x9e37_79b9_7f4a_7c15
        ),
        5 => format!(
            "disk /dev/sd{} at {}% seq={n};",
            (b'a' + (n % 7) as u8) as char,
            n % 100
        ),
        _ => format!("seq={n};"),
    };
    if n % 11 == 3 {
        let (first, second) = text.split_at(text.len() / 2);
        let stream = if n.is_multiple_of(2) {
            "stdout"
        } else {
            "stderr"
        };
        return (
            format!("{time} {stream} P {first}\n"),
            Some(format!("{time} {stream} F {second}\n")),
        );
    }
    (format!("{time} stdout F {text}\n"), None)
}

/// Writes lines 0, 1, 2, ... at `rate` per second until `stop`, into three containers by turns; gives how many.
fn write(pods: &Path, rate: u64, rotate_every: Duration, stop: &AtomicBool, written: &AtomicU64) {
    let mut containers: Vec<Container> = ["a", "b", "c"]
        .iter()
        .map(|name| Container::new(pods, name))
        .collect();
    let begun = Instant::now();
    let mut n = 0;
    while !stop.load(Ordering::Acquire) {
        let due = (begun.elapsed().as_micros() as u64).saturating_mul(rate) / 1_000_000;
        let mut parts: Vec<Vec<u8>> = vec![Vec::new(); containers.len()];
        while n < due {
            let turn = (n / 50 % 3) as usize;
            let (first, second) = line(n);
            parts[turn].extend_from_slice(first.as_bytes());
            if let Some(second) = second {
                if containers[turn].opened.elapsed() >= rotate_every {
                    // The line goes on in the next file.
                    containers[turn].file.write_all(&parts[turn]).unwrap();
                    parts[turn].clear();
                    containers[turn].rotate();
                }
                parts[turn].extend_from_slice(second.as_bytes());
            }
            n += 1;
        }
        for (container, part) in containers.iter_mut().zip(&parts) {
            container.file.write_all(part).unwrap();
        }
        written.store(n, Ordering::Release);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What came in: by number, how often, and under which ids.
#[derive(Default)]
struct Seen {
    times: HashMap<u64, u32>,
    ids: HashSet<(u64, String)>,
}

/// The number in a line of this test.
fn number(line: &str) -> Option<u64> {
    let at = line.find("seq=")? + 4;
    line[at..].split(';').next()?.parse().ok()
}

fn field<'a>(event: &'a str, name: &str) -> Option<&'a str> {
    let at = event.find(name)? + name.len();
    event[at..].split('"').next()
}

#[test]
fn a_kill_at_any_moment_loses_no_line_and_repeats_at_most_a_batch() {
    let kills = setting("LOGSIEVE_SOAK_KILLS", 20);
    let rate = setting("LOGSIEVE_SOAK_RATE", 1_500);
    let rotate_every = Duration::from_millis(setting("LOGSIEVE_SOAK_ROTATE_MS", 4_000));
    let dir = dir();
    let pods = dir.path().join("pods");
    let seen = Arc::new(Mutex::new(Seen::default()));
    let record = Arc::clone(&seen);
    let receiver = Receiver::start(move |_, request| {
        let body = String::from_utf8_lossy(&request.body);
        let mut seen = record.lock().unwrap();
        for event in body.lines() {
            let Some(n) = number(event) else { continue };
            let id = field(event, "\"event_id\":\"").unwrap_or_default();
            *seen.times.entry(n).or_default() += 1;
            seen.ids.insert((n, id.to_owned()));
        }
        Answer::status(200)
    });
    let config = format!(
        "sources:\n  files: {{include: [\"{}/*/*/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nevents: {{max_wait_ms: 10000}}\nsinks:\n  stdout: {{enabled: false}}\n  out: {{type: http, url: \"{}\", compression: none, batch: {{max_events: {BATCH_EVENTS}}}}}\n",
        pods.display(),
        receiver.url()
    );
    let (stop, written) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writer = {
        let (pods, stop, written) = (pods.clone(), Arc::clone(&stop), Arc::clone(&written));
        std::thread::spawn(move || write(&pods, rate, rotate_every, &stop, &written))
    };
    // A container whose first lines are rotated away before any agent has kept a word of it is known to nobody.
    let agent = Agent::start(dir.path(), &config);
    until(
        "lines of all containers",
        || (seen.lock().unwrap().times.len() > 300).then_some(()),
        || agent.log(),
    );
    agent.kill();
    // Any moment: a small generator is enough, and its seed is told.
    let seed = setting("LOGSIEVE_SOAK_SEED", 42);
    println!("seed {seed}, {kills} kills at {rate} lines/s");
    let mut state = seed;
    for _ in 0..kills {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let agent = Agent::start(dir.path(), &config);
        std::thread::sleep(Duration::from_millis((state >> 33) % 2_000));
        agent.kill();
        receiver.forget();
    }
    stop.store(true, Ordering::Release);
    writer.join().unwrap();
    let lines = written.load(Ordering::Acquire);
    let agent = Agent::start(dir.path(), &config);
    until_within(
        Duration::from_secs(240),
        "every line at the receiver",
        || (seen.lock().unwrap().times.len() as u64 >= lines).then_some(()),
        || {
            let seen = seen.lock().unwrap();
            let missing: Vec<u64> = (0..lines)
                .filter(|n| !seen.times.contains_key(n))
                .take(10)
                .collect();
            format!(
                "{} of {lines} lines; missing {missing:?}\n{}",
                seen.times.len(),
                agent.log()
            )
        },
    );
    agent.terminate();

    let seen = seen.lock().unwrap();
    let repeats: u64 = seen.times.values().map(|times| u64::from(times - 1)).sum();
    println!("{lines} lines, {repeats} repeats after {kills} kills");
    let mut ids: HashMap<u64, Vec<&str>> = HashMap::new();
    for (n, id) in &seen.ids {
        ids.entry(*n).or_default().push(id);
    }
    let several: Vec<_> = ids.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(
        several.is_empty(),
        "a line has one id, however often it comes: {} have several, as {:?}",
        several.len(),
        several.iter().take(5).collect::<Vec<_>>()
    );
    assert!(
        repeats <= kills * BATCH_EVENTS,
        "{repeats} repeats after {kills} kills"
    );

    let state = dir.path().join("state");
    let state = state.to_str().unwrap();
    let run = |command| {
        text(
            &logsieve([command, "--data-dir", state], b"")
                .expect(0)
                .stdout,
        )
    };
    let stored = run("export");
    let mut times: HashMap<u64, u32> = HashMap::new();
    for line in stored.lines() {
        if let Some(n) = number(line) {
            *times.entry(n).or_default() += 1;
        }
    }
    let missing: Vec<u64> = (0..lines)
        .filter(|n| !times.contains_key(n))
        .take(10)
        .collect();
    let twice: Vec<_> = times
        .iter()
        .filter(|(_, times)| **times > 1)
        .take(10)
        .collect();
    assert!(
        missing.is_empty() && twice.is_empty(),
        "stored: missing {missing:?}, more than once {twice:?}"
    );
    let audit = run("audit");
    assert!(audit.contains("every event is accounted for"), "{audit}");
}

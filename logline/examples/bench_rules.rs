//! Speed of the rule stage alone: `cargo run --release -p logline --example bench_rules [PACK.yaml] [LINES.log]`.
//!
//! Prints, for 50 and for 1,000 made rules and for the built-in general pack (or for the given one alone), how long the pack takes to
//! read and to compile, and how many MB of lines `decide` gets through per second on a processor (best of several rounds).
//! Rules and lines are made up by the program, the same in every run; with a second argument the lines come from a file.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{env, fmt::Write, fs};

use logline::{
    header,
    rules::{Pack, RuleInput, RuleSet, Scratch, test_pack},
    time::TimeContext,
};

/// A small generator (splitmix64), so that every run has the same rules and lines.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const SUBJECTS: [&str; 50] = [
    "replication slot",
    "checkpoint",
    "leader lease",
    "write-ahead log",
    "certificate chain",
    "ingress route",
    "cgroup",
    "readiness probe",
    "overlay mount",
    "consumer group",
    "partition",
    "snapshot",
    "compaction",
    "tombstone",
    "watchdog",
    "session ticket",
    "nat table",
    "conntrack",
    "dhcp lease",
    "zone transfer",
    "resolver",
    "vacuum",
    "deadlock",
    "savepoint",
    "heartbeat",
    "quorum",
    "gossip",
    "hinted handoff",
    "thread pool",
    "heap",
    "garbage collector",
    "file descriptor",
    "inode",
    "journal",
    "raid array",
    "scrub",
    "smart attribute",
    "fan speed",
    "voltage rail",
    "usb device",
    "firmware",
    "hypervisor",
    "live migration",
    "image layer",
    "pull secret",
    "admission webhook",
    "finalizer",
    "cron trigger",
    "workflow step",
    "rate limiter",
];
const EVENTS: [&str; 20] = [
    "exceeded",
    "is stale",
    "was evicted",
    "rejected by policy",
    "took too long",
    "lost its owner",
    "is degraded",
    "is recovering",
    "was promoted",
    "was fenced",
    "is corrupt",
    "not found",
    "already exists",
    "timed out",
    "is full",
    "was rotated",
    "is unreachable",
    "was throttled",
    "fell behind",
    "is inconsistent",
];
const CATEGORIES: [&str; 6] = [
    "crash",
    "security",
    "storage",
    "network",
    "cluster",
    "lifecycle",
];

/// A pack of `count` distinct rules in the styles that people write.
fn made_pack(count: usize) -> String {
    let mut yaml = "version: 1\nname: made\ntaxonomy:\n  version: 1\n  categories:\n".to_owned();
    for category in CATEGORIES {
        let _ = writeln!(yaml, "    - {{id: {category}, means: made}}");
    }
    yaml += "rules:\n";
    for index in 0..count {
        // Steps through all pairs without repeating one.
        let pair = index * 397 % 1000;
        let (subject, event) = (SUBJECTS[pair / 20], EVENTS[pair % 20]);
        let category = CATEGORIES[index % CATEGORIES.len()];
        let _ = writeln!(yaml, "  - id: {category}.{index}\n    category: {category}");
        let _ = match index % 5 {
            0 => writeln!(
                yaml,
                "    any: [\"{subject} {event}\", \"{event}: {subject}\"]"
            ),
            1 => writeln!(
                yaml,
                "    all: [\"{subject}\", \"{event}\"]\n    none: [\"dry run\"]"
            ),
            2 => writeln!(
                yaml,
                "    regex: ['{subject} \\S+ (?:on \\S+ )?{event}', '\\b{event} \\([^)]*{subject}']"
            ),
            3 => writeln!(
                yaml,
                "    any: [\"{subject}\"]\n    regex: ['^.{{0,80}}{subject} \\d+ {event}']\n    when: {{level: [warn, error]}}"
            ),
            _ => writeln!(
                yaml,
                "    on: message\n    regex: ['^{subject} [a-z0-9-]+ {event}(?: after \\d+ ?m?s)?']"
            ),
        };
    }
    yaml
}

/// One line as a server prints it; now and then one that a made rule speaks of.
fn made_line(random: &mut Random, out: &mut Vec<u8>) {
    let (a, b, c, d) = (
        random.below(256),
        random.below(65_000),
        random.below(100_000),
        random.next(),
    );
    let second = random.below(60);
    let time = format!(
        "2026-03-0{}T1{}:{:02}:{second:02}.{:03}Z",
        1 + a % 9,
        a % 10,
        b % 60,
        c % 1000
    );
    let name = random.pick(&[
        "orders",
        "checkout",
        "gateway",
        "inventory",
        "billing",
        "search",
    ]);
    let line = match random.below(16) {
        0 => format!(
            "{time} INFO  [{name}-worker-{}] com.example.{name}.Scheduler - batch {d:x} finished: {c} rows in {b} ms, 0 errors, next run in 30 s",
            a % 16
        ),
        1 => format!(
            "10.{}.{a}.{} - - [03/Mar/2026:10:{:02}:{second:02} +0000] \"GET /api/v2/{name}/{c}?expand=items HTTP/1.1\" 200 {b} \"-\" \"Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0\" {}.{:03}",
            a % 32,
            b % 250,
            b % 60,
            a % 3,
            c % 1000
        ),
        2 => format!(
            "{{\"level\":\"info\",\"ts\":\"{time}\",\"logger\":\"{name}.controller\",\"msg\":\"reconciled object\",\"namespace\":\"prod\",\"name\":\"{name}-{d:x}\",\"duration\":\"{}ms\"}}",
            b % 900
        ),
        3 => format!(
            "time=\"{time}\" level=debug msg=\"polling upstream for changes\" component={name} attempt={} etag=\"{d:016x}\" elapsed={}ms",
            a % 4,
            c % 700
        ),
        4 => format!(
            "I0303 10:{:02}:{second:02}.{c:06} {b} controller.go:{a}] \"Observed update\" kind=\"Deployment\" object=\"prod/{name}\" resourceVersion=\"{c}\"",
            b % 60
        ),
        5 => format!(
            "Mar  3 10:{:02}:{second:02} node-{} systemd[1]: Started session-{c}.scope - Session {c} of User deploy.",
            b % 60,
            a % 20
        ),
        6 => format!(
            "[{time}] WARN {name}: slow request id={d:016x} path=/v1/{name} took {b} ms (limit 500 ms), client 192.168.{}.{a}",
            a % 4
        ),
        7 => format!(
            "{time} ERROR {name} [trace={d:016x}] could not fetch profile for user {c}: Get \"http://profiles:8080/u/{c}\": context deadline exceeded"
        ),
        8 => format!(
            "{time} DEBUG sqlalchemy.engine SELECT id, name, state, updated_at FROM {name} WHERE id = {c} AND state IN ('new', 'open') LIMIT {a}"
        ),
        9 => format!(
            "{b}:M 03 Mar 2026 10:{:02}:{second:02}.{:03} * Background saving started by pid {c}",
            b % 60,
            c % 1000
        ),
        10 => format!(
            "[{time}][info ][gc] GC({c}) Pause Young (Normal) (G1 Evacuation Pause) {}M->{}M({}M) {}.{:03}ms",
            b % 4000,
            b % 2000,
            4096,
            a % 40,
            c % 1000
        ),
        11 => format!(
            "{time} INFO kafka.server: partition assignment for {name}-{a} done in {} ms, offsets {c} to {}, lag {}",
            b % 900,
            c + b,
            a
        ),
        12 => format!(
            "Mar  3 10:{:02}:{second:02} edge-{} sshd[{b}]: Accepted publickey for deploy from 203.0.113.{a} port {b} ssh2: ED25519 SHA256:{d:016x}{c}",
            b % 60,
            a % 9
        ),
        13 => format!(
            "{time} WARN  c.e.{name}.Pool : {} 17 {} after {b} ms, retrying ({} of 5)",
            random.pick(&SUBJECTS),
            random.pick(&EVENTS),
            a % 5
        ),
        14 => format!(
            "{time} ERROR {name}: {} {}: id {d:x}, owner node-{}",
            random.pick(&SUBJECTS),
            random.pick(&EVENTS),
            a % 30
        ),
        _ => format!(
            "  at com.example.{name}.Service$Handler.invoke(Service.java:{}) ~[{name}-1.{}.jar:1.{}]",
            c % 900,
            a % 20,
            a % 20
        ),
    };
    out.extend_from_slice(line.as_bytes());
}

/// Nanoseconds that this thread has been on a processor, so that what else the machine does is not counted.
fn on_processor_ns() -> u64 {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0)
}

fn megabytes_per_second(set: &RuleSet, inputs: &[RuleInput<'_>], bytes: usize) -> (f64, usize) {
    let mut scratch = Scratch::default();
    let mut best = u64::MAX;
    let mut decided = 0;
    for _ in 0..10 {
        let before = on_processor_ns();
        // The kernel counts in steps of some milliseconds: a round has to be long against these.
        for _ in 0..8 {
            decided = 0;
            for input in inputs {
                decided += usize::from(set.decide(&mut scratch, input).is_some());
            }
        }
        best = best.min(on_processor_ns() - before);
    }
    (bytes as f64 * 8e3 / best as f64, decided)
}

fn resident_kib() -> usize {
    fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

fn main() {
    let mut arguments = env::args().skip(1);
    let pack = arguments.next();
    let mut text = Vec::new();
    let mut ends = vec![0];
    if let Some(path) = arguments.next() {
        for line in fs::read(path)
            .unwrap()
            .split(|byte| *byte == b'\n')
            .take(200_000)
        {
            text.extend_from_slice(line);
            ends.push(text.len());
        }
    } else {
        let mut random = Random(7);
        for _ in 0..20_000 {
            made_line(&mut random, &mut text);
            ends.push(text.len());
        }
    }
    let headers: Vec<_> = ends
        .windows(2)
        .map(|ends| {
            (
                &text[ends[0]..ends[1]],
                header::parse(&text[ends[0]..ends[1]], &TimeContext::default()),
            )
        })
        .collect();
    let inputs: Vec<RuleInput<'_>> = headers
        .iter()
        .map(|(line, header)| RuleInput {
            line,
            message: &header.message,
            logger: header.logger.as_deref(),
            level: header.level,
            ..RuleInput::default()
        })
        .collect();
    println!(
        "{} lines, {} bytes each",
        inputs.len(),
        text.len() / inputs.len()
    );
    let packs = match pack {
        Some(path) => vec![("given", fs::read_to_string(path).unwrap())],
        None => vec![
            ("made", made_pack(50)),
            ("made", made_pack(1000)),
            (
                "general",
                Pack::builtin_source("general").unwrap().to_owned(),
            ),
        ],
    };
    for (name, yaml) in packs {
        let resident = resident_kib();
        let start = on_processor_ns();
        let pack = Pack::parse(yaml.as_bytes()).unwrap();
        let parsed = (on_processor_ns() - start) as f64 / 1e6;
        let start = on_processor_ns();
        let set = RuleSet::compile(&pack).unwrap();
        let compiled = (on_processor_ns() - start) as f64 / 1e6;
        let count = pack.rules().len();
        let (speed, decided) = megabytes_per_second(&set, &inputs, text.len());
        let used = resident_kib() as i64 - resident as i64;
        let start = on_processor_ns();
        let examples = test_pack(&pack).unwrap().examples;
        let tested = (on_processor_ns() - start) as f64 / 1e6;
        println!(
            "{name:7} {count:5} rules: read {:6.1} ms, compile {:6.1} ms, {speed:7.0} MB/s, {:.1} % decided, {:+} KiB resident; {examples} examples tested in {tested:.0} ms",
            parsed,
            compiled,
            decided as f64 * 100.0 / inputs.len() as f64,
            used,
        );
    }
}

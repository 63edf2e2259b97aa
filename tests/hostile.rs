//! Bad input: never a panic, never another line's loss.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{dir, logsieve, objects, text};

fn events(input: &[u8]) -> Vec<Value> {
    let output = logsieve(["classify", "--format", "json", "-"], input).expect(0);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    objects(&output.stdout)
}

fn lines(input: &[u8]) -> Vec<String> {
    events(input)
        .iter()
        .map(|event| event["line"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn invalid_utf8_and_nuls_stay_in_their_line() {
    let got = lines(b"before\nbad \xff\xfe\xc3( bytes\nnul \0 inside\n\0\0\0\nafter\n");
    assert_eq!(got.len(), 5, "{got:?}");
    assert_eq!((got[0].as_str(), got[4].as_str()), ("before", "after"));
    assert!(
        got[1].starts_with("bad ") && got[1].ends_with(" bytes"),
        "{got:?}"
    );
    assert!(
        got[2].starts_with("nul ") && got[2].ends_with(" inside"),
        "{got:?}"
    );
}

#[test]
fn carriage_returns_at_the_end_of_a_line_are_no_part_of_it() {
    let unix = events(b"level=info msg=\"ready\"\nlevel=error msg=\"gone\"\n");
    let dos = events(b"level=info msg=\"ready\"\r\nlevel=error msg=\"gone\"\r\n");
    for (unix, dos) in unix.iter().zip(&dos) {
        for field in ["message", "level", "category", "template_id"] {
            assert_eq!(unix[field], dos[field]);
        }
    }
    assert_eq!(dos.len(), 2);
}

#[test]
fn a_byte_order_mark_hides_nothing() {
    let got = events(b"\xef\xbb\xbf{\"level\":\"error\",\"msg\":\"first\"}\nsecond\n");
    assert_eq!(got.len(), 2);
    assert_eq!(got[0]["level"], "error");
    assert_eq!(got[0]["message"], "first");
}

#[test]
fn half_a_wrapper_is_a_line_and_its_neighbours_are_whole() {
    let wrapped = |text: &str| {
        format!(
            "{{\"log\":\"{text}\\n\",\"stream\":\"stdout\",\"time\":\"2026-03-01T10:00:01Z\"}}\n"
        )
    };
    let half = "{\"log\":\"cut of";
    let input = wrapped("one")
        + half
        + "\n"
        + &wrapped("two")
        + "\"stream\":\"stdout\"}\n"
        + &wrapped("three");
    let got = lines(input.as_bytes());
    assert_eq!(got, ["one", half, "two", "\"stream\":\"stdout\"}", "three"]);
}

#[test]
fn the_order_of_the_wrappers_fields_is_free() {
    let input = br#"{"time":"2026-03-01T10:00:01Z","stream":"stdout","log":"a\n"}
{"stream":"stdout","log":"b \"quoted\" \u00e9\n","attrs":{"tag":"x"},"time":"2026-03-01T10:00:01Z"}
{ "log" : "c\n" , "time" : "2026-03-01T10:00:01Z" , "stream" : "stdout" }
"#;
    assert_eq!(lines(input), ["a", "b \"quoted\" \u{e9}", "c"]);
}

#[test]
fn times_may_be_absent_without_a_zone_or_in_the_future() {
    let got = events(
        b"no time at all\n2026-03-01 10:00:00 INFO no zone\n9999-12-31T23:59:59.999999999Z INFO far future\n99999-99-99T99:99:99Z INFO nonsense\n1601-01-01T00:00:00Z INFO long ago\n",
    );
    assert_eq!(got.len(), 5);
    assert!(got[0]["timestamp"].is_null(), "{}", got[0]);
    assert!(
        got[1]["timestamp"]
            .as_str()
            .unwrap()
            .starts_with("2026-03-01T10:00:00"),
        "{}",
        got[1]
    );
    assert_eq!(got[3]["line"], "99999-99-99T99:99:99Z INFO nonsense");
}

#[test]
fn a_hundred_megabytes_without_a_newline_are_cut_in_bounded_memory() {
    let mut child = Command::new("sh")
        .args([
            "-c",
            &format!(
                "ulimit -v 1500000; exec '{}' classify --format json -",
                env!("CARGO_BIN_EXE_logsieve")
            ),
        ])
        .env("LOGSIEVE_MODEL", "none")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let pid = child.id();
    let (peak, output) = std::thread::scope(|scope| {
        let peak = scope.spawn(move || {
            stdin.write_all(b"before\n").unwrap();
            let megabyte = vec![b'x'; 1 << 20];
            for _ in 0..100 {
                stdin.write_all(&megabyte).unwrap();
            }
            stdin.write_all(b"\nafter\n").unwrap();
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let line = status
                .lines()
                .find(|line| line.starts_with("VmHWM:"))
                .unwrap()
                .to_owned();
            line.split_ascii_whitespace()
                .nth(1)
                .unwrap()
                .parse::<u64>()
                .unwrap()
        });
        let output = child.wait_with_output().unwrap();
        (peak.join().unwrap(), output)
    });
    assert!(output.status.success(), "{}", text(&output.stderr));
    let got = objects(&output.stdout);
    let line = |at: usize| got[at]["line"].as_str().unwrap();
    assert_eq!(got.len(), 3);
    assert_eq!((line(0), line(2)), ("before", "after"));
    assert!(
        line(1).len() <= 64 * 1024 && line(1).len() > 60_000,
        "{} bytes kept",
        line(1).len()
    );
    assert!(peak < 64 * 1024, "{peak} KiB resident at the most");
}

#[test]
fn deeply_nested_or_endless_json_costs_its_own_line_only() {
    let mut input = Vec::new();
    for open in ["[", "{\"a\":", "{\"msg\":{\"msg\":", "\"\\u"] {
        input.extend(open.repeat(30_000 / open.len()).into_bytes());
        input.push(b'\n');
    }
    input.extend(b"after\n");
    let got = lines(&input);
    assert_eq!(got.last().unwrap(), "after");
    assert!(got.len() >= 2);
}

#[test]
fn no_line_takes_time_that_grows_with_its_square() {
    // Each of these makes a careless scanner look at the rest of the line again for every byte.
    let patterns = [
        "a=", "\"", "[", "0x", "::", "http://", "1.", "/a", "-", "at x(", "\\", "%s", "a@", "{}",
        "12:", "\u{e9}",
    ];
    for pattern in patterns {
        let line = pattern.repeat(60_000 / pattern.len());
        let input = format!("{line}\n").repeat(40);
        let start = std::time::Instant::now();
        let got = logsieve(
            ["classify", "--format", "json", "--no-join", "-"],
            input.as_bytes(),
        )
        .expect(0);
        let took = start.elapsed();
        assert_eq!(objects(&got.stdout).len(), 40);
        // 2.4 MB: a linear pass takes seconds even unoptimised and on a busy machine; a quadratic one takes many minutes.
        assert!(took.as_secs() < 60, "{pattern:?}: {took:?}");
    }
}

#[test]
fn unreadable_input_is_named_and_the_rest_is_read() {
    let dir = dir();
    let good = dir.path().join("good.log");
    std::fs::write(&good, "fine\n").unwrap();
    let output = logsieve(
        [
            "classify",
            "--format",
            "json",
            dir.path().to_str().unwrap(),
            good.to_str().unwrap(),
        ],
        b"",
    );
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.stderr.contains(dir.path().to_str().unwrap()),
        "{}",
        output.stderr
    );
    assert_eq!(
        objects(&output.stdout).len(),
        1,
        "the other file is read all the same"
    );
}

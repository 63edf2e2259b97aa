//! Joining lines into events, from outside.
//!
//! `golden/assemble/*.in` are log files as the agent reads them (bare, CRI or Docker lines); `*.out` holds the events: `> ` before
//! an event's first line on standard output, `! ` on standard error, `| ` before each further line. `UPDATE_GOLDEN=1` writes them.

use logline::assemble::{Assembler, Limits, Span};
use logline::decode::{Wrapper, decode};
use logline::event::{EventRef, Fragment, Stream};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

mod bounds;
mod properties;

fn golden(room: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden")
        .join(room)
}

fn show(event: EventRef<'_>, out: &mut String) {
    let text = String::from_utf8_lossy(event.text);
    assert_eq!(
        text.split('\n').count(),
        event.lines as usize,
        "lines are counted: {text:?}"
    );
    for (number, line) in text.split('\n').enumerate() {
        let sign = match (number, event.stream) {
            (0, Stream::Stdout) => '>',
            (0, Stream::Stderr) => '!',
            _ => '|',
        };
        let _ = writeln!(out, "{sign} {line}");
    }
}

fn assemble(log: &[u8]) -> String {
    let mut out = String::new();
    let mut assembler = Assembler::new(Limits::default());
    let mut at = 0;
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let span = Span {
            start: at,
            end: at + line.len() as u64,
        };
        at = span.end;
        let (fragment, _) = decode(line.strip_suffix(b"\n").unwrap_or(line), Wrapper::Auto);
        assembler.push(&fragment, span, 0, &mut |event| show(event, &mut out));
    }
    assembler.finish(&mut |event| show(event, &mut out));
    out
}

#[test]
fn golden_cases_join_as_written() {
    let mut cases: Vec<_> = std::fs::read_dir(golden("assemble"))
        .expect("the golden directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "in"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in &cases {
        let got = assemble(&std::fs::read(case).expect("a case"));
        let path = case.with_extension("out");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &got).expect("written");
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        if got != wanted {
            let _ = writeln!(
                wrong,
                "=== {}\n--- wanted\n{wanted}--- got\n{got}",
                case.display()
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// An event with its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    stream: Stream,
    text: Vec<u8>,
    lines: u32,
    cut: u64,
    partial: bool,
    start: u64,
    end: u64,
}

fn own(event: EventRef<'_>) -> Owned {
    Owned {
        stream: event.stream,
        text: event.text.to_vec(),
        lines: event.lines,
        cut: event.cut_bytes,
        partial: event.partial,
        start: event.start,
        end: event.end,
    }
}

fn fragment(stream: Stream, text: &[u8], partial: bool) -> Fragment<'_> {
    Fragment {
        cut_bytes: 0,
        timestamp: None,
        stream,
        partial,
        text: Cow::Borrowed(text),
    }
}

/// What was pushed, with a position each; the clock stands still.
fn run(limits: Limits, fragments: &[Fragment<'_>]) -> Vec<Owned> {
    let mut events = Vec::new();
    let mut assembler = Assembler::new(limits);
    for (number, fragment) in fragments.iter().enumerate() {
        let start = number as u64;
        let span = Span {
            start,
            end: start + 1,
        };
        assembler.push(fragment, span, 0, &mut |event| events.push(own(event)));
        assert_eq!(
            assembler.deadline_ms().is_some(),
            assembler.open_from().is_some()
        );
    }
    assembler.finish(&mut |event| events.push(own(event)));
    assert_eq!(assembler.open_from(), None);
    events
}

fn texts(events: &[Owned], stream: Stream) -> Vec<&[u8]> {
    events
        .iter()
        .filter(|event| event.stream == stream)
        .map(|event| event.text.as_slice())
        .collect()
}

/// No bound is reached.
const FREE: Limits = Limits {
    max_bytes: usize::MAX,
    max_lines: u32::MAX,
    max_wait_ms: 1_000,
    multiline: true,
};

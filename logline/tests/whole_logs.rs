//! Whole logs of real servers, which are not part of this repository: every line is in exactly one event, no event holds two
//! heads, and traces stay whole. Skipped, with a word, where the logs are not at hand.

use logline::assemble::{Assembler, Limits, Span};
use logline::decode::{Wrapper, decode};
use std::path::Path;

struct Event {
    lines: Vec<Vec<u8>>,
    start: u64,
    end: u64,
}

fn events(log: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut assembler = Assembler::new(Limits::default());
    let mut emit = |event: logline::event::EventRef<'_>| {
        events.push(Event {
            lines: event
                .text
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect(),
            start: event.start,
            end: event.end,
        });
    };
    let mut at = 0;
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let span = Span {
            start: at,
            end: at + line.len() as u64,
        };
        at = span.end;
        let (fragment, why) = decode(line.strip_suffix(b"\n").unwrap_or(line), Wrapper::Auto);
        assert_eq!(why, None);
        assembler.push(&fragment, span, 0, &mut emit);
    }
    assembler.finish(&mut emit);
    events
}

/// A date and a time of day within the first bytes, in the commonest form; told apart here without the library's help.
fn has_full_head(line: &[u8]) -> bool {
    let start = line
        .iter()
        .take(4)
        .take_while(|byte| matches!(byte, b'[' | b' ' | b'"'))
        .count();
    let Some(text) = line.get(start..start + 19) else {
        return false;
    };
    start < 2
        && text
            .iter()
            .zip(b"dddd-dd-dd dd:dd:dd")
            .all(|(byte, form)| match form {
                b'd' => byte.is_ascii_digit(),
                b'-' => matches!(byte, b'-' | b'/'),
                b' ' => matches!(byte, b' ' | b'T'),
                form => byte == form,
            })
}

fn check(name: &str, log: &[u8], wrong: &mut Vec<String>) {
    let events = events(log);
    let entered: Vec<Vec<u8>> = log
        .strip_suffix(b"\n")
        .unwrap_or(log)
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        .collect();
    let left: Vec<Vec<u8>> = events
        .iter()
        .flat_map(|event| event.lines.clone())
        .collect();
    if entered != left {
        wrong.push(format!(
            "{name}: {} lines entered, {} left",
            entered.len(),
            left.len()
        ));
    }
    let mut position = 0;
    for event in &events {
        if event.start != position {
            wrong.push(format!(
                "{name}: the event at {} does not follow {position}",
                event.start
            ));
        }
        position = event.end;
        let shown = String::from_utf8_lossy(&event.lines[0]).into_owned();
        if event
            .lines
            .iter()
            .filter(|line| has_full_head(line))
            .count()
            > 1
        {
            wrong.push(format!("{name}: two heads in the event {shown:?}"));
        }
        let first = event.lines[0].as_slice();
        for orphan in [
            b"    at ".as_slice(),
            b"\tat ",
            b"goroutine ",
            b"  File \"",
            b"Caused by:",
            b"created by ",
        ] {
            // A crash may print its goroutines with nothing before them; then they begin the event.
            if first.starts_with(orphan) && event.lines.len() == 1 {
                wrong.push(format!("{name}: alone: {shown:?}"));
            }
        }
        let last_trace = event
            .lines
            .iter()
            .rposition(|line| line.starts_with(b"Traceback (most recent call last)"));
        if let Some(at) = last_trace
            && !event.lines[at + 1..]
                .iter()
                .any(|line| line.first().is_some_and(u8::is_ascii_alphabetic))
        {
            wrong.push(format!(
                "{name}: a traceback without its last line in {shown:?}"
            ));
        }
        if first.starts_with(b"panic: ")
            && !event
                .lines
                .iter()
                .any(|line| line.starts_with(b"goroutine "))
        {
            wrong.push(format!("{name}: a panic without its goroutine: {shown:?}"));
        }
    }
}

#[test]
fn whole_logs_of_real_servers_keep_their_lines_and_traces() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/eval/zoo/raw");
    // In a checkout that lies elsewhere: its place in the environment.
    let directory = std::env::var_os("LOGSIEVE_SHARED")
        .map_or(directory, |shared| Path::new(&shared).join("eval/zoo/raw"));
    let Ok(entries) = std::fs::read_dir(&directory) else {
        eprintln!("SKIPPED: {} is not at hand", directory.display());
        return;
    };
    let mut wrong = Vec::new();
    let mut logs = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        check(
            &path.display().to_string(),
            &std::fs::read(&path).expect("a log"),
            &mut wrong,
        );
        logs += 1;
    }
    assert!(logs > 0, "{} holds no logs", directory.display());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

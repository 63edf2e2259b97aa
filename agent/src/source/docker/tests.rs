//! Frames and positions without an engine, and an engine's rarer ways; what it usually does is tested with a real one in
//! `tests/docker.rs`.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use logline::event::Stream;

use super::frames::{Cursor, Frame, Framer, time_of};
use super::names::Names;
use super::{Config, Host, Start, spawn};
use crate::shutdown::Shutdown;
use crate::source::{Counters, Message};

type Frames = Vec<(Stream, Vec<u8>)>;

/// Cuts an answer that comes in chunks of this size.
fn cut(answer: &[u8], chunk: usize) -> (Frames, Option<Vec<u8>>) {
    let mut framer = Framer::new();
    let mut frames = Vec::new();
    for chunk in answer.chunks(chunk) {
        let Ok(()) = framer.push::<Infallible>(chunk, |frame| {
            frames.push((frame.stream, frame.bytes.to_vec()));
            Ok(())
        });
    }
    (frames, framer.rest())
}

fn framed(stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![stream, 0, 0, 0];
    frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame
}

const TIME: &str = "2026-01-02T03:04:05.000000006Z ";

#[test]
fn frames_come_whole_however_the_answer_is_cut() {
    let one = format!("{TIME}one\n").into_bytes();
    let two = format!("{TIME}half a li").into_bytes();
    let answer = [framed(1, &one), framed(2, &two), framed(1, b"")].concat();
    for chunk in [1, 2, 7, 8, 9, 1000] {
        let (frames, rest) = cut(&answer, chunk);
        assert_eq!(rest, None);
        assert_eq!(
            &frames[..2],
            [(Stream::Stdout, one.clone()), (Stream::Stderr, two.clone())]
        );
    }
}

#[test]
fn a_bare_answer_is_cut_at_line_ends() {
    let answer = format!("{TIME}one\r\n{TIME}$ ");
    for chunk in [1, 5, 1000] {
        let (frames, rest) = cut(answer.as_bytes(), chunk);
        assert_eq!(
            frames,
            [(Stream::Stdout, format!("{TIME}one\r\n").into_bytes())]
        );
        assert_eq!(rest.unwrap(), format!("{TIME}$ ").into_bytes());
    }
}

#[test]
fn what_never_ends_is_given_in_pieces_with_the_time() {
    let long = "x".repeat(300_000);
    let line = format!("{TIME}{long}\n");
    for answer in [line.clone().into_bytes(), framed(1, line.as_bytes())] {
        let (frames, _) = cut(&answer, 4096);
        assert!(frames.len() > 4);
        let mut text = String::new();
        for (_, frame) in &frames {
            assert!(frame.len() <= 64 * 1024);
            text += std::str::from_utf8(frame)
                .unwrap()
                .strip_prefix(TIME)
                .unwrap();
        }
        assert_eq!(text, format!("{long}\n"));
        assert!(
            frames
                .iter()
                .rev()
                .skip(1)
                .all(|(_, frame)| !frame.ends_with(b"\n"))
        );
    }
}

#[test]
fn dockers_times_are_understood() {
    let time = |text: &str| time_of(format!("{text} x").as_bytes());
    assert_eq!(time("1970-01-01T00:00:00Z"), Some(0));
    assert_eq!(
        time("2000-02-29T12:00:00.5Z"),
        Some(951_825_600_500_000_000)
    );
    assert_eq!(
        time("2026-11-20T18:53:24.107002333Z"),
        Some(1_795_200_804_107_002_333)
    );
    assert_eq!(time("1969-12-31T23:59:59Z"), Some(-1_000_000_000));
    for wrong in [
        "",
        "2026",
        "2026-11-20 18:53:24Z",
        "2026-11-20T18:53:24",
        "2026-11-20T18:53:24.Z",
        "2026-11-20T18:53:2xZ",
        "9999-99-99T99:99:99Z ",
    ] {
        assert_eq!(time(wrong), None, "{wrong}");
    }
}

/// Frames of `text`, one per line, each `time text`; given to the cursor; those that it lets through.
fn through(cursor: &mut Cursor, frames: &[(u64, &str)]) -> Vec<String> {
    frames
        .iter()
        .filter_map(|(ns, text)| {
            let bytes = format!("2026-01-02T03:04:05.{ns:09}Z {text}\n").into_bytes();
            let frame = Frame {
                stream: Stream::Stdout,
                bytes: &bytes,
            };
            cursor.take(&frame).map(|_| (*text).to_owned())
        })
        .collect()
}

#[test]
fn going_on_neither_repeats_nor_loses_a_line() {
    // Times out of order between the two streams, equal times, equal lines.
    let all = [
        (5, "a"),
        (9, "b"),
        (8, "c"),
        (8, "c"),
        (8, "c"),
        (9, "b"),
        (12, "d"),
        (12, "e"),
        (13, "f"),
    ];
    for seen in 1..all.len() {
        let mut cursor = Cursor::new(None);
        assert_eq!(cursor.ask_again(), None);
        assert_eq!(through(&mut cursor, &all[..seen]).len(), seen);
        let mut cursor = Cursor::new(cursor.position());
        assert_eq!(cursor.ask_again(), Some(1_767_323_045));
        let rest: Vec<_> = all[seen..]
            .iter()
            .map(|(_, text)| (*text).to_owned())
            .collect();
        assert_eq!(through(&mut cursor, &all), rest, "after {seen}");
    }
}

#[test]
fn going_on_does_not_wait_for_a_line_that_the_engine_has_deleted() {
    let mut cursor = Cursor::new(None);
    through(&mut cursor, &[(1, "a"), (2, "b")]);
    cursor.ask_again();
    assert_eq!(through(&mut cursor, &[(3, "c"), (4, "d")]), ["c", "d"]);
}

#[test]
fn names_are_chosen_by_globs() {
    let names = Names::new(&["web-*", "db"], &["web-test*"]).unwrap();
    let contained = ["web-1", "db", "db2", "web-test-1"].map(|name| names.contains(name));
    assert_eq!(contained, [true, true, false, false]);
    assert!(Names::default().contains("anything"));
    assert!(
        Names::new(&["{"], &[])
            .unwrap_err()
            .to_string()
            .contains("no valid glob")
    );
}

/// Answers as an engine does of which one container has just ended: the first request for its logs is ended before the line
/// that the container has printed, later ones give it.
fn engine_that_ends_a_follower_early() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked_for_logs = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let asked_for_logs = Arc::clone(&asked_for_logs);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                loop {
                    let mut request = String::new();
                    while !request.ends_with("\r\n\r\n") {
                        if reader.read_line(&mut request).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let path = request.split(' ').nth(1).unwrap();
                    let body = if path.ends_with("/version") {
                        br#"{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"}"#
                            .to_vec()
                    } else if path.contains("/logs?") {
                        match asked_for_logs.fetch_add(1, Ordering::SeqCst) {
                            0 => Vec::new(),
                            _ => framed(1, format!("{TIME}the last line\n").as_bytes()),
                        }
                    } else if path.contains("/containers/json") {
                        let state = match asked_for_logs.load(Ordering::SeqCst) {
                            0 => "running",
                            _ => "exited",
                        };
                        format!(
                            r#"[{{"Id":"c0ffee","Names":["/one"],"Image":"i","State":"{state}"}}]"#
                        )
                        .into_bytes()
                    } else {
                        b"{}".to_vec()
                    };
                    let endless = path.contains("/events");
                    let length = if endless { 1 << 20 } else { body.len() };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nApi-Version: 1.41\r\nContent-Length: {length}\r\n\r\n"
                    );
                    let stream = reader.get_mut();
                    let sent = stream.write_all(head.as_bytes());
                    if endless {
                        std::thread::park();
                    }
                    if sent.and_then(|()| stream.write_all(&body)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn the_last_line_of_a_container_comes_although_the_engine_ends_its_follower_before_it() {
    for start_at in [Start::All, Start::Tail(10)] {
        let config = Config {
            host: Host::Tcp(engine_that_ends_a_follower_early()),
            start_at,
            ..Config::default()
        };
        let (sender, messages) = sync_channel(16);
        let shutdown = Shutdown::new();
        let counters = Arc::new(Counters::default());
        let thread = spawn(config, sender, shutdown.clone(), counters).unwrap();
        let line = loop {
            let message = messages.recv_timeout(Duration::from_secs(40)).unwrap();
            if let Message::Record { bytes, .. } = message {
                break bytes;
            }
        };
        assert_eq!(line, format!("{TIME}the last line\n").into_bytes());
        shutdown.trigger();
        drop(messages);
        thread.join().unwrap();
    }
}

//! Bounds, waiting, and what is kept over a restart.

use logline::assemble::{Assembler, CARRIED, Limits, RestoreError, Span};
use logline::event::{Fragment, Stream};
use logline::time::Timestamp;

use super::{FREE, fragment, own, run, texts};

#[test]
fn a_snapshot_of_another_version_is_an_error() {
    let mut assembler = Assembler::new(FREE);
    let span = Span { start: 0, end: 1 };
    assembler.push(
        &fragment(Stream::Stdout, b"open", false),
        span,
        0,
        &mut |_| {},
    );
    let mut saved = Vec::new();
    assembler.snapshot(&mut saved);
    saved[0] += 1;
    assert_eq!(
        Assembler::restore(FREE, &saved, 0).err(),
        Some(RestoreError::Version(2))
    );
    assert!(!Assembler::restore(FREE, &[], 0).expect("none").has_open());
}

#[test]
fn waiting_starts_anew_after_a_restart() {
    let mut assembler = Assembler::new(FREE);
    let span = Span { start: 0, end: 1 };
    let piece = fragment(Stream::Stderr, b"half", true);
    assembler.push(&piece, span, 70_000, &mut |_| {});
    let mut saved = Vec::new();
    assembler.snapshot(&mut saved);
    let restored = Assembler::restore(FREE, &saved, 5).expect("a snapshot");
    assert_eq!(restored.deadline_ms(), Some(10_005));
}

#[test]
fn an_event_over_a_rotation_says_that_it_began_in_the_file_before() {
    let mut assembler = Assembler::new(FREE);
    let mut events = Vec::new();
    let mut push = |assembler: &mut Assembler, text: &[u8], partial, start| {
        let span = Span {
            start,
            end: start + 10,
        };
        let fragment = fragment(Stream::Stdout, text, partial);
        assembler.push(&fragment, span, 0, &mut |event| {
            events.push((event.text.to_vec(), event.start, event.end));
        });
    };
    push(&mut assembler, b"whole", false, 80);
    push(&mut assembler, b"one ", true, 90);
    assembler.mark_carried();
    assert!(assembler.open_from().is_some_and(|at| at & CARRIED != 0));
    let mut saved = Vec::new();
    assembler.snapshot(&mut saved);
    assert!(saved.len() < 60, "{}", saved.len());
    let mut assembler = Assembler::restore(FREE, &saved, 0).expect("a snapshot");
    push(&mut assembler, b"line", false, 0);
    push(&mut assembler, b"next", false, 10);
    assert_eq!(
        events,
        [
            (b"whole".to_vec(), CARRIED | 80, CARRIED | 90),
            (b"one line".to_vec(), CARRIED | 90, 10),
        ]
    );
}

#[test]
fn a_line_without_end_stays_within_its_bound() {
    let limits = Limits::default();
    let mut assembler = Assembler::new(limits);
    let piece = vec![b'x'; 16 * 1024];
    let mut events = Vec::new();
    for number in 0..6_400_u64 {
        let span = Span {
            start: number,
            end: number + 1,
        };
        assembler.push(
            &fragment(Stream::Stdout, &piece, true),
            span,
            0,
            &mut |event| events.push(own(event)),
        );
    }
    assert!(events.is_empty());
    assert_eq!(assembler.open_from(), Some(0));
    assembler.push(
        &fragment(Stream::Stdout, b"end", false),
        Span {
            start: 6_400,
            end: 6_401,
        },
        0,
        &mut |event| events.push(own(event)),
    );
    assembler.finish(&mut |event| events.push(own(event)));
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text.len(), limits.max_bytes);
    assert_eq!(
        events[0].cut,
        6_400 * 16 * 1024 + 3 - limits.max_bytes as u64
    );
    assert_eq!((events[0].start, events[0].end), (0, 6_401));
}

#[test]
fn a_piece_whose_rest_never_comes_leaves_after_the_wait_and_says_so() {
    for multiline in [true, false] {
        let mut assembler = Assembler::new(Limits {
            multiline,
            ..Limits::default()
        });
        let mut events = Vec::new();
        let span = Span { start: 40, end: 60 };
        assembler.push(
            &fragment(Stream::Stderr, b"half a li", true),
            span,
            7,
            &mut |event| events.push(own(event)),
        );
        assert_eq!(assembler.open_from(), Some(40));
        assert_eq!(assembler.deadline_ms(), Some(10_007));
        assembler.expire(10_006, &mut |event| events.push(own(event)));
        assert!(events.is_empty());
        assembler.expire(10_007, &mut |event| events.push(own(event)));
        assert_eq!(assembler.deadline_ms(), None);
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].text.as_slice(), events[0].partial),
            (b"half a li".as_slice(), true)
        );
        assert_eq!((events[0].start, events[0].end), (40, 60));
    }
}

#[test]
fn an_open_event_leaves_after_the_wait_with_what_was_held_behind_it() {
    let mut assembler = Assembler::new(Limits::default());
    let mut events = Vec::new();
    let lines: [&[u8]; 4] = [
        b"2026-03-14 09:26:53 ERROR gate",
        b"is stuck",
        b"",
        b"  in winter",
    ];
    for (number, line) in lines.iter().enumerate() {
        let span = Span {
            start: number as u64 * 10,
            end: number as u64 * 10 + 10,
        };
        assembler.push(
            &fragment(Stream::Stdout, line, false),
            span,
            100 * number as u64,
            &mut |event| events.push(own(event)),
        );
    }
    assembler.expire(1_299, &mut |event| events.push(own(event)));
    let before = events.len();
    assembler.expire(1_300, &mut |event| events.push(own(event)));
    assert!(events.len() > before);
    assert_eq!(
        texts(&events, Stream::Stdout).join(&b'\n'),
        lines.join(&b'\n')
    );
    assert_eq!(assembler.open_from(), None);
}

#[test]
fn an_event_that_keeps_growing_leaves_all_the_same() {
    let mut assembler = Assembler::new(Limits::default());
    let mut events = Vec::new();
    for number in 0..30_u64 {
        let now = number * 900;
        assembler.expire(now, &mut |event| events.push(own(event)));
        let line: &[u8] = if number == 0 { b"gate" } else { b"  drips" };
        assembler.push(
            &fragment(Stream::Stdout, line, false),
            Span::default(),
            now,
            &mut |event| events.push(own(event)),
        );
    }
    assert!((2..=4).contains(&events.len()), "{} events", events.len());
}

#[test]
fn lines_that_the_runtime_received_far_apart_are_not_joined_however_late_they_are_read() {
    let at = |second: i64| Some(Timestamp(second * 1_000_000_000));
    let mut events = Vec::new();
    let mut assembler = Assembler::new(Limits::default());
    for (second, line) in [
        (10, "gate"),
        (11, "  slowly"),
        (13, "  too late"),
        (12, "  a clock set back"),
    ] {
        let fragment = Fragment {
            cut_bytes: 0,
            timestamp: at(second),
            ..fragment(Stream::Stdout, line.as_bytes(), false)
        };
        assembler.push(&fragment, Span::default(), 0, &mut |event| {
            events.push(own(event));
        });
    }
    assembler.finish(&mut |event| events.push(own(event)));
    assert_eq!(
        texts(&events, Stream::Stdout),
        [
            b"gate\n  slowly".as_slice(),
            b"  too late\n  a clock set back"
        ]
    );
}

#[test]
fn a_line_is_not_cut_inside_a_character() {
    let limits = Limits {
        max_bytes: 5,
        ..FREE
    };
    let events = run(
        limits,
        &[fragment(Stream::Stdout, "ab\u{1F69A}c".as_bytes(), false)],
    );
    assert_eq!(
        (events[0].text.as_slice(), events[0].cut),
        (b"ab".as_slice(), 5)
    );
}

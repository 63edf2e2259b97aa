//! What holds for any lines, cut and interrupted anywhere.

use logline::assemble::{Assembler, Limits, Span};
use logline::event::{Fragment, Stream};
use logline::time::Timestamp;
use proptest::prelude::*;

use super::{FREE, fragment, own, run, texts};

/// Lines that mean something to the joins, so that random sequences of them reach every state.
const LINES: &[&str] = &[
    "",
    "   ",
    "gate 1 open",
    "2026-03-14 09:26:53 INFO gate 1",
    "2026-03-14 09:26:53 ERROR gate 1",
    "ERROR: gate",
    "{\"level\":\"info\"}",
    "level=info msg=x",
    "10.0.0.7 - - [14/Mar/2026:09:26:53 +0000] \"GET / HTTP/1.1\" 200 1",
    "Traceback (most recent call last):",
    "  File \"a.py\", line 1",
    "    x = 1",
    "    ^^^^^",
    "ValueError: x",
    "\"\"\"",
    "During handling of the above exception, another exception occurred:",
    "  + Exception Group Traceback (most recent call last):",
    "java.lang.RuntimeException: x",
    "\tat a.B.c(B.java:1)",
    "Caused by: a.B: x",
    "\t... 2 more",
    "panic: x",
    "fatal error: x",
    "runtime: x",
    "goroutine 1 [running]:",
    "main.main()",
    "main.main",
    "\t/a/b.go:1 +0x1",
    "rax    0x0",
    "exit status 2",
    "/app/x.js:1",
    "^",
    "Node.js v20",
    "Error: x {",
    "}",
    "{",
    "\"a\": 1",
    "<a>",
    "<b/>",
    "</a>",
    "thread 'main' panicked at a.rs:1:1:",
    "note: x",
    "stack backtrace:",
    "   1: a::b",
    "10: a",
    "PHP Fatal error:  Uncaught X: y in /a:1",
    "Stack trace:",
    "#0 /a(1): b()",
    "# x",
    "Next XError: y in /a:1",
    "** (X) y",
    "State: x",
    "/a.rb:1:in `b': c (DError)",
    "/a.rb:1:in `b'",
    "Full thread dump x:",
    "\"main\" #1 prio=5 tid=0x1",
    "word",
    "DETAIL:  x",
    "| a |",
    "+---+",
    "==7==x",
    "SEVERE: x",
    "Mar 14, 2026 9:26:53 AM a.B c",
    "2026-03-14 09:26:53 INFO R : ",
    "Unhandled exception:",
    "10 gates",
];

fn lines() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let known = (0..LINES.len()).prop_map(|at| LINES[at].as_bytes().to_vec());
    let random = proptest::collection::vec(
        any::<u8>().prop_filter("one line", |byte| *byte != b'\n'),
        0..12,
    );
    proptest::collection::vec((any::<bool>(), prop_oneof![9 => known, 1 => random]), 0..60)
}

fn stream(second: bool) -> Stream {
    if second {
        Stream::Stderr
    } else {
        Stream::Stdout
    }
}

fn whole(lines: &[(bool, Vec<u8>)]) -> Vec<Fragment<'_>> {
    lines
        .iter()
        .map(|(second, text)| fragment(stream(*second), text, false))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_reordered(lines in lines(), multiline in any::<bool>()) {
        let events = run(Limits { multiline, ..FREE }, &whole(&lines));
        for second in [false, true] {
            let wanted: Vec<&[u8]> = lines.iter().filter(|line| line.0 == second).map(|line| line.1.as_slice()).collect();
            let got = texts(&events, stream(second));
            prop_assert_eq!(got.is_empty(), wanted.is_empty());
            prop_assert_eq!(got.join(&b'\n'), wanted.join(&b'\n'));
        }
        for event in &events {
            prop_assert_eq!(event.lines as usize, event.text.split(|byte| *byte == b'\n').count());
            prop_assert!(multiline || event.lines == 1);
            prop_assert!(event.start < event.end && !event.partial && event.cut == 0);
        }
        prop_assert_eq!(events.iter().map(|event| event.lines as usize).sum::<usize>(), lines.len());
    }

    #[test]
    fn pieces_at_any_points_make_the_same_events(lines in lines(), cuts in proptest::collection::vec(0_usize..12, 0..200)) {
        let mut cuts = cuts.into_iter();
        let mut pieces = Vec::new();
        for (second, text) in &lines {
            let mut rest = text.as_slice();
            for at in cuts.by_ref().take_while(|at| *at > 0) {
                let (piece, after) = rest.split_at(at.min(rest.len()));
                pieces.push(fragment(stream(*second), piece, true));
                rest = after;
            }
            pieces.push(fragment(stream(*second), rest, false));
        }
        let strip = |text: &[u8]| text.strip_suffix(b"\r").unwrap_or(text).to_vec();
        let plain: Vec<_> = lines.iter().map(|(second, text)| (*second, strip(text))).collect();
        prop_assume!(plain == lines);
        let (wanted, got) = (run(FREE, &whole(&lines)), run(FREE, &pieces));
        for stream in [Stream::Stdout, Stream::Stderr] {
            prop_assert_eq!(texts(&got, stream), texts(&wanted, stream));
        }
    }

    #[test]
    fn the_streams_do_not_touch_each_other(lines in lines()) {
        let both = run(FREE, &whole(&lines));
        for second in [false, true] {
            let mut alone = lines.clone();
            alone.retain(|line| line.0 == second);
            let alone = run(FREE, &whole(&alone));
            prop_assert_eq!(texts(&both, stream(second)), texts(&alone, stream(second)));
        }
    }

    #[test]
    fn the_clock_does_not_matter_while_nothing_expires(lines in lines(), steps in proptest::collection::vec(0_u64..1_000, 60)) {
        let wanted = run(FREE, &whole(&lines));
        let mut got = Vec::new();
        let mut assembler = Assembler::new(FREE);
        let mut now = 5;
        for (number, (fragment, step)) in whole(&lines).iter().zip(steps).enumerate() {
            now += step;
            let span = Span { start: number as u64, end: number as u64 + 1 };
            assembler.push(fragment, span, now, &mut |event| got.push(own(event)));
        }
        assembler.finish(&mut |event| got.push(own(event)));
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn the_caps_hold_and_no_line_is_lost(lines in lines(), max_bytes in 0_usize..40, max_lines in 0_u32..6) {
        let limits = Limits { max_bytes, max_lines, ..FREE };
        let events = run(limits, &whole(&lines));
        for event in &events {
            prop_assert!(event.text.len() <= max_bytes && event.lines <= max_lines.max(1));
        }
        prop_assert_eq!(events.iter().map(|event| event.lines as usize).sum::<usize>(), lines.len());
        let kept: usize = events.iter().map(|event| event.text.len() + 1).sum();
        let cut: u64 = events.iter().map(|event| event.cut).sum();
        let entered: usize = lines.iter().map(|line| line.1.len() + 1).sum();
        prop_assert_eq!(kept as u64 + cut, entered as u64);
    }

    #[test]
    fn a_reader_that_starts_again_at_the_open_position_misses_nothing(lines in lines(), stop in 0_usize..60) {
        let lines: Vec<_> = lines.into_iter().map(|line| (false, line.1)).collect();
        let fragments = whole(&lines);
        let stop = stop.min(fragments.len());
        let mut events = Vec::new();
        let mut assembler = Assembler::new(FREE);
        for (number, fragment) in fragments[..stop].iter().enumerate() {
            let span = Span { start: number as u64, end: number as u64 + 1 };
            assembler.push(fragment, span, 0, &mut |event| events.push(own(event)));
        }
        let from = assembler.open_from().map_or(stop, |at| at as usize);
        events.extend(run(FREE, &fragments[from..]));
        let wanted: Vec<&[u8]> = lines.iter().map(|line| line.1.as_slice()).collect();
        prop_assert_eq!(texts(&events, Stream::Stdout).join(&b'\n'), wanted.join(&b'\n'));
        let whole_run = run(FREE, &fragments);
        prop_assert_eq!(texts(&events, Stream::Stdout), texts(&whole_run, Stream::Stdout));
    }

    #[test]
    fn a_restart_at_any_point_makes_the_same_events(
        lines in lines(),
        pieces in proptest::collection::vec((0_usize..12, -2_000..2_000_i64), 60),
        stop in 0_usize..90,
        tight in any::<bool>(),
    ) {
        let limits = Limits { max_bytes: 40, max_lines: 6, ..FREE };
        let limits = if tight { limits } else { FREE };
        let mut fragments = Vec::new();
        let mut time_ms = 1_800_000_000_000_i64;
        for ((second, text), (cut, step_ms)) in lines.iter().zip(&pieces) {
            time_ms += step_ms.max(&0);
            let timestamp = (*step_ms > -1_000).then_some(Timestamp(time_ms * 1_000_000));
            let (first, rest) = text.split_at((*cut).min(text.len()));
            let piece = |text, partial| Fragment { timestamp, ..fragment(stream(*second), text, partial) };
            if !first.is_empty() {
                fragments.push(piece(first, true));
            }
            fragments.push(piece(rest, false));
        }
        let stop = stop.min(fragments.len());
        let run = |restart: bool| {
            let mut events = Vec::new();
            let mut assembler = Assembler::new(limits);
            for (number, fragment) in fragments.iter().enumerate() {
                if restart && number == stop {
                    let mut saved = Vec::new();
                    assembler.snapshot(&mut saved);
                    assert_eq!(saved.is_empty(), !assembler.has_open());
                    assembler = Assembler::restore(limits, &saved, 0).expect("a snapshot");
                    let mut again = Vec::new();
                    assembler.snapshot(&mut again);
                    assert_eq!(again, saved);
                    // A byte more, a byte less.
                    if let Some(less) = saved.len().checked_sub(1).filter(|less| *less > 0) {
                        assert!(Assembler::restore(limits, &saved[..less], 0).is_err());
                        saved.push(0);
                        assert!(Assembler::restore(limits, &saved, 0).is_err());
                    }
                }
                let span = Span { start: number as u64, end: number as u64 + 1 };
                assembler.push(fragment, span, 0, &mut |event| events.push((event.timestamp, own(event))));
            }
            assembler.finish(&mut |event| events.push((event.timestamp, own(event))));
            events
        };
        prop_assert_eq!(run(true), run(false));
    }

    #[test]
    fn damaged_snapshots_are_errors_or_harmless(
        lines in lines(),
        noise in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        arbitrary in proptest::collection::vec(any::<u8>(), 0..80),
        limits in (0_usize..100, any::<bool>()),
    ) {
        let mut assembler = Assembler::new(FREE);
        for (number, fragment) in whole(&lines).iter().enumerate() {
            let span = Span { start: number as u64, end: number as u64 + 1 };
            assembler.push(fragment, span, 0, &mut |_| {});
        }
        let mut saved = Vec::new();
        assembler.snapshot(&mut saved);
        for (at, byte) in &noise {
            if !saved.is_empty() {
                let at = at.index(saved.len());
                saved[at] = *byte;
            }
        }
        let limits = Limits { max_bytes: limits.0, multiline: limits.1, ..FREE };
        let headed: Vec<u8> = [1, arbitrary.first().copied().unwrap_or(0) & 15].into_iter().chain(arbitrary.clone()).collect();
        for bytes in [&saved, &arbitrary, &headed] {
            if let Ok(mut assembler) = Assembler::restore(limits, bytes, 0) {
                assembler.mark_carried();
                for fragment in whole(&lines) {
                    assembler.push(&fragment, Span { start: 0, end: 1 }, 0, &mut |_| {});
                }
                assembler.finish(&mut |_| {});
            }
        }
    }
}

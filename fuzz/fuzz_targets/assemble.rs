//! Lines of both streams, cut into pieces anywhere: every line leaves in exactly one event of its stream, in order, and the
//! events are the same however the lines were cut. Bounds hold, and what they cut is counted.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use logline::assemble::{Assembler, Limits, Span};
use logline::event::{EventRef, Fragment, Stream};

#[derive(Clone, Debug, PartialEq)]
struct Event {
    stream: Stream,
    text: Vec<u8>,
    lines: u32,
    cut: u64,
}

/// One line: its stream, its text, and where it is cut.
type Line<'a> = (Stream, &'a [u8], usize);

fuzz_target!(|input: &[u8]| {
    let Some((options, body)) = input.split_first() else {
        return;
    };
    // The first byte of each line says which stream it is of, and where it is cut.
    let lines: Vec<Line<'_>> = body
        .split(|byte| *byte == b'\n')
        // Decoding takes it off the end of a line, and the assembler off the end of joined pieces.
        .map(|line| {
            &line[..line
                .iter()
                .rposition(|byte| *byte != b'\r')
                .map_or(0, |at| at + 1)]
        })
        .map(|line| match line.split_first() {
            Some((first @ 0x80.., rest)) => (Stream::Stderr, rest, usize::from(first & 0x7f)),
            Some((first @ ..0x20, rest)) if *first != b'\t' => {
                (Stream::Stdout, rest, usize::from(*first))
            }
            _ => (Stream::Stdout, line, usize::MAX),
        })
        .collect();
    let roomy = Limits {
        multiline: options & 1 == 0,
        ..Limits::default()
    };
    let whole = assemble(&lines, roomy, false);
    nothing_lost(&lines, &whole);
    assert_eq!(
        assemble(&lines, roomy, true),
        whole,
        "a split line is the line"
    );
    let tight = Limits {
        max_bytes: 256,
        max_lines: 4,
        ..roomy
    };
    bounded(&lines, &assemble(&lines, tight, options & 2 == 0), tight);
});

fn assemble(lines: &[Line<'_>], limits: Limits, cut: bool) -> Vec<Event> {
    let mut assembler = Assembler::new(limits);
    let mut events = Vec::new();
    let mut position = 0;
    let mut emit = |event: EventRef<'_>| {
        assert!(event.start < event.end && event.lines >= 1);
        assert!(event.text.len() <= limits.max_bytes);
        events.push(Event {
            stream: event.stream,
            text: event.text.to_vec(),
            lines: event.lines,
            cut: event.cut_bytes,
        });
    };
    for (stream, text, at) in lines {
        let at = if cut { (*at).min(text.len()) } else { 0 };
        let pieces: &[(&[u8], bool)] = if at > 0 {
            &[(&text[..at], true), (&text[at..], false)]
        } else {
            &[(text, false)]
        };
        for (text, partial) in pieces {
            let span = Span {
                start: position,
                end: position + text.len() as u64 + 1,
            };
            position = span.end;
            let fragment = Fragment {
                timestamp: None,
                stream: *stream,
                partial: *partial,
                text: Cow::Borrowed(text),
                cut_bytes: 0,
            };
            assembler.push(&fragment, span, 0, &mut emit);
        }
    }
    assembler.finish(&mut emit);
    assert_eq!(assembler.deadline_ms(), None, "nothing is open at the end");
    assembler.finish(&mut |event| panic!("an event after the end: {event:?}"));
    // Streams are kept apart; between them the order is nobody's promise.
    events.sort_by_key(|event| event.stream);
    events
}

fn nothing_lost(lines: &[Line<'_>], events: &[Event]) {
    for stream in [Stream::Stdout, Stream::Stderr] {
        let want: Vec<&[u8]> = lines
            .iter()
            .filter(|line| line.0 == stream)
            .map(|line| line.1)
            .collect();
        let mine = || events.iter().filter(|event| event.stream == stream);
        let got: Vec<&[u8]> = mine()
            .flat_map(|event| event.text.split(|byte| *byte == b'\n'))
            .collect();
        assert_eq!(got, want, "{stream:?}");
        assert_eq!(
            mine().map(|event| event.lines as usize).sum::<usize>(),
            want.len()
        );
        assert!(mine().all(|event| event.cut == 0));
    }
}

fn bounded(lines: &[Line<'_>], events: &[Event], limits: Limits) {
    for event in events {
        assert!(event.lines <= limits.max_lines, "{event:?}");
    }
    let total: usize = lines.iter().map(|line| line.1.len()).sum();
    let kept: usize = events
        .iter()
        .map(|event| event.text.len() + 1 - event.lines as usize)
        .sum();
    let cut: u64 = events.iter().map(|event| event.cut).sum();
    assert_eq!(
        kept as u64 + cut,
        total as u64,
        "every byte is kept or counted as cut"
    );
    assert_eq!(
        events
            .iter()
            .map(|event| event.lines as usize)
            .sum::<usize>(),
        lines.len()
    );
}

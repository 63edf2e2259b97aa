//! Any text: never a panic; what the header says it found stands in the text, and the same text gives the same header.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use logline::header::{self, Format};
use logline::level;
use logline::time::{TimeContext, Timestamp};

fuzz_target!(|input: &[u8]| {
    // An event's text has no line ending at its end.
    let end = input
        .iter()
        .rposition(|byte| !b"\r\n".contains(byte))
        .map_or(0, |at| at + 1);
    let text = &input[..end];
    let context = TimeContext {
        reference: Some(Timestamp(1_772_359_200_000_000_000)),
        utc_offset_s: 3_600,
    };
    let header = header::parse(text, &context);
    assert_eq!(header, header::parse(text, &context));
    let inside = |part: &[u8]| {
        let (start, whole) = (part.as_ptr() as usize, text.as_ptr() as usize);
        part.is_empty() || start >= whole && start + part.len() <= whole + text.len()
    };
    for part in [
        Some(&header.message),
        header.logger.as_ref(),
        header.error.as_ref(),
    ]
    .into_iter()
    .flatten()
    {
        match part {
            // The kernel's own lines do not name it.
            Cow::Borrowed(part) => assert!(inside(part) || *part == b"kernel"),
            Cow::Owned(part) => assert!(
                part.len() <= text.len(),
                "unescaping does not make text longer"
            ),
        }
    }
    assert!(header.pid.is_none_or(inside));
    if header.format == Format::Plain {
        // What a terminal would not show (returns at the head, colours) is left out; nothing is at the end.
        let whole = matches!(&header.message, Cow::Borrowed(message) if text.ends_with(message));
        assert!(whole || text.contains(&0x1b));
    }
    let of_text = level::of(&header, text);
    if let Some(stated) = header.level {
        // It may count for more (PostgreSQL puts failures under `LOG`), never for less.
        assert!(of_text >= Some(stated), "{of_text:?} for {stated:?}");
    }
});

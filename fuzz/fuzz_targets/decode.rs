//! Any bytes under any wrapper: never a panic; what is wrapped comes out as it went in; a line that does not decode is not lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logline::decode::{Wrapper, decode};
use logline::event::Stream;

const WRAPPERS: [Wrapper; 6] = [
    Wrapper::Auto,
    Wrapper::Cri,
    Wrapper::DockerJson,
    Wrapper::DockerApi(Stream::Stdout),
    Wrapper::DockerApi(Stream::Stderr),
    Wrapper::Plain,
];

fuzz_target!(|input: &[u8]| {
    let line: Vec<u8> = input
        .iter()
        .copied()
        .filter(|byte| *byte != b'\n')
        .collect();
    hostile(&line);
    wrapped(&line);
});

/// The line as it is, under every wrapper.
fn hostile(line: &[u8]) {
    let unmarked = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let bare = unmarked.strip_suffix(b"\r").unwrap_or(unmarked);
    for wrapper in WRAPPERS {
        let (fragment, malformed) = decode(line, wrapper);
        // An escape is longer than what it stands for, except U+FFFD (3 bytes) for \uXXXX (6).
        assert!(
            fragment.text.len() <= line.len(),
            "{wrapper:?} makes bytes up"
        );
        if malformed.is_some() {
            // Without its line ending the engine's frame is a piece, whatever is wrong with its time; a piece's `\r` is text.
            let is_piece = matches!(wrapper, Wrapper::DockerApi(_));
            let whole = if is_piece { unmarked } else { bare };
            assert_eq!(
                &*fragment.text, whole,
                "{wrapper:?}: a line that does not decode comes back whole"
            );
            assert_eq!(fragment.partial, is_piece, "{wrapper:?}");
        }
        assert_eq!(
            decode(line, wrapper),
            (fragment, malformed),
            "{wrapper:?} is a function of the line"
        );
    }
}

/// The line inside each wrapper.
fn wrapped(text: &[u8]) {
    let whole = text.strip_suffix(b"\r").unwrap_or(text);
    for (tag, partial) in [("F", false), ("P", true)] {
        let cri = [
            b"2026-03-01T10:00:00.123456789Z stderr ",
            tag.as_bytes(),
            b" ",
            text,
        ]
        .concat();
        for wrapper in [Wrapper::Cri, Wrapper::Auto] {
            let (fragment, malformed) = decode(&cri, wrapper);
            assert_eq!(malformed, None);
            assert_eq!(
                (fragment.stream, fragment.partial),
                (Stream::Stderr, partial)
            );
            assert_eq!(
                &*fragment.text,
                if partial { text } else { whole },
                "{wrapper:?}"
            );
        }
    }
    for (end, partial) in [("\\n", false), ("", true)] {
        let json = [
            b"{\"log\":\"",
            &*escaped(text),
            end.as_bytes(),
            b"\",\"stream\":\"stderr\",\"time\":\"2026-03-01T10:00:00.5Z\"}",
        ]
        .concat();
        for wrapper in [Wrapper::DockerJson, Wrapper::Auto] {
            let (fragment, malformed) = decode(&json, wrapper);
            assert_eq!(malformed, None);
            assert_eq!(
                (fragment.stream, fragment.partial),
                (Stream::Stderr, partial)
            );
            assert_eq!(
                &*fragment.text,
                if partial { text } else { whole },
                "{wrapper:?}"
            );
        }
    }
    let frame = [b"2026-03-01T10:00:00.5Z ", text, b"\n"].concat();
    let (fragment, malformed) = decode(&frame, Wrapper::DockerApi(Stream::Stderr));
    assert_eq!(
        (malformed, fragment.stream, fragment.partial),
        (None, Stream::Stderr, false)
    );
    assert_eq!(&*fragment.text, whole);
}

/// Escaped as Docker writes it, but for bytes that are not UTF-8, which are left as they are.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..=0x1f | b'<' | b'>' | b'&' => out.extend(format!("\\u{byte:04x}").into_bytes()),
            _ => out.push(*byte),
        }
    }
    out
}

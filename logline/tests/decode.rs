//! Taking wrappers off lines, from outside.
//!
//! `golden/decode/*.txt` hold one case per paragraph: the wrapper that is declared, the line, what comes out (stream, piece or
//! whole, nanoseconds since 1970 or `-`, the reason or `-`) and the text. Bytes that cannot be shown stand as `%XX`.

use logline::decode::{Malformed, Wrapper, decode};
use logline::event::Stream;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::Path;

fn bytes(shown: &str) -> Vec<u8> {
    let mut parts = shown.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(&part[..2], 16).unwrap_or_else(|_| unreachable!("%{part}")));
        out.extend_from_slice(&part.as_bytes()[2..]);
    }
    out
}

fn wrapper(name: &str) -> Wrapper {
    match name {
        "auto" => Wrapper::Auto,
        "cri" => Wrapper::Cri,
        "docker-json" => Wrapper::DockerJson,
        "docker-api-stdout" => Wrapper::DockerApi(Stream::Stdout),
        "docker-api-stderr" => Wrapper::DockerApi(Stream::Stderr),
        "plain" => Wrapper::Plain,
        _ => unreachable!("wrapper {name}"),
    }
}

#[test]
fn golden_cases_decode_as_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/decode");
    let mut cases = 0;
    let mut wrong = String::new();
    for entry in std::fs::read_dir(directory).expect("the golden directory") {
        let text =
            std::fs::read_to_string(entry.expect("an entry").path()).expect("a file of cases");
        for case in text.split("\n\n") {
            let mut field = case.trim_end_matches('\n').lines();
            let name = field.next().expect("a name");
            let mut next = |key: &str| {
                field
                    .next()
                    .and_then(|line| line.strip_prefix(key))
                    .expect(key)
                    .get(1..)
                    .unwrap_or_default()
            };
            let wrapper = wrapper(next("wrapper"));
            let line = bytes(next("in     "));
            let wanted = (next("out    ").to_owned(), bytes(next("text   ")));
            let (fragment, why) = decode(&line, wrapper);
            let got = format!(
                "{} {} {} {}",
                fragment.stream.as_str(),
                if fragment.partial { "piece" } else { "whole" },
                fragment
                    .timestamp
                    .map_or_else(|| "-".to_owned(), |time| time.0.to_string()),
                why.map_or("-", Malformed::as_str),
            );
            if (&got, fragment.text.as_ref()) != (&wanted.0, wanted.1.as_slice()) {
                let text = String::from_utf8_lossy(&fragment.text);
                let _ = writeln!(
                    wrong,
                    "{name}\n  wanted {wanted:?}\n  got    {got:?} {text:?}"
                );
            }
            cases += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(cases >= 100, "only {cases} cases");
}

/// What Docker's encoder writes for a text: the short escapes, markup and line separators as `\u`, bytes that are not UTF-8 replaced.
fn docker_json(text: &[u8], stream: Stream, time: &str) -> (Vec<u8>, Vec<u8>) {
    let text = String::from_utf8_lossy(text);
    let mut log = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => log.extend(['\\', c]),
            '\n' => log.push_str("\\n"),
            '\r' => log.push_str("\\r"),
            '\t' => log.push_str("\\t"),
            c if c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(log, "\\u{:04x}", u32::from(c));
            }
            // Other encoders write everything outside ASCII so, in pairs where needed.
            c if u32::from(c) % 3 == 0 && !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(log, "\\u{unit:04X}");
                }
            }
            c => log.push(c),
        }
    }
    let line = format!(
        r#"{{"log":"{log}","stream":"{}","time":"{time}"}}"#,
        stream.as_str()
    );
    (line.into_bytes(), text.into_owned().into_bytes())
}

fn streams() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)]
}

fn wrappers() -> impl Strategy<Value = Wrapper> {
    prop_oneof![
        Just(Wrapper::Auto),
        Just(Wrapper::Cri),
        Just(Wrapper::DockerJson),
        streams().prop_map(Wrapper::DockerApi),
        Just(Wrapper::Plain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_come_back_whole_or_decoded(line in proptest::collection::vec(any::<u8>(), 0..200), wrapper in wrappers()) {
        let (fragment, why) = decode(&line, wrapper);
        if why.is_some() {
            let text = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line);
            let text = match wrapper {
                Wrapper::DockerApi(_) => text.strip_suffix(b"\n").map_or(text, |line| line.strip_suffix(b"\r").unwrap_or(line)),
                _ => text.strip_suffix(b"\r").unwrap_or(text),
            };
            prop_assert_eq!(fragment.text.as_ref(), text);
        }
    }

    #[test]
    fn a_damaged_wrapper_never_panics(
        text in "[ -~\u{e9}\u{1F69A}\n\t\u{0}]{0,40}",
        cut in 0_usize..200,
        at in 0_usize..200,
        byte in any::<u8>(),
        wrapper in wrappers(),
    ) {
        let (json, _) = docker_json(text.as_bytes(), Stream::Stdout, "2026-03-14T09:26:53.589793238Z");
        let cri = format!("2026-03-14T09:26:53.589793238Z stdout F {text}").into_bytes();
        for mut line in [json, cri] {
            line.truncate(line.len().min(cut));
            if let Some(place) = line.get_mut(at) {
                *place = byte;
            }
            let _ = decode(&line, wrapper);
        }
    }

    #[test]
    fn cri_round_trips(text in proptest::collection::vec(any::<u8>(), 0..100), stream in streams(), partial in any::<bool>(), ns in 0_u32..1_000_000_000) {
        let mut text = text;
        text.retain(|byte| *byte != b'\n');
        while text.last() == Some(&b'\r') {
            text.pop();
        }
        let tag = if partial { 'P' } else { 'F' };
        let mut line = format!("2026-03-14T09:26:53.{ns:09}Z {} {tag} ", stream.as_str()).into_bytes();
        line.extend_from_slice(&text);
        for wrapper in [Wrapper::Cri, Wrapper::Auto] {
            let (fragment, why) = decode(&line, wrapper);
            prop_assert_eq!(why, None);
            prop_assert_eq!(fragment.text.as_ref(), text.as_slice());
            prop_assert_eq!((fragment.stream, fragment.partial), (stream, partial));
            prop_assert_eq!(fragment.timestamp.map(|time| time.0 % 1_000_000_000), Some(i64::from(ns)));
        }
    }

    #[test]
    fn docker_json_round_trips(text in proptest::collection::vec(any::<u8>(), 0..100), stream in streams(), partial in any::<bool>()) {
        let mut text = text;
        text.retain(|byte| *byte != b'\n');
        while text.last() == Some(&b'\r') {
            text.pop();
        }
        let mut written = text.clone();
        if !partial {
            written.push(b'\n');
        }
        let (line, _) = docker_json(&written, stream, "2026-03-14T09:26:53.589793238Z");
        let wanted = String::from_utf8_lossy(&text).into_owned().into_bytes();
        for wrapper in [Wrapper::DockerJson, Wrapper::Auto] {
            let (fragment, why) = decode(&line, wrapper);
            prop_assert_eq!(why, None);
            prop_assert_eq!(fragment.text.as_ref(), wanted.as_slice());
            prop_assert_eq!((fragment.stream, fragment.partial), (stream, partial));
            prop_assert_eq!(fragment.timestamp.map(|time| time.0), Some(1_773_480_413_589_793_238));
        }
    }
}

#[test]
fn every_reason_has_its_own_name() {
    let mut names: Vec<_> = Malformed::ALL.iter().map(|why| why.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Malformed::ALL.len());
}

#[test]
fn a_long_line_of_backslashes_or_brackets_is_read_once() {
    for filler in [b'\\', b'[', b'{', b'"'] {
        let mut line = b"{\"x\":".to_vec();
        line.resize(1 << 20, filler);
        let (fragment, why) = decode(&line, Wrapper::DockerJson);
        assert!(why.is_some());
        assert_eq!(fragment.text.len(), line.len());
    }
}

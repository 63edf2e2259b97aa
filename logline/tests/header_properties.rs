//! What must hold of header, level and time for any bytes whatever.

use std::borrow::Cow;

use logline::{
    header::{self, Header},
    level,
    time::{self, TimeContext, Timestamp},
};
use proptest::prelude::*;

/// 2026-11-20T22:00:00Z
const NOW: TimeContext = TimeContext {
    reference: Some(Timestamp(1_795_212_000_000_000_000)),
    utc_offset_s: 0,
};

fn lies_within(part: &[u8], text: &[u8]) -> bool {
    let (start, end) = (text.as_ptr() as usize, text.as_ptr() as usize + text.len());
    let at = part.as_ptr() as usize;
    part.is_empty() || at >= start && at + part.len() <= end
}

fn check(text: &[u8]) {
    let header = header::parse(text, &NOW);
    let borrowed = |c: &Cow<'_, [u8]>| matches!(c, Cow::Owned(_)) || lies_within(c, text);
    assert!(borrowed(&header.message));
    assert!(header.logger.as_ref().is_none_or(borrowed));
    assert!(header.error.as_ref().is_none_or(borrowed));
    for part in [header.pid, header.host, header.request]
        .into_iter()
        .flatten()
    {
        assert!(lies_within(part, text));
    }
    let again: Header<'_> = header::parse(text, &NOW);
    assert_eq!(header, again);
    assert_eq!(
        level::of(&header, &header.message),
        level::of(&again, &again.message)
    );
}

/// Pieces that heads are made of: their random sequences reach far deeper than random bytes do.
const PIECES: &[&str] = &[
    "2026-11-20T17:01:07.123Z",
    "2026-11-20 17:01:07,123",
    "Nov 20 17:01:07",
    "17:01:07",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "<34>",
    "1 ",
    "INFO",
    "warn",
    "Error",
    "E",
    " ",
    "  ",
    "\t",
    ":",
    ": ",
    " - ",
    "|",
    "---",
    "#",
    "*",
    "{",
    "}",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud83d",
    "\"msg\":",
    "\"level\":",
    "\"time\":",
    "\"log\":{",
    "30",
    ",",
    "level=info",
    "msg=\"",
    "ts=",
    "=",
    "a.b.C",
    "main.go:12",
    "host",
    "sshd[1]",
    "1234",
    "31#31:",
    "\u{1b}[32m",
    "\u{1b}[0m",
    "\u{feff}",
    "\r",
    "\n",
    "\tat a.b(C.java:1)",
    "req-1",
    "-",
    "20/Nov/2026:17:01:07 +0000",
    "\" 500 ",
    "HTTP/1.1",
    "no",
    "errors",
    "failed",
    "0",
    "can't",
    "é",
    "1795193486",
    "6b007dc4.0c3cfcb5 0x7f ",
    "I1120 17:01:07.123456",
    "kid1|",
    "pid 12",
    "LOG:  ",
    "28:M ",
    "03-17 16:13:38.811  1  2 D T: ",
    "2005.06.03 ",
    "RAS K INFO ",
    "I, [",
    "info: A[0]",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_taken_apart_within_themselves(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&text);
    }

    #[test]
    fn any_sequence_of_head_pieces_is_taken_apart_within_itself(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..16),
    ) {
        check(pieces.concat().as_bytes());
    }

    #[test]
    fn a_head_cut_anywhere_is_still_read(line in 0..LINES.len(), cut in 0_usize..200) {
        let text = LINES[line].as_bytes();
        check(&text[..cut.min(text.len())]);
    }

    #[test]
    fn rfc3339_is_read_as_it_was_written(nanos in 0_i64..=1_795_212_000_000_000_000, digits in 0_u32..4) {
        let unit = 1_000_i64.pow(3 - digits);
        let at = Timestamp(nanos / unit * unit);
        let mut text = Vec::new();
        at.write_rfc3339(&mut text);
        prop_assert_eq!(time::parse(&text, &NOW), Some(at));
        let mut again = Vec::new();
        time::parse(&text, &NOW).unwrap_or(Timestamp(0)).write_rfc3339(&mut again);
        prop_assert_eq!(again, text);
    }

    #[test]
    fn any_bytes_are_a_time_within_reason_or_none(text in "[0-9A-Za-z:., /+-]{0,40}") {
        if let Some(parsed) = time::parse_prefix(text.as_bytes(), &NOW) {
            prop_assert!(parsed.len <= text.len());
            if let Some(at) = parsed.at {
                prop_assert!(at.0 >= 0 && at.0 <= 1_795_212_000_000_000_000 + 86_400_000_000_000);
            }
        }
        let _ = time::parse(text.as_bytes(), &TimeContext::default());
    }
}

#[test]
fn what_is_said_later_changes_nothing_of_the_head() {
    for line in LINES.iter().filter(|line| !line.starts_with('{')) {
        let long = format!("{line} {}", "[error] failed: x=1 (a.b.C) ".repeat(4_000));
        let (short, long) = (
            header::parse(line.as_bytes(), &NOW),
            header::parse(long.as_bytes(), &NOW),
        );
        assert_eq!(short.format, long.format, "{line}");
        assert_eq!(short.timestamp, long.timestamp, "{line}");
        assert_eq!(short.level, long.level, "{line}");
        assert_eq!(short.pid, long.pid, "{line}");
    }
}

#[test]
fn a_level_is_told_by_the_first_two_kibibytes() {
    let quiet = "all is well here ".repeat(200);
    let late = format!("{quiet} and then it failed with an error");
    assert!(quiet.len() > 2048);
    let told = |text: &str| level::of(&header::parse(text.as_bytes(), &NOW), text.as_bytes());
    assert_eq!(told(&late), None);
    assert_eq!(
        told("all is well here and then it failed with an error"),
        Some(level::Level::Error)
    );
}

/// One line of most readers, to be cut.
const LINES: &[&str] = &[
    r#"{"level":"warn","ts":1795193486.5,"logger":"a","msg":"x\ty","error":{"message":"m"},"log":{"level":"error"},"n":[1,{"a":"b"}]}"#,
    r#"ts=2026-11-20T17:01:07Z caller=main.go:1 level=error component=web msg="listen \"x\"" err="no route""#,
    "I1120 17:01:07.123456   12345 controller.go:12] synced",
    "<34>1 2026-11-20T17:01:07Z host app 12 ID47 [a b=\"c]\\\"\"] message",
    "<13>Nov 20 17:01:07 host app[12]: message",
    "27815:M 20 Nov 2026 16:41:25.402 # message",
    "I, [2026-11-20T17:01:07.123456 #123]  INFO -- prog: message",
    "03-17 16:13:38.811  1702  2395 D Tag: message",
    "10.0.0.1 - - [20/Nov/2026:17:01:07 +0000] \"GET / HTTP/1.1\" 500 12",
    "- 1117838570 2005.06.03 R02 2005-06-03-15.42.50.675872 R02 RAS KERNEL INFO message",
    "2026-11-20 17:01:07.123 UTC [12] a@b LOG:  message",
    "[2026-11-20T17:01:07,123][INFO ][o.e.n.Node] [node-1] message",
    "2026/11/20 17:01:07 [error] 31#31: *5 open() failed",
];

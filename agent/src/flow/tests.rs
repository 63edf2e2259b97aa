use std::sync::Arc;

use logline::decode::Wrapper;
use logline::rules::{Pack, RuleSet};

use super::{Batch, Flow, Settings, StreamInfo};
use crate::sink::encode::{Encode, Json};
use crate::source::{Kind, Origin, SourceId};

const PACK: &str = "version: 1
name: test
taxonomy:
  version: 1
  categories: [{id: crash, means: died}, {id: network, means: wires}]
rules:
  - {id: crash.panic, category: crash, level: fatal, any: ['panic: '], match: ['panic: x']}
  - {id: network.refused, category: network, any: ['connection refused'], match: ['connection refused']}
";

fn rules(pack: &str) -> Arc<RuleSet> {
    let pack = Pack::parse(pack.as_bytes()).expect("a sound pack");
    Arc::new(RuleSet::compile(&pack).expect("rules"))
}

/// The JSON objects of everything that `text` comes to, read in pieces of `chunk` bytes.
fn label(text: &[u8], chunk: usize, join: bool) -> Vec<serde_json::Value> {
    let mut flow = Flow::new(
        Settings {
            join,
            ..Settings::default()
        },
        rules(PACK),
    );
    let mut batch = Batch::new(flow.labels());
    let id = SourceId::next();
    let origin = Arc::new(Origin::plain(Kind::File, "test"));
    flow.open(
        id,
        Arc::new(StreamInfo {
            id: "test".to_owned(),
            origin,
        }),
        Wrapper::Auto,
    );
    let mut offset = 0;
    for piece in text.chunks(chunk) {
        flow.bytes(id, offset, piece, 0, &mut batch);
        offset += piece.len() as u64;
    }
    flow.close(id, 0, &mut batch);
    flow.settle(&mut batch);
    let mut out = Vec::new();
    for event in &batch.events {
        Json {
            host: Some("host".to_owned()),
        }
        .encode(&batch, event, &mut out);
    }
    let lines = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect()
}

#[test]
fn the_way_of_a_line_does_not_depend_on_how_its_bytes_arrive() {
    let text = b"2026-11-20T17:01:07.5Z stdout F ERROR db: \"connection refused\"\n\
        2026-11-20T17:01:08Z stderr P pan\n2026-11-20T17:01:08Z stderr F ic: boom \xff\nhalf";
    let whole = label(text, text.len(), true);
    assert_eq!(whole.len(), 3);
    assert_eq!(whole[0]["message"], "db: \"connection refused\"");
    assert_eq!(whole[0]["category"], "network");
    assert_eq!(whole[0]["level"], "error");
    assert_eq!(whole[0]["timestamp"], "2026-11-20T17:01:07.500Z");
    for chunk in 1..text.len() {
        assert_eq!(label(text, chunk, true), whole, "in pieces of {chunk}");
    }
}

#[test]
fn a_line_that_is_not_utf8_is_kept_byte_for_byte() {
    let events = label(b"panic: \xff\xfe\n", 64, true);
    assert_eq!(events[0]["line"], "panic: \u{fffd}\u{fffd}");
    assert_eq!(events[0]["line_base64"], "cGFuaWM6IP/+");
    assert_eq!(events[0]["reason"], "rule crash.panic");
    assert_eq!(events[0]["level"], "fatal");
}

#[test]
fn without_joining_every_line_is_an_event_empty_ones_too() {
    let text =
        b"Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nValueError: no\n\n";
    assert_eq!(label(text, 64, true)[0]["lines"], 3);
    let lines = label(text, 64, false);
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3]["line"], "");
}

#[test]
fn event_ids_are_the_stream_and_the_position() {
    let events = label(b"one\ntwo\n", 3, true);
    assert_eq!(events[0]["event_id"], "test:0");
    assert_eq!(events[1]["event_id"], "test:4");
    assert_eq!(events[1]["source"], "test");
}

#[test]
fn a_giant_line_is_cut_and_every_byte_of_it_is_accounted_for() {
    let mut text = vec![b'x'; 1_000_000];
    text.extend_from_slice(b"\nnext\n");
    for join in [true, false] {
        let events = label(&text, 65_536, join);
        assert_eq!(events.len(), 2, "join: {join}");
        let kept = events[0]["line"].as_str().expect("text").len();
        assert_eq!(kept, 64 * 1024);
        assert_eq!(events[0]["cut_bytes"], 1_000_000 - kept);
        assert_eq!(events[1]["line"], "next");
    }
}

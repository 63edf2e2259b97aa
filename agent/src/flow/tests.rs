use std::sync::Arc;

use logline::decode::Wrapper;
use logline::rules::{Pack, RuleSet};

use super::{Batch, Cursor, Flow, Opening, Place, Settings, StreamInfo};
use crate::sink::encode::{Encode, Json, Outgoing};
use crate::source::{Closed, Kind, Origin, SourceId, files};

const PACK: &str = include_str!("two_rules.yaml");

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
        Opening::new(
            StreamInfo {
                id: "test".to_owned(),
                origin,
            },
            Place::Passing,
            Wrapper::Auto,
        ),
        0,
    );
    let mut offset = 0;
    for piece in text.chunks(chunk) {
        flow.bytes(id, offset, piece, 0, &mut batch);
        offset += piece.len() as u64;
    }
    flow.close(id, Closed::End, 0, &mut batch);
    flow.settle(&mut batch);
    let mut out = Vec::new();
    for event in &batch.events {
        Json::with_origin("host").encode(&Outgoing::plain(&batch, event), &mut out);
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

/// A flow over files whose streams end in an earlier run or in another file.
struct Rotating {
    flow: Flow,
    batch: Batch,
    ids: Vec<SourceId>,
}

impl Rotating {
    fn new(cursors: Vec<Cursor>) -> Self {
        let settings = Settings {
            keep_open: true,
            ..Settings::default()
        };
        let mut flow = Flow::new(settings, rules(PACK));
        flow.resume(cursors);
        let batch = Batch::new(flow.labels());
        Self {
            flow,
            batch,
            ids: Vec::new(),
        }
    }

    fn open(&mut self, inode: u64, resumed: bool, follows: Option<SourceId>) -> SourceId {
        let id = SourceId::next();
        let file = files::Identity {
            device: 1,
            inode,
            marker: files::Marker::of(b"x"),
        };
        let info = StreamInfo {
            id: format!("1-{inode}"),
            origin: Arc::new(Origin::plain(Kind::File, "/var/log/pods/n_p_u/c/0.log")),
        };
        let place = Place::File {
            file,
            offset: 0,
            seam: None,
        };
        let opening = Opening {
            resumed: resumed.then_some(file),
            follows,
            ..Opening::new(info, place, Wrapper::Cri)
        };
        self.flow.open(id, opening, 0);
        self.ids.push(id);
        id
    }

    fn lines(&self) -> Vec<String> {
        let text = |event: &super::Labelled| {
            String::from_utf8_lossy(self.batch.get(event.text)).into_owned()
        };
        self.batch.events.iter().map(text).collect()
    }

    /// The newest cursor of each stream, and what all of them counted.
    fn stop(mut self) -> (Vec<Cursor>, Vec<String>, i64) {
        self.flow.finish(0, &mut self.batch);
        let lines = self.lines();
        let read = self
            .batch
            .cursors
            .iter()
            .map(|cursor| cursor.tally.lines)
            .sum();
        let mut newest = std::collections::BTreeMap::new();
        for cursor in self.batch.cursors.drain(..) {
            newest.insert(cursor.stream.id.clone(), cursor);
        }
        (newest.into_values().collect(), lines, read)
    }
}

const BEFORE: &[u8] = b"2026-11-20T17:01:07Z stdout F one\n2026-11-20T17:01:08Z stdout P tw\n";
const AFTER: &[u8] = b"2026-11-20T17:01:08Z stdout F o\n2026-11-20T17:01:09Z stdout F three\n";

#[test]
fn a_line_split_at_a_rotation_is_one_line_with_an_id_of_its_own() {
    for closed_first in [false, true] {
        let mut run = Rotating::new(Vec::new());
        let before = run.open(7, false, None);
        run.flow.bytes(before, 0, BEFORE, 0, &mut run.batch);
        if closed_first {
            run.flow.close(before, Closed::Rotated, 0, &mut run.batch);
        }
        let after = run.open(8, false, Some(before));
        run.flow.bytes(after, 0, AFTER, 0, &mut run.batch);
        run.flow.expire(10_000, &mut run.batch);
        assert_eq!(run.lines(), ["one", "two", "three"]);
        let ids: std::collections::BTreeSet<_> = run
            .batch
            .events
            .iter()
            .map(|event| (event.stream_index, event.start))
            .collect();
        assert_eq!(ids.len(), 3);
        let (cursors, _, read) = run.stop();
        assert_eq!(read, 3);
        assert!(
            cursors
                .iter()
                .all(|cursor| cursor.open.is_empty() && cursor.open_lines == 0)
        );
    }
}

#[test]
fn a_stop_at_any_byte_around_a_rotation_loses_and_repeats_nothing() {
    let all = [BEFORE, AFTER].concat();
    for stop in 1..all.len() {
        let mut run = Rotating::new(Vec::new());
        let before = run.open(7, false, None);
        let first = BEFORE.len().min(stop);
        run.flow
            .bytes(before, 0, &BEFORE[..first], 0, &mut run.batch);
        if stop > BEFORE.len() {
            let after = run.open(8, false, Some(before));
            run.flow
                .bytes(after, 0, &AFTER[..stop - BEFORE.len()], 0, &mut run.batch);
        }
        let (cursors, mut lines, mut read) = run.stop();
        let at = |inode: u64| {
            let wanted = format!("1-{inode}");
            let cursor = cursors.iter().find(|cursor| cursor.stream.id == wanted)?;
            match cursor.place {
                Place::File { offset, .. } => usize::try_from(offset).ok(),
                _ => None,
            }
        };
        let (old, new) = (at(7).expect("a cursor"), at(8));
        let mut run = Rotating::new(cursors);
        let mut before = None;
        if old < BEFORE.len() {
            let id = run.open(7, true, None);
            run.flow
                .bytes(id, old as u64, &BEFORE[old..], 0, &mut run.batch);
            before = Some(id);
        }
        let from = new.unwrap_or(0);
        let id = run.open(8, new.is_some(), before);
        run.flow
            .bytes(id, from as u64, &AFTER[from..], 0, &mut run.batch);
        run.flow.expire(10_000, &mut run.batch);
        let (_, more, also_read) = run.stop();
        lines.extend(more);
        read += also_read;
        assert_eq!(lines, ["one", "two", "three"], "stopped after {stop} bytes");
        assert_eq!(read, 3, "stopped after {stop} bytes");
    }
}

#[test]
fn what_a_lost_file_left_unfinished_goes_on_as_it_is() {
    let mut run = Rotating::new(Vec::new());
    let before = run.open(7, false, None);
    run.flow.bytes(before, 0, BEFORE, 0, &mut run.batch);
    let (cursors, lines, _) = run.stop();
    assert!(
        lines.is_empty(),
        "the whole line may be waiting for the one in pieces"
    );
    let mut run = Rotating::new(cursors);
    run.flow.expire(0, &mut run.batch);
    assert!(run.lines().is_empty());
    run.flow.expire(1_000_000, &mut run.batch);
    assert_eq!(run.lines(), ["one", "tw"]);
}

#[test]
fn a_file_emptied_and_begun_as_before_gets_another_name() {
    let mut run = Rotating::new(Vec::new());
    for _ in 0..2 {
        let id = run.open(7, false, None);
        run.flow.bytes(id, 0, BEFORE, 0, &mut run.batch);
        run.flow.close(id, Closed::Truncated, 0, &mut run.batch);
    }
    let (cursors, _, _) = run.stop();
    let names: Vec<&str> = cursors
        .iter()
        .map(|cursor| cursor.stream.id.as_str())
        .collect();
    assert_eq!(names, ["1-7", "1-7.1"]);
}

use std::path::{Path, PathBuf};
use std::sync::Arc;

use logline::decode::Wrapper;
use logline::rules::{Pack, RuleSet};

use super::{Listed, Plans, decode, decode_labels, encode};

mod hostile;
use crate::flow::{Batch, Flow, Labelled, Opening, Place, Settings, Slice, StreamInfo};
use crate::source::{Closed, Kind, Origin, SourceId};

fn stream() -> Arc<StreamInfo> {
    Arc::new(stream_info())
}

fn stream_info() -> StreamInfo {
    StreamInfo {
        id: "test".to_owned(),
        origin: Arc::new(Origin::plain(Kind::File, "test")),
    }
}

/// Everything that can be told of an event.
fn told(batch: &Batch, event: &Labelled) -> impl PartialEq + std::fmt::Debug {
    let text = String::from_utf8_lossy(batch.get(event.text)).into_owned();
    let place = |slice: Slice| {
        let inside = slice.offset_in(event.text).filter(|_| !slice.is_empty());
        (inside, batch.get(slice).to_vec())
    };
    let verdict = event.verdict;
    (
        (
            text,
            batch.get(event.text).to_vec(),
            place(event.message),
            place(event.logger),
        ),
        (event.timestamp, event.stream, event.level),
        (
            batch.labels.category(verdict.category).to_owned(),
            verdict.category.is_some(),
            verdict.stage,
            verdict.confidence.to_bits(),
            verdict.rule.map(|rule| batch.labels.rule(rule).to_owned()),
        ),
        event.template_text.as_ref().map(|template| template.id),
        batch.stream(event).map(|stream| stream.id.clone()),
        (event.lines, event.cut_bytes, event.start),
    )
}

/// Encodes `picked` of `batch` and holds that decoding gives the same. Gives the block.
fn round_trip(batch: &Batch, picked: &[u32], book: &mut Listed) -> Vec<u8> {
    let seqs: Vec<u64> = (0..picked.len() as u64).map(|n| 7 + n + n / 5).collect();
    let mut block = vec![0xAA];
    let summary = encode(
        batch,
        picked,
        &seqs,
        book,
        &mut Plans::default(),
        true,
        &mut block,
    );
    let block = block.split_off(1);
    let mut back = Batch::new(book.labels());
    let mut back_seqs = vec![1];
    // What was there before stays.
    back.arena().extend_from_slice(b"before");
    decode(&block, book, &mut back, &stream(), &mut back_seqs).expect("a sound block");
    assert_eq!(back_seqs[1..], seqs);
    assert_eq!(back.events.len(), picked.len());
    for (event, index) in back.events.iter().zip(picked) {
        let given = &batch.events[*index as usize];
        assert_eq!(told(&back, event), told(batch, given));
    }
    let labels = decode_labels(&block).expect("a sound block");
    assert_eq!(labels.seqs, seqs);
    for (at, event) in back.events.iter().enumerate() {
        let label = &labels.kinds[labels.kind_of[at] as usize];
        assert_eq!(labels.timestamps[at], event.timestamp);
        assert_eq!((label.level, label.stream), (event.level, event.stream));
        assert_eq!(label.template.is_some(), event.template_text.is_some());
        assert_eq!(label.verdict.category, event.verdict.category);
    }
    assert_eq!(summary.count as usize, picked.len());
    let times = back.events.iter().filter_map(|event| event.timestamp);
    let times = times.map(|time| time.0);
    assert_eq!(summary.times, times.clone().min().zip(times.max()));
    let texts: usize = back.events.iter().map(|event| event.text.len()).sum();
    assert_eq!(summary.raw_bytes, texts as u64);
    for label in &labels.kinds {
        assert!(summary.levels & 1 << label.level as u8 != 0);
        assert!(
            label
                .template
                .is_none_or(|number| summary.templates.contains(&number))
        );
    }
    block
}

fn labelled(texts: &[u8], wrapper: Wrapper, rules: &Arc<RuleSet>) -> Batch {
    let mut flow = Flow::new(Settings::default(), Arc::clone(rules));
    let id = SourceId::next();
    flow.open(id, Opening::new(stream_info(), Place::Passing, wrapper), 0);
    let mut batch = Batch::new(flow.labels());
    flow.bytes(id, 0, texts, 0, &mut batch);
    flow.close(id, Closed::End, 0, &mut batch);
    flow.settle(&mut batch);
    batch
}

fn general() -> Arc<RuleSet> {
    let pack = Pack::builtin("general").expect("the pack that comes along");
    Arc::new(RuleSet::compile(&pack).expect("rules"))
}

fn all(batch: &Batch) -> Vec<u32> {
    (0..batch.events.len() as u32).collect()
}

/// The files under the repository's goldens: logs of many shapes, written for this project.
fn goldens(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            goldens(&path, found);
        } else if entry.metadata().is_ok_and(|meta| meta.len() < 100_000) {
            found.push(path);
        }
    }
}

#[test]
fn what_the_flow_makes_of_whole_logs_comes_back() {
    let rules = general();
    let mut book = Listed::default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let mut files = Vec::new();
    goldens(&root, &mut files);
    assert!(files.len() > 10, "goldens under {}", root.display());
    let mut together = Vec::new();
    for file in files {
        let text = std::fs::read(&file).expect("a golden");
        let batch = labelled(&text, Wrapper::Auto, &rules);
        round_trip(&batch, &all(&batch), &mut book);
        together.extend_from_slice(&text);
        together.push(b'\n');
    }
    let batch = labelled(&together, Wrapper::Auto, &rules);
    round_trip(&batch, &all(&batch), &mut book);
    let some: Vec<u32> = all(&batch).into_iter().filter(|at| at % 3 != 1).collect();
    round_trip(&batch, &some, &mut book);
}

/// Lines as a service in a container writes them.
fn service(lines: u64) -> Vec<u8> {
    let mut out = String::new();
    let mut random = 0x1234_5678_9abc_def0_u64;
    for n in 0..lines {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let nanos = n * 3_141_592 + random % 1_000_000;
        let time = format!(
            "2026-11-20T17:{:02}:{:02}.{:09}Z",
            nanos / 60_000_000_000 % 60,
            nanos / 1_000_000_000 % 60,
            nanos % 1_000_000_000
        );
        let clock = format!("{} {}", &time[..10], &time[11..23]);
        let id = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            random >> 32,
            random & 0xffff,
            random & 0xfff,
            n & 0xfff,
            random >> 16
        );
        let line = match random % 5 {
            0 => format!(
                "{clock} INFO {} --- [worker-{}] shop.orders.Orders : order {} stored in {} ms",
                41,
                n % 8,
                1000 + n,
                random % 97
            ),
            1 => format!(
                "{{\"level\":\"warn\",\"ts\":\"{time}\",\"logger\":\"pool\",\"msg\":\"pool nearly full\",\"in_use\":{},\"trace\":\"{id}\"}}",
                random % 100
            ),
            2 => format!(
                "{{\"level\":\"error\",\"ts\":\"{time}\",\"msg\":\"cannot \\\"pay\\\"\",\"error\":\"code {}\",\"trace\":\"{id}\"}}",
                random % 7
            ),
            3 => format!(
                "10.0.{}.{} - - \"GET /items/{} HTTP/1.1\" 200 {}",
                random % 4,
                n % 250,
                random % 5000,
                random % 90_000
            ),
            _ => format!(
                "time=\"{time}\" level=info msg=\"request {id} done\" status={} took={}ms",
                200 + random % 3,
                random % 1000
            ),
        };
        out.push_str(&format!(
            "{time} {} F {line}\n",
            if n % 9 == 0 { "stderr" } else { "stdout" }
        ));
    }
    out.into_bytes()
}

#[test]
fn a_block_is_much_smaller_than_what_zstd_makes_of_the_text() {
    let rules = general();
    for (lines, most) in [(100, 0.70), (5_000, 0.62)] {
        let text = service(lines);
        let batch = labelled(&text, Wrapper::Auto, &rules);
        assert_eq!(batch.events.len() as u64, lines);
        let block = round_trip(&batch, &all(&batch), &mut Listed::default());
        let zstd = zstd::bulk::compress(&text, 3).expect("zstd").len();
        let ratio = block.len() as f64 / zstd as f64;
        assert!(
            ratio < most,
            "{lines} lines: {} of {zstd}: {ratio:.3}",
            block.len()
        );
    }
}

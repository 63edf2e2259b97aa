use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logline::decode::Wrapper;
use logline::event::Stream;
use logline::level::Level;
use logline::rules::{Pack, RuleSet};
use logline::template::{Table, TemplateId};
use logline::time::Timestamp;
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::{Damaged, Names, Numbers, Plans, decode, decode_labels, encode};
use crate::classify::Stage;
use crate::flow::{
    Batch, Flow, Labelled, Labels, Opening, Place, Settings, Slice, StreamInfo, TemplateText,
    Verdict,
};
use crate::source::{Closed, Kind, Origin, SourceId};

/// Numbers in the order in which the texts come.
#[derive(Default)]
struct Book {
    numbers: HashMap<u64, u32>,
    templates: Vec<Arc<TemplateText>>,
    categories: Vec<String>,
    rules: Vec<String>,
}

impl Numbers for Book {
    fn template(&mut self, text: &Arc<TemplateText>) -> u32 {
        *self.numbers.entry(text.id.0).or_insert_with(|| {
            self.templates.push(Arc::clone(text));
            self.templates.len() as u32 - 1
        })
    }
    fn category(&mut self, name: &str) -> u16 {
        number(&mut self.categories, name) as u16
    }
    fn rule(&mut self, name: &str) -> u32 {
        number(&mut self.rules, name) as u32
    }
}

impl Names for Book {
    fn template(&self, number: u32) -> Option<Arc<TemplateText>> {
        self.templates.get(number as usize).cloned()
    }
}

impl Book {
    fn labels(&self) -> Arc<Labels> {
        Arc::new(Labels {
            categories: self.categories.clone(),
            rules: self.rules.clone(),
        })
    }
}

fn number(names: &mut Vec<String>, name: &str) -> usize {
    let known = names.iter().position(|known| known == name);
    known.unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

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
fn round_trip(batch: &Batch, picked: &[u32], book: &mut Book) -> Vec<u8> {
    let seqs: Vec<u64> = (0..picked.len() as u64).map(|n| 7 + n + n / 5).collect();
    let mut block = vec![0xAA];
    let summary = encode(
        batch,
        picked,
        &seqs,
        book,
        &mut Plans::default(),
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
    let mut book = Book::default();
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
        let block = round_trip(&batch, &all(&batch), &mut Book::default());
        let zstd = zstd::bulk::compress(&text, 3).expect("zstd").len();
        let ratio = block.len() as f64 / zstd as f64;
        assert!(
            ratio < most,
            "{lines} lines: {} of {zstd}: {ratio:.3}",
            block.len()
        );
    }
}

/// An event as hostile as it can be made: its slices lie anywhere.
#[derive(Clone, Debug)]
struct Hostile {
    text: Vec<u8>,
    message: Result<(usize, usize), Vec<u8>>,
    logger: Result<(usize, usize), Vec<u8>>,
    template: Option<Vec<u8>>,
    of_message: bool,
    rest: (Option<i64>, bool, usize, Option<u16>, Option<u32>, u32),
    counts: (u32, u64, u64),
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[a-f0-9 ,\"=:<>num.x-]{0,60}".prop_map(String::into_bytes),
        "(0x[0-9a-fA-F]{1,20}|[0-9]{1,40}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-F0-9]{2,12}|[ a-z=,\"])(.{0,6})"
            .prop_map(String::into_bytes),
        "(status=[0-9]{3} |,\"key\":[0-9]{1,3}){0,150}".prop_map(String::into_bytes),
        prop::collection::vec(prop_oneof![0xBE..=0xC2_u8, 0xF3..=0xFF_u8, b'0'..=b'9'], 0..20),
    ]
}

fn place() -> impl Strategy<Value = Result<(usize, usize), Vec<u8>>> {
    prop_oneof![
        4 => (any::<usize>(), any::<usize>()).prop_map(Ok),
        1 => texts().prop_map(Err),
    ]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let rest = (
        prop_oneof![
            Just(None),
            any::<i64>().prop_map(Some),
            (0..1000_i64).prop_map(Some)
        ],
        any::<bool>(),
        0..7_usize,
        prop::option::of(0..3_u16),
        prop::option::of(0..3_u32),
        prop_oneof![Just(0_u32), any::<u32>()],
    );
    let counts = (
        prop_oneof![3 => Just(1_u32), 1 => any::<u32>()],
        prop_oneof![3 => Just(0_u64), 1 => any::<u64>()],
        any::<u64>(),
    );
    (
        texts(),
        place(),
        place(),
        prop::option::of(texts()),
        any::<bool>(),
        rest,
        counts,
    )
        .prop_map(
            |(text, message, logger, template, of_message, rest, counts)| Hostile {
                text,
                message,
                logger,
                template,
                of_message,
                rest,
                counts,
            },
        )
}

fn batch_of(events: &[Hostile]) -> Batch {
    let names = |prefix: &str| (0..3).map(|n| format!("{prefix}{n}")).collect();
    let labels = Labels {
        categories: names("category"),
        rules: names("rule"),
    };
    let mut batch = Batch::new(Arc::new(labels));
    let stream_index = batch.keep_stream(&stream());
    let mut table = Table::new(logline::template::Limits::default());
    for event in events {
        let keep = |batch: &mut Batch, bytes: &[u8]| {
            let start = batch.bytes_len();
            batch.arena().extend_from_slice(bytes);
            Slice::new(start, bytes.len())
        };
        let text = keep(&mut batch, &event.text);
        let whole = batch.bytes_len() - text.len();
        let mut part = |part: &Result<(usize, usize), Vec<u8>>| match part {
            Ok((start, len)) => {
                let start = start % (event.text.len() + 1);
                Slice::new(whole + start, len % (event.text.len() - start + 1))
            }
            Err(own) => keep(&mut batch, own),
        };
        let (message, logger) = (part(&event.message), part(&event.logger));
        let template_text = event.template.as_ref().map(|template| {
            let template = if event.of_message {
                batch.get(message)
            } else {
                template
            };
            let index = table.observe(template);
            Arc::new(TemplateText::new(table.get(index), None))
        });
        let (timestamp, stderr, level, category, rule, confidence) = event.rest;
        let (lines, cut_bytes, start) = event.counts;
        batch.events.push(Labelled {
            text,
            message,
            logger,
            timestamp: timestamp.map(Timestamp),
            stream: if stderr {
                Stream::Stderr
            } else {
                Stream::Stdout
            },
            level: Level::ALL[level],
            verdict: Verdict {
                category,
                stage: Stage::ALL[level % Stage::ALL.len()],
                confidence: f32::from_bits(confidence),
                rule,
            },
            template: 0,
            template_text,
            stream_index,
            lines,
            cut_bytes,
            start,
        });
    }
    batch
}

/// Tries to decode; whatever comes, nothing may be left behind where it fails.
fn try_decode(block: &[u8], book: &Book) -> Result<(), Damaged> {
    let mut batch = Batch::new(book.labels());
    let mut seqs = Vec::new();
    let _ = decode_labels(block);
    let result = decode(block, book, &mut batch, &stream(), &mut seqs);
    if result.is_err() {
        assert!(batch.events.is_empty() && seqs.is_empty() && batch.bytes_len() == 0);
    }
    result
}

/// Puts the right checksum behind what was changed.
fn seal(block: &mut [u8]) {
    let body = block.len().saturating_sub(8);
    let sum = xxh3_64(&block[..body]).to_le_bytes();
    block[body..].copy_from_slice(&sum);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn any_events_come_back(events in prop::collection::vec(hostile(), 0..40)) {
        let batch = batch_of(&events);
        round_trip(&batch, &all(&batch), &mut Book::default());
    }

    #[test]
    fn events_that_recur_come_back(events in prop::collection::vec(hostile(), 1..6), times in 2..60_usize) {
        let events: Vec<Hostile> = events.iter().cycle().take(events.len() * times).cloned().collect();
        let batch = batch_of(&events);
        round_trip(&batch, &all(&batch), &mut Book::default());
    }

    #[test]
    fn any_numbers_come_back(
        columns in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u64>(), 0..200),
                prop::collection::vec(0..40_u64, 0..600),
                (any::<u64>(), prop::collection::vec(0..5_u64, 0..300))
                    .prop_map(|(base, steps)| steps.iter().scan(base, |at, step| { *at = at.wrapping_add(step * 1000); Some(*at) }).collect()),
            ],
            0..6,
        )
    ) {
        use super::numbers::{BitReader, Sink, Source};
        use super::wire::Reader;
        let mut sink = Sink::default();
        for column in &columns {
            sink.put(column);
        }
        let bits = sink.bits.finish();
        let mut source = Source {
            params: Reader::new(&sink.params),
            index: Reader::new(&sink.index),
            bits: BitReader::new(&bits),
        };
        for column in &columns {
            prop_assert_eq!(&source.take(column.len())?, column);
        }
        source.finish()?;
    }

    #[test]
    fn a_changed_block_is_told_or_harmless(
        events in prop::collection::vec(hostile(), 1..20),
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        cut in any::<usize>(),
    ) {
        let batch = batch_of(&events);
        let mut book = Book::default();
        let block = round_trip(&batch, &all(&batch), &mut book);
        prop_assert!(try_decode(&block[..cut % block.len()], &book).is_err());
        let mut changed = block.clone();
        for (at, byte) in changes {
            let at = at % changed.len();
            changed[at] = byte;
        }
        prop_assert!(changed == block || try_decode(&changed, &book).is_err());
        // A checksum can be forged: then the rest has to stand it.
        seal(&mut changed);
        let _ = try_decode(&changed, &book);
    }

    #[test]
    fn any_bytes_are_no_block_and_no_trouble(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let book = Book::default();
        prop_assert!(try_decode(&bytes, &book).is_err());
        let mut forged = bytes;
        forged.insert(0, super::VERSION);
        forged.extend_from_slice(&[0; 8]);
        seal(&mut forged);
        let _ = try_decode(&forged, &book);
    }
}

#[test]
fn every_flipped_bit_of_a_block_is_told() {
    let batch = labelled(&service(30), Wrapper::Auto, &general());
    let mut book = Book::default();
    let block = round_trip(&batch, &all(&batch), &mut book);
    for at in 0..block.len() {
        for bit in 0..8 {
            let mut changed = block.clone();
            changed[at] ^= 1 << bit;
            assert!(try_decode(&changed, &book).is_err(), "byte {at} bit {bit}");
            seal(&mut changed);
            let _ = try_decode(&changed, &book);
        }
    }
}

#[test]
fn a_template_that_is_gone_or_another_is_told() {
    let batch = labelled(&service(30), Wrapper::Auto, &general());
    let mut book = Book::default();
    let block = round_trip(&batch, &all(&batch), &mut book);
    let other = Book::default();
    assert_eq!(
        try_decode(&block, &other).map_err(|damaged| damaged.what),
        Err("a template that is not known")
    );
    let first = &mut book.templates[0];
    let text = format!("{}!", first.text);
    *first = Arc::new(TemplateText::of(TemplateId::of(&text), text, None));
    assert_eq!(
        try_decode(&block, &book).map_err(|damaged| damaged.what),
        Err("its templates have other texts now")
    );
}

#[test]
fn a_block_of_nothing_is_a_block() {
    let batch = Batch::new(Arc::new(Labels::default()));
    round_trip(&batch, &[], &mut Book::default());
}

#[test]
fn names_in_hexadecimal_are_values_wherever_they_begin() {
    let split = |text: &str| {
        let mut parts = super::pattern::Parts::default();
        parts.split(text.as_bytes());
        (parts.numbers, parts.wide)
    };
    assert_eq!(
        split("commit deadbeef01."),
        (vec![], vec![0xde, 0xad, 0xbe, 0xef, 0x01])
    );
    assert_eq!(split("at 0xbeef1 "), (vec![0], vec![0xbe, 0xef, 0x01]));
    assert_eq!(split("7c9e6679-7425-40de-944b-e07fc1f90ae7").1.len(), 16);
    assert_eq!(split("A1B2C3D4").1, [0xa1, 0xb2, 0xc3, 0xd4]);
    assert_eq!(split("007 of 12"), (vec![7, 12], vec![]));
    // A word with a number in it is no hexadecimal name.
    assert_eq!(split("thread2000 worker12"), (vec![2000, 12], vec![]));
}

//! Texts that nobody would write, and bytes that are no block.

use std::sync::Arc;

use logline::decode::Wrapper;
use logline::event::Stream;
use logline::level::Level;
use logline::template::{Table, TemplateId};
use logline::time::Timestamp;
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::{all, general, labelled, round_trip, service, stream};
use crate::classify::Stage;
use crate::flow::{Batch, Labelled, Labels, Slice, TemplateText, Verdict};
use crate::store::block::numbers::{BitReader, Sink, Source};
use crate::store::block::pattern::Parts;
use crate::store::block::wire::Reader;
use crate::store::block::{Damaged, Listed, VERSION, decode, decode_labels};

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
fn try_decode(block: &[u8], book: &Listed) -> Result<(), Damaged> {
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
        round_trip(&batch, &all(&batch), &mut Listed::default());
    }

    #[test]
    fn events_that_recur_come_back(events in prop::collection::vec(hostile(), 1..6), times in 2..60_usize) {
        let events: Vec<Hostile> = events.iter().cycle().take(events.len() * times).cloned().collect();
        let batch = batch_of(&events);
        round_trip(&batch, &all(&batch), &mut Listed::default());
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
        let mut book = Listed::default();
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
        let book = Listed::default();
        prop_assert!(try_decode(&bytes, &book).is_err());
        let mut forged = bytes;
        forged.insert(0, VERSION);
        forged.extend_from_slice(&[0; 8]);
        seal(&mut forged);
        let _ = try_decode(&forged, &book);
    }
}

#[test]
fn every_flipped_bit_of_a_block_is_told() {
    let batch = labelled(&service(30), Wrapper::Auto, &general());
    let mut book = Listed::default();
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
    let mut book = Listed::default();
    let block = round_trip(&batch, &all(&batch), &mut book);
    let other = Listed::default();
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
    round_trip(&batch, &[], &mut Listed::default());
}

#[test]
fn names_in_hexadecimal_are_values_wherever_they_begin() {
    let split = |text: &str| {
        let mut parts = Parts::default();
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

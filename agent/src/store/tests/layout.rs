//! Files of every layout that was ever released open, with all that is in them.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::rig::{LONG, Lines, Running, options, take};
use crate::classify::{Embedding, Judgement, Stage, Vector};
use crate::flow::{Batch, Judged, Labelled, Place};
use crate::store::tables::LAYOUT;
use crate::store::{Delivered, Hit, Next, Options, Query, Reader};

fn fixture(layout: u32) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join(format!("tests/fixtures/store/layout-{layout}.redb.zst"))
}

/// The lines in the fixtures, by round.
fn lines(round: u64) -> Vec<(usize, String)> {
    (0..40)
        .map(|n| {
            let number = round * 40 + n;
            let stream = (number % 3) as usize;
            let line = match n % 4 {
                0 => format!("2026-11-20T17:{round:02}:00Z INFO web: request number={number} done"),
                1 => format!("panic: number={number} is out of luck"),
                2 => format!(
                    "2026-11-20T17:{round:02}:01Z ERROR db: connection refused number={number}"
                ),
                _ => format!("number={number} \u{1f980} no time, no category"),
            };
            (stream, line)
        })
        .collect()
}

fn expected() -> Vec<String> {
    (0..6).flat_map(lines).map(|(_, line)| line).collect()
}

/// Writes the fixture of the current layout: run with `--ignored` once where the layout changes, before it is released.
#[test]
#[ignore = "writes a file of the repository"]
fn write_the_fixture_of_the_current_layout() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(Options {
        // Some of it merged, some of it not.
        seal_bytes: 6000,
        ..options(directory.path(), &["a", "b"])
    });
    let mut maker = Lines::new(3);
    let mut feeds = [running.store.feed("a"), running.store.feed("b")];
    for round in 0..6 {
        let lines = lines(round);
        let mut batch = maker.batch(lines.iter().map(|(stream, line)| (*stream, line.as_str())));
        if round == 0 {
            batch.judged.push(judged(&batch));
        }
        running.send(batch);
        assert_eq!(take(&mut feeds[0], 40).len(), 40);
    }
    let Next::Portion(portion, 0) = feeds[1].next(LONG) else {
        panic!("nothing for b");
    };
    let mixed = Delivered {
        events: 10,
        bytes: 1234,
        filtered: 20,
        sampled: 4,
        rejected: vec![("too_old", 6)],
    };
    assert!(feeds[1].acknowledge(portion.first + 40, &mixed));
    drop(feeds);
    running.stop();
    let file = std::fs::read(directory.path().join("store.redb")).unwrap();
    let small = zstd::encode_all(file.as_slice(), 19).unwrap();
    std::fs::write(fixture(LAYOUT), small).unwrap();
}

/// A verdict and a place for the template of the first event that no rule decides.
fn judged(batch: &Batch) -> Judged {
    let open = |event: &&Labelled| event.verdict.stage == Stage::None;
    let event = batch.events.iter().find(open).unwrap();
    let template = event.template_text.as_ref().unwrap();
    let judgement = Judgement {
        category: Some("http_access".to_owned()),
        stage: Stage::Bert,
        confidence: 0.75,
        reason: "like another".to_owned(),
        version: "m/1".to_owned(),
        asked: "info | request".to_owned(),
    };
    Judged {
        template: Arc::new(template.judged(Arc::new(judgement))),
        embedding: Some(Embedding {
            vector: Vector::of(&[0.6, 0.0, -0.8]),
            version: "m/1".to_owned(),
        }),
    }
}

#[test]
fn a_file_of_layout_1_opens_with_all_that_is_in_it() {
    opens(1);
}

#[test]
fn a_file_of_layout_2_opens_with_all_that_is_in_it() {
    opens(2);
}

fn opens(layout: u32) {
    let directory = tempfile::tempdir().unwrap();
    let small = std::fs::read(fixture(layout)).unwrap();
    let file = zstd::decode_all(small.as_slice()).unwrap();
    std::fs::write(directory.path().join("store.redb"), file).unwrap();
    {
        let (reader, recovered) = Reader::open(directory.path()).unwrap();
        assert!(recovered.notes.is_empty(), "{:?}", recovered.notes);
        let offsets: Vec<u64> = recovered
            .cursors
            .iter()
            .map(|cursor| match cursor.place {
                Place::File { offset, .. } => offset,
                _ => panic!("{cursor:?}"),
            })
            .collect();
        assert_eq!(offsets.len(), 3);
        let bytes: usize = expected().iter().map(|line| line.len() + 1).sum();
        assert_eq!(offsets.iter().sum::<u64>(), bytes as u64);
        let counts: u64 = recovered
            .templates
            .iter()
            .map(|template| template.count)
            .sum();
        assert_eq!(counts, 240);
        let mut texts = Vec::new();
        let mut categories = Vec::new();
        reader
            .query(&Query::default(), |hit| {
                texts.push(String::from_utf8_lossy(hit.batch.get(hit.event.text)).into_owned());
                let category = hit.event.verdict.category;
                categories.push(hit.batch.labels.category(category).to_owned());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(texts, expected());
        // A verdict that came after its events were stored is theirs all the same.
        let first = if layout == 1 {
            "unclassified"
        } else {
            "http_access"
        };
        assert_eq!(categories[..4], [first, "crash", "network", "unclassified"]);
        let verdicts = recovered
            .templates
            .iter()
            .filter_map(|known| known.judged.as_ref());
        let verdicts: Vec<&str> = verdicts.map(|judged| judged.reason.as_str()).collect();
        let places = reader.embeddings().unwrap();
        if layout == 1 {
            assert!(verdicts.is_empty() && places.is_empty());
        } else {
            assert_eq!(verdicts, ["like another"]);
            assert!(places[0].embedding.vector.similarity(&[0.6, 0.0, -0.8]) > 0.999);
            let query = Query {
                categories: Some(vec!["http_access".to_owned()]),
                ..Query::default()
            };
            let mut found = 0;
            let count = |_: Hit<'_>| {
                found += 1;
                ControlFlow::Continue(())
            };
            reader.query(&query, count).unwrap();
            assert_eq!(found, 60);
        }
        let verified = reader.verify().unwrap();
        assert!(verified.sound, "{verified:?}");
        let audit = reader.audit().unwrap();
        assert!(audit.balances, "{audit:?}");
        assert_eq!(audit.file.layout, LAYOUT);
        let b = &audit.sinks[1];
        assert_eq!((b.name.as_str(), b.pending), ("b", 200));
        assert_eq!(b.record.rejected["too_old"], 6);
    }
    // It goes on from there.
    let running = Running::start(options(directory.path(), &["a", "b"]));
    let mut feed = running.store.feed("b");
    assert_eq!(take(&mut feed, 200), expected()[40..]);
    drop(feed);
    running.stop();
}

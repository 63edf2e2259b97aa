//! What readers find, and what it costs them.

use std::ops::ControlFlow;

use logline::level::Level;
use logline::time::{TimeContext, Timestamp, parse};

use super::rig::{Lines, Running, numbers, options, take};
use crate::store::{Options, Query, Reader};

fn found(reader: &Reader, query: &Query) -> Vec<String> {
    let mut texts = Vec::new();
    reader
        .query(query, |hit| {
            texts.push(String::from_utf8_lossy(hit.batch.get(hit.event.text)).into_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
    texts
}

fn time(text: &str) -> Option<Timestamp> {
    Some(parse(text.as_bytes(), &TimeContext::default()).unwrap())
}

fn filled(directory: &std::path::Path) -> Running {
    let running = Running::start(Options {
        seal_bytes: 5000,
        ..options(directory, &["a"])
    });
    let mut lines = Lines::new(3);
    let mut feed = running.store.feed("a");
    for round in 0..10 {
        running.send(lines.numbered(round * 30, 30));
        take(&mut feed, 30);
    }
    running.send(lines.batch([
        (0, "2026-11-20T18:00:00Z ERROR db: connection refused"),
        (1, "panic: out of luck"),
        (2, "no time and no category"),
    ]));
    take(&mut feed, 3);
    running
}

#[test]
fn a_query_finds_what_it_asks_for_in_both_directions() {
    let directory = tempfile::tempdir().unwrap();
    let running = filled(directory.path());
    let reader = running.store.reader();
    let all = found(&reader, &Query::default());
    assert_eq!(all.len(), 303);
    assert_eq!(numbers(&all[..300]), (0..300).collect::<Vec<_>>());
    let backwards = Query {
        backwards: true,
        limit: 5,
        ..Query::default()
    };
    let last = found(&reader, &backwards);
    assert_eq!(last.len(), 5);
    assert_eq!(last[0], "no time and no category");
    assert_eq!(numbers(&last[3..]), [299, 298]);
    let before = Query {
        start: Some(100),
        ..backwards.clone()
    };
    assert_eq!(numbers(&found(&reader, &before)), [99, 98, 97, 96, 95]);
    let from = Query {
        start: Some(298),
        ..Query::default()
    };
    assert_eq!(found(&reader, &from).len(), 5);

    let network = Query {
        categories: Some(vec!["network".to_owned()]),
        ..Query::default()
    };
    assert_eq!(
        found(&reader, &network),
        ["2026-11-20T18:00:00Z ERROR db: connection refused"]
    );
    let severe = Query {
        level: Some(Level::Error),
        ..Query::default()
    };
    assert_eq!(found(&reader, &severe).len(), 2);
    let hour = Query {
        from: time("2026-11-20T17:59:59Z"),
        to: time("2026-11-20T18:00:01Z"),
        ..Query::default()
    };
    assert_eq!(found(&reader, &hour).len(), 1);
    let stream = Query {
        streams: Some(vec!["stream-1".to_owned()]),
        ..Query::default()
    };
    let of_stream = found(&reader, &stream);
    assert_eq!(of_stream.len(), 101);
    assert!(
        numbers(&of_stream[..100])
            .iter()
            .all(|number| number % 3 == 1)
    );
    let template = reader
        .templates()
        .into_iter()
        .find(|template| template.count == 300)
        .unwrap();
    let requests = Query {
        templates: Some(vec![template.id]),
        ..Query::default()
    };
    assert_eq!(found(&reader, &requests).len(), 300);
    running.stop();
}

#[test]
fn an_event_is_found_by_its_id_with_its_neighbours() {
    let directory = tempfile::tempdir().unwrap();
    let running = filled(directory.path());
    let reader = running.store.reader();
    let mut ids = Vec::new();
    let query = Query {
        streams: Some(vec!["stream-2".to_owned()]),
        ..Query::default()
    };
    reader
        .query(&query, |hit| {
            ids.push(format!("stream-2:{}", hit.event.start));
            ControlFlow::Continue(())
        })
        .unwrap();
    let (batch, place) = reader.neighbours(&ids[50], 2).unwrap().unwrap();
    let texts: Vec<String> = batch
        .events
        .iter()
        .map(|event| String::from_utf8_lossy(batch.get(event.text)).into_owned())
        .collect();
    assert_eq!(place, 2);
    assert_eq!(numbers(&texts), [146, 149, 152, 155, 158]);
    let (batch, place) = reader.neighbours(&ids[0], 3).unwrap().unwrap();
    assert_eq!((batch.events.len(), place), (4, 0));
    assert!(reader.neighbours("stream-2:7", 1).unwrap().is_none());
    assert!(reader.neighbours("nonsense", 1).unwrap().is_none());
    running.stop();
}

#[test]
fn an_audit_accounts_for_everything_and_can_be_read_offline() {
    let directory = tempfile::tempdir().unwrap();
    let running = filled(directory.path());
    running.stop();
    let (reader, recovered) = Reader::open(directory.path()).unwrap();
    assert!(recovered.notes.is_empty());
    let audit = reader.audit().unwrap();
    assert!(audit.balances, "{audit:?}");
    assert_eq!(audit.total.stored, 303);
    assert_eq!(audit.total.lines, 303);
    assert_eq!(audit.streams.len(), 3);
    assert_eq!(audit.sinks.len(), 1);
    assert_eq!(audit.sinks[0].record.delivered, 303);
    assert_eq!(audit.sinks[0].pending, 0);
    assert_eq!(audit.file.events, 303);
    let json = serde_json::to_value(&audit).unwrap();
    assert_eq!(json["total"]["stored"], 303);
    assert_eq!(json["sinks"][0]["delivered"], 303);
    let verified = reader.verify().unwrap();
    assert!(verified.sound, "{verified:?}");
    assert_eq!(verified.events, 303);
}

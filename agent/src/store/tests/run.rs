//! Runs without faults: what is sent comes to every sink once and in order, and a later run goes on from there.

use super::rig::{LONG, Lines, Running, options, take};
use crate::flow::Place;
use crate::store::Next;

fn numbers(texts: &[String]) -> Vec<u64> {
    texts
        .iter()
        .map(|text| {
            let after = text.split("number=").nth(1).unwrap();
            after.split(' ').next().unwrap().parse().unwrap()
        })
        .collect()
}

#[test]
fn what_is_sent_comes_to_every_sink_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::start(options(directory.path(), &["a", "b"]));
    let mut lines = Lines::new(3);
    let mut feeds = [running.store.feed("a"), running.store.feed("b")];
    for round in 0..5 {
        running.send(lines.numbered(round * 100, 100));
    }
    for feed in &mut feeds {
        assert_eq!(numbers(&take(feed, 500)), (0..500).collect::<Vec<_>>());
    }
    running.close();
    for feed in &mut feeds {
        assert!(matches!(feed.next(LONG), Next::Ended));
    }
    drop(feeds);
    running.stop();
}

#[test]
fn a_later_run_knows_the_cursors_the_templates_and_what_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(options(directory.path(), &["a"]));
    assert!(running.recovered.cursors.is_empty());
    let mut lines = Lines::new(2);
    let mut feed = running.store.feed("a");
    running.send(lines.numbered(0, 10));
    assert_eq!(take(&mut feed, 10).len(), 10);
    drop(feed);
    running.stop();

    let running = Running::start(options(directory.path(), &["a"]));
    let mut cursors: Vec<_> = running
        .recovered
        .cursors
        .iter()
        .map(|cursor| {
            let Place::File { offset, .. } = cursor.place else {
                panic!("{cursor:?}");
            };
            (
                cursor.stream.id.clone(),
                cursor.stream.origin.name.clone(),
                offset,
            )
        })
        .collect();
    cursors.sort();
    let length = "2026-11-20T17:00:00Z INFO web: request number=0 done\n".len() as u64;
    assert_eq!(
        cursors,
        [
            ("stream-0".to_owned(), "stream-0".to_owned(), 5 * length),
            ("stream-1".to_owned(), "stream-1".to_owned(), 5 * length),
        ]
    );
    assert_eq!(running.recovered.templates.len(), 1);
    assert_eq!(running.recovered.templates[0].count, 10);
    let mut feed = running.store.feed("a");
    running.send(lines.numbered(10, 4));
    assert_eq!(numbers(&take(&mut feed, 4)), [10, 11, 12, 13]);
    drop(feed);
    running.stop();
}

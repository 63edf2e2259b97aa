//! Runs without faults: what is sent comes to every sink once and in order, and a later run goes on from there.

use super::rig::{LONG, Lines, Running, numbers, options, take};
use crate::flow::Place;
use crate::store::{Delivered, Next, Options, RETENTION, WhenFull};

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

#[test]
fn a_sink_that_lags_reads_from_the_file_what_memory_holds_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        window_bytes: 1,
        seal_bytes: 40_000,
        ..options(directory.path(), &["slow"])
    };
    let running = Running::start(options.clone());
    let mut lines = Lines::new(3);
    let mut feed = running.store.feed("slow");
    for round in 0..20 {
        running.send(lines.numbered(round * 100, 100));
    }
    let taken = numbers(&take(&mut feed, 700));
    let count = taken.len() as u64;
    assert_eq!(taken, (0..count).collect::<Vec<_>>());
    drop(feed);
    running.stop();
    // The next run begins where the sink was, on portions made of merged commits.
    let running = Running::start(options);
    let mut feed = running.store.feed("slow");
    let rest = take(&mut feed, 2000 - taken.len());
    assert!(numbers(&rest).into_iter().eq(count..2000));
    drop(feed);
    running.stop();
}

#[test]
fn what_is_handed_out_and_not_acknowledged_comes_again() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(options(directory.path(), &["a"]));
    let mut lines = Lines::new(1);
    running.send(lines.numbered(0, 10));
    let mut feed = running.store.feed("a");
    let Next::Portion(portion, 0) = feed.next(LONG) else {
        panic!("no portion");
    };
    let part = Delivered {
        events: 4,
        ..Delivered::default()
    };
    feed.acknowledge(portion.first + 4, &part);
    drop(feed);
    running.stop();
    let running = Running::start(options(directory.path(), &["a"]));
    let mut feed = running.store.feed("a");
    assert_eq!(numbers(&take(&mut feed, 6)), (4..10).collect::<Vec<_>>());
    drop(feed);
    running.stop();
}

#[test]
fn templates_that_merged_lead_to_what_they_became_in_a_later_run() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(options(directory.path(), &["a"]));
    let mut lines = Lines::new(1);
    let mut feed = running.store.feed("a");
    let names = [
        "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy",
        "mallory", "niaj", "olivia", "peggy", "rupert", "sybil",
    ];
    for name in names {
        let line = format!("session of user {name} opened on the console");
        running.send(lines.batch([(0, line.as_str())]));
        take(&mut feed, 1);
    }
    drop(feed);
    running.stop();
    let running = Running::start(options(directory.path(), &["a"]));
    let known = &running.recovered.templates;
    let mut live: Vec<u64> = known
        .iter()
        .filter(|template| template.alias_of.is_none())
        .map(|template| template.id.0)
        .collect();
    live.sort_unstable();
    assert_eq!(live, lines.live_templates());
    assert!(known.len() > live.len(), "nothing merged");
    let counts: u64 = known.iter().map(|template| template.count).sum();
    assert_eq!(counts, names.len() as u64);
    running.stop();
}

/// Options under which the file is full after some thousand events.
fn small(directory: &std::path::Path, when_full: WhenFull) -> Options {
    Options {
        max_bytes: 3 << 20,
        window_bytes: 1,
        commit_bytes: 256 << 10,
        seal_bytes: 256 << 10,
        when_full,
        ..options(directory, &["a"])
    }
}

/// Lines that hardly compress.
fn noise(seed: u64, count: u64) -> Vec<String> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|n| {
            let mut line = format!("number={} ", seed * count + n);
            for _ in 0..40 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                line.push_str(&format!("{state:016x}"));
            }
            line
        })
        .collect()
}

#[test]
fn a_full_store_drops_the_oldest_events_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(small(directory.path(), WhenFull::DropOldest));
    let mut lines = Lines::new(1);
    let mut feed = running.store.feed("a");
    for round in 0..60 {
        let noise = noise(round, 200);
        running.send(lines.batch(noise.iter().map(|line| (0, line.as_str()))));
    }
    // All of it is in the store once the last of it can be taken.
    let mut expired = 0;
    let mut taken = Vec::new();
    while taken.last() != Some(&(60 * 200 - 1)) {
        match feed.next(LONG) {
            Next::Portion(portion, skip) => {
                let texts = super::rig::texts_of(&portion, skip);
                let delivered = Delivered {
                    events: texts.len() as u64,
                    ..Delivered::default()
                };
                taken.extend(numbers(&texts));
                feed.acknowledge(portion.end(), &delivered);
            }
            Next::Expired { events, reason } => {
                assert_eq!(reason, RETENTION);
                expired += events;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(expired > 0);
    assert_eq!(taken.len() as u64 + expired, 60 * 200);
    assert!(taken.is_sorted());
    drop(feed);
    running.stop();
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(directory.path().join("store.redb")).unwrap();
    assert!(
        file.blocks() * 512 <= 3 << 20,
        "{} bytes",
        file.blocks() * 512
    );
}

#[test]
fn a_full_store_that_may_not_drop_holds_the_sources_back_until_the_sink_has_caught_up() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(small(directory.path(), WhenFull::Block));
    let mut feed = running.store.feed("a");
    let sender = std::thread::spawn(move || {
        let mut lines = Lines::new(1);
        for round in 0..60 {
            let noise = noise(round, 200);
            running.send(lines.batch(noise.iter().map(|line| (0, line.as_str()))));
        }
        running
    });
    while !sender.is_finished() {
        // Blocked sooner or later; every time the sink takes some it goes on.
        let taken = take(&mut feed, 1);
        assert!(!taken.is_empty());
    }
    let running = sender.join().unwrap();
    drop(feed);
    running.stop();
}

//! What the store does when the disk is full, broken or read-only, when its file is damaged, held by somebody else or of a
//! later version: it says so, events go on to the sinks, and it comes back without a restart.

use std::path::Path;
use std::time::Duration;

use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::platter::{Fault, Platter};
use super::rig::{LONG, Lines, Running, numbers, options, take, texts_of};
use crate::store::{DAMAGED, Delivered, Next, Options};

fn on(platter: &Platter, directory: &Path) -> Options {
    Options {
        backend: platter.backend(),
        retry_after: Duration::from_millis(5),
        ..options(directory, &["a"])
    }
}

fn goes_on_and_comes_back(fault: Fault, word: &str) {
    let directory = tempfile::tempdir().unwrap();
    let platter = Platter::default();
    let running = Running::start(on(&platter, directory.path()));
    let mut lines = Lines::new(2);
    let mut feed = running.store.feed("a");
    running.send(lines.numbered(0, 10));
    take(&mut feed, 10);
    platter.fail(fault, 0);
    running.send(lines.numbered(10, 10));
    // Not stored, and delivered all the same.
    assert_eq!(numbers(&take(&mut feed, 10)), (10..20).collect::<Vec<_>>());
    running.wait_until(|ok, detail| !ok && detail.contains(word));
    platter.mend();
    running.wait_until(|ok, _| ok);
    running.send(lines.numbered(20, 10));
    assert_eq!(numbers(&take(&mut feed, 10)), (20..30).collect::<Vec<_>>());
    let audit = running.store.reader().audit().unwrap();
    assert!(audit.balances, "{audit:?}");
    assert_eq!(audit.total.stored, 20);
    assert_eq!(audit.total.dropped(), 10);
    assert_eq!(audit.sinks[0].record.delivered, 30);
    drop(feed);
    running.stop();
}

#[test]
fn a_full_disk_is_said_and_events_go_on() {
    goes_on_and_comes_back(Fault::Full, "the disk is full");
}

#[test]
fn a_broken_disk_is_said_and_events_go_on() {
    goes_on_and_comes_back(Fault::Broken, "the file system reports an error");
}

#[test]
fn a_read_only_disk_is_said_and_events_go_on() {
    goes_on_and_comes_back(Fault::ReadOnly, "cannot be written");
}

#[test]
fn a_fault_that_passes_costs_nothing() {
    for after in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let platter = Platter::default();
        let running = Running::start(on(&platter, directory.path()));
        let mut lines = Lines::new(2);
        let mut feed = running.store.feed("a");
        running.send(lines.numbered(0, 10));
        take(&mut feed, 10);
        platter.fail(Fault::Once, after);
        running.send(lines.numbered(10, 10));
        take(&mut feed, 10);
        running.send(lines.numbered(20, 10));
        take(&mut feed, 10);
        let audit = running.store.reader().audit().unwrap();
        assert!(audit.balances, "{audit:?}");
        assert_eq!(audit.total.stored, 30, "a fault after {after} writes");
        drop(feed);
        running.stop();
    }
}

fn file(directory: &Path) -> std::path::PathBuf {
    directory.join("store.redb")
}

fn set_aside(directory: &Path) -> usize {
    std::fs::read_dir(directory)
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("store.redb.damaged-")
        })
        .count()
}

#[test]
fn stored_events_that_cannot_be_read_for_a_while_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let platter = Platter::default();
    let running = Running::start(Options {
        window_bytes: 1,
        // Nothing of what is to be read is in memory, and every batch is a portion.
        cache_bytes: 0,
        commit_bytes: 1,
        ..on(&platter, directory.path())
    });
    let mut lines = Lines::new(2);
    let mut quick = running.store.feed("b");
    for round in 0..5 {
        running.send(lines.numbered(round * 10, 10));
    }
    take(&mut quick, 50);
    drop(quick);
    let mut feed = running.store.feed("a");
    take(&mut feed, 10);
    platter.fail(Fault::Broken, 0);
    for _ in 0..3 {
        let _ = feed.next(Duration::from_millis(5));
    }
    platter.mend();
    running.send(lines.numbered(50, 10));
    let mut rest = Vec::new();
    while rest.len() < 50 {
        match feed.next(Duration::from_secs(5)) {
            Next::Portion(portion, skip) => {
                let texts = texts_of(&portion, skip);
                let delivered = Delivered {
                    events: texts.len() as u64,
                    ..Delivered::default()
                };
                rest.extend(numbers(&texts));
                feed.acknowledge(portion.end(), &delivered);
            }
            other => panic!("{other:?} after {rest:?}: {:?}", running.detail()),
        }
    }
    assert_eq!(rest, (10..60).collect::<Vec<_>>());
    drop(feed);
    running.stop();
}

#[test]
fn a_file_that_is_no_store_is_set_aside_and_at_most_two_of_them_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..=4 {
        std::fs::write(file(directory.path()), vec![b'x'; 5000]).unwrap();
        let running = Running::start(options(directory.path(), &["a"]));
        assert_eq!(
            running.recovered.notes.len(),
            1,
            "{:?}",
            running.recovered.notes
        );
        assert!(running.recovered.notes[0].contains("damaged"));
        let mut feed = running.store.feed("a");
        running.send(Lines::new(1).numbered(0, 5));
        take(&mut feed, 5);
        running.wait_until(|ok, detail| ok && detail.contains("damaged"));
        drop(feed);
        running.stop();
        assert_eq!(set_aside(directory.path()), round.min(2));
    }
}

#[test]
fn a_file_that_was_cut_short_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(options(directory.path(), &[]));
    running.send(Lines::new(1).numbered(0, 500));
    running.stop();
    let whole = std::fs::read(file(directory.path())).unwrap();
    for length in [1, 100, 5000, whole.len() / 2] {
        std::fs::write(file(directory.path()), &whole[..length]).unwrap();
        let running = Running::start(options(directory.path(), &[]));
        running.wait_until(|ok, _| ok);
        running.send(Lines::new(1).numbered(0, 5));
        running.stop();
    }
}

#[test]
fn bytes_changed_anywhere_in_the_file_never_keep_the_store_from_working() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(Options {
        seal_bytes: 20_000,
        ..options(directory.path(), &["a"])
    });
    let mut lines = Lines::new(3);
    for round in 0..20 {
        running.send(lines.numbered(round * 100, 100));
    }
    running.stop();
    let whole = std::fs::read(file(directory.path())).unwrap();
    let pages = whole.len() / 4096;
    for page in (0..pages).filter(|page| whole[page * 4096..][..4096].iter().any(|byte| *byte != 0))
    {
        let mut bytes = whole.clone();
        for byte in &mut bytes[page * 4096 + 16..][..2000] {
            *byte ^= 0x5a;
        }
        std::fs::write(file(directory.path()), &bytes).unwrap();
        let running = Running::start(options(directory.path(), &["a"]));
        let mut feed = running.store.feed("a");
        let mut lines = Lines::from(&[1 << 30]);
        running.send(lines.numbered(5000, 5));
        loop {
            match feed.next(LONG) {
                Next::Portion(portion, skip) => {
                    let texts = texts_of(&portion, skip);
                    let events = texts.len() as u64;
                    let delivered = Delivered {
                        events,
                        ..Delivered::default()
                    };
                    feed.acknowledge(portion.end(), &delivered);
                    if numbers(&texts).last() == Some(&5004) {
                        break;
                    }
                }
                Next::Expired { .. } => {}
                other => panic!("{other:?} with page {page} damaged: {:?}", running.detail()),
            }
        }
        drop(feed);
        running.stop();
    }
}

#[test]
fn a_damaged_block_is_left_out_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Options {
        seal_bytes: 1,
        commit_bytes: 1,
        ..options(directory.path(), &["a"])
    };
    let running = Running::start(settings.clone());
    let mut lines = Lines::new(1);
    for round in 0..5 {
        running.send(lines.numbered(round * 100, 100));
    }
    running.stop();
    {
        // Another body for the second segment, as if its page had been changed.
        let bodies: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("bodies");
        let db = Database::open(file(directory.path())).unwrap();
        let transaction = db.begin_write().unwrap();
        transaction
            .open_table(bodies)
            .unwrap()
            .insert((100, 0), b"something else".as_slice())
            .unwrap();
        transaction.commit().unwrap();
    }
    let running = Running::start(settings);
    let mut feed = running.store.feed("a");
    let mut taken = Vec::new();
    let mut expired = 0;
    while taken.len() < 400 {
        match feed.next(LONG) {
            Next::Portion(portion, skip) => {
                let texts = texts_of(&portion, skip);
                let delivered = Delivered {
                    events: texts.len() as u64,
                    ..Delivered::default()
                };
                taken.extend(numbers(&texts));
                feed.acknowledge(portion.end(), &delivered);
            }
            Next::Expired { events, reason } => {
                assert_eq!(reason, DAMAGED);
                expired += events;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(expired, 100);
    assert!(taken.into_iter().eq((0..100).chain(200..500)));
    running.wait_until(|ok, detail| ok && detail.contains("1 damaged blocks"));
    let verified = running.store.reader().verify().unwrap();
    assert!(!verified.sound);
    assert_eq!((verified.damaged_blocks, verified.damaged_events), (1, 100));
    let audit = running.store.reader().audit().unwrap();
    assert!(audit.balances, "{audit:?}");
    assert_eq!(audit.sinks[0].record.expired[DAMAGED], 100);
    drop(feed);
    running.stop();
}

#[test]
fn a_file_of_a_later_layout_is_not_touched_and_events_go_on() {
    let directory = tempfile::tempdir().unwrap();
    {
        let meta: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
        let db = Database::create(file(directory.path())).unwrap();
        let transaction = db.begin_write().unwrap();
        transaction
            .open_table(meta)
            .unwrap()
            .insert("layout", 99_u32.to_le_bytes().as_slice())
            .unwrap();
        transaction.commit().unwrap();
    }
    let running = Running::start(options(directory.path(), &["a"]));
    running.wait_until(|ok, detail| !ok && detail.contains("layout 99"));
    let mut feed = running.store.feed("a");
    running.send(Lines::new(1).numbered(0, 5));
    assert_eq!(take(&mut feed, 5).len(), 5);
    drop(feed);
    running.stop();
    let meta: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let db = Database::open(file(directory.path())).unwrap();
    let transaction = db.begin_read().unwrap();
    let layout = transaction.open_table(meta).unwrap().get("layout").unwrap();
    assert_eq!(layout.unwrap().value(), 99_u32.to_le_bytes());
    assert_eq!(transaction.list_tables().unwrap().count(), 1);
    assert_eq!(set_aside(directory.path()), 0);
}

#[test]
fn a_file_that_another_process_has_open_is_taken_over_once_it_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(options(directory.path(), &["a"]));
    running.send(Lines::new(1).numbered(0, 7));
    running.stop();
    let held = Database::open(file(directory.path())).unwrap();
    let running = Running::start(Options {
        wait_for_lock: Duration::ZERO,
        retry_after: Duration::from_millis(5),
        ..options(directory.path(), &["a"])
    });
    running.wait_until(|ok, detail| !ok && detail.contains("another process"));
    let mut lines = Lines::from(&[7 * 52]);
    let mut feed = running.store.feed("a");
    running.send(lines.numbered(7, 5));
    assert_eq!(numbers(&take(&mut feed, 5)), [7, 8, 9, 10, 11]);
    drop(held);
    running.wait_until(|ok, _| ok);
    // What was owed from before comes now, then what is new.
    running.send(lines.numbered(12, 3));
    assert!(
        numbers(&take(&mut feed, 10))
            .into_iter()
            .eq((0..7).chain(12..15))
    );
    let audit = running.store.reader().audit().unwrap();
    assert!(audit.balances, "{audit:?}");
    assert_eq!(audit.total.stored, 10);
    assert_eq!(audit.total.dropped(), 5);
    assert_eq!(audit.sinks[0].record.delivered, 15);
    drop(feed);
    running.stop();
}

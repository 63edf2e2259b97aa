//! Many files, few descriptors, and things that are no log files.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::rig::{Rig, append, config, patterns, temp};
use crate::shutdown::Shutdown;
use crate::source::files::Patterns;
use crate::source::files::follow::Follower;
use crate::source::wake::wake_on;
use crate::source::{Closed, Counters, Message};

#[test]
fn ten_thousand_files_take_turns_with_few_descriptors() {
    const FILES: usize = 10_000;
    let dir = temp();
    let name = |n: usize| dir.path().join(format!("{n}.log"));
    for n in 0..FILES {
        fs::write(name(n), format!("file {n}\n")).unwrap();
    }
    let mut config = config(dir.path());
    config.max_open_files = 100;
    let mut rig = Rig::start(dir.path(), config);
    rig.until("all files", |rig| rig.streams.len() == FILES);
    let first: usize = (0..FILES).map(|n| format!("file {n}\n").len()).sum();
    rig.until_bytes(first);
    assert_eq!(rig.counters.files_known.get(), FILES as u64);
    assert!(rig.counters.files_open.get() <= 100);
    // All of them have given their descriptors back once; each still goes on where it was.
    for n in (0..FILES).step_by(10) {
        append(&name(n), format!("more {n}\n"));
    }
    let second: usize = (0..FILES)
        .step_by(10)
        .map(|n| format!("more {n}\n").len())
        .sum();
    rig.until_bytes(first + second);
    let texts: HashMap<_, _> = rig
        .streams
        .values()
        .map(|told| (told.origin.name.clone(), &told.bytes))
        .collect();
    for n in 0..FILES {
        let more = if n % 10 == 0 {
            format!("more {n}\n")
        } else {
            String::new()
        };
        let real = fs::canonicalize(name(n)).unwrap();
        assert_eq!(
            texts[&*real.to_string_lossy()],
            &format!("file {n}\n{more}").into_bytes()
        );
    }
    assert!(rig.counters.files_open.get() <= 100);
    assert_eq!(rig.counters.files_vanished.get(), 0);
}

#[test]
fn a_renamed_file_is_found_again_although_its_descriptor_was_given_back() {
    let dir = temp();
    let mut config = config(dir.path());
    config.max_open_files = 1;
    let mut rig = Rig::start(dir.path(), config);
    rig.append("a.log", "a1\n");
    rig.until_bytes(3);
    rig.append("b.log", "b1\n");
    rig.until_bytes(6);
    append(&rig.path("a.log"), "a2\n");
    rig.rename("a.log", "a.log.1");
    rig.append("a.log", "a3\n");
    rig.until_closed("a1\na2\n", Closed::Rotated);
    rig.until_bytes(12);
    assert_eq!(rig.texts(), ["a1\na2\n", "b1\n", "a3\n"]);
}

#[test]
fn one_busy_file_does_not_starve_the_others() {
    let dir = temp();
    fs::write(dir.path().join("a.log"), "busy\n".repeat(200_000)).unwrap();
    fs::write(dir.path().join("b.log"), "quiet\n").unwrap();
    let mut config = config(dir.path());
    config.chunk_bytes = 1000;
    let mut rig = Rig::start_with(dir.path(), config, 1);
    rig.until("the quiet file", |rig| {
        rig.texts().iter().any(|text| text == "quiet\n")
    });
    assert!(rig.total() < 10_000, "{}", rig.total());
    rig.until_bytes(1_000_006);
}

#[test]
fn what_is_no_log_file_is_skipped_and_counted_once() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("directory.log")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path("fifo.log"), rustix::fs::Mode::RUSR).unwrap();
    let _socket = UnixListener::bind(path("socket.log")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling.log")).unwrap();
    std::os::unix::fs::symlink("circle.log", path("circle.log")).unwrap();
    fs::write(path("old.log.gz"), "not text").unwrap();
    fs::write(path("a.log"), "text\n").unwrap();
    let mut rig = Rig::start(
        dir.path(),
        patterns(&[format!("{}/*.log*", dir.path().display())]),
    );
    rig.until_bytes(5);
    rig.append("b.log", "text\n");
    rig.until_bytes(10);
    assert!(rig.counters.rescans.get() >= 2);
    assert_eq!(rig.counters.files_not_regular.get(), 3);
    assert_eq!(rig.counters.files_compressed.get(), 1);
    assert_eq!(rig.streams.len(), 2);
}

#[test]
fn a_file_that_may_not_be_read_is_read_once_it_may() {
    let dir = temp();
    let path = dir.path().join("a.log");
    fs::write(&path, "secret\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    assert_eq!(rig.counters.files_unreadable.get(), 1);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    rig.until_bytes(7);
    assert_eq!(rig.counters.files_unreadable.get(), 0);
}

#[test]
fn files_that_come_and_go_do_no_harm() {
    let mut rig = Rig::new();
    let dir = rig.dir.clone();
    let churn = std::thread::spawn(move || {
        for n in 0..3000 {
            let path = dir.join(format!("{}.log", n % 7));
            fs::write(&path, "x\n").unwrap();
            fs::remove_file(&path).unwrap();
        }
    });
    rig.until("the churn", |_| churn.is_finished());
    churn.join().unwrap();
    rig.append("last.log", "last\n");
    rig.until("the last file", |rig| {
        rig.texts().iter().any(|text| text == "last\n")
    });
    rig.until("the end of the others", |rig| {
        rig.streams
            .values()
            .filter(|told| told.closed.is_none())
            .count()
            == 1
    });
    assert!(
        rig.texts()
            .iter()
            .all(|text| ["last\n", "x\n", ""].contains(&text.as_str()))
    );
}

#[test]
fn an_overflow_of_the_kernels_queue_makes_everything_be_looked_at() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > 200_000 {
        eprintln!("skipped: the kernel's queue is too long to fill");
        return;
    }
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    append(&path("a.log"), "a");
    append(&path("b.log"), "b");
    let (sender, receiver) = sync_channel(100);
    let (shutdown, counters) = (Shutdown::new(), Arc::new(Counters::default()));
    let wake = wake_on(&shutdown).unwrap();
    let mut source = Follower::new(
        config(dir.path()),
        sender,
        shutdown,
        wake,
        Arc::clone(&counters),
    );
    // Stepped by hand, so that it does not look while the queue is filled.
    let mut bytes = 0;
    let mut step_until = |wanted: usize| {
        while bytes < wanted {
            assert!(source.step().is_ok());
            for message in receiver.try_iter() {
                if let Message::Bytes { bytes: got, .. } = message {
                    bytes += got.len();
                }
            }
        }
        assert_eq!(bytes, wanted);
    };
    step_until(2);
    // By turns, because the kernel merges equal events that follow each other.
    for _ in 0..=limit / 2 {
        append(&path("a.log"), "a");
        append(&path("b.log"), "b");
    }
    append(&path("after.log"), "told by no event");
    step_until(2 + 2 * (limit / 2 + 1) + 16);
    assert_eq!(counters.inotify_overflows.get(), 1);
}

#[test]
fn the_rescan_finds_what_no_event_tells() {
    let dir = temp();
    let mut config = config(dir.path());
    config.rescan = Duration::from_millis(50);
    let mut rig = Rig::start(dir.path(), config);
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    // Written through a name in a directory that is not watched: the watch of its own directory says nothing.
    let other = temp();
    let Ok(()) = fs::hard_link(rig.path("a.log"), other.path().join("b")) else {
        eprintln!("skipped: no hard links here");
        return;
    };
    append(&other.path().join("b"), "two\n");
    rig.until_bytes(8);
    assert_eq!(rig.streams.len(), 1);
}

#[test]
fn patterns_are_checked() {
    let wrong = |pattern: &str| Patterns::new(&[pattern], &[]).unwrap_err().to_string();
    assert!(wrong("relative/*.log").contains("not absolute"));
    assert!(wrong("/a/../b").contains(".."));
    assert!(wrong("/a/**").contains("ends with **"));
    assert!(wrong("/a/").contains("is a directory"));
    assert!(wrong("/a/[z").contains("no valid glob"));
    assert!(Patterns::new(&["/a"], &["{"]).is_err());
}

#[test]
fn patterns_reach_down_and_leave_out() {
    let dir = temp();
    for (path, text) in [
        ("x.log", "top\n"),
        ("a/x.log", "a\n"),
        ("a/b/c/x.log", "deep\n"),
        ("a/skip/x.log", "no\n"),
        ("a/y.txt", "no\n"),
    ] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let root = dir.path().display();
    let mut config = config(dir.path());
    config.patterns = Patterns::new(
        &[format!("{root}/**/*.log"), format!("{root}/a/x.log")],
        &[format!("{root}/**/skip/*")],
    )
    .unwrap();
    let mut rig = Rig::start(dir.path(), config);
    rig.until_bytes(11);
    fs::create_dir_all(dir.path().join("later/deep")).unwrap();
    append(&dir.path().join("later/deep/z.log"), "later\n");
    rig.until_bytes(17);
    let mut texts = rig.texts();
    texts.sort();
    assert_eq!(texts, ["a\n", "deep\n", "later\n", "top\n"]);
}

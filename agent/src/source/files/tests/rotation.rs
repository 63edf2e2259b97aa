//! Renaming, emptying, deleting, replacing.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::rig::{Rig, append, config, patterns, temp};
use crate::shutdown::Shutdown;
use crate::source::files::Marker;
use crate::source::files::follow::Follower;
use crate::source::wake::wake_on;
use crate::source::{Closed, Counters, Message};

#[test]
fn a_renamed_file_is_read_to_its_end_and_its_successor_from_its_start() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    let mut writer = OpenOptions::new()
        .append(true)
        .open(rig.path("a.log"))
        .unwrap();
    rig.rename("a.log", "a.log.1");
    // The writer has not noticed yet.
    writer.write_all(b"two\n").unwrap();
    rig.append("a.log", "three\n");
    rig.until_closed("one\ntwo\n", Closed::Rotated);
    rig.until_bytes(14);
    let (old, _) = rig.stream("one\ntwo\n");
    let (_, new) = rig.stream("three\n");
    assert_eq!(new.follows, Some(old));
    assert_eq!((new.start, new.closed), (Some(0), None));
    assert_eq!(rig.counters.rotated_renamed.get(), 1);
}

#[test]
fn a_renamed_file_without_a_successor_goes_on() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    rig.rename("a.log", "a.old");
    rig.until("a second walk", |rig| rig.counters.rescans.get() > 1);
    // Its new name is not watched; the next walk, caused by any other name, looks at it.
    rig.append("a.old", "two\n");
    rig.append("b.log", "b\n");
    rig.until_bytes(10);
    assert_eq!(rig.texts(), ["one\ntwo\n", "b\n"]);
    assert_eq!(rig.stream("one\ntwo\n").1.closed, None);
}

#[test]
fn a_rename_to_a_name_that_matches_as_well_changes_nothing() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    rig.rename("a.log", "b.log");
    rig.append("b.log", "two\n");
    rig.until_bytes(8);
    rig.append("a.log", "new\n");
    rig.append("b.log", "three\n");
    rig.until_bytes(18);
    assert_eq!(rig.texts(), ["one\ntwo\nthree\n", "new\n"]);
}

#[test]
fn half_a_line_stays_with_its_file() {
    let mut rig = Rig::new();
    rig.append("a.log", "whole\nha");
    rig.until_bytes(8);
    rig.rename("a.log", "a.log.1");
    rig.append("a.log.1", "lf");
    rig.append("a.log", "next\n");
    rig.until_closed("whole\nhalf", Closed::Rotated);
    rig.until_bytes(15);
    assert_eq!(rig.texts(), ["whole\nhalf", "next\n"]);
}

#[test]
fn an_emptied_file_begins_anew() {
    let mut rig = Rig::new();
    rig.append("a.log", "before\n");
    rig.until_bytes(7);
    fs::copy(rig.path("a.log"), rig.path("a.log.1")).unwrap();
    fs::File::create(rig.path("a.log")).unwrap();
    rig.append("a.log", "x\n");
    rig.until_closed("before\n", Closed::Truncated);
    rig.until_bytes(9);
    assert_eq!(rig.texts(), ["before\n", "x\n"]);
    assert_eq!(rig.counters.rotated_truncated.get(), 1);
}

#[test]
fn a_file_rewritten_longer_in_place_begins_anew() {
    let mut rig = Rig::new();
    rig.append("a.log", "before\n");
    rig.until_bytes(7);
    // One write, so that no look sees it shorter.
    let file = OpenOptions::new()
        .write(true)
        .open(rig.path("a.log"))
        .unwrap();
    file.write_all_at(b"something longer\n", 0).unwrap();
    rig.until_closed("before\n", Closed::Truncated);
    rig.until_bytes(24);
    assert_eq!(rig.texts(), ["before\n", "something longer\n"]);
}

#[test]
fn a_file_rewritten_with_the_same_head_begins_anew() {
    let mut rig = Rig::new();
    let banner = "=".repeat(Marker::MAX) + "\n";
    rig.append("a.log", format!("{banner}old line\n"));
    rig.until_bytes(banner.len() + 9);
    let file = OpenOptions::new()
        .write(true)
        .open(rig.path("a.log"))
        .unwrap();
    file.write_all_at(format!("{banner}new line\nanother\n").as_bytes(), 0)
        .unwrap();
    rig.until_closed(&format!("{banner}old line\n"), Closed::Truncated);
    let new = format!("{banner}new line\nanother\n");
    rig.until_bytes(banner.len() + 9 + new.len());
    assert_eq!(rig.texts()[1], new);
}

#[test]
fn the_hole_that_a_writer_leaves_in_an_emptied_file_is_not_read() {
    let mut rig = Rig::new();
    let before = "b".repeat(9999) + "\n";
    let mut writer = fs::File::create(rig.path("a.log")).unwrap();
    writer.write_all(before.as_bytes()).unwrap();
    rig.until_bytes(10_000);
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(rig.path("a.log"))
        .unwrap();
    // The writer goes on where it was: everything before is a hole.
    writer.write_all(b"after\n").unwrap();
    rig.until_bytes(10_006);
    assert_eq!(rig.texts().last().unwrap(), "after\n");
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    let mut writer = OpenOptions::new()
        .append(true)
        .open(rig.path("a.log"))
        .unwrap();
    writer.write_all(b"two\n").unwrap();
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.until_closed("one\ntwo\n", Closed::Deleted);
    rig.append("a.log", "three\n");
    rig.until_bytes(14);
    assert_eq!(rig.texts(), ["one\ntwo\n", "three\n"]);
    assert_eq!(rig.counters.rotated_deleted.get(), 1);
}

#[test]
fn a_deleted_file_lingers_for_its_writer() {
    let dir = temp();
    let mut config = config(dir.path());
    config.linger = Duration::from_millis(1500);
    let mut rig = Rig::start(dir.path(), config);
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    let mut writer = OpenOptions::new()
        .append(true)
        .open(rig.path("a.log"))
        .unwrap();
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.until("the walk that misses it", |rig| {
        rig.counters.rescans.get() > 1
    });
    writer.write_all(b"two\n").unwrap();
    rig.until_closed("one\ntwo\n", Closed::Deleted);
}

#[test]
fn an_inode_that_is_used_again_is_another_file() {
    let dir = temp();
    let mut config = config(dir.path());
    // No descriptor is kept for both, so that the kernel is free to give the inode again.
    config.max_open_files = 1;
    let mut rig = Rig::start(dir.path(), config);
    // Bytes of the streams that earlier rounds have taken out.
    let mut forgotten = 0;
    for round in 0..20 {
        let text = format!("round {round}\n");
        rig.append("a.log", &text);
        rig.until("the round", |rig| rig.texts().contains(&text));
        rig.append("b.log", "b");
        rig.until("b", |rig| {
            rig.total() == forgotten + rig.texts().concat().len()
                && rig.texts().concat().matches('b').count() == round + 1
        });
        let old = fs::metadata(rig.path("a.log")).unwrap().ino();
        fs::remove_file(rig.path("a.log")).unwrap();
        let next = format!("round {}\n", round + 1);
        rig.append("a.log", &next);
        let again = fs::metadata(rig.path("a.log")).unwrap().ino() == old;
        rig.until("the next round", |rig| rig.texts().contains(&next));
        fs::remove_file(rig.path("a.log")).unwrap();
        rig.until("its end", |rig| {
            rig.streams
                .values()
                .filter(|told| told.closed.is_none())
                .count()
                == 1
        });
        if again {
            return;
        }
        let before = rig.texts().concat().len();
        rig.streams.retain(|_, told| told.closed.is_none());
        forgotten += before - rig.texts().concat().len();
    }
    eprintln!("skipped: this file system does not use inodes again");
}

#[test]
fn a_symlink_that_changes_its_target_is_followed() {
    let dir = temp();
    let (real, links) = (dir.path().join("real"), dir.path().join("links"));
    fs::create_dir(&real).unwrap();
    fs::create_dir(&links).unwrap();
    append(&real.join("0.txt"), "zero\n");
    append(&real.join("1.txt"), "");
    symlink("../real/0.txt", links.join("a.log")).unwrap();
    let mut rig = Rig::start(&links, config(&links));
    rig.until_bytes(5);
    append(&real.join("0.txt"), "more\n");
    rig.until_bytes(10);
    symlink("../real/1.txt", links.join("new")).unwrap();
    fs::rename(links.join("new"), links.join("a.log")).unwrap();
    append(&real.join("1.txt"), "one\n");
    rig.until_closed("zero\nmore\n", Closed::Rotated);
    rig.until_bytes(14);
    let real = fs::canonicalize(real.join("1.txt")).unwrap();
    assert_eq!(rig.stream("one\n").1.origin.name, real.to_string_lossy());
}

#[test]
fn a_file_that_becomes_a_directory_ends() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    fs::remove_file(rig.path("a.log")).unwrap();
    fs::create_dir(rig.path("a.log")).unwrap();
    rig.until_closed("one\n", Closed::Deleted);
    rig.until("the directory counted", |rig| {
        rig.counters.files_not_regular.get() == 1
    });
    fs::remove_dir(rig.path("a.log")).unwrap();
    rig.append("a.log", "two\n");
    rig.until_bytes(8);
}

#[test]
fn a_directory_that_is_made_anew_is_watched_again() {
    let dir = temp();
    let pods = dir.path().join("pods");
    let mut rig = Rig::start(
        dir.path(),
        patterns(&[format!("{}/*/*/*.log", pods.display())]),
    );
    for round in 1..4 {
        let container = pods.join("ns_pod_uid/app");
        fs::create_dir_all(&container).unwrap();
        append(&container.join("0.log"), "first\n");
        rig.until_bytes(round * 13 - 7);
        append(&container.join("0.log"), "second\n");
        rig.until_bytes(round * 13);
        fs::remove_dir_all(&pods).unwrap();
        rig.until("the end", |rig| {
            rig.streams
                .values()
                .all(|told| told.closed == Some(Closed::Deleted))
        });
    }
}

#[test]
fn nothing_is_lost_when_files_rotate_while_the_receiver_is_busy() {
    let dir = temp();
    let mut config = config(dir.path());
    config.chunk_bytes = 1000;
    let mut rig = Rig::start_with(dir.path(), config, 1);
    let mut written = String::new();
    for round in 0..10 {
        let known = rig.counters.files_known.get();
        for line in 0..200 {
            let line = format!("round {round} line {line}\n");
            rig.append("a.log", &line);
            written += &line;
        }
        // The name is given on and the content deleted as soon as the source can have seen it, although nobody receives.
        if round == 0 {
            rig.until_counted("the first file", |counters| counters.files_known.get() > 0);
        } else {
            rig.until_counted("the next file", |counters| {
                counters.files_known.get() > known
            });
        }
        rig.rename("a.log", "a.log.1");
        fs::remove_file(rig.path("a.log.1")).unwrap();
    }
    rig.until("everything", |rig| rig.total() >= written.len());
    assert_eq!(rig.texts().concat(), written);
}

#[test]
fn a_writer_faster_than_the_reader_loses_nothing() {
    let dir = temp();
    let mut config = config(dir.path());
    config.chunk_bytes = 4096;
    config.linger = Duration::from_millis(500);
    let mut rig = Rig::start_with(dir.path(), config, 2);
    let path = rig.path("a.log");
    let writer = std::thread::spawn(move || {
        let mut all = Vec::new();
        for round in 0..5 {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path)
                .unwrap();
            for line in 0..5000 {
                let line = format!("{round} {line} abcdefghijklmnopqrstuvwxyz\n");
                file.write_all(line.as_bytes()).unwrap();
                all.extend(line.into_bytes());
            }
            if round < 4 {
                fs::rename(&path, path.with_extension(format!("log.{round}"))).unwrap();
            }
        }
        all
    });
    let all = {
        rig.until("the writer", |_| writer.is_finished());
        writer.join().unwrap()
    };
    // A file may come and go between two looks: those that were seen must be whole, and the last one must be there.
    rig.until("the last line", |rig| {
        rig.texts()
            .last()
            .is_some_and(|text| text.contains("4 4999 "))
    });
    for text in rig.texts() {
        assert_eq!(text.lines().count(), 5000);
        assert!(String::from_utf8_lossy(&all).contains(&text));
    }
}

#[test]
fn a_file_that_is_rotated_away_before_it_was_looked_at_is_read() {
    let dir = temp();
    let (sender, receiver) = sync_channel(100);
    let (shutdown, counters) = (Shutdown::new(), Arc::new(Counters::default()));
    let wake = wake_on(&shutdown).unwrap();
    let mut source = Follower::new(config(dir.path()), sender, shutdown, wake, counters);
    let path = |name: &str| dir.path().join(name);
    append(&path("a.log"), "one\n");
    let mut told = Vec::new();
    // Stepped by hand, so that both renamings fall between two looks.
    let mut step_until = |wanted: usize| {
        while told.iter().map(Vec::len).sum::<usize>() < wanted {
            assert!(source.step().is_ok());
            told.extend(receiver.try_iter().filter_map(|message| match message {
                Message::Bytes { bytes, .. } => Some(bytes),
                _ => None,
            }));
        }
        told.concat()
    };
    step_until(4);
    fs::rename(path("a.log"), path("a.log.1")).unwrap();
    append(&path("a.log"), "two\n");
    fs::rename(path("a.log"), path("a.log.2")).unwrap();
    append(&path("a.log"), "three\n");
    assert_eq!(step_until(14), b"one\ntwo\nthree\n");
}

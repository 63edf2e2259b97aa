//! What was done to the files while nobody looked is found out at the next start.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use super::rig::{Rig, append, config, patterns, temp};
use crate::source::files::{Config, Marker, Resume};
use crate::source::{Closed, SourceId};

/// A source that has read `text` of `a.log`, and its end.
fn read_before(dir: &Path, config: Config, text: &str) -> Vec<Resume> {
    let mut rig = Rig::start(dir, config);
    rig.append("a.log", text);
    rig.until_bytes(text.len());
    rig.restart()
}

fn again(dir: &Path, mut config: Config, resume: Vec<Resume>) -> Rig {
    config.resume = resume;
    Rig::start(dir, config)
}

/// A text longer than any marker.
fn long(name: &str) -> String {
    (0..20).fold(String::new(), |text, line| {
        text + &format!("{name}, line {line} of a file that is longer than its marker\n")
    })
}

/// The streams in the order of their `follows`, the oldest first, ending with the one of this text.
fn chain(rig: &Rig, last: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next: Option<SourceId> = Some(rig.stream(last).0);
    while let Some(id) = next {
        let told = &rig.streams[&id];
        texts.push(String::from_utf8_lossy(&told.bytes).into_owned());
        next = told.follows;
    }
    texts.reverse();
    texts
}

#[test]
fn several_rotations_while_nobody_looked_are_read_the_oldest_first() {
    for pattern in ["a.log", "*.log", "*.log*"] {
        let dir = temp();
        let path = |name: &str| dir.path().join(name);
        // From before the first start; not to be read ever.
        append(&path("a.log.3"), "ancient\n");
        let include = [path(pattern).display().to_string()];
        let only = patterns(&[path("a.log").display().to_string()]);
        let resume = read_before(dir.path(), only, "one\ntw");
        fs::rename(path("a.log.3"), path("a.log.6")).unwrap();
        append(&path("a.log"), "o\n");
        fs::rename(path("a.log"), path("a.log.3")).unwrap();
        append(&path("a.log.2"), "three\n");
        append(&path("a.log.1"), "four\n");
        append(&path("a.log"), "five\n");
        let mut rig = again(dir.path(), patterns(&include), resume);
        let mut expected = vec!["o\n", "three\n", "four\n", "five\n"];
        rig.until("the last", |rig| {
            rig.texts().iter().any(|text| text == "five\n")
        });
        assert_eq!(chain(&rig, "five\n"), expected, "{pattern}");
        if pattern == "*.log*" {
            // New by this pattern.
            expected.push("ancient\n");
        }
        rig.until_bytes(expected.concat().len());
        let (_, told) = rig.stream("o\n");
        assert_eq!(told.start, Some(6));
        assert_eq!(
            told.resumed.map(|file| file.marker),
            Some(Marker::of(b"one\ntw"))
        );
        assert_eq!(
            told.origin.name,
            rig.stream(expected[3]).1.origin.name.clone()
                + if pattern == "*.log*" { ".3" } else { "" }
        );
    }
}

#[test]
fn a_pods_rotated_files_are_ordered_by_their_dates() {
    let dir = temp();
    let pod = dir.path().join("pods/ns_pod_uid/app");
    fs::create_dir_all(&pod).unwrap();
    let config = || patterns(&[format!("{}/pods/*/*/*.log", dir.path().display())]);
    let path = |name: &str| pod.join(name);
    append(&path("0.log"), "0\n");
    let mut rig = Rig::start(dir.path(), config());
    rig.until_bytes(2);
    let resume = rig.restart();
    append(&path("0.log"), "1\n");
    fs::rename(path("0.log"), path("0.log.20260102-030405")).unwrap();
    // Made in the wrong order.
    append(&path("0.log.20260102-030411"), "3\n");
    append(&path("0.log.20260102-030407"), "2\n");
    append(&path("0.log.20260101-000000"), "older than what was read\n");
    append(&path("0.log"), "4\n");
    let mut rig = again(dir.path(), config(), resume);
    rig.until_bytes(8);
    assert_eq!(chain(&rig, "4\n"), ["1\n", "2\n", "3\n", "4\n"]);
    let told = rig.stream("1\n").1;
    assert_eq!(told.origin.k8s.as_ref().unwrap().pod, "pod");
    rig.until_closed("1\n", Closed::Rotated);
}

#[test]
fn rotated_files_are_read_although_the_one_that_was_read_is_gone() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    let resume = read_before(dir.path(), config(dir.path()), "one\n");
    fs::remove_file(path("a.log")).unwrap();
    append(&path("a.log.1"), "two\n");
    append(&path("a.log"), "three\n");
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_bytes(10);
    assert_eq!(chain(&rig, "three\n"), ["two\n", "three\n"]);
    rig.until_closed("", Closed::Vanished);
    assert!(rig.stream("").1.resumed.is_some());
    assert_eq!(rig.counters.files_vanished.get(), 1);
}

#[test]
fn a_rotated_file_written_within_a_tick_of_the_file_clock_after_the_position_is_read() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    let resume = read_before(dir.path(), config(dir.path()), "one\n");
    let kept_at = resume[0].at.unwrap();
    fs::remove_file(path("a.log")).unwrap();
    append(&path("a.log.1"), "two\n");
    let rotated = fs::File::options().append(true).open(path("a.log.1"));
    let behind = kept_at - Duration::from_millis(4);
    rotated.unwrap().set_modified(behind).unwrap();
    append(&path("a.log"), "three\n");
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_bytes(10);
    assert_eq!(chain(&rig, "three\n"), ["two\n", "three\n"]);
}

#[test]
fn a_stream_is_told_of_again_although_nothing_more_comes() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    rig.append("quiet.log", "quiet\n");
    rig.append("rotated.log", "rotated\n");
    rig.append("ended.log", "ended\n");
    rig.until_bytes(20);
    rig.rename("ended.log", "ended.log.1");
    rig.append("ended.log", "x");
    rig.until_closed("ended\n", Closed::Rotated);
    rig.until_bytes(21);
    let resume = rig.restart();
    fs::rename(path("rotated.log"), path("rotated.log.1")).unwrap();
    append(&path("rotated.log"), "next\n");
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_bytes(5);
    let (next, told) = rig.stream("next\n");
    let before = told.follows.expect("the one before");
    assert!(before < next && rig.streams[&before].resumed.is_some());
    rig.until("its end", |rig| {
        rig.streams[&before].closed == Some(Closed::Rotated)
    });
    // The one that has ended is not told of again.
    let mut names: Vec<_> = rig
        .streams
        .values()
        .map(|told| told.origin.name.rsplit('/').next().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["ended.log", "quiet.log", "rotated.log", "rotated.log"]
    );
    rig.append("quiet.log", "more\n");
    rig.until_bytes(10);
    assert_eq!(rig.stream("more\n").1.start, Some(6));
}

#[test]
fn a_rotated_file_that_was_read_to_its_end_is_not_read_again() {
    let dir = temp();
    let wide = || patterns(&[format!("{}/*.log*", dir.path().display())]);
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    rig.rename("a.log", "a.log.1");
    rig.append("a.log", "two\n");
    rig.until_closed("one\n", Closed::Rotated);
    rig.until_bytes(8);
    let resume = rig.restart();
    append(&dir.path().join("a.log"), "three\n");
    // A writer who is late all the same.
    append(&dir.path().join("a.log.1"), "late\n");
    let mut rig = again(dir.path(), wide(), resume);
    rig.until_bytes(11);
    let mut texts = rig.texts();
    texts.sort();
    assert_eq!(texts, ["late\n", "three\n"]);
}

#[test]
fn an_inode_that_is_used_again_while_nobody_looked_is_another_file() {
    let dir = temp();
    let path = dir.path().join("a.log");
    let resume = read_before(dir.path(), config(dir.path()), "one\n");
    fs::write(&path, "quite another\n").unwrap();
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_bytes(14);
    let told = rig.stream("quite another\n").1;
    assert_eq!((told.start, told.resumed), (Some(0), None));
    rig.until_closed("", Closed::Vanished);
}

#[test]
fn a_file_emptied_while_nobody_looked_and_grown_beyond_is_told_by_its_seam() {
    let dir = temp();
    let path = dir.path().join("a.log");
    let banner = "=".repeat(Marker::MAX) + "\n";
    let old = format!("{banner}old line\n");
    let resume = read_before(dir.path(), config(dir.path()), &old);
    let new = format!("{banner}new line\nand more\n");
    fs::write(&path, &new).unwrap();
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_bytes(new.len());
    assert_eq!(rig.stream(&new).1.start, Some(0));
}

#[test]
fn what_was_copied_before_the_file_was_emptied_is_read_from_the_copy() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    let resume = read_before(dir.path(), config(dir.path()), "one\n");
    append(&path("a.log"), "two\n");
    fs::copy(path("a.log"), path("a.log.1")).unwrap();
    fs::write(path("a.log"), "three\n").unwrap();
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_bytes(10);
    assert_eq!(chain(&rig, "three\n"), ["two\n", "three\n"]);
    assert!(rig.stream("two\n").1.resumed.is_some());
    // After one more start neither comes again.
    let mut resume = rig.restart();
    resume
        .iter_mut()
        .for_each(|resume| resume.finished = resume.offset == 8);
    append(&path("a.log"), "four\n");
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_bytes(5);
    assert_eq!(rig.stream("four\n").1.start, Some(6));
}

#[test]
fn a_symlink_that_was_turned_while_nobody_looked_leaves_nothing_behind() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    append(&path("first.txt"), "one\n");
    symlink(path("first.txt"), path("a.log")).unwrap();
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    rig.until_bytes(4);
    let resume = rig.restart();
    append(&path("first.txt"), "two\n");
    append(&path("second.txt"), "three\n");
    fs::remove_file(path("a.log")).unwrap();
    symlink(path("second.txt"), path("a.log")).unwrap();
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until_closed("two\n", Closed::Rotated);
    rig.until_bytes(10);
    assert_eq!(rig.stream("two\n").1.start, Some(4));
}

#[test]
fn directories_that_are_no_longer_meant_are_not_read() {
    let dir = temp();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    fs::create_dir(&old).unwrap();
    fs::create_dir(&new).unwrap();
    let resume = read_before(&old, config(&old), "one\n");
    append(&old.join("a.log"), "no longer wanted\n");
    fs::rename(old.join("a.log"), old.join("a.log.1")).unwrap();
    append(&new.join("a.log"), "two\n");
    let mut rig = again(&new, config(&new), resume);
    rig.until_bytes(4);
    rig.until_closed("", Closed::Vanished);
}

#[test]
fn thousands_of_positions_whose_files_are_gone_take_no_long_look() {
    const FILES: usize = 1_000;
    let dir = temp();
    let name = |n: usize| dir.path().join(format!("{n}.log"));
    for n in 0..FILES {
        fs::write(name(n), format!("file {n}\n")).unwrap();
    }
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    rig.until("all files", |rig| rig.streams.len() == FILES);
    let resume = rig.restart();
    for n in 0..FILES {
        fs::remove_file(name(n)).unwrap();
        fs::write(name(n), format!("other {n}\n")).unwrap();
    }
    let begun = std::time::Instant::now();
    let mut rig = again(dir.path(), config(dir.path()), resume);
    rig.until("all files", |rig| {
        rig.streams
            .values()
            .filter(|told| told.bytes.starts_with(b"other"))
            .count()
            == FILES
    });
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    assert!(rig.total() < FILES * 12);
}

#[test]
fn a_tail_emptied_before_it_was_read_is_read_from_its_copy() {
    use crate::shutdown::Shutdown;
    use crate::source::files::follow::Follower;
    use crate::source::wake::wake_on;
    use crate::source::{Counters, Message};
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;

    for pattern in ["*.log", "*.log*"] {
        let dir = temp();
        let path = |name: &str| dir.path().join(name);
        let (sender, receiver) = sync_channel(100);
        let (shutdown, counters) = (Shutdown::new(), Arc::new(Counters::default()));
        let wake = wake_on(&shutdown).unwrap();
        let config = patterns(&[path(pattern).display().to_string()]);
        let mut source = Follower::new(config, sender, shutdown, wake, counters);
        let mut bytes = Vec::new();
        // Stepped by hand, so that copying and emptying fall between two looks.
        let begun = std::time::Instant::now();
        let mut step_until = |wanted: usize| {
            while bytes.len() < wanted {
                assert!(begun.elapsed() < super::rig::DEADLINE, "{bytes:?}");
                assert!(source.step().is_ok());
                for message in receiver.try_iter() {
                    if let Message::Bytes { bytes: more, .. } = message {
                        bytes.extend(more);
                    }
                }
            }
            String::from_utf8(bytes.clone()).unwrap()
        };
        let (first, rest, next) = (long("first"), long("rest"), long("next"));
        append(&path("a.log"), &first);
        step_until(first.len());
        append(&path("a.log"), &rest);
        fs::copy(path("a.log"), path("a.log.1")).unwrap();
        fs::write(path("a.log"), "").unwrap();
        append(&path("a.log"), &next[..next.len() / 4]);
        let expected = format!("{first}{rest}{}", &next[..next.len() / 4]);
        assert_eq!(step_until(expected.len()), expected, "{pattern}");
    }
}

//! A first start where much lies about, and files that cannot be read.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::rig::{Rig, append, config, temp};
use crate::source::files::{Resume, Start};

#[test]
fn a_first_start_reads_no_more_than_the_bound_and_counts_the_rest() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    append(&path("a.log"), "0123456\n".repeat(100));
    append(&path("b.log"), "short\n");
    let mut first = config(dir.path());
    first.max_backlog_bytes = Some(20);
    let mut rig = Rig::start(dir.path(), first);
    rig.until_bytes(16 + 6);
    assert_eq!(rig.counters.file_bytes_skipped.get(), 784);
    // A file that comes later is no backlog; nor is what was written while the agent was down.
    rig.append("c.log", "0123456\n".repeat(100));
    rig.until_bytes(16 + 6 + 800);
    let resume = rig.restart();
    append(&path("a.log"), "0123456\n".repeat(100));
    append(&path("d.log"), "0123456\n".repeat(100));
    let mut again = config(dir.path());
    again.max_backlog_bytes = Some(20);
    again.start_at = Start::End;
    again.resume = resume;
    let mut rig = Rig::start(dir.path(), again);
    rig.until_bytes(1600);
    assert_eq!(rig.counters.file_bytes_skipped.get(), 0);
}

#[test]
fn the_smaller_of_tail_and_bound_holds() {
    let dir = temp();
    append(&dir.path().join("a.log"), "0123456\n".repeat(100));
    let mut config = config(dir.path());
    config.max_backlog_bytes = Some(400);
    config.start_at = Start::Tail(17);
    let mut rig = Rig::start(dir.path(), config);
    rig.until_bytes(16);
    assert_eq!(rig.counters.file_bytes_skipped.get(), 784);
}

#[test]
fn the_newest_files_are_read_first() {
    let dir = temp();
    let path = |n: usize| dir.path().join(format!("{n}.log"));
    let order = [3, 0, 4, 1, 2];
    for (age, n) in order.into_iter().enumerate() {
        append(&path(n), format!("{n}\n").repeat(1000));
        let modified = SystemTime::now() - Duration::from_secs(100 * (age as u64 + 1));
        File::options()
            .append(true)
            .open(path(n))
            .unwrap()
            .set_modified(modified)
            .unwrap();
    }
    append(&dir.path().join("empty.log"), "");
    let mut config = config(dir.path());
    config.newest_first = true;
    config.chunk_bytes = 100;
    let mut rig = Rig::start_with(dir.path(), config, 1);
    for (done, n) in order.into_iter().enumerate() {
        rig.until("the next file", |rig| rig.total() > done * 2000);
        // Nothing of a later one before all of the earlier ones.
        assert_eq!(rig.streams.len(), done + 1);
        assert_eq!(
            rig.texts()[done].lines().next(),
            Some(n.to_string().as_str())
        );
        rig.until("its end", |rig| rig.total() >= (done + 1) * 2000);
    }
    // From then on they are files like all others.
    append(&path(2), "more\n");
    append(&path(3), "more\n");
    append(&dir.path().join("empty.log"), "more\n");
    rig.until_bytes(10_015);
}

#[test]
fn a_file_that_fails_to_be_read_is_told_once_and_the_others_go_on() {
    let dir = temp();
    // A regular file whose first byte cannot be read: EIO.
    symlink("/proc/self/mem", dir.path().join("a.log")).unwrap();
    let mut config = config(dir.path());
    config.rescan = Duration::from_millis(20);
    let mut rig = Rig::start(dir.path(), config);
    rig.append("b.log", "fine\n");
    rig.until_bytes(5);
    rig.until("more looks", |rig| rig.counters.rescans.get() > 5);
    assert_eq!(rig.counters.file_errors.get(), 1);
    assert_eq!(rig.counters.files_unreadable.get(), 1);
    assert!(
        rig.counters.file_trouble.get().contains("a.log"),
        "{}",
        rig.counters.file_trouble.get()
    );
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.append("a.log", "fine as well\n");
    rig.until_bytes(18);
    rig.until("no trouble", |rig| {
        rig.counters.file_trouble.get().is_empty()
    });
    assert_eq!(rig.counters.files_unreadable.get(), 0);
}

#[test]
fn a_position_waits_for_a_file_that_cannot_be_read_now() {
    let dir = temp();
    let path = dir.path().join("a.log");
    append(&path, "one\n");
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    rig.until_bytes(4);
    let resume: Vec<Resume> = rig.restart();
    // A link that leads to itself cannot be read, and is gone later.
    let elsewhere = temp();
    let aside = elsewhere.path().join("aside");
    if fs::rename(&path, &aside).is_err() {
        eprintln!("skipped: the temporary directories lie on different file systems");
        return;
    }
    symlink("a.log", &path).unwrap();
    let mut again = config(dir.path());
    again.rescan = Duration::from_millis(20);
    again.resume = resume;
    let mut rig = Rig::start(dir.path(), again);
    fs::remove_file(&path).unwrap();
    append(&aside, "two\n");
    fs::rename(&aside, &path).unwrap();
    rig.until("the rest", |rig| {
        rig.texts().iter().any(|text| text == "two\n")
    });
}

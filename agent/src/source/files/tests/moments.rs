//! One thing happens at each moment of a start in turn, between any two looks at the file system: no line comes again.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::rig::{DEADLINE, append, patterns, temp};
use crate::shutdown::Shutdown;
use crate::source::files::follow::Follower;
use crate::source::files::moment::happen::at_each_moment;
use crate::source::files::{Identity, Marker, Resume};
use crate::source::wake::wake_on;
use crate::source::{Counters, Message};

/// What one source takes of a directory, with `happening` from the `at`th moment of its start on, told how many moments ago
/// that was; none where there are fewer.
fn taken_with(
    dir: &Path,
    resume: Vec<Resume>,
    at: usize,
    happening: impl Fn(usize) + 'static,
    wanted: &str,
) -> Option<Vec<String>> {
    let (sender, receiver) = sync_channel(100_000);
    let (shutdown, counters) = (Shutdown::new(), Arc::new(Counters::default()));
    let wake = wake_on(&shutdown).unwrap();
    let mut config = patterns(&[dir.join("*.log").display().to_string()]);
    config.rescan = Duration::from_millis(1);
    config.resume = resume;
    let mut source = Follower::new(config, sender, shutdown, wake, counters);
    let (moments, is_begun) = (Rc::new(RefCell::new(0_usize)), Rc::new(RefCell::new(false)));
    let (count, begun) = (Rc::clone(&moments), Rc::clone(&is_begun));
    at_each_moment(Some(Box::new(move || {
        *count.borrow_mut() += 1;
        if let Some(since) = count.borrow().checked_sub(at + 1) {
            *begun.borrow_mut() = true;
            happening(since);
        }
    })));
    let deadline = Instant::now() + DEADLINE;
    let mut lines = String::new();
    let mut after = 10;
    // The start, and what comes of it until all is there; a little longer, for what would come twice.
    let mut is_start = true;
    while after > 0 {
        assert!(Instant::now() < deadline, "at moment {at}: {lines:?}");
        assert!(source.step().is_ok());
        if std::mem::take(&mut is_start) && !*is_begun.borrow() {
            at_each_moment(None);
            return None;
        }
        for message in receiver.try_iter() {
            if let Message::Bytes { bytes, .. } = message {
                lines.push_str(&String::from_utf8(bytes).unwrap());
            }
        }
        after -= u32::from(wanted.lines().all(|line| lines.contains(line)));
    }
    at_each_moment(None);
    let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    lines.sort();
    Some(lines)
}

/// Lets `happening` happen at every moment of a start, one after the other.
fn at_every_moment(
    wanted: &str,
    prepare: impl Fn(&Path) -> Vec<Resume>,
    happening: impl Fn(&Path) + Clone + 'static,
) {
    from_every_moment_on(wanted, prepare, move |dir, since| {
        if since == 0 {
            happening(dir);
        }
    });
}

/// The same, and `happening` is called at each moment from there on.
fn from_every_moment_on(
    wanted: &str,
    prepare: impl Fn(&Path) -> Vec<Resume>,
    happening: impl Fn(&Path, usize) + Clone + 'static,
) {
    let mut expected: Vec<&str> = wanted.lines().collect();
    expected.sort_unstable();
    for at in 0.. {
        let dir = temp();
        let resume = prepare(dir.path());
        let (happening, place) = (happening.clone(), dir.path().to_owned());
        let happening = move |since| happening(&place, since);
        let Some(lines) = taken_with(dir.path(), resume, at, happening, wanted) else {
            assert!(at > 5, "a start has more moments than {at}");
            break;
        };
        assert_eq!(lines, expected, "at moment {at}");
    }
}

/// The position of a file of which so many bytes were read.
fn read_to(path: &Path, offset: usize) -> Resume {
    let bytes = fs::read(path).unwrap();
    let metadata = fs::metadata(path).unwrap();
    let file = Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        marker: Marker::of(&bytes[..offset]),
    };
    Resume {
        seam: Some(Marker::before(&bytes[..offset])),
        name: path.with_file_name("0.log").display().to_string(),
        at: Some(SystemTime::now()),
        ..Resume::new(file, offset as u64)
    }
}

fn pack(path: &Path) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    encoder.finish().unwrap()
}

/// Texts with a marker of full length, and with a short one.
fn first_lines() -> [String; 2] {
    ["first\n".to_owned(), format!("first {}\n", "x".repeat(400))]
}

#[test]
fn a_file_renamed_between_the_walk_of_a_start_and_its_opening_is_not_read_again() {
    for first in first_lines() {
        at_every_moment(
            "second\nthird\n",
            |dir| {
                let log = dir.join("0.log");
                append(&log, &first);
                let resume = read_to(&log, first.len());
                append(&log, "second\n");
                vec![resume]
            },
            |dir| {
                fs::rename(dir.join("0.log"), dir.join("0.log.20260102-000001")).unwrap();
                append(&dir.join("0.log"), "third\n");
            },
        );
    }
}

#[test]
fn a_file_whose_compression_ends_during_a_start_is_not_read_again() {
    for (first, is_known) in first_lines()
        .into_iter()
        .zip([true, true])
        .chain([(first_lines()[1].clone(), false)])
    {
        let wanted = if is_known {
            "second\nbetween\nthird\n".to_owned()
        } else {
            format!("{first}second\nbetween\nthird\n")
        };
        at_every_moment(
            &wanted,
            |dir| {
                let (log, aside) = (dir.join("0.log"), dir.join("0.log.20260102-000002"));
                append(&aside, &first);
                // Nobody has read it, although it is older than what is known.
                let between = dir.join("0.log.20260102-000003");
                append(&between, "between\n");
                let hour = Duration::from_secs(3600);
                let between = fs::File::options().append(true).open(between).unwrap();
                between.set_modified(SystemTime::now() - hour).unwrap();
                let resume = if is_known {
                    read_to(&aside, first.len())
                } else {
                    let before = dir.join("0.log.20260102-000001");
                    append(&before, "zeroth\n");
                    read_to(&before, 7)
                };
                append(&aside, "second\n");
                append(&log, "third\n");
                let packed = pack(&aside);
                append(
                    &aside.with_added_extension("gz"),
                    &packed[..packed.len() / 2],
                );
                vec![resume]
            },
            |dir| {
                let aside = dir.join("0.log.20260102-000002");
                fs::write(aside.with_added_extension("gz"), pack(&aside)).unwrap();
                fs::remove_file(aside).unwrap();
            },
        );
    }
}

#[test]
fn a_copy_whose_original_is_emptied_during_a_start_is_not_read_again() {
    for first in first_lines() {
        at_every_moment(
            "second\nthird\n",
            |dir| {
                let log = dir.join("0.log");
                append(&log, &first);
                let resume = read_to(&log, first.len());
                append(&log, "second\n");
                let copy = dir.join("0.log.20260102-000001");
                fs::copy(&log, &copy).unwrap();
                // Long before the start, but after the position was kept.
                let hour = Duration::from_secs(3600);
                let copy = fs::File::options().append(true).open(copy).unwrap();
                copy.set_modified(SystemTime::now() - hour).unwrap();
                let at = Some(SystemTime::now() - 2 * hour);
                vec![Resume { at, ..resume }]
            },
            |dir| {
                fs::write(dir.join("0.log"), "third\n").unwrap();
            },
        );
    }
}

#[test]
fn a_log_emptied_between_the_look_beside_it_and_its_opening_is_read_from_its_copy() {
    for (first, is_packed) in first_lines().into_iter().zip([false, true]) {
        at_every_moment(
            "second\nthird\n",
            |dir| {
                let log = dir.join("0.log");
                append(&log, &first);
                let resume = read_to(&log, first.len());
                // Rotated once while nobody looked: it is not where it was any more.
                fs::rename(&log, dir.join("0.log.20260102-000001")).unwrap();
                append(&log, "second\n");
                vec![resume]
            },
            move |dir| {
                let (log, copy) = (dir.join("0.log"), dir.join("0.log.20260102-000002"));
                fs::copy(&log, &copy).unwrap();
                fs::write(log, "third\n").unwrap();
                if is_packed {
                    fs::write(copy.with_added_extension("gz"), pack(&copy)).unwrap();
                    fs::remove_file(copy).unwrap();
                }
            },
        );
    }
}

#[test]
fn a_copy_that_is_left_to_the_log_is_read_when_the_log_is_emptied_before_its_opening() {
    for first in first_lines() {
        at_every_moment(
            "second\nthird\n",
            |dir| {
                let log = dir.join("0.log");
                append(&log, &first);
                let resume = read_to(&log, first.len());
                fs::rename(&log, dir.join("0.log.20260102-000001")).unwrap();
                append(&log, "second\n");
                let copy = dir.join("0.log.20260102-000002");
                fs::copy(&log, &copy).unwrap();
                // Long before the start: what a log's life is longer than says nothing.
                let hour = Duration::from_secs(3600);
                let copy = fs::File::options().append(true).open(copy).unwrap();
                copy.set_modified(SystemTime::now() - hour).unwrap();
                let at = Some(SystemTime::now() - 2 * hour);
                vec![Resume { at, ..resume }]
            },
            |dir| {
                fs::write(dir.join("0.log"), "third\n").unwrap();
            },
        );
    }
}

#[test]
fn a_log_opened_while_it_was_empty_and_compressed_before_its_turn_is_not_read_again() {
    for first in first_lines() {
        for second in first_lines() {
            let second = second.replace("first", "second");
            at_every_moment(
                &format!("rest\n{second}third\n"),
                |dir| {
                    let (log, aside) = (dir.join("0.log"), dir.join("0.log.20260102-000001"));
                    append(&aside, &first);
                    let resume = read_to(&aside, first.len());
                    append(&aside, "rest\n");
                    append(&log, "");
                    vec![resume]
                },
                move |dir| {
                    let (log, aside) = (dir.join("0.log"), dir.join("0.log.20260102-000002"));
                    append(&log, &second);
                    fs::rename(&log, &aside).unwrap();
                    fs::write(aside.with_added_extension("gz"), pack(&aside)).unwrap();
                    fs::remove_file(aside).unwrap();
                    append(&log, "third\n");
                },
            );
        }
    }
}

#[test]
fn logs_that_are_numbered_anew_several_times_during_a_start_are_read_once_each() {
    const ROTATIONS: usize = 6;
    for (first, pause) in first_lines().into_iter().cycle().zip(1..=3) {
        let rest = first.replace("first", "rest");
        let later: String = (1..=ROTATIONS)
            .map(|line| format!("later {line}\n"))
            .collect();
        from_every_moment_on(
            &format!("{rest}second\n{later}"),
            |dir| {
                let (log, aside) = (dir.join("0.log"), dir.join("0.log.1"));
                append(&aside, &first);
                let resume = read_to(&aside, first.len());
                append(&aside, &rest);
                append(&log, "second\n");
                vec![resume]
            },
            move |dir, since| {
                let rotation = since / pause + 1;
                if rotation > ROTATIONS || since % pause != 0 {
                    return;
                }
                // Two at the end are as they are, the others compressed.
                let numbered = |number: usize| {
                    let more = if number > 2 { ".gz" } else { "" };
                    dir.join(format!("0.log.{number}{more}"))
                };
                for number in (3..=rotation).rev() {
                    fs::rename(numbered(number), numbered(number + 1)).unwrap();
                }
                if rotation > 1 {
                    let packed = numbered(2).with_added_extension("gz");
                    fs::write(&packed, pack(&numbered(2))).unwrap();
                    fs::remove_file(numbered(2)).unwrap();
                    fs::rename(packed, numbered(3)).unwrap();
                }
                fs::rename(numbered(1), numbered(2)).unwrap();
                fs::rename(dir.join("0.log"), numbered(1)).unwrap();
                append(&dir.join("0.log"), format!("later {rotation}\n"));
            },
        );
    }
}

//! Rotated files that were compressed.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::rig::{Rig, append, config, patterns, temp};
use crate::source::Closed;
use crate::source::files::{Marker, Resume};

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// As `gzip FILE` does it.
fn compress(path: &Path) {
    let packed = gzip(fs::read(path).unwrap());
    fs::write(
        path.with_file_name(format!("{}.gz", path.file_name().unwrap().display())),
        packed,
    )
    .unwrap();
    fs::remove_file(path).unwrap();
}

/// Lines that are longer than a marker altogether, and not to be told apart by their first bytes.
fn lines(from: usize, to: usize) -> String {
    (from..to).fold("banner ".repeat(50) + "\n", |text, line| {
        text + &format!("line {line} of many\n")
    })
}

#[test]
fn the_rest_of_a_file_that_was_compressed_while_nobody_looked_is_read_once() {
    for (first, rest) in [
        ("one\n".to_owned(), "two\n".to_owned()),
        (lines(0, 5000), lines(5000, 6000)),
    ] {
        let dir = temp();
        let path = |name: &str| dir.path().join(name);
        let mut rig = Rig::start(dir.path(), config(dir.path()));
        rig.append("a.log", &first);
        rig.until_bytes(first.len());
        let file = rig.stream(&first).1.file;
        let resume = rig.restart();
        append(&path("a.log"), &rest);
        fs::rename(path("a.log"), path("a.log.2")).unwrap();
        compress(&path("a.log.2"));
        append(&path("a.log.1"), "between\n");
        compress(&path("a.log.1"));
        append(&path("a.log"), "next\n");
        let mut again = config(dir.path());
        again.resume = resume;
        again.chunk_bytes = 1000;
        let mut rig = Rig::start(dir.path(), again);
        rig.until_closed(&rest, Closed::Rotated);
        rig.until_closed("between\n", Closed::Rotated);
        rig.until_bytes(rest.len() + 13);
        let (old, told) = rig.stream(&rest);
        // The same stream as before: its events have the same ids.
        assert_eq!(
            (told.start, told.resumed),
            (Some(first.len() as u64), Some(file))
        );
        assert_eq!(
            (told.file.inode, told.file.device),
            (file.inode, file.device)
        );
        let (between, told) = rig.stream("between\n");
        assert_eq!(told.follows, Some(old));
        assert_eq!(rig.stream("next\n").1.follows, Some(between));
        let resume = rig.restart();
        let mut again = patterns(&[
            format!("{}/*.log", dir.path().display()),
            format!("{}/*.gz", dir.path().display()),
        ]);
        again.resume = resume;
        let mut rig = Rig::start(dir.path(), again);
        rig.append("a.log", "last\n");
        rig.until_bytes(5);
    }
}

#[test]
fn a_compressed_file_is_not_read_unless_it_is_meant() {
    let dir = temp();
    fs::write(dir.path().join("a.log.1.gz"), gzip("old\n")).unwrap();
    let mut rig = Rig::start(
        dir.path(),
        patterns(&[format!("{}/*.log*", dir.path().display())]),
    );
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    assert_eq!(rig.counters.files_compressed.get(), 1);
    drop(rig);

    let meant = || {
        patterns(&[
            format!("{}/*.log", dir.path().display()),
            format!("{}/*.gz", dir.path().display()),
        ])
    };
    fs::write(dir.path().join("not.gz"), "no gzip at all\n").unwrap();
    let mut rig = Rig::start(dir.path(), meant());
    rig.until_closed("old\n", Closed::Rotated);
    rig.until_bytes(8);
    assert_eq!(rig.counters.file_bytes_decompressed.get(), 4);
    let resume = rig.restart();
    let mut config = meant();
    config.resume = resume;
    let mut rig = Rig::start(dir.path(), config);
    rig.append("a.log", "two\n");
    rig.until_bytes(4);
}

#[test]
fn a_file_that_is_compressed_while_it_is_followed_is_not_read_twice() {
    let dir = temp();
    let config = patterns(&[
        format!("{}/*.log", dir.path().display()),
        format!("{}/*.gz", dir.path().display()),
    ]);
    let mut rig = Rig::start(dir.path(), config);
    let (first, second) = (lines(0, 100), lines(100, 200));
    rig.append("a.log", &first);
    rig.until_bytes(first.len());
    rig.rename("a.log", "a.log.1");
    rig.append("a.log", &second);
    rig.until_closed(&first, Closed::Rotated);
    compress(&rig.path("a.log.1"));
    // Begins alike, and is new.
    fs::write(rig.path("b.gz"), gzip(lines(200, 300))).unwrap();
    rig.until_closed(&lines(200, 300), Closed::Rotated);
    rig.until_bytes(first.len() + second.len() + lines(200, 300).len());
}

#[test]
fn a_compressed_file_that_comes_piece_by_piece_is_read_to_its_end() {
    let dir = temp();
    let packed = gzip(
        (0..20_000)
            .map(|n| format!("{:x}\n", n * 7919))
            .collect::<String>(),
    );
    let text = (0..20_000)
        .map(|n| format!("{:x}\n", n * 7919))
        .collect::<String>();
    let (first, rest) = packed.split_at(packed.len() / 2);
    fs::write(dir.path().join("a.gz"), first).unwrap();
    let mut rig = Rig::start(
        dir.path(),
        patterns(&[format!("{}/*.gz", dir.path().display())]),
    );
    rig.until("a beginning", |rig| rig.total() > 1000);
    rig.append("a.gz", rest);
    rig.until_closed(&text, Closed::Rotated);
    rig.until_bytes(text.len());
}

#[test]
fn a_damaged_compressed_file_ends_without_harm() {
    let dir = temp();
    let mut packed = gzip(
        (0..20_000)
            .map(|n| format!("{:x}\n", n * 7919))
            .collect::<String>(),
    );
    let middle = packed.len() / 2;
    packed.truncate(middle);
    packed.extend(std::iter::repeat_n(0xff, 4096));
    fs::write(dir.path().join("a.gz"), &packed).unwrap();
    let mut rig = Rig::start(
        dir.path(),
        patterns(&[format!("{}/*.gz", dir.path().display())]),
    );
    rig.until("its end", |rig| {
        rig.streams
            .values()
            .any(|told| told.closed == Some(Closed::Failed))
    });
    assert_eq!(rig.counters.file_errors.get(), 1);
    fs::write(dir.path().join("b.gz"), gzip("fine\n")).unwrap();
    rig.until_closed("fine\n", Closed::Rotated);
}

#[test]
fn a_file_compressed_while_its_descriptor_was_given_back_is_read_on_from_there() {
    let dir = temp();
    let mut config = config(dir.path());
    config.max_open_files = 1;
    let mut rig = Rig::start(dir.path(), config);
    let first = lines(0, 50);
    rig.append("a.log", &first);
    rig.until_bytes(first.len());
    rig.append("b.log", "b\n");
    rig.until_bytes(first.len() + 2);
    // One step for the watcher: written, renamed, compressed.
    let whole = format!("{first}rest\n");
    fs::write(dir.path().join("a.log.1.gz"), gzip(&whole)).unwrap();
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.append("a.log", "next\n");
    rig.until("the rest", |rig| rig.texts().contains(&whole));
    rig.until_bytes(whole.len() + 7);
}

/// What a keeper knows after a run: the positions from before, with those of the run in their place.
fn keep(kept: &mut Vec<Resume>, rig: &Rig) {
    for told in rig.streams.values() {
        let before = told
            .resumed
            .and_then(|file| kept.iter().position(|resume| resume.file == file))
            .map(|at| kept.remove(at));
        let (offset, seam) = match (told.start, before) {
            (Some(start), _) => (
                start + told.bytes.len() as u64,
                Some(Marker::before(&told.bytes)),
            ),
            (None, Some(before)) => (before.offset, before.seam),
            (None, None) => continue,
        };
        kept.push(Resume {
            finished: told.closed.is_some(),
            seam,
            name: told.origin.name.clone(),
            at: Some(SystemTime::now()),
            ..Resume::new(told.file, offset)
        });
    }
}

#[test]
fn stops_at_any_moment_between_rotations_and_compressions_lose_and_repeat_nothing() {
    for seed in 1..=12_u64 {
        let mut state = seed;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let dir = temp();
        let log = dir.path().join("0.log");
        let (mut lines, mut rotations, mut previous) = (0, 0, None);
        let mut kept: Vec<Resume> = Vec::new();
        let mut got: Vec<u64> = Vec::new();
        // As a kubelet does: the one before the last rotation is compressed.
        let mut write = |random: &mut dyn FnMut(u64) -> u64| {
            for _ in 0..=random(4) {
                for _ in 0..random(40) {
                    append(&log, format!("line {lines}\n"));
                    lines += 1;
                }
                if random(2) == 0 && log.exists() {
                    rotations += 1;
                    let rotated = dir.path().join(format!("0.log.20260102-{rotations:06}"));
                    if let Some(previous) = previous.replace(rotated.clone()) {
                        compress(&previous);
                    }
                    fs::rename(&log, rotated).unwrap();
                }
            }
            lines
        };
        append(&dir.path().join("0.log"), "line of the first start\n");
        for run in 0..8 {
            let mut config = config(dir.path());
            config.chunk_bytes = 64;
            config.resume = kept.clone();
            config.linger = std::time::Duration::from_millis(random(30));
            let mut rig = Rig::start_with(dir.path(), config, 2);
            if run == 0 {
                rig.until_bytes(24);
            } else {
                // Any moment, and at the last run the end.
                let stop = random(3000) as usize;
                let wanted = write(&mut random);
                let all = |rig: &Rig| {
                    let new: usize = rig
                        .texts()
                        .iter()
                        .map(|text| text.matches('\n').count())
                        .sum();
                    got.len() + new >= wanted
                };
                rig.until("the moment", |rig| {
                    all(rig) || (run < 7 && rig.total() >= stop)
                });
            }
            // A half line is read again: what is kept ends with a line.
            for told in rig.streams.values_mut() {
                let whole = told.bytes.iter().rposition(|byte| *byte == b'\n');
                told.bytes.truncate(whole.map_or(0, |at| at + 1));
            }
            for text in rig.texts() {
                got.extend(
                    text.lines()
                        .filter_map(|line| line.strip_prefix("line ")?.parse::<u64>().ok()),
                );
            }
            keep(&mut kept, &rig);
            drop(rig);
            if run < 7 {
                write(&mut random);
            }
        }
        let total = write(&mut |_| 0);
        got.sort_unstable();
        let expected: Vec<u64> = (0..total as u64).collect();
        assert_eq!(got, expected, "seed {seed}");
    }
}

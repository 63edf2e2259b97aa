use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Rotating;
use crate::config::sinks::{File, StdoutFormat};

fn settings(path: &Path) -> File {
    File {
        path: path.to_owned(),
        format: StdoutFormat::Json,
        max_bytes: None,
        max_age: None,
        keep: None,
        gzip: false,
        sync: false,
    }
}

/// What was put aside, oldest first.
fn aside(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|found| found != path)
        .collect();
    found.sort();
    found
}

fn tidied(file: &mut Rotating) {
    if let Some(thread) = file.tidying.take() {
        thread.join().unwrap();
    }
}

#[test]
fn a_full_file_is_put_aside_and_no_line_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/events.json");
    let mut file = Rotating::new(&File {
        max_bytes: Some(1_000),
        ..settings(&path)
    });
    let lines: Vec<String> = (0..300)
        .map(|n| format!("line {n} {}\n", "x".repeat(20)))
        .collect();
    for line in &lines {
        file.append(line.as_bytes()).unwrap();
    }
    tidied(&mut file);
    let old = aside(&path);
    assert!(old.len() >= 8, "{old:?}");
    let mut all = String::new();
    for part in old.iter().chain([&path]) {
        assert!(fs::metadata(part).unwrap().len() <= 1_000);
        all += &fs::read_to_string(part).unwrap();
    }
    assert_eq!(all, lines.concat());
}

#[test]
fn of_the_old_ones_the_newest_are_kept_and_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.json");
    // A neighbour that only looks like one, and what a run that was killed left behind.
    fs::write(dir.path().join("events.json.bak"), "mine").unwrap();
    fs::write(
        dir.path().join("events.json.20200101T000000000Z.gz.part"),
        "half",
    )
    .unwrap();
    fs::write(
        dir.path().join("events.json.20200101T000000000Z"),
        "oldest\n",
    )
    .unwrap();
    let mut file = Rotating::new(&File {
        max_bytes: Some(10),
        keep: Some(3),
        gzip: true,
        ..settings(&path)
    });
    for n in 0..7 {
        file.append(format!("number {n}\n").as_bytes()).unwrap();
        tidied(&mut file);
    }
    let old = aside(&path);
    let names: Vec<&str> = old
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names[3], "events.json.bak");
    let texts: Vec<String> = old[..3]
        .iter()
        .map(|path| {
            assert_eq!(path.extension().unwrap(), "gz");
            let mut text = String::new();
            flate2::read::GzDecoder::new(fs::File::open(path).unwrap())
                .read_to_string(&mut text)
                .unwrap();
            text
        })
        .collect();
    assert_eq!(texts, ["number 3\n", "number 4\n", "number 5\n"]);
}

#[test]
fn an_old_file_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.json");
    let mut file = Rotating::new(&File {
        max_age: Some(Duration::from_millis(300)),
        ..settings(&path)
    });
    let begin = Instant::now();
    file.append(b"one\n").unwrap();
    file.append(b"two\n").unwrap();
    if begin.elapsed() < Duration::from_millis(300) {
        assert!(aside(&path).is_empty());
    }
    std::thread::sleep(Duration::from_millis(310));
    file.append(b"three\n").unwrap();
    tidied(&mut file);
    assert_eq!(aside(&path).len(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
}

#[test]
fn a_line_that_an_earlier_run_did_not_finish_is_taken_back_if_it_is_ours() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.json");
    for (left, mended) in [
        ("{\"line\":\"a\"}\n{\"line\":\"b", "{\"line\":\"a\"}\n"),
        ("{\"line\":\"b", ""),
        ("{\"li", ""),
        ("{\"line\":\"a\"}\n", "{\"line\":\"a\"}\n"),
        ("somebody else's", "somebody else's\n"),
        ("", ""),
    ] {
        fs::write(&path, left).unwrap();
        Rotating::new(&settings(&path)).append(b"new\n").unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{mended}new\n"),
            "{left}"
        );
    }
}

#[test]
fn a_file_that_somebody_moved_or_deleted_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.json");
    let mut file = Rotating::new(&settings(&path));
    file.append(b"one\n").unwrap();
    fs::rename(&path, dir.path().join("moved")).unwrap();
    file.append(b"two\n").unwrap();
    fs::remove_file(&path).unwrap();
    file.append(b"three\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    assert_eq!(
        fs::read_to_string(dir.path().join("moved")).unwrap(),
        "one\n"
    );
}

#[test]
fn a_directory_in_the_way_is_an_error_and_no_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.json");
    fs::create_dir(&path).unwrap();
    let mut file = Rotating::new(&settings(&path));
    assert!(file.append(b"one\n").is_err());
    fs::remove_dir(&path).unwrap();
    file.append(b"one\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
}

//! Lines that come soon behind others wait for more, a little: read they are at once, so that whatever becomes of the file, they
//! are there.

use std::fs;
use std::time::Duration;

use super::rig::{Rig, config, temp};

/// A source that gathers for longer than any test takes; it has sent the first line of `a.log` and read the second.
fn with_a_line_that_waits(dir: &std::path::Path) -> Rig {
    let mut config = config(dir);
    config.gather = Duration::from_secs(3600);
    let mut rig = Rig::start(dir, config);
    rig.append("a.log", "first\n");
    rig.until_bytes(6);
    rig.append("a.log", "second\n");
    rig.until_counted("a line that was read", |counters| {
        counters.file_bytes.get() == 13
    });
    rig
}

#[test]
fn what_comes_after_a_silence_is_sent_at_once_and_what_comes_behind_it_once_it_is_much() {
    let dir = temp();
    let mut rig = with_a_line_that_waits(dir.path());
    rig.assert_nothing_sent();
    // In the middle of what waits another file begins, and its lines are their own.
    rig.append("b.log", "other\n");
    rig.until_counted("a line that was read", |counters| {
        counters.file_bytes.get() == 19
    });
    let much = "more than may wait\n".repeat(4_000);
    rig.append("a.log", &much);
    rig.until_bytes(19 + much.len());
    let mut texts = rig.texts();
    texts.sort();
    assert_eq!(
        texts,
        [format!("first\nsecond\n{much}"), "other\n".to_owned()]
    );
}

#[test]
fn what_waits_is_sent_when_the_source_ends_even_if_its_file_is_gone() {
    let dir = temp();
    let mut rig = with_a_line_that_waits(dir.path());
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.shut_down();
    assert_eq!(rig.texts(), ["first\nsecond\n"]);
}

#[test]
fn what_waits_goes_when_its_time_has_come() {
    let dir = temp();
    let mut config = config(dir.path());
    config.gather = Duration::from_millis(30);
    let mut rig = Rig::start(dir.path(), config);
    for n in 1..=20 {
        rig.append("a.log", "line\n");
        rig.until_bytes(5 * n);
    }
    assert_eq!(rig.texts(), ["line\n".repeat(20)]);
}

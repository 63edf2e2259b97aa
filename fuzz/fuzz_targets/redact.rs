//! Any bytes: findings lie in the text in its order, redacting twice is redacting once, and what is not found stays as it is.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use logline::redact::{Counts, Detectors, RedactOptions, Redactor};

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| {
    Redactor::new(&RedactOptions {
        detectors: Detectors::ALL,
        own: Vec::new(),
    })
    .unwrap()
});

fuzz_target!(|text: &[u8]| {
    let mut found = Vec::new();
    REDACTOR.find(text, &mut found);
    let (mut out, mut counts) = (b"before".to_vec(), Counts::default());
    let changed = REDACTOR.redact(text, &mut out, &mut counts);
    assert_eq!(changed, !found.is_empty());
    assert_eq!(counts.total(), found.len() as u64);
    if !changed {
        assert_eq!(out, b"before");
        return;
    }
    let mut left = &out[..];
    let mut at = 0;
    for finding in &found {
        assert!(at <= finding.start && finding.start < finding.end && finding.end <= text.len());
        let kept = &text[at..finding.start];
        assert_eq!(&left[..kept.len()], kept);
        left = &left[kept.len() + "[redacted:]".len() + REDACTOR.name(finding).len()..];
        at = finding.end;
    }
    assert_eq!(left, &text[at..]);
    let mut twice = Vec::new();
    assert!(
        !REDACTOR.redact(&out, &mut twice, &mut counts),
        "{}\n{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&twice)
    );
});

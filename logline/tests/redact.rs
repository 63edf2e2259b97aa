//! What is replaced and what is left alone, as data: `tests/golden/redact/`; and how much of real logs is changed.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests, too.

use std::{fs, path::PathBuf};

use logline::redact::{
    Counts, Detector, Detectors, Finding, OwnPattern, RedactOptions, Redactor, Refused,
};

fn golden(name: &str) -> String {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/golden/redact/"
    ));
    fs::read_to_string(path.join(name)).unwrap()
}

fn redactor() -> Redactor {
    Redactor::new(&RedactOptions::default()).unwrap()
}

fn redacted(redactor: &Redactor, text: &str) -> Option<String> {
    let mut out = b"untouched".to_vec();
    if redactor.redact(text.as_bytes(), &mut out, &mut Counts::default()) {
        return Some(String::from_utf8(out).unwrap());
    }
    assert_eq!(out, b"untouched");
    None
}

/// Made-up letters for `{A36}`; others for each place, the same in each run.
fn expand(line: &str) -> String {
    let mut seed = 7_u64;
    let mut next = |alphabet: &[u8]| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(alphabet[(seed >> 33) as usize % alphabet.len()])
    };
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let spec = after.split_once('}').and_then(|(spec, after)| {
            let alphabet: &[u8] = match spec.get(..1)? {
                "A" => b"aB3dEf5hJ7kLm9pQrS2tUv4wXy6zC8gN",
                "H" => b"0123456789abcdef",
                "U" => b"ABCDEFGHJKLMNPQR234567STUVWXYZ",
                "B" => b"aB3dEf5hJ7kLm9pQrS2tUv4wXy6zC8gN+/",
                "N" => b"1234567890",
                _ => return None,
            };
            Some((alphabet, spec[1..].parse::<usize>().ok()?, after))
        });
        match spec {
            Some((alphabet, count, after)) => {
                out.extend((0..count).map(|_| next(alphabet)));
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}

#[test]
fn secrets_are_replaced_and_nothing_else() {
    let redactor = redactor();
    let mut wrong = Vec::new();
    let mut cases = 0;
    for line in golden("secrets.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        cases += 1;
        let (names, marked) = line.split_once(" | ").unwrap();
        let marked = expand(&marked.replace('⏎', "\n"));
        // A value that is cut off has no closing mark.
        let text = marked.replace(['«', '»'], "");
        let mut names = names.split(',');
        let mut want = String::new();
        for (index, part) in marked.split('«').enumerate() {
            if index == 0 {
                want.push_str(part);
                continue;
            }
            want.push_str(&format!("[redacted:{}]", names.next().unwrap()));
            want.push_str(part.split_once('»').map_or("", |it| it.1));
        }
        let got = redacted(&redactor, &text);
        if got.as_deref() != Some(&want) {
            wrong.push(format!(
                "text {text}\nwant {want}\ngot  {}",
                got.unwrap_or_default()
            ));
        } else if let Some(again) = redacted(&redactor, &want) {
            wrong.push(format!("twice {want}\ngot   {again}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} wrong",
        wrong.join("\n\n"),
        wrong.len()
    );
    assert!(cases > 120);
}

#[test]
fn prose_is_left_alone() {
    let redactor = redactor();
    let lines = golden("prose.txt");
    let changed: Vec<String> = lines
        .lines()
        .filter_map(|line| redacted(&redactor, line).map(|got| format!("{line}\n  {got}")))
        .collect();
    assert!(
        changed.is_empty(),
        "{}\n{} changed",
        changed.join("\n"),
        changed.len()
    );
    assert!(lines.lines().count() >= 150);
    // The same in one text of many lines, as a stack trace is.
    assert_eq!(redacted(&redactor, &lines), None);
}

/// Skipped, with a word, where the logs are not at hand.
#[test]
fn real_logs_stay_readable() {
    let eval = std::env::var_os("LOGSIEVE_EVAL").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/eval")),
        PathBuf::from,
    );
    if !eval.is_dir() {
        println!("SKIPPED: no evaluation data at {}", eval.display());
        return;
    }
    let redactor = redactor();
    let (mut lines, mut changed) = (0, 0);
    let mut found = Vec::new();
    for folder in ["loghub", "zoo"] {
        for entry in fs::read_dir(eval.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|it| it != "log") {
                continue;
            }
            for line in fs::read(path).unwrap().split(|byte| *byte == b'\n') {
                lines += 1;
                redactor.find(line, &mut found);
                changed += usize::from(!found.is_empty());
            }
        }
    }
    println!("{changed} of {lines} lines changed");
    assert!(
        lines > 10_000 && changed * 1000 <= lines,
        "{changed} of {lines}"
    );
}

#[test]
fn detectors_can_be_turned_off_one_by_one() {
    let text = b"password=hunter2 card 4111111111111111 bob@example.com";
    let only = |detector| {
        let redactor = Redactor::new(&RedactOptions {
            detectors: Detectors::NONE.with(detector),
            own: Vec::new(),
        })
        .unwrap();
        let mut found = Vec::new();
        redactor.find(text, &mut found);
        found
    };
    let finding = |start, end, detector| Finding {
        start,
        end,
        detector,
        own: 0,
    };
    assert_eq!(
        only(Detector::Password),
        [finding(9, 16, Detector::Password)]
    );
    assert_eq!(
        only(Detector::CreditCard),
        [finding(22, 38, Detector::CreditCard)]
    );
    assert_eq!(only(Detector::Email), [finding(39, 54, Detector::Email)]);
    assert_eq!(only(Detector::Jwt), []);
}

#[test]
fn what_is_found_is_counted() {
    let redactor = Redactor::new(&RedactOptions {
        detectors: Detectors::ALL,
        own: vec![
            own("never", "zzzzzz"),
            own("badge", r"badge=(?P<secret>\d{4})"),
        ],
    })
    .unwrap();
    let mut counts = Counts::default();
    let mut out = Vec::new();
    assert!(redactor.redact(
        b"password=hunter2 pwd=hunter3 badge=1234 postgres://bob:hunter2@db.example.com/ bob@example.com",
        &mut out,
        &mut counts
    ));
    assert_eq!(
        String::from_utf8_lossy(&out),
        "password=[redacted:password] pwd=[redacted:password] badge=[redacted:badge] \
         postgres://bob:[redacted:url_password]@db.example.com/ [redacted:email]"
    );
    assert_eq!(counts.of(Detector::Password), 2);
    assert_eq!(counts.of(Detector::Email), 1);
    assert_eq!(counts.of(Detector::Own), 1);
    assert_eq!(
        (counts.of_own(0), counts.of_own(1), counts.of_own(2)),
        (0, 1, 0)
    );
    assert_eq!(counts.total(), 5);
}

fn own(name: &str, regex: &str) -> OwnPattern {
    OwnPattern {
        name: name.to_owned(),
        regex: regex.to_owned(),
    }
}

#[test]
fn own_patterns_that_cannot_be_used_are_refused_by_name() {
    let refused = |own: Vec<OwnPattern>| {
        let error = Redactor::new(&RedactOptions {
            own,
            ..RedactOptions::default()
        })
        .unwrap_err();
        (error.name, error.why)
    };
    for empty in ["x*", "^", r"\b", "a|", "(?:)"] {
        assert_eq!(
            refused(vec![own("good", "x"), own("bad", empty)]),
            ("bad".to_owned(), Refused::Empty),
            "{empty}"
        );
    }
    assert!(matches!(
        refused(vec![own("bad", "(x")]).1,
        Refused::Syntax(_)
    ));
    assert_eq!(refused(vec![own("bad", r"[^\x00-\xff]")]).1, Refused::Never);
    assert_eq!(refused(vec![own("Bad name", "x")]).1, Refused::Name);
    assert_eq!(refused(vec![own("jwt", "x")]).1, Refused::Taken);
    assert_eq!(
        refused(vec![own("a", "x"), own("a", "y")]).1,
        Refused::Taken
    );
    assert_eq!(
        refused(vec![own("bad", "(x{1000}){1000}")]).1,
        Refused::Large
    );
    let many = (0..101).map(|it| own(&format!("p{it}"), "x")).collect();
    assert!(matches!(refused(many).1, Refused::Many(_)));
}

#[test]
fn own_patterns_and_detectors_share_a_text() {
    let redactor = Redactor::new(&RedactOptions {
        own: vec![own("line", "user=.*")],
        ..RedactOptions::default()
    })
    .unwrap();
    let once = redacted(&redactor, "a user=bob password=hunter2 b").unwrap();
    assert_eq!(once, "a [redacted:line]");
    assert_eq!(redacted(&redactor, &once), None);
    // What was replaced before is no secret, but what stands beside it may be.
    assert_eq!(
        redacted(&redactor, "user=x [redacted:token]").as_deref(),
        Some("[redacted:line]")
    );
}

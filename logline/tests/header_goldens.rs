//! What each known head says, as data: `tests/golden/header/*.txt`, one block per line of a log.

use std::{fs, path::Path};

use logline::{
    header::{self, Header},
    level::{self, Level},
    time::{TimeContext, Timestamp},
};

/// 2026-11-20T22:00:00Z
const NOW: TimeContext = TimeContext {
    reference: Some(Timestamp(1_795_212_000_000_000_000)),
    utc_offset_s: 0,
};

const MARKS: [(char, char); 5] = [
    ('⏎', '\n'),
    ('⇥', '\t'),
    ('␛', '\u{1b}'),
    ('␍', '\r'),
    ('␏', '\u{feff}'),
];

fn shown(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for (mark, meant) in MARKS {
        text = text.replace(meant, &mark.to_string());
    }
    text
}

fn meant(text: &str) -> String {
    let mut line = text.to_owned();
    for (mark, meant) in MARKS {
        line = line.replace(mark, &meant.to_string());
    }
    line
}

/// A header in the goldens' own words.
fn describe(line: &[u8], header: &Header<'_>) -> Vec<String> {
    let mut out = vec![format!("format: {}", header.format.as_str())];
    let mut field = |name: &str, value: Option<&[u8]>| {
        if let Some(value) = value {
            out.push(format!("{name}: {}", shown(value)));
        }
    };
    let mut time = Vec::new();
    if let Some(at) = header.timestamp {
        at.write_rfc3339(&mut time);
    }
    field("time", header.timestamp.map(|_| &time[..]));
    field("level", header.level.map(|l| l.as_str().as_bytes()));
    field("logger", header.logger.as_deref());
    field("pid", header.pid);
    field("host", header.host);
    field("request", header.request);
    field("error", header.error.as_deref());
    field(
        "message",
        (*header.message != *line).then_some(&header.message),
    );
    out
}

fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden")
        .join(folder);
    // A folder that cannot be read holds too few cases, which the tests tell.
    let mut files: Vec<_> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            (path.display().to_string(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_known_head_is_told_apart() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for (name, text) in files("header") {
        for block in text.split("\n\n") {
            let mut lines = block.lines().filter(|l| !l.starts_with('#'));
            let Some(line) = lines.next().and_then(|l| l.strip_prefix("> ")) else {
                continue;
            };
            cases += 1;
            let want: Vec<_> = lines.collect();
            let line = meant(line);
            let got = describe(line.as_bytes(), &header::parse(line.as_bytes(), &NOW));
            if got != want {
                wrong.push(format!("{name}\n> {line}\n want {want:#?}\n got {got:#?}"));
            }
        }
    }
    assert!(cases >= 250, "only {cases} cases were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn words_speak_of_a_level_only_where_they_mean_it() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for (name, text) in files("level") {
        for case in text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let Some((want, line)) = case.split_once(' ') else {
                panic!("{name}: no line in {case:?}");
            };
            cases += 1;
            let line = meant(line.trim_start());
            let header = header::parse(line.as_bytes(), &NOW);
            let got = level::of(&header, &header.message).map_or("-", Level::as_str);
            if got != want {
                wrong.push(format!("want {want}, got {got}: {line}"));
            }
        }
    }
    assert!(cases >= 150, "only {cases} cases were found");
    assert!(
        wrong.is_empty(),
        "{}\n{} of {cases}",
        wrong.join("\n"),
        wrong.len()
    );
}

//! Plausible values for the placeholders of a template.

use logline::template::{Kind, render};
use logline::time::Timestamp;

use super::random::Random;

const WORDS: [&str; 16] = [
    "orders", "primary", "worker", "eu-west", "cache", "alpha", "main", "checkout", "session",
    "default", "backup", "ingest", "api", "blue", "users", "index",
];
const HOSTS: [&str; 8] = [
    "db.internal",
    "api.example.com",
    "node-a.example.net",
    "cache.internal",
    "queue.internal",
    "www.example.org",
    "auth.internal",
    "edge.example.net",
];
const PATHS: [&str; 8] = [
    "/var/lib/app/data",
    "/etc/app/config.yaml",
    "/srv/www/index.html",
    "/var/log/app.log",
    "/tmp/upload.part",
    "/opt/app/bin/server",
    "/api/v1/items",
    "/home/app/.cache",
];

/// `template` with a value in place of each placeholder, in one line. `known` are values from a line that the template was
/// made of, used where nothing better can be made up; `now` is the line's time.
pub(super) fn fill(
    template: &str,
    known: &[String],
    random: &mut Random,
    now: Timestamp,
) -> String {
    let mut values: Vec<Vec<u8>> = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let step = match Kind::at_start(rest.as_bytes()) {
            Some(kind) => {
                let known = known.get(values.len()).map(String::as_str);
                values.push(value(kind, known, random, now).into_bytes());
                kind.placeholder().len()
            }
            None => 1,
        };
        rest = rest.get(step..).unwrap_or_default();
    }
    let mut out = Vec::new();
    render(template, values.iter().map(Vec::as_slice), &mut out);
    // A template's text may hold tabs and the like, but a line is a line.
    String::from_utf8_lossy(&out)
        .chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect()
}

fn value(kind: Kind, known: Option<&str>, random: &mut Random, now: Timestamp) -> String {
    let word = |random: &mut Random| random.pick(&WORDS).copied().unwrap_or_default().to_owned();
    match kind {
        Kind::Ip => format!(
            "10.{}.{}.{}{}",
            random.below(4),
            random.below(256),
            1 + random.below(254),
            // A port or a prefix length stays where there was one.
            known.and_then(port).unwrap_or_default()
        ),
        Kind::Uuid => {
            let (a, b) = (random.number(), random.number());
            format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                a >> 32,
                a >> 16 & 0xffff,
                a & 0xfff,
                b >> 52,
                b & 0xffff_ffff_ffff
            )
        }
        Kind::Time => {
            let mut text = Vec::new();
            now.write_rfc3339(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
        Kind::Mac => {
            let parts: Vec<String> = (0..6)
                .map(|_| format!("{:02x}", random.below(256)))
                .collect();
            parts.join(":")
        }
        Kind::Trace | Kind::Rest => String::new(),
        Kind::Bin => "?".to_owned(),
        _ => match known.filter(|known| !known.is_empty() && !known.contains('\n')) {
            Some(known) => varied(known, random),
            None => match kind {
                Kind::Hex => format!("0x{:08x}", random.number() >> 32),
                Kind::Dur => format!("{}ms", 1 + random.below(2_000)),
                Kind::Size => format!("{}KiB", 1 + random.below(8_192)),
                Kind::Path => random.pick(&PATHS).copied().unwrap_or_default().to_owned(),
                Kind::Url => {
                    let host = random.pick(&HOSTS).copied().unwrap_or_default();
                    format!("https://{host}/v1/{}", word(random))
                }
                Kind::Host => random.pick(&HOSTS).copied().unwrap_or_default().to_owned(),
                Kind::Email => format!("{}@example.com", word(random)),
                Kind::Id => format!("{}-{}", word(random), random.below(100)),
                Kind::B64 => format!("{:016x}{:016x}", random.number(), random.number()),
                Kind::Ver => format!(
                    "{}.{}.{}",
                    1 + random.below(9),
                    random.below(20),
                    random.below(10)
                ),
                Kind::Str | Kind::Any => word(random),
                _ => random.below(5_000).to_string(),
            },
        },
    }
}

/// The part of an address behind its last colon or slash, with it.
fn port(address: &str) -> Option<String> {
    let at = address.rfind([':', '/'])?;
    // Not the last part of an IPv6 address.
    let is_v4 = address
        .get(..at)?
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b'.');
    is_v4.then(|| address.get(at..).unwrap_or_default().to_owned())
}

/// The same with other digits: as many, and no zero at the front of a number that had none there.
fn varied(known: &str, random: &mut Random) -> String {
    let mut before = ' ';
    known
        .chars()
        .map(|c| {
            let new = match c {
                '1'..='9' if !before.is_ascii_digit() => {
                    char::from(b'1' + u8::try_from(random.below(9)).unwrap_or(0))
                }
                '0'..='9' if before.is_ascii_digit() => {
                    char::from(b'0' + u8::try_from(random.below(10)).unwrap_or(0))
                }
                other => other,
            };
            before = c;
            new
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_value_in_one_line() {
        let mut random = Random::new(7);
        for kind in Kind::ALL {
            let filled = fill(
                &format!("a {} b < c <nothing>", kind.placeholder()),
                &[],
                &mut random,
                Timestamp(0),
            );
            assert!(!filled.contains(kind.placeholder()), "{filled}");
            assert!(
                filled.starts_with("a ") && filled.ends_with(" b < c <nothing>"),
                "{filled}"
            );
            assert!(!filled.contains('\n'));
        }
    }

    #[test]
    fn known_values_keep_their_shape() {
        let mut random = Random::new(7);
        let known = ["1200".to_owned(), "10.0.0.1:5432".to_owned()];
        let filled = fill("took <num> from <ip>", &known, &mut random, Timestamp(0));
        let number = filled.split(' ').nth(1).unwrap();
        assert_eq!(number.len(), 4, "{filled}");
        assert!(
            !number.starts_with('0') && filled.ends_with(":5432"),
            "{filled}"
        );
    }
}

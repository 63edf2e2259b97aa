//! Which entries of a push a 400 speaks of. Loki says it in words only; they are those of its `pkg/validation/validate.go`.

use logline::time::{TimeContext, Timestamp, parse_prefix};
use serde::Deserialize;

/// What a 400 refuses.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// So many entries; the others are stored.
    Some {
        /// How many; at least one.
        rejected: u64,
        /// A word for metrics.
        reason: &'static str,
    },
    /// The whole push, or nobody can tell how much of it.
    All,
    /// This Loki takes no structured metadata from anyone: a matter of its settings.
    NotAllowed,
}

/// Reads what Loki says. `push` gives the push as it was sent; it is asked for only where the words give a bound and no number.
pub fn refusal(words: &str, push: impl FnOnce() -> Vec<u8>) -> Refusal {
    if words.contains("structured metadata, but this feature is disallowed") {
        return Refusal::NotAllowed;
    }
    let bound = bound(words);
    let reason = bound.as_ref().map_or("http_400", |bound| match bound {
        Bound::Before(_) => "too_old",
        Bound::From(_) => "too_new",
        Bound::Longer(_) => "too_long",
    });
    // The ingester counts per stream, newer distributors count per kind of error.
    let counted = match sum_after(words, "total ignored: ") {
        0 => sum_before(words, " errors like: "),
        counted => counted,
    };
    if counted > 0 {
        return Refusal::Some {
            rejected: counted,
            reason,
        };
    }
    let Some(bound) = bound else {
        return Refusal::All;
    };
    let push = push();
    let Ok(push) = serde_json::from_slice::<Push<'_>>(&push) else {
        return Refusal::All;
    };
    let entries = push.streams.iter().flat_map(|stream| &stream.values);
    let refused = entries.filter(|entry| bound.refuses(entry)).count();
    Refusal::Some {
        rejected: (refused as u64).max(1),
        reason,
    }
}

/// What makes an entry a bad one.
#[derive(Debug, PartialEq)]
enum Bound {
    /// Before this time.
    Before(Timestamp),
    /// At this time or later.
    From(Timestamp),
    /// More bytes than these.
    Longer(usize),
}

impl Bound {
    fn refuses(&self, entry: &Entry<'_>) -> bool {
        let time = || entry.0.parse().unwrap_or(i64::MAX);
        match self {
            Self::Before(oldest) => time() < oldest.0,
            Self::From(first) => time() >= first.0,
            Self::Longer(bytes) => entry.1.len() > *bytes,
        }
    }
}

fn bound(words: &str) -> Option<Bound> {
    let after = |mark: &str| words.split_once(mark).map(|(_, rest)| rest);
    if let Some(rest) = after("oldest acceptable timestamp is: ") {
        return time(rest).map(Bound::Before);
    }
    if let Some(rest) = after("has timestamp too new: ") {
        return time(rest).map(Bound::From);
    }
    let rest = after("Max entry size '")?;
    let digits = rest.split('\'').next()?;
    digits.parse().ok().map(Bound::Longer)
}

/// A time as RFC 3339 at the start of `text`.
fn time(text: &str) -> Option<Timestamp> {
    parse_prefix(text.as_bytes(), &TimeContext::default())?.at
}

/// The sum of the numbers that follow `mark`.
fn sum_after(words: &str, mark: &str) -> u64 {
    words
        .split(mark)
        .skip(1)
        .filter_map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..end].parse::<u64>().ok()
        })
        .fold(0, u64::saturating_add)
}

/// The sum of the numbers that stand before `mark`.
fn sum_before(words: &str, mark: &str) -> u64 {
    let pieces: Vec<&str> = words.split(mark).collect();
    let before = pieces.len().saturating_sub(1);
    pieces[..before]
        .iter()
        .filter_map(|piece| {
            let digits = piece.bytes().rev().take_while(u8::is_ascii_digit).count();
            piece[piece.len() - digits..].parse::<u64>().ok()
        })
        .fold(0, u64::saturating_add)
}

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(borrow)]
    streams: Vec<Stream<'a>>,
}

#[derive(Deserialize)]
struct Stream<'a> {
    #[serde(borrow)]
    values: Vec<Entry<'a>>,
}

/// Time, line and metadata.
#[derive(Deserialize)]
struct Entry<'a>(&'a str, String, serde::de::IgnoredAny);

#[cfg(test)]
mod tests {
    use super::*;

    const PUSH: &str = r#"{"streams":[{"stream":{"a":"b"},"values":[["1700000000000000000","one",{}],["1800000000000000000","a \"longer\" one",{}]]}]}"#;

    fn of(words: &str) -> Refusal {
        refusal(words, || PUSH.as_bytes().to_vec())
    }

    fn some(rejected: u64, reason: &'static str) -> Refusal {
        Refusal::Some { rejected, reason }
    }

    #[test]
    fn the_ingesters_and_the_distributors_counts_are_taken() {
        let ingester = "entry with timestamp 2023-11-14 22:13:20 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2023-11-14T22:13:20Z, oldest acceptable timestamp is: 2024-01-01T00:00:00Z',\nuser 'fake', total ignored: 2 out of 5 for stream: {a=\"b\"}\nuser 'fake', total ignored: 3 out of 3 for stream: {a=\"c\"}";
        assert_eq!(of(ingester), some(5, "too_old"));
        let distributor = "3 errors: 2 errors like: entry for stream '{}' has timestamp too new: 2099-01-01T00:00:00Z; 1 errors like: Max entry size '10' bytes exceeded";
        assert_eq!(of(distributor), some(3, "too_new"));
    }

    #[test]
    fn without_a_count_the_entries_are_held_against_the_bound() {
        assert_eq!(
            of(
                "entry for stream '{a=\"b\"}' has timestamp too old: 2023-11-14T22:13:20Z, oldest acceptable timestamp is: 2024-11-14T22:13:20Z"
            ),
            some(1, "too_old")
        );
        assert_eq!(
            of("entry for stream '{a=\"b\"}' has timestamp too new: 2020-01-01T00:00:00Z"),
            some(2, "too_new")
        );
        assert_eq!(
            of(
                "Max entry size '5' bytes exceeded for stream '{}' while adding an entry with length '14' bytes"
            ),
            some(1, "too_long")
        );
        // A line of the other side's making may say anything: one is refused at least.
        assert_eq!(
            of("has timestamp too new: 2099-01-01T00:00:00Z"),
            some(1, "too_new")
        );
    }

    #[test]
    fn anything_else_refuses_the_whole_push() {
        for words in [
            "",
            "error at least one label pair is required per stream",
            "loghttp.PushRequest.Streams: unexpected end of JSON",
            "oldest acceptable timestamp is: never",
            "total ignored: none",
            " errors like: ",
        ] {
            assert_eq!(of(words), Refusal::All, "{words}");
        }
        assert_eq!(
            refusal("has timestamp too new: 2020-01-01T00:00:00Z", || b"torn"
                .to_vec()),
            Refusal::All
        );
        assert_eq!(
            of("stream '{}' includes structured metadata, but this feature is disallowed."),
            Refusal::NotAllowed
        );
    }
}

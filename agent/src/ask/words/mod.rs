//! Words of questions and of templates: taken out of running text and of identifiers, stemmed, and brought under the concepts that
//! people and programs have different names for ([`concepts`]).

mod concepts;
mod stem;

use std::collections::HashSet;
use std::sync::LazyLock;

pub(super) use concepts::{Concept, Concepts};

/// Words that say nothing about what a line is about.
const EMPTY: &str = "a an the of to in on at by for from with and or is are was were be been being do does did done has have \
    had having it its this that these those there here which what who whom whose when where why how many much often any some \
    anyone anybody someone somebody something anything everything all each every between after before during about into out \
    over under again then than so too very can could would should will shall may might must not no nor only own same such just \
    more most other another i we you he she me us them they my our your their as if but while because until since off one \
    two first last latest recent please show list tell give find get gets got log logs logged line lines message messages say \
    says said happen happens happened occur occurs occurred entry entries print prints printed ever let go goes going went come \
    comes came make makes made logging whether also both few lot don didn isn wasn aren weren doesn hasn haven won";

static STOP: LazyLock<HashSet<String>> = LazyLock::new(|| {
    EMPTY
        .split_whitespace()
        .flat_map(|word| [word.to_owned(), stem::stem(word)])
        .collect()
});

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Its stem.
    pub(super) stem: String,
    /// It is one of those that say nothing.
    pub(super) empty: bool,
}

/// The words of a text in their order, identifiers taken apart (`BlockReport`, `disk_full`); placeholders (`<num>`) are none.
/// At most `most`.
pub(super) fn words(text: &str, most: usize) -> Vec<Word> {
    let mut found = Vec::new();
    each_piece(text, &mut |piece| {
        if found.len() < most {
            let lower = piece.to_ascii_lowercase();
            let stem = stem::stem(&lower);
            let empty = STOP.contains(&lower) || STOP.contains(&stem);
            found.push(Word { stem, empty });
        }
    });
    found
}

/// Runs of letters or digits, cut where an identifier's parts meet.
fn each_piece<'a>(text: &'a str, each: &mut dyn FnMut(&'a str)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'<'
            && let Some(end) = placeholder_end(bytes, at)
        {
            at = end;
        } else if byte.is_ascii_digit() {
            let end = run(bytes, at, |byte| byte.is_ascii_digit());
            each(&text[at..end]);
            at = end;
        } else if byte.is_ascii_alphabetic() {
            let end = letters(bytes, at);
            each(&text[at..end]);
            at = end;
        } else {
            at += 1;
        }
    }
}

/// `<num>`, `<*>` and the like.
fn placeholder_end(bytes: &[u8], at: usize) -> Option<usize> {
    let inside = bytes.get(at + 1..bytes.len().min(at + 24))?;
    let close = inside.iter().position(|byte| *byte == b'>')?;
    let named = inside[..close]
        .iter()
        .all(|byte| byte.is_ascii_lowercase() || *byte == b'*' || *byte == b'_' || *byte == b'-');
    (close > 0 && named).then_some(at + close + 2)
}

fn run(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = &bytes[at..];
    at + rest
        .iter()
        .position(|byte| !is(*byte))
        .unwrap_or(rest.len())
}

/// The end of the part of an identifier that begins at `at`: `HTTPServer` is `HTTP` and `Server`, `addBlock` is `add`, `Block`.
fn letters(bytes: &[u8], at: usize) -> usize {
    let upper = run(bytes, at, |byte| byte.is_ascii_uppercase());
    let lower = run(bytes, upper, |byte| byte.is_ascii_lowercase());
    match upper - at {
        // A plural of capitals, `IDs`, is one word.
        2.. if lower > upper + 1 => upper - 1,
        _ => lower.max(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str) -> Vec<String> {
        words(text, 100).into_iter().map(|word| word.stem).collect()
    }

    #[test]
    fn identifiers_are_taken_apart() {
        assert_eq!(stems("HTTPServer"), ["http", "server"]);
        assert_eq!(
            stems("getUserIDs disk_full"),
            ["get", "user", "ids", "disk", "full"]
        );
        assert_eq!(
            stems("ECONNREFUSED <num> <*> eth0"),
            ["econnrefus", "eth", "0"]
        );
        assert_eq!(stems("größe → ok"), ["gr", "e", "ok"]);
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(words(&"word ".repeat(10_000), 50).len(), 50);
    }
}

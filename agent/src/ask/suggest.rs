//! Questions that are worth asking, made from what is stored: its rarest errors, its surges, what is frequent.

use super::facts::{Choice, Tally};
use super::kinds::{SURGE, SURGE_EVENTS};
use super::state::View;
use crate::store::{Fault, Reader};

use logline::level::Level;

/// At most so many questions.
const MOST: usize = 8;
/// Words of a template in a question.
const WORDS: usize = 7;
/// Questions about what `choice` leaves of the store.
pub(super) fn suggestions(
    reader: &Reader,
    view: &View,
    choice: &Choice,
) -> Result<Vec<String>, Fault> {
    let root = |number: u32| view.root(number);
    let tallies = if choice.streams.is_some() {
        view.facts.tallies(reader, choice, &root)?
    } else {
        view.all.clone()
    };
    let mut there: Vec<(String, &Tally, u32)> = tallies
        .iter()
        .filter_map(|(number, tally)| {
            let doc = view.index.docs().get(view.index.of_number(*number)?)?;
            Some((spoken(&doc.text)?, tally, *number))
        })
        .collect();
    there.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.2.cmp(&b.2)));
    let mut questions: Vec<String> = Vec::new();
    let mut add = |question: String| {
        if questions.len() < MOST && !questions.contains(&question) {
            questions.push(question);
        }
    };
    let bad = |tally: &Tally| tally.worst() >= Level::Error;
    let rare = there.iter().rev().filter(|(_, tally, _)| bad(tally));
    for (words, _, _) in rare.take(3) {
        add(format!("When did this happen: {words}?"));
    }
    if let Some((first, last)) = view.facts.span().filter(|(first, last)| first < last) {
        // The last tenth against what came before.
        let late = Choice {
            from: Some(last - (last - first) / 10),
            to: None,
            streams: choice.streams.clone(),
        };
        let lately = view.facts.tallies(reader, &late, &root)?;
        let surges = there.iter().filter(|(_, tally, number)| {
            let now = lately.get(number).map_or(0, |tally| tally.count);
            let before = tally.count - now.min(tally.count);
            now >= SURGE_EVENTS && now.saturating_mul(9) >= before.saturating_mul(SURGE)
        });
        for (words, _, _) in surges.take(2) {
            add(format!("Why is there so much of this: {words}?"));
        }
    }
    for (words, _, _) in there.iter().filter(|(_, tally, _)| bad(tally)).take(2) {
        add(format!("How often did this happen: {words}?"));
    }
    if there.iter().any(|(_, tally, _)| bad(tally)) {
        add("Which errors were logged in the last hour?".to_owned());
    }
    for (words, _, _) in there.iter().take(1) {
        add(format!("Who writes this: {words}?"));
    }
    Ok(questions)
}

/// The first words of a template as they can be said; none where there are hardly any.
fn spoken(template: &str) -> Option<String> {
    let words: Vec<&str> = template
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| "\"'`,;:()[]{}".contains(c)))
        .filter(|word| {
            word.bytes().any(|byte| byte.is_ascii_alphabetic()) && !word.contains(['<', '>'])
        })
        .take(WORDS)
        .collect();
    (words.len() >= 2).then(|| words.join(" "))
}

//! `Since the last restart`, `after web-1 was restarted`: a time that the logs themselves tell.

use std::ops::Range;

use super::atoms::chunks;

/// A start that a question counts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ask) struct SinceStart {
    /// Whose, where it is said.
    pub(in crate::ask) of: Option<String>,
    /// It can be nothing else: `since the last restart`.
    pub(in crate::ask) plainly: bool,
    /// The part of the question that says so.
    pub(in crate::ask) taken: Vec<Range<usize>>,
}

/// Words between `since` and the start, and around its name.
const FILLERS: [&str; 22] = [
    "the",
    "its",
    "last",
    "latest",
    "most",
    "recent",
    "was",
    "has",
    "been",
    "got",
    "had",
    "is",
    "it",
    "this",
    "that",
    "service",
    "server",
    "system",
    "container",
    "app",
    "application",
    "program",
];
/// A start as a noun.
const NOUNS: [&str; 8] = [
    "restart", "reboot", "startup", "start", "boot", "launch", "relaunch", "start-up",
];
/// A start as a verb.
const VERBS: [&str; 7] = [
    "restarted",
    "rebooted",
    "started",
    "booted",
    "launched",
    "relaunched",
    "restarts",
];
/// How far behind `since` the start may stand, in words.
const FAR: usize = 6;

/// The start that `text` counts from, if it does.
pub(in crate::ask) fn since_start(text: &str) -> Option<SinceStart> {
    let words: Vec<(Range<usize>, String)> = chunks(text)
        .map(|(start, chunk)| (start..start + chunk.len(), chunk.to_ascii_lowercase()))
        .collect();
    let is = |at: usize, list: &[&str]| {
        words
            .get(at)
            .is_some_and(|(_, word)| list.contains(&word.as_str()))
    };
    for since in (0..words.len()).filter(|at| is(*at, &["since", "after"])) {
        let mut name: Option<usize> = None;
        for at in since + 1..words.len().min(since + 1 + FAR) {
            if is(at, &VERBS) || (is(at, &NOUNS) && name.is_none()) {
                let mut last = at;
                let noun = is(at, &NOUNS);
                if noun && name.is_none() && is(at + 1, &["of"]) {
                    let named = (at + 2..words.len()).find(|at| !is(*at, &FILLERS));
                    name = named;
                    last = named.unwrap_or(at + 1);
                }
                // As it is written: names of streams have capitals.
                let of = name
                    .and_then(|name| words.get(name))
                    .and_then(|(at, _)| text.get(at.clone()))
                    .map(ToOwned::to_owned);
                let from = words.get(since).map(|(at, _)| at.start)?;
                let to = words.get(last).map(|(at, _)| at.end)?;
                return Some(SinceStart {
                    plainly: noun || of.is_none(),
                    of,
                    taken: std::iter::once(from..to).collect(),
                });
            }
            if is(at, &FILLERS) {
                continue;
            }
            // One name may stand between: `since web-1 was restarted`.
            if name.replace(at).is_some() {
                break;
            }
        }
    }
    None
}

/// Words that a program says of itself when it begins...
const BEGINNING: [&str; 14] = [
    "starting",
    "started",
    "restarting",
    "restarted",
    "booting",
    "booted",
    "listening",
    "launching",
    "launched",
    "initializing",
    "initialized",
    "ready",
    "startup",
    "boot",
];
/// ...and of what it does later.
const LATER: [&str; 19] = [
    "stop",
    "stopped",
    "stopping",
    "exit",
    "exited",
    "shutdown",
    "shutting",
    "job",
    "task",
    "request",
    "thread",
    "transaction",
    "session",
    "connection",
    "backup",
    "checkpoint",
    "vacuum",
    "not",
    "failed",
];

/// Whether a template tells that a program begins. `judged`: it is known to be about starts and stops.
pub(in crate::ask) fn tells_of_a_start(template: &str, judged: bool) -> bool {
    let lower = template.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let mut begins = false;
    for word in words.by_ref() {
        if LATER.contains(&word) {
            return false;
        }
        begins |= BEGINNING.contains(&word)
            || (judged
                && matches!(
                    word,
                    "start" | "starts" | "up" | "running" | "serving" | "init"
                ));
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_told_from_other_times() {
        let read = |text: &str| since_start(text).map(|read| (read.of, read.plainly));
        let name = |name: &str| Some(name.to_owned());
        for (text, of, plainly) in [
            ("what failed since the last restart?", None, true),
            ("errors since the restart of Web-1", name("Web-1"), true),
            (
                "errors since the last reboot of the container db, please",
                name("db"),
                true,
            ),
            (
                "anything odd since web-1 was restarted?",
                name("web-1"),
                false,
            ),
            ("what broke since it started?", None, true),
            ("what came after the upload started", name("upload"), false),
        ] {
            assert_eq!(read(text), Some((of, plainly)), "{text}");
        }
        for text in [
            "errors since 10:15",
            "did the service restart?",
            "which jobs started since yesterday?",
            "since the disk was full and the job started",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let text = "errors since the last restart in web-1";
        let taken = since_start(text).unwrap().taken;
        assert_eq!(
            taken.first().map(|at| &text[at.clone()]),
            Some("since the last restart")
        );
    }

    #[test]
    fn a_start_is_told_from_what_is_started_later() {
        assert!(tells_of_a_start("listening on <ip>:<num>", false));
        assert!(tells_of_a_start("gateway came up", true));
        assert!(!tells_of_a_start("gateway came up", false));
        assert!(!tells_of_a_start("job <num> started", true));
        assert!(!tells_of_a_start("not ready", true));
    }
}

//! The words that tell a level, and the phrases.
//!
//! The lists below are the only place where a word stands. They become, at compile time, one open-addressed hash table keyed by the
//! word itself (at most 15 lower-case bytes in a `u128`), so that the words of a message cost a multiplication and a comparison each.

use super::Level;

/// What a word tells by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sense {
    /// Nothing; the word matters only beside others.
    Silent,
    /// The program cannot go on.
    Fatal,
    Panic,
    Aborting,
    Error,
    Warn,
    /// A complaint about what someone wrote: a warning in a server's log, an error from a program that was just called.
    Input,
    /// The name of the level itself.
    Warning,
    Notice,
    /// `timeout`, `retry`: an event or a setting.
    Setting,
    /// `ignoring`: something went wrong, and the program goes on.
    Lenient,
    /// `no`, `without`, `if`: what follows is denied or a condition.
    Negator,
    /// What may stand between a negation and what it denies.
    Adjective,
    /// The other side is at fault, or it is mended.
    Mild,
    /// The same, but only ahead of the complaint or after `from`, `to`, `by`.
    Client,
    /// Windows' result codes.
    Hresult,
    Unknown,
    /// `debug`, `info`: the level's name, where it is put as one.
    Stated,
    /// `limit`, `quota`: what can be reached.
    Bound,
    Reached,
    /// `expected`, and `got`, which tells that it came otherwise.
    Expected,
    Got,
    /// `using`: behind a complaint and a comma, how the program goes on.
    Instead,
    /// `deny`: an event where a sandbox tells what it denied, else a setting.
    Deny,
    /// `line`: behind a file's name and ahead of a number, where a complaint belongs.
    Line,
    /// `assertion`: what fails behind it ends the program.
    Assertion,
}

/// A word's entry.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    key: u128,
    /// What it tells.
    pub(super) sense: Sense,
    /// It can be the last but one word of a phrase.
    pub(super) starts: bool,
    /// Behind `error`, `failure`, `retry`, ... it makes a name of a thing rather than an event.
    pub(super) thing: bool,
}

const NOTHING: Entry = Entry {
    key: 0,
    sense: Sense::Silent,
    starts: false,
    thing: false,
};

const WORDS: &[(Sense, &str)] = &[
    (
        Sense::Fatal,
        "fatal panicked segfault sigsegv crashed unrecoverable emerg emergency sigabrt meditation oops",
    ),
    (Sense::Panic, "panic"),
    (Sense::Aborting, "aborting"),
    (
        Sense::Error,
        "error errors failed failure failures fail fails failing exception exceptions corrupt corrupted corruption unhandled \
         uncaught traceback abnormally critical err severe malformed nonexistent died crash backtrace eaddrinuse enoent \
         eacces enospc emfile enomem eperm uncorrectable undefined unsuccessful oom misconfigured lockup inaccessible \
         unreadable cannot can't couldn't unable",
    ),
    (
        Sense::Warn,
        "denied refused deprecated mismatch mismatched rejected rejecting reject lost unreachable aborted dropped dropping \
         unsolicited exceeded exceeds overflow attack suspicious insecure unauthorized forbidden econnreset econnrefused \
         epipe etimedout deadlock unexpectedly missing overloaded overload throttling throttled expired obsolete stale \
         unavailable unsafe untrusted deprecation exhausted stalled stuck outdated unusable disallowed degraded unresponsive \
         inconsistent conflict violation violations overcurrent undervoltage overheating overheated starvation retrying wrong \
         bounced deferred bogus losing incorrect refusing flooding hang hung stall stalls",
    ),
    (
        Sense::Input,
        "invalid illegal unrecognized unrecognised unsupported unexpected bad",
    ),
    (Sense::Warning, "warning warn"),
    (Sense::Notice, "notice"),
    (Sense::Setting, "timeout retry retries"),
    (Sense::Lenient, "ignoring"),
    (
        Sense::Negator,
        "no without zero never non if any on for when unless max maximum test ignores ignore avoid possible prevent creating \
         adding checking detecting fixing removing cleaning purging deleting",
    ),
    (
        Sense::Adjective,
        "new known further more other previous pending serious or and",
    ),
    (
        Sense::Mild,
        "authentication login password handshake authenticate auth logon corrected authenticating recovered skipping negotiation probe health \
         logins su",
    ),
    (Sense::Client, "client clients"),
    (Sense::Hresult, "hresult"),
    (Sense::Unknown, "unknown"),
    (Sense::Stated, "debug info"),
    (Sense::Bound, "limit limits quota capacity"),
    (Sense::Reached, "reached"),
    (Sense::Expected, "expected"),
    (Sense::Got, "got"),
    (Sense::Instead, "using falling"),
    (Sense::Deny, "deny"),
    (Sense::Line, "line"),
    (Sense::Assertion, "assertion"),
];

const STARTS: &str = "not doesn't didn't could can did no too giving gave call split never in by of segmentation core general kernel \
                      timed connection broken went hung non break user already fatal is are below above for";

const THINGS: &str = "log logs logger logging handler handlers handling page pages message messages reporting reporter report reports \
                      code codes level levels rate rates response responses correction recovery detection detector counter counters \
                      count counts policy policies limit limits interval intervals support threshold tolerance tolerant domain \
                      domains mode queue budget backoff tracking tracker output stream file documents document injection set value \
                      values max min delay period notifications topic metrics stats over safe types class classes hook hooks filter \
                      middleware boundary channel";

const SLOTS: usize = 1024;

static TABLE: [Entry; SLOTS] = {
    let mut table = [NOTHING; SLOTS];
    let mut group = 0;
    while group < WORDS.len() {
        table = add(table, WORDS[group].1, WORDS[group].0, false, false);
        group += 1;
    }
    table = add(table, STARTS, Sense::Silent, true, false);
    add(table, THINGS, Sense::Silent, false, true)
};

/// Enters the words of a list, which are parted by spaces.
const fn add(
    mut table: [Entry; SLOTS],
    list: &str,
    sense: Sense,
    starts: bool,
    thing: bool,
) -> [Entry; SLOTS] {
    let bytes = list.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let mut key = 0_u128;
        let mut len = 0;
        while at + len < bytes.len() && bytes[at + len] != b' ' {
            assert!(len < 15, "a word is longer than the scanner's");
            key |= (bytes[at + len] as u128) << (8 * len);
            len += 1;
        }
        at += len + 1;
        if len == 0 {
            continue;
        }
        let mut slot = hash(key);
        while table[slot].key != 0 && table[slot].key != key {
            slot = (slot + 1) % SLOTS;
        }
        let held = table[slot];
        table[slot] = Entry {
            key,
            sense: if matches!(held.sense, Sense::Silent) {
                sense
            } else {
                held.sense
            },
            starts: held.starts || starts,
            thing: held.thing || thing,
        };
    }
    table
}

/// Fibonacci hashing of the folded key.
const fn hash(key: u128) -> usize {
    let folded = (key as u64) ^ ((key >> 64) as u64).rotate_left(23);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

/// The entry of a lower-case word of at most 15 bytes, packed from its first byte up.
pub(super) fn lookup(key: u128) -> Entry {
    let mut slot = hash(key);
    loop {
        let entry = TABLE[slot];
        if entry.key == key {
            return entry;
        }
        if entry.key == 0 {
            return NOTHING;
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The level of a phrase, by its last three words.
pub(super) fn phrase(first: &[u8], second: &[u8], third: &[u8]) -> Option<Level> {
    Some(match (second, third) {
        (b"could" | b"can", b"not")
        | (
            b"not",
            b"found" | b"exist" | b"connected" | b"valid" | b"defined" | b"open" | b"accessible"
            | b"readable" | b"writable",
        )
        | (b"doesn't" | b"didn't", b"exist")
        | (
            b"no",
            b"such" | b"space" | b"passwd" | b"matching" | b"listening" | b"live" | b"healthy"
            | b"usable",
        )
        | (b"too", b"many" | b"quickly" | b"often")
        | (b"giving" | b"gave", b"up")
        | (b"call", b"trace")
        | (b"split", b"brain")
        | (b"non", b"existent") => Level::Error,
        (b"in", b"use") if first == b"already" => Level::Error,
        (b"by", b"signal")
            if matches!(first, b"killed" | b"terminated" | b"exited" | b"stopped") =>
        {
            Level::Error
        }
        (b"by", b"signal") if first == b"crashed" => Level::Fatal,
        (b"of", b"memory") if first == b"out" => Level::Fatal,
        (b"segmentation", b"fault" | b"violation")
        | (b"core", b"dumped")
        | (b"general", b"protection")
        | (b"kernel", b"bug") => Level::Fatal,
        (
            b"not",
            b"permitted" | b"allowed" | b"supported" | b"responding" | b"available"
            | b"implemented" | b"synced" | b"recommended" | b"authorised" | b"authorized"
            | b"match",
        )
        | (b"doesn't" | b"didn't", b"match")
        | (b"is" | b"are", b"down")
        | (b"did", b"not")
        | (b"timed", b"out")
        | (b"connection", b"reset")
        | (b"broken", b"pipe")
        | (b"went", b"away")
        | (b"hung", b"up")
        | (b"break", b"in")
        | (b"user", b"unknown")
        | (b"fatal", b"alert")
        | (b"too", b"long" | b"large" | b"old" | b"slow" | b"big" | b"small" | b"low" | b"high")
        | (b"no", b"route" | b"response" | b"answer" | b"free") => Level::Warn,
        (b"for", b"more") if first == b"blocked" => Level::Warn,
        (b"in", b"sudoers") if first == b"not" => Level::Warn,
        (b"below" | b"above", b"threshold" | b"minimum" | b"limit")
            if matches!(first, b"is" | b"are" | b"fell" | b"dropped" | b"rose") =>
        {
            Level::Warn
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(word: &str) -> u128 {
        word.bytes()
            .rev()
            .fold(0, |key, c| key << 8 | u128::from(c))
    }

    #[test]
    fn every_word_is_found_as_it_was_entered() {
        for (sense, list) in WORDS {
            for word in list.split(' ').filter(|w| !w.is_empty()) {
                assert_eq!(lookup(packed(word)).sense, *sense, "{word}");
            }
        }
        for word in STARTS.split(' ').filter(|w| !w.is_empty()) {
            assert!(lookup(packed(word)).starts, "{word}");
        }
        for word in THINGS.split(' ').filter(|w| !w.is_empty()) {
            assert!(lookup(packed(word)).thing, "{word}");
        }
        assert_eq!(lookup(packed("weather")).sense, Sense::Silent);
        assert!(!lookup(0).starts);
    }

    #[test]
    fn the_table_keeps_probes_short() {
        let held = TABLE.iter().filter(|e| e.key != 0).count();
        assert!(held * 2 < SLOTS, "{held} words");
    }
}

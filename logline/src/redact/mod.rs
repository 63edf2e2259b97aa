//! Secrets in a text, and the text without them: what has to happen before any byte leaves the host.
//!
//! A [`Redactor`] takes bytes and gives them back with each secret replaced by `[redacted:NAME]`, NAME being the name of the
//! [`Detector`]. Only the secret itself is replaced: keys, schemes, names of users and hosts stay, so that the line can still be
//! read. What is a replacement already stays as it is, and a text with findings is looked through again without them, so redacting
//! twice is redacting once.
//!
//! One pass looks for anchors, the few letters that every secret has in it or before it ([`anchor`], [`scan`]). Where one is found, the module
//! for it looks closer: [`key`] and [`site`] read a key and what binds a value to it, [`keyed`] and [`words`] judge whether the value
//! is a secret or a sentence about one, [`token`] knows tokens by their prefix, [`header`], [`url`], [`pem`] what their names say, [`command`] the
//! arguments of commands.
//! A second pass looks for [`card`] numbers at every seventh byte.
//!
//! Time is linear in the text: whatever is looked at around an anchor without a finding is bounded, and a finding is never looked at
//! again. Only patterns of the user's own may take longer on texts made for it (`regex_automata`'s iteration over matches is
//! quadratic at worst), which the bound on the length of a line limits.

mod anchor;
mod card;
mod command;
mod counts;
mod detector;
mod email;
mod error;
mod header;
mod key;
mod keyed;
mod lexicon;
mod marker;
mod own;
mod pem;
mod quote;
mod scan;
mod site;
mod token;
mod url;
mod value;
mod words;

pub use counts::Counts;
pub use detector::{Detector, Detectors};
pub use error::{RedactError, Refused};

use anchor::Anchor;
use own::Own;
use scan::Scanner;

/// How often a text is looked through again for what replacements have laid bare.
const MAX_ROUNDS: usize = 4;

/// A pattern of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPattern {
    /// Its name in the replacement and in metrics: lower-case letters, digits and `_`.
    pub name: String,
    /// A regex over bytes, ASCII only (`(?u)` turns Unicode on). If it has a group named `secret`, only that is replaced.
    pub regex: String,
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactOptions {
    /// The detectors that are on; by default all but e-mail addresses. [`Detector::Own`] off turns the own patterns off.
    pub detectors: Detectors,
    /// Patterns of the user's own.
    pub own: Vec<OwnPattern>,
}

/// One secret in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its first byte.
    pub start: usize,
    /// The byte behind it; always larger than `start`.
    pub end: usize,
    /// Which detector found it.
    pub detector: Detector,
    /// For [`Detector::Own`] the index of the pattern in the options, else 0.
    pub own: u16,
}

/// Finds and replaces secrets. Built once, shared by all threads.
#[derive(Debug)]
pub struct Redactor {
    on: Detectors,
    scanner: Scanner,
    own: Own,
}

impl Redactor {
    /// Builds a redactor.
    ///
    /// # Errors
    /// The first own pattern that may not be used: no regex, one that matches the empty text, too large, or its name does not fit.
    pub fn new(options: &RedactOptions) -> Result<Self, RedactError> {
        Ok(Self {
            on: options.detectors,
            scanner: Scanner::new(options.detectors),
            own: Own::new(&options.own)?,
        })
    }

    /// The names of the own patterns, in the order of the options.
    #[must_use]
    pub fn own_names(&self) -> &[String] {
        self.own.names()
    }

    /// The name of what was found, as in the replacement.
    #[must_use]
    pub fn name(&self, finding: &Finding) -> &str {
        match finding.detector {
            Detector::Own => self
                .own
                .names()
                .get(usize::from(finding.own))
                .map_or(finding.detector.as_str(), String::as_str),
            detector => detector.as_str(),
        }
    }

    /// Replaces what `found` holds by all secrets of `text`, in its order, none touching the inside of another.
    pub fn find(&self, text: &[u8], found: &mut Vec<Finding>) {
        found.clear();
        self.find_once(text, found);
        if found.is_empty() {
            return;
        }
        // A replacement may lay bare what stood beside it: a number is no part of a longer word any more.
        let (mut out, mut more) = (Vec::new(), Vec::new());
        for _ in 0..MAX_ROUNDS {
            self.replace(text, found, &mut out);
            more.clear();
            self.find_once(&out, &mut more);
            if more.is_empty() {
                return;
            }
            self.bring_back(&more, found);
            settle(text, found);
        }
    }

    /// Writes `text` without its secrets to `out`, in place of what is there, and counts them. `false`, and `out` is as it was, where
    /// it has none.
    pub fn redact(&self, text: &[u8], out: &mut Vec<u8>, counts: &mut Counts) -> bool {
        let mut found = Vec::new();
        self.find(text, &mut found);
        if found.is_empty() {
            return false;
        }
        self.replace(text, &found, out);
        for finding in &found {
            counts.add(finding, self);
        }
        true
    }

    fn replace(&self, text: &[u8], found: &[Finding], out: &mut Vec<u8>) {
        out.clear();
        let mut at = 0;
        for finding in found {
            out.extend_from_slice(&text[at..finding.start]);
            marker::write(out, self.name(finding));
            at = finding.end;
        }
        out.extend_from_slice(&text[at..]);
    }

    /// Adds to `found` what was found in the text in which `found` was replaced: each place counted in the text itself.
    fn bring_back(&self, more: &[Finding], found: &mut Vec<Finding>) {
        let first = found.len();
        let mut next = 0;
        // How many bytes the text has more than the other one up to here.
        let mut gone = 0_isize;
        let mut original = |at: usize, is_end: bool, found: &[Finding]| {
            while let Some(finding) = found[..first].get(next) {
                let len = marker::len(self.name(finding));
                let start = finding.start.saturating_add_signed(-gone);
                if at < start + len {
                    if at > start || at == start && !is_end {
                        // In the middle of a replacement.
                        return if is_end { finding.end } else { finding.start };
                    }
                    break;
                }
                gone += (finding.end - finding.start) as isize - len as isize;
                next += 1;
            }
            at.saturating_add_signed(gone)
        };
        for finding in more {
            let start = original(finding.start, false, found);
            let end = original(finding.end, true, found);
            found.push(Finding {
                start,
                end,
                ..*finding
            });
        }
    }

    fn find_once(&self, text: &[u8], found: &mut Vec<Finding>) {
        self.anchored(text, found);
        let ordered = found.len();
        if self.on.has(Detector::CreditCard) {
            card::find(text, found);
        }
        if self.on.has(Detector::Email) {
            email::find(text, found);
        }
        if self.on.has(Detector::Own) {
            self.own.find(text, found);
        }
        if found.len() > ordered {
            settle(text, found);
        }
    }

    fn anchored(&self, text: &[u8], found: &mut Vec<Finding>) {
        let mut from = 0;
        while let Some((anchor, start, end)) = self.scanner.next(text, from) {
            let last = match anchor {
                Anchor::Key(stem) => keyed::find(text, stem, start, end, self.on, found),
                Anchor::Token(kind) => token::KINDS
                    .get(kind)
                    .and_then(|kind| token::find(text, start, kind, found)),
                Anchor::Bearer => header::bearer(text, start, end, found),
                Anchor::Basic => header::basic(text, start, end, found),
                Anchor::Url => url::find(text, start, end, found),
                Anchor::Pem => pem::find(text, end, found),
                Anchor::Identified => keyed::identified(text, end, found),
                Anchor::Jwt => token::jwt(text, start, found),
                Anchor::Azure => token::azure(text, start, found),
                Anchor::SlackHook => token::slack_hook(text, end, found),
                Anchor::DiscordHook => token::discord_hook(text, end, found),
                Anchor::TelegramBot => token::telegram_bot(text, end, found),
                Anchor::Command(it) => command::find(text, start, end, it, found),
            };
            from = last.map_or(start + 1, |last| last.max(start + 1));
        }
    }
}

/// Adds a finding unless it is empty or inside a replacement. Its end, where the search goes on.
fn push(
    text: &[u8],
    start: usize,
    end: usize,
    detector: Detector,
    found: &mut Vec<Finding>,
) -> Option<usize> {
    if start >= end || marker::around(text, start).is_some() {
        return None;
    }
    // A second anchor before the same value: the first one named it.
    if let Some(last) = found.last()
        && last.end > start
        && last.start <= start
        && last.detector != Detector::CreditCard
    {
        return None;
    }
    found.push(Finding {
        start,
        end,
        detector,
        own: 0,
    });
    Some(end)
}

/// Puts findings of several passes into the order of the text, and makes one of those that overlap; but what looks like an address
/// behind a password, `user:password@host`, is none. Replacements that are only partly inside a finding become a part of it, so that
/// none is torn.
fn settle(text: &[u8], found: &mut Vec<Finding>) {
    for finding in found.iter_mut() {
        if let Some((start, _)) = marker::around(text, finding.start) {
            finding.start = start;
        }
        if let Some((_, end)) = marker::around(text, finding.end.saturating_sub(1)) {
            finding.end = end;
        }
    }
    found.sort_by_key(|finding| (finding.start, finding.detector));
    found.dedup_by(|next, last| {
        if next.start >= last.end {
            return false;
        }
        if next.detector != Detector::Email {
            last.end = last.end.max(next.end);
            return true;
        }
        // What is left of its name, if anything is.
        let rest = text.get(last.end..next.end).unwrap_or_default();
        let name = memchr::memchr(b'@', rest).map_or(&rest[..0], |at| &rest[..at]);
        let Some(first) = name.iter().position(u8::is_ascii_alphanumeric) else {
            return true;
        };
        next.start = last.end + first;
        false
    });
}

//! Tokens that say by their first letters what they are.
//!
//! The prefixes, alphabets and lengths are those that the vendors document for secret scanning; lengths are minima where vendors
//! have changed them before.

use super::{Detector, Finding, keyed, push, words};

/// Which bytes a token is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Letters and digits.
    Alnum,
    /// Upper-case letters and digits.
    Upper,
    /// Hexadecimal digits.
    Hex,
    /// Letters, digits, `_` and `-`.
    Word,
    /// Letters, digits, `_`, `-` and `.`.
    Dotted,
    /// Letters, digits and the other characters of both base64 alphabets.
    Base64,
}

impl Class {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=')
            }
        }
    }
}

/// One kind of token.
#[derive(Debug)]
pub(super) struct Kind {
    /// How it begins.
    pub(super) prefix: &'static str,
    /// What it is reported as.
    pub(super) detector: Detector,
    class: Class,
    /// The least and the most bytes behind the prefix.
    min: usize,
    max: usize,
}

const ANY: usize = usize::MAX;

const fn kind(
    prefix: &'static str,
    detector: Detector,
    class: Class,
    min: usize,
    max: usize,
) -> Kind {
    Kind {
        prefix,
        detector,
        class,
        min,
        max,
    }
}

/// All kinds.
pub(super) static KINDS: &[Kind] = &[
    kind("AKIA", Detector::Aws, Class::Upper, 16, 16),
    kind("ASIA", Detector::Aws, Class::Upper, 16, 16),
    kind("ABIA", Detector::Aws, Class::Upper, 16, 16),
    kind("ACCA", Detector::Aws, Class::Upper, 16, 16),
    kind("AIza", Detector::Gcp, Class::Word, 35, 39),
    kind("ya29.", Detector::Gcp, Class::Dotted, 20, ANY),
    kind("GOCSPX-", Detector::Gcp, Class::Word, 24, 64),
    kind("ghp_", Detector::Github, Class::Alnum, 30, ANY),
    kind("gho_", Detector::Github, Class::Alnum, 30, ANY),
    kind("ghu_", Detector::Github, Class::Alnum, 30, ANY),
    kind("ghs_", Detector::Github, Class::Dotted, 30, ANY),
    kind("ghr_", Detector::Github, Class::Alnum, 30, ANY),
    kind("github_pat_", Detector::Github, Class::Word, 36, ANY),
    kind("glpat-", Detector::Gitlab, Class::Dotted, 20, ANY),
    kind("gldt-", Detector::Gitlab, Class::Word, 20, ANY),
    kind("glrt-", Detector::Gitlab, Class::Dotted, 20, ANY),
    kind("glcbt-", Detector::Gitlab, Class::Word, 20, ANY),
    kind("glptt-", Detector::Gitlab, Class::Word, 20, ANY),
    kind("glsoat-", Detector::Gitlab, Class::Word, 20, ANY),
    kind("gloas-", Detector::Gitlab, Class::Word, 20, ANY),
    kind("xoxb-", Detector::Slack, Class::Word, 10, ANY),
    kind("xoxp-", Detector::Slack, Class::Word, 10, ANY),
    kind("xoxa-", Detector::Slack, Class::Word, 10, ANY),
    kind("xoxr-", Detector::Slack, Class::Word, 10, ANY),
    kind("xoxs-", Detector::Slack, Class::Word, 10, ANY),
    kind("xoxc-", Detector::Slack, Class::Word, 10, ANY),
    kind("xoxd-", Detector::Slack, Class::Base64, 10, ANY),
    kind("xoxe", Detector::Slack, Class::Dotted, 20, ANY),
    kind("xapp-", Detector::Slack, Class::Word, 20, ANY),
    kind("sk_live_", Detector::Stripe, Class::Alnum, 10, ANY),
    kind("sk_test_", Detector::Stripe, Class::Alnum, 10, ANY),
    kind("rk_live_", Detector::Stripe, Class::Alnum, 10, ANY),
    kind("rk_test_", Detector::Stripe, Class::Alnum, 10, ANY),
    kind("whsec_", Detector::Stripe, Class::Base64, 24, ANY),
    kind("sk-", Detector::AiKey, Class::Word, 20, ANY),
    kind("gsk_", Detector::AiKey, Class::Alnum, 30, ANY),
    kind("hf_", Detector::AiKey, Class::Alnum, 30, ANY),
    kind("xai-", Detector::AiKey, Class::Alnum, 40, ANY),
    kind("r8_", Detector::AiKey, Class::Alnum, 30, ANY),
    kind("pplx-", Detector::AiKey, Class::Alnum, 32, ANY),
    kind("npm_", Detector::VendorToken, Class::Alnum, 36, ANY),
    kind("pypi-", Detector::VendorToken, Class::Word, 50, ANY),
    kind("SG.", Detector::VendorToken, Class::Dotted, 50, ANY),
    kind("dckr_pat_", Detector::VendorToken, Class::Word, 20, ANY),
    kind("dop_v1_", Detector::VendorToken, Class::Hex, 64, 64),
    kind("doo_v1_", Detector::VendorToken, Class::Hex, 64, 64),
    kind("shpat_", Detector::VendorToken, Class::Hex, 32, 64),
    kind("shpss_", Detector::VendorToken, Class::Hex, 32, 64),
    kind("sq0csp-", Detector::VendorToken, Class::Word, 30, ANY),
    kind("hvs.", Detector::VendorToken, Class::Word, 24, ANY),
    kind("hvb.", Detector::VendorToken, Class::Word, 24, ANY),
    kind("lin_api_", Detector::VendorToken, Class::Alnum, 30, ANY),
    kind("ATATT3x", Detector::VendorToken, Class::Base64, 50, ANY),
    kind("NRAK-", Detector::VendorToken, Class::Alnum, 27, 27),
    kind("PMAK-", Detector::VendorToken, Class::Word, 40, ANY),
    kind("sntrys_", Detector::VendorToken, Class::Base64, 40, ANY),
    kind("sntryu_", Detector::VendorToken, Class::Hex, 64, 64),
    kind("tskey-", Detector::VendorToken, Class::Word, 20, ANY),
    kind(
        "AGE-SECRET-KEY-1",
        Detector::VendorToken,
        Class::Upper,
        58,
        58,
    ),
    kind("glsa_", Detector::VendorToken, Class::Word, 40, ANY),
    kind("glc_", Detector::VendorToken, Class::Base64, 40, ANY),
    kind("rubygems_", Detector::VendorToken, Class::Hex, 48, 48),
    kind("figd_", Detector::VendorToken, Class::Word, 30, ANY),
    kind("pul-", Detector::VendorToken, Class::Hex, 40, 40),
    kind("dp.pt.", Detector::VendorToken, Class::Alnum, 40, ANY),
    kind("dt0c01.", Detector::VendorToken, Class::Dotted, 80, ANY),
    kind("ntn_", Detector::VendorToken, Class::Alnum, 40, ANY),
];

/// Whether a token may begin at `at`: no letter or digit goes on there. Those of an escape before it do not count.
pub(super) fn is_boundary(text: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|it| text[it]) else {
        return true;
    };
    if !before.is_ascii_alphanumeric() {
        return true;
    }
    let behind = |back: usize| at.checked_sub(back).map(|it| text[it]);
    match before {
        b'n' | b'r' | b't' if behind(2) == Some(b'\\') => true,
        _ if before.is_ascii_hexdigit() => {
            behind(3) == Some(b'%') && behind(2).is_some_and(|it| it.is_ascii_hexdigit())
                || behind(6) == Some(b'\\') && behind(5) == Some(b'u') && behind(4) == Some(b'0')
        }
        _ => false,
    }
}

fn run(text: &[u8], class: Class, max: usize) -> usize {
    text.iter()
        .take(max)
        .take_while(|byte| class.has(**byte))
        .count()
}

/// The end of the token of this kind that begins at `at`.
fn end(text: &[u8], at: usize, kind: &Kind) -> Option<usize> {
    if !is_boundary(text, at) {
        return None;
    }
    // Short prefixes occur inside of names.
    let before = at.checked_sub(1).map(|it| text[it]);
    if kind.prefix.len() <= 3 && matches!(before, Some(b'_' | b'-' | b'.')) {
        return None;
    }
    let from = at + kind.prefix.len();
    let rest = text.get(from..)?;
    let mut len = run(rest, kind.class, kind.max.saturating_add(1));
    // A sentence's full stop.
    while len > 0 && rest[len - 1] == b'.' {
        len -= 1;
    }
    let fits = (kind.min..=kind.max).contains(&len)
        && !rest.get(len).is_some_and(u8::is_ascii_alphanumeric);
    if !fits {
        return None;
    }
    let head = &rest[..len.min(128)];
    let word = kind.detector != Detector::Aws && words::is_wordy(head, true);
    let undotted = kind.prefix == "SG." && !head.contains(&b'.');
    (!word && !undotted && !words::is_placeholder(head)).then_some(from + len)
}

/// Looks for a token of this kind at `at`.
pub(super) fn find(text: &[u8], at: usize, kind: &Kind, found: &mut Vec<Finding>) -> Option<usize> {
    let end = end(text, at, kind)?;
    let resume = push(text, at, end, kind.detector, found)?;
    if kind.detector != Detector::Aws {
        return Some(resume);
    }
    // The secret key often stands beside its id: `AKIA...:secret`.
    let gap = text[end..]
        .iter()
        .take(5)
        .take_while(|byte| {
            matches!(
                byte,
                b':' | b',' | b'/' | b' ' | b'|' | b'"' | b'\'' | b'\t' | b';'
            )
        })
        .count();
    let start = end + gap;
    let len = run(&text[start..], Class::Base64, 41);
    if gap > 0 && len == 40 && keyed::is_random(&text[start..start + len]) {
        return push(text, start, start + len, Detector::Aws, found);
    }
    Some(resume)
}

/// The token of whatever kind that begins at `at`: its end and its detector.
pub(super) fn at(text: &[u8], at: usize) -> Option<(usize, Detector)> {
    let rest = text.get(at..)?;
    if let Some(end) = jwt_end(text, at) {
        return Some((end, Detector::Jwt));
    }
    KINDS
        .iter()
        .filter(|kind| rest.starts_with(kind.prefix.as_bytes()))
        .find_map(|kind| Some((end(text, at, kind)?, kind.detector)))
}

/// Looks for a JSON web token whose header begins at `at`.
pub(super) fn jwt(text: &[u8], at: usize, found: &mut Vec<Finding>) -> Option<usize> {
    let end = jwt_end(text, at)?;
    push(text, at, end, Detector::Jwt, found)
}

/// `eyJ` is base64 of `{"`: the header, and in most tokens the claims behind the first dot begin so.
fn jwt_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if !rest.starts_with(b"eyJ")
        || !is_boundary(text, at)
        || at > 0 && matches!(text[at - 1], b'_' | b'-')
    {
        return None;
    }
    let header = run(rest, Class::Word, ANY);
    if header < 12 || rest.get(header) != Some(&b'.') {
        return None;
    }
    let claims = run(&rest[header + 1..], Class::Word, ANY);
    // An encrypted one has an empty part for a direct key.
    if claims < 8 && rest.get(header + 1) != Some(&b'.') {
        return None;
    }
    let mut len = header + run(&rest[header..], Class::Dotted, ANY);
    while rest[len - 1] == b'.' {
        len -= 1;
    }
    (len > header).then_some(at + len)
}

/// Azure's client secrets: three characters, a digit, `Q~` and 31 to 34 more; `at` is the digit.
pub(super) fn azure(text: &[u8], at: usize, found: &mut Vec<Finding>) -> Option<usize> {
    let start = at.checked_sub(3)?;
    let has = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'.' | b'-');
    let mut tail = text[at + 3..]
        .iter()
        .take(40)
        .take_while(|it| has(it))
        .count();
    // A sentence's full stop.
    while tail > 0 && text[at + 2 + tail] == b'.' {
        tail -= 1;
    }
    let fits =
        text[start..at].iter().all(has) && (31..=34).contains(&tail) && is_boundary(text, start);
    fits.then(|| push(text, start, at + 3 + tail, Detector::Azure, found))?
}

/// Slack's webhooks, behind `hooks.slack.com`.
pub(super) fn slack_hook(text: &[u8], to: usize, found: &mut Vec<Finding>) -> Option<usize> {
    let slash = |at: usize| match text.get(at..)? {
        [b'/', ..] => Some(at + 1),
        [b'\\', b'/', ..] => Some(at + 2),
        _ => None,
    };
    let at = slash(to)?;
    let word = run(&text[at..], Class::Alnum, 16);
    if !matches!(
        &text[at..at + word],
        b"services" | b"workflows" | b"triggers"
    ) {
        return None;
    }
    let start = slash(at + word)?;
    let len = text[start..]
        .iter()
        .take_while(|byte| Class::Word.has(**byte) || matches!(byte, b'/' | b'\\'))
        .count();
    let path = &text[start..start + len];
    let len = len - path.iter().rev().take_while(|byte| **byte == b'\\').count();
    (len >= 20).then(|| push(text, start, start + len, Detector::Slack, found))?
}

/// Discord's webhooks, behind `/webhooks`: a number, then the secret.
pub(super) fn discord_hook(text: &[u8], to: usize, found: &mut Vec<Finding>) -> Option<usize> {
    let id = text[to..]
        .iter()
        .take(21)
        .take_while(|it| it.is_ascii_digit())
        .count();
    let start = to + id + 1;
    if id < 15 || text.get(start - 1) != Some(&b'/') {
        return None;
    }
    let len = run(&text[start..], Class::Word, ANY);
    (len >= 40).then(|| push(text, start, start + len, Detector::VendorToken, found))?
}

/// Telegram's bots, behind `/bot`: a number, a colon, then the secret.
pub(super) fn telegram_bot(text: &[u8], to: usize, found: &mut Vec<Finding>) -> Option<usize> {
    let id = text[to..]
        .iter()
        .take(13)
        .take_while(|it| it.is_ascii_digit())
        .count();
    let start = to + id + 1;
    if id < 6 || text.get(start - 1) != Some(&b':') {
        return None;
    }
    let len = run(&text[start..], Class::Word, ANY);
    (len >= 30).then(|| push(text, start, start + len, Detector::VendorToken, found))?
}

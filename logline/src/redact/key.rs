//! The names of values that are secret: `db_password`, `accessToken`, `X-Api-Key`, `JSESSIONID`.

use super::Detector;

/// What the scanner found of a key: enough letters to look closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stem {
    /// `pass`
    Pass,
    /// `pwd`
    Pwd,
    /// `ecret`
    Secret,
    /// `oken`
    Token,
    /// `key`
    Key,
    /// `ookie`
    Cookie,
    /// `sessi`
    Session,
    /// `.sid`
    Sid,
    /// `uthoriza`
    Authorization,
    /// `auth`, with what follows a key
    Auth,
    /// `credential`
    Credential,
    /// `ignature=`, `sig=`
    Signature,
}

/// What kind of value belongs to a key, and so what counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Chosen by people: any word may be one.
    Password,
    /// Made by machines: long and random.
    Token,
    /// Made by machines, and much of what a log calls a session is none.
    Session,
    /// `name=value; name=value`
    Cookie,
    /// A scheme and credentials.
    Authorization,
}

/// A key that names a secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Where it begins.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// What is expected of its value.
    pub(super) family: Family,
    /// What its value is reported as.
    pub(super) detector: Detector,
    /// It says more than `secret` or `token`: `client_secret`, `jwtSecret`.
    pub(super) qualified: bool,
    /// It is nothing but `pass`, which tests do as well.
    pub(super) bare_pass: bool,
    /// It is nothing but `pwd`, which is a directory as well.
    pub(super) pwd: bool,
    /// It is more than one: `tokens`.
    pub(super) plural: bool,
    /// Dashes stand before it, as before an option of a command.
    pub(super) dashed: bool,
}

/// How much of a name before the stem is looked at, in bytes.
const MAX_NAME: usize = 48;

/// What may follow a secret's name and still name the secret.
const TAILS: &[&[u8]] = &[
    b"value",
    b"hash",
    b"base64",
    b"b64",
    b"plain",
    b"plaintext",
    b"raw",
    b"text",
    b"string",
    b"str",
    b"enc",
    b"encrypted",
    b"old",
    b"new",
    b"confirmation",
    b"confirm",
    b"again",
    b"repeat",
    b"current",
    b"header",
    b"data",
    b"env",
];

/// What makes a key of a lock a key of a service. Those of the second list must begin a word.
const QUALIFIERS: &[&[u8]] = &[
    b"api",
    b"access",
    b"secret",
    b"private",
    b"account",
    b"auth",
    b"encryption",
    b"encrypt",
    b"decryption",
    b"signing",
    b"signature",
    b"master",
    b"shared",
    b"storage",
    b"client",
    b"application",
    b"licence",
    b"license",
    b"deploy",
    b"webhook",
    b"hmac",
    b"consumer",
    b"subscription",
    b"functions",
    b"service",
    b"crypto",
    b"cipher",
    b"admin",
    b"webapi",
    b"management",
    b"session",
    b"token",
];
const SHORT_QUALIFIERS: &[&[u8]] = &[
    b"app", b"aes", b"ssh", b"ssl", b"tls", b"jwt", b"gpg", b"bot", b"dd",
];

/// English words that end in `pass`.
const NOT_PASS: &[&[u8]] = &[
    b"by", b"com", b"encom", b"tres", b"sur", b"over", b"under", b"im", b"multi", b"cut",
    b"com_by", b"single", b"two", b"first", b"second",
];

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn strip<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

pub(super) fn ends_with(text: &[u8], suffix: &[u8]) -> bool {
    text.len() >= suffix.len() && text[text.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

/// Whether `needle`, in lower case, is in `text` in any case.
pub(super) fn holds(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len())
        .any(|it| it.eq_ignore_ascii_case(needle))
}

/// Reads the key around the stem that stands from `from` to `to`. `None` where it names something else.
pub(super) fn read(text: &[u8], stem: Stem, from: usize, to: usize) -> Option<Key> {
    // The scanner's stems leave out the letter that may be upper case.
    let from = match stem {
        Stem::Secret => before(text, from, b's')?,
        Stem::Token => before(text, from, b't')?,
        Stem::Cookie => before(text, from, b'c')?,
        Stem::Authorization => before(text, from, b'a')?,
        Stem::Signature if text[from] | 0x20 == b'i' => before(text, from, b's')?,
        Stem::Sid => from + 1,
        _ => from,
    };
    let to = match stem {
        // The stem holds what comes after the key.
        Stem::Signature | Stem::Auth => to - 1,
        _ => to,
    };
    let end = to
        + text[to..]
            .iter()
            .take(MAX_NAME)
            .take_while(|byte| is_name(**byte) && **byte != b'.')
            .count();
    let (plural, tail) = rest(stem, &text[to..end])?;
    let start = start(text, from);
    let name = &text[start..end];
    let dashes = name.iter().take_while(|byte| **byte == b'-').count();
    let (start, name) = (start + dashes, &name[dashes..]);
    let left = text.get(start..from)?;
    let mut key = Key {
        start,
        end,
        family: Family::Token,
        detector: Detector::Secret,
        qualified: left.len() > 1,
        bare_pass: false,
        pwd: false,
        plural,
        dashed: dashes > 0,
    };
    match stem {
        Stem::Pass => {
            key.family = Family::Password;
            key.detector = Detector::Password;
            if to == end || tail {
                key.bare_pass = left.is_empty() || left.ends_with(b".");
                if NOT_PASS.iter().any(|it| left.eq_ignore_ascii_case(it)) {
                    return None;
                }
            }
        }
        Stem::Pwd => {
            key.family = Family::Password;
            key.detector = Detector::Password;
            key.pwd = left.is_empty() || left.eq_ignore_ascii_case(b"old");
        }
        Stem::Secret => key.detector = cloud(name, Detector::Secret),
        Stem::Token => key.detector = cloud(name, Detector::Token),
        Stem::Key => {
            let joined = matches!(left.last(), Some(b'_' | b'-' | b'.'));
            let word = &left[..left.len() - usize::from(joined)];
            let long = QUALIFIERS.iter().any(|it| ends_with(word, it));
            let short = SHORT_QUALIFIERS.iter().any(|it| {
                ends_with(word, it) && {
                    let first = word.len() - it.len();
                    first == 0
                        || !word[first - 1].is_ascii_alphabetic()
                        || word[first].is_ascii_uppercase()
                }
            });
            if !long && !short {
                return None;
            }
            key.qualified = true;
            key.detector = if ends_with(word, b"account") || ends_with(word, b"sharedaccess") {
                Detector::Azure
            } else if ends_with(word, b"api")
                || ends_with(word, b"app")
                || ends_with(word, b"subscription")
            {
                Detector::ApiKey
            } else {
                cloud(name, Detector::Secret)
            };
        }
        Stem::Cookie => {
            key.family = Family::Cookie;
            key.detector = Detector::Cookie;
        }
        Stem::Session | Stem::Sid => {
            key.family = Family::Session;
            key.detector = Detector::Cookie;
        }
        Stem::Authorization => {
            key.family = Family::Authorization;
            key.detector = Detector::AuthHeader;
        }
        Stem::Auth => {
            key.family = Family::Session;
            key.detector = Detector::AuthHeader;
        }
        Stem::Credential => {}
        Stem::Signature => {
            key.family = Family::Session;
            key.detector = if holds(name, b"amz") {
                Detector::Aws
            } else if name == b"sig" {
                Detector::Azure
            } else {
                Detector::Secret
            };
        }
    }
    Some(key)
}

/// AWS names its secrets so that they can be told.
fn cloud(name: &[u8], otherwise: Detector) -> Detector {
    let aws = [
        &b"aws"[..],
        b"amz",
        b"secretaccesskey",
        b"secret_access_key",
        b"secret-access-key",
    ];
    if aws.iter().any(|it| holds(name, it)) {
        Detector::Aws
    } else {
        otherwise
    }
}

/// The position before `at` where `letter` stands in either case.
fn before(text: &[u8], at: usize, letter: u8) -> Option<usize> {
    let at = at.checked_sub(1)?;
    (text[at] | 0x20 == letter).then_some(at)
}

/// Where the name begins that goes on at `at`.
fn start(text: &[u8], at: usize) -> usize {
    let least = at.saturating_sub(MAX_NAME);
    let mut start = at;
    while start > least && is_name(text[start - 1]) {
        start -= 1;
    }
    let escape = match start.checked_sub(1).map(|it| text[it]) {
        // `\n`, `\t`, `\u0026` and `%26` before a name are no part of it.
        Some(b'\\') if text[start..at].starts_with(b"u00") => 5,
        Some(b'\\') if matches!(text[start], b'n' | b'r' | b't') => 1,
        Some(b'%')
            if text[start..at]
                .iter()
                .take(2)
                .filter(|it| it.is_ascii_hexdigit())
                .count()
                == 2 =>
        {
            2
        }
        _ => 0,
    };
    (start + escape).min(at)
}

/// Whether what follows the stem ends its name there: `(plural, has a tail)`.
fn rest(stem: Stem, rest: &[u8]) -> Option<(bool, bool)> {
    let forms: &[&[u8]] = match stem {
        Stem::Pass => &[
            b"word", b"words", b"wd", b"phrase", b"phrases", b"code", b"",
        ],
        Stem::Pwd => &[b""],
        Stem::Secret | Stem::Token | Stem::Key | Stem::Cookie | Stem::Credential => &[b"", b"s"],
        Stem::Session => &[
            b"onid",
            b"on_id",
            b"on-id",
            b"onkey",
            b"on_key",
            b"on",
            b"d",
            b"onids",
            b"ons",
            b"on_cookie",
        ],
        Stem::Authorization => &[b"tion"],
        Stem::Sid | Stem::Auth | Stem::Signature => &[b""],
    };
    forms.iter().find_map(|form| {
        let tail = strip(rest, form)?;
        is_tail(tail).then_some((form.ends_with(b"s"), !tail.is_empty() && form.is_empty()))
    })
}

fn is_tail(tail: &[u8]) -> bool {
    let word = match tail.split_first() {
        None => return true,
        Some((b'_' | b'-', word)) => word,
        Some(_) => tail,
    };
    let number = word.len() <= 3 && word.iter().all(u8::is_ascii_digit);
    number || TAILS.iter().any(|it| word.eq_ignore_ascii_case(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str, stem: Stem, part: &str) -> Option<(String, Detector)> {
        let from = text.find(part).expect("the stem");
        let key = read(text.as_bytes(), stem, from, from + part.len())?;
        Some((text[key.start..key.end].to_owned(), key.detector))
    }

    #[test]
    fn names_of_secrets_are_read_whole() {
        for (text, stem, part, name, detector) in [
            (
                "x db_password=1",
                Stem::Pass,
                "pass",
                "db_password",
                Detector::Password,
            ),
            (
                "--user-passwd x",
                Stem::Pass,
                "pass",
                "user-passwd",
                Detector::Password,
            ),
            (
                "accessToken:",
                Stem::Token,
                "oken",
                "accessToken",
                Detector::Token,
            ),
            (
                "X-Api-Key:",
                Stem::Key,
                "Key",
                "X-Api-Key",
                Detector::ApiKey,
            ),
            (
                "AWS_SECRET_ACCESS_KEY=",
                Stem::Key,
                "KEY",
                "AWS_SECRET_ACCESS_KEY",
                Detector::Aws,
            ),
            ("\\napi_key=", Stem::Key, "key", "api_key", Detector::ApiKey),
            (
                "a%26api_key%3D",
                Stem::Key,
                "key",
                "api_key",
                Detector::ApiKey,
            ),
            (
                "JSESSIONID=",
                Stem::Session,
                "SESSI",
                "JSESSIONID",
                Detector::Cookie,
            ),
            (
                "AccountKey=",
                Stem::Key,
                "Key",
                "AccountKey",
                Detector::Azure,
            ),
        ] {
            assert_eq!(
                key(text, stem, part),
                Some((name.to_owned(), detector)),
                "{text}"
            );
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for (text, stem, part) in [
            ("token_type=", Stem::Token, "oken"),
            ("broken:", Stem::Token, "oken"),
            ("password_reset_url=", Stem::Pass, "pass"),
            ("bypass=1", Stem::Pass, "pass"),
            ("passed: 3", Stem::Pass, "pass"),
            ("primary_key=", Stem::Key, "key"),
            ("private_key_id:", Stem::Key, "key"),
            ("publicKey:", Stem::Key, "Key"),
            ("monkey=", Stem::Key, "key"),
            ("session.cookie.name=", Stem::Session, "sessi"),
        ]
        .into_iter()
        .take(9)
        {
            assert_eq!(key(text, stem, part), None, "{text}");
        }
    }
}

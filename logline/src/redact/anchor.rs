//! What is looked for in every text: the few letters that every secret has in it or before it.

use super::{Detector, command::Command, key::Stem};

/// What an anchor calls for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    /// A key whose value may be a secret.
    Key(Stem),
    /// A token that is known by its prefix: the index of its kind.
    Token(usize),
    /// `bearer`
    Bearer,
    /// `Basic `
    Basic,
    /// `://`
    Url,
    /// `---BEGIN`
    Pem,
    /// `identified by`
    Identified,
    /// `eyJ`
    Jwt,
    /// `Q~`
    Azure,
    /// `hooks.slack.com`
    SlackHook,
    /// `/webhooks/`
    DiscordHook,
    /// `/bot`
    TelegramBot,
    /// A command that takes a password as an argument.
    Command(Command),
}

const KEYS: &[Detector] = &[
    Detector::Secret,
    Detector::ApiKey,
    Detector::Aws,
    Detector::Azure,
];

/// The letters of an anchor, in which case does not count but for those of tokens.
#[derive(Debug)]
pub(super) struct Letters {
    /// At least three of them, in lower case.
    pub(super) text: &'static str,
    /// Where there are but three: the bytes of which one must follow, in lower case.
    pub(super) followers: &'static [u8],
    /// Which two neighbouring windows of three bytes are the rarest in logs: those that begin here and one byte further.
    pub(super) rare: usize,
    /// What they call for.
    pub(super) anchor: Anchor,
    /// The detectors that need them.
    pub(super) detectors: &'static [Detector],
}

/// What may stand behind a key.
const BEHIND_KEY: &[u8] = b"=:\"' \\%>],_-/&<`|)\ts0123456789vhbprtcodena(;\n";
/// Letters and digits.
pub(super) const ALNUM: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_-";
/// What Azure's client secrets are made of.
const AZURE: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_~.-";
/// What may begin the authority of an address.
const HOST: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789:[%_-.$!&'()*+,;=~@#^{<\\/?|\"";

const fn letters(text: &'static str, anchor: Anchor, detectors: &'static [Detector]) -> Letters {
    Letters {
        text,
        followers: b"",
        rare: 0,
        anchor,
        detectors,
    }
}

const fn three(
    text: &'static str,
    followers: &'static [u8],
    anchor: Anchor,
    detectors: &'static [Detector],
) -> Letters {
    Letters {
        text,
        followers,
        rare: 0,
        anchor,
        detectors,
    }
}

const fn deep(
    text: &'static str,
    rare: usize,
    anchor: Anchor,
    detectors: &'static [Detector],
) -> Letters {
    Letters {
        text,
        followers: b"",
        rare,
        anchor,
        detectors,
    }
}

/// The anchors beside the tokens' prefixes.
pub(super) static ANCHORS: &[Letters] = &[
    letters("pass", Anchor::Key(Stem::Pass), &[Detector::Password]),
    three(
        "pwd",
        BEHIND_KEY,
        Anchor::Key(Stem::Pwd),
        &[Detector::Password],
    ),
    letters("ecret", Anchor::Key(Stem::Secret), KEYS),
    letters(
        "oken",
        Anchor::Key(Stem::Token),
        &[Detector::Token, Detector::Aws],
    ),
    three("key", BEHIND_KEY, Anchor::Key(Stem::Key), KEYS),
    deep("ookie", 1, Anchor::Key(Stem::Cookie), &[Detector::Cookie]),
    letters("sessi", Anchor::Key(Stem::Session), &[Detector::Cookie]),
    letters(".sid", Anchor::Key(Stem::Sid), &[Detector::Cookie]),
    deep(
        "uthoriza",
        4,
        Anchor::Key(Stem::Authorization),
        &[Detector::AuthHeader],
    ),
    letters("auth=", Anchor::Key(Stem::Auth), &[Detector::AuthHeader]),
    letters("auth\"", Anchor::Key(Stem::Auth), &[Detector::AuthHeader]),
    letters("auth\\", Anchor::Key(Stem::Auth), &[Detector::AuthHeader]),
    deep(
        "credential",
        0,
        Anchor::Key(Stem::Credential),
        &[Detector::Secret],
    ),
    deep(
        "ignature=",
        5,
        Anchor::Key(Stem::Signature),
        &[Detector::Secret, Detector::Aws],
    ),
    deep(
        "ignature%",
        5,
        Anchor::Key(Stem::Signature),
        &[Detector::Secret, Detector::Aws],
    ),
    letters("sig=", Anchor::Key(Stem::Signature), &[Detector::Azure]),
    letters("sig%", Anchor::Key(Stem::Signature), &[Detector::Azure]),
    deep("bearer", 0, Anchor::Bearer, &[Detector::AuthHeader]),
    letters("basic ", Anchor::Basic, &[Detector::AuthHeader]),
    letters("basic%20", Anchor::Basic, &[Detector::AuthHeader]),
    letters("basic+", Anchor::Basic, &[Detector::AuthHeader]),
    three("://", HOST, Anchor::Url, &[Detector::UrlPassword]),
    letters(":\\/\\/", Anchor::Url, &[Detector::UrlPassword]),
    letters("%3a%2f%2f", Anchor::Url, &[Detector::UrlPassword]),
    deep("---begin", 2, Anchor::Pem, &[Detector::PrivateKey]),
    letters("--- begin", Anchor::Pem, &[Detector::PrivateKey]),
    deep(
        "identified by",
        4,
        Anchor::Identified,
        &[Detector::Password],
    ),
    three("eyj", ALNUM, Anchor::Jwt, &[Detector::Jwt]),
    three("7q~", AZURE, Anchor::Azure, &[Detector::Azure]),
    three("8q~", AZURE, Anchor::Azure, &[Detector::Azure]),
    deep("hooks.slack.com", 4, Anchor::SlackHook, &[Detector::Slack]),
    deep(
        "/webhooks/",
        3,
        Anchor::DiscordHook,
        &[Detector::VendorToken],
    ),
    letters("/bot", Anchor::TelegramBot, &[Detector::VendorToken]),
    letters(
        "mysql",
        Anchor::Command(Command::Mysql),
        &[Detector::Password],
    ),
    deep(
        "curl ",
        1,
        Anchor::Command(Command::Curl),
        &[Detector::Password],
    ),
    deep(
        "curl\"",
        1,
        Anchor::Command(Command::Curl),
        &[Detector::Password],
    ),
    letters(
        "sshpass",
        Anchor::Command(Command::Sshpass),
        &[Detector::Password],
    ),
    deep(
        "redis-cli",
        4,
        Anchor::Command(Command::RedisCli),
        &[Detector::Password],
    ),
];

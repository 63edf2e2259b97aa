//! The placeholders of a template's text, and the way back from text and variables to the message.

/// What kind of value a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A number, with sign, decimals, thousands or as a list: `-1.5`, `1,234`, `10-20`.
    Num,
    /// A hexadecimal number, with or without `0x`.
    Hex,
    /// A UUID.
    Uuid,
    /// An IPv4 or IPv6 address, with port or prefix length where one follows.
    Ip,
    /// A hardware address.
    Mac,
    /// A date, a time of day, or both.
    Time,
    /// A length of time with its unit: `12ms`, `3 seconds`.
    Dur,
    /// An amount of data with its unit: `4KiB`, `384.0 B`.
    Size,
    /// A path in a file system or on a server.
    Path,
    /// A URL.
    Url,
    /// An e-mail address or `user@host`.
    Email,
    /// What stands between quotes, or text that looks like a placeholder itself.
    Str,
    /// A name with digits in it that names one thing among many: `node-17`, `x7f2k`.
    Id,
    /// A long run of base64 or the like.
    B64,
    /// A host's name.
    Host,
    /// A version.
    Ver,
    /// Bytes that are not UTF-8.
    Bin,
    /// The frames of a stack trace and other further lines of an event.
    Trace,
    /// The tail of a message that is longer than what is looked at.
    Rest,
    /// A token that varies, found by merging.
    Any,
}

impl Kind {
    /// All kinds; the order has no meaning.
    pub const ALL: [Self; 20] = [
        Self::Num,
        Self::Hex,
        Self::Uuid,
        Self::Ip,
        Self::Mac,
        Self::Time,
        Self::Dur,
        Self::Size,
        Self::Path,
        Self::Url,
        Self::Email,
        Self::Str,
        Self::Id,
        Self::B64,
        Self::Host,
        Self::Ver,
        Self::Bin,
        Self::Trace,
        Self::Rest,
        Self::Any,
    ];

    /// How the kind is written in a template, e.g. `<num>`.
    #[must_use]
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Num => "<num>",
            Self::Hex => "<hex>",
            Self::Uuid => "<uuid>",
            Self::Ip => "<ip>",
            Self::Mac => "<mac>",
            Self::Time => "<time>",
            Self::Dur => "<dur>",
            Self::Size => "<size>",
            Self::Path => "<path>",
            Self::Url => "<url>",
            Self::Email => "<email>",
            Self::Str => "<str>",
            Self::Id => "<id>",
            Self::B64 => "<b64>",
            Self::Host => "<host>",
            Self::Ver => "<ver>",
            Self::Bin => "<bin>",
            Self::Trace => "<trace>",
            Self::Rest => "<rest>",
            Self::Any => "<*>",
        }
    }

    /// The placeholder that `text` starts with, if any.
    #[must_use]
    pub fn at_start(text: &[u8]) -> Option<Self> {
        if text.first() != Some(&b'<') || text.len() < 3 {
            return None;
        }
        let kind = match (text[1], text[2]) {
            (b'n', _) => Self::Num,
            (b'h', b'e') => Self::Hex,
            (b'h', _) => Self::Host,
            (b'u', b'u') => Self::Uuid,
            (b'u', _) => Self::Url,
            (b'i', b'p') => Self::Ip,
            (b'i', _) => Self::Id,
            (b'm', _) => Self::Mac,
            (b't', b'i') => Self::Time,
            (b't', _) => Self::Trace,
            (b'd', _) => Self::Dur,
            (b's', b'i') => Self::Size,
            (b's', _) => Self::Str,
            (b'p', _) => Self::Path,
            (b'e', _) => Self::Email,
            (b'b', b'6') => Self::B64,
            (b'b', _) => Self::Bin,
            (b'v', _) => Self::Ver,
            (b'r', _) => Self::Rest,
            (b'*', _) => Self::Any,
            _ => return None,
        };
        text.starts_with(kind.placeholder().as_bytes())
            .then_some(kind)
    }
}

/// A range of bytes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Just after the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of `message` that the span covers; empty where it does not fit.
    #[must_use]
    pub fn of(self, message: &[u8]) -> &[u8] {
        message
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// Writes into `out` (appending) the message that `template` and its `variables`, in order, came from.
///
/// Returns whether there were exactly as many variables as placeholders; where there were not, missing ones are
/// written as nothing and surplus ones are left out.
pub fn render<'a>(
    template: &str,
    variables: impl IntoIterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) -> bool {
    let mut rest = template.as_bytes();
    let mut variables = variables.into_iter();
    let mut whole = true;
    while let Some(at) = memchr::memchr(b'<', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if let Some(kind) = Kind::at_start(rest) {
            match variables.next() {
                Some(value) => out.extend_from_slice(value),
                None => whole = false,
            }
            rest = &rest[kind.placeholder().len()..];
        } else {
            out.push(b'<');
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
    whole && variables.next().is_none()
}

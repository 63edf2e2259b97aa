//! Lines that are one JSON object: one pass over the keys, values looked at only where a key means something.

use super::{
    Format, Header,
    fields::{Gathered, Role, Value, role},
};
use crate::time::TimeContext;

/// Objects within the record that are looked into (`log: {level}`, `error: {message}`, OpenTelemetry's `body: {stringValue}`).
const DEPTH: u8 = 3;

/// Reads `text` as a log record. None where it is no object, is broken before anything was learnt, or something follows it.
pub(super) fn parse<'a>(text: &'a [u8], context: &TimeContext) -> Option<Header<'a>> {
    let mut reader = Reader {
        text,
        at: 0,
        context,
        found: Gathered::default(),
    };
    let whole = reader.object(0, None).is_some();
    let tail = &text[reader.at.min(text.len())..];
    if whole && !tail.is_empty() && tail[0] != b'\n' && !tail.trim_ascii().is_empty() {
        return None;
    }
    // Half a record (cut by a bound, or by a crash) still tells what it told; half of anything else is text.
    let known = reader.found.is_record();
    if !(whole || known) {
        return None;
    }
    if !known && text.len() < 3 {
        return None;
    }
    Some(reader.found.header(Format::Json, text))
}

struct Reader<'a, 'c> {
    text: &'a [u8],
    at: usize,
    context: &'c TimeContext,
    found: Gathered<'a>,
}

impl<'a> Reader<'a, '_> {
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn eat(&mut self, want: u8) -> Option<()> {
        self.space();
        (self.text.get(self.at) == Some(&want)).then(|| self.at += 1)
    }

    /// The object at `at`, to just after its brace; `parent` is the role of the key that holds it.
    fn object(&mut self, depth: u8, parent: Option<(Role, &'a [u8])>) -> Option<()> {
        self.eat(b'{')?;
        self.space();
        if self.text.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Some(());
        }
        loop {
            self.eat(b'"')?;
            let (key, _) = self.string()?;
            self.eat(b':')?;
            self.space();
            self.member(depth, parent, key)?;
            self.space();
            match self.text.get(self.at)? {
                b',' => {
                    self.at += 1;
                    self.space();
                }
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn member(&mut self, depth: u8, parent: Option<(Role, &'a [u8])>, key: &'a [u8]) -> Option<()> {
        let meaning = match parent {
            None => role(key),
            Some((outer, name)) => nested(outer, name, key),
        };
        match self.text.get(self.at)? {
            b'"' => {
                self.at += 1;
                let (raw, escaped) = self.string()?;
                if let Some(meaning) = meaning {
                    self.found
                        .take(meaning, key, Value::Quoted(raw, escaped), self.context);
                }
            }
            b'{' if depth < DEPTH => {
                let opened = meaning
                    .filter(|m| opens(*m))
                    .or_else(|| container(key, parent.is_none()));
                match opened {
                    Some(meaning) => self.object(depth + 1, Some((meaning, key)))?,
                    None => self.skip_nested()?,
                }
            }
            b'{' | b'[' => self.skip_nested()?,
            _ => {
                let start = self.at;
                while let Some(c) = self.text.get(self.at)
                    && !matches!(c, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
                {
                    self.at += 1;
                }
                let raw = &self.text[start..self.at];
                if raw.is_empty() || !(raw[0].is_ascii_alphanumeric() || raw[0] == b'-') {
                    return None;
                }
                if let Some(meaning) = meaning {
                    self.found
                        .take(meaning, key, Value::Bare(raw), self.context);
                }
            }
        }
        Some(())
    }

    /// The string whose opening quote is behind `at`: its raw bytes and whether it holds a backslash.
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.get(self.at..)?;
            let step = memchr::memchr2(b'"', b'\\', rest)?;
            if rest[step] == b'"' {
                self.at += step + 1;
                return Some((&self.text[start..self.at - 1], escaped));
            }
            escaped = true;
            self.at += step + 2;
        }
    }

    /// Passes over an object or array of any depth, without recursion.
    fn skip_nested(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => {
                    open -= 1;
                    if open == 0 {
                        return Some(());
                    }
                }
                _ => {}
            }
        }
    }
}

/// Roles whose object is looked into.
fn opens(role: Role) -> bool {
    matches!(
        role,
        Role::Message(_)
            | Role::Error(_)
            | Role::Time(_)
            | Role::Nest
            | Role::Level
            | Role::Logger(_)
            | Role::Host
    )
}

/// Objects at the top that hold parts of the head under plain names: ECS (`log`, `process`, `host`), loguru, tracing.
fn container(key: &[u8], top: bool) -> Option<Role> {
    (top && matches!(
        key,
        b"process" | b"resource" | b"attributes" | b"Attributes" | b"Properties"
    ))
    .then_some(Role::Nest)
}

/// What `key` means inside an object of that role.
fn nested(outer: Role, name: &[u8], key: &[u8]) -> Option<Role> {
    match outer {
        // OpenTelemetry's body and tracing's fields.
        Role::Message(_) => match (name, key) {
            (b"log", b"level") => Some(Role::Level),
            (b"log", b"logger") => Some(Role::Logger(0)),
            (_, b"stringValue" | b"message" | b"msg") => Some(outer),
            _ => None,
        },
        Role::Error(rank) => match key {
            b"message" | b"msg" | b"Message" | b"errmsg" => Some(Role::Error(rank)),
            b"type" | b"name" | b"code" | b"stack" | b"stack_trace" => Some(Role::Error(rank + 2)),
            _ => None,
        },
        // MongoDB's extended JSON, loguru.
        Role::Time(rank) => {
            matches!(key, b"$date" | b"repr" | b"epochSecond").then_some(Role::Time(rank))
        }
        Role::Level => matches!(key, b"name" | b"text").then_some(Role::Level),
        Role::Logger(rank) => {
            matches!(key, b"name" | b"file" | b"function").then_some(Role::Logger(rank))
        }
        Role::Host => matches!(key, b"name" | b"hostname").then_some(Role::Host),
        Role::Nest => match (name, key) {
            (b"process", b"pid" | b"id") => Some(Role::Pid(0)),
            (b"process", _) | (b"resource", b"type" | b"labels") => None,
            (b"Properties", b"SourceContext") => Some(Role::Logger(0)),
            (b"Properties" | b"attributes" | b"Attributes", _) => None,
            _ => role(key).filter(|r| {
                !matches!(
                    r,
                    Role::Host | Role::Gelf | Role::MongoLevel | Role::Logger(3)
                ) && (*r != Role::Logger(2) || name == b"record")
            }),
        },
        _ => None,
    }
}

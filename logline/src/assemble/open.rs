//! The state of the open event, as far as a next line asks for it.

use super::block::{closes, ends_element, opens};
use super::head::{self, Attach};
use super::judge::Step;
use super::saved::{self, Reader, RestoreError};
use super::shape::{Indent, Shape, Sign};

/// Lines that are held at most while it is not clear where they belong.
const MAX_HELD: u32 = 32;

/// How far the open event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// An ordinary line and what is indented beneath it.
    Plain,
    /// It has ended: a bracket or element that it opened is closed.
    Done,
    /// An error's type and message: frames may follow, or more lines of the message and then frames.
    Error,
    /// Among the frames of a trace.
    Frames,
    /// A Python traceback before its last line.
    Python,
    /// A Python traceback with its last line.
    PythonEnd,
    /// The words between two chained tracebacks.
    PythonChain,
    /// After the `"""` before a traceback from another process.
    Quote,
    /// Between two lines of `"""`.
    Quoted,
    /// `panic: ...` before its goroutine.
    Panic,
    /// Among goroutines.
    Go,
    /// `thread 'main' panicked at src/main.rs:1:2:` before its message.
    RustHead,
    /// A Rust panic with its message.
    Rust,
    /// A source place alone: an excerpt may follow.
    Excerpt,
    /// The excerpt's `^` has come: the error follows.
    Caret,
    /// A report of Elixir or Erlang.
    Report,
    /// A message that begins beneath its head: `... Reporter : `, a blank line, then text.
    Essay,
    /// A block of JSON that began with its bracket.
    Block,
    /// A markup element; the name of its root lies at these bytes of the event.
    Markup(u32, u32),
    /// A dump of Java threads.
    Threads,
}

/// The state of the open event, as far as a next line asks for it.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) mode: Mode,
    /// What the mode becomes if the line now judged joins.
    pub(super) next: Mode,
    /// Brackets opened at the end of a line and not closed at the start of another.
    pub(super) brackets: u32,
    pub(super) lines: u32,
    /// Where the last line starts.
    pub(super) last: usize,
    /// What may join, once somebody asked.
    pub(super) attach: Option<(Attach, bool)>,
    pub(super) headed: Option<bool>,
    pub(super) held_blanks: u32,
    pub(super) held_texts: u32,
    /// The last held line is one word or one error: frames make it part of the event.
    pub(super) held_word: bool,
}

impl Open {
    /// The state after an event's first line.
    pub(super) fn new(line: &[u8], shape: Shape) -> Self {
        let mode = match shape {
            Shape::Error(_) => Mode::Error,
            Shape::Indented(Indent::File | Indent::Group) => Mode::Python,
            Shape::Indented(Indent::Frame) => Mode::Frames,
            Shape::Sign(sign) => match sign {
                Sign::Traceback => Mode::Python,
                Sign::Chain => Mode::PythonChain,
                Sign::Caused => Mode::Error,
                // A numbered line alone is no frame: too much else is numbered.
                Sign::Frame if line[0].is_ascii_digit() => Mode::Plain,
                Sign::Stack | Sign::Frame | Sign::RubyFrame => Mode::Frames,
                Sign::Panic => Mode::Panic,
                Sign::Goroutine => Mode::Go,
                Sign::Rust if line.ends_with(b":") => Mode::RustHead,
                Sign::Rust => Mode::Rust,
                Sign::Place => Mode::Excerpt,
                Sign::ThreadDump => Mode::Threads,
                Sign::Open => Mode::Block,
                Sign::Markup => markup(line, 0),
                _ => Mode::Plain,
            },
            _ => Mode::Plain,
        };
        Self {
            mode,
            next: mode,
            brackets: u32::from(opens(line)),
            lines: 1,
            last: 0,
            attach: None,
            headed: match shape {
                Shape::Head => Some(true),
                // A line that starts with a digit may have been let through unlooked at.
                Shape::Text | Shape::Word if !line.first().is_some_and(u8::is_ascii_digit) => {
                    Some(false)
                }
                _ => None,
            },
            held_blanks: 0,
            held_texts: 0,
            held_word: false,
        }
    }

    /// An ordinary event, for which a line that starts with a digit is no continuation.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.mode, Mode::Plain | Mode::Done)
    }

    /// The state of the same event's next part, after a cap.
    pub(super) fn next_part(&self) -> Self {
        let mode = match self.mode {
            // The name lies in the part that has gone.
            Mode::Markup(..) => Mode::Plain,
            mode => mode,
        };
        Self {
            mode,
            last: 0,
            ..self.clone()
        }
    }

    /// The line joins; `text` ends with all held lines and not yet with this one.
    pub(super) fn joined(&mut self, text: &[u8], line: &[u8], shape: Shape) {
        self.lines = self.lines.saturating_add(1 + self.held_lines());
        self.held_blanks = 0;
        self.held_texts = 0;
        self.held_word = false;
        self.mode = self.next;
        if closes(line) {
            self.brackets = self.brackets.saturating_sub(1);
            if self.brackets == 0 && self.mode == Mode::Block && shape == Shape::Sign(Sign::Close) {
                self.mode = Mode::Done;
            }
        }
        self.brackets = self.brackets.saturating_add(u32::from(opens(line)));
        if let Mode::Markup(at, len) = self.mode {
            self.mode = match self.root(text, at, len) {
                Some([]) | None => markup(line, text.len() + 1),
                Some(root) if ends_element(line, root) => Mode::Done,
                Some(_) => self.mode,
            };
        }
    }

    pub(super) fn root<'a>(&self, text: &'a [u8], at: u32, len: u32) -> Option<&'a [u8]> {
        text.get(at as usize..(at + len) as usize)
    }

    pub(super) fn last_line_at(&mut self, at: usize) {
        self.last = at;
    }

    /// The line is held.
    pub(super) fn held(&mut self, _line: &[u8], shape: Shape) {
        if shape == Shape::Blank {
            self.held_blanks += 1;
        } else {
            self.held_texts += 1;
            self.held_word = matches!(shape, Shape::Word | Shape::Error(_));
        }
    }

    pub(super) fn attach(&mut self, text: &[u8]) -> (Attach, bool) {
        *self
            .attach
            .get_or_insert_with(|| head::attach(first_line(text)))
    }

    /// Whether the first line has a head: far cheaper to tell than the rest of [`Open::attach`].
    pub(super) fn is_headed(&mut self, text: &[u8]) -> bool {
        match self.attach {
            Some((_, headed)) => headed,
            None => *self
                .headed
                .get_or_insert_with(|| head::own(first_line(text))),
        }
    }

    pub(super) fn held_lines(&self) -> u32 {
        self.held_blanks + self.held_texts
    }

    pub(super) fn is_adjacent(&self) -> bool {
        self.held_lines() == 0
    }

    pub(super) fn to(&mut self, mode: Mode) -> Step {
        self.next = mode;
        Step::Join
    }

    pub(super) fn hold_if(&self, may: bool) -> Step {
        if may && self.held_lines() < MAX_HELD {
            Step::Hold
        } else {
            Step::Begin
        }
    }
}

/// What a restart keeps.
impl Open {
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.push(code(self.mode));
        if let Mode::Markup(at, len) = self.mode {
            saved::put(out, at.into());
            saved::put(out, len.into());
        }
        saved::put(out, self.brackets.into());
        saved::put(out, self.lines.into());
        saved::put(out, self.last as u64);
        out.push(match self.attach {
            None => 0,
            Some((attach, headed)) => {
                let attach = match attach {
                    Attach::Closed => 1,
                    Attach::Bare => 2,
                    Attach::Calm => 3,
                    Attach::Bad => 4,
                };
                attach << 1 | u8::from(headed)
            }
        });
        out.push(match self.headed {
            None => 0,
            Some(headed) => 2 | u8::from(headed),
        });
        saved::put(out, self.held_blanks.into());
        saved::put(out, self.held_texts.into());
        out.push(u8::from(self.held_word));
    }

    /// Reads what [`Open::save`] wrote of an event of `len` bytes.
    pub(super) fn load(reader: &mut Reader<'_>, len: usize) -> Result<Self, RestoreError> {
        let mode = match reader.byte()? {
            MARKUP => {
                let (at, root): (u32, u32) = (reader.small()?, reader.small()?);
                let end = at.checked_add(root).ok_or(RestoreError::Damaged)?;
                if end as usize > len {
                    return Err(RestoreError::Damaged);
                }
                Mode::Markup(at, root)
            }
            byte => PLAIN_MODES
                .into_iter()
                .find(|mode| code(*mode) == byte)
                .ok_or(RestoreError::Damaged)?,
        };
        let open = Self {
            mode,
            next: mode,
            brackets: reader.small()?,
            lines: reader.small()?,
            last: reader.small()?,
            attach: match reader.byte()? {
                0 => None,
                code => {
                    let attach = match code >> 1 {
                        1 => Attach::Closed,
                        2 => Attach::Bare,
                        3 => Attach::Calm,
                        4 => Attach::Bad,
                        _ => return Err(RestoreError::Damaged),
                    };
                    Some((attach, code & 1 != 0))
                }
            },
            headed: match reader.byte()? {
                0 => None,
                code @ (2 | 3) => Some(code == 3),
                _ => return Err(RestoreError::Damaged),
            },
            held_blanks: reader.small()?,
            held_texts: reader.small()?,
            held_word: reader.flag()?,
        };
        let held = open.held_blanks.checked_add(open.held_texts);
        if open.last > len || held.is_none_or(|held| held > MAX_HELD) {
            return Err(RestoreError::Damaged);
        }
        Ok(open)
    }
}

/// The code of [`Mode::Markup`], which has its place behind it.
const MARKUP: u8 = u8::MAX;

/// The modes that are their code alone.
const PLAIN_MODES: [Mode; 19] = [
    Mode::Plain,
    Mode::Done,
    Mode::Error,
    Mode::Frames,
    Mode::Python,
    Mode::PythonEnd,
    Mode::PythonChain,
    Mode::Quote,
    Mode::Quoted,
    Mode::Panic,
    Mode::Go,
    Mode::RustHead,
    Mode::Rust,
    Mode::Excerpt,
    Mode::Caret,
    Mode::Report,
    Mode::Essay,
    Mode::Block,
    Mode::Threads,
];

/// The code of a mode; none may change without the version.
fn code(mode: Mode) -> u8 {
    match mode {
        Mode::Plain => 0,
        Mode::Done => 1,
        Mode::Error => 2,
        Mode::Frames => 3,
        Mode::Python => 4,
        Mode::PythonEnd => 5,
        Mode::PythonChain => 6,
        Mode::Quote => 7,
        Mode::Quoted => 8,
        Mode::Panic => 9,
        Mode::Go => 10,
        Mode::RustHead => 11,
        Mode::Rust => 12,
        Mode::Excerpt => 13,
        Mode::Caret => 14,
        Mode::Report => 15,
        Mode::Essay => 16,
        Mode::Block => 17,
        Mode::Threads => 18,
        Mode::Markup(..) => MARKUP,
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
    &text[..end]
}

/// The mode after a line that starts a markup element; `base` is where the line lies in the event.
fn markup(line: &[u8], base: usize) -> Mode {
    let line_start = line.len() - line.trim_ascii_start().len();
    let Some(rest) = line[line_start..].strip_prefix(b"<") else {
        return Mode::Markup(0, 0);
    };
    let len = rest
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-' | b'.'))
        .count();
    let root = &rest[..len];
    if ends_element(line, root) && len > 0 {
        return Mode::Done;
    }
    let at = base + line_start + 1;
    match (u32::try_from(at), u32::try_from(len)) {
        (Ok(at), Ok(len)) if len > 0 => Mode::Markup(at, len),
        _ => Mode::Markup(0, 0),
    }
}

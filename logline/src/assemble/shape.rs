//! What a line is by itself, told from its first bytes: the vocabulary in which [`judge`](super::judge) decides.
//!
//! The forms are those of the runtimes' own printers: Java `Throwable.printStackTrace`, Python `traceback`, Go `runtime`
//! (`panic.go`, `traceback.go`), Node `internal/errors` and `util.inspect`, .NET `Exception.ToString`, Ruby `error.c`, Rust
//! `std::panicking` and `std::backtrace`, PHP `zend_exceptions.c`, Elixir `Exception.format` and Erlang `error_logger`.

use super::code::{is_error, is_native_frame, is_place, is_ruby_error, ruby_place};
use super::head;

/// A line by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing but white space.
    Blank,
    /// It starts with its own time, level or the like: always an event's first line.
    Head,
    /// It starts with white space.
    Indented(Indent),
    /// It says of itself where it belongs.
    Sign(Sign),
    /// `Type: message` as languages print an uncaught error; with `true` the type is qualified as in Java.
    Error(bool),
    /// Anything else.
    Text,
    /// One word without white space: a function, a field, a path.
    Word,
}

/// What an indented line shows behind its indentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indent {
    /// A frame of a stack trace.
    Frame,
    /// Python's `File "x", line 1`.
    File,
    /// Python's `+ Exception Group Traceback`.
    Group,
    /// Nothing but `^` and `~`.
    Caret,
    /// A closing bracket.
    Close,
    /// Anything else.
    Other,
}

/// What a line that starts at the margin says of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Python's `Traceback (most recent call last):`.
    Traceback,
    /// Python's words between two chained tracebacks.
    Chain,
    /// `"""` around a traceback from another process.
    Triple,
    /// What a database driver says beneath its message: `DETAIL:`, `LINE 1:`, `[SQL: ...]`.
    Detail,
    /// `Caused by:` and its like.
    Caused,
    /// A frame without its indentation.
    Frame,
    /// A Ruby frame, `file.rb:12:in 'name'`.
    RubyFrame,
    /// `... 23 more`, `--- End of inner exception stack trace ---`.
    Mark,
    /// `Stack trace:`, `stack backtrace:`, `[stacktrace]`.
    Stack,
    /// A comment sign, as in the JVM's fatal error block.
    Hash,
    /// A line of a drawing that goes on from line to line: a table, a box, a sanitizer's `==77==`.
    Drawn,
    /// The `SEVERE: message` that `java.util.logging` puts beneath its line of time and place.
    JulLevel,
    /// The start of a Go panic: `panic: `, `fatal error: `, `SIGQUIT: `.
    Panic,
    /// `goroutine 1 [running]:`, `runtime stack:`.
    Goroutine,
    /// What stands in a Go crash beside functions: `created by`, `exit status 2`, `[signal SIGSEGV...`.
    Crash,
    /// A register of a Go crash: `rip    0x45c1a1`.
    Register,
    /// Rust's `thread 'main' panicked at`.
    Rust,
    /// `note: run with ...`.
    Note,
    /// `Node.js v20.1.0`.
    NodeVersion,
    /// A source place alone, `/app/server.js:12`, before an excerpt.
    Place,
    /// `** (RuntimeError) ...`, `** Reason for termination ==`.
    Stars,
    /// A key of an Elixir or Erlang report: `Last message:`, `State:`.
    Report,
    /// A numbered frame of PHP's own log, `PHP   1. {main}()`.
    PhpFrame,
    /// PHP's `Next Type: message`.
    PhpNext,
    /// A Java thread in a dump: `"main" #1 prio=5 ...`.
    JavaThread,
    /// `Full thread dump`.
    ThreadDump,
    /// An opening bracket alone.
    Open,
    /// A closing bracket first.
    Close,
    /// A line inside a JSON block that is not indented.
    Json,
    /// A markup element's start.
    Markup,
    /// A markup element's end.
    MarkupEnd,
}

/// The shape of a line.
pub(super) fn of(line: &[u8]) -> Shape {
    let Some(first) = line.first() else {
        return Shape::Blank;
    };
    match first {
        b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' => indented(line),
        b'^' | b'~' if is_caret(line) => Shape::Indented(Indent::Caret),
        b'0'..=b'9' if is_numbered(line, b':') => Shape::Sign(Sign::Frame),
        b'-' | b'=' | b'<' | b'*' if is_stack_title(line) => Shape::Sign(Sign::Stack),
        b'|' | b'+' | 0xE2 if is_drawn(line) => Shape::Sign(Sign::Drawn),
        b'=' if line.starts_with(b"==") && line.get(2).is_some_and(u8::is_ascii_digit) => {
            Shape::Sign(Sign::Drawn)
        }
        b'0'..=b'9' | b':' | b'=' => plain_or_head(line),
        b'A'..=b'Z' | b'a'..=b'z' => word(line, *first),
        b'[' => bracket(line),
        b'{' if is_lone_opener(line) => Shape::Sign(Sign::Open),
        b'{' if head::own(line) => Shape::Head,
        b'{' => Shape::Sign(Sign::Json),
        b'(' if line == b"(" => Shape::Sign(Sign::Open),
        b'(' if line.starts_with(b"(Background on") || line.starts_with(b"(Use `node") => {
            Shape::Sign(Sign::Detail)
        }
        b'}' | b']' | b')' => Shape::Sign(Sign::Close),
        b'"' | b'\'' => quote(line),
        b'<' => markup(line),
        b'#' => hash(line),
        b'.' if line.starts_with(b"... ") => Shape::Sign(Sign::Mark),
        b'.' if line.starts_with(b"...additional frames") => Shape::Sign(Sign::Crash),
        b'-' if line.starts_with(b"--- End of") || line.starts_with(b"---> ") => {
            Shape::Sign(Sign::Mark)
        }
        b'*' if line.starts_with(b"** ") => Shape::Sign(Sign::Stars),
        b'/' | b'.' if is_native_frame(line) => Shape::Sign(Sign::Frame),
        b'/' => place(line).unwrap_or_else(|| text(line)),
        _ => text(line),
    }
}

fn plain_or_head(line: &[u8]) -> Shape {
    if head::own(line) {
        Shape::Head
    } else {
        text(line)
    }
}

/// One word or several.
fn text(line: &[u8]) -> Shape {
    let spaced = line.iter().take(256).any(|b| matches!(b, b' ' | b'\t'));
    if spaced || line.len() > 256 {
        Shape::Text
    } else {
        Shape::Word
    }
}

fn indented(line: &[u8]) -> Shape {
    let Some(depth) = line
        .iter()
        .position(|b| !b.is_ascii_whitespace() && *b != b'\x0b')
    else {
        return Shape::Blank;
    };
    let rest = &line[depth..];
    let indent = match rest[0] {
        b'a' if rest.starts_with(b"at ") => Indent::Frame,
        b'f' if rest.starts_with(b"from ") => Indent::Frame,
        b'.' if rest.starts_with(b"... ") => Indent::Frame,
        b'-' if rest.starts_with(b"--- End of") || rest.starts_with(b"---> ") => Indent::Frame,
        b'F' if rest.starts_with(b"File \"") => Indent::File,
        b'+' if rest.starts_with(b"+ Exception Group Traceback") => Indent::Group,
        b'^' | b'~' if is_caret(rest) => Indent::Caret,
        b'}' | b']' | b')' => Indent::Close,
        b'#' if is_numbered(&rest[1..], b' ') => Indent::Frame,
        b'0'..=b'9' if is_numbered(rest, b':') => Indent::Frame,
        b'/' | b'<' if is_place(rest) => Indent::Frame,
        _ => {
            if head::own_indented(rest, depth) {
                return Shape::Head;
            }
            Indent::Other
        }
    };
    Shape::Indented(indent)
}

/// Digits, then `end`, then a blank or nothing.
fn is_numbered(text: &[u8], end: u8) -> bool {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0
        && digits < 5
        && text.get(digits) == Some(&end)
        && (end == b' ' || matches!(text.get(digits + 1), None | Some(b' ')))
}

fn bracket(line: &[u8]) -> Shape {
    const SIGNS: &[(&[u8], Sign)] = &[
        (b"[signal ", Sign::Crash),
        (b"[originating from", Sign::Crash),
        (b"[stacktrace]", Sign::Stack),
        (b"[previous exception]", Sign::Caused),
        (b"[cause]", Sign::Caused),
        (b"[SQL:", Sign::Detail),
        (b"[parameters:", Sign::Detail),
        (b"[generated in", Sign::Detail),
        (b"[cached since", Sign::Detail),
    ];
    if is_lone_opener(line) {
        return Shape::Sign(Sign::Open);
    }
    if let Some(sign) = lookup(SIGNS, line) {
        return Shape::Sign(sign);
    }
    if is_place(line) {
        return Shape::Sign(Sign::Place);
    }
    if head::own(line) {
        return Shape::Head;
    }
    if is_error(&line[1..]).is_some() || line.starts_with(b"[Unhandled") {
        return Shape::Error(false);
    }
    text(line)
}

/// Nothing but the marks under a piece of source.
fn is_caret(text: &[u8]) -> bool {
    text.iter().all(|b| matches!(b, b'^' | b'~' | b' '))
}

/// A row or a rule of a table, or a line that starts with a box drawing character (U+2500 to U+257F).
fn is_drawn(line: &[u8]) -> bool {
    matches!(
        line,
        [b'|', ..] | [b'+', b'-' | b'=', ..] | [0xE2, 0x94 | 0x95, ..]
    )
}

/// A decorated title such as `----- Native stack trace -----`, `======= Backtrace: =========`.
fn is_stack_title(line: &[u8]) -> bool {
    const TITLES: &[&[u8]] = &[b"stack trace", b"stacktrace", b"backtrace"];
    line.len() <= 96
        && TITLES.iter().any(|title| {
            line.windows(title.len())
                .any(|w| w.eq_ignore_ascii_case(title))
        })
}

/// `{`, `[`, `[{`, `({` alone.
fn is_lone_opener(line: &[u8]) -> bool {
    line.len() <= 3 && line.iter().all(|b| matches!(b, b'{' | b'[' | b'(' | b' '))
}

fn quote(line: &[u8]) -> Shape {
    if line == b"\"\"\"" || line == b"'''" {
        return Shape::Sign(Sign::Triple);
    }
    if line.starts_with(b"\"}") {
        return Shape::Sign(Sign::Close);
    }
    if let Some(end) = memchr::memchr(b'"', &line[1..]) {
        let rest = &line[end + 2..];
        let is_thread = |word: &[u8]| memchr::memmem::find(rest, word).is_some();
        if rest.starts_with(b" ")
            && (is_thread(b" prio=") || is_thread(b" tid=") || is_thread(b" nid="))
        {
            return Shape::Sign(Sign::JavaThread);
        }
    }
    Shape::Sign(Sign::Json)
}

fn markup(line: &[u8]) -> Shape {
    match line.get(1) {
        Some(b'/') => Shape::Sign(Sign::MarkupEnd),
        Some(b'0'..=b'9') if head::own(line) => Shape::Head,
        Some(b'i') if line.starts_with(b"<internal:") => Shape::Sign(Sign::RubyFrame),
        Some(b'?' | b'!') => Shape::Sign(Sign::Markup),
        Some(b'a'..=b'z' | b'A'..=b'Z') if is_place(line) => Shape::Sign(Sign::Place),
        Some(b'a'..=b'z' | b'A'..=b'Z') if is_element(line) => Shape::Sign(Sign::Markup),
        _ => text(line),
    }
}

/// An element's start: the line ends with its `>` or its attributes have begun.
fn is_element(line: &[u8]) -> bool {
    let name = line[1..]
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-' | b'.'))
        .count();
    match line.get(name + 1) {
        Some(b'>' | b'/') => true,
        Some(b' ') => line.ends_with(b">") || memchr::memmem::find(line, b"=\"").is_some(),
        _ => false,
    }
}

fn hash(line: &[u8]) -> Shape {
    if is_numbered(&line[1..], b' ') {
        return Shape::Sign(Sign::Frame);
    }
    Shape::Sign(Sign::Hash)
}

fn lookup(signs: &[(&[u8], Sign)], line: &[u8]) -> Option<Sign> {
    signs
        .iter()
        .find(|(prefix, _)| line.starts_with(prefix))
        .map(|(_, sign)| *sign)
}

/// The signs that begin with a letter, by that letter.
fn signs(first: u8) -> &'static [(&'static [u8], Sign)] {
    match first {
        b'A' => &[
            (b"Ancestors: ", Sign::Report),
            (b"Args: ", Sign::Report),
            (b"Arguments: ", Sign::Detail),
        ],
        b'B' => &[(b"Backtrace:", Sign::Stack)],
        b'C' => &[
            (b"Caused by:", Sign::Caused),
            (b"Caused by ", Sign::Caused),
            (b"CONTEXT:  ", Sign::Detail),
            (b"Client #PID", Sign::Report),
            (b"Call stack:", Sign::Stack),
            (b"CallStack (from", Sign::Stack),
            (b"Called from ", Sign::Mark),
        ],
        b'D' => &[
            (b"During handling of the above exception", Sign::Chain),
            (b"DETAIL:  ", Sign::Detail),
            (b"Dictionary: ", Sign::Report),
        ],
        b'F' => &[
            (b"Full thread dump", Sign::ThreadDump),
            (b"Function: ", Sign::Report),
        ],
        b'H' => &[(b"HINT:  ", Sign::Detail), (b"Heap Size: ", Sign::Report)],
        b'I' => &[(b"Initial Call: ", Sign::Report)],
        b'J' => &[(b"JNI global ref", Sign::JavaThread)],
        b'L' => &[
            (b"LINE ", Sign::Detail),
            (b"Last message", Sign::Report),
            (b"Links: ", Sign::Report),
            (b"Location:", Sign::Caused),
        ],
        b'M' => &[
            (b"Message Queue Length: ", Sign::Report),
            (b"Message: ", Sign::Detail),
            (b"Messages: ", Sign::Report),
        ],
        b'N' => &[
            (b"Node.js v", Sign::NodeVersion),
            (b"Next ", Sign::PhpNext),
            (b"Neighbours:", Sign::Report),
        ],
        b'P' => &[
            (b"PHP Stack trace:", Sign::Stack),
            (b"PHP   ", Sign::PhpFrame),
            (b"PC=0x", Sign::Crash),
            (b"Pid: ", Sign::Report),
        ],
        b'Q' => &[
            (b"QUERY:  ", Sign::Detail),
            (b"Queue Length: ", Sign::Report),
        ],
        b'R' => &[
            (b"Raised at ", Sign::Mark),
            (b"Raised by ", Sign::Mark),
            (b"Re-raised at ", Sign::Mark),
            (b"Reductions: ", Sign::Report),
            (b"Restart: ", Sign::Report),
        ],
        b'S' => &[
            (b"SIGABRT: ", Sign::Panic),
            (b"SIGQUIT: ", Sign::Panic),
            (b"SIGSEGV: ", Sign::Panic),
            (b"SIGBUS: ", Sign::Panic),
            (b"SIGILL: ", Sign::Panic),
            (b"SIGFPE: ", Sign::Panic),
            (b"SIGTRAP: ", Sign::Panic),
            (b"Stack trace:", Sign::Stack),
            (b"Stack backtrace:", Sign::Stack),
            (b"StackTrace:", Sign::Stack),
            (b"Suppressed:", Sign::Caused),
            (b"STATEMENT:  ", Sign::Detail),
            (b"Stack Size: ", Sign::Report),
            (b"Start Call: ", Sign::Report),
            (b"State: ", Sign::Report),
            (b"Status: ", Sign::Report),
            (b"Shutdown: ", Sign::Report),
        ],
        b'T' => &[
            (b"Traceback (most recent call last)", Sign::Traceback),
            (b"The above exception was the direct cause", Sign::Chain),
            (b"Thrown at:", Sign::Mark),
            (b"Trapping Exits: ", Sign::Report),
            (b"Type: ", Sign::Report),
        ],
        b'E' => &[(b"Emitted '", Sign::Mark)],
        b'W' => &[(b"Wrapped by:", Sign::Caused)],
        b'a' => &[(b"at ", Sign::Frame)],
        b'c' => &[(b"created by ", Sign::Crash), (b"coroutine ", Sign::Mark)],
        b'e' => &[(b"exit status ", Sign::Crash)],
        b'f' => &[(b"fatal error: ", Sign::Panic), (b"from ", Sign::Frame)],
        b'g' => &[(b"goroutine ", Sign::Goroutine)],
        b'n' => &[(b"note: ", Sign::Note)],
        b'p' => &[(b"panic: ", Sign::Panic)],
        b'r' => &[
            (b"runtime stack:", Sign::Goroutine),
            (b"runtime: ", Sign::Panic),
        ],
        b's' => &[
            (b"stack backtrace:", Sign::Stack),
            (b"stack traceback:", Sign::Stack),
            (b"stack trace:", Sign::Stack),
        ],
        b't' => &[(b"thread '", Sign::Rust)],
        b'u' => &[(b"unexpected fault address", Sign::Panic)],
        _ => &[],
    }
}

fn word(line: &[u8], first: u8) -> Shape {
    if let Some(sign) = lookup(signs(first), line)
        && holds(sign, line)
    {
        return Shape::Sign(sign);
    }
    if head::own(line) {
        let jul = head::is_level_line(line);
        return if jul {
            Shape::Sign(Sign::JulLevel)
        } else {
            Shape::Head
        };
    }
    if let Some(qualified) = is_error(line) {
        return Shape::Error(qualified);
    }
    if is_register(line) {
        return Shape::Sign(Sign::Register);
    }
    if let Some(shape) = place(line) {
        return shape;
    }
    text(line)
}

/// What a sign's first word promises and its line has to keep.
fn holds(sign: Sign, line: &[u8]) -> bool {
    match sign {
        Sign::Frame => line.ends_with(b")") || is_place(line),
        Sign::Goroutine => line.ends_with(b":"),
        Sign::Rust => memchr::memmem::find(&line[..line.len().min(256)], b"panicked at").is_some(),
        Sign::PhpFrame => line[6..].iter().any(u8::is_ascii_digit),
        Sign::PhpNext => {
            memchr::memmem::find(line, b": ").is_some() && is_error(&line[5..]).is_some()
        }
        Sign::Detail if line.starts_with(b"LINE ") => line.get(5).is_some_and(u8::is_ascii_digit),
        _ => true,
    }
}

/// `rax    0x0`.
fn is_register(line: &[u8]) -> bool {
    let name = line
        .iter()
        .take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        .count();
    let blanks = line[name..].iter().take_while(|b| **b == b' ').count();
    (2..=6).contains(&name)
        && blanks > 0
        && line[name + blanks..]
            .strip_prefix(b"0x")
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
}

/// A Ruby frame, or a source place with nothing behind it.
fn place(line: &[u8]) -> Option<Shape> {
    if ruby_place(line).is_some() {
        let error = is_ruby_error(line);
        return Some(if error {
            Shape::Error(false)
        } else {
            Shape::Sign(Sign::RubyFrame)
        });
    }
    is_place(line).then_some(Shape::Sign(Sign::Place))
}

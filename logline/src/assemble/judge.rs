//! Whether a line goes on with the open event, from the event's state and the line's shape.

use super::code::is_call;
use super::head::{self, Attach};
use super::open::{Mode, Open};
use super::shape::{Indent, Shape, Sign};

/// Lines at the margin that a message may have before its frames.
const MAX_MESSAGE: u32 = 16;
/// Lines of source that an excerpt may have before its `^`.
const MAX_EXCERPT: u32 = 4;

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the open event, and so do the held lines.
    Join,
    /// A later line tells.
    Hold,
    /// It begins an event; the held lines do not belong to the open one.
    Begin,
}

/// Whether the drawing of the last line goes on in this one: rows and rules of a table, or the same first bytes.
fn is_same_drawing(last: Option<&[u8]>, line: &[u8]) -> bool {
    match (last.and_then(<[u8]>::first), line.first()) {
        (Some(b'+' | b'|'), Some(b'+' | b'|')) => true,
        (last, first) => last == first,
    }
}

/// Decides. `text` is what the open event holds so far, held lines left out.
pub(super) fn judge(open: &mut Open, text: &[u8], line: &[u8], shape: Shape) -> Step {
    open.next = open.mode;
    if open.mode == Mode::Quoted && !matches!(shape, Shape::Head | Shape::Sign(Sign::JulLevel)) {
        let ends = shape == Shape::Sign(Sign::Triple);
        return open.to(if ends { Mode::PythonEnd } else { Mode::Quoted });
    }
    match shape {
        Shape::Head => Step::Begin,
        Shape::Blank => open.hold_if(open.mode != Mode::Done || open.lines > 1),
        Shape::Indented(indent) => indented(open, text, indent),
        Shape::Sign(sign) => signed(open, text, line, sign),
        Shape::Error(qualified) => error(open, text, qualified),
        Shape::Text | Shape::Word => words(open, text, line, shape),
    }
}

fn indented(open: &mut Open, text: &[u8], indent: Indent) -> Step {
    let (attach, headed) = open.attach(text);
    if open.mode == Mode::Done || attach == Attach::Closed && open.brackets == 0 {
        return Step::Begin;
    }
    let mode = open.mode;
    if indent == Indent::Group {
        let follows = mode == Mode::PythonChain
            || open.is_adjacent() && attach == Attach::Bad && is_before_trace(mode);
        return if follows || mode == Mode::Python {
            open.to(Mode::Python)
        } else {
            Step::Begin
        };
    }
    let next = match (mode, indent) {
        (Mode::Plain | Mode::Error, Indent::Frame) => Mode::Frames,
        (Mode::Plain | Mode::Error, Indent::File) => Mode::Python,
        (Mode::Excerpt, Indent::Caret) => Mode::Caret,
        (Mode::RustHead, _) => Mode::Rust,
        _ => mode,
    };
    if open.is_adjacent() {
        return open.to(next);
    }
    if open.held_texts == 0 {
        // Beneath a blank line: a harmless line with a head has ended; anything else goes on.
        let ended = open.lines == 1 && headed && attach == Attach::Calm && mode == Mode::Plain;
        return if ended { Step::Begin } else { open.to(next) };
    }
    match indent {
        Indent::Caret if matches!(mode, Mode::Excerpt | Mode::Error | Mode::Caret) => open.to(next),
        Indent::Frame if is_before_trace(mode) || open.held_word => open.to(Mode::Frames),
        Indent::File if is_before_trace(mode) => open.to(Mode::Python),
        Indent::Other | Indent::Close
            if open.held_word && open.held_texts == 1 && mode == Mode::PythonEnd =>
        {
            open.to(mode)
        }
        _ if matches!(
            mode,
            Mode::Error | Mode::Panic | Mode::Rust | Mode::Markup(..)
        ) =>
        {
            open.hold_if(open.held_texts < MAX_MESSAGE)
        }
        _ => Step::Begin,
    }
}

/// Whether frames may still come for the first time.
fn is_before_trace(mode: Mode) -> bool {
    matches!(mode, Mode::Plain | Mode::Error)
}

fn signed(open: &mut Open, text: &[u8], line: &[u8], sign: Sign) -> Step {
    let (attach, headed) = open.attach(text);
    let mode = open.mode;
    let adjacent = open.is_adjacent();
    let live = mode != Mode::Done && attach != Attach::Closed;
    let in_trace = matches!(
        mode,
        Mode::Frames | Mode::Error | Mode::PythonEnd | Mode::Python
    );
    let bad = attach == Attach::Bad && adjacent && mode == Mode::Plain;
    let joins =
        |joins: bool, open: &mut Open, next: Mode| if joins { open.to(next) } else { Step::Begin };
    match sign {
        Sign::Traceback => {
            // A logged message of several lines may stand between its head and the trace.
            let near = adjacent || headed && open.held_texts > 0;
            let announced = attach == Attach::Bad
                || attach != Attach::Closed && adjacent && text.ends_with(b":");
            let first = near && announced && is_before_trace(mode);
            let next = if mode == Mode::Quote {
                Mode::Quoted
            } else {
                Mode::Python
            };
            joins(
                matches!(mode, Mode::PythonChain | Mode::Quote) || first,
                open,
                next,
            )
        }
        Sign::Chain => joins(
            matches!(mode, Mode::Python | Mode::PythonEnd),
            open,
            Mode::PythonChain,
        ),
        Sign::Triple => {
            let follows = matches!(mode, Mode::PythonEnd | Mode::Python | Mode::Error);
            joins(adjacent && follows, open, Mode::Quote)
        }
        Sign::Detail => joins(in_trace || bad, open, mode),
        Sign::Caused => joins(
            live && (adjacent || in_trace || mode == Mode::Rust),
            open,
            Mode::Error,
        ),
        Sign::Frame => joins(in_trace && live || bad, open, Mode::Frames),
        Sign::RubyFrame => joins(
            open.held_texts == 0 && in_trace && live || bad,
            open,
            Mode::Frames,
        ),
        Sign::Mark => joins(
            adjacent && live && (in_trace || bad || open.lines > 1),
            open,
            Mode::Frames,
        ),
        Sign::Stack => {
            // A decorated title may as well stand above something of its own.
            let named = line.first().is_some_and(u8::is_ascii_alphabetic) || attach == Attach::Bad;
            let next = if mode == Mode::Rust {
                mode
            } else {
                Mode::Frames
            };
            joins(
                mode == Mode::Rust || live && (adjacent && named || in_trace),
                open,
                next,
            )
        }
        Sign::Hash => joins(
            adjacent && (text.get(open.last) == Some(&b'#') || mode == Mode::Frames),
            open,
            mode,
        ),
        Sign::Drawn => joins(
            adjacent && is_same_drawing(text.get(open.last..), line),
            open,
            mode,
        ),
        Sign::JulLevel => joins(
            open.lines == 1 && adjacent && head::is_jul(text),
            open,
            Mode::Plain,
        ),
        Sign::Panic => {
            // The runtime's remark before the panic itself.
            let remark = text.get(open.last..).is_some_and(|last| {
                last.starts_with(b"runtime: ") || last.starts_with(b"unexpected fault")
            });
            joins(
                mode == Mode::Panic && remark || mode == Mode::Go && line.starts_with(b"runtime: "),
                open,
                Mode::Panic,
            )
        }
        Sign::Goroutine => joins(
            matches!(mode, Mode::Panic | Mode::Go) || bad,
            open,
            Mode::Go,
        ),
        Sign::Crash => joins(matches!(mode, Mode::Panic | Mode::Go), open, mode),
        Sign::Register if mode == Mode::Go => open.to(mode),
        Sign::Note => joins(
            matches!(mode, Mode::Rust | Mode::RustHead),
            open,
            Mode::Rust,
        ),
        Sign::NodeVersion => {
            let crashed = matches!(
                mode,
                Mode::Frames | Mode::Error | Mode::Caret | Mode::Excerpt
            ) || open.lines > 1 && !headed;
            joins(
                live && crashed || mode == Mode::Done && open.lines > 1 && !headed,
                open,
                Mode::Done,
            )
        }
        Sign::Stars => joins(
            adjacent && live && (mode == Mode::Report || attach == Attach::Bad),
            open,
            Mode::Report,
        ),
        Sign::Report if mode == Mode::Report && adjacent => open.to(mode),
        Sign::PhpFrame => joins(
            adjacent && live && (mode == Mode::Frames || text.starts_with(b"PHP ")),
            open,
            Mode::Frames,
        ),
        Sign::PhpNext => joins(mode == Mode::Frames, open, Mode::Error),
        Sign::JavaThread => joins(mode == Mode::Threads, open, mode),
        Sign::Open => {
            let announced =
                headed && adjacent && text.last().is_some_and(|b| matches!(b, b':' | b'='));
            joins(open.brackets > 0 || live && announced, open, Mode::Block)
        }
        Sign::Close => {
            let belongs = open.brackets > 0 || adjacent && live && open.lines > 1;
            joins(belongs, open, mode)
        }
        Sign::Json if open.brackets > 0 && matches!(mode, Mode::Block) => open.to(mode),
        Sign::Markup if matches!(mode, Mode::Markup(..)) => open.to(mode),
        Sign::Markup => {
            let announced =
                headed && adjacent && text.last().is_some_and(|b| matches!(b, b':' | b'=' | b'>'));
            joins(live && announced, open, Mode::Markup(0, 0))
        }
        Sign::MarkupEnd => {
            let belongs = matches!(mode, Mode::Markup(..)) || adjacent && live && open.lines > 1;
            joins(belongs, open, mode)
        }
        // Words that mean something only inside what they belong to.
        Sign::Register
        | Sign::Report
        | Sign::Json
        | Sign::Place
        | Sign::Rust
        | Sign::ThreadDump => {
            if matches!(sign, Sign::Rust | Sign::ThreadDump | Sign::Place)
                && !matches!(mode, Mode::Python | Mode::Caret)
            {
                return Step::Begin;
            }
            words(open, text, line, Shape::Text)
        }
    }
}

fn error(open: &mut Open, text: &[u8], qualified: bool) -> Step {
    let mode = open.mode;
    match mode {
        Mode::Python if open.is_adjacent() => open.to(Mode::PythonEnd),
        Mode::Caret => open.to(Mode::Error),
        Mode::RustHead => open.to(Mode::Rust),
        Mode::Panic => open.hold_if(open.held_texts < MAX_MESSAGE),
        // `Unhandled exception:` and the like, with the error beneath.
        Mode::Error if open.is_adjacent() && text.ends_with(b":") => open.to(Mode::Error),
        Mode::Essay => open.to(Mode::Essay),
        Mode::Plain if open.is_adjacent() && open.is_headed(text) => {
            let (attach, headed) = open.attach(text);
            match attach {
                Attach::Bad if headed => open.to(Mode::Error),
                Attach::Calm if qualified => Step::Hold,
                _ => Step::Begin,
            }
        }
        _ => Step::Begin,
    }
}

fn words(open: &mut Open, text: &[u8], line: &[u8], shape: Shape) -> Step {
    let adjacent = open.is_adjacent();
    let may_go_on = open.held_texts < MAX_MESSAGE;
    let mode = open.mode;
    match mode {
        Mode::Python if adjacent => open.to(Mode::PythonEnd),
        Mode::RustHead => open.to(Mode::Rust),
        // The error stands beneath a blank line; what comes at once is one more excerpt.
        Mode::Caret if open.held_blanks > 0 && open.held_texts == 0 => open.to(Mode::Error),
        Mode::Caret => open.hold_if(open.held_texts < MAX_EXCERPT),
        Mode::Go if is_call(line) => open.to(Mode::Go),
        Mode::Error | Mode::Panic | Mode::Rust | Mode::Markup(..) => open.hold_if(may_go_on),
        Mode::Excerpt => open.hold_if(open.held_texts < MAX_EXCERPT),
        Mode::Go | Mode::Frames | Mode::PythonEnd => {
            open.hold_if(shape == Shape::Word && open.held_texts == 0)
        }
        Mode::Essay => open.to(Mode::Essay),
        Mode::Plain if !open.is_headed(text) => Step::Begin,
        Mode::Plain if open.lines == 1 && open.held_blanks > 0 && open.held_texts == 0 => {
            let (attach, headed) = open.attach(text);
            let begins =
                headed && attach != Attach::Closed && text.trim_ascii_end().ends_with(b":");
            if begins {
                open.to(Mode::Essay)
            } else {
                open.hold_if(headed && attach == Attach::Bad)
            }
        }
        Mode::Plain => match open.attach(text) {
            (Attach::Bad, true) => open.hold_if(may_go_on),
            _ => Step::Begin,
        },
        _ => Step::Begin,
    }
}

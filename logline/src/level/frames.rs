//! Lines that are a piece of a stack trace or of the code that it quotes, met alone because nothing joined them.
//!
//! They belong to an error, and people mark them as one.

use super::words::WINDOW;
use crate::header::token::find;

/// Whether a line without any head is a stack frame, a line of source code, or a trace's own heading.
pub(super) fn is_trace(text: &[u8]) -> bool {
    let text = &text[..text.len().min(WINDOW)];
    let line = memchr::memchr(b'\n', text).map_or(text, |end| &text[..end]);
    let start = line
        .iter()
        .position(|c| !matches!(c, b' ' | b'\t' | b'|' | b'+'))
        .unwrap_or(0);
    let line = line[start..].trim_ascii_end();
    if line.len() < 4 {
        return false;
    }
    heading(line) || frame(line) || code(line)
}

/// Whether what the kernel says is a frame of its stack (`? f+0x26/0x30 [module]`, before 4.10 behind `[<address>]`) or the place
/// where it stopped (`RIP: 0010:f+0x41/0x104`).
pub(super) fn is_kernels(text: &[u8]) -> bool {
    let line = text[..text.len().min(200)].trim_ascii();
    if line.starts_with(b"RIP: ") || line.starts_with(b"EIP: ") {
        return true;
    }
    let mut at = 0;
    if line.starts_with(b"[<")
        && let Some(close) = find(line, b">] ")
    {
        at = close + 3;
    }
    if line[at..].starts_with(b"? ") {
        at += 2;
    }
    let name = line[at..]
        .iter()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.'))
        .count();
    let offset = &line[at + name..];
    let hex = |b: &[u8]| b.iter().take_while(|c| c.is_ascii_hexdigit()).count();
    let Some(size) = offset
        .strip_prefix(b"+0x")
        .and_then(|rest| rest[hex(rest)..].strip_prefix(b"/0x"))
    else {
        return false;
    };
    let module = &size[hex(size)..];
    name > 0 && (module.is_empty() || module.starts_with(b" [") && module.ends_with(b"]"))
}

fn heading(line: &[u8]) -> bool {
    const STARTS: [&[u8]; 11] = [
        b"Caused by:",
        b"Traceback (most recent",
        b"During handling of the above",
        b"The above exception was",
        b"Suppressed: ",
        b"stack backtrace:",
        b"Stack trace:",
        b"--- End of ",
        b"created by ",
        b"[signal SIG",
        b"-----Exception",
    ];
    STARTS.iter().any(|s| line.starts_with(s))
        || line.starts_with(b"goroutine ") && line.ends_with(b"]:")
        || line.starts_with(b"... ")
            && (line.ends_with(b" more") || line.ends_with(b" common frames omitted"))
        || line.len() > 3 && line.iter().all(|c| matches!(c, b'^' | b'~' | b' '))
}

fn digits(b: &[u8]) -> usize {
    b.iter().take(9).take_while(|c| c.is_ascii_digit()).count()
}

fn frame(line: &[u8]) -> bool {
    // Java, Node, .NET: `at a.b.C.method(File.java:12)`, `at /srv/app.js:5:32`.
    if let Some(place) = line.strip_prefix(b"at ") {
        return place.contains(&b'(')
            || place.contains(&b'/')
            || place.contains(&b':') && !place.contains(&b' ');
    }
    if line.starts_with(b"File \"") {
        return find(line, b", line ").is_some();
    }
    // PHP and gdb: `#0 /app/index.php(12): f()`, `#1  0x00007f in f ()`.
    if line[0] == b'#' {
        let n = digits(&line[1..]);
        return n > 0 && line.get(n + 1) == Some(&b' ');
    }
    // Ruby: `from /app/a.rb:12:in 'f'`, `/app/a.rb:12:in 'f'`.
    if find(line, b":in `").is_some() || find(line, b":in '").is_some() {
        return true;
    }
    // Rust and V8: `12: core::panicking::panic`, `2: 0xee8300 v8::Utils...`.
    let n = digits(line);
    if n > 0 && line.get(n..n + 2) == Some(b": ") {
        let rest = &line[n + 2..];
        let spaces = memchr::memchr_iter(b' ', rest).count();
        // MinIO numbers its own: `4: cmd/erasure.go:12:cmd.open()`.
        return rest.starts_with(b"0x")
            || find(rest, b"::").is_some() && spaces < 3
            || find(rest, b".go:").is_some() && rest.ends_with(b"()");
    }
    // Go: `/usr/local/go/src/net/http/server.go:2109 +0x1f4`.
    if find(line, b".go:").is_some() && find(line, b" +0x").is_some() {
        return true;
    }
    // C: `/lib/libc.so.6(__libc_start_main+0x85)[0x7efe80245305]`.
    line.ends_with(b"]") && find(line, b")[0x").is_some()
        || line.ends_with(b"]") && find(line, b"+0x").is_some() && !line.contains(&b' ')
}

fn is_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'$' | b'/' | b'-' | b'*' | b':')
}

/// A statement of source code: a call or an assignment that takes the whole line, or a keyword with one.
fn code(line: &[u8]) -> bool {
    let comment = find(line, b"  #").map_or(line, |at| line[..at].trim_ascii_end());
    let closed = matches!(
        comment.last(),
        Some(b')' | b'(' | b',' | b'{' | b'[' | b']')
    ) || comment.ends_with(b");")
        || comment.ends_with(b"};");
    const KEYWORDS: [&[u8]; 6] = [
        b"return ", b"raise ", b"await ", b"throw ", b"yield ", b"self.",
    ];
    if KEYWORDS.iter().any(|k| comment.starts_with(k)) {
        let words = memchr::memchr_iter(b' ', comment).count();
        return closed || words == 1 || comment.ends_with(b";") || comment.contains(&b'(');
    }
    if !closed {
        return false;
    }
    let name = comment.iter().take_while(|c| is_name(**c)).count();
    if name == 0 || comment[0].is_ascii_digit() || comment[0] == b'-' {
        return false;
    }
    match comment.get(name) {
        // A call that is the whole line: `main.main()`, `worker.init_process()`, `github.com/a/b.(*T).F(0x1)`.
        Some(b'(') => {
            name > 1
                && comment[name..].iter().filter(|c| **c == b'(').count() >= 1
                && !prose(&comment[name..])
        }
        Some(b' ') => comment.get(name + 1..name + 3) == Some(b"= ") && comment.contains(&b'('),
        _ => false,
    }
}

/// Whether what follows a name reads like a sentence in parentheses rather than arguments: several words without code's marks.
fn prose(arguments: &[u8]) -> bool {
    let marks = arguments
        .iter()
        .filter(|c| {
            matches!(
                c,
                b',' | b'.' | b'"' | b'\'' | b'=' | b'{' | b'[' | b'_' | b';'
            )
        })
        .count();
    memchr::memchr_iter(b' ', arguments).count() > 2 && marks == 0
}

//! Errors and places in source code as the languages' runtimes print them.

/// Words with which runtimes introduce an error that nobody caught.
const UNCAUGHT: &[&[u8]] = &[
    b"Exception in thread ",
    b"Uncaught ",
    b"Unhandled exception. ",
    b"Unhandled Exception: ",
    b"Unhandled exception:",
    b"Fatal error: exception ",
    b"Unhandled rejection ",
    b"PHP Fatal error:  Uncaught ",
    b"PHP Fatal error: Uncaught ",
    b"Fatal error: Uncaught ",
    b"terminate called after throwing",
];

/// Whether the line is `Type: message` of an error; `true` inside where the type is qualified with dots.
pub(super) fn is_error(line: &[u8]) -> Option<bool> {
    let mut end = 0;
    let mut dotted = false;
    let mut scoped = false;
    let mut segment = 0;
    while let Some(byte) = line.get(end) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {}
            b'.' => {
                dotted = true;
                segment = end + 1;
            }
            b'$' | b'\\' | b'/' => segment = end + 1,
            b':' if line.get(end + 1) == Some(&b':') => {
                end += 1;
                scoped = true;
                segment = end + 1;
            }
            _ => break,
        }
        end += 1;
    }
    let ends = match line.get(end..end + 2) {
        None => end + 1 >= line.len() && matches!(line.get(end), None | Some(b':')),
        Some(next) => matches!(next, [b':', b' '] | [b' ', b'(' | b'[' | b'{'] | b":\r"),
    };
    let name = &line[segment.min(end)..end];
    const KINDS: &[&[u8]] = &[
        b"Error",
        b"Exception",
        b"Throwable",
        b"Failure",
        b"Fault",
        b"Interrupt",
        b"Exit",
        b"ExceptionGroup",
    ];
    if ends
        && name.first().is_some_and(u8::is_ascii_uppercase)
        && KINDS.iter().any(|kind| name.ends_with(kind))
    {
        return Some(dotted);
    }
    // The wrapper around a traceback from another process: `multiprocessing.pool.RemoteTraceback:`.
    if name.ends_with(b"Traceback") && name.len() > 9 && line.get(end) == Some(&b':') {
        return Some(dotted);
    }
    // Ruby's `Module::Name (message):`, whatever the name.
    if scoped && line[end..].starts_with(b" (") && line.ends_with(b"):") {
        return Some(false);
    }
    if UNCAUGHT.iter().any(|words| line.starts_with(words)) {
        return Some(false);
    }
    is_ruby_error(line).then_some(false)
}

/// `/app/job.rb:12:in 'perform': message (RuntimeError)`.
pub(super) fn is_ruby_error(line: &[u8]) -> bool {
    line.ends_with(b")")
        && ruby_place(line).is_some_and(|rest| memchr::memmem::find(rest, b": ").is_some())
}

/// What follows `file.rb:12:` if the line starts so.
pub(super) fn ruby_place(line: &[u8]) -> Option<&[u8]> {
    let at = line
        .iter()
        .take(256)
        .position(|b| matches!(b, b':' | b' '))?;
    let rest = line[at..]
        .strip_prefix(b":")
        .filter(|_| line[..at].ends_with(b".rb"))?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    rest[digits..].strip_prefix(b":in ").filter(|_| digits > 0)
}

/// `path:12` or `path:12:3` without a blank, where the path has a slash, a backslash or a scheme; or a script without a path
/// (`[eval]:1`, `<anonymous_script>:1`).
pub(super) fn is_place(line: &[u8]) -> bool {
    if line.len() > 512 || !line.last().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let digits = line.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let Some(path) = line[..line.len() - digits].strip_suffix(b":") else {
        return false;
    };
    match path {
        [b'[', .., b']'] | [b'<', .., b'>'] => memchr::memchr2(b',', b'=', path).is_none(),
        [b'/', ..]
        | [_, b':', b'\\', ..]
        | [b'n', b'o', b'd', b'e', b':', ..]
        | [b'f', b'i', b'l', b'e', b':', ..] => {
            !path.iter().any(|b| matches!(b, b' ' | b'\t' | b'='))
        }
        _ => path.starts_with(b"evalmachine."),
    }
}

/// A line of glibc's `backtrace_symbols`: `/usr/bin/x(main+0x1f)[0x55d0c8a1]`.
pub(super) fn is_native_frame(line: &[u8]) -> bool {
    let Some(hex) = line.strip_suffix(b"]") else {
        return false;
    };
    let digits = hex
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_hexdigit())
        .count();
    hex[..hex.len() - digits].ends_with(b"[0x")
}

/// Whether a line looks like a function in a Go trace: `main.run(0x1, {0xc00, 0x2})`, `main.main.func1()`.
pub(super) fn is_call(line: &[u8]) -> bool {
    let Some(open) = memchr::memchr(b'(', line) else {
        return false;
    };
    let name = &line[..open];
    line.ends_with(b")") && !name.is_empty() && memchr::memchr2(b' ', b'\t', name).is_none()
}

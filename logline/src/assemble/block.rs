//! Brackets and markup elements that span lines.

/// Whether the line ends with an opening bracket.
pub(super) fn opens(line: &[u8]) -> bool {
    line.trim_ascii_end()
        .last()
        .is_some_and(|b| matches!(b, b'{' | b'[' | b'('))
}

/// Whether the line starts with a closing bracket, indented or not.
pub(super) fn closes(line: &[u8]) -> bool {
    line.trim_ascii_start()
        .first()
        .is_some_and(|b| matches!(b, b'}' | b']' | b')'))
}

/// Whether the line closes the element, or is all of it.
pub(super) fn ends_element(line: &[u8], name: &[u8]) -> bool {
    let opened = line
        .trim_ascii()
        .strip_prefix(b"<")
        .and_then(|rest| rest.strip_prefix(name));
    if opened.is_some() && line.trim_ascii_end().ends_with(b"/>") {
        return true;
    }
    let mut rest = line;
    while let Some(at) = memchr::memmem::find(rest, b"</") {
        rest = &rest[at + 2..];
        if rest
            .strip_prefix(name)
            .is_some_and(|after| matches!(after.first(), None | Some(b'>' | b' ')))
        {
            return true;
        }
    }
    false
}

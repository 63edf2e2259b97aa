//! The variables of a message with respect to a merged template.

use super::{
    mask::Masked,
    placeholder::{Kind, Span},
    slots::split,
};

/// Rewrites `masked`, which holds a message of `length` bytes, so that its text is `template` and its variables are
/// the template's. Gives false, and leaves `masked` as it is, where the message is none of that template.
pub(super) fn align(template: &str, masked: &mut Masked, length: usize) -> bool {
    if masked.text == template.as_bytes() {
        return true;
    }
    if template == Kind::Rest.placeholder() {
        masked.text.clear();
        masked.text.extend_from_slice(template.as_bytes());
        masked.variables.clear();
        masked.variables.push(Span {
            start: 0,
            end: length as u32,
        });
        return true;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    if split(&masked.text, &mut ours) != split(template.as_bytes(), &mut theirs)
        || ours.len() != theirs.len()
    {
        return false;
    }
    let mut aligned = Vec::with_capacity(theirs.len());
    let mut next = 0;
    // What to add to a position in the masked text to come to the position in the message.
    let mut shift = 0_i64;
    for (our, their) in ours.iter().zip(&theirs) {
        let (slot, wanted) = (our.of(&masked.text), their.of(template.as_bytes()));
        let start = i64::from(our.start) + shift;
        let first = next;
        let mut rest = slot;
        while let Some(at) = memchr::memchr(b'<', rest) {
            rest = &rest[at..];
            let Some(kind) = Kind::at_start(rest) else {
                rest = &rest[1..];
                continue;
            };
            let Some(span) = masked.variables.get(next) else {
                return false;
            };
            let width = kind.placeholder().len();
            shift += i64::from(span.end) - i64::from(span.start) - width as i64;
            next += 1;
            rest = &rest[width..];
        }
        if slot == wanted {
            aligned.extend_from_slice(&masked.variables[first..next]);
        } else if wanted == Kind::Any.placeholder().as_bytes() {
            aligned.push(Span {
                start: start as u32,
                end: (i64::from(our.end) + shift) as u32,
            });
        } else {
            return false;
        }
    }
    masked.text.clear();
    masked.text.extend_from_slice(template.as_bytes());
    masked.variables = aligned;
    true
}

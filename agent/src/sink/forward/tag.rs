//! The tag of an event: what Fluent's routing goes by.

use crate::config::sinks::{Tag, TagField, TagPart};
use crate::sink::encode::Outgoing;
use crate::sink::service::service_name;

/// Appends the tag of an event. Dots part a tag, so a value keeps none: whatever is neither letter, digit, `-` nor `_` becomes `_`,
/// and so does a value that is not known. Patterns can count on the number of parts.
pub(super) fn write(tag: &Tag, event: &Outgoing<'_>, host: &str, out: &mut String) {
    for part in &tag.0 {
        match part {
            TagPart::Text(text) => out.push_str(text),
            TagPart::Field(field) => write_value(value(*field, event, host), out),
        }
    }
}

fn value<'a>(field: TagField, event: &Outgoing<'a>, host: &'a str) -> &'a str {
    let stream = event.batch.stream(event.event);
    let origin = stream.map(|stream| stream.origin.as_ref());
    let k8s = origin.and_then(|origin| origin.k8s.as_ref());
    let container = origin.and_then(|origin| origin.container.as_ref());
    match field {
        TagField::Namespace => k8s.map_or("", |k8s| &k8s.namespace),
        TagField::Pod => k8s.map_or("", |k8s| &k8s.pod),
        TagField::Container => match (k8s, container) {
            (Some(k8s), _) => &k8s.container,
            (None, Some(container)) => &container.name,
            (None, None) => origin.map_or("", service_name),
        },
        TagField::Service => origin.map_or("", service_name),
        TagField::Host => host,
        TagField::Source => origin.map_or("", |origin| origin.kind.as_str()),
        TagField::Stream => event.event.stream.as_str(),
        TagField::Level => event.event.level.as_str(),
        TagField::Category => event.batch.labels.category(event.event.verdict.category),
    }
}

fn write_value(value: &str, out: &mut String) {
    if value.is_empty() {
        out.push('_');
    }
    out.extend(value.chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
        _ => '_',
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_part_of_a_tag() {
        for (value, part) in [
            ("a-1_B", "a-1_B"),
            ("a.b/c d", "a_b_c_d"),
            ("", "_"),
            ("é", "_"),
        ] {
            let mut out = String::new();
            write_value(value, &mut out);
            assert_eq!(out, part);
        }
    }
}

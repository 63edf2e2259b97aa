//! One JSON object a line, with the field names that people and tests rely on.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Encode, Outgoing};
use crate::escape::{escape_json, write_id};
use crate::flow::StreamInfo;

/// Writes events as JSON.
#[derive(Debug, Default)]
pub struct Json {
    /// Where the event comes from is told too: id, host, stream, container, Kubernetes names.
    pub host: Option<String>,
}

impl Encode for Json {
    fn encode(&mut self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
        let (event, text) = (outgoing.event, outgoing.text);
        out.extend_from_slice(b"{\"line\":\"");
        let line_at = out.len();
        let unchanged = escape_json(text, out);
        out.push(b'"');
        if !unchanged && std::str::from_utf8(text).is_err() {
            // The line stays readable above, and is kept byte for byte here.
            out.extend_from_slice(b",\"line_base64\":\"");
            out.extend_from_slice(BASE64_STANDARD.encode(text).as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b",\"timestamp\":");
        match event.timestamp {
            Some(timestamp) => {
                out.push(b'"');
                timestamp.write_rfc3339(out);
                out.extend_from_slice(b"\",\"message\":\"");
            }
            None => out.extend_from_slice(b"null,\"message\":\""),
        }
        // Most messages are the tail of a line that needed no escapes: the escaped line has it already.
        match outgoing.message_at.filter(|_| unchanged) {
            Some(offset) => {
                out.extend_from_within(line_at + offset..line_at + offset + outgoing.message.len());
            }
            None => {
                escape_json(outgoing.message, out);
            }
        }
        if !outgoing.logger.is_empty() {
            out.extend_from_slice(b"\",\"logger\":\"");
            escape_json(outgoing.logger, out);
        }
        verdict(outgoing, out);
        if event.lines > 1 {
            let _ = write!(out, ",\"lines\":{}", event.lines);
        }
        if event.cut_bytes > 0 {
            let _ = write!(out, ",\"cut_bytes\":{}", event.cut_bytes);
        }
        if outgoing.sampled_count > 0 {
            let _ = write!(out, ",\"sampled_count\":{}", outgoing.sampled_count);
        }
        if let (Some(host), Some(stream)) = (&self.host, outgoing.batch.stream(event)) {
            write_origin(host, stream, outgoing, out);
        }
        out.extend_from_slice(b"}\n");
    }
}

fn verdict(outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
    let (batch, event) = (outgoing.batch, outgoing.event);
    out.extend_from_slice(b"\",\"level\":\"");
    out.extend_from_slice(event.level.as_str().as_bytes());
    out.extend_from_slice(b"\",\"category\":\"");
    out.extend_from_slice(batch.labels.category(event.verdict.category).as_bytes());
    out.extend_from_slice(b"\",\"stage\":\"");
    out.extend_from_slice(event.verdict.stage.as_str().as_bytes());
    out.extend_from_slice(b"\",\"confidence\":");
    write_confidence(event.verdict.confidence, out);
    let (why, name) = outgoing.reason();
    out.extend_from_slice(b",\"reason\":\"");
    out.extend_from_slice(why.as_bytes());
    escape_json(name.as_bytes(), out);
    out.extend_from_slice(b"\",\"template_id\":\"");
    if let Some(template) = outgoing.template {
        write_id(template.id, out);
        out.extend_from_slice(b"\",\"template\":\"");
        out.extend_from_slice(&template.json);
    } else {
        out.extend_from_slice(b"\",\"template\":\"");
    }
    out.push(b'"');
}

/// Three decimals say all that a calibrated confidence can mean.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Clamped to 0..=1000 just before.
fn write_confidence(confidence: f32, out: &mut Vec<u8>) {
    let thousandths = (confidence.clamp(0.0, 1.0) * 1000.0).round() as u16;
    let digit = |value: u16| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[
        digit(thousandths / 1000),
        b'.',
        digit(thousandths / 100),
        digit(thousandths / 10),
        digit(thousandths),
    ]);
}

fn write_origin(host: &str, stream: &StreamInfo, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
    let field = |name: &str, value: &str, out: &mut Vec<u8>| {
        out.extend_from_slice(name.as_bytes());
        escape_json(value.as_bytes(), out);
        out.push(b'"');
    };
    out.extend_from_slice(b",\"event_id\":\"");
    escape_json(stream.id.as_bytes(), out);
    let _ = write!(out, ":{}", outgoing.event.start);
    out.extend_from_slice(if outgoing.sampled_count > 0 {
        b":sampled\""
    } else {
        b"\""
    });
    field(",\"host\":\"", host, out);
    field(",\"stream\":\"", outgoing.event.stream.as_str(), out);
    field(",\"source\":\"", &stream.origin.name, out);
    if let Some(container) = &stream.origin.container {
        field(",\"container\":{\"id\":\"", &container.id, out);
        field(",\"name\":\"", &container.name, out);
        field(",\"image\":\"", &container.image, out);
        out.push(b'}');
    }
    if let Some(k8s) = &stream.origin.k8s {
        field(",\"k8s\":{\"namespace\":\"", &k8s.namespace, out);
        field(",\"pod\":\"", &k8s.pod, out);
        field(",\"container\":\"", &k8s.container, out);
        field(",\"node\":\"", host, out);
        out.push(b'}');
    }
}

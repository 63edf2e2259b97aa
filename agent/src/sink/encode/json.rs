//! One JSON object a line, with the field names that people and tests rely on.

use std::io::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Encode, Outgoing};
use crate::escape::{escape_json, write_confidence, write_id};
use crate::flow::StreamInfo;
use crate::sink::identity::ByNumber;

/// Writes events as JSON.
#[derive(Debug, Default)]
pub struct Json {
    host: Option<String>,
    /// What is the same in all events of a stream, by the address of its description, which is kept so that no other one
    /// gets that address.
    streams: ByNumber<usize, Told>,
}

/// What is told of a stream in each of its events.
#[derive(Debug)]
struct Told {
    _stream: Arc<StreamInfo>,
    /// Up to where the event begins in its stream.
    before: Vec<u8>,
    /// After its standard stream.
    after: Vec<u8>,
}

/// So many streams are remembered; then it begins anew.
const MAX_STREAMS: usize = 2_000;

impl Json {
    /// Tells too where an event comes from: its id, this host, stream, container, Kubernetes names.
    #[must_use]
    pub fn with_origin(host: &str) -> Self {
        Self {
            host: Some(host.to_owned()),
            streams: ByNumber::default(),
        }
    }

    fn origin(&mut self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
        let Some(host) = &self.host else {
            return;
        };
        let event = outgoing.event;
        let Some(stream) = outgoing.batch.stream_arc(event.stream_index) else {
            return;
        };
        let address = Arc::as_ptr(stream) as usize;
        if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&address) {
            self.streams.clear();
        }
        let told = self
            .streams
            .entry(address)
            .or_insert_with(|| Told::new(stream, host));
        out.extend_from_slice(&told.before);
        write_number(event.start, out);
        out.extend_from_slice(if outgoing.sampled_count > 0 {
            b":sampled\",\"host\":\""
        } else {
            b"\",\"host\":\""
        });
        escape_json(host.as_bytes(), out);
        out.extend_from_slice(b"\",\"stream\":\"");
        out.extend_from_slice(event.stream.as_str().as_bytes());
        out.extend_from_slice(&told.after);
    }
}

impl Told {
    fn new(stream: &Arc<StreamInfo>, host: &str) -> Self {
        let field = |name: &str, value: &str, out: &mut Vec<u8>| {
            out.extend_from_slice(name.as_bytes());
            escape_json(value.as_bytes(), out);
            out.push(b'"');
        };
        let mut before = b",\"event_id\":\"".to_vec();
        escape_json(stream.id.as_bytes(), &mut before);
        before.push(b':');
        let mut after = b"\"".to_vec();
        let origin = &stream.origin;
        field(",\"source\":\"", &origin.name, &mut after);
        if let Some(container) = &origin.container {
            field(",\"container\":{\"id\":\"", &container.id, &mut after);
            field(",\"name\":\"", &container.name, &mut after);
            field(",\"image\":\"", &container.image, &mut after);
            write_labels(&container.labels, &mut after);
            after.push(b'}');
        }
        if let Some(k8s) = &origin.k8s {
            field(",\"k8s\":{\"namespace\":\"", &k8s.namespace, &mut after);
            field(",\"pod\":\"", &k8s.pod, &mut after);
            field(",\"container\":\"", &k8s.container, &mut after);
            field(",\"node\":\"", host, &mut after);
            if let Some(owner) = &k8s.owner {
                field(",\"owner\":{\"kind\":\"", &owner.kind, &mut after);
                field(",\"name\":\"", &owner.name, &mut after);
                after.push(b'}');
            }
            write_labels(&k8s.labels, &mut after);
            after.push(b'}');
        }
        Self {
            _stream: Arc::clone(stream),
            before,
            after,
        }
    }
}

/// Appends `,"labels":{..}`, if there are any.
fn write_labels(labels: &[(String, String)], out: &mut Vec<u8>) {
    for (at, (key, value)) in labels.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b",\"labels\":{\"" } else { b",\"" });
        escape_json(key.as_bytes(), out);
        out.extend_from_slice(b"\":\"");
        escape_json(value.as_bytes(), out);
        out.push(b'"');
    }
    if !labels.is_empty() {
        out.push(b'}');
    }
}

/// Appends a number's decimal digits.
#[allow(clippy::cast_possible_truncation)] // One digit fits.
fn write_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
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
        self.origin(outgoing, out);
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

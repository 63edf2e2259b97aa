//! What a record is: a line, who has printed it, when, how bad it is.
//!
//! Names of pods and containers, time, level and stream go to their places. What is left beside the text has none, and must not be
//! lost: then the line is the record itself, as JSON, which the header knows to read.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use logline::event::Stream;
use logline::level::Level;
use logline::time::{self, TimeContext, Timestamp};
use serde_json::{Map, Value};

use super::names::{self, Names};
use crate::source::origin::{keep_labels, pod_log};
use crate::source::{Container, Kind, Origin, Switches};

/// Under which names the text stands, the best first.
pub(super) const TEXTS: [&str; 7] = ["message", "log", "MESSAGE", "msg", "body", "line", "text"];
const TIMES: [&str; 4] = ["timestamp", "@timestamp", "time", "date"];
const LEVELS: [&str; 6] = [
    "level",
    "severity",
    "severity_text",
    "log.level",
    "loglevel",
    "lvl",
];
/// What another agent has made of a line; it is made anew.
const MADE: [&str; 13] = [
    "category",
    "confidence",
    "cut_bytes",
    "event_id",
    "line_base64",
    "lines",
    "logger",
    "message",
    "reason",
    "sampled_count",
    "stage",
    "template",
    "template_id",
];
/// What the names of its attributes begin with in OTLP, and those that are not its own.
const MADE_PREFIX: &str = "logsieve.";
const MADE_ATTRIBUTES: [&str; 2] = ["log.record.template", "log.record.uid"];
const STREAMS: [&str; 3] = ["stream", "log.iostream", "source"];

/// A record as it came.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) fields: Map<String, Value>,
    /// The text, where it is not among the fields.
    pub(super) text: Option<Vec<u8>>,
    /// When it happened, where the protocol says so.
    pub(super) time: Option<Timestamp>,
    /// How bad it is, where the protocol says so.
    pub(super) level: Option<Level>,
}

/// What is known of a record beside itself.
pub(super) struct About<'a> {
    pub(super) kind: Kind,
    /// Fluent's tag; empty where there is none.
    pub(super) tag: &'a str,
    /// This host.
    pub(super) host: &'a str,
    /// Labels of containers that are kept.
    pub(super) labels: &'a [String],
    /// Labels of pods that are kept.
    pub(super) pod_labels: &'a [String],
}

/// An event.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) origin: Origin,
    pub(super) text: Vec<u8>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) stream: Stream,
    pub(super) level: Option<Level>,
}

/// Puts what a record says in its places.
///
/// # Errors
/// A word where it says nothing.
pub(super) fn place(record: Record, about: &About<'_>) -> Result<Placed, &'static str> {
    let Record {
        mut fields,
        text,
        time,
        level,
    } = record;
    let (text, by) = match own_line(&mut fields) {
        Some((line, by)) => (Some(line), by),
        None => (text, String::new()),
    };
    let names = names::take(&mut fields);
    let stream = stream(&mut fields);
    let told = told_time(&mut fields);
    let stated = told_level(&mut fields);
    // Marks of the runtimes' pieces, which the sender has joined. Fluent Bit leaves that of the first one.
    for (key, joined) in [("logtag", &["F"][..]), ("_p", &["F", "P"])] {
        if fields
            .get(key)
            .and_then(Value::as_str)
            .is_some_and(|mark| joined.contains(&mark))
        {
            fields.remove(key);
        }
    }
    // And Vector's.
    if fields.get("_partial").is_some_and(Value::is_boolean) {
        fields.remove("_partial");
    }
    let tag = match fields.get("tag") {
        Some(Value::String(own)) if about.tag.is_empty() || own == about.tag => {
            let own = own.clone();
            fields.remove("tag");
            own
        }
        _ if !by.is_empty() => by,
        _ => about.tag.to_owned(),
    };
    let text = line(fields, text)?;
    Ok(Placed {
        origin: origin(names, tag, about),
        text,
        timestamp: time.or(told),
        stream,
        level: level.or(stated),
    })
}

/// The line of an event that another agent has sent, and what that agent has read it from; what it has made of the line goes.
fn own_line(fields: &mut Map<String, Value>) -> Option<(Vec<u8>, String)> {
    if fields.contains_key("logsieve.event_id") {
        fields.retain(|key, _| {
            !key.starts_with(MADE_PREFIX) && !MADE_ATTRIBUTES.contains(&key.as_str())
        });
        return None;
    }
    let is_own = ["event_id", "template_id", "line"]
        .iter()
        .all(|key| fields.get(*key).is_some_and(Value::is_string));
    if !is_own {
        return None;
    }
    let Some(Value::String(line)) = fields.remove("line") else {
        return None;
    };
    let exact = fields.get("line_base64").and_then(Value::as_str);
    let exact = exact.and_then(|exact| BASE64_STANDARD.decode(exact).ok());
    let by = match fields.remove("source") {
        Some(Value::String(by)) => by,
        _ => String::new(),
    };
    for key in MADE {
        fields.remove(key);
    }
    if fields.get("timestamp").is_some_and(Value::is_null) {
        fields.remove("timestamp");
    }
    Some((exact.unwrap_or_else(|| line.into_bytes()), by))
}

fn origin(mut names: Names, tag: String, about: &About<'_>) -> Origin {
    if names.k8s.pod.is_empty() && names.k8s.namespace.is_empty() {
        match pod_log(Path::new(&names.file)) {
            Some(k8s) => names.k8s = k8s,
            None => names::of_tag(&tag, &mut names),
        }
    }
    let Names {
        mut k8s,
        mut container,
        labels,
        host,
        is_node,
        service,
        file,
    } = names;
    let kept = labels.into_iter().filter_map(|(key, value)| match value {
        Value::String(value) => Some((key, value)),
        _ => None,
    });
    let has_pod = !(k8s.pod.is_empty() && k8s.namespace.is_empty());
    if has_pod {
        k8s.labels = keep_labels(kept, about.pod_labels);
    } else {
        container.labels = keep_labels(kept, about.labels);
    }
    if has_pod && container != Container::default() && container.name.is_empty() {
        container.name.clone_from(&k8s.container);
    }
    let mut name = [tag, service, file]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| about.kind.as_str().to_owned());
    // The same name on another host is another stream.
    if !host.is_empty() && !is_node && host != about.host {
        name = format!("{name}@{host}");
    }
    Origin {
        kind: about.kind,
        name: names::bounded(name),
        container: (container != Container::default()).then_some(container),
        k8s: has_pod.then_some(k8s),
        switches: Switches::default(),
    }
}

fn stream(fields: &mut Map<String, Value>) -> Stream {
    let mut stream = Stream::Stdout;
    for key in STREAMS {
        let said = match fields.get(key).and_then(Value::as_str) {
            Some("stdout") => Stream::Stdout,
            Some("stderr") => Stream::Stderr,
            _ => continue,
        };
        fields.remove(key);
        stream = said;
    }
    stream
}

fn told_time(fields: &mut Map<String, Value>) -> Option<Timestamp> {
    let mut told = None;
    for key in TIMES {
        let read = match fields.get(key) {
            Some(Value::String(text)) => time::parse(text.as_bytes(), &TimeContext::default()),
            Some(Value::Number(number)) => {
                time::epoch(number.to_string().as_bytes(), &TimeContext::default())
            }
            _ => None,
        };
        if read.is_some() {
            fields.remove(key);
            told = told.or(read);
        }
    }
    told
}

fn told_level(fields: &mut Map<String, Value>) -> Option<Level> {
    let mut told = None;
    for key in LEVELS {
        let text = fields.get(key).and_then(Value::as_str);
        let read = text.and_then(|text| Level::from_name(text.as_bytes()));
        if read.is_some() {
            fields.remove(key);
            told = told.or(read);
        }
    }
    let number = fields.get("severity_number").and_then(Value::as_u64);
    let read = number.and_then(|number| Level::from_otel(u32::try_from(number).ok()?));
    if read.is_some() {
        fields.remove("severity_number");
    }
    told.or(read)
}

/// The text alone where nothing else is left, else the record.
fn line(mut fields: Map<String, Value>, text: Option<Vec<u8>>) -> Result<Vec<u8>, &'static str> {
    let text = text.or_else(|| {
        let key = TEXTS
            .into_iter()
            .find(|key| fields.get(*key).is_some_and(Value::is_string))?;
        match fields.remove(key) {
            Some(Value::String(text)) => Some(text.into_bytes()),
            _ => None,
        }
    });
    let text = text.map(|mut text| {
        // As the runtime wrote it.
        if text.last() == Some(&b'\n') {
            text.pop();
            if text.last() == Some(&b'\r') {
                text.pop();
            }
        }
        text
    });
    match text {
        Some(text) if fields.is_empty() => Ok(text),
        None if fields.is_empty() => Err("empty"),
        None => Ok(Value::Object(fields).to_string().into_bytes()),
        Some(text) => {
            let message = Value::String(String::from_utf8_lossy(&text).into_owned());
            fields.remove("message");
            let rest = Value::Object(fields).to_string();
            let rest = rest.get(1..).unwrap_or("}");
            // What is said stands first.
            Ok(format!("{{\"message\":{message},{rest}").into_bytes())
        }
    }
}

//! Events as an `ExportLogsServiceRequest`: one `ResourceLogs` per stream, its records in the order in which they came.
//!
//! Messages and fields: opentelemetry-proto 1.x, `logs/v1/logs.proto`, `common/v1/common.proto`. Names of attributes: the semantic
//! conventions (`service`, `host`, `k8s`, `container`, `log`), and `logsieve.*` for what only this agent knows.

use std::collections::HashMap;

use logline::level::Level;
use logline::time::Timestamp;

use super::wire::{Any, any, attribute, bytes, bytes_len, fixed64, int, open};
use crate::escape::write_id;
use crate::sink::encode::Outgoing;
use crate::sink::service::service_name;
use crate::source::{Kind, Origin};

/// `InstrumentationScope { name, version }`, as a field of `ScopeLogs`.
fn scope(out: &mut Vec<u8>) {
    const NAME: &str = "logsieve";
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    open(1, bytes_len(NAME.len()) + bytes_len(VERSION.len()), out);
    bytes(1, NAME.as_bytes(), out);
    bytes(2, VERSION.as_bytes(), out);
}

/// One stream's share of a request.
#[derive(Debug)]
struct Group {
    /// The fields of its `Resource`.
    resource: Vec<u8>,
    /// Attributes that all of its records have, as fields of a `LogRecord`.
    common: Vec<u8>,
    /// Its `LogRecord`s, as fields of a `ScopeLogs`.
    records: Vec<u8>,
}

/// Collects the events of one request. Reusable: [`finish`](Self::finish) leaves it empty.
#[derive(Debug)]
pub(super) struct Request {
    host: String,
    streams: HashMap<String, usize>,
    groups: Vec<Group>,
    /// The group that the last event went to; events of one stream come in runs.
    last: Option<(String, usize)>,
    len: usize,
    record: Vec<u8>,
    word: Vec<u8>,
}

impl Request {
    /// An empty request of this host.
    pub(super) fn new(host: String) -> Self {
        Self {
            host,
            streams: HashMap::new(),
            groups: Vec::new(),
            last: None,
            len: 0,
            record: Vec::new(),
            word: Vec::new(),
        }
    }

    /// About how many bytes it would have now.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds one event, seen at `now`.
    pub(super) fn push(&mut self, event: &Outgoing<'_>, now: Timestamp) {
        let group = self.group_of(event);
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        self.write_record(event, now, &mut record);
        let group = &mut self.groups[group];
        open(2, record.len() + group.common.len(), &mut group.records);
        group.records.extend_from_slice(&record);
        group.records.extend_from_slice(&group.common);
        self.len += bytes_len(record.len() + group.common.len());
        self.record = record;
    }

    /// Appends the request to `out` and starts the next one.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let mut scope_field = Vec::new();
        scope(&mut scope_field);
        for group in self.groups.drain(..) {
            let logs = scope_field.len() + group.records.len();
            let whole = bytes_len(group.resource.len()) + bytes_len(logs);
            open(1, whole, out);
            bytes(1, &group.resource, out);
            open(2, logs, out);
            out.extend_from_slice(&scope_field);
            out.extend_from_slice(&group.records);
        }
        self.streams.clear();
        self.last = None;
        self.len = 0;
    }

    fn group_of(&mut self, event: &Outgoing<'_>) -> usize {
        let stream = event.batch.stream(event.event);
        let id = stream.map_or("", |stream| stream.id.as_str());
        if let Some((last, group)) = &self.last
            && last == id
        {
            return *group;
        }
        let group = match self.streams.get(id) {
            Some(group) => *group,
            None => {
                let mut group = Group {
                    resource: Vec::with_capacity(512),
                    common: Vec::new(),
                    records: Vec::new(),
                };
                if let Some(stream) = stream {
                    resource(&self.host, &stream.origin, &mut group.resource);
                    if stream.origin.kind == Kind::File {
                        let path = Any::Text(&stream.origin.name);
                        attribute(6, "log.file.path", path, &mut group.common);
                    }
                }
                self.len += group.resource.len();
                self.groups.push(group);
                self.streams.insert(id.to_owned(), self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        self.last = Some((id.to_owned(), group));
        group
    }

    /// Appends the fields of a `LogRecord`.
    fn write_record(&mut self, event: &Outgoing<'_>, now: Timestamp, out: &mut Vec<u8>) {
        // Unsigned in OTLP; 0 means that the time is not known.
        let nanos = |time: Timestamp| u64::try_from(time.0).unwrap_or(0);
        if let Some(time) = event.event.timestamp {
            fixed64(1, nanos(time), out);
        }
        fixed64(11, nanos(now), out);
        let (number, text) = severity(event.event.level);
        int(2, number, out);
        bytes(3, text.as_bytes(), out);
        let body = String::from_utf8_lossy(event.text);
        any(5, Any::Text(&body), out);
        let attr = |key: &str, value: Any<'_>, out: &mut Vec<u8>| attribute(6, key, value, out);
        attr("log.iostream", Any::Text(event.event.stream.as_str()), out);
        // The same under two names: what receivers drop repeats by, and where the other outputs have it.
        self.word.clear();
        event.write_id(&mut self.word);
        let id = String::from_utf8_lossy(&self.word);
        attr("log.record.uid", Any::Text(&id), out);
        attr("logsieve.event_id", Any::Text(&id), out);
        if body.as_bytes() != event.text {
            // The body stays readable, and the line is kept byte for byte here.
            attr("logsieve.line", Any::Bytes(event.text), out);
        }
        if !event.logger.is_empty() {
            let logger = String::from_utf8_lossy(event.logger);
            attr("logsieve.logger", Any::Text(&logger), out);
        }
        let verdict = &event.event.verdict;
        let category = event.batch.labels.category(verdict.category);
        attr("logsieve.category", Any::Text(category), out);
        attr("logsieve.stage", Any::Text(verdict.stage.as_str()), out);
        let confidence = rounded(verdict.confidence);
        attr("logsieve.confidence", Any::Double(confidence), out);
        let (why, name) = event.reason();
        self.word.clear();
        self.word.extend_from_slice(why.as_bytes());
        self.word.extend_from_slice(name.as_bytes());
        let reason = String::from_utf8_lossy(&self.word);
        attr("logsieve.reason", Any::Text(&reason), out);
        if let Some(template) = event.template {
            self.word.clear();
            write_id(template.id, &mut self.word);
            let id = String::from_utf8_lossy(&self.word);
            attr("logsieve.template_id", Any::Text(&id), out);
            attr("log.record.template", Any::Text(&template.text), out);
        }
        let mut count = |key: &str, value: u64, usual: u64| {
            if value > usual {
                attribute(6, key, Any::Int(value), out);
            }
        };
        count("logsieve.lines", u64::from(event.event.lines), 1);
        count("logsieve.cut_bytes", event.event.cut_bytes, 0);
        count("logsieve.sampled_count", event.sampled_count, 0);
    }
}

/// Three decimals say all that a calibrated confidence can mean.
fn rounded(confidence: f32) -> f64 {
    (f64::from(confidence) * 1000.0).round() / 1000.0
}

/// Number and text of a level: the log data model's table "Mapping of SeverityNumber", where a notice is `INFO2`.
fn severity(level: Level) -> (u64, &'static str) {
    match level {
        Level::Trace => (1, "TRACE"),
        Level::Debug => (5, "DEBUG"),
        Level::Info => (9, "INFO"),
        Level::Notice => (10, "NOTICE"),
        Level::Warn => (13, "WARN"),
        Level::Error => (17, "ERROR"),
        Level::Fatal => (21, "FATAL"),
    }
}

/// Appends the fields of a `Resource`.
fn resource(host: &str, origin: &Origin, out: &mut Vec<u8>) {
    let mut text = |key: &str, value: &str| {
        if !value.is_empty() {
            attribute(1, key, Any::Text(value), out);
        }
    };
    text("service.name", service_name(origin));
    text("host.name", host);
    if let Some(k8s) = &origin.k8s {
        text("service.namespace", &k8s.namespace);
        text("k8s.namespace.name", &k8s.namespace);
        text("k8s.pod.name", &k8s.pod);
        text("k8s.pod.uid", &k8s.uid);
        text("k8s.container.name", &k8s.container);
        text("k8s.node.name", host);
        if let Some(owner) = &k8s.owner
            && let Some(key) = owner_key(&owner.kind)
        {
            text(key, &owner.name);
        }
        for (key, value) in &k8s.labels {
            text(&format!("k8s.pod.label.{key}"), value);
        }
    }
    if let Some(container) = &origin.container {
        text("container.id", &container.id);
        text("container.name", &container.name);
        for (key, value) in &container.labels {
            text(&format!("container.label.{key}"), value);
        }
        let (name, tag) = image(&container.image);
        text("container.image.name", name);
        if let Some(tag) = tag {
            attribute(1, "container.image.tags", Any::One(tag), out);
        }
    }
    if let Some(restart) = origin.k8s.as_ref().and_then(|k8s| k8s.restart) {
        attribute(
            1,
            "k8s.container.restart_count",
            Any::Int(u64::from(restart)),
            out,
        );
    }
}

/// What the semantic conventions call the name of an owner of this kind; they have no name for any other.
fn owner_key(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Deployment" => "k8s.deployment.name",
        "ReplicaSet" => "k8s.replicaset.name",
        "StatefulSet" => "k8s.statefulset.name",
        "DaemonSet" => "k8s.daemonset.name",
        "Job" => "k8s.job.name",
        "CronJob" => "k8s.cronjob.name",
        "ReplicationController" => "k8s.replicationcontroller.name",
        _ => return None,
    })
}

/// An image's name and its tag: `registry:5000/app:1.2` has the tag `1.2`, `registry:5000/app` has none, a digest is part of the name.
fn image(image: &str) -> (&str, Option<&str>) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !name.contains('@') => (name, Some(tag)),
        _ => (image, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_tag_is_told_from_a_registrys_port() {
        assert_eq!(image("nginx:1.27"), ("nginx", Some("1.27")));
        assert_eq!(
            image("registry:5000/team/app"),
            ("registry:5000/team/app", None)
        );
        assert_eq!(
            image("registry:5000/app:v2"),
            ("registry:5000/app", Some("v2"))
        );
        assert_eq!(image("app@sha256:0123"), ("app@sha256:0123", None));
        assert_eq!(image(""), ("", None));
    }
}

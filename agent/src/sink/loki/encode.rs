//! Events as the JSON of Loki's push API: `{"streams":[{"stream":{..},"values":[["<ns>","line",{..}]]}]}`.
//!
//! <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>. Few labels make few streams, which is what Loki is
//! fast with; everything else is structured metadata, of which Loki takes 128 pairs and 64 KiB a line.

use std::collections::HashMap;
use std::io::Write as _;

use logline::time::Timestamp;

use crate::config::sinks::Label;
use crate::escape::{escape_json, write_id};
use crate::sink::encode::Outgoing;
use crate::sink::service::service_name;
use crate::source::Origin;

/// Loki's own bounds of one line's structured metadata, one pair and a little text kept in hand.
const METADATA_PAIRS: usize = 127;
const METADATA_BYTES: usize = 63 * 1024;
/// Loki's bound of a label's value.
const LABEL_BYTES: usize = 2048;
/// Beyond so many label sets their last times are forgotten: pods come and go for years.
const MAX_KEPT: usize = 4096;

/// Entries with one set of labels.
#[derive(Debug, Default)]
struct Stream {
    /// The labels, as a JSON object.
    labels: Vec<u8>,
    /// The entries, as items of a JSON array with a comma behind each.
    values: Vec<u8>,
    /// The time of its last entry, and the one that was sent for it.
    last: Option<(i64, i64)>,
}

/// Collects the events of one push. Reusable: [`finish`](Self::finish) leaves it empty.
#[derive(Debug)]
pub(super) struct Push {
    host: String,
    labels: Vec<Label>,
    fixed: Vec<(String, String)>,
    index: HashMap<Vec<u8>, usize>,
    streams: Vec<Stream>,
    len: usize,
    scratch: Vec<u8>,
}

impl Push {
    /// An empty push of this host, with these labels.
    pub(super) fn new(host: String, labels: Vec<Label>, fixed: Vec<(String, String)>) -> Self {
        Self {
            host,
            labels,
            fixed,
            index: HashMap::new(),
            streams: Vec::new(),
            len: 0,
            scratch: Vec::new(),
        }
    }

    /// About how many bytes it would have now.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds one event, seen at `now`.
    pub(super) fn push(&mut self, event: &Outgoing<'_>, now: Timestamp) {
        let at = self.stream_of(event);
        let mut values = std::mem::take(&mut self.streams[at].values);
        let before = values.len();
        let time = event
            .event
            .timestamp
            .filter(|time| time.0 > 0)
            .unwrap_or(now);
        let time = self.streams[at].distinct(time.0);
        // Writing to a Vec cannot fail.
        let _ = write!(values, "[\"{time}\",\"");
        escape_json(event.text, &mut values);
        values.extend_from_slice(b"\",{");
        self.metadata(event, &mut values);
        values.extend_from_slice(b"}],");
        self.len += values.len() - before;
        self.streams[at].values = values;
    }

    /// Appends the push to `out` and starts the next one.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"streams\":[");
        let mut first = true;
        for stream in &mut self.streams {
            if stream.values.is_empty() {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(b"{\"stream\":");
            out.extend_from_slice(&stream.labels);
            out.extend_from_slice(b",\"values\":[");
            // Taken, not cleared: each of many streams would keep the memory of its largest share.
            let values = std::mem::take(&mut stream.values);
            out.extend_from_slice(values.strip_suffix(b",").unwrap_or(&values));
            out.extend_from_slice(b"]}");
        }
        out.extend_from_slice(b"]}");
        if self.streams.len() > MAX_KEPT {
            self.streams.clear();
            self.index.clear();
        }
        self.len = 0;
    }

    fn stream_of(&mut self, event: &Outgoing<'_>) -> usize {
        let mut labels = std::mem::take(&mut self.scratch);
        labels.clear();
        labels.push(b'{');
        let origin = event
            .batch
            .stream(event.event)
            .map(|stream| stream.origin.as_ref());
        for label in &self.labels {
            let value = value_of(*label, event, origin, &self.host);
            label_pair(label.as_str(), value, &mut labels);
        }
        for (name, value) in &self.fixed {
            label_pair(name, value, &mut labels);
        }
        if labels.len() == 1 {
            // Loki takes no stream without a label.
            label_pair(Label::ServiceName.as_str(), "unknown_service", &mut labels);
        }
        labels.pop(); // the last comma
        labels.push(b'}');
        let at = match self.index.get(&labels) {
            Some(at) => *at,
            None => {
                self.streams.push(Stream {
                    labels: labels.clone(),
                    ..Stream::default()
                });
                self.index.insert(labels.clone(), self.streams.len() - 1);
                self.streams.len() - 1
            }
        };
        if self.streams[at].values.is_empty() {
            self.len += labels.len() + 32;
        }
        self.scratch = labels;
        at
    }

    fn metadata(&mut self, event: &Outgoing<'_>, out: &mut Vec<u8>) {
        let stream = event.batch.stream(event.event);
        let origin = stream.map(|stream| stream.origin.as_ref());
        let mut pairs = Pairs {
            left: METADATA_BYTES,
            pairs: METADATA_PAIRS,
            out,
        };
        let word = &mut self.scratch;
        word.clear();
        event.write_id(word);
        pairs.add("event_id", &String::from_utf8_lossy(word));
        for label in Label::ALL {
            if !self.labels.contains(&label) {
                pairs.add(label.as_str(), value_of(label, event, origin, &self.host));
            }
        }
        word.clear();
        let _ = write!(word, "{:.3}", event.event.verdict.confidence);
        pairs.add("confidence", &String::from_utf8_lossy(word));
        if let Some(template) = event.template {
            word.clear();
            write_id(template.id, word);
            pairs.add("template_id", &String::from_utf8_lossy(word));
        }
        if let Some(origin) = origin {
            pairs.add("source", &origin.name);
            if let Some(k8s) = &origin.k8s {
                pairs.add("pod", &k8s.pod);
                pairs.add("pod_uid", &k8s.uid);
                if let Some(owner) = &k8s.owner {
                    pairs.add("owner_kind", &owner.kind);
                }
            }
            if let Some(container) = &origin.container {
                pairs.add("container_id", &container.id);
                pairs.add("image", &container.image);
            }
        }
        let mut count = |name: &str, value: u64, usual: u64| {
            if value > usual {
                pairs.add(name, &value.to_string());
            }
        };
        count("lines", u64::from(event.event.lines), 1);
        count("cut_bytes", event.event.cut_bytes, 0);
        count("sampled_count", event.sampled_count, 0);
        // What may be long comes last, so that it is what the bound cuts.
        let (why, name) = event.reason();
        word.clear();
        word.extend_from_slice(why.as_bytes());
        word.extend_from_slice(name.as_bytes());
        pairs.add("reason", &String::from_utf8_lossy(word));
        pairs.add("logger", &String::from_utf8_lossy(event.logger));
        for (name, value) in origin.map_or(&[][..], Origin::labels) {
            word.clear();
            word.extend_from_slice(b"label_");
            word.extend_from_slice(name.as_bytes());
            pairs.add(&String::from_utf8_lossy(word), value);
        }
        pairs.add(
            "template",
            event.template.map_or("", |template| &template.text),
        );
        if out.last() == Some(&b',') {
            out.pop();
        }
    }
}

impl Stream {
    /// The time to send for an entry of `time`. Loki drops an entry that repeats another one's time and text, and does not keep the
    /// order of those with one time: such entries move on by a nanosecond each.
    fn distinct(&mut self, time: i64) -> i64 {
        let sent = match self.last {
            Some((last, sent)) if time >= last => time.max(sent.saturating_add(1)),
            _ => time,
        };
        self.last = Some((time, sent));
        sent
    }
}

/// Writes `"name":"value",` pairs up to a bound.
struct Pairs<'a> {
    left: usize,
    pairs: usize,
    out: &'a mut Vec<u8>,
}

impl Pairs<'_> {
    fn add(&mut self, name: &str, value: &str) {
        let room = self.left.saturating_sub(name.len());
        let value = &value[..value.floor_char_boundary(room)];
        if value.is_empty() || self.pairs == 0 {
            return;
        }
        self.left -= name.len() + value.len();
        self.pairs -= 1;
        pair(name, value, self.out);
    }
}

fn pair(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape_json(name.as_bytes(), out);
    out.extend_from_slice(b"\":\"");
    escape_json(value.as_bytes(), out);
    out.extend_from_slice(b"\",");
}

fn label_pair(name: &str, value: &str, out: &mut Vec<u8>) {
    // A label without a value is no label to Loki.
    if !value.is_empty() {
        pair(name, &value[..value.floor_char_boundary(LABEL_BYTES)], out);
    }
}

fn value_of<'a>(
    label: Label,
    event: &Outgoing<'a>,
    origin: Option<&'a Origin>,
    host: &'a str,
) -> &'a str {
    let k8s = origin.and_then(|origin| origin.k8s.as_ref());
    let container = origin.and_then(|origin| origin.container.as_ref());
    let owner = k8s.and_then(|k8s| k8s.owner.as_ref());
    match label {
        Label::ServiceName => origin.map_or("", service_name),
        Label::Host => host,
        Label::Namespace => k8s.map_or("", |k8s| &k8s.namespace),
        Label::Container => match (k8s, container) {
            (Some(k8s), _) => &k8s.container,
            (None, container) => container.map_or("", |container| &container.name),
        },
        Label::Stream => event.event.stream.as_str(),
        Label::Level => event.event.level.as_str(),
        Label::Category => event.batch.labels.category(event.event.verdict.category),
        Label::Stage => event.event.verdict.stage.as_str(),
        Label::Owner => owner.map_or("", |owner| &owner.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_is_sent_once_and_the_order_is_kept() {
        let mut stream = Stream::default();
        let sent: Vec<i64> = [5, 5, 5, 6, 20, 7, 7, 20]
            .into_iter()
            .map(|time| stream.distinct(time))
            .collect();
        assert_eq!(sent, [5, 6, 7, 8, 20, 7, 8, 20]);
        assert_eq!(stream.distinct(i64::MAX), i64::MAX);
        assert_eq!(stream.distinct(i64::MAX), i64::MAX);
    }

    #[test]
    fn metadata_stays_within_lokis_bounds() {
        let long = "ä".repeat(40_000);
        let mut out = Vec::new();
        let mut pairs = Pairs {
            left: METADATA_BYTES,
            pairs: 3,
            out: &mut out,
        };
        pairs.add("a", "");
        pairs.add("b", &long);
        pairs.add("c", "no room");
        pairs.add("d", &long);
        out.pop();
        let text = format!("{{{}}}", String::from_utf8(out).unwrap());
        let object: std::collections::BTreeMap<String, String> =
            serde_json::from_str(&text).unwrap();
        let bytes: usize = object.iter().map(|(k, v)| k.len() + v.len()).sum();
        assert!(
            bytes <= METADATA_BYTES && bytes > METADATA_BYTES - 4,
            "{bytes}"
        );
        assert_eq!(object.len(), 1);
    }
}

//! Events as messages of the Fluent forward protocol, version 1, in its packed forms: `[tag, entries, option]`, where the entries are
//! `[time, record]` one after another in one binary, compressed or not.
//!
//! <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1>. An entry is the plain pair: Fluent Bit's
//! `[[time, metadata], record]` is refused by Fluentd and others.

use std::collections::HashMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::write::GzEncoder;
use logline::time::Timestamp;
use rmp::encode::{write_bin, write_ext_meta, write_f64, write_str_len, write_uint};
use xxhash_rust::xxh3::Xxh3;

use super::tag;
use crate::config::sinks::Tag;
use crate::escape::write_id;
use crate::sink::encode::Outgoing;
use crate::source::{Container, K8s};
use crate::wire::forward::{array_len, map_len, text};

/// Entries under one tag.
#[derive(Debug)]
struct Chunk {
    tag: String,
    entries: Vec<u8>,
    size: u64,
}

/// Collects the events of one batch. Reusable: [`finish`](Self::finish) leaves it empty.
#[derive(Debug)]
pub(super) struct Messages {
    host: String,
    tag: Tag,
    /// Compression of the entries, if any.
    gzip: Option<u32>,
    /// Each message asks to be acknowledged.
    ack: bool,
    chunks: Vec<Chunk>,
    by_tag: HashMap<String, usize>,
    last: usize,
    len: usize,
    tag_text: String,
    word: Vec<u8>,
}

impl Messages {
    /// No messages yet, for events of this host.
    pub(super) fn new(host: String, tag: Tag, gzip: Option<u32>, ack: bool) -> Self {
        Self {
            host,
            tag,
            gzip,
            ack,
            chunks: Vec::new(),
            by_tag: HashMap::new(),
            last: 0,
            len: 0,
            tag_text: String::new(),
            word: Vec::new(),
        }
    }

    /// About how many bytes they have now, before compression.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds one event, seen at `now`.
    pub(super) fn push(&mut self, event: &Outgoing<'_>, now: Timestamp) {
        let at = self.chunk_of(event);
        let mut entries = std::mem::take(&mut self.chunks[at].entries);
        let before = entries.len();
        array_len(2, &mut entries);
        event_time(event.event.timestamp.unwrap_or(now), &mut entries);
        self.record(event, &mut entries);
        self.len += entries.len() - before;
        let chunk = &mut self.chunks[at];
        chunk.entries = entries;
        chunk.size += 1;
    }

    /// Appends the messages to `out`, one per tag, and starts anew.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        for chunk in self.chunks.drain(..) {
            let packed = match self.gzip {
                Some(level) => gzip(&chunk.entries, level),
                None => chunk.entries,
            };
            array_len(3, out);
            text(&chunk.tag, out);
            // Writing to a Vec cannot fail, here and below.
            let _ = write_bin(out, &packed);
            map_len(
                1 + u32::from(self.ack) + u32::from(self.gzip.is_some()),
                out,
            );
            text("size", out);
            let _ = write_uint(out, chunk.size);
            if self.ack {
                text("chunk", out);
                text(&chunk_id(&chunk.tag, &packed), out);
            }
            if self.gzip.is_some() {
                text("compressed", out);
                text("gzip", out);
            }
        }
        self.by_tag.clear();
        self.len = 0;
    }

    fn chunk_of(&mut self, event: &Outgoing<'_>) -> usize {
        self.tag_text.clear();
        tag::write(&self.tag, event, &self.host, &mut self.tag_text);
        // Events of one stream come in runs.
        if self
            .chunks
            .get(self.last)
            .is_some_and(|chunk| chunk.tag == self.tag_text)
        {
            return self.last;
        }
        self.last = match self.by_tag.get(&self.tag_text) {
            Some(at) => *at,
            None => {
                self.chunks.push(Chunk {
                    tag: self.tag_text.clone(),
                    entries: Vec::new(),
                    size: 0,
                });
                self.len += self.tag_text.len() + 64;
                self.by_tag
                    .insert(self.tag_text.clone(), self.chunks.len() - 1);
                self.chunks.len() - 1
            }
        };
        self.last
    }

    /// Appends the record: the same names as in the JSON of the other outputs.
    fn record(&mut self, event: &Outgoing<'_>, out: &mut Vec<u8>) {
        let stream = event.batch.stream(event.event);
        let origin = stream.map(|stream| stream.origin.as_ref());
        let k8s = origin.and_then(|origin| origin.k8s.as_ref());
        let container = origin.and_then(|origin| origin.container.as_ref());
        let line = String::from_utf8_lossy(event.text);
        let exact = line.as_bytes() == event.text;
        let counts = [
            ("lines", u64::from(event.event.lines), 1),
            ("cut_bytes", event.event.cut_bytes, 0),
            ("sampled_count", event.sampled_count, 0),
        ];
        let fields = 13
            + u32::from(!exact)
            + u32::from(!event.logger.is_empty())
            + u32::from(k8s.is_some())
            + u32::from(container.is_some())
            + counts
                .iter()
                .map(|(_, n, usual)| u32::from(n > usual))
                .sum::<u32>();
        map_len(fields, out);
        field("line", &line, out);
        if !exact {
            // The line stays readable above, and is kept byte for byte here.
            field("line_base64", &BASE64_STANDARD.encode(event.text), out);
        }
        field("message", &String::from_utf8_lossy(event.message), out);
        if !event.logger.is_empty() {
            field("logger", &String::from_utf8_lossy(event.logger), out);
        }
        let verdict = &event.event.verdict;
        field("level", event.event.level.as_str(), out);
        field(
            "category",
            event.batch.labels.category(verdict.category),
            out,
        );
        field("stage", verdict.stage.as_str(), out);
        text("confidence", out);
        let _ = write_f64(
            out,
            (f64::from(verdict.confidence) * 1000.0).round() / 1000.0,
        );
        let (why, name) = event.reason();
        text("reason", out);
        string_len(why.len() + name.len(), out);
        out.extend_from_slice(why.as_bytes());
        out.extend_from_slice(name.as_bytes());
        self.word.clear();
        if let Some(template) = event.template {
            write_id(template.id, &mut self.word);
        }
        text("template_id", out);
        string_len(self.word.len(), out);
        out.extend_from_slice(&self.word);
        field(
            "template",
            event.template.map_or("", |template| &template.text),
            out,
        );
        for (name, count, usual) in counts {
            if count > usual {
                text(name, out);
                let _ = write_uint(out, count);
            }
        }
        self.word.clear();
        event.write_id(&mut self.word);
        field("event_id", &String::from_utf8_lossy(&self.word), out);
        field("host", &self.host, out);
        field("stream", event.event.stream.as_str(), out);
        field("source", origin.map_or("", |origin| &origin.name), out);
        if let Some(container) = container {
            write_container(container, out);
        }
        if let Some(k8s) = k8s {
            write_k8s(k8s, &self.host, out);
        }
    }
}

fn write_container(container: &Container, out: &mut Vec<u8>) {
    text("container", out);
    map_len(3 + u32::from(!container.labels.is_empty()), out);
    field("id", &container.id, out);
    field("name", &container.name, out);
    field("image", &container.image, out);
    write_labels(&container.labels, out);
}

/// Appends the field `labels`, if there are any.
fn write_labels(labels: &[(String, String)], out: &mut Vec<u8>) {
    if labels.is_empty() {
        return;
    }
    text("labels", out);
    map_len(u32::try_from(labels.len()).unwrap_or(u32::MAX), out);
    for (key, value) in labels {
        field(key, value, out);
    }
}

fn write_k8s(k8s: &K8s, host: &str, out: &mut Vec<u8>) {
    text("k8s", out);
    let more = u32::from(k8s.owner.is_some()) + u32::from(!k8s.labels.is_empty());
    map_len(4 + more, out);
    field("namespace", &k8s.namespace, out);
    field("pod", &k8s.pod, out);
    field("container", &k8s.container, out);
    field("node", host, out);
    if let Some(owner) = &k8s.owner {
        text("owner", out);
        map_len(2, out);
        field("kind", &owner.kind, out);
        field("name", &owner.name, out);
    }
    write_labels(&k8s.labels, out);
}

/// A chunk's id says what is in it: the same chunk has the same id in every attempt, also after a restart.
fn chunk_id(tag: &str, entries: &[u8]) -> String {
    let mut hash = Xxh3::new();
    hash.update(tag.as_bytes());
    hash.update(b"\0");
    hash.update(entries);
    BASE64_STANDARD.encode(hash.digest128().to_be_bytes())
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(
        Vec::with_capacity(bytes.len() / 4 + 64),
        flate2::Compression::new(level),
    );
    // Into a Vec: cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// `EventTime`: extension 0 of eight bytes, seconds and nanoseconds, both unsigned. What lies outside (before 1970, after 2106) goes
/// to the nearest second that it can say.
fn event_time(time: Timestamp, out: &mut Vec<u8>) {
    const NANOS: i64 = 1_000_000_000;
    let whole = time.0.div_euclid(NANOS).max(0);
    let seconds = u32::try_from(whole).unwrap_or(u32::MAX);
    let nanos = if i64::from(seconds) * NANOS <= time.0 && whole == i64::from(seconds) {
        u32::try_from(time.0.rem_euclid(NANOS)).unwrap_or(0)
    } else {
        0
    };
    let _ = write_ext_meta(out, 8, 0);
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&nanos.to_be_bytes());
}

/// Texts are bounded far below 4 GiB.
fn string_len(len: usize, out: &mut Vec<u8>) {
    let _ = write_str_len(out, u32::try_from(len).unwrap_or(0));
}

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    text(name, out);
    text(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Owner;
    use crate::wire::msgpack::Value;

    #[test]
    fn what_is_known_of_a_pod_is_one_map() {
        let mut k8s = K8s {
            namespace: "shop".into(),
            container: "server".into(),
            ..K8s::default()
        };
        let read = |k8s: &K8s| {
            let mut out = Vec::new();
            write_k8s(k8s, "node-1", &mut out);
            let (name, used) = Value::read(&out).unwrap().unwrap();
            assert_eq!(name.text(), Some(&b"k8s"[..]));
            let (map, rest) = Value::read(&out[used..]).unwrap().unwrap();
            assert_eq!(used + rest, out.len(), "nothing stands behind it");
            map
        };
        let text = |map: &Value, path: &[&str]| {
            let found = path.iter().try_fold(map, |map, key| map.get(key));
            found.and_then(Value::text).map(<[u8]>::to_vec)
        };
        assert_eq!(text(&read(&k8s), &["node"]), Some(b"node-1".to_vec()));
        assert_eq!(text(&read(&k8s), &["owner", "name"]), None);
        k8s.labels = vec![
            ("app".into(), "web".into()),
            ("tier".into(), "front".into()),
        ];
        assert_eq!(
            text(&read(&k8s), &["labels", "tier"]),
            Some(b"front".to_vec())
        );
        k8s.owner = Some(Owner {
            kind: "Deployment".into(),
            name: "web".into(),
        });
        let map = read(&k8s);
        assert_eq!(text(&map, &["owner", "kind"]), Some(b"Deployment".to_vec()));
        assert_eq!(text(&map, &["owner", "name"]), Some(b"web".to_vec()));
        assert_eq!(text(&map, &["labels", "app"]), Some(b"web".to_vec()));
    }

    #[test]
    fn a_time_is_seconds_and_nanoseconds_and_never_wraps() {
        for (time, want) in [
            (1_700_000_000_000_000_001, (1_700_000_000_u32, 1_u32)),
            (0, (0, 0)),
            (-1, (0, 0)),
            (i64::MIN, (0, 0)),
            (i64::MAX, (u32::MAX, 0)),
            (4_294_967_295_999_999_999, (u32::MAX, 999_999_999)),
        ] {
            let mut out = Vec::new();
            event_time(Timestamp(time), &mut out);
            let mut expected = vec![0xd7, 0];
            expected.extend_from_slice(&want.0.to_be_bytes());
            expected.extend_from_slice(&want.1.to_be_bytes());
            assert_eq!(out, expected, "{time}");
        }
    }
}

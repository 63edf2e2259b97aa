//! Of events that are all alike the first few of every minute, and one that says how many more there were.
//!
//! Minutes are those of the events' own times, so that a backlog is thinned out like the day that it is of. What is left
//! out here stays in the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logline::template::TemplateId;
use xxhash_rust::xxh3::xxh3_64;

use super::encode::Outgoing;
use crate::flow::{Batch, Labelled, Labels, StreamInfo, TemplateText};
use crate::telemetry::clock;

/// At most so many templates of streams are counted at a time; what comes beyond goes out.
const MAX_WINDOWS: usize = 20_000;
/// A minute is over for good when so much time has passed without a like event.
const QUIET: Duration = Duration::from_secs(60);
/// How often such minutes are looked for.
const SWEEP: Duration = Duration::from_secs(5);
const MINUTE_NS: i64 = 60_000_000_000;

/// Which minute of which template of which stream.
type Key = (u64, TemplateId);

struct Window {
    minute: i64,
    passed: u32,
    left_out: Option<LeftOut>,
    touched: Instant,
}

/// What was left out of a window.
struct LeftOut {
    count: u64,
    labels: Arc<Labels>,
    stream: Option<Arc<StreamInfo>>,
    /// The last one; its texts are not kept.
    last: Labelled,
}

/// One event that stands for those that were left out.
#[derive(Debug)]
pub(super) struct Summary {
    batch: Batch,
    event: Labelled,
    template: Option<Arc<TemplateText>>,
    count: u64,
}

impl Summary {
    /// The event as it goes out. Its text is the template, as `template` shows it.
    pub(super) fn outgoing<'a>(&'a self, template: Option<&'a TemplateText>) -> Outgoing<'a> {
        let text = template.map_or(&b""[..], |template| template.text.as_bytes());
        Outgoing {
            batch: &self.batch,
            event: &self.event,
            text,
            message: text,
            message_at: Some(0),
            logger: b"",
            template,
            sampled_count: self.count,
        }
    }

    /// The template that it is about.
    pub(super) fn template(&self) -> Option<&Arc<TemplateText>> {
        self.template.as_ref()
    }
}

/// Thins out what repeats.
pub(super) struct Sampler {
    first: u32,
    windows: HashMap<Key, Window>,
    /// Hashes of the ids of the batch's streams, as far as they are known.
    streams: Vec<Option<u64>>,
    swept: Instant,
}

impl Sampler {
    /// Lets the first `first` events of a template through, per stream and minute.
    pub(super) fn new(first: u32) -> Self {
        Self {
            first,
            windows: HashMap::new(),
            streams: Vec::new(),
            swept: Instant::now(),
        }
    }

    /// The events that are asked about next are those of another batch.
    pub(super) fn begin(&mut self) {
        self.streams.clear();
    }

    /// Whether `event` goes out. Where its minute is the first after one of which some were left out, a summary of that
    /// one goes out before it.
    pub(super) fn wants(&mut self, batch: &Batch, event: &Labelled) -> (Option<Summary>, bool) {
        let Some(template) = &event.template_text else {
            return (None, true);
        };
        let now = Instant::now();
        let time = event.timestamp.unwrap_or_else(clock::now);
        let minute = time.0.div_euclid(MINUTE_NS);
        let key = (self.stream(batch, event), template.id);
        if !self.windows.contains_key(&key) && self.windows.len() >= MAX_WINDOWS {
            return (None, true);
        }
        let window = self.windows.entry(key).or_insert_with(|| Window {
            minute,
            passed: 0,
            left_out: None,
            touched: now,
        });
        window.touched = now;
        let mut summary = None;
        // Times that go back a little do not begin a minute again.
        if minute > window.minute {
            summary = window.left_out.take().map(LeftOut::summary);
            window.minute = minute;
            window.passed = 0;
        }
        if window.passed < self.first {
            window.passed += 1;
            return (summary, true);
        }
        match &mut window.left_out {
            Some(left_out) => {
                left_out.count += 1;
                left_out.last.clone_from(event);
            }
            None => {
                window.left_out = Some(LeftOut {
                    count: 1,
                    labels: Arc::clone(&batch.labels),
                    stream: batch.stream_arc(event.stream_index).cloned(),
                    last: event.clone(),
                });
            }
        }
        (summary, false)
    }

    /// Summaries of the minutes that are over, or of all where `all` is said: the sink ends.
    pub(super) fn due(&mut self, all: bool) -> Vec<Summary> {
        if !all && self.swept.elapsed() < SWEEP {
            return Vec::new();
        }
        self.swept = Instant::now();
        let mut due = Vec::new();
        self.windows.retain(|_, window| {
            let over = all || window.touched.elapsed() >= QUIET;
            if over {
                due.extend(window.left_out.take().map(LeftOut::summary));
            }
            !over
        });
        due
    }

    fn stream(&mut self, batch: &Batch, event: &Labelled) -> u64 {
        let index = event.stream_index as usize;
        if self.streams.len() <= index {
            self.streams.resize(index + 1, None);
        }
        *self.streams[index].get_or_insert_with(|| {
            batch
                .stream(event)
                .map_or(0, |stream| xxh3_64(stream.id.as_bytes()))
        })
    }
}

impl LeftOut {
    fn summary(self) -> Summary {
        let mut batch = Batch::new(self.labels);
        let mut event = self.last;
        if let Some(stream) = &self.stream {
            event.stream_index = batch.keep_stream(stream);
        }
        event.lines = 1;
        event.cut_bytes = 0;
        Summary {
            batch,
            template: event.template_text.clone(),
            event,
            count: self.count,
        }
    }
}

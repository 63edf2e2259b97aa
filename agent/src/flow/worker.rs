//! The thread that owns the flow: messages of the sources in, full batches out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use logline::level::Level;
use logline::rules::RuleSet;
use logline::template::TemplateId;
use logline::time::TimeContext;
use prometheus::IntCounter;

use super::labels::UNCLASSIFIED;
use super::{Batch, Flow, Opening, Place, StreamInfo};
use crate::classify::{Handle, Said, Stage};
use crate::source::{Message, docker};
use crate::telemetry::{Metrics, clock};

/// A batch is handed on when it holds so many events...
const MAX_EVENTS: usize = 2_048;
/// ...or so many bytes...
const MAX_BYTES: usize = 1024 * 1024;
/// ...or when nothing more comes for so long, which is also how often waiting events are looked at.
const TICK: Duration = Duration::from_millis(250);

/// A tick that is due so soon after a message comes with it, so that the thread is not woken twice.
const EARLY: Duration = Duration::from_millis(50);

/// Events whose sender waits for an answer are handed on so soon.
const SOON: Duration = Duration::from_millis(10);

/// How often streams that give no events have their cursors kept.
const CURSORS_EVERY: Duration = Duration::from_secs(1);

/// How often is looked whether verdicts have come that a batch waits for.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes and events of the batches that may wait for verdicts; at the bound the first goes on without.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
const MAX_WAITING_EVENTS: usize = 16_384;
/// Emptied batches that are kept for the next lines.
const SPARE: usize = 4;

/// While messages wait, open events are given so many times their waiting time more.
const BEHIND_FACTOR: u64 = 9;

/// What the flow is told from outside the data.
#[derive(Debug)]
pub enum Control {
    /// Judge by these rules from now on.
    Rules(Arc<RuleSet>),
}

/// The channels of the thread.
pub struct Ends {
    /// From the sources.
    pub messages: Receiver<Message>,
    /// From whoever reloads.
    pub controls: Receiver<Control>,
    /// To the sink.
    pub batches: SyncSender<Batch>,
    /// Emptied batches back from the sink.
    pub used: Receiver<Batch>,
}

/// The stages that judge templates, as the flow sees them.
#[derive(Debug)]
pub struct LateSieve {
    /// Where questions go.
    pub handle: Handle,
    /// Where answers come from.
    pub answers: Receiver<Said>,
    /// How long a line waits for its template's verdict.
    pub wait: Duration,
}

/// A batch that waits for verdicts.
#[derive(Debug)]
struct Waiting {
    batch: Batch,
    /// Its events that wait.
    open: usize,
    until: Instant,
}

/// Runs the flow. See [`Worker::run`].
pub struct Worker {
    flow: Flow,
    ends: Ends,
    sieve: Option<LateSieve>,
    /// Batches with events whose templates are being judged, and those behind them, in order.
    waiting: VecDeque<Waiting>,
    /// Emptied batches.
    spare: Vec<Batch>,
    /// How long a batch may wait.
    patience: Duration,
    late: IntCounter,
    metrics: Arc<Metrics>,
    utc_offset_s: i32,
    max_wait_ms: u64,
    started: Instant,
    batch: Batch,
    /// Events since the batch was begun may wait no longer than until then.
    next_tick: Instant,
    last_hand_on: Instant,
    /// Messages that had found the template table full when it was told last.
    overflowed: u64,
}

/// How many events of each template go on without a category.
fn undecided(batch: &Batch) -> Vec<(TemplateId, u64)> {
    let mut lines: Vec<(TemplateId, u64)> = Vec::new();
    // For each template by its index the place in `lines`, counted from 1: no hashing for every line.
    let mut places: Vec<u32> = Vec::new();
    for event in &batch.events {
        if event.verdict.category.is_some() {
            continue;
        }
        let Some(template) = &event.template_text else {
            continue;
        };
        if places.len() <= event.template {
            places.resize(event.template + 1, 0);
        }
        let place = &mut places[event.template];
        if *place == 0 {
            lines.push((template.id, 0));
            *place = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        }
        if let Some((_, count)) = lines.get_mut(*place as usize - 1) {
            *count += 1;
        }
    }
    lines
}

/// The receiver of the batches is gone: the output has ended, and so does the flow.
struct SinkGone;

impl Worker {
    /// A worker that has received nothing yet.
    #[must_use]
    pub fn new(
        flow: Flow,
        ends: Ends,
        sieve: Option<LateSieve>,
        metrics: Arc<Metrics>,
        utc_offset_s: i32,
    ) -> Self {
        let batch = Batch::new(flow.labels());
        let max_wait_ms = flow.settings().assemble.max_wait_ms;
        let started = Instant::now();
        announce(&metrics, &flow);
        let late = metrics.classify().late;
        let patience = sieve.as_ref().map_or(Duration::ZERO, |sieve| sieve.wait);
        Self {
            flow,
            ends,
            sieve,
            waiting: VecDeque::new(),
            spare: Vec::new(),
            patience,
            late,
            metrics,
            utc_offset_s,
            max_wait_ms,
            started,
            batch,
            next_tick: started + TICK,
            last_hand_on: started,
            overflowed: 0,
        }
    }

    /// Works until all sources have let go of their channel or the sink has let go of its own, then passes on the rest.
    pub fn run(mut self) {
        if self.receive().is_ok() {
            self.flow.finish(self.now_ms(), &mut self.batch);
            // The sink may have ended meanwhile; then there is nobody to tell.
            let _ = self.hand_on().and_then(|()| self.finish_waiting());
        }
    }

    fn receive(&mut self) -> Result<(), SinkGone> {
        loop {
            let mut wait = self.next_tick.saturating_duration_since(Instant::now());
            if !self.waiting.is_empty() {
                wait = wait.min(LOOK);
            }
            match self.ends.messages.recv_timeout(wait) {
                Ok(message) => {
                    self.message(message);
                    if self.next_tick <= Instant::now() + EARLY {
                        self.next_tick = Instant::now();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while let Ok(control) = self.ends.controls.try_recv() {
                self.control(control)?;
            }
            if !self.waiting.is_empty() || Instant::now() >= self.next_tick {
                self.verdicts()?;
            }
            if Instant::now() >= self.next_tick {
                self.tick()?;
            } else if self.batch.events.len() >= MAX_EVENTS || self.batch.bytes_len() >= MAX_BYTES {
                self.hand_on()?;
            }
        }
    }

    fn tick(&mut self) -> Result<(), SinkGone> {
        self.next_tick = Instant::now() + TICK;
        self.flow.set_time(TimeContext {
            reference: Some(clock::now()),
            utc_offset_s: self.utc_offset_s,
        });
        // While messages are still waiting, the rest of an open event may be among them.
        let patience = match self.ends.messages.try_recv() {
            Ok(message) => {
                self.message(message);
                BEHIND_FACTOR * self.max_wait_ms
            }
            Err(_) => 0,
        };
        self.flow
            .expire(self.now_ms().saturating_sub(patience), &mut self.batch);
        self.hand_on()
    }

    fn message(&mut self, message: Message) {
        let now_ms = self.now_ms();
        match message {
            Message::Opened {
                id,
                origin,
                wrapper,
                file,
                resumed,
                follows,
            } => {
                let (name, place) = match (file, &origin.container) {
                    _ if origin.kind.is_received() => {
                        let (kind, hash) = (origin.kind.as_str(), origin.fingerprint());
                        (format!("{kind}-{hash:016x}"), Place::Passing)
                    }
                    (Some(file), _) => (
                        format!(
                            "{:x}-{:x}-{:016x}",
                            file.device, file.inode, file.marker.hash
                        ),
                        Place::File {
                            file,
                            offset: 0,
                            seam: None,
                        },
                    ),
                    (None, Some(container)) => {
                        let position = docker::Position::default();
                        (container.id.clone(), Place::Docker(position))
                    }
                    (None, None) => (origin.name.clone(), Place::Passing),
                };
                let info = StreamInfo { id: name, origin };
                let opening = Opening {
                    resumed,
                    follows,
                    ..Opening::new(info, place, wrapper)
                };
                self.flow.open(id, opening, now_ms);
            }
            Message::Bytes { id, offset, bytes } => {
                self.flow.bytes(id, offset, &bytes, now_ms, &mut self.batch);
            }
            Message::Record {
                id,
                stream,
                bytes,
                position,
            } => {
                self.flow
                    .record(id, stream, position, &bytes, now_ms, &mut self.batch);
            }
            Message::Described { id, origin } => self.flow.describe(id, origin),
            Message::Delivered(delivery) => {
                self.flow.deliver(delivery, &mut self.batch);
                self.next_tick = self.next_tick.min(Instant::now() + SOON);
            }
            // Event ids keep the name that the file had when it was opened.
            Message::Identified { id, file } => self.flow.identified(id, file),
            Message::Closed { id, reason } => {
                self.flow.close(id, reason, now_ms, &mut self.batch);
            }
        }
    }

    fn control(&mut self, control: Control) -> Result<(), SinkGone> {
        match control {
            Control::Rules(rules) => {
                // What was judged before keeps the names that it was judged with.
                self.hand_on()?;
                while !self.waiting.is_empty() {
                    self.release()?;
                }
                self.flow.set_rules(rules);
                self.batch.labels = self.flow.labels();
                announce(&self.metrics, &self.flow);
            }
        }
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), SinkGone> {
        // A stream that moved without an event is no haste, and neither is a verdict whose lines have gone on.
        let moved = self.flow.has_moved() || self.flow.has_news();
        let moved = moved && self.last_hand_on.elapsed() >= CURSORS_EVERY;
        let idle = self.batch.events.is_empty() && self.batch.tickets.is_empty();
        if idle && self.batch.cursors.is_empty() && !moved {
            return Ok(());
        }
        self.last_hand_on = Instant::now();
        self.flow.mark(&mut self.batch);
        self.flow.settle(&mut self.batch);
        let open = match &self.sieve {
            Some(sieve) if sieve.handle.is_on() => self
                .flow
                .ask(&self.batch, &mut |question| sieve.handle.ask(question)),
            _ => 0,
        };
        self.spare.extend(self.ends.used.try_iter());
        // After many have waited, their memory is not kept.
        self.spare.truncate(SPARE);
        let mut next = self
            .spare
            .pop()
            .unwrap_or_else(|| Batch::new(self.flow.labels()));
        next.labels = self.flow.labels();
        let full = std::mem::replace(&mut self.batch, next);
        if open == 0 && self.waiting.is_empty() {
            return self.send(full);
        }
        self.waiting.push_back(Waiting {
            batch: full,
            open,
            until: Instant::now() + self.patience,
        });
        while self.waits_too_much() {
            self.release()?;
        }
        Ok(())
    }

    fn waits_too_much(&self) -> bool {
        let batches = || self.waiting.iter().map(|waiting| &waiting.batch);
        batches().map(Batch::bytes_len).sum::<usize>() > MAX_WAITING_BYTES
            || batches().map(|batch| batch.events.len()).sum::<usize>() > MAX_WAITING_EVENTS
    }

    /// Takes up the verdicts that have come, and lets the batches go that need to wait no longer.
    fn verdicts(&mut self) -> Result<(), SinkGone> {
        let Some(sieve) = &self.sieve else {
            return Ok(());
        };
        let mut news = false;
        while let Ok(said) = sieve.answers.try_recv() {
            match said {
                Said::Answer(answer) => {
                    self.flow.learn(answer);
                }
                Said::Taught(taught) => {
                    let known = self.flow.teach(&taught, &sieve.handle);
                    // Whoever does not wait any more needs no answer.
                    let _ = taught.reply.send(known);
                }
            }
            news = true;
        }
        // Without a model no more answers come.
        let off = !sieve.handle.is_on();
        if news || off {
            for waiting in &mut self.waiting {
                waiting.open = if off {
                    0
                } else {
                    self.flow.resolve(&mut waiting.batch)
                };
            }
        }
        let now = Instant::now();
        while self
            .waiting
            .front()
            .is_some_and(|first| first.open == 0 || first.until <= now)
        {
            self.release()?;
        }
        Ok(())
    }

    /// Lets the batch go that waits longest.
    fn release(&mut self) -> Result<(), SinkGone> {
        let Some(mut first) = self.waiting.pop_front() else {
            return Ok(());
        };
        self.flow.resolve(&mut first.batch);
        let late = self.flow.give_up(&mut first.batch);
        self.late.inc_by(late);
        self.send(first.batch)
    }

    fn send(&mut self, mut batch: Batch) -> Result<(), SinkGone> {
        if let Some(sieve) = self
            .sieve
            .as_ref()
            .filter(|sieve| sieve.handle.is_awaited())
        {
            sieve.handle.waits(undecided(&batch));
        }
        self.flow.account(&mut batch);
        self.publish(&batch);
        self.ends.batches.send(batch).map_err(|_| SinkGone)
    }

    /// At the end: what waits gets its time.
    fn finish_waiting(&mut self) -> Result<(), SinkGone> {
        while !self.waiting.is_empty() {
            self.verdicts()?;
            std::thread::sleep(LOOK);
        }
        self.verdicts()?;
        if self.flow.has_news() {
            self.send(Batch::new(self.flow.labels()))?;
        }
        Ok(())
    }

    /// Adds to the metrics what was counted since the last time.
    fn publish(&mut self, batch: &Batch) {
        let stats = self.flow.take_stats();
        let labels = self.flow.labels();
        self.metrics.read(stats.bytes, stats.lines);
        self.metrics.cut(stats.cut_events, stats.cut_bytes);
        for (reason, lines) in &stats.malformed {
            self.metrics.malformed(reason, *lines);
        }
        for stage in Stage::ALL {
            self.metrics.verdicts(stage.as_str(), stats.by_stage(stage));
        }
        let told = |(category, by_level): (Option<u16>, &[u64; Level::ALL.len()]),
                    tell: &dyn Fn(&str, &str, u64)| {
            for (level, count) in Level::ALL.into_iter().zip(by_level) {
                if *count > 0 {
                    tell(labels.category(category), level.as_str(), *count);
                }
            }
        };
        for row in stats.by_category() {
            told(row, &|category, level, events| {
                self.metrics.events(category, level, events);
            });
        }
        for row in stats.new_templates() {
            told(row, &|category, level, count| {
                self.metrics.new_templates(category, level, count);
            });
        }
        let table = self.flow.templates();
        let overflowed = table.overflowed();
        self.metrics
            .templates(table.len(), overflowed.saturating_sub(self.overflowed));
        self.overflowed = overflowed;
        let mut by_stream = vec![[0_u64; Level::ALL.len()]; batch.streams().len()];
        for event in &batch.events {
            if let Some(counts) = by_stream.get_mut(event.stream_index as usize) {
                counts[event.level as usize] += 1;
            }
        }
        for (stream, counts) in batch.streams().iter().zip(by_stream) {
            let (namespace, container) = stream.origin.short_names();
            for (level, events) in Level::ALL.into_iter().zip(counts) {
                if events > 0 {
                    self.metrics
                        .container_events(namespace, container, level.as_str(), events);
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Shows the bad levels of every category from the first scrape on, at zero: Prometheus sees no increase in a series that
/// begins with its first event, and that one is what an alert waits for.
fn announce(metrics: &Metrics, flow: &Flow) {
    let labels = flow.labels();
    let named = labels.categories.iter().map(String::as_str);
    for category in named.chain([UNCLASSIFIED]) {
        for level in [Level::Warn, Level::Error, Level::Fatal] {
            metrics.events(category, level.as_str(), 0);
            metrics.new_templates(category, level.as_str(), 0);
        }
    }
}

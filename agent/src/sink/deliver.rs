//! The engine: one thread per sink that takes events from the store, makes requests of them, sends each until it is
//! settled, and only then acknowledges. What is not acknowledged comes again, in this run or in the next one.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::compress::Compressor;
use super::dead::DeadLetters;
use super::drain::Drain;
use super::mask::Mask;
use super::sample::{Sampler, Summary};
use super::select::Select;
use super::state::State;
use super::transport::{Body, CUT, Outcome, Prepared, Transport};
use crate::client::Backoff;
use crate::config::sinks::{Batch, Retry};
use crate::flow::{Batch as FlowBatch, Labelled};
use crate::store::{Delivered, Feed, Next, Portion};

/// How often a sink with nothing to do looks whether it should end.
const IDLE: Duration = Duration::from_millis(500);
/// While the agent is stopping, attempts are no further apart than this.
const HURRY: Duration = Duration::from_millis(500);
/// After so many bodies that were taken one of twice the size is tried, where they were made smaller than configured.
const TRY_LARGER: u32 = 100;
/// Receivers that find a body too large may close without a word while it is still being sent. A body of at least so many
/// bytes that was cut off so often in a row is taken for one.
const CUT_BYTES: usize = 64 * 1024;
const CUT_TIMES: u32 = 4;
/// Less time than this is not given to an attempt.
const SHORTEST: Duration = Duration::from_millis(10);
/// While a sink waits for its next attempt, its numbers are brought up to date so often.
const TICK: Duration = Duration::from_secs(1);

/// The parts of one sink.
pub(super) struct Engine {
    pub(super) feed: Feed,
    pub(super) body: Box<dyn Body>,
    pub(super) transport: Box<dyn Transport>,
    pub(super) batch: Batch,
    pub(super) retry: Retry,
    pub(super) select: Select,
    pub(super) sampler: Option<Sampler>,
    pub(super) mask: Mask,
    pub(super) compressor: Compressor,
    pub(super) backoff: Backoff,
    pub(super) dead: Option<DeadLetters>,
    pub(super) state: State,
    pub(super) drain: Drain,
    pub(super) limit: Limit,
    pub(super) load: Load,
}

/// Bytes of a body at which it is sent: as configured, and less once the other side found that too large.
pub(super) struct Limit {
    bytes: usize,
    most: usize,
    /// Bodies taken since it was changed.
    taken: u32,
}

impl Limit {
    /// As configured.
    pub(super) fn new(most: usize) -> Self {
        Self {
            bytes: most,
            most,
            taken: 0,
        }
    }

    /// A body of so many bytes was too large.
    fn lower(&mut self, bytes: usize) {
        self.bytes = (bytes / 2).clamp(1, self.bytes);
        self.taken = 0;
    }

    /// A body was taken. From time to time a larger one is tried: the other side may have been changed.
    fn taken(&mut self) {
        self.taken += 1;
        if self.taken >= TRY_LARGER {
            self.bytes = self.bytes.saturating_mul(2).min(self.most);
            self.taken = 0;
        }
    }
}

/// Events that are on their way, and what else is settled with them.
#[derive(Default)]
pub(super) struct Load {
    /// What the items speak of.
    portions: Vec<Arc<Portion>>,
    summaries: Vec<Summary>,
    items: Vec<Item>,
    /// Every event before this is settled once the load is; 0: none.
    upto: u64,
    filtered: u64,
    sampled: u64,
    began: Option<Instant>,
}

#[derive(Clone, Copy)]
enum Item {
    /// An event of a portion: which portion, which event.
    Event(u32, u32),
    /// A summary.
    Summary(u32),
}

/// Why the engine stops.
enum Stop {
    /// The time to drain is over; what is left comes in the next run.
    Over,
    /// The output has ended for good.
    Ended(io::Error),
}

/// What became of a request that is settled.
#[derive(Default)]
struct Settled {
    delivered: u64,
    bytes: u64,
    rejected: Vec<(&'static str, u64)>,
}

impl Settled {
    fn reject(&mut self, reason: &'static str, events: u64) {
        if events > 0 {
            self.rejected.push((reason, events));
        }
    }
}

impl Engine {
    /// Works until there is nothing more to come, the time to drain is over, or the output has ended.
    ///
    /// # Errors
    /// Why the output has ended.
    pub(super) fn run(mut self) -> io::Result<()> {
        match self.work() {
            Ok(()) | Err(Stop::Over) => Ok(()),
            Err(Stop::Ended(error)) => {
                self.state.ended(&error);
                Err(error)
            }
        }
    }

    fn work(&mut self) -> Result<(), Stop> {
        loop {
            match self.feed.next(self.patience()) {
                Next::Portion(portion, skip) => self.take(&portion, skip)?,
                Next::Idle => {}
                Next::Expired { events, reason } => {
                    // What was taken before the gap is settled before it, so that the counts of both stay apart.
                    self.settle()?;
                    self.state.expired(events, reason);
                }
                Next::Ended => {
                    self.summarise(true);
                    return self.settle();
                }
            }
            self.summarise(false);
            if self.is_due() {
                self.settle()?;
            }
            self.state.pending(self.feed.pending(), self.load.began);
            if self.drain.is_over() {
                return Err(Stop::Over);
            }
        }
    }

    /// How long to wait for more events: until the load has to go.
    fn patience(&self) -> Duration {
        let wait = match self.load.began {
            Some(began) => self.batch.max_wait.saturating_sub(began.elapsed()),
            None => IDLE,
        };
        wait.min(IDLE)
    }

    fn is_due(&self) -> bool {
        let waited = self
            .load
            .began
            .is_some_and(|began| began.elapsed() >= self.batch.max_wait);
        waited || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.load.items.len() >= self.batch.max_events || self.body.bytes() >= self.limit.bytes
    }

    fn take(&mut self, portion: &Arc<Portion>, skip: usize) -> Result<(), Stop> {
        let batch = &portion.batch;
        self.select.begin(batch);
        if let Some(sampler) = &mut self.sampler {
            sampler.begin();
        }
        for (index, event) in batch.events.iter().enumerate().skip(skip) {
            self.load.began.get_or_insert_with(Instant::now);
            if !self.select.wants(batch, event) {
                self.load.filtered += 1;
            } else {
                let (summary, wanted) = match &mut self.sampler {
                    Some(sampler) => sampler.wants(batch, event),
                    None => (None, true),
                };
                if let Some(summary) = summary {
                    self.add_summary(summary);
                }
                if wanted {
                    let known = self
                        .load
                        .portions
                        .last()
                        .is_some_and(|known| Arc::ptr_eq(known, portion));
                    if !known {
                        self.load.portions.push(Arc::clone(portion));
                    }
                    let portion = number(self.load.portions.len() - 1);
                    self.load.items.push(Item::Event(portion, number(index)));
                    self.body.add(&self.mask.apply(batch, event));
                } else {
                    self.load.sampled += 1;
                }
            }
            self.load.upto = portion.first + index as u64 + 1;
            if self.is_full() {
                self.settle()?;
            }
        }
        Ok(())
    }

    fn summarise(&mut self, all: bool) {
        let due = match &mut self.sampler {
            Some(sampler) => sampler.due(all),
            None => return,
        };
        for summary in due {
            self.add_summary(summary);
        }
    }

    fn add_summary(&mut self, summary: Summary) {
        self.load.began.get_or_insert_with(Instant::now);
        let template = summary
            .template()
            .map(|template| self.mask.template(template));
        self.body.add(&summary.outgoing(template.as_deref()));
        self.load
            .items
            .push(Item::Summary(number(self.load.summaries.len())));
        self.load.summaries.push(summary);
    }

    /// Sends what is on its way, and acknowledges it.
    fn settle(&mut self) -> Result<(), Stop> {
        let mut settled = Settled::default();
        if !self.load.items.is_empty() {
            let mut plain = Vec::new();
            std::mem::swap(&mut plain, &mut self.state.body);
            plain.clear();
            self.body.finish(&mut plain);
            let all = 0..self.load.items.len();
            let sent = self.send(&plain, all, &mut settled);
            self.state.body = plain;
            sent?;
        }
        let mut load = std::mem::take(&mut self.load);
        self.state.settled(
            settled.delivered,
            settled.bytes,
            load.filtered,
            load.sampled,
            load.summaries.len() as u64,
        );
        let state = &self.state;
        self.mask
            .drain_counts(|detector, times| state.redacted(detector, times));
        if load.upto > 0 {
            self.feed.acknowledge(
                load.upto,
                &Delivered {
                    events: settled.delivered,
                    bytes: settled.bytes,
                    filtered: load.filtered,
                    sampled: load.sampled,
                    rejected: settled.rejected,
                },
            );
        }
        // The memory of the list is used again.
        load.items.clear();
        self.load.items = load.items;
        self.state.pending(self.feed.pending(), None);
        Ok(())
    }

    /// Sends the items of `range`, of which `plain` is the body, until they are settled; in halves where they are too large.
    fn send(
        &mut self,
        plain: &[u8],
        range: Range<usize>,
        settled: &mut Settled,
    ) -> Result<(), Stop> {
        let events = self.load.items[range.clone()]
            .iter()
            .filter(|item| matches!(item, Item::Event(..)))
            .count() as u64;
        let (outcome, bytes) = self.attempt(plain, &range)?;
        match outcome {
            Outcome::Partial {
                rejected,
                reason,
                why,
            } => {
                let rejected = rejected.min(events);
                self.state.rejected(reason, rejected, &why);
                settled.reject(reason, rejected);
                settled.delivered += events - rejected;
                settled.bytes += bytes;
            }
            Outcome::Rejected { reason, why } => {
                self.state.rejected(reason, events, &why);
                self.bury(&range, reason, &why);
                settled.reject(reason, events);
            }
            Outcome::TooLarge { why } if range.len() == 1 => {
                self.state.rejected("too_large", events, &why);
                self.bury(&range, "too_large", &why);
                settled.reject("too_large", events);
            }
            Outcome::TooLarge { why } => {
                self.limit.lower(plain.len());
                self.state.too_large(plain.len(), self.limit.bytes, &why);
                let middle = range.start + range.len() / 2;
                for half in [range.start..middle, middle..range.end] {
                    let plain = self.encode(half.clone());
                    self.send(&plain, half, settled)?;
                }
            }
            Outcome::Done | Outcome::Retry { .. } | Outcome::Ended(_) => {
                self.limit.taken();
                settled.delivered += events;
                settled.bytes += bytes;
            }
        }
        Ok(())
    }

    /// Sends one body until there is an outcome that settles it; gives it with the number of bytes that were sent.
    fn attempt(&mut self, plain: &[u8], range: &Range<usize>) -> Result<(Outcome, u64), Stop> {
        let (first, last) = self.load.numbers(range);
        let began = Instant::now();
        let mut cuts = 0;
        let compression = self.compressor.how();
        let body = self.compressor.compress(plain).map_err(Stop::Ended)?;
        loop {
            let request = Prepared {
                body,
                compression,
                plain_bytes: plain.len(),
                events: range.len(),
                first,
                last,
                patience: self.drain.left().unwrap_or(Duration::MAX).max(SHORTEST),
            };
            let outcome = self.transport.send(&request);
            self.state.outcome(&outcome);
            let (reason, after, slow, why) = match outcome {
                Outcome::Retry {
                    reason,
                    after,
                    slow,
                    why,
                } => (reason, after, slow, why),
                Outcome::Ended(error) => return Err(Stop::Ended(error)),
                settled => {
                    self.backoff.reset();
                    return Ok((settled, body.len() as u64));
                }
            };
            if self.drain.is_over() {
                return Err(Stop::Over);
            }
            let longest = self.retry.max_elapsed;
            if longest.is_some_and(|longest| began.elapsed() >= longest) {
                self.backoff.reset();
                let why = format!("given up after {:?}: {why}", began.elapsed());
                let reason = "given_up";
                return Ok((Outcome::Rejected { reason, why }, 0));
            }
            cuts = if reason == CUT { cuts + 1 } else { 0 };
            if cuts >= CUT_TIMES && plain.len() >= CUT_BYTES && range.len() > 1 {
                return Ok((Outcome::TooLarge { why }, 0));
            }
            // Where the input has ended, nobody waits for a receiver for ever.
            if self.feed.is_complete() {
                self.drain.begin();
            }
            let wait = self.backoff.next(slow, after);
            self.state.retry(reason, wait, &why);
            let until = Instant::now() + wait;
            while Instant::now() < until && !self.drain.is_over() {
                let left = until.saturating_duration_since(Instant::now());
                let stopping = self.drain.left().is_some();
                if stopping && after.is_none() {
                    self.drain.sleep(left.min(HURRY));
                    break;
                }
                self.drain.sleep(left.min(TICK));
                self.state.pending(self.feed.pending(), self.load.began);
                if self.feed.is_complete() {
                    self.drain.begin();
                }
            }
            self.state.waited();
        }
    }

    /// The body of the items of `range`, made anew.
    fn encode(&mut self, range: Range<usize>) -> Vec<u8> {
        for item in &self.load.items[range] {
            match *item {
                Item::Event(portion, index) => {
                    if let Some((batch, event)) = self.load.event(portion, index) {
                        self.body.add(&self.mask.again(batch, event));
                    }
                }
                Item::Summary(index) => {
                    if let Some(summary) = self.load.summaries.get(index as usize) {
                        let template = summary.template().map(|text| self.mask.template(text));
                        self.body.add(&summary.outgoing(template.as_deref()));
                    }
                }
            }
        }
        let mut plain = Vec::new();
        self.body.finish(&mut plain);
        plain
    }

    /// Keeps what was refused where the user wants it.
    fn bury(&mut self, range: &Range<usize>, reason: &str, why: &str) {
        let Some(dead) = &mut self.dead else {
            return;
        };
        for item in &self.load.items[range.clone()] {
            if let Item::Event(portion, index) = *item
                && let Some((batch, event)) = self.load.event(portion, index)
            {
                dead.add(&self.mask.again(batch, event), reason, why);
            }
        }
        if let Err(error) = dead.write() {
            self.state.not_buried(&error);
        }
    }
}

impl Load {
    fn event(&self, portion: u32, index: u32) -> Option<(&FlowBatch, &Labelled)> {
        let batch = &self.portions.get(portion as usize)?.batch;
        Some((batch, batch.events.get(index as usize)?))
    }

    /// Sequence numbers of the first and the last event of `range`; where it holds summaries alone, of the event before.
    fn numbers(&self, range: &Range<usize>) -> (u64, u64) {
        let mut numbers = self.items[range.clone()]
            .iter()
            .filter_map(|item| match *item {
                Item::Event(portion, index) => {
                    let portion = self.portions.get(portion as usize)?;
                    Some(portion.first + u64::from(index))
                }
                Item::Summary(_) => None,
            });
        let first = numbers.next().unwrap_or(self.upto.saturating_sub(1));
        (first, numbers.next_back().unwrap_or(first))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

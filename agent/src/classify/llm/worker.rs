//! The thread that asks: it waits for templates, for the budget and for the endpoint, and tells what came of each template.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logline::redact::Redactor;

use super::Deliver;
use super::agree::confidence;
use super::endpoint::{Asking, Endpoint, Trouble, lock};
use super::prompt::{Frame, Occasion};
use super::question::{Answer, Clean};
use super::queue::{Queue, Waiting};
use super::reply::{self, Said, Understood};
use super::sent::Purpose;

/// A template with which so many requests have failed is given up: it is the reason, or as good as.
const ATTEMPTS: u32 = 10;
/// The longest sleep, so that a clock that jumps holds nothing up.
const NAP: Duration = Duration::from_secs(30);

/// What the thread and the handles share.
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) woken: Condvar,
    pub(super) stopped: AtomicBool,
    pub(super) endpoint: Endpoint,
    pub(super) frame: Mutex<Arc<Frame>>,
    pub(super) redactor: Redactor,
}

impl Shared {
    /// What is asked by now.
    pub(super) fn frame(&self) -> Arc<Frame> {
        Arc::clone(&lock(&self.frame))
    }

    /// Brings the numbers of the queue up to date.
    pub(super) fn count(&self, queue: &Queue) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let metrics = &self.endpoint.metrics;
        metrics.waiting.set(number(queue.len() as u64));
        metrics.waiting_lines.set(number(queue.lines()));
    }

    fn came_to(&self, end: &str, templates: u64) {
        let metrics = &self.endpoint.metrics.templates;
        metrics.with_label_values(&[end]).inc_by(templates);
    }
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    deliver: Deliver,
    /// At most so many templates go together now: fewer after time-outs.
    most: usize,
    /// Nothing is asked before.
    rest: Option<Instant>,
}

/// Nobody wants answers any more.
struct Deaf;

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, deliver: Deliver) -> Self {
        let most = shared.endpoint.settings.max_templates;
        Self {
            shared,
            deliver,
            most,
            rest: None,
        }
    }

    /// Asks until it is told to stop, or nobody wants answers any more.
    pub(super) fn run(mut self) {
        while let Some(batch) = self.next() {
            if self.judge(batch).is_err() {
                return;
            }
        }
    }

    /// The next templates to ask about, as soon as there are some and may be asked; none at the stop.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let shared = Arc::clone(&self.shared);
        let settings = &shared.endpoint.settings;
        let mut queue = lock(&shared.queue);
        loop {
            if shared.stopped.load(Ordering::Acquire) {
                return None;
            }
            shared.count(&queue);
            let nap = match queue.oldest() {
                None => NAP,
                Some(oldest) => {
                    let ripe = queue.len() >= self.most || oldest.elapsed() >= settings.linger;
                    let frame = shared.frame();
                    let wanted = frame.tokens() + settings.max_request_tokens;
                    let answered = frame.reply_tokens(self.most);
                    let rest = self.rest.map_or(Duration::ZERO, |until| {
                        until.saturating_duration_since(Instant::now())
                    });
                    match shared.endpoint.readiness(wanted, answered) {
                        Ok(_) if !rest.is_zero() => rest,
                        Ok(open) if ripe => {
                            // One template is enough to see whether it works again.
                            let most = if open { 1 } else { self.most };
                            let batch = queue.take(most, settings.max_request_tokens);
                            shared.count(&queue);
                            return Some(batch);
                        }
                        Ok(_) => settings.linger.saturating_sub(oldest.elapsed()),
                        Err(Trouble::Spent(spent)) => {
                            shared.endpoint.tell_spent(spent);
                            Duration::from_secs(spent.seconds)
                        }
                        Err(Trouble::Resting(wait)) => wait,
                        Err(_) => NAP,
                    }
                }
            };
            let nap = nap.clamp(Duration::from_millis(1), NAP);
            queue = shared
                .woken
                .wait_timeout(queue, nap)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Asks about a batch, again about what came back unusable, and a second time where that is wanted.
    fn judge(&mut self, batch: Vec<Waiting>) -> Result<(), Deaf> {
        let shared = Arc::clone(&self.shared);
        // One taxonomy for all of it, whatever is reloaded meanwhile.
        let frame = shared.frame();
        let all: Vec<&Clean> = batch.iter().map(|waiting| &waiting.clean).collect();
        let first = match self.ask(&frame, &all, Occasion::First) {
            Ok(understood) => understood,
            Err(Trouble::Refused(why)) => return self.refused(&frame, batch, &why),
            Err(trouble) => return self.failed(&frame, batch, &trouble),
        };
        self.most = (self.most * 2).min(shared.endpoint.settings.max_templates);
        let mut said = first.said;
        let open: Vec<usize> = (0..said.len()).filter(|at| said[*at].is_none()).collect();
        let mut fault = first.faults.first().copied().unwrap_or("missing");
        let mut unasked = None;
        if !open.is_empty() {
            let again: Vec<&Clean> = open.iter().filter_map(|at| all.get(*at).copied()).collect();
            match self.ask(&frame, &again, Occasion::Repair(fault)) {
                Ok(second) => {
                    fault = second.faults.first().copied().unwrap_or(fault);
                    for (at, repaired) in open.iter().zip(second.said) {
                        said[*at] = repaired;
                    }
                    if said.iter().all(Option::is_none) {
                        shared.endpoint.talks_nonsense(fault);
                    }
                }
                Err(Trouble::Refused(_)) => {}
                Err(trouble) => unasked = Some(trouble),
            }
        }
        if said.iter().any(Option::is_some) {
            shared.endpoint.makes_sense();
        }
        let votes = self.votes(&frame, &all, &said);
        let mut back = Vec::new();
        for ((waiting, said), vote) in batch.into_iter().zip(said).zip(votes) {
            match said {
                Some(said) => self.answer(&frame, &waiting.clean, said, vote.as_ref())?,
                None if unasked.is_some() => back.push(waiting),
                None => {
                    let reason = format!("the model's reply could not be used ({fault})");
                    self.give_up(&frame, &waiting.clean, "unusable", reason)?;
                }
            }
        }
        match unasked {
            Some(trouble) => self.failed(&frame, back, &trouble),
            None => Ok(()),
        }
    }

    fn ask(
        &self,
        frame: &Frame,
        asked: &[&Clean],
        occasion: Occasion,
    ) -> Result<Understood, Trouble> {
        let shared = &self.shared;
        let prompt = frame.prompt(asked, occasion);
        let ids: Vec<_> = asked.iter().map(|clean| clean.id).collect();
        let completion = shared.endpoint.complete(
            &Asking {
                purpose: match occasion {
                    Occasion::First => Purpose::Classify,
                    Occasion::Repair(_) => Purpose::Repair,
                    Occasion::Vote => Purpose::Vote,
                },
                system: &prompt.system,
                user: &prompt.user,
                schema: Some(&prompt.schema),
                reply_tokens: prompt.reply_tokens,
                temperature: 0.0,
                templates: &ids,
            },
            None,
        )?;
        let understood = reply::understand(
            &completion.content,
            completion.whole,
            asked.len(),
            &|category| frame.allows(category),
        );
        let faults = &shared.endpoint.metrics.faults;
        for fault in &understood.faults {
            faults.with_label_values(&[*fault]).inc();
        }
        Ok(understood)
    }

    /// The second opinions, where they are wanted: none for those that have no first one, or where it cannot be had.
    fn votes(&self, frame: &Frame, all: &[&Clean], said: &[Option<Said>]) -> Vec<Option<Said>> {
        let mut votes = vec![None; all.len()];
        if !self.shared.endpoint.settings.second_vote {
            return votes;
        }
        let named = |at: &usize| {
            let first = said.get(*at).and_then(Option::as_ref);
            first.is_some_and(|said| said.category.is_some())
        };
        // Backwards: a model that goes by the place of a template betrays itself.
        let places: Vec<usize> = (0..all.len()).rev().filter(named).collect();
        let asked: Vec<&Clean> = places
            .iter()
            .filter_map(|at| all.get(*at).copied())
            .collect();
        if asked.is_empty() {
            return votes;
        }
        if let Ok(understood) = self.ask(frame, &asked, Occasion::Vote) {
            for (at, vote) in places.into_iter().zip(understood.said) {
                votes[at] = vote;
            }
        }
        votes
    }

    fn answer(
        &self,
        frame: &Frame,
        clean: &Clean,
        said: Said,
        vote: Option<&Said>,
    ) -> Result<(), Deaf> {
        let Some(category) = said.category else {
            return self.give_up(
                frame,
                clean,
                "abstained",
                format!("the model abstains: {}", said.why),
            );
        };
        let second = vote.and_then(|vote| vote.category.as_deref());
        if vote.is_some() && second != Some(category.as_str()) {
            let other = second.unwrap_or(reply::ABSTAINED);
            let reason = format!("the model says {category} once and {other} once");
            return self.give_up(frame, clean, "disagreed", reason);
        }
        let categories = frame.taxonomy.categories.len();
        let confidence = confidence(&category, &clean.ranking, categories, second);
        #[allow(clippy::cast_precision_loss)] // At most a million.
        let least = self.shared.endpoint.settings.min_confidence.0 as f32 / 1e6;
        if confidence < least {
            let reason = format!(
                "the model says {category}, but confidence {confidence:.2} is below {least:.2}"
            );
            return self.give_up(frame, clean, "unsure", reason);
        }
        self.shared.came_to("judged", 1);
        self.tell(Answer {
            id: clean.id,
            category: Some(category),
            confidence,
            reason: said.why,
            model: self.shared.endpoint.model_name(),
            taxonomy: frame.taxonomy.version.clone(),
            asked: clean.asked.clone(),
        })
    }

    fn give_up(&self, frame: &Frame, clean: &Clean, end: &str, reason: String) -> Result<(), Deaf> {
        self.shared.came_to(end, 1);
        self.tell(Answer {
            id: clean.id,
            category: None,
            confidence: 0.0,
            reason,
            model: self.shared.endpoint.model_name(),
            taxonomy: frame.taxonomy.version.clone(),
            asked: clean.asked.clone(),
        })
    }

    fn tell(&self, answer: Answer) -> Result<(), Deaf> {
        let id = answer.id;
        // The stage remembers it before the template may be asked about again.
        let told = (self.deliver)(answer).then_some(()).ok_or(Deaf);
        lock(&self.shared.queue).settled(id);
        told
    }

    /// The endpoint does not take the batch: its halves may be to its liking.
    fn refused(&mut self, frame: &Frame, mut batch: Vec<Waiting>, why: &str) -> Result<(), Deaf> {
        if batch.len() < 2 {
            for waiting in &batch {
                let reason = format!("the endpoint refuses the request: {why}");
                self.give_up(frame, &waiting.clean, "refused", reason)?;
            }
            return Ok(());
        }
        let second = batch.split_off(batch.len() / 2);
        self.judge(batch)?;
        self.judge(second)
    }

    /// The templates wait again; those with which it has failed too often are given up.
    fn failed(
        &mut self,
        frame: &Frame,
        batch: Vec<Waiting>,
        trouble: &Trouble,
    ) -> Result<(), Deaf> {
        let (reason, reached) = match trouble {
            Trouble::Failed { reason, .. } => {
                // Nothing was sent where there is no connection: the template is not to blame.
                (
                    *reason,
                    !matches!(
                        *reason,
                        "connect"
                            | "name"
                            | "tls"
                            | "proxy"
                            | "http_429"
                            | "http_401"
                            | "http_404"
                            | "model"
                    ),
                )
            }
            // Nothing was sent. What is ready by the estimates of all may still be too much for one.
            Trouble::Spent(spent) => {
                self.rest = Some(Instant::now() + Duration::from_secs(spent.seconds).min(NAP));
                ("", false)
            }
            Trouble::Resting(wait) => {
                self.rest = Some(Instant::now() + (*wait).min(NAP));
                ("", false)
            }
            Trouble::Refused(_) => ("", false),
        };
        if reason == "timeout" {
            self.most = (batch.len() / 2).max(1);
        }
        for mut waiting in batch {
            if reached {
                waiting.failures += 1;
            }
            if waiting.failures >= ATTEMPTS {
                let reason = format!("the endpoint has failed {ATTEMPTS} times with it ({reason})");
                self.give_up(frame, &waiting.clean, "given_up", reason)?;
            } else {
                lock(&self.shared.queue).put_back(waiting);
            }
        }
        Ok(())
    }
}

//! The language model: asked about the few templates that nothing else could judge, once each, within a budget, and with
//! nothing in the question that should not leave the host.
//!
//! Enters: [`Question`]s. Leaves: one [`Answer`] for each, some time later. Nothing here holds up whoever asks. Beside that,
//! [`Llm::chat`] gives other rooms free words, through the same budget, circuit and log.
//!
//! | file | what |
//! |---|---|
//! | [`question`] | what is asked and answered; the cleaning of what is sent |
//! | [`queue`] | who is asked about next, and what goes together |
//! | [`prompt`], [`reply`] | the question in words, and what of the reply can be used |
//! | [`agree`] | how sure an answer is |
//! | [`worker`] | the thread that asks |
//! | [`endpoint`], [`dialect`], [`wire`] | requests, in the words that the endpoint understands |
//! | [`budget`], [`breaker`], [`sent`] | what may be spent, when it is left alone, what was sent |

mod agree;
mod breaker;
mod budget;
mod dialect;
mod endpoint;
mod prompt;
mod question;
mod queue;
mod reply;
mod sent;
#[cfg(test)]
mod tests;
mod wire;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use logline::redact::{Detectors, RedactError, RedactOptions, Redactor};
use logline::template::TemplateId;

pub use question::{Answer, Category, Question, Taxonomy};
pub use sent::{Purpose, Sent};

use budget::Budget;
use endpoint::{Asking, COMPONENT, Endpoint, Trouble, lock};
use prompt::Frame;
use question::{Clean, redact};
use queue::Queue;
use worker::{Shared, Worker};

use crate::config::llm;
use crate::shutdown::Shutdown;
use crate::telemetry::{Health, Metrics};

/// How the language model is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which one, and how it is asked.
    pub settings: llm::Settings,
    /// File in which is kept what was spent; none: a restart begins anew.
    pub spent: Option<PathBuf>,
}

/// Why the room cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A certificate or proxy cannot be used.
    #[error("llm: {0}")]
    Client(String),
    /// The detectors of secrets cannot be built, which is a bug.
    #[error("llm: {0}")]
    Redact(#[from] RedactError),
    /// There is no room for one more thread.
    #[error("llm: the thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// The language model, for whoever asks; cheap to clone.
#[derive(Clone)]
pub struct Llm {
    shared: Arc<Shared>,
}

/// A request for free words.
#[derive(Clone, Debug)]
pub struct Chat {
    /// What for.
    pub purpose: Purpose,
    /// What the model is to do.
    pub system: String,
    /// What with.
    pub user: String,
    /// At most so many tokens are wanted.
    pub reply_tokens: u64,
    /// 0: always the same words; up to 2: more and more varied ones.
    pub temperature: f64,
}

/// Why there are no words.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The budget has no room.
    #[error("llm.budget.{bound} is spent; there is room again in {seconds} s")]
    Spent {
        /// The bound, as in the configuration.
        bound: &'static str,
        /// Seconds until there is room.
        seconds: u64,
    },
    /// The endpoint has failed, and is left alone for so long.
    #[error("the language model has failed and is left alone for {:.1} s", .0.as_secs_f64())]
    Resting(Duration),
    /// It has failed now.
    #[error("the language model fails: {0}")]
    Failed(String),
    /// Its reply was empty.
    #[error("the language model says nothing")]
    Empty,
}

/// Takes an answer; false: nobody wants one any more.
pub type Deliver = Box<dyn Fn(Answer) -> bool + Send>;

/// Starts the thread that asks. `taxonomy` is what may be answered; `deliver` gets one answer for each question, in
/// whatever order. The thread ends at `shutdown` or when nobody wants answers any more; a request that is on its way then
/// is not waited for.
///
/// # Errors
/// A [`SetupError`].
pub fn spawn(
    options: Options,
    taxonomy: Taxonomy,
    deliver: Deliver,
    metrics: &Metrics,
    health: Arc<Health>,
    shutdown: &Shutdown,
) -> Result<Llm, SetupError> {
    let llm = Llm::new(options, taxonomy, metrics, health)?;
    let worker = Worker::new(Arc::clone(&llm.shared), deliver);
    std::thread::Builder::new()
        .name("llm".to_owned())
        .spawn(move || worker.run())?;
    let shared = Arc::clone(&llm.shared);
    shutdown.on_trigger(move || {
        // Set under the lock, so that the thread cannot look first and sleep after the wake-up.
        let queue = lock(&shared.queue);
        shared.stopped.store(true, Ordering::Release);
        drop(queue);
        shared.woken.notify_all();
    });
    Ok(llm)
}

/// Says in the health that no language model is asked, and why.
pub fn off(health: &Health, why: &str) {
    health.fine(COMPONENT, why);
}

impl Llm {
    /// A language model that only [`chat`](Self::chat)s, for commands that end soon; see [`spawn`] for one that judges.
    ///
    /// # Errors
    /// A [`SetupError`].
    pub fn new(
        options: Options,
        taxonomy: Taxonomy,
        metrics: &Metrics,
        health: Arc<Health>,
    ) -> Result<Self, SetupError> {
        let redactor = Redactor::new(&RedactOptions {
            detectors: Detectors::ALL,
            own: Vec::new(),
        })?;
        let (shown, _) = redact(&redactor, &options.settings.client.url);
        let budget = Budget::new(options.settings.budget, options.spent);
        let queue = Queue::new(options.settings.max_queue);
        let endpoint = Endpoint::new(options.settings, budget, &shown, metrics.llm(), health)
            .map_err(SetupError::Client)?;
        Ok(Self {
            shared: Arc::new(Shared {
                queue: Mutex::new(queue),
                woken: Condvar::new(),
                stopped: AtomicBool::new(false),
                frame: Mutex::new(Arc::new(Frame::new(taxonomy))),
                endpoint,
                redactor,
            }),
        })
    }

    /// Asks about a template, some time. Never waits. False, counted, where the queue is full: it may be tried again later.
    /// A template that waits already is not asked about twice.
    #[allow(clippy::needless_pass_by_value)] // The contract: what is asked is given away.
    pub fn ask(&self, question: Question) -> bool {
        let shared = &self.shared;
        let metrics = &shared.endpoint.metrics;
        let refused = || {
            metrics.templates.with_label_values(&["queue_full"]).inc();
            false
        };
        {
            let queue = lock(&shared.queue);
            if queue.has(question.id) {
                return true;
            }
            if queue.is_full() {
                return refused();
            }
        }
        // Outside the lock: it takes its time.
        let mut redacted = 0;
        let clean = Clean::new(question, &shared.redactor, &mut redacted);
        metrics.redacted.inc_by(redacted);
        let mut queue = lock(&shared.queue);
        if queue.has(clean.id) {
            return true;
        }
        if queue.is_full() {
            return refused();
        }
        queue.add(clean, Instant::now());
        shared.count(&queue);
        let wakes = queue.len() == 1 || queue.len() >= shared.endpoint.settings.max_templates;
        drop(queue);
        if wakes {
            shared.woken.notify_all();
        }
        true
    }

    /// So many more lines wait behind these templates: who has more goes first. Others than those that wait do not count.
    pub fn waits(&self, lines: impl IntoIterator<Item = (TemplateId, u64)>) {
        let mut queue = lock(&self.shared.queue);
        for (id, lines) in lines {
            queue.waits(id, lines);
        }
    }

    /// Whether any template waits. Takes no lock: it is asked for every batch of lines.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.shared.endpoint.metrics.waiting.get() > 0
    }

    /// What may be answered from now on.
    pub fn set_taxonomy(&self, taxonomy: Taxonomy) {
        *lock(&self.shared.frame) = Arc::new(Frame::new(taxonomy));
    }

    /// What tells the taxonomy in use from every other one.
    #[must_use]
    pub fn taxonomy(&self) -> String {
        self.shared.frame().taxonomy.version.clone()
    }

    /// How many templates wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.shared.queue).len()
    }

    /// The last `n` requests, the newest first, exactly as they were sent.
    #[must_use]
    pub fn log(&self, n: usize) -> Vec<Sent> {
        self.shared.endpoint.log.last(n)
    }

    /// The model that is asked; empty where that is not known yet.
    #[must_use]
    pub fn model(&self) -> String {
        self.shared.endpoint.model_name()
    }

    /// Asks for free words and waits for them. Secrets are masked in all of `chat`. With `on_piece` the words are also given
    /// as they come.
    ///
    /// # Errors
    /// A [`ChatError`]; pieces that were given before it are void.
    pub fn chat(
        &self,
        chat: &Chat,
        on_piece: Option<&mut dyn FnMut(&str)>,
    ) -> Result<String, ChatError> {
        let shared = &self.shared;
        let (system, in_system) = redact(&shared.redactor, &chat.system);
        let (user, in_user) = redact(&shared.redactor, &chat.user);
        let redacted = u64::from(in_system) + u64::from(in_user);
        shared.endpoint.metrics.redacted.inc_by(redacted);
        let completion = shared.endpoint.complete(
            &Asking {
                purpose: chat.purpose,
                system: &system,
                user: &user,
                schema: None,
                reply_tokens: chat.reply_tokens,
                temperature: chat.temperature,
                templates: &[],
            },
            on_piece,
        );
        match completion {
            Ok(completion) if completion.content.trim().is_empty() => Err(ChatError::Empty),
            Ok(completion) => Ok(completion.content),
            Err(Trouble::Spent(spent)) => Err(ChatError::Spent {
                bound: spent.bound,
                seconds: spent.seconds,
            }),
            Err(Trouble::Resting(wait)) => Err(ChatError::Resting(wait)),
            Err(Trouble::Failed { why, .. } | Trouble::Refused(why)) => Err(ChatError::Failed(why)),
        }
    }
}

impl std::fmt::Debug for Llm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Llm").finish_non_exhaustive()
    }
}

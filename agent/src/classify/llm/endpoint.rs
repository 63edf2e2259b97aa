//! One endpoint: every request goes through here, whoever makes it, so that budget, circuit, log and metrics hold for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use logline::template::TemplateId;
use serde_json::Value;

use super::breaker::{Admission, Breaker, Severity};
use super::budget::{Budget, Spent};
use super::dialect::{Dialect, Speech};
use super::question::{cut, tokens};
use super::sent::{Purpose, REPLY_CHARS, Sent, SentLog};
use super::wire::{self, Completion};
use crate::client::{Answer, Client, Failure, Sending};
use crate::config::llm::Settings;
use crate::config::sinks::Compression;
use crate::telemetry::{Health, LlmMetrics};

/// The part of the health that speaks of the language model.
pub(super) const COMPONENT: &str = "llm";
/// At most so much of an answer is read, in bytes.
const ANSWER_BYTES: u64 = 1 << 20;
/// A request is sent so often in other dialects.
const DIALECTS: usize = 6;
/// Idle connections that are kept.
const CLIENTS: usize = 2;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub(super) purpose: Purpose,
    pub(super) system: &'a str,
    pub(super) user: &'a str,
    /// The form of the answer; none: free words.
    pub(super) schema: Option<&'a Value>,
    pub(super) reply_tokens: u64,
    pub(super) temperature: f64,
    pub(super) templates: &'a [TemplateId],
}

/// Why there is no reply.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// The budget has no room; nothing was sent.
    Spent(Spent),
    /// The endpoint is left alone for so long; nothing was sent.
    Resting(Duration),
    /// It did not answer, or not so that it could be understood; the same may go well later.
    Failed {
        /// A word for metrics.
        reason: &'static str,
        /// What happened.
        why: String,
    },
    /// It will not take this request, ever.
    Refused(String),
}

/// Receives a reply piece by piece.
pub(super) type OnPiece<'a> = &'a mut dyn FnMut(&str);

pub(super) struct Endpoint {
    pub(super) settings: Settings,
    pub(super) metrics: LlmMetrics,
    pub(super) log: SentLog,
    health: Arc<Health>,
    /// What it is and where, for people.
    shown: String,
    clients: Mutex<Vec<Client>>,
    dialect: Mutex<Dialect>,
    model: Mutex<Option<String>>,
    budget: Mutex<Budget>,
    breaker: Mutex<Breaker>,
}

impl Endpoint {
    /// An endpoint that was not asked yet. `shown` is its address without secrets.
    ///
    /// # Errors
    /// In words, where a certificate or proxy cannot be used.
    pub(super) fn new(
        settings: Settings,
        budget: Budget,
        shown: &str,
        metrics: LlmMetrics,
        health: Arc<Health>,
    ) -> Result<Self, String> {
        let endpoint = Self {
            shown: format!(
                "{} {} at {shown}",
                settings.name,
                settings.model.as_deref().unwrap_or("(its only model)")
            ),
            log: SentLog::new(settings.keep_sent),
            dialect: Mutex::new(Dialect::new(settings.format)),
            model: Mutex::new(settings.model.clone()),
            budget: Mutex::new(budget),
            breaker: Mutex::new(Breaker::new()),
            clients: Mutex::default(),
            settings,
            metrics,
            health,
        };
        // What cannot be used is told now, not at the first request.
        let client = endpoint.client("/chat/completions")?;
        lock(&endpoint.clients).push(client);
        endpoint.fine("nothing was sent yet");
        Ok(endpoint)
    }

    /// The model's name, so far as it is known.
    pub(super) fn model_name(&self) -> String {
        lock(&self.model).clone().unwrap_or_default()
    }

    /// How long a request of about so many tokens has to wait, so far as is known now; whether only single ones are tried.
    pub(super) fn readiness(&self, tokens_in: u64, tokens_out: u64) -> Result<bool, Trouble> {
        let breaker = lock(&self.breaker);
        if let Some(wait) = breaker.wait(Instant::now()) {
            return Err(Trouble::Resting(wait));
        }
        let open = breaker.is_open();
        drop(breaker);
        let tokens_out = lock(&self.dialect).reply_tokens(tokens_out);
        let spent = lock(&self.budget).spent(now_s(), tokens_in, tokens_out);
        self.metrics.spent.set(i64::from(spent.is_some()));
        match spent {
            Some(spent) => Err(Trouble::Spent(spent)),
            None => Ok(open),
        }
    }

    /// Sends a request and waits for the reply. `on_piece` gets it as it comes.
    pub(super) fn complete(
        &self,
        asking: &Asking<'_>,
        mut on_piece: Option<OnPiece<'_>>,
    ) -> Result<Completion, Trouble> {
        for _ in 0..DIALECTS {
            match lock(&self.breaker).admit(Instant::now()) {
                Admission::Go | Admission::Probe => {}
                Admission::Wait(wait) => return Err(Trouble::Resting(wait)),
            }
            let model = self.model()?;
            let dialect = lock(&self.dialect).clone();
            let body = dialect
                .body(&Speech {
                    model: &model,
                    system: asking.system,
                    user: asking.user,
                    schema: asking.schema,
                    reply_tokens: asking.reply_tokens,
                    temperature: asking.temperature,
                    stream: on_piece.is_some(),
                })
                .to_string();
            let wanted_in = tokens(asking.system.len() + asking.user.len());
            let wanted_out = dialect.reply_tokens(asking.reply_tokens);
            let reserved = match lock(&self.budget).reserve(now_s(), wanted_in, wanted_out) {
                Ok(reserved) => reserved,
                Err(spent) => {
                    lock(&self.breaker).withdrawn();
                    self.tell_spent(spent);
                    return Err(Trouble::Spent(spent));
                }
            };
            let began = Instant::now();
            let mut sent = Sent {
                number: 0,
                at_ms: now_ms(),
                purpose: asking.purpose,
                templates: asking.templates.iter().map(ToString::to_string).collect(),
                request: body,
                outcome: "ok",
                reply: String::new(),
                tokens_in: wanted_in,
                tokens_out: 0,
                took_ms: 0,
            };
            let result = self.exchange(sent.request.as_bytes(), &mut on_piece);
            sent.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let end = match result {
                Ok(Exchange::Reply(completion)) => {
                    sent.tokens_in = completion.tokens_in.unwrap_or(wanted_in);
                    sent.tokens_out = completion
                        .tokens_out
                        .unwrap_or_else(|| tokens(completion.content.len()));
                    sent.reply = cut(&completion.content, REPLY_CHARS);
                    lock(&self.dialect).worked();
                    self.works();
                    Some(Ok(completion))
                }
                Ok(Exchange::Refused(answer)) => {
                    let words = String::from_utf8_lossy(&answer.body);
                    sent.reply = answer.told();
                    let closed = asking.schema.is_some();
                    if lock(&self.dialect).refused(&words, closed) {
                        sent.outcome = "dialect";
                        lock(&self.breaker).withdrawn();
                        None
                    } else {
                        sent.outcome = "refused";
                        Some(Err(self.refused(&answer)))
                    }
                }
                Err(fall) => {
                    sent.outcome = fall.reason;
                    sent.reply.clone_from(&fall.why);
                    Some(Err(self.failed(&fall)))
                }
            };
            self.settle(reserved, &sent);
            self.log.add(sent);
            if let Some(end) = end {
                return end;
            }
        }
        lock(&self.breaker).withdrawn();
        Err(Trouble::Refused(
            "it takes the request in no form".to_owned(),
        ))
    }

    /// What a refusal means: of an endpoint that takes other requests that this one is not to its liking, else that nothing
    /// is. (The LiteLLM proxy answers 400 to a key that it does not know.)
    fn refused(&self, answer: &Answer) -> Trouble {
        let mut dialect = lock(&self.dialect);
        if dialect.is_proven() {
            lock(&self.breaker).succeeded();
            return Trouble::Refused(answer.told());
        }
        // What it would not take may have had nothing to do with the form.
        *dialect = Dialect::new(self.settings.format);
        drop(dialect);
        self.failed(&Fall {
            reason: "refused",
            severity: Severity::Passing,
            after: answer.retry_after,
            why: answer.told()
                + "; it has taken no request yet: are key, llm.url and llm.model right?",
        })
    }

    fn settle(&self, reserved: super::budget::Reserved, sent: &Sent) {
        let mut budget = lock(&self.budget);
        // A request without an answer may have cost all that was set aside, but usually only what was sent.
        budget.settle(reserved, sent.tokens_in, sent.tokens_out);
        let cost = budget.price(sent.tokens_in, sent.tokens_out);
        drop(budget);
        let metrics = &self.metrics;
        let labels = [sent.purpose.as_str(), sent.outcome];
        metrics.requests.with_label_values(&labels).inc();
        let count = |direction: &str, tokens| {
            metrics
                .tokens
                .with_label_values(&[direction])
                .inc_by(tokens);
        };
        count("in", sent.tokens_in);
        count("out", sent.tokens_out);
        metrics.cost.inc_by(cost);
    }

    fn exchange(&self, body: &[u8], on_piece: &mut Option<OnPiece<'_>>) -> Result<Exchange, Fall> {
        let known = lock(&self.clients).pop();
        let mut client = match known {
            Some(client) => client,
            None => self.client("/chat/completions").map_err(|why| Fall {
                reason: "request",
                severity: Severity::Lasting,
                after: None,
                why,
            })?,
        };
        let opened = client.open(&Sending {
            body,
            content_type: "application/json",
            compression: Compression::None,
            patience: self.settings.client.timeout,
            answer_bytes: ANSWER_BYTES,
        });
        let read = opened.map_err(Fall::from).and_then(|(answer, body)| {
            let reader = body.into_with_config().limit(ANSWER_BYTES).reader();
            if (200..300).contains(&answer.status) {
                return Ok(Exchange::Reply(wire::read(reader, on_piece)?));
            }
            let answer = answer.with_body(wire::words(reader));
            Fall::of(&answer).map_or(Ok(Exchange::Refused(answer)), Err)
        });
        let mut clients = lock(&self.clients);
        if clients.len() < CLIENTS {
            clients.push(client);
        }
        read
    }

    /// The model's name; the endpoint is asked for it where nobody has said it. A request was admitted.
    fn model(&self) -> Result<String, Trouble> {
        if let Some(model) = lock(&self.model).clone() {
            return Ok(model);
        }
        let lasting = |why: String| Fall {
            reason: "model",
            severity: Severity::Lasting,
            after: None,
            why,
        };
        let asked = self
            .client("/models")
            .map_err(lasting)
            .and_then(|mut client| {
                let patience = self.settings.client.timeout;
                Ok(client.get(patience, ANSWER_BYTES)?)
            })
            .and_then(|answer| {
                if let Some(fall) = Fall::of(&answer) {
                    return Err(fall);
                }
                wire::only_model(&answer.body).map_err(lasting)
            });
        match asked {
            Ok(model) => {
                *lock(&self.model) = Some(model.clone());
                Ok(model)
            }
            Err(fall) => {
                let labels = ["models", fall.reason];
                self.metrics.requests.with_label_values(&labels).inc();
                Err(self.failed(&fall))
            }
        }
    }

    fn client(&self, path: &str) -> Result<Client, String> {
        let mut settings = self.settings.client.clone();
        settings.url.push_str(path);
        Client::new(&settings)
    }

    fn failed(&self, fall: &Fall) -> Trouble {
        let mut breaker = lock(&self.breaker);
        let was_open = breaker.is_open();
        let wait = breaker.failed(Instant::now(), fall.severity, fall.after);
        let open = breaker.is_open();
        drop(breaker);
        if open && !was_open {
            tracing::warn!(
                endpoint = self.shown,
                fall.reason,
                why = fall.why,
                "the language model fails; templates wait, the flow goes on"
            );
        }
        self.metrics.open.set(i64::from(open));
        let wait = wait.as_secs_f64();
        let state = format!("{}; the next attempt is in {wait:.1} s", fall.why);
        if fall.severity == Severity::Throttled {
            self.fine(&state);
        } else {
            self.health
                .broken(COMPONENT, format!("{}: {state}", self.shown));
        }
        Trouble::Failed {
            reason: fall.reason,
            why: fall.why.clone(),
        }
    }

    /// A reply, or its repair, was good for something.
    pub(super) fn makes_sense(&self) {
        lock(&self.breaker).made_sense();
        self.metrics.open.set(0);
    }

    /// A whole reply, and its repair, were good for nothing: the endpoint counts as failing, though it answers.
    pub(super) fn talks_nonsense(&self, fault: &'static str) {
        let mut breaker = lock(&self.breaker);
        let wait = breaker.talked_nonsense(Instant::now()).as_secs_f64();
        let open = breaker.is_open();
        drop(breaker);
        self.metrics.open.set(i64::from(open));
        self.health.broken(
            COMPONENT,
            format!(
                "{}: its replies cannot be used ({fault}); the next attempt is in {wait:.1} s",
                self.shown
            ),
        );
    }

    fn works(&self) {
        let mut breaker = lock(&self.breaker);
        let was_open = breaker.is_open();
        breaker.succeeded();
        let open = breaker.is_open();
        drop(breaker);
        if was_open && !open {
            tracing::info!(endpoint = self.shown, "the language model answers again");
        }
        self.metrics.open.set(i64::from(open));
        self.metrics.spent.set(0);
        self.fine("it answers");
    }

    pub(super) fn tell_spent(&self, spent: Spent) {
        self.metrics.spent.set(1);
        self.fine(&format!(
            "llm.budget.{} is spent; templates wait for {} s",
            spent.bound, spent.seconds
        ));
    }

    fn fine(&self, state: &str) {
        self.health
            .fine(COMPONENT, format!("{}: {state}", self.shown));
    }
}

enum Exchange {
    Reply(Completion),
    Refused(Answer),
}

/// Why a request came to nothing though it may go well another time.
pub(super) struct Fall {
    pub(super) reason: &'static str,
    pub(super) severity: Severity,
    pub(super) after: Option<Duration>,
    pub(super) why: String,
}

impl From<Failure> for Fall {
    fn from(failure: Failure) -> Self {
        Self {
            reason: failure.reason,
            severity: if failure.slow {
                Severity::Lasting
            } else {
                Severity::Passing
            },
            after: None,
            why: failure.why,
        }
    }
}

impl Fall {
    /// What a status means; none: it is a success, or this request alone is refused.
    fn of(answer: &Answer) -> Option<Self> {
        use Severity::{Lasting, Passing, Throttled};
        let (reason, severity, remedy) = match answer.status {
            200..=299 => return None,
            300..=399 => ("http_3xx", Lasting, "; llm.url is not right"),
            401 | 403 => ("http_401", Lasting, "; the key is not right"),
            402 => ("http_402", Lasting, "; the account has no credit"),
            404 | 405 => ("http_404", Lasting, "; llm.url or llm.model is not right"),
            407 => (
                "http_407",
                Lasting,
                "; the proxy asks for a user and password",
            ),
            408 | 504 => ("timeout", Passing, ""),
            429 => ("http_429", Throttled, ""),
            400..=499 => return None,
            _ => ("http_5xx", Passing, ""),
        };
        Some(Self {
            reason,
            severity,
            after: answer.retry_after,
            why: answer.told() + remedy,
        })
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn now_s() -> u64 {
    since_1970().as_secs()
}

fn now_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

//! The API: answers about the logs, read from the store; nothing here touches the flow.
//!
//! Enters: requests. Leaves: answers in JSON, live streams, pages. [`router`] makes all of it from an [`Api`], apart from
//! serving it, which [`serve`] does on a thread of its own.
//!
//! | file | what |
//! |---|---|
//! | [`guard`], [`rate`] | who may ask, and how often |
//! | [`extract`] | what a request says, within bounds |
//! | [`problem`] | how a refusal reads |
//! | [`server`], [`patient`] | connections, their bounds and their end |
//! | [`about`] | `/`, `/health`, `/api/audit` |
//! | [`containers`], [`logs`] | what logWise's clients ask for |
//! | [`around`] | an event among its neighbours |
//! | [`overview`] | what is going on, counted |
//! | [`query`] | questions |
//! | [`classify`], [`journey`], [`generate`], [`ports`] | what infrnce's clients ask for |
//! | [`receive`] | what other pipelines send |
//! | [`templates`] | templates, categories, labels |
//! | [`stream`] | events as they come |
//! | [`docs`] | `/docs` and `/openapi.json` |

mod about;
mod around;
mod classify;
mod containers;
mod docs;
mod extract;
mod generate;
mod guard;
mod journey;
mod lines;
mod logs;
mod overview;
mod patient;
pub mod ports;
mod problem;
mod query;
mod rate;
mod receive;
mod server;
mod stream;
mod templates;
mod which;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use logline::redact::{RedactOptions, Redactor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ask::Engine;
use crate::classify::llm::Llm;
use crate::config::{Api as Options, sinks::Redact};
use crate::shutdown::Shutdown;
use crate::sink::mask::Mask;
use crate::source::docker::Host;
use crate::source::receive::Intake;
use crate::store::{Fault, Reader};
use crate::telemetry::Health;
use crate::web::guarded;
use ports::Writer;
use problem::Problem;
use which::Which;

pub use journey::Classifier;
pub use server::spawn as serve;

/// Reads of the store at a time; further ones wait for their turn.
const READS: usize = 4;
/// Requests for the classifier at a time.
const JUDGEMENTS: usize = 2;

/// Bodies of other pipelines that are read at a time.
const RECEIPTS: usize = 2;

/// What the answers are made from.
pub struct Parts {
    /// The store.
    pub reader: Reader,
    /// The state of the agent's parts.
    pub health: Arc<Health>,
    /// Where a Docker engine may answer.
    pub docker: Host,
    /// This host's name.
    pub host: String,
    /// Judges lines.
    pub classifier: Arc<Classifier>,
    /// Where what other pipelines send is handed over; none: nothing is taken.
    pub intake: Option<Intake>,
    /// Answers questions; none: there is no store.
    pub engine: Option<Arc<Engine>>,
    /// The language model, if there is one.
    pub llm: Option<Llm>,
    /// Writes lines of log; none: nobody does.
    pub writer: Option<Arc<dyn Writer>>,
    /// How the listener is set up.
    pub options: Options,
    /// Ends the live streams and the connections.
    pub shutdown: Shutdown,
}

/// The API's state; cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    redact: Redact,
    redactor: Option<Redactor>,
    fan: stream::Fan,
    rate: rate::Rate,
    reads: Arc<Semaphore>,
    judgements: Arc<Semaphore>,
    receipts: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// Starts what the live streams need.
    ///
    /// # Errors
    /// Where a thread cannot be started.
    pub fn new(parts: Parts) -> std::io::Result<Self> {
        let (redact, redactor) = if parts.options.redact {
            let options = RedactOptions::default();
            let redactor = Redactor::new(&options).map_err(std::io::Error::other)?;
            (Redact::On(options), Some(redactor))
        } else {
            (Redact::Off, None)
        };
        let lines = mask(&redact)
            .map(|mask| lines::Lines::new(&parts.host, mask))
            .map_err(|problem| std::io::Error::other(problem.message))?;
        // The thread ends with the shutdown, or with the store.
        let (fan, _) = stream::Fan::spawn(&parts.reader, lines, &parts.shutdown)?;
        Ok(Self {
            inner: Arc::new(Inner {
                redact,
                redactor,
                fan,
                rate: rate::Rate::new(parts.options.requests_per_second),
                reads: Arc::new(Semaphore::new(READS)),
                judgements: Arc::new(Semaphore::new(JUDGEMENTS)),
                receipts: Arc::new(Semaphore::new(RECEIPTS)),
                streams: Arc::new(Semaphore::new(
                    parts.options.max_streams.min(Semaphore::MAX_PERMITS),
                )),
                parts,
            }),
        })
    }

    fn options(&self) -> &Options {
        &self.inner.parts.options
    }

    fn shutdown(&self) -> &Shutdown {
        &self.inner.parts.shutdown
    }

    fn reader(&self) -> &Reader {
        &self.inner.parts.reader
    }

    fn health(&self) -> &Health {
        &self.inner.parts.health
    }

    fn docker(&self) -> &Host {
        &self.inner.parts.docker
    }

    fn host(&self) -> &str {
        &self.inner.parts.host
    }

    fn fan(&self) -> &stream::Fan {
        &self.inner.fan
    }

    fn rate(&self) -> &rate::Rate {
        &self.inner.rate
    }

    fn stream_places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.inner.streams)
    }

    fn classifier(&self) -> Arc<Classifier> {
        Arc::clone(&self.inner.parts.classifier)
    }

    fn engine(&self) -> Result<Arc<Engine>, Problem> {
        self.inner.parts.engine.clone().ok_or_else(|| {
            Problem::unavailable(
                "store_off",
                "questions are answered from the store, and there is none",
                "set store.enabled",
            )
        })
    }

    fn writer(&self) -> Result<Arc<dyn Writer>, Problem> {
        self.inner.parts.writer.clone().ok_or_else(|| {
            Problem::unavailable("no_writer", "nobody writes lines", "GET /health says why")
        })
    }

    fn llm(&self) -> Option<&Llm> {
        self.inner.parts.llm.as_ref()
    }

    /// Masks the secrets in what is shown, where that is wanted.
    fn redactor(&self) -> Option<&Redactor> {
        self.inner.redactor.as_ref()
    }

    /// Whether this agent may be asked under the name in `authority`. Without a token only under names that mean this host
    /// itself: a page whose name is made to lead here could ask else.
    fn answers_to(&self, authority: Option<&str>) -> bool {
        let listener = &self.options().listener;
        if listener.token.is_some() {
            return true;
        }
        let Some(authority) = authority else {
            return false;
        };
        let host = guard::host_of(authority);
        let is_own = host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip == listener.listen.ip());
        is_own
            || guard::is_local(host)
            || self
                .options()
                .hosts
                .iter()
                .any(|name| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(authority))
    }

    /// Whether a page of `origin` may read the answers.
    fn lets_share(&self, origin: &[u8]) -> bool {
        self.options()
            .cors_origins
            .iter()
            .any(|known| known == "*" || known.as_bytes() == origin)
    }

    /// What writes events, masked as the configuration says.
    fn lines(&self) -> Result<lines::Lines, Problem> {
        Ok(lines::Lines::new(self.host(), mask(&self.inner.redact)?))
    }

    /// The streams that `name` means, if there are any.
    fn which(&self, name: &str) -> Result<Which, Problem> {
        let which = Which::new(name);
        if self
            .reader()
            .streams()
            .iter()
            .any(|stream| which.is(stream))
        {
            return Ok(which);
        }
        Err(Problem::unknown(
            "container_not_found",
            "Container not found",
            "GET /api/containers lists those that are known",
        ))
    }

    /// Does `work` with the store on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Problem> {
        let reader = self.reader().clone();
        let done = self.work(&self.inner.reads, move || work(&reader)).await?;
        done.map_err(|fault| Problem::store(&fault))
    }

    /// Does `work` of the classifier on a thread that may wait for the model.
    async fn judge<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.work(&self.inner.judgements, work).await
    }

    /// Does `work` on a body that another pipeline has sent.
    async fn receive<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.work(&self.inner.receipts, work).await
    }

    /// Does `work` on a thread of its own, at most as many at a time as `places` has, within the time of a request.
    async fn work<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let within = self.options().timeout;
        let place = turn(places, within).await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            // Not before the work is done, even where nobody waits for it any more.
            drop(place);
            done
        });
        match tokio::time::timeout(within, done).await {
            Err(_) => Err(Problem::late()),
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed",
                "the answer was broken off",
                "report this as a bug",
            )),
        }
    }
}

/// A place among those who work, as soon as one is free.
async fn turn(places: &Arc<Semaphore>, within: Duration) -> Result<OwnedSemaphorePermit, Problem> {
    match Arc::clone(places).try_acquire_owned() {
        Ok(place) => return Ok(place),
        Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {}
    }
    match tokio::time::timeout(within, Arc::clone(places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(Problem::busy("too many others are being answered")),
    }
}

fn mask(redact: &Redact) -> Result<Mask, Problem> {
    Mask::new(redact).map_err(|problem| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "redact",
            problem.to_string(),
            "report this as a bug",
        )
    })
}

/// All pages, to be served on any listener. Those that hold nothing of the logs are there for everybody; the others ask for
/// the token, if there is one.
pub fn router(api: &Api) -> Router {
    let (pages, description) = OpenApiRouter::with_openapi(docs::description())
        .routes(routes!(about::health))
        .routes(routes!(about::audit))
        .routes(routes!(containers::list))
        .routes(routes!(containers::one))
        .routes(routes!(logs::raw))
        .routes(routes!(logs::stats))
        .routes(routes!(around::around))
        .routes(routes!(overview::overview))
        .routes(routes!(overview::categories))
        .routes(routes!(stream::ws::stream))
        .routes(routes!(stream::sse::events))
        .routes(routes!(query::query))
        .routes(routes!(query::suggestions))
        .routes(routes!(query::stats))
        .routes(routes!(classify::classify))
        .routes(routes!(generate::generate))
        .routes(routes!(generate::log))
        .routes(routes!(templates::list))
        .routes(routes!(templates::one))
        .routes(routes!(templates::label))
        .routes(routes!(receive::ingest))
        .routes(routes!(receive::otlp))
        .split_for_parts();
    let guarded = guarded(
        pages.with_state(api.clone()),
        api.options().listener.token.as_deref(),
        "api.token_file",
    );
    let (open, root) = OpenApiRouter::new()
        .routes(routes!(about::root))
        .split_for_parts();
    open.merge(docs::pages(description.merge_from(root)))
        .merge(crate::ui::files())
        .with_state(api.clone())
        .merge(guarded)
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not take that method",
                "see /docs, and the header Allow",
            )
        })
        .fallback(|| async {
            Problem::unknown(
                "not_found",
                "there is no such page",
                "see /docs for what there is",
            )
        })
        .layer(middleware::from_fn_with_state(api.clone(), guard::gate))
}

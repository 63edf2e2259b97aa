//! The list and the watch of one node's pods, as the API's own clients do them.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>: a list gives a version, and a watch
//! goes on from there. A watch that ends is taken up where it was; where the server no longer knows that version (410), the list
//! is asked for again. The first list may come from the server's cache, so that a thousand agents that start together do no harm.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};
use ureq::Body;

use super::PART;
use super::found::Options;
use super::wire::{Event, List, Object};
use crate::client::{Answer, Backoff, Client, Failure};
use crate::shutdown::Shutdown;
use crate::source::{Counters, Pods};
use crate::telemetry::Health;

const PATH: &str = "/api/v1/pods";
/// Pods in one piece of a list.
const PAGE: usize = 250;
/// Bytes of one piece of a list that are read.
const LIST_BYTES: u64 = 512 << 20;
/// How long a list may take.
const LIST_TIME: Duration = Duration::from_secs(60);
/// Bytes of one event of a watch; the API bounds objects to less.
const EVENT_BYTES: u64 = 8 << 20;
/// The server is asked to end a watch after so many seconds, as a dead connection cannot be told from a quiet one.
const WATCH_SECONDS: u64 = 290;
/// A watch that the server has not ended this much later is dead.
const WATCH_MARGIN: Duration = Duration::from_secs(20);
/// A watch that ends sooner and without an event has failed.
const SHORT: Duration = Duration::from_secs(5);
/// Bytes of a refusal that are read.
const REFUSAL_BYTES: u64 = 4096;
/// The waits between attempts.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why a list or a watch has ended.
enum Fault {
    /// The server does not know the version any more.
    Gone,
    /// Anything else.
    Failed {
        why: String,
        after: Option<Duration>,
        /// It can be repaired, but hardly by itself.
        slow: bool,
    },
}

impl Fault {
    fn cut(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            after: None,
            slow: false,
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Failed {
            why: failure.why,
            after: None,
            slow: failure.slow,
        }
    }
}

/// The thread's state.
pub(super) struct Watcher {
    options: Options,
    pods: Pods,
    shutdown: Shutdown,
    counters: Arc<Counters>,
    health: Arc<Health>,
    client: Option<Client>,
    backoff: Backoff,
    /// Where the watch goes on; none: the list is to be asked for.
    version: Option<String>,
    /// The server's cache may be behind what was seen: the list is to be a new one.
    must_be_new: bool,
    /// The server did not know a version, and no event has come since.
    forgotten: bool,
    /// What was said of a failure last.
    told: Option<String>,
}

impl Watcher {
    pub(super) fn new(
        options: Options,
        pods: Pods,
        shutdown: Shutdown,
        counters: Arc<Counters>,
        health: Arc<Health>,
    ) -> Self {
        Self {
            options,
            pods,
            shutdown,
            counters,
            health,
            client: None,
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            version: None,
            must_be_new: false,
            forgotten: false,
            told: None,
        }
    }

    /// Watches until a shutdown.
    pub(super) fn run(mut self) {
        while !self.shutdown.is_triggered() {
            let wait = match self.go_on() {
                Ok(()) => Duration::ZERO,
                Err(Fault::Gone) => {
                    debug!(
                        "the cluster has forgotten where the watch of pods was; they are listed anew"
                    );
                    self.version = None;
                    self.must_be_new = true;
                    // Again and again without an event between is no hurry.
                    if std::mem::replace(&mut self.forgotten, true) {
                        self.backoff.next(false, None)
                    } else {
                        Duration::ZERO
                    }
                }
                Err(Fault::Failed { why, after, slow }) => {
                    self.failed(why);
                    self.backoff.next(slow, after)
                }
            };
            self.pods.tidy();
            if self.shutdown.wait_timeout(wait) {
                return;
            }
        }
    }

    /// A list where one is needed, then one watch.
    fn go_on(&mut self) -> Result<(), Fault> {
        match self.version.clone() {
            Some(version) => self.watch(&version),
            None => self.list(),
        }
    }

    fn failed(&mut self, why: String) {
        self.counters.kubernetes_up.set(0);
        self.counters.kubernetes_failures.inc();
        self.pods.wait_no_more();
        let detail = format!(
            "{why}; lines go on, with what was known of pods and what the paths of their logs tell"
        );
        self.health.broken(PART, detail);
        if self.told.as_ref() != Some(&why) {
            warn!(
                why,
                "the cluster does not tell of this node's pods; it is asked again"
            );
            self.told = Some(why);
        }
        // Its certificates may be others by now.
        self.client = None;
    }

    fn succeeded(&mut self) {
        self.counters.kubernetes_up.set(1);
        let known = self.pods.tidy();
        self.counters.kubernetes_pods.set(known as u64);
        let node = &self.options.node;
        self.health
            .fine(PART, format!("{known} pods of node {node} are known"));
        if self.told.take().is_some() {
            info!("the cluster tells of this node's pods again");
        }
    }

    fn ask(&mut self, query: &str, whole: Duration) -> Result<Body, Fault> {
        let client = match &mut self.client {
            Some(client) => client,
            none => {
                let made = Client::new(&self.options.client).map_err(|why| Fault::Failed {
                    why,
                    after: None,
                    slow: false,
                })?;
                none.insert(made)
            }
        };
        let path = format!(
            "{PATH}?fieldSelector=spec.nodeName%3D{}{query}",
            escaped(&self.options.node)
        );
        let (answer, body) = client.open_at(&path, whole)?;
        if answer.status == 200 {
            return Ok(body);
        }
        let text = body
            .into_with_config()
            .limit(REFUSAL_BYTES)
            .read_to_vec()
            .unwrap_or_default();
        Err(refusal(&answer.with_body(text)))
    }

    fn list(&mut self) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        let mut go_on = String::new();
        let version = loop {
            let mut query = format!("&limit={PAGE}");
            if !go_on.is_empty() {
                query.push_str("&continue=");
                query.push_str(&escaped(&go_on));
            } else if !self.must_be_new {
                query.push_str("&resourceVersion=0");
            }
            self.counters.kubernetes_lists.inc();
            let body = self.ask(&query, LIST_TIME)?;
            let reader = BufReader::new(body.into_reader().take(LIST_BYTES));
            let list: List = serde_json::from_reader(reader)
                .map_err(|error| Fault::cut(format!("a list of pods cannot be read: {error}")))?;
            for object in list.items.unwrap_or_default() {
                seen.insert(object.metadata.uid.clone());
                self.put(object);
            }
            go_on = list.metadata.go_on;
            if go_on.is_empty() {
                break list.metadata.resource_version;
            }
            if self.shutdown.is_triggered() {
                return Ok(());
            }
        };
        self.pods.listed(|uid| seen.contains(uid));
        self.must_be_new = false;
        self.version = Some(version);
        self.succeeded();
        debug!(pods = seen.len(), "pods of this node listed");
        Ok(())
    }

    fn watch(&mut self, version: &str) -> Result<(), Fault> {
        let query = format!(
            "&watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}",
            escaped(version)
        );
        let whole = Duration::from_secs(WATCH_SECONDS) + WATCH_MARGIN;
        let body = self.ask(&query, whole)?;
        self.succeeded();
        let begun = Instant::now();
        let mut reader = BufReader::new(body.into_reader());
        let mut line = Vec::new();
        let mut events = 0u64;
        loop {
            line.clear();
            let read = match reader
                .by_ref()
                .take(EVENT_BYTES)
                .read_until(b'\n', &mut line)
            {
                Ok(0) => break,
                Ok(read) => read,
                // What stands between cuts connections that are quiet or old: it is taken up at once, and no fault.
                Err(error) if begun.elapsed() >= SHORT => {
                    debug!(%error, "the watch of pods was cut; it goes on");
                    self.client = None;
                    return Ok(());
                }
                Err(error) => {
                    return Err(Fault::cut(format!("the watch of pods broke off: {error}")));
                }
            };
            if self.shutdown.is_triggered() {
                return Ok(());
            }
            if line.last() != Some(&b'\n') {
                if read as u64 == EVENT_BYTES {
                    self.version = None;
                }
                return Err(Fault::cut("the watch of pods broke off in an event"));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let event: Event = serde_json::from_slice(&line).map_err(|error| {
                // Whatever it was, the list has it, too.
                self.version = None;
                Fault::cut(format!("an event of the watch cannot be read: {error}"))
            })?;
            self.take(event)?;
            events += 1;
            self.forgotten = false;
            self.backoff.reset();
        }
        if begun.elapsed() < SHORT {
            if events == 0 {
                return Err(Fault::cut("the watch of pods ends as soon as it begins"));
            }
            // Whoever ends each watch after an event is not asked without a pause.
            let _ = self.shutdown.wait_timeout(FIRST_WAIT);
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), Fault> {
        self.counters.kubernetes_events.inc();
        let Event { kind, object } = event;
        if kind == "ERROR" {
            return Err(if object.code == 410 {
                Fault::Gone
            } else {
                self.version = None;
                Fault::cut(format!(
                    "the watch of pods failed: {} {}",
                    object.code, object.message
                ))
            });
        }
        let version = object.metadata.resource_version.clone();
        let uid = object.metadata.uid.clone();
        match kind.as_str() {
            "ADDED" | "MODIFIED" => self.put(object),
            "DELETED" => {
                self.put(object);
                self.pods.gone(&uid);
            }
            // A bookmark brings nothing but its version, and so does what is not known yet.
            _ => {}
        }
        if !version.is_empty() {
            self.version = Some(version);
        }
        self.succeeded();
        Ok(())
    }

    fn put(&self, object: Object) {
        if object.metadata.uid.is_empty() {
            return;
        }
        if !self.pods.put(object.into_pod(&self.options.labels)) {
            self.counters.kubernetes_left_out.inc();
        }
    }
}

/// What an answer other than 200 means.
fn refusal(answer: &Answer) -> Fault {
    let told = answer.told();
    match answer.status {
        410 => Fault::Gone,
        401 => Fault::Failed {
            why: format!("the service account's token is not taken: {told}"),
            after: None,
            slow: false,
        },
        403 => Fault::Failed {
            why: format!(
                "the service account may not list and watch pods (bind the ClusterRole of deploy/kubernetes/base): {told}"
            ),
            after: None,
            slow: true,
        },
        _ => Fault::Failed {
            why: told,
            after: answer.retry_after,
            slow: false,
        },
    }
}

/// `text` as a query's value (RFC 3986, 2.3: everything but the unreserved).
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_querys_value_cannot_leave_its_place() {
        assert_eq!(escaped("node-1.example"), "node-1.example");
        assert_eq!(escaped("a&b=c d%"), "a%26b%3Dc%20d%25");
    }
}

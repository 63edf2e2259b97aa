//! The engine's containers: those that run, and those that start. One task follows each.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::Docker;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, EventMessage};
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use futures_util::StreamExt;

use super::follow::{Begin, Following, follow};
use super::list::name_of;
use super::reach::connect;
use super::{Config, Start, Unreachable};
use crate::shutdown::Shutdown;
use crate::source::origin::keep_labels;
use crate::source::switches;
use crate::source::{Container, Counters, K8s, Kind, Origin, Sender};

/// What the tasks of one engine share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) sender: Sender,
    pub(super) shutdown: Shutdown,
    pub(super) counters: Arc<Counters>,
    /// Containers that are followed now.
    following: AtomicU64,
    /// The Unix second in which the engine was last heard of.
    heard: AtomicI64,
}

impl Shared {
    /// Counts one container more or less.
    pub(super) fn count(&self, change: i64) {
        let now = self
            .following
            .fetch_add(change.cast_unsigned(), Ordering::Relaxed);
        self.counters
            .docker_containers
            .set(now.wrapping_add(change.cast_unsigned()));
    }
}

/// An engine that is followed through restarts.
pub(super) struct Engine {
    shared: Arc<Shared>,
    containers: HashMap<String, Arc<Following>>,
    started: i64,
    lists: u64,
    told: Option<Unreachable>,
}

/// Waiting times that double, each up to a quarter longer or shorter at random, so that agents do not come back all at once.
#[derive(Debug)]
pub(super) struct BackOff {
    next: Duration,
}

impl BackOff {
    const FIRST: Duration = Duration::from_millis(200);
    const LAST: Duration = Duration::from_secs(10);

    pub(super) fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The next time to wait.
    pub(super) fn pause(&mut self) -> Duration {
        let random = RandomState::new().build_hasher().finish() % 512;
        let pause = self.next / 1024 * (768 + random as u32);
        self.next = (self.next * 2).min(Self::LAST);
        pause
    }
}

impl Engine {
    pub(super) fn new(
        config: Config,
        sender: Sender,
        shutdown: Shutdown,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                config,
                sender,
                shutdown,
                counters,
                following: AtomicU64::new(0),
                heard: AtomicI64::new(0),
            }),
            containers: HashMap::new(),
            started: unix_now(),
            lists: 0,
            told: None,
        }
    }

    /// Follows until dropped; returns when the receiver is gone.
    pub(super) async fn run(mut self) {
        let mut back_off = BackOff::new();
        loop {
            match connect(&self.shared.config.host).await {
                Ok((docker, version)) => {
                    tracing::info!(host = %self.shared.config.host, version, "following Docker containers");
                    self.told = None;
                    if self.lists > 0 {
                        self.shared.counters.docker_reconnects.inc();
                    }
                    self.shared.counters.docker_up.set(1);
                    let problem = match self.session(&docker).await {
                        Ok(()) => "it has ended the stream of events".to_owned(),
                        Err(error) => error.to_string(),
                    };
                    self.shared.counters.docker_up.set(0);
                    tracing::warn!(problem, "the Docker engine was lost; connecting again");
                    back_off = BackOff::new();
                }
                Err(unreachable) => {
                    if self.told.as_ref() != Some(&unreachable) {
                        tracing::warn!("{unreachable}; it is tried again");
                        self.told = Some(unreachable);
                    }
                }
            }
            if self.shared.shutdown.is_triggered() {
                return;
            }
            tokio::time::sleep(back_off.pause()).await;
        }
    }

    /// One connection: the containers that run, then the events until they end.
    async fn session(&mut self, docker: &Docker) -> Result<(), bollard::errors::Error> {
        // From before the list, so that nothing starts between the two.
        let since = (unix_now() - 2).to_string();
        let actions = ["start", "die", "destroy", "rename"]
            .map(str::to_owned)
            .to_vec();
        let filters = HashMap::from([("type", vec!["container".to_owned()]), ("event", actions)]);
        let options = EventsOptionsBuilder::new()
            .since(&since)
            .filters(&filters)
            .build();
        let mut events = docker.events(Some(options));

        let all = ListContainersOptionsBuilder::new().all(true).build();
        let all = docker.list_containers(Some(all)).await?;
        let gap_from = if self.lists == 0 {
            self.known_until()
        } else {
            Some(self.shared.heard.load(Ordering::Relaxed))
        };
        self.shared.heard.store(unix_now(), Ordering::Relaxed);
        self.containers.retain(|_, known| !known.is_done());
        for known in self.containers.values() {
            known.look.notify_one();
        }
        for summary in all {
            let is_known = summary
                .id
                .as_ref()
                .is_some_and(|id| self.shared.config.resume.contains_key(id));
            // What ran and ended while nobody looked has left its lines all the same.
            let is_new = gap_from
                .zip(summary.created)
                .is_some_and(|(from, created)| created >= from);
            if is_live(&summary) || is_known || is_new {
                let begin = gap_from.map_or_else(
                    || self.shared.config.start_at.into(),
                    |from| since_unless_new(&summary, from),
                );
                self.consider(docker, &summary, begin);
            }
        }
        self.lists += 1;
        while let Some(event) = events.next().await {
            self.shared.heard.store(unix_now(), Ordering::Relaxed);
            self.event(docker, event?).await?;
        }
        Ok(())
    }

    /// The second until which containers were followed before the start; `None` at a first start.
    fn known_until(&self) -> Option<i64> {
        let latest = self.shared.config.resume.values();
        latest
            .map(|position| position.latest_ns.div_euclid(1_000_000_000))
            .max()
    }

    async fn event(
        &mut self,
        docker: &Docker,
        event: EventMessage,
    ) -> Result<(), bollard::errors::Error> {
        let at = event.time.unwrap_or_else(unix_now);
        let Some(id) = event.actor.and_then(|actor| actor.id) else {
            return Ok(());
        };
        match (event.action.as_deref(), self.containers.get(&id)) {
            (Some("rename"), Some(known)) => {
                if let Some(summary) = summary_of(docker, &id).await? {
                    known.rename(self.origin(&summary));
                }
            }
            (Some("destroy"), Some(known)) => {
                known.look.notify_one();
                // Its task ends by itself when it has read what there is.
                self.containers.remove(&id);
            }
            (Some("start"), Some(known)) => known.look.notify_one(),
            (Some("start"), None) => {
                if let Some(summary) = summary_of(docker, &id).await? {
                    // A container that was made before us may hold lines of earlier runs.
                    let begin = since_unless_new_since(&summary, self.started, at - 1);
                    self.consider(docker, &summary, begin);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Follows a container, unless it is followed already or to be left out.
    fn consider(&mut self, docker: &Docker, summary: &ContainerSummary, begin: Begin) {
        let Some(id) = summary.id.clone() else { return };
        if self.containers.contains_key(&id) {
            return;
        }
        let origin = self.origin(summary);
        let config = &self.shared.config;
        let left_out = config.own.is_container(&id)
            || !config.names.contains(&origin.name)
            || (config.skip_pods && origin.k8s.is_some())
            || origin.switches.exclude;
        if left_out {
            tracing::debug!(container = origin.name, "left out");
            return;
        }
        let begin = config
            .resume
            .get(&id)
            .map_or(begin, |position| Begin::Position(*position));
        let following = Arc::new(Following::new(id.clone(), origin));
        self.containers.insert(id, Arc::clone(&following));
        tokio::spawn(follow(
            Arc::clone(&self.shared),
            docker.clone(),
            following,
            begin,
        ));
    }

    fn origin(&self, summary: &ContainerSummary) -> Origin {
        let labels = summary.labels.clone().unwrap_or_default();
        let name = name_of(summary);
        let pod = |key: &str| {
            labels
                .get(&format!("io.kubernetes.{key}"))
                .cloned()
                .unwrap_or_default()
        };
        let k8s = labels.contains_key("io.kubernetes.pod.uid").then(|| K8s {
            namespace: pod("pod.namespace"),
            pod: pod("pod.name"),
            uid: pod("pod.uid"),
            container: pod("container.name"),
            restart: labels
                .get("annotation.io.kubernetes.container.restartCount")
                .and_then(|count| count.parse().ok()),
            ..K8s::default()
        });
        let said = switches::among(labels.clone());
        let Shared {
            config, counters, ..
        } = &*self.shared;
        Origin {
            switches: config.switches.read(&said, &name, &name, counters),
            kind: Kind::Docker,
            name: name.clone(),
            container: Some(Container {
                id: summary.id.clone().unwrap_or_default(),
                name,
                image: summary.image.clone().unwrap_or_default(),
                labels: keep_labels(labels, &config.labels),
            }),
            k8s,
        }
    }
}

impl From<Start> for Begin {
    fn from(start: Start) -> Self {
        match start {
            Start::All => Self::All,
            Start::Tail(lines) => Self::Tail(lines),
            Start::Since(second) => Self::Since(second),
        }
    }
}

/// Everything of a container that was made since `second`, else what it has written since then.
fn since_unless_new(summary: &ContainerSummary, second: i64) -> Begin {
    since_unless_new_since(summary, second, second)
}

fn since_unless_new_since(summary: &ContainerSummary, made: i64, second: i64) -> Begin {
    if summary.created.is_some_and(|created| created >= made) {
        Begin::All
    } else {
        Begin::Since(second)
    }
}

/// One container's entry in the list, whether it runs or not.
async fn summary_of(
    docker: &Docker,
    id: &str,
) -> Result<Option<ContainerSummary>, bollard::errors::Error> {
    let filters = HashMap::from([("id", vec![id])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    Ok(docker
        .list_containers(Some(options))
        .await?
        .into_iter()
        .next())
}

/// Whether a container runs; `None` when there is no such container.
pub(super) async fn is_running(
    docker: &Docker,
    id: &str,
) -> Result<Option<bool>, bollard::errors::Error> {
    Ok(summary_of(docker, id)
        .await?
        .map(|summary| is_live(&summary)))
}

fn is_live(summary: &ContainerSummary) -> bool {
    matches!(
        summary.state,
        Some(
            ContainerSummaryStateEnum::RUNNING
                | ContainerSummaryStateEnum::PAUSED
                | ContainerSummaryStateEnum::RESTARTING
        )
    )
}

/// The Unix second of now.
pub(super) fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}

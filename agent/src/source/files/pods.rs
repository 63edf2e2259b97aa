//! Who writes a file, and what becomes known of that while it is followed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::candidate::Candidate;
use super::follow::Follower;
use super::life::Life;
use super::walk::symlink_chain;
use super::{Closed, Message, Origin, Resume};
use crate::source::origin;
use crate::source::switches::Switches;

/// How long the start waits for the first list of pods: without it a container that is not to be read is read until its
/// annotations are known. Nothing else ever waits for the cluster.
const PATIENCE: Duration = Duration::from_secs(2);

/// Docker's labels that are switches.
type Said = Vec<(String, String)>;

/// A file that is not read because its container asks for it.
struct LeftOut {
    origin: Origin,
    said: Said,
    /// Where reading was left, or would begin; none: at the start.
    at: Option<Resume>,
}

/// Files that are not read because their container asks for it.
#[derive(Default)]
pub(super) struct Asked {
    files: HashMap<PathBuf, LeftOut>,
    /// Where those are to be read on that no longer ask for it, until a walk finds them.
    freed: HashMap<PathBuf, Resume>,
    /// The changes of the pods that were taken up.
    seen: u64,
}

impl Asked {
    /// Where reading of this very file was left because its container asked for it.
    pub(super) fn take_freed(&mut self, path: &Path, candidate: &Candidate) -> Option<Resume> {
        let resume = self.freed.remove(path)?;
        let node = (resume.file.device, resume.file.inode);
        (node == candidate.node() && candidate.holds(&resume).unwrap_or(false)).then_some(resume)
    }

    fn keep(&mut self, path: &Path, left: LeftOut) {
        self.files.insert(path.to_owned(), left);
    }
}

/// Where reading of a file is left, under the identity by which whoever resumes it knows it.
fn left_at(life: &Life) -> Resume {
    let position = life.position(false);
    Resume {
        file: life.resumed.unwrap_or(position.file),
        ..position
    }
}

impl Follower {
    /// Waits a little for the first list of pods, where there is to be one.
    pub(super) fn await_pods(&self) {
        if let Some(pods) = &self.config.pods {
            pods.wait(PATIENCE);
        }
    }

    /// Finds out who writes a file. False where it is not to be read.
    pub(super) fn introduce(&mut self, life: &mut Life) -> bool {
        let chain = symlink_chain(&life.found);
        let origin::Told {
            mut origin,
            wrapper,
            switches,
        } = origin::of_file(&chain, &self.config.docker_labels);
        self.describe(&mut origin, &switches);
        if self.is_own(&origin) || origin.switches.exclude {
            tracing::info!(path = %life.found.display(), "left out: the agent's own, or by its label or annotation");
            self.left_out.insert(life.found.clone(), life.node);
            if origin.switches.exclude {
                let left = LeftOut {
                    origin,
                    said: switches,
                    at: (life.offset > 0).then(|| left_at(life)),
                };
                self.asked.keep(&life.found, left);
            }
            return false;
        }
        life.origin = Arc::new(origin);
        life.said = switches;
        life.unannounced = Some(wrapper.unwrap_or(self.config.wrapper));
        true
    }

    fn is_own(&self, origin: &Origin) -> bool {
        let own = &self.config.own;
        origin.k8s.as_ref().is_some_and(|k8s| own.is_pod(&k8s.uid))
            || origin
                .container
                .as_ref()
                .is_some_and(|container| own.is_container(&container.id))
    }

    /// Adds to `origin` what is known of its pod, and how it asks to be read.
    pub(super) fn describe(&self, origin: &mut Origin, said: &[(String, String)]) {
        let pod = self
            .config
            .pods
            .as_ref()
            .and_then(|pods| pods.describe(origin));
        let read = |said: &[(String, String)], name: &str, whom: &str| -> Switches {
            let reader = &self.config.switches;
            reader.read(said, name, whom, &self.counters)
        };
        match (pod, &origin.k8s) {
            (Some(pod), Some(k8s)) => {
                let whom = format!("{}/{}", k8s.namespace, k8s.pod);
                origin.switches = read(&pod.switches, &k8s.container, &whom);
            }
            _ if !said.is_empty() => {
                let (_, name) = origin.short_names();
                origin.switches = read(said, name, name);
            }
            _ => {}
        }
    }

    /// Takes up what has changed of the pods: streams are described anew, begun or left.
    pub(super) fn look_at_pods(&mut self) {
        let Some(pods) = &self.config.pods else {
            return;
        };
        let changes = pods.changes();
        if changes == self.asked.seen {
            return;
        }
        pods.quiet();
        self.asked.seen = changes;
        let mut news = Vec::new();
        for (id, life) in &self.lives {
            if life.origin.k8s.is_none() {
                continue;
            }
            let mut origin = Origin::clone(&life.origin);
            self.describe(&mut origin, &life.said);
            if origin != *life.origin {
                news.push((*id, origin));
            }
        }
        // In the order of their opening, so that what happens is the same in every run.
        news.sort_unstable_by_key(|(id, _)| *id);
        for (id, origin) in news {
            let Some(life) = self.lives.get_mut(&id) else {
                continue;
            };
            if origin.switches.exclude {
                tracing::info!(path = %life.found.display(), "no longer read: its annotation asks for it");
                let (found, node) = (life.found.clone(), life.node);
                let left = LeftOut {
                    origin,
                    said: std::mem::take(&mut life.said),
                    at: Some(left_at(life)),
                };
                self.finish(id, Closed::ContainerGone);
                self.left_out.insert(found.clone(), node);
                self.asked.keep(&found, left);
                continue;
            }
            life.origin = Arc::new(origin);
            if life.unannounced.is_none() {
                let origin = Arc::clone(&life.origin);
                self.outbox.push_back(Message::Described { id, origin });
            }
        }
        self.ask_again();
    }

    /// Files whose container no longer asks to be left alone are found by the next walk; what is gone is forgotten.
    fn ask_again(&mut self) {
        self.asked.freed.retain(|path, _| path.exists());
        let mut asked = std::mem::take(&mut self.asked.files);
        asked.retain(|path, left| {
            if !self.left_out.contains_key(path) {
                return false;
            }
            self.describe(&mut left.origin, &left.said);
            if !left.origin.switches.exclude {
                self.left_out.remove(path);
                self.names_changed = true;
                if let Some(at) = left.at.take() {
                    self.asked.freed.insert(path.clone(), at);
                }
            }
            left.origin.switches.exclude
        });
        self.asked.files = asked;
    }
}

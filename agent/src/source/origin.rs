//! Who writes a stream.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use logline::decode::Wrapper;
use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

use super::own::is_id;
use super::switches::{self, Switches};

/// At most so many bytes of a `config.v2.json` are read.
const CONFIG_BYTES: u64 = 4 << 20;

/// What a stream is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file.
    File,
    /// A container, through the Docker API.
    Docker,
    /// Standard input.
    Stdin,
    /// Lines that the agent makes up to show itself.
    Demo,
    /// Another program, by the Fluent forward protocol.
    Forward,
    /// Another program, by HTTP.
    Http,
    /// Another program, by OTLP.
    Otlp,
}

impl Kind {
    /// A word for metrics and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Docker => "docker",
            Self::Stdin => "stdin",
            Self::Demo => "demo",
            Self::Forward => "forward",
            Self::Http => "http",
            Self::Otlp => "otlp",
        }
    }

    /// Whether another program sends it.
    #[must_use]
    pub fn is_received(self) -> bool {
        matches!(self, Self::Forward | Self::Http | Self::Otlp)
    }
}

/// Who writes a stream; made once when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What it is read from.
    pub kind: Kind,
    /// For files the path under which it was found, after symlinks; for containers their name; else a word. Not escaped.
    pub name: String,
    /// The container, where it is known.
    pub container: Option<Container>,
    /// The pod, where the path tells it.
    pub k8s: Option<K8s>,
    /// How it asks to be read; not kept with what is stored.
    pub switches: Switches,
}

impl Origin {
    /// An origin that is only a name.
    #[must_use]
    pub fn plain(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            container: None,
            k8s: None,
            switches: Switches::default(),
        }
    }

    /// The pod's labels; where they are not known, the container's.
    #[must_use]
    pub fn labels(&self) -> &[(String, String)] {
        match (&self.k8s, &self.container) {
            (Some(k8s), _) if !k8s.labels.is_empty() => &k8s.labels,
            (_, Some(container)) => &container.labels,
            _ => &[],
        }
    }

    /// Takes from `before`, which is the same stream's of an earlier run, what nobody has told yet of its pod.
    pub(crate) fn remember(&mut self, before: &Self) {
        let (Some(k8s), Some(known)) = (&mut self.k8s, &before.k8s) else {
            return;
        };
        if k8s.owner.is_some() || !k8s.labels.is_empty() || k8s.uid != known.uid {
            return;
        }
        k8s.labels.clone_from(&known.labels);
        k8s.owner.clone_from(&known.owner);
        if let (Some(container), Some(known)) = (&mut self.container, &before.container)
            && container.image.is_empty()
        {
            container.image.clone_from(&known.image);
        }
    }

    /// A hash of what tells it from others: the same for the same in every run. Labels, which may change, are not part of it.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        let mut add = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        add(self.kind.as_str());
        add(&self.name);
        if let Some(container) = &self.container {
            add("container");
            add(&container.id);
            add(&container.name);
            add(&container.image);
        }
        if let Some(k8s) = &self.k8s {
            add("k8s");
            add(&k8s.namespace);
            add(&k8s.pod);
            add(&k8s.uid);
            add(&k8s.container);
        }
        hash.digest()
    }

    /// Namespace and container by their short names, for metrics; what is neither goes by its kind.
    #[must_use]
    pub fn short_names(&self) -> (&str, &str) {
        match (&self.k8s, &self.container) {
            (Some(k8s), _) => (&k8s.namespace, &k8s.container),
            (None, Some(container)) => ("", &container.name),
            (None, None) => ("", self.kind.as_str()),
        }
    }
}

/// A container. Never holds its environment variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The full id (64 hexadecimal digits) as far as it is known; else empty.
    pub id: String,
    /// The name, without Docker's leading `/`; else empty.
    pub name: String,
    /// The image as it was asked for (`nginx:1.27`); else empty.
    pub image: String,
    /// Those labels that the configuration lets through, sorted by key.
    pub labels: Vec<(String, String)>,
}

/// A container of a Kubernetes pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct K8s {
    /// The namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid; empty where the path does not tell it.
    pub uid: String,
    /// The container's name in the pod.
    pub container: String,
    /// How often the container was restarted before this log.
    pub restart: Option<u32>,
    /// Those of the pod's labels that the configuration lets through, sorted by key; none where nobody tells them.
    pub labels: Vec<(String, String)>,
    /// Who made the pod, where that is known.
    pub owner: Option<Owner>,
}

/// What made a pod: a Deployment, a DaemonSet, a Job, ...
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// `Deployment`, `DaemonSet`, ...
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What the kubelet's path of a log tells: `.../pods/<namespace>_<pod>_<uid>/<container>/<restart>.log`, also after a
/// rotation (`<restart>.log.<time>`).
#[must_use]
pub fn pod_log(path: &Path) -> Option<K8s> {
    let mut parts = path.iter().rev().map(|part| part.to_str());
    let (file, container, pod) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next()?? != "pods" {
        return None;
    }
    // Neither a namespace nor a pod's name may hold an underscore.
    let mut names = pod.split('_');
    let k8s = K8s {
        namespace: names.next().filter(|name| !name.is_empty())?.to_owned(),
        pod: names.next().filter(|name| !name.is_empty())?.to_owned(),
        uid: names.next().filter(|name| !name.is_empty())?.to_owned(),
        container: container.to_owned(),
        restart: file.split_once(".log").and_then(|(n, _)| n.parse().ok()),
        ..K8s::default()
    };
    names.next().is_none().then_some(k8s)
}

/// What the name of a symlink in `/var/log/containers` tells: `<pod>_<namespace>_<container>-<id>.log`.
/// The second part is the container's full id.
#[must_use]
pub fn container_link(path: &Path) -> Option<(K8s, String)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    let (rest, id) = name.rsplit_once('-')?;
    let mut parts = rest.splitn(3, '_');
    let (pod, namespace, container) = (parts.next()?, parts.next()?, parts.next()?);
    if !is_id(id) || pod.is_empty() || namespace.is_empty() || container.is_empty() {
        return None;
    }
    let k8s = K8s {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: container.to_owned(),
        ..K8s::default()
    };
    Some((k8s, id.to_owned()))
}

/// The container id in the path of a json-file log of Docker: `.../<id>/<id>-json.log`, also after a rotation (`-json.log.1`).
#[must_use]
pub fn docker_log(path: &Path) -> Option<&str> {
    let id = path.parent()?.file_name()?.to_str()?;
    let file = path.file_name()?.to_str()?;
    (is_id(id) && file.strip_prefix(id)?.starts_with("-json.log")).then_some(id)
}

/// What the names of a file tell.
pub(super) struct Told {
    /// Who writes it.
    pub(super) origin: Origin,
    /// How its lines are wrapped, where that is certain.
    pub(super) wrapper: Option<Wrapper>,
    /// Docker's labels that are switches.
    pub(super) switches: Vec<(String, String)>,
}

/// The origin of a file, and how its lines are wrapped where the path tells.
///
/// `chain` is the path as it was found and what each symlink on the way leads to, the file's own path last; at least one.
/// `labels` are the keys of Docker's labels to keep. Reads nothing but Docker's `config.v2.json` beside a json-file log.
pub(super) fn of_file(chain: &[PathBuf], labels: &[String]) -> Told {
    let mut origin = Origin::plain(Kind::File, "");
    let mut wrapper = None;
    let mut switches = Vec::new();
    // The first link is the least exact: what a later one tells takes its place.
    for path in chain {
        if let Some((k8s, id)) = container_link(path) {
            origin.k8s.get_or_insert(k8s);
            origin.container.get_or_insert_default().id = id;
            wrapper = Some(Wrapper::Cri);
        }
        if let Some(k8s) = pod_log(path) {
            origin
                .container
                .get_or_insert_default()
                .name
                .clone_from(&k8s.container);
            origin.k8s = Some(k8s);
            wrapper = Some(Wrapper::Cri);
        }
        if let Some(id) = docker_log(path) {
            let (mut container, said) = docker_config(path.parent().unwrap_or(path), labels);
            container.id = id.to_owned();
            switches = said;
            origin.container = Some(container);
            wrapper = Some(Wrapper::DockerJson);
        }
    }
    if let Some(path) = chain.last() {
        origin.name = path.to_string_lossy().into_owned();
    }
    Told {
        origin,
        wrapper,
        switches,
    }
}

/// Docker's own record of a container, of which only name, image and the wanted labels are kept; and the switches among its
/// labels.
fn docker_config(directory: &Path, labels: &[String]) -> (Container, Vec<(String, String)>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Record {
        #[serde(rename = "Name")]
        name: String,
        #[serde(rename = "Config")]
        config: Config,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Config {
        #[serde(rename = "Image")]
        image: String,
        #[serde(rename = "Labels")]
        labels: Option<BTreeMap<String, String>>,
    }
    let path = directory.join("config.v2.json");
    let record: Record = match File::open(&path) {
        // Streamed, so that what is not asked for (the environment above all) is never kept in memory.
        Ok(file) => serde_json::from_reader(BufReader::new(file.take(CONFIG_BYTES))).unwrap_or_else(
            |error| {
                tracing::warn!(path = %path.display(), %error, "Docker's record of a container cannot be understood");
                Record::default()
            },
        ),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "Docker's record of a container cannot be read");
            Record::default()
        }
    };
    let said = record.config.labels.unwrap_or_default();
    let switches = switches::among(said.clone());
    let container = Container {
        id: String::new(),
        name: record.name.trim_start_matches('/').to_owned(),
        image: record.config.image,
        labels: keep_labels(said, labels),
    };
    (container, switches)
}

/// Those labels whose keys are wanted, sorted by key.
pub(super) fn keep_labels(
    labels: impl IntoIterator<Item = (String, String)>,
    wanted: &[String],
) -> Vec<(String, String)> {
    let mut kept: Vec<_> = labels
        .into_iter()
        .filter(|(key, _)| wanted.contains(key))
        .collect();
    kept.sort();
    kept
}

//! Who writes a stream.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use logline::decode::Wrapper;
use serde::Deserialize;

use super::own::is_id;

/// A container with this label is not read, unless the label's value is `false`.
pub const EXCLUDE_LABEL: &str = "logsieve/exclude";

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
        }
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
        }
    }
}

impl Origin {
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

/// The origin of a file, and how its lines are wrapped where the path tells.
///
/// `chain` is the path as it was found and what each symlink on the way leads to, the file's own path last; at least one.
/// `labels` are the keys of Docker's labels to keep. Reads nothing but Docker's `config.v2.json` beside a json-file log.
pub(super) fn of_file(chain: &[PathBuf], labels: &[String]) -> (Origin, Option<Wrapper>) {
    let mut origin = Origin::plain(Kind::File, "");
    let mut wrapper = None;
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
            let mut container = docker_config(path.parent().unwrap_or(path), labels);
            container.id = id.to_owned();
            origin.container = Some(container);
            wrapper = Some(Wrapper::DockerJson);
        }
    }
    if let Some(path) = chain.last() {
        origin.name = path.to_string_lossy().into_owned();
    }
    (origin, wrapper)
}

/// Docker's own record of a container, of which only name, image and the wanted labels are kept.
fn docker_config(directory: &Path, labels: &[String]) -> Container {
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
    Container {
        id: String::new(),
        name: record.name.trim_start_matches('/').to_owned(),
        image: record.config.image,
        labels: keep_labels(record.config.labels.unwrap_or_default(), labels),
    }
}

/// Those labels whose keys are wanted, and always [`EXCLUDE_LABEL`], sorted by key.
pub(super) fn keep_labels(
    labels: impl IntoIterator<Item = (String, String)>,
    wanted: &[String],
) -> Vec<(String, String)> {
    let mut kept: Vec<_> = labels
        .into_iter()
        .filter(|(key, _)| key == EXCLUDE_LABEL || wanted.contains(key))
        .collect();
    kept.sort();
    kept
}

/// Whether a container asks not to be read.
pub(super) fn asks_to_be_left_out(labels: &[(String, String)]) -> bool {
    labels
        .iter()
        .any(|(key, value)| key == EXCLUDE_LABEL && value != "false")
}

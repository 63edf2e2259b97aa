//! Who writes a stream.

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

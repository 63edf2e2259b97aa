//! Which sources exist on this host, and which of them to read so that no container is read twice.

use std::path::PathBuf;

use super::docker;

/// Where to look; a test puts its own directories here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The kubelet's directory of pod logs.
    pub pods: PathBuf,
    /// The directory of symlinks to pod logs.
    pub containers: PathBuf,
    /// Docker's directory of containers.
    pub docker_containers: PathBuf,
    /// Docker's API.
    pub docker: docker::Host,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            pods: "/var/log/pods".into(),
            containers: "/var/log/containers".into(),
            docker_containers: "/var/lib/docker/containers".into(),
            docker: docker::Host::default(),
        }
    }
}

/// What there is of a directory of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// It does not exist.
    Absent,
    /// It exists and may not be read; the system's words.
    Unreadable(String),
    /// It may be read and holds so many logs.
    Logs(usize),
}

/// What exists on this host, and what to read of it.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The pods' directory.
    pub pods: Directory,
    /// The directory of symlinks.
    pub containers: Directory,
    /// Docker's json-file logs.
    pub docker_files: Directory,
    /// The version of the Docker engine that answers, or why none does.
    pub docker_api: Result<String, docker::Unreachable>,
    /// Patterns of files to follow; empty for none.
    pub files: Vec<String>,
    /// Whether to follow containers through the Docker API.
    pub follow_docker: bool,
    /// Why, one sentence for each decision.
    pub reasons: Vec<String>,
}

impl Discovery {
    /// Whether nothing was found to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.follow_docker
    }
}
/// Looks at this host.
#[must_use]
pub fn discover(places: &Places) -> Discovery {
    let directory = |path: &std::path::Path| match std::fs::read_dir(path) {
        Ok(entries) => Directory::Logs(entries.count()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Directory::Absent,
        Err(error) => Directory::Unreadable(error.to_string()),
    };
    let pods = directory(&places.pods);
    let files = match pods {
        Directory::Logs(count) if count > 0 => {
            vec![places.pods.join("*/*/*.log").display().to_string()]
        }
        _ => Vec::new(),
    };
    Discovery {
        pods,
        containers: directory(&places.containers),
        docker_files: directory(&places.docker_containers),
        docker_api: Ok(String::new()),
        files,
        follow_docker: false,
        reasons: Vec::new(),
    }
}

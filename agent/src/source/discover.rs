//! Which sources exist on this host, and which of them to read so that no container is read twice.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::docker;
use super::files::Patterns;

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
    /// Whether containers of pods are among `files`, so that the Docker API must leave them out.
    pub pods_in_files: bool,
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

/// Looks at this host and chooses so that no container is read twice: pods by their files, which `/var/log/containers` only
/// links to; other containers through Docker's API where it answers, because it reads every log driver, else by
/// Docker's json files.
#[must_use]
pub fn discover(places: &Places) -> Discovery {
    let mut found = Discovery {
        pods: look(&places.pods, "*/*/*.log"),
        containers: look(&places.containers, "*.log"),
        docker_files: look(&places.docker_containers, "*/*-json.log"),
        docker_api: docker::probe(&places.docker),
        files: Vec::new(),
        follow_docker: false,
        pods_in_files: false,
        reasons: Vec::new(),
    };
    found.choose_pods(places);
    found.choose_docker(places);
    found
}

impl Discovery {
    fn choose_pods(&mut self, places: &Places) {
        let pods = places.pods.display();
        let containers = places.containers.display();
        match (&self.pods, &self.containers) {
            (Directory::Logs(logs), _) if *logs > 0 => {
                self.reasons.push(format!(
                    "{pods} holds {logs} logs: following the pods by their files"
                ));
                self.files.push(format!("{pods}/*/*/*.log"));
                self.pods_in_files = true;
            }
            // A node whose pods have yet to start: the files are seen when they come.
            (Directory::Logs(_), _) => {
                self.reasons
                    .push(format!("{pods} is there but empty: watching it for pods"));
                self.files.push(format!("{pods}/*/*/*.log"));
                self.pods_in_files = true;
            }
            (_, Directory::Logs(logs)) if *logs > 0 => {
                self.reasons.push(format!(
                    "{containers} holds {logs} logs: following the pods by these links"
                ));
                self.files.push(format!("{containers}/*.log"));
                self.pods_in_files = true;
            }
            (Directory::Unreadable(error), _) => {
                self.reasons.push(format!(
                    "{pods} may not be read ({error}): run as root to follow the pods"
                ));
            }
            _ => {}
        }
    }

    fn choose_docker(&mut self, places: &Places) {
        let directory = places.docker_containers.display();
        match (&self.docker_api, &self.docker_files) {
            (Ok(version), files) => {
                self.follow_docker = true;
                let instead = match files {
                    Directory::Logs(logs) if *logs > 0 => {
                        format!(", and not by the {logs} files in {directory}")
                    }
                    _ => String::new(),
                };
                self.reasons.push(format!(
                    "Docker {version} answers at {}: following its containers through the API, whatever their log driver{instead}",
                    places.docker
                ));
            }
            (Err(why), Directory::Logs(logs)) if *logs > 0 => {
                self.reasons.push(format!(
                    "{why}; following the {logs} json files in {directory} instead"
                ));
                self.files.push(format!("{directory}/*/*-json.log"));
            }
            (Err(why), Directory::Unreadable(error)) => {
                self.reasons.push(format!(
                    "{why}; {directory} may not be read either ({error})"
                ));
            }
            (Err(why), _) => self.reasons.push(why.to_string()),
        }
    }
}

/// Counts the logs in a directory that match `pattern` below it.
fn look(directory: &Path, pattern: &str) -> Directory {
    match fs::read_dir(directory) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Directory::Absent,
        Err(error) => return Directory::Unreadable(error.to_string()),
    }
    Patterns::new(&[format!("{}/{pattern}", directory.display())], &[]).map_or_else(
        |error| Directory::Unreadable(error.to_string()),
        |patterns| Directory::Logs(patterns.count()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with these files, whose Docker socket is missing.
    fn host(files: &[&str]) -> (tempfile::TempDir, Places) {
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            pods: dir.path().join("pods"),
            containers: dir.path().join("containers"),
            docker_containers: dir.path().join("docker"),
            docker: docker::Host::Unix(dir.path().join("docker.sock")),
        };
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        (dir, places)
    }

    #[test]
    fn an_empty_host_has_nothing_and_says_why() {
        let (_dir, places) = host(&[]);
        let found = discover(&places);
        assert!(found.is_empty());
        assert_eq!(found.pods, Directory::Absent);
        assert!(matches!(
            found.docker_api,
            Err(docker::Unreachable::NoSocket(_))
        ));
        assert!(
            found
                .reasons
                .iter()
                .any(|reason| reason.contains("there is no Docker socket at")),
            "{:?}",
            found.reasons
        );
    }

    #[test]
    fn pods_are_read_once_although_they_are_linked_to() {
        let (_dir, places) = host(&["pods/ns_pod_uid/app/0.log", "containers/pod_ns_app-0.log"]);
        let found = discover(&places);
        assert_eq!(
            found.files,
            [format!("{}/*/*/*.log", places.pods.display())]
        );
        assert!(found.pods_in_files && !found.follow_docker);
        assert_eq!(
            (found.pods, found.containers),
            (Directory::Logs(1), Directory::Logs(1))
        );
    }

    #[test]
    fn without_the_api_dockers_files_are_read() {
        let (_dir, places) = host(&["docker/1a/1a-json.log", "docker/1a/config.v2.json"]);
        let found = discover(&places);
        assert_eq!(
            found.files,
            [format!(
                "{}/*/*-json.log",
                places.docker_containers.display()
            )]
        );
        assert_eq!(found.docker_files, Directory::Logs(1));
    }

    #[test]
    fn what_is_no_engine_is_told_from_one_that_is_down() {
        let (_dir, places) = host(&["docker.sock"]);
        let probe = || discover(&places).docker_api.unwrap_err();
        assert!(matches!(probe(), docker::Unreachable::NotDocker(..)));
        let docker::Host::Unix(path) = &places.docker else {
            unreachable!()
        };
        fs::remove_file(path).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        // Answers nonsense, once for the knock and once for the request.
        let answers = std::thread::spawn(move || {
            for _ in 0..2 {
                use std::io::Write;
                let (mut socket, _) = listener.accept().unwrap();
                let _ = socket.write_all(b"SSH-2.0-nothing\r\n");
            }
        });
        assert!(matches!(probe(), docker::Unreachable::NotDocker(..)));
        answers.join().unwrap();
        assert!(matches!(probe(), docker::Unreachable::Refused(_)));
    }
}

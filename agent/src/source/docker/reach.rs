//! Whether the Docker engine can be reached, and in plain words why not.

/// Why the Docker engine cannot be asked. Its text is a sentence with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no such socket.
    #[error(
        "there is no Docker socket at {0}: start Docker, or name its socket (in a container: mount it, read-only is enough)"
    )]
    NoSocket(String),
    /// The socket may not be opened.
    #[error(
        "the Docker socket {0} may not be opened: run as root or as a member of the group that owns it (mostly `docker`)"
    )]
    Denied(String),
    /// Nobody listens.
    #[error("nothing answers at {0}: the Docker engine is not running, or still starting")]
    Refused(String),
    /// It does not speak the API, or does not answer in time.
    #[error("what listens at {0} does not answer as a Docker engine does: {1}")]
    NotDocker(String, String),
}

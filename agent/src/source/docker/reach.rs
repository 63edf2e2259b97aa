//! The way to the engine: whether it can be reached, in plain words why not, and the two kinds of connection.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Host;

/// How long the engine may take to begin an answer, in seconds.
const TIMEOUT_S: u64 = 60;

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

/// Asks the engine for its version. The client it gives speaks the engine's version of the API.
pub(super) async fn connect(host: &Host) -> Result<(Docker, String), Unreachable> {
    let name = host.to_string();
    // bollard does not tell these apart.
    knock(host, &name).await?;
    let not_docker =
        |error: bollard::errors::Error| Unreachable::NotDocker(name.clone(), error.to_string());
    let client = match host {
        Host::Unix(path) => {
            Docker::connect_with_unix(&path.to_string_lossy(), TIMEOUT_S, API_DEFAULT_VERSION)
        }
        Host::Tcp(address) => Docker::connect_with_http(address, TIMEOUT_S, API_DEFAULT_VERSION),
    }
    .map_err(not_docker)?;
    let client = client.negotiate_version().await.map_err(not_docker)?;
    let version = client.version().await.map_err(not_docker)?;
    let version = version.version.ok_or_else(|| {
        Unreachable::NotDocker(name.clone(), "its answer names no version".into())
    })?;
    Ok((client, version))
}

async fn knock(host: &Host, name: &str) -> Result<(), Unreachable> {
    let refused = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Unreachable::NoSocket(name.into()),
        ErrorKind::PermissionDenied => Unreachable::Denied(name.into()),
        ErrorKind::ConnectionRefused => Unreachable::Refused(name.into()),
        _ => Unreachable::NotDocker(name.into(), error.to_string()),
    };
    match host {
        Host::Unix(path) => {
            let metadata = std::fs::metadata(path).map_err(refused)?;
            if !metadata.file_type().is_socket() {
                return Err(Unreachable::NotDocker(
                    name.into(),
                    "it is no socket".into(),
                ));
            }
            UnixStream::connect(path).await.map(drop).map_err(refused)
        }
        Host::Tcp(address) => TcpStream::connect(address).await.map(drop).map_err(refused),
    }
}

/// Why a request for logs gives none.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLogs {
    /// The connection failed.
    #[error("{0}")]
    Lost(String),
    /// The engine has answered with an error.
    #[error("the engine answers {status}: {message}")]
    Answer {
        /// The HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
}

/// Requests logs and gives the body of the answer, to be read chunk by chunk.
///
/// Not through bollard, which collects a TTY's output up to the next line end, however far away that is: a container that
/// only prints `\r` would take all memory.
pub(super) async fn get_logs(host: &Host, path: &str) -> Result<Incoming, NoLogs> {
    let lost = |error: &dyn std::error::Error| NoLogs::Lost(error.to_string());
    let answer = async {
        match host {
            Host::Unix(socket) => {
                let socket = UnixStream::connect(socket)
                    .await
                    .map_err(|error| lost(&error))?;
                get(socket, "docker", path).await
            }
            Host::Tcp(address) => {
                let socket = TcpStream::connect(address)
                    .await
                    .map_err(|error| lost(&error))?;
                get(socket, address, path).await
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(TIMEOUT_S), answer)
        .await
        .map_err(|error| lost(&error))??;
    let status = answer.status().as_u16();
    let body = answer.into_body();
    if status == 200 {
        return Ok(body);
    }
    // The engine's errors are short; whatever else answers may not be.
    let message = http_body_util::Limited::new(body, 4096)
        .collect()
        .await
        .map_or_else(
            |_| String::new(),
            |body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
        );
    Err(NoLogs::Answer { status, message })
}

async fn get<S>(socket: S, host: &str, path: &str) -> Result<Response<Incoming>, NoLogs>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let lost = |error: &dyn std::error::Error| NoLogs::Lost(error.to_string());
    let (mut requests, connection) = handshake(TokioIo::new(socket))
        .await
        .map_err(|error| lost(&error))?;
    // Ends when the answer's body is dropped or read to its end; what goes wrong is told to the body's reader.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let request = Request::get(path)
        .header("host", host)
        .body(Empty::<Bytes>::new())
        .map_err(|error| lost(&error))?;
    requests
        .send_request(request)
        .await
        .map_err(|error| lost(&error))
}

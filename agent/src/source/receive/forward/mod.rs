//! The receiver of the Fluent forward protocol: Fluent Bit, Fluentd, Vector's `fluent`-speaking friends.
//!
//! | file | what |
//! |---|---|
//! | [`login`] | the shared key |
//! | [`message`] | what is sent |
//! | [`connection`] | bytes in, acknowledgements out |

mod connection;
pub mod login;
pub mod message;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use tracing::{debug, warn};

use super::{Intake, Refused};
use crate::shutdown::Shutdown;
use crate::source::Kind;
use crate::source::wake::wake_on;
use connection::{Connection, End};

/// What is being answered at a stop may take so long.
const DRAIN: Duration = Duration::from_secs(4);
/// How often is looked whether all connections have ended.
const LOOK: Duration = Duration::from_millis(20);
/// After the system refused a connection (no descriptors are left).
const AGAIN: Duration = Duration::from_millis(200);

/// Who is let in.
#[derive(Clone, Debug)]
pub struct Config {
    /// The key that senders must know, if any.
    pub shared_key: Option<String>,
    /// A message may be so long, before and after decompression.
    pub max_bytes: usize,
    /// Connections at a time.
    pub max_connections: usize,
}

/// Takes connections on `listener`, which does not block, on a thread of its own until a shutdown.
///
/// # Errors
/// When the thread cannot be started or no descriptor is left.
pub fn spawn(
    listener: TcpListener,
    config: Config,
    intake: Intake,
    shutdown: Shutdown,
) -> io::Result<JoinHandle<()>> {
    let wake = wake_on(&shutdown)?;
    std::thread::Builder::new()
        .name("source-forward".to_owned())
        .spawn(move || run(&listener, &Arc::new(config), &intake, &shutdown, &wake))
}

fn run(
    listener: &TcpListener,
    config: &Arc<Config>,
    intake: &Intake,
    shutdown: &Shutdown,
    wake: &OwnedFd,
) {
    let open = Arc::new(AtomicUsize::new(0));
    while !shutdown.is_triggered() {
        let mut fds = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(wake, PollFlags::IN),
        ];
        // An interrupted wait looks again.
        let _ = poll(&mut fds, None);
        match listener.accept() {
            Ok((stream, from)) => connect(stream, from, config, intake, shutdown, &open),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                debug!(%error, "a connection could not be taken");
                let _ = shutdown.wait_timeout(AGAIN);
            }
        }
    }
    let deadline = Instant::now() + DRAIN;
    while open.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
        std::thread::sleep(LOOK);
    }
}

fn connect(
    stream: TcpStream,
    from: SocketAddr,
    config: &Arc<Config>,
    intake: &Intake,
    shutdown: &Shutdown,
    open: &Arc<AtomicUsize>,
) {
    let receiver = Kind::Forward.as_str();
    if open.load(Ordering::Acquire) >= config.max_connections {
        // Closed at once: the sender tries again.
        intake.count_refused(receiver, &Refused::Busy);
        return;
    }
    open.fetch_add(1, Ordering::AcqRel);
    let place = Place {
        open: Arc::clone(open),
        intake: intake.clone(),
    };
    place.told(1);
    let (config, shutdown) = (Arc::clone(config), shutdown.clone());
    let started = std::thread::Builder::new()
        .name("forward".to_owned())
        .spawn(move || {
            let intake = &place.intake;
            // Inherited from the listener on some systems.
            let connection = stream
                .set_nonblocking(false)
                .and_then(|()| Connection::new(stream, intake, &config, &shutdown));
            let end = match connection {
                Ok(connection) => connection.serve(),
                Err(_) => End::Closed,
            };
            let count = |reason: &str| {
                let refused = &intake.inner.options.metrics.refused;
                refused.with_label_values(&[receiver, reason]).inc();
            };
            match end {
                End::Closed | End::Stopping => {}
                End::Refused(why) => {
                    debug!(%from, ?why, "a chunk was not taken");
                    intake.count_refused(receiver, &why);
                }
                End::Stranger => {
                    warn!(%from, "a sender does not know the shared key");
                    count("shared_key");
                }
                End::Slow => count("slow"),
            }
        });
    if let Err(error) = started {
        debug!(%error, "a connection could not be taken");
    }
}

/// A connection's place; free again with the value.
struct Place {
    open: Arc<AtomicUsize>,
    intake: Intake,
}

impl Place {
    fn told(&self, change: i64) {
        let connections = &self.intake.inner.options.metrics.connections;
        connections
            .with_label_values(&[Kind::Forward.as_str()])
            .add(change);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.told(-1);
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

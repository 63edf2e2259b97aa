//! Standard input: bytes until its end.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use logline::decode::Wrapper;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::wake::wake_on;
use super::{Closed, Counters, Kind, Message, Origin, Sender, SourceId, send};
use crate::shutdown::Shutdown;

/// How to read standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How its lines are wrapped.
    pub wrapper: Wrapper,
    /// At most so many bytes in one message.
    pub chunk_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            wrapper: Wrapper::Auto,
            chunk_bytes: 64 * 1024,
        }
    }
}

/// Reads file descriptor 0 on a thread of its own until its end, a shutdown, or until the receiver is gone.
///
/// # Errors
/// When the thread cannot be started or no descriptor is left.
pub fn spawn(
    config: Config,
    sender: Sender,
    shutdown: Shutdown,
    counters: Arc<Counters>,
) -> io::Result<JoinHandle<()>> {
    let wake = wake_on(&shutdown)?;
    std::thread::Builder::new()
        .name("source-stdin".into())
        .spawn(move || run(&config, &sender, &shutdown, &wake, &counters))
}

fn run(config: &Config, sender: &Sender, shutdown: &Shutdown, wake: &OwnedFd, counters: &Counters) {
    let id = SourceId::next();
    let opened = Message::Opened {
        id,
        origin: Arc::new(Origin::plain(Kind::Stdin, "stdin")),
        wrapper: config.wrapper,
        file: None,
        follows: None,
    };
    if send(sender, opened).is_err() {
        return;
    }
    // Not std's handle: its buffer would hide bytes from `poll`.
    let stdin = rustix::stdio::stdin();
    let mut buffer = vec![0; config.chunk_bytes.max(1)];
    let mut offset = 0;
    let reason = loop {
        let mut fds = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(wake, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => break Closed::Failed,
        }
        if shutdown.is_triggered() {
            return;
        }
        if fds[0].revents().is_empty() {
            continue;
        }
        match rustix::io::read(stdin, &mut buffer) {
            Ok(0) => break Closed::End,
            Ok(read) => {
                let bytes = buffer[..read].to_vec();
                counters.stdin_bytes.add(read as u64);
                if send(sender, Message::Bytes { id, offset, bytes }).is_err() {
                    return;
                }
                offset += read as u64;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => {
                tracing::warn!(%error, "standard input cannot be read any further");
                break Closed::Failed;
            }
        }
    };
    // A receiver that is gone has no use for the end either.
    let _ = send(sender, Message::Closed { id, reason });
}

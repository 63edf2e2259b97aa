//! Standard input: bytes until its end.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
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
        // Not std's handle: its buffer would hide bytes from `poll`.
        .spawn(move || {
            let input = rustix::stdio::stdin();
            run(input, &config, &sender, &shutdown, &wake, &counters);
        })
}

fn run(
    input: BorrowedFd<'_>,
    config: &Config,
    sender: &Sender,
    shutdown: &Shutdown,
    wake: &OwnedFd,
    counters: &Counters,
) {
    let id = SourceId::next();
    let opened = Message::Opened {
        id,
        origin: Arc::new(Origin::plain(Kind::Stdin, "stdin")),
        wrapper: config.wrapper,
        file: None,
        resumed: None,
        follows: None,
    };
    if send(sender, opened).is_err() {
        return;
    }
    let mut buffer = vec![0; config.chunk_bytes.max(1)];
    let mut offset = 0;
    let reason = loop {
        let mut fds = [
            PollFd::new(&input, PollFlags::IN),
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
        match rustix::io::read(input, &mut buffer) {
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::sync::mpsc::sync_channel;

    use super::*;

    /// Runs on a pipe, into which `write` writes; what is told until the thread ends.
    fn told(write: impl FnOnce(io::PipeWriter, &Shutdown)) -> Vec<Message> {
        let (reader, writer) = io::pipe().unwrap();
        let (sender, receiver) = sync_channel(1);
        let shutdown = Shutdown::new();
        let wake = wake_on(&shutdown).unwrap();
        let of_thread = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let config = Config {
                chunk_bytes: 5,
                ..Config::default()
            };
            let counters = Counters::default();
            run(
                reader.as_fd(),
                &config,
                &sender,
                &of_thread,
                &wake,
                &counters,
            );
            assert!(counters.stdin_bytes.get() <= 12);
        });
        write(writer, &shutdown);
        let told = receiver.iter().collect();
        thread.join().unwrap();
        told
    }

    #[test]
    fn everything_comes_in_order_and_then_the_end() {
        let told = told(|mut writer, _| writer.write_all(b"one\ntwo\nhalf").unwrap());
        let mut text: Vec<u8> = Vec::new();
        for message in &told {
            if let Message::Bytes { offset, bytes, .. } = message {
                assert_eq!(*offset, text.len() as u64);
                assert!(bytes.len() <= 5);
                text.extend(bytes);
            }
        }
        assert_eq!(text, b"one\ntwo\nhalf");
        assert!(matches!(told.first(), Some(Message::Opened { .. })));
        let end = Closed::End;
        assert!(matches!(told.last(), Some(Message::Closed { reason, .. }) if *reason == end));
    }

    #[test]
    fn a_shutdown_ends_it_although_nothing_is_written() {
        let mut kept = None;
        let told = told(|writer, shutdown| {
            kept = Some(writer);
            shutdown.trigger();
        });
        assert!(matches!(told.as_slice(), [Message::Opened { .. }]));
    }
}

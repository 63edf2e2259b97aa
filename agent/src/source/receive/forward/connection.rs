//! One connection: messages out of its bytes, each taken, and acknowledged once it is kept.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rmp::encode::write_str_len;
use tracing::debug;
use xxhash_rust::xxh3::Xxh3;

use super::Config;
use super::login::Login;
use super::message::{Entry, Message};
use crate::shutdown::Shutdown;
use crate::source::Kind;
use crate::source::receive::pour::Pour;
use crate::source::receive::{Intake, Refused, Share};
use crate::wire::forward::{map_len, text};
use crate::wire::msgpack::{Scan, Value};

/// How often a wait looks whether to stop.
const LOOK: Duration = Duration::from_millis(100);
/// A message that has begun goes on within this time; so does whoever reads answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long room for a message is waited for.
const ROOM: Duration = Duration::from_secs(10);
/// What was handed on is kept within this time, or is to come again.
const KEPT: Duration = Duration::from_secs(60);
/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// A PING may be so long.
const MAX_PING: usize = 8 * 1024;

/// Why a connection ends.
pub(super) enum End {
    /// The sender has closed it, or it broke.
    Closed,
    /// The agent stops.
    Stopping,
    /// What was sent is not taken; the sender, which gets no answer, repeats it.
    Refused(Refused),
    /// The sender does not know the shared key.
    Stranger,
    /// Half a message, and nothing more for long.
    Slow,
}

impl From<Refused> for End {
    fn from(why: Refused) -> Self {
        Self::Refused(why)
    }
}

pub(super) struct Connection<'a> {
    stream: TcpStream,
    intake: &'a Intake,
    config: &'a Config,
    shutdown: &'a Shutdown,
    /// What has come and was not taken yet.
    received: Vec<u8>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        stream: TcpStream,
        intake: &'a Intake,
        config: &'a Config,
        shutdown: &'a Shutdown,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // Answers are small and waited for.
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            intake,
            config,
            shutdown,
            received: Vec::new(),
        })
    }

    /// Takes messages until one side ends it.
    pub(super) fn serve(mut self) -> End {
        match self.talk() {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    fn talk(&mut self) -> Result<std::convert::Infallible, End> {
        if let Some(key) = &self.config.shared_key {
            self.let_in(key)?;
        }
        loop {
            self.wait_until_ready()?;
            let (length, share) = self.frame(self.config.max_bytes + PIECE)?;
            let rest = self.received.split_off(length);
            let frame = std::mem::replace(&mut self.received, rest);
            self.take(&frame, share)?;
        }
    }

    /// While the store keeps nothing, nothing is read: the sender waits, or goes elsewhere.
    fn wait_until_ready(&self) -> Result<(), End> {
        loop {
            match self.intake.check() {
                Ok(()) => return Ok(()),
                Err(Refused::Stopping) => return Err(End::Stopping),
                Err(_) => {
                    if self.shutdown.wait_timeout(LOOK) {
                        return Err(End::Stopping);
                    }
                }
            }
        }
    }

    fn let_in(&mut self, key: &str) -> Result<(), End> {
        let nonce = format!("{:016x}{:016x}", random(), random());
        let login = Login {
            host: &self.intake.inner.options.host,
            shared_key: key,
            nonce: &nonce,
        };
        let helo = login.helo();
        self.send(&helo)?;
        let (length, _share) = self.frame(MAX_PING)?;
        let ping = Value::read(&self.received[..length]);
        self.received.drain(..length);
        let Ok(Some((ping, _))) = ping else {
            return Err(End::Stranger);
        };
        let (pong, knows) = login.pong(&ping);
        self.send(&pong)?;
        if knows { Ok(()) } else { Err(End::Stranger) }
    }

    /// Reads until a whole value is there, of at most `limit` bytes: its length, and the room that it takes.
    fn frame(&mut self, limit: usize) -> Result<(usize, Share), End> {
        let mut scan = Scan::default();
        let mut share = self.intake.room(0)?;
        let mut had = 0;
        let mut moved = Instant::now();
        loop {
            let broken = |_| Refused::Malformed("no MessagePack");
            if let Some(length) = scan.end(&self.received).map_err(broken)? {
                return Ok((length, share));
            }
            if self.received.len() > limit {
                return Err(Refused::TooLarge.into());
            }
            if self.received.len() > had {
                self.grow(&mut share, self.received.len() - had)?;
                had = self.received.len();
                moved = Instant::now();
            } else if had > 0 && moved.elapsed() > PATIENCE {
                return Err(End::Slow);
            }
            self.read()?;
        }
    }

    fn grow(&self, share: &mut Share, more: usize) -> Result<(), End> {
        let deadline = Instant::now() + ROOM;
        while !share.grow(more) {
            if Instant::now() >= deadline {
                return Err(Refused::Busy.into());
            }
            if self.shutdown.wait_timeout(LOOK) {
                return Err(End::Stopping);
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), End> {
        let had = self.received.len();
        self.received.resize(had + PIECE, 0);
        let read = self.stream.read(&mut self.received[had..]);
        self.received.truncate(had + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(End::Closed),
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    if self.shutdown.is_triggered() {
                        return Err(End::Stopping);
                    }
                    Ok(())
                }
                _ => Err(End::Closed),
            },
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.stream.write_all(bytes).map_err(|_| End::Closed)
    }

    /// Takes one message, and acknowledges it where that is asked for.
    fn take(&mut self, frame: &[u8], mut share: Share) -> Result<(), End> {
        let bytes = &self.intake.inner.options.metrics.bytes;
        bytes
            .with_label_values(&[Kind::Forward.as_str()])
            .inc_by(frame.len() as u64);
        let message = Message::read(frame)?;
        let unpacked = message.unpack(self.config.max_bytes)?;
        self.grow(&mut share, unpacked.len())?;
        unpacked.check()?;
        let mut hash = Xxh3::new();
        let chunk = message.chunk.as_deref();
        for part in [
            message.tag.as_bytes(),
            chunk.unwrap_or_default(),
            unpacked.bytes(),
        ] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let (told, answer) = channel();
        let mut pour = Pour::new(
            self.intake,
            Kind::Forward,
            hash.digest(),
            chunk.is_some(),
            move |kept| {
                drop(share);
                // A connection that has gone needs no answer.
                let _ = told.send(kept);
            },
        );
        unpacked.each(&mut |entry| match entry {
            Entry::Record(record) => pour.push(record, &message.tag),
            Entry::Rejected(reason) => {
                pour.reject(reason);
                Ok(())
            }
            Entry::Nothing => Ok(()),
        })?;
        let summary = pour.finish()?;
        if summary.rejected() > 0 {
            debug!(tag = %message.tag, rejected = ?summary.rejected, "records of a chunk were not taken");
        }
        let Some(chunk) = chunk else {
            return Ok(());
        };
        match answer.recv_timeout(KEPT) {
            Ok(true) => self.acknowledge(chunk),
            Ok(false) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(Refused::NotKept.into())
            }
        }
    }

    fn acknowledge(&mut self, chunk: &[u8]) -> Result<(), End> {
        let mut out = Vec::with_capacity(chunk.len() + 16);
        map_len(1, &mut out);
        text("ack", &mut out);
        let length = u32::try_from(chunk.len()).unwrap_or(0);
        // Into a Vec: cannot fail.
        let _ = write_str_len(&mut out, length);
        out.extend_from_slice(chunk);
        self.send(&out)
    }
}

/// A number that nobody can foresee.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(Instant::now())
}

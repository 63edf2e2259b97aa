//! One connection to a receiver: TCP, TLS over it where wanted, the handshake where wanted, values out of the bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::handshake::{Credentials, Helo};
use crate::wire::msgpack::Value;

/// A receiver's message may be so long; its own take less than a kilobyte.
const MAX_MESSAGE: usize = 64 * 1024;

/// Why a connection is of no use.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody listens there, or its name is not known.
    Connect(io::Error),
    /// The other side has closed it, or it broke.
    Broken(io::Error),
    /// Nothing came in time.
    Late,
    /// What came is not what the protocol says.
    Protocol(String),
    /// Who asks is not let in, or the other side is not believed: waiting does not help.
    Refused(String),
    /// The session cannot be made safe: waiting does not help.
    Tls(String),
}

/// TLS, ready to be used.
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server_name: ServerName<'static>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An open connection.
pub(super) struct Connection {
    stream: Stream,
    received: Vec<u8>,
    /// The receiver takes more than one batch.
    pub(super) keepalive: bool,
}

impl Connection {
    /// Connects to `address` (`HOST:PORT`), with TLS and the handshake as wanted, before `deadline`.
    pub(super) fn open(
        address: &str,
        tls: Option<&Tls>,
        who: Option<&Credentials<'_>>,
        deadline: Instant,
    ) -> Result<Self, Trouble> {
        let socket = connect(address, deadline)?;
        // Small messages wait for an answer: none of them may wait for a full packet.
        socket.set_nodelay(true).map_err(Trouble::Connect)?;
        let stream = match tls {
            None => Stream::Plain(socket),
            Some(tls) => {
                let config = Arc::clone(&tls.config);
                let session = ClientConnection::new(config, tls.server_name.clone())
                    .map_err(|problem| Trouble::Tls(problem.to_string()))?;
                Stream::Tls(Box::new(StreamOwned::new(session, socket)))
            }
        };
        let mut connection = Self {
            stream,
            received: Vec::new(),
            keepalive: true,
        };
        if let Some(who) = who {
            connection.log_in(who, deadline)?;
        }
        Ok(connection)
    }

    fn log_in(&mut self, who: &Credentials<'_>, deadline: Instant) -> Result<(), Trouble> {
        let message = self.read(deadline).map_err(|trouble| match trouble {
            // A receiver without a shared key waits for the first message in silence.
            Trouble::Late => Trouble::Protocol(
                "the receiver sent no HELO in time; one that has no shared key sends none"
                    .to_owned(),
            ),
            trouble => trouble,
        })?;
        let helo = Helo::of(&message).ok_or_else(|| {
            Trouble::Refused(
                "the receiver does not begin with HELO: it asks for no shared key".to_owned(),
            )
        })?;
        let salt = salt()?;
        self.write(&helo.ping(who, &salt), deadline)?;
        let pong = self.read(deadline)?;
        helo.check_pong(&pong, who, &salt)
            .map_err(Trouble::Refused)?;
        self.keepalive = helo.keepalive;
        Ok(())
    }

    /// Whether the other side has closed it while it was not used.
    pub(super) fn is_stale(&self) -> bool {
        let socket = self.socket();
        if socket.set_nonblocking(true).is_err() {
            return true;
        }
        // Bytes that came unasked are no end: TLS 1.3 sends session tickets, and an acknowledgement may be late.
        let open = match socket.peek(&mut [0]) {
            Ok(waiting) => waiting > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        socket.set_nonblocking(false).is_err() || !open
    }

    /// Writes all of `bytes` before `deadline`.
    pub(super) fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), Trouble> {
        self.socket()
            .set_write_timeout(Some(left(deadline)?))
            .map_err(Trouble::Broken)?;
        // TLS reads while it writes: its handshake comes first.
        self.socket()
            .set_read_timeout(Some(left(deadline)?))
            .map_err(Trouble::Broken)?;
        // In pieces, so that a slow receiver is held against the deadline and not against each write's own time.
        for piece in bytes.chunks(64 * 1024) {
            let written = match &mut self.stream {
                Stream::Plain(stream) => stream.write_all(piece),
                Stream::Tls(stream) => stream.write_all(piece).and_then(|()| stream.flush()),
            };
            written.map_err(told)?;
            left(deadline)?;
        }
        Ok(())
    }

    /// Reads the next message before `deadline`.
    pub(super) fn read(&mut self, deadline: Instant) -> Result<Value, Trouble> {
        loop {
            match Value::read(&self.received) {
                Ok(Some((value, used))) => {
                    self.received.drain(..used);
                    return Ok(value);
                }
                Ok(None) if self.received.len() < MAX_MESSAGE => {}
                Ok(None) | Err(_) => {
                    return Err(Trouble::Protocol(
                        "the receiver's answer is no MessagePack of the protocol".to_owned(),
                    ));
                }
            }
            self.socket()
                .set_read_timeout(Some(left(deadline)?))
                .map_err(Trouble::Broken)?;
            let mut chunk = [0; 4096];
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut chunk),
                Stream::Tls(stream) => stream.read(&mut chunk),
            };
            match read.map_err(told)? {
                0 => {
                    let closed = io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the receiver closed the connection",
                    );
                    return Err(Trouble::Broken(closed));
                }
                n => self.received.extend_from_slice(&chunk[..n]),
            }
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

/// What an error of a read or a write means.
fn told(error: io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Trouble::Late,
        // What rustls says of a certificate that it does not believe, among others.
        ErrorKind::InvalidData => Trouble::Tls(error.to_string()),
        _ => Trouble::Broken(error),
    }
}

fn left(deadline: Instant) -> Result<Duration, Trouble> {
    let left = deadline.saturating_duration_since(Instant::now());
    // A socket takes no time-out of nothing.
    if left < Duration::from_millis(1) {
        return Err(Trouble::Late);
    }
    Ok(left)
}

fn connect(address: &str, deadline: Instant) -> Result<TcpStream, Trouble> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs().map_err(Trouble::Connect)? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(Trouble::Connect(last))
}

/// Sixteen bytes that nobody can guess, as text.
fn salt() -> Result<String, Trouble> {
    let mut bytes = [0; 16];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| Trouble::Protocol("the system has no random bytes".to_owned()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

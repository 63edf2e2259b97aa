//! An HTTP server that takes what a sink sends, or is slow, refuses, hangs, or cuts the connection: as the test says.
#![allow(
    dead_code,
    reason = "several test binaries share it, and each takes what it needs"
)]

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers with this status, these headers and this text.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// Answers with status 200 and a text of its own.
    Text(String),
    /// Answers nothing for so long, then closes.
    Hang(Duration),
    /// Closes after so many bytes of the body were read, without an answer.
    Cut(usize),
}

impl Answer {
    /// A status alone.
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, Vec::new(), "")
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `POST /in HTTP/1.1`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Decompressed.
    pub(crate) body: Vec<u8>,
    /// How many bytes the body had on the wire.
    pub(crate) wire_bytes: usize,
    /// What was done with it.
    pub(crate) answer: Answer,
    /// When it was there.
    pub(crate) at: Instant,
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// Whether the server said that it has taken it.
    pub(crate) fn was_taken(&self) -> bool {
        matches!(self.answer, Answer::Status(200..=299, ..) | Answer::Text(_))
    }
}

type Decide = dyn Fn(usize, &Request) -> Answer + Send + Sync;
/// Puts a layer (TLS) around a connection.
pub(crate) type Wrap = dyn Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync;

/// What requests come over.
pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    came: Condvar,
    ended: AtomicBool,
    connections: AtomicUsize,
}

/// The server; it ends with the value.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Listens on a free port; `decide` says what becomes of the nth request (from 0).
    pub(crate) fn start(
        decide: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), None, decide)
    }

    /// Listens on this one, through `wrap`.
    pub(crate) fn listen(
        listener: TcpListener,
        wrap: Option<Box<Wrap>>,
        decide: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (known, decide): (_, Arc<Decide>) = (Arc::clone(&shared), Arc::new(decide));
        let wrap = wrap.map(Arc::new);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                if known.ended.load(Ordering::Acquire) {
                    break;
                }
                let Ok(socket) = socket else { continue };
                let (shared, decide, wrap) =
                    (Arc::clone(&known), Arc::clone(&decide), wrap.clone());
                std::thread::spawn(move || {
                    shared.connections.fetch_add(1, Ordering::AcqRel);
                    // A client that goes away is no failure of the server.
                    let _ = serve(socket, &shared, &*decide, wrap.as_deref().map(|w| &**w));
                });
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().clone()
    }

    /// Forgets the requests so far: a long run would keep them all.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    /// The bodies that were taken.
    pub(crate) fn taken(&self) -> Vec<Vec<u8>> {
        let requests = self.lock();
        let taken = requests.iter().filter(|request| request.was_taken());
        taken.map(|request| request.body.clone()).collect()
    }

    /// Waits until `enough` says so of the requests, at most 30 seconds.
    pub(crate) fn wait(&self, enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut requests = self.lock();
        while !enough(&requests) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the receiver waited in vain: {} requests",
                requests.len()
            );
            requests = self
                .shared
                .came
                .wait_timeout(requests, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        requests.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Request>> {
        self.shared
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the listener, which then sees that it is to end.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    socket: TcpStream,
    shared: &Shared,
    decide: &Decide,
    wrap: Option<&Wrap>,
) -> io::Result<()> {
    let stream: Box<dyn Stream> = match wrap {
        Some(wrap) => wrap(socket)?,
        None => Box::new(socket),
    };
    let mut stream = BufReader::new(stream);
    while let Some((line, headers)) = head(&mut stream)? {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let length: usize = header("content-length").parse().unwrap_or(0);
        let mut request = Request {
            line,
            body: Vec::new(),
            wire_bytes: length,
            answer: Answer::status(500),
            at: Instant::now(),
            headers: headers.clone(),
        };
        // One request at a time is decided on, so that the numbers are those of the order kept.
        let number = shared
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        if let Answer::Cut(bytes) = decide(number, &request) {
            let mut some = vec![0; bytes.min(length)];
            stream.read_exact(&mut some)?;
            request.answer = Answer::Cut(bytes);
            keep(shared, request);
            return Ok(());
        }
        let mut wire = vec![0; length];
        stream.read_exact(&mut wire)?;
        request.body = decompress(header("content-encoding"), wire)?;
        request.answer = decide(number, &request);
        let answer = request.answer.clone();
        keep(shared, request);
        match answer {
            Answer::Status(status, headers, text) => {
                write_answer(stream.get_mut(), status, &headers, text)?;
            }
            Answer::Text(text) => write_answer(stream.get_mut(), 200, &[], &text)?,
            Answer::Hang(time) => {
                std::thread::sleep(time);
                return Ok(());
            }
            Answer::Cut(_) => return Ok(()),
        }
    }
    Ok(())
}

fn write_answer(
    out: &mut impl Write,
    status: u16,
    headers: &[(&'static str, String)],
    text: &str,
) -> io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {status} As Asked\r\nContent-Length: {}\r\n",
        text.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    out.write_all(format!("{head}\r\n{text}").as_bytes())?;
    out.flush()
}

fn keep(shared: &Shared, request: Request) {
    shared
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request);
    shared.came.notify_all();
}

type Head = (String, Vec<(String, String)>);

fn head(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<Option<Head>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header)? == 0 {
            return Ok(None);
        }
        match header.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            None => return Ok(Some((line.trim_end().to_owned(), headers))),
        }
    }
}

fn decompress(encoding: &str, wire: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match encoding {
        "gzip" => {
            flate2::read::GzDecoder::new(&wire[..]).read_to_end(&mut body)?;
        }
        "zstd" => body = zstd::stream::decode_all(&wire[..])?,
        _ => body = wire,
    }
    Ok(body)
}

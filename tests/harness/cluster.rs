//! A small API server of a Kubernetes cluster, over TLS: the list and the watch of one node's pods, with a token, and with the
//! faults of the real ones.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::until;

/// The node whose pods it has.
pub(crate) const NODE: &str = "node-a";

type Connection = StreamOwned<ServerConnection, TcpStream>;

/// A request, and the status that it was answered with.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) query: String,
    pub(crate) status: u16,
}

impl Asked {
    pub(crate) fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }

    /// One parameter of the query, not decoded.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

struct Inner {
    pods: Vec<Value>,
    version: u64,
    /// What watches are told: versions and lines.
    log: Vec<(u64, String)>,
    /// The server knows no version before this one.
    oldest: u64,
    /// Pods in one piece of a list that does not come from the cache.
    page: usize,
    token: String,
    /// Every request is refused with this status.
    refusal: Option<u16>,
    asked: Vec<Asked>,
    /// Watches that began before this number end.
    cuts: u64,
    /// They end in the middle of an event.
    in_an_event: bool,
    /// Watches that are open.
    watches: usize,
}

struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    ended: AtomicBool,
}

/// The server; it ends with the value.
pub(crate) struct Cluster {
    address: SocketAddr,
    shared: Arc<Shared>,
    account: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Starts one, with a service account's directory in `dir`; none where there is no openssl to make a certificate with.
    pub(crate) fn start(dir: &Path) -> Option<Self> {
        let account = dir.join("serviceaccount");
        fs::create_dir_all(&account).unwrap();
        if !certificates(dir) {
            println!("SKIPPED: there is no openssl to make certificates with");
            return None;
        }
        fs::copy(dir.join("api-ca.pem"), account.join("ca.crt")).unwrap();
        fs::write(account.join("token"), "first-token").unwrap();
        let chain: Vec<_> = CertificateDer::pem_file_iter(dir.join("api.pem"))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_file(dir.join("api.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let tls = Arc::new(tls);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner {
                pods: Vec::new(),
                version: 100,
                log: Vec::new(),
                oldest: 0,
                page: 100,
                token: "first-token".to_owned(),
                refusal: None,
                asked: Vec::new(),
                cuts: 0,
                in_an_event: false,
                watches: 0,
            }),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
        });
        let known = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if known.ended.load(Ordering::Acquire) {
                    break;
                }
                let (shared, tls) = (Arc::clone(&known), Arc::clone(&tls));
                std::thread::spawn(move || {
                    let Ok(session) = ServerConnection::new(tls) else {
                        return;
                    };
                    // A client that goes away is no failure of the server.
                    let _ = serve(StreamOwned::new(session, socket), &shared);
                });
            }
        });
        Some(Self {
            address,
            shared,
            account,
            thread: Some(thread),
        })
    }

    /// The section `kubernetes` of a configuration that asks it.
    pub(crate) fn section(&self) -> String {
        format!(
            "kubernetes: {{server: \"https://{}\", service_account: \"{}\", node: {NODE}, labels: [app, tier]}}",
            self.address,
            self.account.display()
        )
    }

    /// A pod comes, or changes.
    pub(crate) fn put(&self, pod: Value) {
        let mut inner = self.lock();
        let uid = pod["metadata"]["uid"].clone();
        let known = inner
            .pods
            .iter()
            .position(|known| known["metadata"]["uid"] == uid);
        let kind = if known.is_some() { "MODIFIED" } else { "ADDED" };
        if let Some(at) = known {
            inner.pods.remove(at);
        }
        let pod = inner.tell(kind, pod);
        inner.pods.push(pod);
        self.shared.changed.notify_all();
    }

    /// A pod is deleted.
    pub(crate) fn delete(&self, uid: &str) {
        let mut inner = self.lock();
        let at = inner
            .pods
            .iter()
            .position(|known| known["metadata"]["uid"] == uid)
            .unwrap();
        let pod = inner.pods.remove(at);
        inner.tell("DELETED", pod);
        self.shared.changed.notify_all();
    }

    /// Something has happened elsewhere in the cluster, and a bookmark says so. Gives its version.
    pub(crate) fn bookmark(&self) -> u64 {
        let mut inner = self.lock();
        inner.version += 50;
        inner.tell(
            "BOOKMARK",
            json!({"kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": {"containers": null}}),
        );
        self.shared.changed.notify_all();
        inner.version
    }

    /// Versions before this one are forgotten.
    pub(crate) fn forget_before(&self, version: u64) {
        let mut inner = self.lock();
        inner.oldest = version;
        inner.log.retain(|(known, _)| *known >= version);
    }

    /// Time passes in which nobody watches: the next watch is behind.
    pub(crate) fn forget_all(&self) {
        let mut inner = self.lock();
        inner.version += 1000;
        inner.oldest = inner.version;
        inner.log.clear();
    }

    /// A list that does not come from the cache comes in pieces of so many.
    pub(crate) fn list_in_pieces_of(&self, page: usize) {
        self.lock().page = page;
    }

    /// All connections that watch are cut, in the middle of an event where that is asked for.
    pub(crate) fn cut(&self, in_an_event: bool) {
        let mut inner = self.lock();
        inner.cuts += 1;
        inner.in_an_event = in_an_event;
        self.shared.changed.notify_all();
    }

    /// Every request is refused with `status` from now on; none: no longer.
    pub(crate) fn refuse(&self, status: Option<u16>) {
        self.lock().refusal = status;
    }

    /// The token that is taken is another one now.
    pub(crate) fn rotate_token(&self) {
        self.lock().token = "second-token".to_owned();
    }

    /// The new token is in the file.
    pub(crate) fn renew_token(&self) {
        fs::write(self.account.join("token"), "second-token\n").unwrap();
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// Waits until `enough` says so of the requests.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, enough: impl Fn(&[Asked]) -> bool) -> Vec<Asked> {
        until(
            what,
            || Some(self.asked()).filter(|asked| enough(asked)),
            || format!("{:#?}", self.asked()),
        )
    }

    /// Waits until somebody watches.
    #[track_caller]
    pub(crate) fn wait_for_a_watch(&self) {
        until(
            "a watch",
            || (self.lock().watches > 0).then_some(()),
            || format!("{:#?}", self.asked()),
        );
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.lock()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.changed.notify_all();
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Inner {
    /// Gives `object` the next version and tells watches of it.
    fn tell(&mut self, kind: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let line = json!({"type": kind, "object": object}).to_string();
        self.log.push((self.version, format!("{line}\n")));
        object
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(connection: Connection, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(connection);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut bearer = String::new();
        loop {
            let mut header = String::new();
            if stream.read_line(&mut header)? == 0 || header.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("authorization")
            {
                bearer = value.trim().to_owned();
            }
        }
        let target = line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut asked = Asked {
            query: query.to_owned(),
            status: 200,
        };
        let wanted = format!("spec.nodeName%3D{NODE}");
        let mut inner = shared.lock();
        let refusal = if bearer != format!("Bearer {}", inner.token) {
            Some(401)
        } else if path != "/api/v1/pods" {
            Some(404)
        } else if asked.value("fieldSelector") != Some(wanted.as_str()) {
            Some(400)
        } else {
            inner.refusal
        };
        asked.status = refusal.unwrap_or(200);
        inner.asked.push(asked.clone());
        let out = stream.get_mut();
        if let Some(code) = refusal {
            drop(inner);
            let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": "refused, says the test"});
            answer(out, code, &status)?;
        } else if asked.is_watch() {
            drop(inner);
            return watch(out, &asked, shared);
        } else {
            let list = list(&inner, &asked);
            drop(inner);
            answer(out, 200, &list)?;
        }
    }
}

fn answer(out: &mut Connection, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    write!(
        out,
        "HTTP/1.1 {status} As Asked\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    out.flush()
}

fn list(inner: &Inner, asked: &Asked) -> Value {
    // What comes from the cache comes whole.
    let from_cache = asked.value("resourceVersion") == Some("0");
    let page = if from_cache { usize::MAX } else { inner.page };
    let from: usize = asked
        .value("continue")
        .map_or(0, |token| token.parse().unwrap());
    let items: Vec<_> = inner.pods.iter().skip(from).take(page).cloned().collect();
    let next = from + items.len();
    let mut metadata = json!({"resourceVersion": inner.version.to_string()});
    if next < inner.pods.len() {
        metadata["continue"] = json!(next.to_string());
    }
    json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items})
}

fn watch(out: &mut Connection, asked: &Asked, shared: &Shared) -> io::Result<()> {
    write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )?;
    out.flush()?;
    let mut at: u64 = asked
        .value("resourceVersion")
        .unwrap_or_default()
        .parse()
        .unwrap();
    let begun = {
        let mut inner = shared.lock();
        inner.watches += 1;
        inner.cuts
    };
    let ended = told(out, &mut at, begun, shared);
    shared.lock().watches -= 1;
    ended
}

fn told(out: &mut Connection, at: &mut u64, begun: u64, shared: &Shared) -> io::Result<()> {
    loop {
        let mut inner = shared.lock();
        if shared.ended.load(Ordering::Acquire) {
            return Ok(());
        }
        if inner.cuts > begun {
            if inner.in_an_event {
                drop(inner);
                chunk(out, r#"{"type":"MODIFIED","object":{"metadata":{"na"#)?;
            }
            return out.sock.shutdown(std::net::Shutdown::Both);
        }
        if *at < inner.oldest {
            let oldest = inner.oldest;
            drop(inner);
            let gone = json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("too old resource version: {at} ({oldest})"), "reason": "Expired", "code": 410}});
            chunk(out, &format!("{gone}\n"))?;
            out.write_all(b"0\r\n\r\n")?;
            return out.flush();
        }
        let news: Vec<_> = inner
            .log
            .iter()
            .filter(|(version, _)| version > at)
            .cloned()
            .collect();
        if news.is_empty() {
            inner = shared
                .changed
                .wait_timeout(inner, Duration::from_millis(200))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            drop(inner);
            continue;
        }
        drop(inner);
        for (version, line) in news {
            // An event may come in two pieces.
            let (first, rest) = line.split_at(line.len() / 2);
            chunk(out, first)?;
            chunk(out, rest)?;
            *at = version;
        }
    }
}

fn chunk(out: &mut Connection, text: &str) -> io::Result<()> {
    write!(out, "{:x}\r\n{text}\r\n", text.len())?;
    out.flush()
}

/// An authority and a server's certificate for this host.
fn certificates(dir: &Path) -> bool {
    let openssl = |args: &str| {
        Command::new("openssl")
            .args(args.split_whitespace())
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !openssl("version") {
        return false;
    }
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    assert!(openssl(&format!(
        "req -x509 {key} -keyout api-ca.key -out api-ca.pem -days 2 -subj /CN=cluster"
    )));
    fs::write(dir.join("api.ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    assert!(openssl(&format!(
        "req {key} -keyout api.key -out api.csr -subj /CN=api"
    )));
    assert!(openssl(
        "x509 -req -in api.csr -CA api-ca.pem -CAkey api-ca.key -CAcreateserial -days 2 -extfile api.ext -out api.pem"
    ));
    true
}

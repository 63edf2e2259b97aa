//! Requests over HTTP, as sinks and the LLM make them: the connection is kept, secrets are read again when they may have
//! changed, and an answer is a status with a bounded text.
//!
//! Enters: a body and how long to wait for it. Leaves: an [`Answer`], or why there is none ([`Failure`]). What either means
//! is the caller's business; [`Backoff`] says how long to wait before the next attempt.

mod answer;
mod backoff;
mod certificates;
mod named;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use ureq::{Agent, Body, Proxy};

pub use answer::{Answer, CUT, Failure};
pub use backoff::Backoff;

use named::Named;

use crate::config::sinks::{self, Auth, Compression, Secret};

/// Tokens that a platform renews (projected service account tokens, for one) are found after so long.
const SECRETS_AGE: Duration = Duration::from_secs(60);
/// A connection that was idle for longer is not used again: receivers close theirs after a minute or so.
const IDLE: Duration = Duration::from_secs(30);

/// A request that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// Its body, compressed as `compression` says.
    pub body: &'a [u8],
    /// What the body is.
    pub content_type: &'static str,
    /// How it is compressed.
    pub compression: Compression,
    /// The answer must be there after so long, or the client's own bound where that is less.
    pub patience: Duration,
    /// At most so much of the answer is read, in bytes.
    pub answer_bytes: u64,
}

/// Makes requests to one address.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    settings: sinks::Client,
    uri: Uri,
    /// What every request has: what was configured, and who asks.
    headers: HeaderMap,
    /// When the secrets among them were read; none: they are to be read before the next request.
    read_at: Option<Instant>,
}

impl Client {
    /// A client that is not connected yet.
    ///
    /// # Errors
    /// In words, where a certificate, key or proxy cannot be used.
    pub fn new(settings: &sinks::Client) -> Result<Self, String> {
        let uri: Uri = settings
            .url
            .parse()
            .map_err(|error| format!("url: {error}"))?;
        let proxy = match &settings.proxy {
            sinks::Proxy::None => None,
            sinks::Proxy::Environment => Proxy::try_from_env(),
            sinks::Proxy::Url(url) => {
                Some(Proxy::new(url).map_err(|error| format!("proxy: {error}"))?)
            }
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirected POST becomes a GET in most clients, and its events are lost: it is told instead.
            .max_redirects(0)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(IDLE)
            .tls_config(certificates::tls(&settings.tls)?);
        let (agent, uri) = match &settings.tls.server_name {
            // The proxy would be asked for the server's name, which need not have an address.
            Some(name) => {
                let named = Named::new(name, &uri)?;
                let uri = named.uri().clone();
                (named.agent(config.proxy(None).build()), uri)
            }
            None => (config.proxy(proxy).build().new_agent(), uri),
        };
        let mut client = Self {
            agent,
            settings: settings.clone(),
            uri,
            headers: HeaderMap::new(),
            read_at: None,
        };
        client.refresh()?;
        Ok(client)
    }

    /// Sends `request` and reads the answer.
    ///
    /// # Errors
    /// What happened, where there is no answer.
    pub fn send(&mut self, request: &Sending<'_>) -> Result<Answer, Failure> {
        let (answer, body) = self.open(request)?;
        // The status decides; a text that does not come whole changes nothing of it.
        let text = body
            .into_with_config()
            .limit(request.answer_bytes)
            .read_to_vec()
            .unwrap_or_default();
        Ok(answer.with_body(text))
    }

    /// Sends `request`; the answer's body is still to be read. `request.patience` holds for the reading, too.
    ///
    /// # Errors
    /// What happened, where there is no answer.
    pub fn open(&mut self, request: &Sending<'_>) -> Result<(Answer, Body), Failure> {
        self.keep_fresh();
        let sent = self.prepare(request).and_then(|sent| {
            let patience = request.patience.min(self.settings.timeout);
            let sent = self
                .agent
                .configure_request(sent)
                .timeout_global(Some(patience))
                .build();
            self.agent.run(sent)
        });
        let (head, body) = sent.map_err(|error| Failure::of(&error))?.into_parts();
        let answer = self.answered(head.status.as_u16(), &head.headers);
        Ok((answer, body))
    }

    /// Asks the same host for `path` (with its query), with a GET; the answer's body is still to be read, and may come in pieces
    /// for as long as `whole` says. The answer's head must be there after the client's own bound.
    ///
    /// # Errors
    /// What happened, where there is no answer.
    pub fn open_at(&mut self, path: &str, whole: Duration) -> Result<(Answer, Body), Failure> {
        self.keep_fresh();
        let uri = Uri::builder()
            .scheme(self.uri.scheme_str().unwrap_or("http"))
            .authority(
                self.uri
                    .authority()
                    .map_or("", |authority| authority.as_str()),
            )
            .path_and_query(path)
            .build();
        let sent = uri.map_err(ureq::Error::from).and_then(|uri| {
            let mut asked = self.agent.get(uri);
            if let Some(headers) = asked.headers_mut() {
                headers.extend(self.headers.clone());
            }
            let bound = Some(self.settings.timeout);
            asked
                .config()
                .timeout_connect(bound)
                .timeout_recv_response(bound)
                .timeout_recv_body(Some(whole))
                .build()
                .call()
        });
        let (head, body) = sent.map_err(|error| Failure::of(&error))?.into_parts();
        let answer = self.answered(head.status.as_u16(), &head.headers);
        Ok((answer, body))
    }

    /// Reads secrets again that may have changed.
    fn keep_fresh(&mut self) {
        if self.read_at.is_none_or(|at| at.elapsed() >= SECRETS_AGE)
            && let Err(why) = self.refresh()
        {
            // The one from before may still do; if it does not, the answer says so.
            tracing::warn!(host = ?self.uri.host(), why, "a secret cannot be read again");
            self.read_at = Some(Instant::now());
        }
    }

    /// An answer has come; one that refuses who asks has the secrets read again before the next request.
    fn answered(&mut self, status: u16, headers: &HeaderMap) -> Answer {
        let answer = Answer::new(status, headers);
        if answer.is_refusal_of_who_asks() {
            self.read_at = None;
        }
        answer
    }

    /// Asks for what lies at the address, with a GET, and reads the answer.
    ///
    /// # Errors
    /// What happened, where there is no answer.
    pub fn get(&mut self, patience: Duration, answer_bytes: u64) -> Result<Answer, Failure> {
        let mut asked = self.agent.get(self.uri.clone());
        if let Some(headers) = asked.headers_mut() {
            headers.extend(self.headers.clone());
        }
        let patience = patience.min(self.settings.timeout);
        let sent = asked.config().timeout_global(Some(patience)).build().call();
        let (head, body) = sent.map_err(|error| Failure::of(&error))?.into_parts();
        let answer = Answer::new(head.status.as_u16(), &head.headers);
        let text = body
            .into_with_config()
            .limit(answer_bytes)
            .read_to_vec()
            .unwrap_or_default();
        Ok(answer.with_body(text))
    }

    fn prepare<'b>(&self, request: &Sending<'b>) -> Result<Request<&'b [u8]>, ureq::Error> {
        let mut sent = Request::post(self.uri.clone()).body(request.body)?;
        let headers = sent.headers_mut();
        let content_type = HeaderValue::from_static(request.content_type);
        headers.insert(CONTENT_TYPE, content_type);
        let encoding = match request.compression {
            Compression::None => None,
            Compression::Gzip(_) => Some("gzip"),
            Compression::Zstd(_) => Some("zstd"),
        };
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        Ok(sent)
    }

    /// Reads the secrets. Where one cannot be read, all from before stay.
    fn refresh(&mut self) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("logsieve/", env!("CARGO_PKG_VERSION"))),
        );
        for (name, secret) in &self.settings.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|error| format!("headers.{name}: {error}"))?;
            let value = sensitive(&read(secret)?)?;
            headers.insert(name, value);
        }
        match &self.settings.auth {
            Auth::None => {}
            Auth::Bearer(token) => {
                let value = sensitive(&format!("Bearer {}", read(token)?))?;
                headers.insert(AUTHORIZATION, value);
            }
            Auth::Basic { user, password } => {
                let pair = BASE64_STANDARD.encode(format!("{user}:{}", read(password)?));
                headers.insert(AUTHORIZATION, sensitive(&format!("Basic {pair}"))?);
            }
        }
        if self.settings.tls.server_name.is_some()
            && !headers.contains_key(HOST)
            && let Some(host) = host_of(&self.settings.url)
        {
            headers.insert(HOST, host);
        }
        self.headers = headers;
        self.read_at = Some(Instant::now());
        Ok(())
    }
}

fn read(secret: &Secret) -> Result<String, String> {
    secret.read().map_err(|error| error.to_string())
}

fn sensitive(text: &str) -> Result<HeaderValue, String> {
    // The value itself must not get into a message.
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "a header's value holds line breaks or control characters".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The host and port of `url`, which is what the receiver is called there.
fn host_of(url: &str) -> Option<HeaderValue> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?;
    let host = match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    HeaderValue::from_str(&host).ok()
}

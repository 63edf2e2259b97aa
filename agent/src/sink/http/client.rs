//! One HTTP client per sink: its connection is kept, its secrets are read again when they may have changed.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use super::answer::{self, Answer};
use super::named::Named;
use crate::config::sinks::{self, Auth, Compression, Secret, Tls};
use crate::sink::transport::{Outcome, Prepared};

/// Tokens that a platform renews (projected service account tokens, for one) are found after so long.
const SECRETS_AGE: Duration = Duration::from_secs(60);
/// At most so much of an answer's body is read: a message, or a partial success.
const ANSWER_BYTES: u64 = 64 * 1024;
/// A connection that was idle for longer is not used again: receivers close theirs after a minute or so.
const IDLE: Duration = Duration::from_secs(30);

/// Makes requests to one address.
#[derive(Debug)]
pub(in crate::sink) struct Client {
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
    pub(in crate::sink) fn new(settings: &sinks::Client) -> Result<Self, String> {
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
            .tls_config(tls(&settings.tls)?);
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

    /// Sends `request` as the body of a POST with this content type.
    ///
    /// # Errors
    /// What becomes of the request where there is no answer.
    pub(in crate::sink) fn post(
        &mut self,
        request: &Prepared<'_>,
        content_type: &'static str,
    ) -> Result<Answer, Outcome> {
        if self.read_at.is_none_or(|at| at.elapsed() >= SECRETS_AGE)
            && let Err(why) = self.refresh()
        {
            // The one from before may still do; if it does not, the answer says so.
            tracing::warn!(host = ?self.uri.host(), why, "a secret cannot be read again");
            self.read_at = Some(Instant::now());
        }
        let sent = self.prepare(request, content_type).and_then(|sent| {
            let patience = request.patience.min(self.settings.timeout);
            let sent = self
                .agent
                .configure_request(sent)
                .timeout_global(Some(patience))
                .build();
            self.agent.run(sent)
        });
        let answer = sent.map(|response| {
            let (head, mut body) = response.into_parts();
            // The status decides; a text that does not come whole changes nothing of it.
            let text = body
                .with_config()
                .limit(ANSWER_BYTES)
                .read_to_vec()
                .unwrap_or_default();
            Answer::new(head.status.as_u16(), &head.headers, text)
        });
        match answer {
            Ok(answer) => {
                if answer.is_refusal_of_who_asks() {
                    self.read_at = None;
                }
                Ok(answer)
            }
            Err(error) => Err(answer::failed(&error)),
        }
    }

    fn prepare<'b>(
        &self,
        request: &Prepared<'b>,
        content_type: &'static str,
    ) -> Result<Request<&'b [u8]>, ureq::Error> {
        let mut sent = Request::post(self.uri.clone()).body(request.body)?;
        let headers = sent.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
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

fn tls(settings: &Tls) -> Result<TlsConfig, String> {
    let mut config = TlsConfig::builder().disable_verification(settings.insecure);
    if let Some(path) = &settings.ca_file {
        let authorities = certificates("tls.ca_file", path)?;
        config = config.root_certs(RootCerts::new_with_certs(&authorities));
    }
    if let Some((cert, key)) = &settings.client {
        let chain = certificates("tls.cert_file", cert)?;
        let key = private_key(key)?;
        fits(&chain, &key)?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}

fn pem(key: &str, path: &Path) -> Result<Vec<PemItem<'static>>, String> {
    let text = std::fs::read(path)
        .map_err(|error| format!("{key}: {} cannot be read: {error}", path.display()))?;
    parse_pem(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{key}: {}: {error}", path.display()))
}

fn certificates(key: &str, path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let found: Vec<_> = pem(key, path)?
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(format!("{key}: {} holds no certificate", path.display()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, String> {
    pem("tls.key_file", path)?
        .into_iter()
        .find_map(|item| match item {
            PemItem::PrivateKey(key) => Some(key),
            _ => None,
        })
        .ok_or_else(|| format!("tls.key_file: {} holds no private key", path.display()))
}

/// Whether key and certificate belong together: found now, because the client takes it for granted later.
fn fits(chain: &[Certificate<'_>], key: &PrivateKey<'_>) -> Result<(), String> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der().to_vec()))
        .collect();
    let key = PrivateKeyDer::try_from(key.der().to_vec())
        .map_err(|error| format!("tls.key_file: {error}"))?;
    let provider = rustls::crypto::ring::default_provider();
    rustls::sign::CertifiedKey::from_der(chain, key, &provider)
        .map(drop)
        .map_err(|error| format!("tls.cert_file and tls.key_file: {error}"))
}

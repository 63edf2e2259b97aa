//! Certificates made for the test, and a server that uses them.

use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::receiver::{Answer, Receiver, Stream};
use super::rig::{Rig, numbers, sinks};
use crate::sink;

/// An authority, a server's certificate for `localhost`, one for `logs.internal`, and a client's, as PEM files.
fn certificates() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    let openssl = |args: &str| {
        Command::new("openssl")
            .args(args.split_whitespace())
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !openssl("version") {
        println!("SKIPPED: there is no openssl to make certificates with");
        return None;
    }
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    assert!(openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"
    )));
    for (name, alternative) in [
        ("server", "DNS:localhost,IP:127.0.0.1"),
        ("named", "DNS:logs.internal"),
        ("client", "DNS:agent"),
    ] {
        std::fs::write(
            dir.path().join("ext"),
            format!("subjectAltName={alternative}\n"),
        )
        .unwrap();
        assert!(openssl(&format!(
            "req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        )));
        assert!(openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out {name}.pem"
        )));
    }
    Some(dir)
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_reader_iter(BufReader::new(std::fs::File::open(path).unwrap()))
        .collect::<Result<_, _>>()
        .unwrap()
}

fn server(dir: &Path, name: &str, ask_for_client: bool) -> Receiver {
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
    let builder = if ask_for_client {
        let mut roots = RootCertStore::empty();
        roots.add(chain(&dir.join("ca.pem")).remove(0)).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(rustls::crypto::ring::default_provider()),
        );
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(dir.join(format!("{name}.key"))).unwrap();
    let config = Arc::new(
        builder
            .with_single_cert(chain(&dir.join(format!("{name}.pem"))), key)
            .unwrap(),
    );
    let wrap = move |socket: TcpStream| -> io::Result<Box<dyn Stream>> {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, socket)))
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Receiver::listen(listener, Some(Box::new(wrap)), |_, _| Answer::status(200))
}

const QUICK: &str = "batch: {max_wait_ms: 10}, retry: {initial_ms: 5, max_ms: 20}";

#[test]
fn only_a_server_with_a_certificate_of_a_known_authority_is_talked_to() {
    let Some(dir) = certificates() else { return };
    let dir = dir.path();
    let receiver = server(dir, "server", false);
    let port = receiver.address().port();
    let known = format!("tls: {{ca_file: {}/ca.pem}}", dir.display());
    let sink = |name: &str, more: &str| {
        format!("{name}: {{type: http, url: \"https://localhost:{port}/{name}\", {QUICK}{more}}}")
    };
    let mut rig = Rig::draining(
        &[
            sink("known", &format!(", {known}")),
            sink("unknown", ""),
            sink("careless", ", tls: {insecure: true}"),
        ]
        .join(", "),
        Duration::from_secs(2),
    );
    rig.numbered(0, 20);
    let said = rig.wait_for("sink unknown", |ok, _| !ok);
    assert!(said.contains("UnknownIssuer"), "{said}");
    rig.shutdown.trigger();
    let [known, unknown, careless] = rig.finish(["known", "unknown", "careless"]);
    assert_eq!((known.delivered, careless.delivered), (20, 20));
    assert_eq!(unknown.delivered, 0, "not one byte for a stranger");
    assert!(
        receiver
            .requests()
            .iter()
            .all(|r| !r.line.contains("unknown"))
    );
}

#[test]
fn a_server_may_have_another_name_than_its_address() {
    let Some(dir) = certificates() else { return };
    let dir = dir.path();
    let receiver = server(dir, "named", false);
    let address = receiver.address();
    let sink = |name: &str, more: &str| {
        format!(
            "{name}: {{type: http, url: \"https://{address}/{name}\", {QUICK}, tls: {{ca_file: {}/ca.pem{more}}}}}",
            dir.display()
        )
    };
    let mut rig = Rig::draining(
        &[
            sink("named", ", server_name: logs.internal"),
            sink("plain", ""),
        ]
        .join(", "),
        Duration::from_secs(2),
    );
    rig.numbered(0, 20);
    let said = rig.wait_for("sink plain", |ok, _| !ok);
    assert!(
        said.contains("not valid for name") || said.contains("NotValidForName"),
        "{said}"
    );
    rig.shutdown.trigger();
    let [named, plain] = rig.finish(["named", "plain"]);
    assert_eq!((named.delivered, plain.delivered), (20, 0));
    assert_eq!(numbers(&receiver.taken()), (0..20).collect::<Vec<_>>());
    let host = receiver.requests()[0].header("host").map(str::to_owned);
    assert_eq!(
        host,
        Some(address.to_string()),
        "the receiver is asked by its address"
    );
}

#[test]
fn a_client_shows_its_certificate_where_it_has_one() {
    let Some(dir) = certificates() else { return };
    let dir = dir.path();
    let receiver = server(dir, "server", true);
    let port = receiver.address().port();
    let at = dir.display();
    let mut rig = Rig::draining(
        &format!(
            "with: {{type: http, url: \"https://localhost:{port}/\", {QUICK}, tls: {{ca_file: {at}/ca.pem, cert_file: {at}/client.pem, key_file: {at}/client.key}}}}, \
             without: {{type: http, url: \"https://localhost:{port}/\", {QUICK}, tls: {{ca_file: {at}/ca.pem}}}}"
        ),
        Duration::from_secs(2),
    );
    rig.numbered(0, 20);
    rig.wait_for("sink without", |ok, _| !ok);
    rig.shutdown.trigger();
    let [with, without] = rig.finish(["with", "without"]);
    assert_eq!((with.delivered, without.delivered), (20, 0));
}

#[test]
fn certificates_that_cannot_be_used_are_told_before_anything_is_sent() {
    let Some(dir) = certificates() else { return };
    let at = dir.path().display();
    let wrong = |tls: &str| {
        let sinks = sinks(&format!(
            "a: {{type: http, url: \"https://localhost/\", tls: {{{tls}}}}}"
        ));
        format!(
            "{:#}",
            sink::check(&sinks).expect_err("a certificate that cannot be used")
        )
    };
    assert!(
        wrong("ca_file: /no/such").starts_with("sinks.a: tls.ca_file: /no/such cannot be read")
    );
    assert!(wrong(&format!("ca_file: {at}/ca.key")).contains("holds no certificate"));
    assert!(
        wrong(&format!(
            "cert_file: {at}/client.pem, key_file: {at}/client.pem"
        ))
        .contains("holds no private key")
    );
    let mixed = wrong(&format!(
        "cert_file: {at}/client.pem, key_file: {at}/server.key"
    ));
    assert!(mixed.contains("tls.cert_file and tls.key_file"), "{mixed}");
}

//! TLS of connections that are not HTTP.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::sinks::Tls;

/// How sessions are made as `wanted` says. Its files are read now, so that renewed certificates are found at the next connection.
///
/// # Errors
/// Where a file cannot be read or is no PEM of its kind.
pub(super) fn client(wanted: &Tls) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = if wanted.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
    } else {
        builder.with_root_certificates(roots(wanted.ca_file.as_deref())?)
    };
    let config = match &wanted.client {
        None => builder.with_no_client_auth(),
        Some((certificates, key)) => {
            let read = fs::read(key).map_err(|error| at(key, error))?;
            let key = PrivateKeyDer::from_pem_slice(&read).map_err(|error| at(key, error))?;
            builder
                .with_client_auth_cert(chain(certificates)?, key)
                .map_err(|error| at(certificates, error))?
        }
    };
    Ok(Arc::new(config))
}

fn roots(file: Option<&Path>) -> io::Result<RootCertStore> {
    let Some(file) = file else {
        return Ok(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        });
    };
    let mut store = RootCertStore::empty();
    for certificate in chain(file)? {
        store.add(certificate).map_err(|error| at(file, error))?;
    }
    Ok(store)
}

/// The certificates of a PEM file; at least one.
fn chain(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = fs::read(file).map_err(|error| at(file, error))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read)
        .collect::<Result<_, _>>()
        .map_err(|error| at(file, error))?;
    if chain.is_empty() {
        return Err(at(file, "no certificate in it"));
    }
    Ok(chain)
}

fn at(file: &Path, problem: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {problem}", file.display()))
}

/// Believes every certificate, as `insecure` asks for; that the other side holds its key is checked all the same.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

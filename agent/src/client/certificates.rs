//! What a connection's protection is made of: authorities, the agent's own certificate and key, read from PEM files.

use std::path::Path;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::config::sinks::Tls;

/// How a connection is protected.
///
/// # Errors
/// In words, where a file cannot be used.
pub(super) fn tls(settings: &Tls) -> Result<TlsConfig, String> {
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

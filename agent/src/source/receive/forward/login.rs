//! The handshake with which senders show that they know the shared key: HELO from here, PING from them, PONG from here.
//!
//! Forward Protocol Specification v1, "Handshake Messages"; the sending side is in the `forward` sink.

use crate::wire::forward::{array_len, map_len, sha512_hex, text};
use crate::wire::msgpack::Value;

/// One login.
#[derive(Debug)]
pub struct Login<'a> {
    /// This host's name.
    pub host: &'a str,
    /// The key that both sides know.
    pub shared_key: &'a str,
    /// Made up anew for each connection.
    pub nonce: &'a str,
}

impl Login<'_> {
    /// What the sender is asked.
    #[must_use]
    pub fn helo(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        array_len(2, &mut out);
        text("HELO", &mut out);
        map_len(3, &mut out);
        text("nonce", &mut out);
        text(self.nonce, &mut out);
        text("auth", &mut out);
        text("", &mut out);
        text("keepalive", &mut out);
        out.push(0xc3); // true
        out
    }

    /// The PONG that answers a PING, and whether the sender is let in.
    #[must_use]
    pub fn pong(&self, ping: &Value) -> (Vec<u8>, bool) {
        let salt = self.salt(ping);
        let mut out = Vec::with_capacity(256);
        array_len(5, &mut out);
        text("PONG", &mut out);
        out.push(if salt.is_some() { 0xc3 } else { 0xc2 });
        let reason = if salt.is_some() {
            ""
        } else {
            "shared_key mismatch"
        };
        text(reason, &mut out);
        text(self.host, &mut out);
        let proof = salt
            .as_ref()
            .map(|salt| self.digest(salt, self.host.as_bytes()));
        text(proof.as_deref().unwrap_or_default(), &mut out);
        (out, salt.is_some())
    }

    /// The salt of a PING whose sender knows the key.
    fn salt(&self, ping: &Value) -> Option<Vec<u8>> {
        let Value::Array(items) = ping else {
            return None;
        };
        let [name, host, salt, digest, ..] = items.as_slice() else {
            return None;
        };
        let (host, salt) = (host.text()?, salt.text()?);
        let expected = self.digest(salt, host);
        let knows = same(digest.text()?, expected.as_bytes());
        (name.text() == Some(b"PING") && knows).then(|| salt.to_vec())
    }

    fn digest(&self, salt: &[u8], host: &[u8]) -> String {
        sha512_hex(&[
            salt,
            host,
            self.nonce.as_bytes(),
            self.shared_key.as_bytes(),
        ])
    }
}

/// Compares without telling by its time where the first difference lies.
fn same(given: &[u8], expected: &[u8]) -> bool {
    given.len() == expected.len()
        && given
            .iter()
            .zip(expected)
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
}

//! The handshake of receivers that ask for a shared key: HELO from them, PING from here, PONG from them.
//!
//! Both sides show that they know the key by a SHA-512 over it and what the other one made up; the key itself is never sent.
//! Forward Protocol Specification v1, "Handshake Messages".

use crate::wire::forward::{array_len, sha512_hex, text};
use crate::wire::msgpack::Value;

/// What a receiver begins with.
#[derive(Debug, PartialEq, Eq)]
pub struct Helo {
    nonce: Vec<u8>,
    /// Made up by the receiver; empty where it asks for no user.
    auth: Vec<u8>,
    /// Whether the connection may be used for more than one batch.
    pub keepalive: bool,
}

/// What this side is known by.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The name of this host.
    pub host: &'a str,
    /// The key that both sides know.
    pub shared_key: &'a str,
    /// A user; empty where none is configured.
    pub user: &'a str,
    /// Its password.
    pub password: &'a str,
}

impl Helo {
    /// Reads a HELO; nothing where the message is another one.
    #[must_use]
    pub fn of(message: &Value) -> Option<Self> {
        let Value::Array(items) = message else {
            return None;
        };
        let [name, options, ..] = items.as_slice() else {
            return None;
        };
        if name.text() != Some(b"HELO") {
            return None;
        }
        let bytes = |key: &str| options.get(key).and_then(Value::text).map(<[u8]>::to_vec);
        Some(Self {
            nonce: bytes("nonce")?,
            auth: bytes("auth").unwrap_or_default(),
            // The specification's default.
            keepalive: options.get("keepalive") != Some(&Value::Bool(false)),
        })
    }

    /// The PING that answers it. `salt` is made up anew for each connection.
    #[must_use]
    pub fn ping(&self, who: &Credentials<'_>, salt: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        array_len(6, &mut out);
        text("PING", &mut out);
        text(who.host, &mut out);
        text(salt, &mut out);
        let key = self.digest(salt, who.host, who.shared_key);
        text(&key, &mut out);
        if self.auth.is_empty() {
            text("", &mut out);
            text("", &mut out);
        } else {
            let password = [&self.auth, who.user.as_bytes(), who.password.as_bytes()];
            text(who.user, &mut out);
            text(&sha512_hex(&password), &mut out);
        }
        out
    }

    /// Whether a PONG lets this side in, and comes from one that knows the key.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check_pong(
        &self,
        message: &Value,
        who: &Credentials<'_>,
        salt: &str,
    ) -> Result<(), String> {
        let no_pong = || "the receiver does not answer PING with PONG".to_owned();
        let Value::Array(items) = message else {
            return Err(no_pong());
        };
        let [name, ok, reason, host, digest, ..] = items.as_slice() else {
            return Err(no_pong());
        };
        if name.text() != Some(b"PONG") {
            return Err(no_pong());
        }
        if *ok != Value::Bool(true) {
            let reason = String::from_utf8_lossy(reason.text().unwrap_or_default());
            // It goes into health and log.
            let reason: String = reason
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect();
            return Err(format!("the receiver refuses the login: {reason}"));
        }
        let host = host.text().unwrap_or_default();
        if host == who.host.as_bytes() {
            // Its digest would be the one that was sent to it.
            return Err(format!(
                "the receiver has this host's own name ({}); the protocol cannot tell the two apart",
                who.host
            ));
        }
        let expected = sha512_hex(&[
            salt.as_bytes(),
            host,
            &self.nonce,
            who.shared_key.as_bytes(),
        ]);
        if digest.text() != Some(expected.as_bytes()) {
            return Err("the receiver does not know the shared key".to_owned());
        }
        Ok(())
    }

    fn digest(&self, salt: &str, host: &str, key: &str) -> String {
        sha512_hex(&[
            salt.as_bytes(),
            host.as_bytes(),
            &self.nonce,
            key.as_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    fn helo(auth: &str) -> Value {
        Value::Array(vec![
            text("HELO"),
            Value::Map(vec![
                (text("nonce"), text("n")),
                (text("auth"), text(auth)),
                (text("keepalive"), Value::Bool(true)),
            ]),
        ])
    }

    const WHO: Credentials<'_> = Credentials {
        host: "here",
        shared_key: "secret",
        user: "u",
        password: "p",
    };

    #[test]
    fn a_user_is_named_only_where_one_is_asked_for() {
        let ping = |auth| {
            let helo = Helo::of(&helo(auth)).unwrap();
            let (message, _) = Value::read(&helo.ping(&WHO, "salt")).unwrap().unwrap();
            let Value::Array(items) = message else {
                panic!("{message:?}")
            };
            items
        };
        let anonymous = ping("");
        assert_eq!(anonymous[1], text("here"));
        assert_eq!(
            anonymous[3],
            text(&sha512_hex(&[b"salt", b"here", b"n", b"secret"]))
        );
        assert_eq!(anonymous[4..], [text(""), text("")]);
        let named = ping("a");
        assert_eq!(
            named[4..],
            [text("u"), text(&sha512_hex(&[b"a", b"u", b"p"]))]
        );
    }

    #[test]
    fn only_a_receiver_that_knows_the_key_is_believed() {
        let helo = Helo::of(&helo("")).unwrap();
        let pong = |ok, reason, host: &str, key: &str| {
            let digest = sha512_hex(&[b"salt", host.as_bytes(), b"n", key.as_bytes()]);
            let items = vec![
                text("PONG"),
                Value::Bool(ok),
                text(reason),
                text(host),
                text(&digest),
            ];
            helo.check_pong(&Value::Array(items), &WHO, "salt")
        };
        assert_eq!(pong(true, "", "there", "secret"), Ok(()));
        assert!(pong(true, "", "there", "other").is_err());
        assert!(
            pong(true, "", "here", "secret").is_err(),
            "an echo of our own digest"
        );
        assert!(
            pong(false, "shared_key mismatch", "", "")
                .unwrap_err()
                .ends_with("mismatch")
        );
        assert!(helo.check_pong(&Value::Nil, &WHO, "salt").is_err());
        assert_eq!(Helo::of(&Value::Array(vec![text("HELO")])), None);
    }
}

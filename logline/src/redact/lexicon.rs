//! The words that tell sentences about secrets from secrets.

/// What stands where a secret would stand but says that there is none, how it fared, or what kind of thing belongs there. Sorted.
#[rustfmt::skip]
pub(super) const STOP: &[&str] = &[
    "abort", "aborted", "absent", "accepted", "access", "account", "against", "age", "all", "allowed", "and", "anonymous",
    "any", "argument", "attempt", "attempts", "auth", "authenticated", "authentication", "authorization", "auto", "bad",
    "basic", "bcrypt", "bearer", "blank", "bool", "boolean", "both", "bytes", "callback", "cancelled", "cannot", "change",
    "changed", "char", "check", "cleared", "client", "closed", "column", "complete", "completed", "config", "configured",
    "confirmed", "connect", "connection", "corrupt", "could", "created", "database", "decode", "default", "deleted", "denied",
    "deny", "deprecated", "did", "digest", "disabled", "does", "done", "dynamic", "either", "empty", "enabled", "encrypted",
    "error", "errors", "exception", "excluded", "exists", "expected", "expire", "expired", "expires", "external", "fail",
    "failed", "fails", "failure", "false", "field", "file", "filtered", "flag", "for", "forbidden", "found", "from",
    "generated", "given", "has", "hash", "hashed", "hidden", "identifier", "ignored", "illegal", "in", "inactive", "included",
    "incorrect", "int", "integer", "internal", "invalid", "is", "kerberos", "key", "keystore", "keyword", "ldap", "length",
    "loaded", "locked", "login", "lost", "malformed", "manual", "mask", "masked", "match", "md5", "method", "minimum",
    "mismatch", "missing", "must", "n/a", "na", "name", "never", "new", "next", "nil", "no", "none", "not", "null", "number",
    "object", "off", "ok", "okay", "omitted", "on", "optional", "or", "passed", "peer", "pending", "permission", "plain",
    "please", "present", "prompt", "protected", "provided", "publickey", "read", "ready", "redacted", "reject", "rejected",
    "removed", "renewed", "request", "required", "reset", "restored", "revoked", "same", "sanitized", "scram", "secured",
    "server", "session", "set", "sha256", "should", "skip", "skipped", "stored", "str", "string", "strong", "success",
    "successful", "suppressed", "temporary", "text", "the", "timeout", "to", "token", "too", "true", "trust", "type", "unable",
    "unauthorized", "unavailable", "unchanged", "undefined", "unexpected", "unknown", "unset", "unspecified", "unsupported",
    "updated", "use", "used", "user", "username", "using", "valid", "validated", "validation", "value", "varchar",
    "verification", "verified", "verify", "was", "weak", "while", "will", "with", "wrong", "yes",
];

/// Words of sentences about a password, as forms answer them. Sorted.
#[rustfmt::skip]
pub(super) const VERDICTS: &[&str] = &[
    "aren't", "bad", "be", "blank", "can't", "cannot", "character", "characters", "correct", "denied", "do", "does", "doesn't",
    "don't", "empty", "expired", "failed", "field", "has", "have", "incorrect", "invalid", "is", "isn't", "least", "long",
    "match", "matches", "missing", "must", "not", "please", "rejected", "required", "short", "should", "was", "wrong",
];

/// Names of algorithms and mechanisms: letters and digits, and yet no secrets. Sorted.
#[rustfmt::skip]
pub(super) const ALGORITHMS: &[&str] = &[
    "aes128", "aes256", "argon2", "argon2i", "argon2id", "base64", "blake2b", "ed25519", "es256", "hs256", "hs384", "hs512",
    "http2", "ipv4", "ipv6", "md5", "ntlmv2", "oauth2", "pbkdf2", "ps256", "rs256", "rs384", "rs512", "rsa2048", "rsa4096",
    "saml2", "sha1", "sha256", "sha384", "sha512", "utf16", "utf8", "x509",
];

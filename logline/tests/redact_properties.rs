//! What holds for every text: planted secrets do not survive any wrapping, nothing panics, redacting twice is redacting once.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests, too.

use logline::redact::{Counts, Detectors, Finding, RedactOptions, Redactor};
use proptest::prelude::*;
use std::{sync::LazyLock, time::Instant};

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| {
    Redactor::new(&RedactOptions {
        detectors: Detectors::ALL,
        own: Vec::new(),
    })
    .unwrap()
});

fn redacted(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    REDACTOR
        .redact(text, &mut out, &mut Counts::default())
        .then_some(out)
}

fn alphabet(count: usize, letters: &'static str) -> impl Strategy<Value = String> {
    let letters: Vec<char> = letters.chars().collect();
    proptest::collection::vec(proptest::sample::select(letters), count).prop_map(String::from_iter)
}

const ALNUM: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A secret that says by itself what it is.
fn token() -> impl Strategy<Value = String> {
    let word = |count| alphabet(count, ALNUM);
    let hex = |count| alphabet(count, "0123456789abcdef");
    // A digit in the middle: without one, made-up letters may happen to be a word.
    let mixed = move |count: usize| {
        (word(count / 2), word(count - count / 2 - 1)).prop_map(|(a, b)| format!("{a}7{b}"))
    };
    prop_oneof![
        mixed(36).prop_map(|it| format!("ghp_{it}")),
        (mixed(22), mixed(59)).prop_map(|(a, b)| format!("github_pat_{a}_{b}")),
        mixed(20).prop_map(|it| format!("glpat-{it}")),
        mixed(24).prop_map(|it| format!("xoxb-123456789012-{it}")),
        mixed(24).prop_map(|it| format!("sk_live_{it}")),
        mixed(48).prop_map(|it| format!("sk-{it}")),
        mixed(40).prop_map(|it| format!("sk-ant-api03-{it}")),
        mixed(36).prop_map(|it| format!("npm_{it}")),
        mixed(35).prop_map(|it| format!("AIza{it}")),
        mixed(60).prop_map(|it| format!("ya29.{it}")),
        alphabet(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").prop_map(|it| format!("AKIA{it}")),
        mixed(34).prop_map(|it| format!("abc8Q~{it}")),
        (mixed(20), mixed(40), mixed(43)).prop_map(|(a, b, c)| format!("eyJ{a}.eyJ{b}.{c}")),
        (mixed(22), mixed(43)).prop_map(|(a, b)| format!("SG.{a}.{b}")),
        hex(64).prop_map(|it| format!("dop_v1_{it}")),
        Just("4111111111111111".to_owned()),
        Just("5555 5555 5555 4444".to_owned()),
        Just("3782-822463-10005".to_owned()),
    ]
}

/// Where a secret that says by itself what it is may stand.
const AROUND: &[&str] = &[
    "§",
    "got § now",
    "got §, then",
    "got §.",
    "(§)",
    "[§]",
    "<§>",
    "'§'",
    "`§`",
    "x=§",
    "x=§&y=1",
    "x: §",
    "x:§;y",
    "{\"x\":\"§\"}",
    "{\"a\":\"{\\\"x\\\":\\\"§\\\"}\"}",
    "{'x': '§'}",
    "{:x=>\"§\"}",
    "{X:§}",
    "x%3D§%26y",
    "\\u003d§\\u0026",
    "<x>§</x>",
    "&lt;x&gt;§&lt;/x&gt;",
    "line\n§\nline",
    "line\\n§\\nline",
    "\tat f(§)",
    "--x §",
    "--x=§",
    "-H 'X: §'",
    "VALUES ('§')",
    "x/§/y",
    "https://example.com/?a=§#b",
    "error: §: denied",
];

/// A value that only its key gives away.
fn value() -> impl Strategy<Value = String> {
    (alphabet(9, ALNUM), alphabet(12, ALNUM)).prop_map(|(a, b)| format!("{a}7{b}4qZ"))
}

const KEYS: &[&str] = &[
    "password",
    "Password",
    "DB_PASSWORD",
    "dbPassword",
    "db-password",
    "spring.datasource.password",
    "passwd",
    "smtp_pwd",
    "passphrase",
    "DB_PASS",
    "token",
    "accessToken",
    "refresh_token",
    "X-Auth-Token",
    "API_TOKEN",
    "apikey",
    "api_key",
    "X-Api-Key",
    "apiKey",
    "client_secret",
    "clientSecret",
    "CLIENT_SECRET",
    "secret",
    "secret_key",
    "AWS_SECRET_ACCESS_KEY",
    "SecretAccessKey",
    "AccountKey",
    "SharedAccessKey",
    "private_key",
    "encryption-key",
    "session_id",
    "sessionid",
    "JSESSIONID",
    "credentials",
    "Authorization",
    "cookie",
];

/// How a key and its value may stand.
const PAIRS: &[&str] = &[
    "KEY=§",
    "KEY=§ next",
    "x=1 KEY=§ y=2",
    "KEY = §",
    "KEY='§'",
    "KEY=\"§\"",
    "KEY = \"§\"",
    "export KEY=§",
    "KEY: §",
    "KEY: \"§\"",
    "  KEY: '§'",
    "KEY := §",
    "KEY:§",
    "{\"KEY\":\"§\"}",
    "{ \"KEY\" : \"§\" , \"x\": 1}",
    "{\"a\":\"{\\\"KEY\\\":\\\"§\\\"}\"}",
    "{\"a\":\"{\\\\\\\"KEY\\\\\\\":\\\\\\\"§\\\\\\\"}\"}",
    "{'KEY': '§', 'x': None}",
    "{'KEY': b'§'}",
    "{:KEY=>\"§\"}",
    "{\"KEY\"=>\"§\"}",
    "{KEY:§ Name:x}",
    "map[KEY:§ x:y]",
    "map[KEY:[§] x:[y]]",
    "User(KEY=§, x=1)",
    "/p?x=1&KEY=§&y=2",
    "/p?x=1&amp;KEY=§&amp;y=2",
    "x%3D1%26KEY%3D§%26y%3D2",
    "%7B%22KEY%22%3A%22§%22%7D",
    "Server=x;KEY=§;Database=y",
    "<KEY>§</KEY>",
    "<x:KEY>§</x:KEY>",
    "&lt;KEY&gt;§&lt;/KEY&gt;",
    "\\u003cKEY\\u003e§\\u003c/KEY\\u003e",
    "<add key=\"KEY\" value=\"§\"/>",
    "{\"name\":\"KEY\",\"value\":\"§\"}",
    "- name: KEY\n  value: §",
    "curl -H 'KEY: §' https://example.com",
    "tool --KEY § x",
    "tool --KEY=§ x",
    "[\"--KEY\", \"§\"]",
    "&quot;KEY&quot;:&quot;§&quot;",
    "\\u0022KEY\\u0022:\\u0022§\\u0022",
    "a\\nKEY: §\\nb: c",
    "a\nKEY=§\nb",
    "failed with KEY=§: denied",
];

/// Wrappings with passwords only.
const SPOKEN: &[&str] = &[
    "ALTER USER x PASSWORD '§'",
    "CREATE USER x IDENTIFIED BY '§'",
    "SET PASSWORD = PASSWORD('§')",
    "postgres://x:§@db:5432/x",
    "redis://:§@db",
    "https:\\/\\/x:§@db\\/y",
    "url=amqp%3A%2F%2Fx%3A§%40mq",
    "Authorization: Bearer §",
    "bearer §",
    "Cookie: a=§; b=c",
    "Set-Cookie: a=§; Path=/",
    "-----BEGIN PRIVATE KEY-----\n§\n-----END PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\n§\\n",
];

fn check(text: &str, secret: &str) {
    let out = redacted(text.as_bytes()).unwrap_or_else(|| panic!("nothing found in {text}"));
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains(secret), "{text}\n{out}");
    assert_eq!(
        redacted(out.as_bytes()).map(|it| String::from_utf8(it).unwrap()),
        None,
        "twice: {text}\n{out}"
    );
    // Nothing but the secret: what stands before it is still there.
    let before = text[..text.find(secret).unwrap()]
        .trim_end()
        .trim_end_matches("\\n");
    assert!(out.starts_with(before), "{text}\n{out}");
}

/// Pieces that meet in secrets, so that made-up texts are not all noise.
const PIECES: &[&str] = &[
    "password",
    "token",
    "secret",
    "api_key",
    "Authorization",
    "Cookie",
    "session",
    "Bearer ",
    "Basic ",
    "dXNlcjpwYXNz",
    "=",
    ":",
    ": ",
    " ",
    "\"",
    "'",
    "\\",
    "\\\"",
    ",",
    ";",
    "&",
    "%3D",
    "%22",
    "<",
    ">",
    "</",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "://",
    "@",
    "/",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJ",
    ".",
    "hunter2",
    "4111111111111111",
    "4111 1111 1111 1111",
    "-",
    "\n",
    "[redacted:",
    "[redacted:password]",
    "AKIAABCDEFGHIJKLMNOP",
    "value",
    "name: ",
    "\\n",
    "x",
    "é",
    "--",
    "IDENTIFIED BY ",
    "a1b2c3d4e5f6a7b8c9d0",
    "bob@example.com",
    "8Q~",
    "xoxb-1234567890ab",
];

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..24)
        .prop_map(|it| it.concat().into_bytes())
}

fn holds_for(text: &[u8]) {
    let mut found = Vec::new();
    REDACTOR.find(text, &mut found);
    let mut at = 0;
    let mut len = text.len();
    for Finding { start, end, .. } in &found {
        assert!(
            at <= *start && start < end && *end <= text.len(),
            "{found:?}"
        );
        at = *end;
        len -= end - start;
    }
    len += found
        .iter()
        .map(|it| "[redacted:]".len() + REDACTOR.name(it).len())
        .sum::<usize>();
    let mut counts = Counts::default();
    let mut out = Vec::new();
    let changed = REDACTOR.redact(text, &mut out, &mut counts);
    assert_eq!(changed, !found.is_empty());
    assert_eq!(counts.total(), found.len() as u64);
    if changed {
        assert_eq!(out.len(), len);
        let again = redacted(&out).map(|it| String::from_utf8_lossy(&it).into_owned());
        assert_eq!(
            again,
            None,
            "{}\n{}",
            String::from_utf8_lossy(text),
            String::from_utf8_lossy(&out)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn no_token_survives_any_wrapping(secret in token()) {
        for around in AROUND {
            check(&around.replace('§', &secret), &secret);
        }
    }

    #[test]
    fn no_value_of_a_secret_key_survives_any_wrapping(secret in value()) {
        for key in KEYS {
            for pair in PAIRS {
                check(&pair.replace("KEY", key).replace('§', &secret), &secret);
            }
        }
        for pair in SPOKEN {
            check(&pair.replace('§', &secret), &secret);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn made_up_texts_are_redacted_once(text in pieces()) {
        holds_for(&text);
    }

    #[test]
    fn any_bytes_are_redacted_once(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        holds_for(&text);
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    for piece in PIECES.iter().chain(&[
        "eyJ",
        "key=",
        "a,",
        "://a:b",
        "-----BEGIN PRIVATE KEY-----A",
        "4",
        "4 ",
        "\\",
        "\"",
        "pass=\\\"",
        "password: ",
        "Cookie: a;",
        "1-",
        "@a.",
        "\u{2022}",
    ]) {
        let small = piece.repeat(1 << 9);
        let large = piece.repeat(1 << 13);
        let time = |text: &str| {
            (0..3)
                .map(|_| {
                    let start = Instant::now();
                    let _ = redacted(text.as_bytes());
                    start.elapsed()
                })
                .min()
                .unwrap()
        };
        let (one, sixteen) = (time(&small), time(&large));
        // A quadratic scan takes 256 times as long.
        assert!(
            sixteen < one * 80 || sixteen.as_millis() < 100,
            "{piece:?}: {one:?}, 16 times as much: {sixteen:?}"
        );
    }
}

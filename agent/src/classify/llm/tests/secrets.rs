//! 200 secrets, of every detector, in 40 wrappings: none reaches the endpoint, whole or in parts.

use std::sync::Arc;

use logline::redact::Detector;
use logline::rules::{Pack, RuleSet};
use logline::sieve::{Sieve, Source};
use logline::template;
use logline::time::TimeContext;

use super::rig::{Rig, question, sensible};

/// Numbers that look random and are the same in every run (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length)
            .map(|_| letters[usize::try_from(self.next() >> 33).unwrap() % letters.len()])
            .collect()
    }
}

const ALL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &str = "0123456789abcdef";

/// A secret: how it stands in a text by its own nature, and what must not be seen of it.
struct Secret {
    detector: Detector,
    text: String,
    core: String,
}

/// The nth secret of a detector.
fn secret(detector: Detector, random: &mut Random) -> Secret {
    let plain = |text: String| (text.clone(), text);
    let (text, core) = match detector {
        Detector::AuthHeader => {
            let core = random.of(ALL, 32);
            (format!("Authorization: Bearer {core}"), core)
        }
        Detector::Jwt => plain(format!(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{}.{}",
            random.of(ALL, 40),
            random.of(ALL, 43)
        )),
        Detector::Aws => plain(format!("AKIA{}", random.of(CAPITALS, 16))),
        Detector::Gcp => plain(format!("AIza{}", random.of(ALL, 35))),
        Detector::Azure => {
            let core = format!("{}==", random.of(ALL, 86));
            (format!("AccountKey={core}"), core)
        }
        Detector::Github => plain(format!("ghp_{}", random.of(ALL, 36))),
        Detector::Gitlab => plain(format!("glpat-{}", random.of(ALL, 20))),
        Detector::Slack => plain(format!(
            "xoxb-{}-{}",
            random.of("0123456789", 12),
            random.of(ALL, 24)
        )),
        Detector::Stripe => plain(format!("sk_live_{}", random.of(ALL, 24))),
        Detector::AiKey => plain(format!("sk-ant-api03-{}AA", random.of(ALL, 93))),
        Detector::VendorToken => plain(format!("npm_{}", random.of(ALL, 36))),
        Detector::PrivateKey => {
            let core = random.of(ALL, 64);
            let text = format!("-----BEGIN PRIVATE KEY-----\\n{core}\\n-----END PRIVATE KEY-----");
            (text, core)
        }
        Detector::UrlPassword => {
            let core = random.of(ALL, 14);
            (
                format!("postgres://shop:{core}@db.internal:5432/shop"),
                core,
            )
        }
        Detector::Password => {
            let core = format!("{}!{}", random.of(ALL, 8), random.of(ALL, 4));
            (format!("password={core}"), core)
        }
        Detector::Secret => {
            let core = random.of(ALL, 30);
            (format!("client_secret={core}"), core)
        }
        Detector::ApiKey => {
            let core = random.of(HEX, 32);
            (format!("api_key={core}"), core)
        }
        Detector::Token => {
            let core = random.of(ALL, 24);
            (format!("access_token={core}"), core)
        }
        Detector::Cookie => {
            let core = random.of(HEX, 40);
            (format!("Set-Cookie: sessionid={core}; HttpOnly"), core)
        }
        Detector::CreditCard => plain(card(random)),
        Detector::Email => {
            let core = format!("{}@example.com", random.of("abcdefghijklmnopqrstuvwxyz", 9));
            plain(core)
        }
        Detector::Own => unreachable!("there are no own patterns"),
    };
    Secret {
        detector,
        text,
        core,
    }
}

/// A number with the check digit of ISO/IEC 7812-1.
fn card(random: &mut Random) -> String {
    let digits = format!("4{}", random.of("0123456789", 14));
    let sum: u32 = digits
        .bytes()
        .zip(0..)
        .map(|(digit, place)| {
            let digit = u32::from(digit - b'0');
            match place % 2 {
                0 if digit > 4 => digit * 2 - 9,
                0 => digit * 2,
                _ => digit,
            }
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// Lines in which `{}` is the secret.
const WRAPPINGS: [&str; 40] = [
    "{}",
    "login with {}",
    "ERROR request failed: {}",
    "2026-11-21T10:00:00Z INFO sent {} to upstream",
    "2026-11-21 10:00:00,123 [main] WARN com.acme.Http - retry with {}",
    "{\"level\":\"info\",\"msg\":\"sent {}\"}",
    "{\"level\":\"error\",\"msg\":\"failed\",\"error\":\"got {}\"}",
    "level=info msg=\"using {}\" took=3ms",
    "level=info note='{}'",
    "Nov 21 10:00:00 host app[12]: {}",
    "<34>1 2026-11-21T10:00:00Z host app 1 - - {}",
    "I1121 10:00:00.000000       1 main.go:10] {}",
    "[10:00:00] ({})",
    "[{}]",
    "<{}>",
    "\"{}\"",
    "`{}`",
    "debug: headers: {}",
    "curl -H '{}' https://api.example.com/v1",
    "env: {} PATH=/usr/bin",
    "a=1;{};b=2",
    "a=1, {}, b=2",
    "key|{}|end",
    "{} expired at 2026-11-21",
    "the client presented {} and was refused",
    "worker 7 {} retry 3 of 5",
    "config loaded: {} (from /etc/app.conf)",
    "panic: runtime error with {}",
    "    at com.acme.Main.run(Main.java:10) {}",
    "args: [\"--flag\", \"{}\"]",
    "SQL: INSERT INTO t VALUES ('{}')",
    "GET /callback HTTP/1.1 \"{}\"",
    "body: a=1&{}",
    "tab\t{}\ttab",
    "payload {payload: {}}",
    "\u{1b}[31m{}\u{1b}[0m",
    "ключ {} принят",
    "=> {} <=",
    "{}.",
    "dump:\n{}\nend of dump",
];

#[test]
fn none_of_200_secrets_in_40_wrappings_reaches_the_endpoint() {
    let rules = Arc::new(RuleSet::compile(&Pack::builtin("general").unwrap()).unwrap());
    let rig = Rig::start(
        ", linger_ms: 1, max_templates: 100, max_request_tokens: 100000, \
         budget: {requests_per_minute: 0, tokens_per_hour: 0, tokens_per_day: 0}",
        sensible,
    );
    let mut random = Random(0x5eed);
    let kinds: Vec<Detector> = Detector::ALL
        .into_iter()
        .filter(|kind| *kind != Detector::Own)
        .collect();
    let mut cores = Vec::new();
    let (mut asked, mut planted) = (0, 0);
    for number in 0..200 {
        let secret = secret(kinds[number % kinds.len()], &mut random);
        // A sieve of its own: what is asked is the first sight of each template, in whatever state the table is.
        let mut sieve = Sieve::new(
            Arc::clone(&rules),
            template::Limits::default(),
            TimeContext::default(),
        );
        for wrapping in WRAPPINGS {
            let line = wrapping.replacen("{}", &secret.text, 1);
            planted += 1;
            let judged = sieve.judge(line.as_bytes(), &Source::default());
            let template = sieve.templates().get(judged.template);
            let message = String::from_utf8_lossy(&judged.message).into_owned();
            let logger = judged.header.logger.as_deref().unwrap_or_default();
            let mut question = question(&template.text);
            // Each is asked about, though many look alike.
            question.id = template::TemplateId(planted);
            question.logger = String::from_utf8_lossy(logger).into_owned();
            question.examples = vec![message];
            assert!(rig.llm.ask(question));
            asked += 1;
        }
        cores.push((secret.detector, secret.core));
    }
    for _ in 0..asked {
        rig.answer();
    }
    assert_eq!(planted, 8000);
    let sent: Vec<String> = rig
        .server
        .requests()
        .iter()
        .map(|request| String::from_utf8(request.body.clone()).unwrap())
        .collect();
    assert!(
        sent.iter().map(String::len).sum::<usize>() > 100_000,
        "something was sent"
    );
    let mut leaked = Vec::new();
    for (detector, core) in &cores {
        // Neither the whole nor a third of it.
        let part = (core.len() / 3).max(8).min(core.len());
        for piece in core.as_bytes().windows(part).step_by(part) {
            let piece = std::str::from_utf8(piece).unwrap();
            if let Some(body) = sent.iter().find(|body| body.contains(piece)) {
                let at = body.find(piece).unwrap();
                let from = body.floor_char_boundary(at.saturating_sub(80));
                let to = body.ceil_char_boundary((at + 80).min(body.len()));
                leaked.push(format!("{detector:?} {core}: …{}…", &body[from..to]));
                break;
            }
        }
    }
    assert!(
        leaked.is_empty(),
        "{} of {}:\n{}",
        leaked.len(),
        cores.len(),
        leaked.join("\n")
    );
    assert!(rig.metric("llm_redacted_texts_total", "") > 1000.0);
}

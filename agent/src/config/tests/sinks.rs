//! The sinks of a configuration.

use std::time::Duration;

use logline::redact::Detector;

use super::error;
use crate::config::Checked;
use crate::config::sinks::{Auth, Compression, Redact, Secret, Sink, To};

fn sinks(text: &str) -> Vec<Sink> {
    Checked::parse("x", text).expect("sound").sinks
}

fn one(text: &str) -> Sink {
    let mut sinks = sinks(&format!(
        "sinks: {{stdout: {{enabled: false}}, a: {{{text}}}}}"
    ));
    assert_eq!(sinks.len(), 1);
    sinks.remove(0)
}

#[test]
fn standard_output_is_on_unless_it_is_switched_off_and_others_stand_beside_it() {
    let names =
        |text: &str| -> Vec<String> { sinks(text).into_iter().map(|sink| sink.name).collect() };
    assert_eq!(names(""), ["stdout"]);
    assert_eq!(
        names("sinks: {b: {type: blackhole}, a: {type: http, url: \"http://h/\"}}"),
        ["a", "b", "stdout"]
    );
    assert!(names("sinks: {stdout: {enabled: false}}").is_empty());
    assert_eq!(names("sinks: {stdout: {format: tsv}}"), ["stdout"]);
}

#[test]
fn what_is_not_said_of_a_sink_has_a_bounded_default() {
    let sink = one("type: http, url: \"http://127.0.0.1:80/\"");
    assert_eq!(sink.batch.max_bytes, 2 << 20);
    assert_eq!(sink.batch.max_wait, Duration::from_secs(1));
    assert_eq!(sink.retry.max_elapsed, None, "nothing is given up");
    assert!(
        matches!(sink.redact, Redact::On { .. }),
        "secrets do not leave by accident"
    );
    let To::Http(http) = sink.to else {
        panic!("http")
    };
    assert!(!http.client.tls.insecure);
    assert_eq!(http.client.timeout, Duration::from_secs(30));
}

#[test]
fn bodies_are_compressed_where_they_leave_the_host() {
    let of = |url: &str| one(&format!("type: http, url: \"{url}\"")).compression;
    assert_eq!(of("http://127.0.0.1:8080/in"), Compression::None);
    assert_eq!(of("http://localhost/"), Compression::None);
    assert_eq!(of("http://[::1]:80/"), Compression::None);
    assert_eq!(of("https://logs.example.com/"), Compression::Gzip(1));
    assert_eq!(of("http://127.0.0.1.example.com/"), Compression::Gzip(1));
    let zstd = one("type: http, url: \"http://h/\", compression: zstd, compression_level: 3");
    assert_eq!(zstd.compression, Compression::Zstd(3));
}

#[test]
fn a_key_of_another_type_is_told_with_what_is_allowed() {
    let message = error("sinks: {a: {type: http, url: \"http://h/\", path: x}}");
    assert!(
        message.starts_with(
            "logsieve.yaml: sinks.a.path: a sink of type http has no such key; it may have format, url"
        ),
        "{message}"
    );
    let message = error("sinks:\n  a:\n    type: http\n    ulr: x\n");
    assert!(
        message.starts_with("logsieve.yaml:4:5: unknown key `ulr`; did you mean `url`?"),
        "{message}"
    );
    let message = error("sinks:\n  a:\n    type: htpt\n");
    assert!(message.contains("did you mean `http`?"), "{message}");
    assert!(error("sinks: {a: {}}").contains("sinks.a.type: is missing; say what the sink is"));
    assert!(error("sinks: {\"a b\": {type: blackhole}}").contains("cannot be a sink's name"));
}

#[test]
fn values_that_cannot_be_are_refused_with_the_remedy() {
    let http = |more: &str| {
        error(&format!(
            "sinks: {{a: {{type: http, url: \"http://h/\", {more}}}}}"
        ))
    };
    assert!(
        error("sinks: {a: {type: http, url: \"h:80\"}}")
            .contains("is not an address; write it like")
    );
    assert!(error("sinks: {a: {type: http}}").contains("sinks.a.url: is missing"));
    assert!(error("sinks: {a: {type: file}}").contains("sinks.a.path: is missing"));
    assert!(http("batch: {max_bytes: 1}").contains("use 1024 to"));
    assert!(http("batch: {max_events: 0}").contains("use 1 or more"));
    assert!(http("compression: gzip, compression_level: 12").contains("use 1 to 9"));
    assert!(http("retry: {initial_ms: 0}").contains("sinks.a.retry"));
    assert!(http("filter: {categories: [\"[\"]}").contains("sinks.a.filter.categories: no glob"));
    assert!(http("tls: {insecure: true}").contains("the url is not https"));
    assert!(http("format: pretty").contains("use ndjson or array"));
    assert!(http("headers: {\"a b\": x}").contains("is no header's name"));
    assert!(http("headers: {a: \"x\\ny\"}").contains("holds line breaks"));
    assert!(http("filter: {min_level: warning}").contains("did you mean `warn`?"));
}

#[test]
fn a_secret_comes_from_a_file_or_the_environment_and_is_never_printed() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "s3cret\n").expect("written");
    let path = file.path().display();
    let sink = one(&format!(
        "type: http, url: \"http://h/\", auth: {{bearer: {{file: {path}}}}}, headers: {{X-Key: {{file: {path}}}, X-Home: {{env: PATH}}}}"
    ));
    assert!(!format!("{sink:?}").contains("s3cret"));
    let To::Http(http) = sink.to else {
        panic!("http")
    };
    let Auth::Bearer(bearer) = http.client.auth else {
        panic!("bearer")
    };
    assert_eq!(bearer.read().expect("read"), "s3cret");
    assert_eq!(bearer, Secret::File(file.path().to_owned()));
    std::fs::write(file.path(), "n3w\n").expect("written");
    assert_eq!(
        bearer.read().expect("read"),
        "n3w",
        "read when it is needed"
    );

    let wrong = |auth: &str| {
        error(&format!(
            "sinks: {{a: {{type: http, url: \"http://h/\", auth: {{{auth}}}}}}}"
        ))
    };
    assert!(wrong("bearer: abc").contains("a secret does not stand in the configuration"));
    assert!(
        wrong("bearer: {file: /no/such}").contains("sinks.a.auth.bearer: cannot be read: /no/such")
    );
    assert!(
        wrong("bearer: {env: NO_SUCH_VARIABLE_HERE}")
            .contains("the environment has no `NO_SUCH_VARIABLE_HERE`")
    );
    assert!(wrong("user: me").contains("give either bearer, or user and password"));
    assert!(wrong("bearer: {flie: x}").contains("flie"));
}

#[test]
fn what_is_masked_is_a_switch_or_a_list() {
    assert_eq!(one("type: blackhole, redact: false").redact, Redact::Off);
    let Redact::On(options) =
        one("type: blackhole, redact: {detectors: [jwt, email], patterns: {ticket: \"T-[0-9]+\"}}")
            .redact
    else {
        panic!("on")
    };
    assert!(options.detectors.has(Detector::Jwt) && options.detectors.has(Detector::Email));
    assert!(options.detectors.has(Detector::Own) && !options.detectors.has(Detector::Aws));
    assert_eq!(options.own[0].name, "ticket");
    let wrong = |redact: &str| {
        error(&format!(
            "sinks: {{a: {{type: blackhole, redact: {redact}}}}}"
        ))
    };
    assert!(
        wrong("{detectors: [jwtt]}")
            .contains("sinks.a.redact.detectors: there is no detector `jwtt`; did you mean `jwt`?")
    );
    assert!(wrong("{patterns: {x: \"(\"}}").contains("sinks.a.redact.patterns.x: "));
    assert!(wrong("{patterns: {jwt: \"a\"}}").contains("this name is taken"));
    let message = error("sinks:\n  a:\n    type: blackhole\n    redact: {detector: [jwt]}\n");
    assert!(message.contains("did you mean `detectors`?"), "{message}");
    assert!(error("sinks: {a: {type: blackhole, redact: 7}}").contains("true, false"));
}

#[test]
fn names_are_let_through_by_globs() {
    let filter = one(
        "type: blackhole, filter: {namespaces: [\"shop-*\"], exclude: {namespaces: [shop-test]}}",
    )
    .filter;
    assert!(filter.namespaces.admit("shop-live"));
    assert!(!filter.namespaces.admit("shop-test"));
    assert!(!filter.namespaces.admit(""));
    assert!(filter.categories.is_all() && filter.categories.admit("crash"));
}

#[test]
fn protocols_have_their_own_keys_and_their_own_defaults() {
    let To::Forward(forward) = one("type: forward, url: \"tcp://127.0.0.1\"").to else {
        panic!("forward")
    };
    assert_eq!(forward.address, "127.0.0.1:24224");
    assert!(forward.ack && forward.tls.is_none() && forward.shared_key.is_none());
    assert_eq!(
        forward.gzip, None,
        "what stays on the host is not compressed"
    );
    let sink = one("type: forward, url: \"tls://[::1]:5\", compression: gzip, ack: false");
    assert_eq!(
        sink.compression,
        Compression::None,
        "the entries are, not the body"
    );
    let To::Forward(forward) = sink.to else {
        panic!("forward")
    };
    assert_eq!(
        (forward.address.as_str(), forward.gzip),
        ("[::1]:5", Some(1))
    );
    assert_eq!(
        forward.tls.expect("tls").server_name.as_deref(),
        Some("::1")
    );

    let sink = one("type: otlp, url: \"https://otel.example.com:4318\"");
    assert_eq!(sink.compression, Compression::Gzip(1));
    let To::Otlp(otlp) = sink.to else {
        panic!("otlp")
    };
    assert_eq!(otlp.client.url, "https://otel.example.com:4318/v1/logs");

    let To::Loki(loki) = one("type: loki, url: \"http://loki:3100\", tenant: ops").to else {
        panic!("loki")
    };
    assert_eq!(loki.client.url, "http://loki:3100/loki/api/v1/push");
    assert_eq!(loki.labels.len(), 4, "few labels make few streams");
    assert_eq!(
        loki.client.headers,
        [("X-Scope-OrgID".to_owned(), Secret::Text("ops".to_owned()))]
    );
}

#[test]
fn what_a_protocol_cannot_do_is_refused_with_the_remedy() {
    let forward = |more: &str| {
        error(&format!(
            "sinks: {{a: {{type: forward, url: \"tcp://h:1\", {more}}}}}"
        ))
    };
    assert!(
        error("sinks: {a: {type: forward, url: \"http://h\"}}").contains("write it like tcp://")
    );
    assert!(
        error("sinks: {a: {type: forward, url: \"tcp://h:x\"}}").contains("write it like tcp://")
    );
    assert!(forward("compression: zstd").contains("use auto, gzip or none"));
    assert!(
        forward("tag: \"x.{app}\"").contains("`app` is not known; use text and any of {namespace}")
    );
    assert!(forward("tls: {insecure: true}").contains("write https:// or tls://"));
    assert!(forward("shared_key: abc").contains("a secret does not stand in the configuration"));
    assert!(forward("auth: {user: u, password: {env: PATH}}").contains("set shared_key"));
    assert!(forward("auth: {bearer: {env: PATH}}").contains("use shared_key"));
    let loki = |more: &str| {
        error(&format!(
            "sinks: {{a: {{type: loki, url: \"http://h\", {more}}}}}"
        ))
    };
    assert!(loki("labels: []").contains("Loki takes no stream without a label"));
    assert!(loki("labels: [pod]").contains("`pod` is not allowed here"));
    assert!(loki("fixed_labels: {a-b: x}").contains("`a-b` cannot be a label in Loki"));
    assert!(loki("fixed_labels: {level: x}").contains("is among `labels` already"));
    assert!(loki("compression: zstd").contains("use auto, gzip or none"));
    assert!(loki("tenant: \"a b\"").contains("visible ASCII"));
}

/// The sinks that `default.yaml` shows as comments: one object of YAML.
fn shown() -> String {
    let text = crate::config::raw::DEFAULT_YAML;
    let begin = text.find("  # vector:").expect("the first example");
    text[begin..]
        .lines()
        .take_while(|line| line.starts_with("  #"))
        .map(|line| format!("  {}\n", line.trim_start_matches("  #").trim_end()))
        .collect()
}

#[test]
fn what_default_yaml_shows_of_further_sinks_is_what_they_have_by_default() {
    let shown = format!("sinks:\n{}", shown());
    let said = sinks(&shown);
    for sink in &said {
        let needed = match &sink.to {
            To::Http(http) => format!("type: http, url: \"{}\"", http.client.url),
            To::File(file) => format!("type: file, path: \"{}\"", file.path.display()),
            To::Forward(forward) => format!("type: forward, url: \"tcp://{}\"", forward.address),
            To::Otlp(otlp) => format!("type: otlp, url: \"{}\"", otlp.client.url),
            To::Loki(loki) => format!("type: loki, url: \"{}\"", loki.client.url),
            To::Blackhole => "type: blackhole".to_owned(),
            To::Stdout(_) => continue,
        };
        let bare = sinks(&format!("sinks: {{{}: {{{needed}}}}}", sink.name));
        let bare = bare.iter().find(|bare| bare.name == sink.name);
        assert_eq!(
            format!("{sink:?}"),
            format!("{:?}", bare.expect("the same"))
        );
    }
    assert_eq!(said.len(), 7, "one of each type: {shown}");
}

#[test]
fn the_readme_shows_configurations_that_are_sound() {
    let readme = include_str!("../../../../README.md");
    let blocks = readme.split("```yaml\n").skip(1);
    let shown: Vec<&str> = blocks
        .filter_map(|block| block.split("```").next())
        .filter(|block| block.starts_with("sinks:") || block.starts_with("sources:"))
        .collect();
    assert!(shown.len() >= 2, "{shown:?}");
    for block in shown {
        let config = Checked::parse("README.md", block);
        assert!(
            config.is_ok(),
            "{}\n{block}",
            config.expect_err("not sound")
        );
    }
}

//! What cannot be taken is refused so that the sender knows, and counted by its reason; the agent goes on.

use std::fs;

use serde_json::json;

use super::{Sender, sources};
use crate::harness::{Agent, Reply, ask, dir, free_port, until};

fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.json()["error"]["code"], code, "{reply:?}");
}

#[test]
fn a_body_that_is_not_what_it_says_is_refused_and_counted() {
    let dir = dir();
    let agent = Agent::start(dir.path(), &sources(free_port(), ""));
    let post = |path: &str, headers: &[&str], body: &[u8]| {
        ask(agent.api, "POST", path, headers, body).unwrap()
    };
    refused(
        &post("/ingest", &["Content-Encoding: gzip"], b"no gzip"),
        400,
        "bad_body",
    );
    refused(
        &post("/ingest", &["Content-Encoding: br"], b"{}"),
        415,
        "unknown_encoding",
    );
    refused(&post("/ingest", &[], b"[{\"message\":"), 400, "bad_body");
    refused(&post("/ingest", &[], b"nonsense\n{}\n"), 400, "no_record");
    refused(
        &post("/ingest", &[], &[b' '; 70_000]),
        413,
        "body_too_large",
    );
    let bomb = zstd::stream::encode_all(&vec![b' '; 1 << 20][..], 1).unwrap();
    refused(
        &post("/ingest", &["Content-Encoding: zstd"], &bomb),
        413,
        "body_too_large",
    );
    // Deep, and all in one line.
    let deep = format!("{{\"message\":{}\n", "[".repeat(60_000));
    refused(&post("/ingest", &[], deep.as_bytes()), 400, "no_record");
    let protobuf = "Content-Type: application/x-protobuf";
    for (status, body) in [
        (400, &b"\x0a\xff\xff\xff\xff\x0f"[..]),
        (400, b"\x07"),
        (200, b""),
    ] {
        assert_eq!(
            post("/v1/logs", &[protobuf], body).status,
            status,
            "{body:?}"
        );
    }
    for (status, kind, body) in [
        (415, "text/plain", &b"{}"[..]),
        (200, "application/json", b"{}"),
        (400, "application/json", b"[]"),
        (400, "application/json", b"{\"resourceLogs\":"),
        (413, "application/json", &[b' '; 20_000]),
    ] {
        let kind = format!("Content-Type: {kind}");
        let reply = post("/v1/logs", &[&kind], body);
        assert_eq!(reply.status, status, "{kind}: {reply:?}");
    }
    // Some of it is sound: that is taken, and the rest is counted.
    let reply = post(
        "/ingest",
        &[],
        b"{\"message\":\"sound\"}\n7\n{\"message\"\n{}\n",
    );
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({"accepted": 1, "rejected": {"empty": 1, "malformed": 1, "not_an_object": 1}})
    );
    agent.wait_for_line("sound");
    for (name, reason, least) in [
        ("rejected", "malformed", 3.0),
        ("rejected", "empty", 2.0),
        ("rejected", "not_an_object", 1.0),
        ("refused", "malformed", 3.0),
        ("refused", "too_large", 2.0),
    ] {
        let labels = ["receiver=\"http\"", &format!("reason=\"{reason}\"")];
        let counted = agent.metric(&format!("logsieve_received_{name}_total"), &labels);
        assert!(counted >= least, "{name} {reason}: {counted}");
    }
    agent.terminate();
}

#[test]
fn the_token_of_the_api_guards_what_is_sent_too() {
    let dir = dir();
    let token = dir.path().join("token");
    fs::write(&token, "open sesame\n").unwrap();
    let settings = format!("token_file: \"{}\"", token.display());
    let agent = Agent::start_with_api(dir.path(), &sources(free_port(), ""), &settings);
    let body = b"{\"message\":\"let in\"}";
    for path in ["/ingest", "/v1/logs"] {
        for headers in [&[][..], &["Authorization: Bearer wrong"]] {
            let reply = ask(agent.api, "POST", path, headers, body).unwrap();
            assert_eq!(reply.status, 401, "{path} {reply:?}");
        }
    }
    let right = ["Authorization: Bearer open sesame"];
    assert_eq!(
        ask(agent.api, "POST", "/ingest", &right, body)
            .unwrap()
            .status,
        200
    );
    agent.wait_for_line("let in");
    agent.terminate();
}

#[test]
fn nothing_is_received_unless_it_is_configured() {
    let dir = dir();
    let agent = Agent::start(
        dir.path(),
        "sources: {demo: \"on\", docker: {enabled: off}}\n",
    );
    for path in ["/ingest", "/v1/logs"] {
        let headers = ["Content-Type: application/x-protobuf"];
        let reply = ask(agent.api, "POST", path, &headers, b"{}").unwrap();
        // A sender keeps what it has, and somebody sees why.
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.body.contains("sources.http.enabled"), "{reply:?}");
    }
    agent.terminate();
}

#[test]
fn what_the_store_cannot_keep_is_to_be_sent_again() {
    let dir = dir();
    fs::write(dir.path().join("in-the-way"), "a file").unwrap();
    let store = format!(
        "store: {{directory: \"{}/in-the-way/state\"}}\n",
        dir.path().display()
    );
    let agent = Agent::start(dir.path(), &(sources(free_port(), "") + &store));
    let send = || {
        let body = b"{\"message\":\"again\"}";
        ask(agent.api, "POST", "/ingest", &[], body).unwrap()
    };
    let reply = send();
    refused(&reply, 503, "store_unavailable");
    assert!(reply.head.contains("retry-after: "), "{reply:?}");
    // Once it can, it does.
    fs::remove_file(dir.path().join("in-the-way")).unwrap();
    until(
        "the store",
        || (send().status == 200).then_some(()),
        || agent.log(),
    );
    agent.wait_for_line("again");
    agent.terminate();
}

#[test]
fn a_sender_without_the_key_is_not_let_in() {
    let dir = dir();
    let port = free_port();
    let key = dir.path().join("key");
    fs::write(&key, "a shared key\n").unwrap();
    let more = format!(", shared_key_file: \"{}\"", key.display());
    let agent = Agent::start(dir.path(), &sources(port, &more));
    let run = |args: &[&str]| Sender::start(dir.path(), "forward", port, args).map(Sender::finish);
    let Some(said) = run(&["--shared-key", "another key"]) else {
        return;
    };
    assert_eq!(said[0]["refused"], "shared_key mismatch", "{said:?}");
    let said = run(&["--shared-key", "a shared key"]).unwrap();
    assert_eq!(said[0]["acked"], json!([0]), "{said:?}");
    // Who does not log in but sends at once gets no answer but the question.
    let packed = "93a161c40b9200" // [tag, entries (11 bytes), ...
        .to_owned()
        + "81a36c6f67a36f6e65"
        + "81a56368756e6ba16b";
    let sender = Sender::start(dir.path(), "frames", port, &[&packed]).unwrap();
    let answer = sender.finish()[0]["answer"].as_str().unwrap().to_owned();
    assert!(!answer.contains("a361636b"), "an acknowledgement: {answer}");
    let refusals = || {
        agent.metric(
            "logsieve_received_refused_total",
            &["reason=\"shared_key\""],
        )
    };
    until(
        "the counts",
        || (refusals() >= 2.0).then_some(()),
        || agent.metrics(),
    );
    agent.terminate();
}

#[test]
fn frames_that_are_no_messages_end_their_connection_and_nothing_else() {
    let dir = dir();
    let port = free_port();
    let agent = Agent::start(dir.path(), &sources(port, ", max_chunk_bytes: 65536"));
    let frames = [
        "c1",                                                 // no MessagePack
        "c0",                                                 // no array
        "92a174c0",                                           // no entries
        "93a174c4019380",                                     // half a pair
        "93a174c403ffffff81aa636f6d70726573736564a4677a6970", // no gzip
        "ddffffffff",                                         // claims much, sends nothing
        "dc00",
        "93a174c6000f4240*200000", // too long
    ];
    let Some(sender) = Sender::start(dir.path(), "frames", port, &frames) else {
        return;
    };
    let said = sender.finish();
    assert_eq!(said.len(), frames.len());
    for (frame, said) in frames.iter().zip(&said) {
        assert_eq!(said["answer"], "", "{}", &frame[..frame.len().min(40)]);
    }
    let sender = Sender::start(dir.path(), "forward", port, &["--events", "2"]).unwrap();
    assert_eq!(sender.finish()[0]["acked"], json!([0, 1]));
    for (reason, least) in [("malformed", 5.0), ("too_large", 1.0)] {
        let labels = ["receiver=\"forward\"", &format!("reason=\"{reason}\"")];
        // Counted once the connection has ended.
        until(
            reason,
            || {
                let counted = agent.metric("logsieve_received_refused_total", &labels);
                (counted >= least).then_some(())
            },
            || agent.metrics(),
        );
    }
    agent.terminate();
}

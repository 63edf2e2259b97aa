//! Endpoints that are away, slow, angry or talk nonsense.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::receiver::{Answer as Reply, Receiver};
use super::rig::{Gate, Rig, completion, items, judged, question, sensible, until};
use crate::classify::llm::{Chat, ChatError, Purpose};

#[test]
fn replies_that_cannot_be_used_are_asked_for_once_more_and_then_left() {
    for (content, fault) in [
        ("", "empty"),
        ("It is about the network.", "no_json"),
        (
            "{\"answers\":[{\"i\":7,\"category\":\"network\"}]}",
            "wrong_index",
        ),
        (
            "{\"answers\":[{\"i\":1,\"category\":\"weather\"}]}",
            "unknown_category",
        ),
        ("{\"result\":\"network\"}", "shape"),
    ] {
        let rig = Rig::start("", move |_, _| completion(content));
        rig.llm.ask(question("network gone"));
        let answer = rig.answer();
        assert_eq!(answer.category, None, "{content}");
        assert!(answer.reason.contains(fault), "{}", answer.reason);
        assert_eq!(rig.server.requests().len(), 2, "one repair");
        let label = format!("reason=\"{fault}\"");
        assert_eq!(rig.metric("llm_reply_faults_total", &label), 2.0);
        assert_eq!(
            rig.metric("llm_templates_total", "outcome=\"unusable\""),
            1.0
        );
    }
}

#[test]
fn a_cut_reply_is_asked_for_again_with_more_room() {
    let rig = Rig::start("", |n, request| {
        if n > 0 {
            return sensible(n, request);
        }
        Reply::Text(
            r#"{"choices":[{"finish_reason":"length","message":{"content":"{\"answers\":[{\"i\":1,\"cat"}}]}"#
                .to_owned(),
        )
    });
    rig.llm.ask(question("network gone"));
    assert_eq!(rig.answer().category.as_deref(), Some("network"));
    let room = |at: usize| {
        let body: serde_json::Value =
            serde_json::from_slice(&rig.server.requests()[at].body).unwrap();
        body["max_tokens"].as_u64().unwrap()
    };
    assert!(room(1) > room(0));
}

#[test]
fn a_repair_asks_only_about_what_is_missing() {
    let rig = Rig::start(", linger_ms: 3000", |n, request| {
        judged(request, |template| {
            if n == 0 && template.contains("odd") {
                "nonsense".to_owned()
            } else {
                "storage".to_owned()
            }
        })
    });
    for template in ["storage even", "storage odd", "storage prime"] {
        rig.llm.ask(question(template));
    }
    let answers = rig.answers(3);
    assert!(
        answers
            .iter()
            .all(|answer| answer.category.as_deref() == Some("storage"))
    );
    let requests = rig.server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(items(&requests[1]).len(), 1);
}

#[test]
fn faults_that_pass_are_tried_again() {
    for fault in [
        Reply::status(500),
        Reply::status(503),
        Reply::Cut(10),
        Reply::Text("<html>one moment</html>".to_owned()),
        Reply::Text("{\"choices\":".to_owned()),
        Reply::Hang(Duration::from_millis(1500)),
    ] {
        let first = fault.clone();
        let rig = Rig::start(", timeout_ms: 1000", move |n, request| {
            if n == 0 {
                first.clone()
            } else {
                sensible(n, request)
            }
        });
        rig.llm.ask(question("network gone"));
        assert_eq!(
            rig.answer().category.as_deref(),
            Some("network"),
            "{fault:?}"
        );
        rig.until_health("it answers");
    }
}

#[test]
fn who_asks_for_patience_gets_it() {
    let rig = Rig::start("", |n, request| {
        if n == 0 {
            Reply::Status(429, vec![("Retry-After", "2".to_owned())], "slow down")
        } else {
            sensible(n, request)
        }
    });
    rig.llm.ask(question("network gone"));
    assert_eq!(rig.answer().category.as_deref(), Some("network"));
    let requests = rig.server.requests();
    let waited = requests[1].at - requests[0].at;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    assert_eq!(
        rig.metric("llm_requests_total", "outcome=\"http_429\""),
        1.0
    );
    assert_eq!(rig.health.report().status, "ok");
}

#[test]
fn a_dead_endpoint_is_left_alone_and_one_template_alone_tries_it_again() {
    let gate = Gate::default();
    let seen = gate.clone();
    let rig = Rig::start("", move |n, request| {
        if n == 3 {
            // The first probe.
            seen.pass();
        }
        if n < 4 {
            Reply::status(502)
        } else {
            sensible(n, request)
        }
    });
    for number in 0..10 {
        rig.llm
            .ask(question(&format!("network gone the way of {number}")));
    }
    until(|| (rig.metric("llm_circuit_open", "") > 0.0).then_some(())).expect("open");
    assert_eq!(rig.health.report().status, "degraded");
    gate.open();
    // Whoever wants words meanwhile is told at once.
    let began = Instant::now();
    let refused = rig.llm.chat(
        &Chat {
            purpose: Purpose::Ask,
            system: String::new(),
            user: "hello".to_owned(),
            reply_tokens: 5,
            temperature: 0.0,
        },
        None,
    );
    if rig.metric("llm_circuit_open", "") > 0.0 && rig.server.requests().len() < 4 {
        assert!(matches!(refused, Err(ChatError::Resting(_))), "{refused:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(rig.answers(10).len(), 10);
    let requests = rig.server.requests();
    let probes = requests[3..5].iter().filter(|request| {
        let body = String::from_utf8_lossy(&request.body);
        body.contains("Templates:") && items(request).len() == 1
    });
    assert!(probes.count() >= 1, "{}", requests.len());
    rig.until_health("it answers");
    assert_eq!(rig.metric("llm_circuit_open", ""), 0.0);
}

#[test]
fn nobody_who_asks_waits_whatever_the_endpoint_does() {
    for hang in [true, false] {
        let rig = if hang {
            Rig::start(", timeout_ms: 60000", |_, _| {
                Reply::Hang(Duration::from_secs(5))
            })
        } else {
            // A port where nobody listens.
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let url = format!("http://127.0.0.1:{port}/v1");
            Rig::before(Receiver::start(sensible), &url, ", max_queue: 500")
        };
        rig.llm.ask(question("the first"));
        let began = Instant::now();
        let taken = (0..1000).filter(|number| {
            let template = format!("{} {number}", "a template of some words ".repeat(5));
            let question = question(&template);
            rig.llm.waits([(question.id, 3)]);
            rig.llm.ask(question)
        });
        let taken = taken.count();
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{:?}",
            began.elapsed()
        );
        if hang {
            assert_eq!(taken, 1000);
        } else {
            assert!((400..=560).contains(&taken), "{taken}");
            assert!(rig.metric("llm_templates_total", "outcome=\"queue_full\"") >= 440.0);
        }
    }
}

#[test]
fn a_wrong_key_is_told_with_the_remedy_and_not_tried_again_and_again() {
    let rig = Rig::start("", |_, _| Reply::Status(401, Vec::new(), "who are you"));
    rig.llm.ask(question("network gone"));
    let detail = rig.until_health("the key is not right");
    assert!(detail.contains("401"), "{detail}");
    assert_eq!(rig.server.requests().len(), 1);
    assert_eq!(rig.llm.waiting(), 1, "the template waits for better times");
}

#[test]
fn an_endpoint_without_schemas_is_asked_in_simpler_forms_from_then_on() {
    let rig = Rig::start(", linger_ms: 10", |n, request| {
        let body = String::from_utf8_lossy(&request.body);
        if body.contains("json_schema") || body.contains("json_object") {
            Reply::Status(
                400,
                Vec::new(),
                "{\"error\":\"response_format is unknown\"}",
            )
        } else {
            sensible(n, request)
        }
    });
    rig.llm.ask(question("network gone"));
    assert_eq!(rig.answer().category.as_deref(), Some("network"));
    assert_eq!(rig.server.requests().len(), 3);
    rig.llm.ask(question("storage gone"));
    assert_eq!(rig.answer().category.as_deref(), Some("storage"));
    assert_eq!(rig.server.requests().len(), 4);
}

#[test]
fn what_an_endpoint_refuses_is_parted_until_the_one_is_found() {
    let rig = Rig::start(", format: text", |n, request| {
        if String::from_utf8_lossy(&request.body).contains("forbidden") {
            Reply::Status(422, Vec::new(), "no")
        } else {
            sensible(n, request)
        }
    });
    for template in [
        "network a1",
        "network forbidden",
        "network c3",
        "network d4",
    ] {
        rig.llm.ask(question(template));
    }
    let answers = rig.answers(4);
    let judged = answers.iter().filter(|answer| answer.category.is_some());
    assert_eq!(judged.count(), 3, "{answers:?}");
    let refused = answers
        .iter()
        .find(|answer| answer.category.is_none())
        .unwrap();
    assert_eq!(refused.id, question("network forbidden").id);
}

#[test]
fn at_the_bound_of_the_budget_templates_wait_and_health_says_so() {
    let rig = Rig::start(
        ", max_templates: 1, linger_ms: 1, budget: {requests_per_minute: 2}",
        sensible,
    );
    for template in ["network a", "network b", "network c", "network d"] {
        rig.llm.ask(question(template));
    }
    rig.answers(2);
    let detail = rig.until_health("requests_per_minute is spent");
    assert!(detail.contains("templates wait"), "{detail}");
    assert_eq!(rig.llm.waiting(), 2);
    assert_eq!(rig.metric("llm_budget_spent", ""), 1.0);
    assert_eq!(rig.server.requests().len(), 2);
    let chat = Chat {
        purpose: Purpose::Generate,
        system: String::new(),
        user: "hello".to_owned(),
        reply_tokens: 5,
        temperature: 0.0,
    };
    assert!(matches!(
        rig.llm.chat(&chat, None),
        Err(ChatError::Spent {
            bound: "requests_per_minute",
            ..
        })
    ));
}

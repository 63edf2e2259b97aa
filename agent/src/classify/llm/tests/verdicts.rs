//! What is asked together, and what becomes of the answers.

use super::rig::{Gate, Rig, completion, items, judged, question, sensible, until};
use crate::classify::llm::{Chat, Purpose};

#[test]
fn each_template_is_answered_once_with_a_confidence_from_agreement() {
    let rig = Rig::start(", linger_ms: 3000", sensible);
    let asked = ["network is gone", "storage is gone", "security is gone"];
    for template in asked {
        assert!(rig.llm.ask(question(template)));
        // A second time it is the same question.
        assert!(rig.llm.ask(question(template)));
    }
    let answers = rig.answers(3);
    let confidence = |category: &str| {
        let found = answers
            .iter()
            .find(|answer| answer.category.as_deref() == Some(category));
        found
            .unwrap_or_else(|| panic!("{category}: {answers:?}"))
            .confidence
    };
    assert!(confidence("network") > confidence("storage"));
    assert!(confidence("storage") > confidence("security"));
    assert!(
        answers
            .iter()
            .all(|answer| answer.reason == "it says so" && answer.model == "tested")
    );
    assert_eq!(rig.server.requests().len(), 1);
    assert_eq!(rig.metric("llm_tokens_total", "direction=\"in\""), 100.0);
    assert_eq!(rig.metric("llm_templates_total", "outcome=\"judged\""), 3.0);
    let log = rig.llm.log(10);
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].request.as_bytes(), rig.server.requests()[0].body);
    assert_eq!(log[0].templates.len(), 3);
    assert!(rig.until_health("it answers").contains("tested"));
}

#[test]
fn the_request_holds_a_schema_with_the_allowed_categories_alone() {
    let rig = Rig::start("", sensible);
    rig.llm.ask(question("storage"));
    rig.answer();
    let request = &rig.server.requests()[0];
    assert_eq!(request.line, "POST /v1/chat/completions HTTP/1.1");
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let allowed = &body["response_format"]["json_schema"]["schema"]["properties"]["answers"]["items"]
        ["properties"]["category"]["enum"];
    assert_eq!(
        allowed,
        &serde_json::json!([
            "network",
            "security",
            "storage",
            "application",
            "unclassified"
        ])
    );
    assert_eq!(body["model"], "tested");
}

#[test]
fn hundreds_of_templates_need_a_few_dozen_requests() {
    let gate = Gate::default();
    let asked = gate.clone();
    let rig = Rig::start(", linger_ms: 3000", move |n, request| {
        asked.pass();
        sensible(n, request)
    });
    let count = 420;
    for number in 0..count {
        let subject = ["volume", "session", "peer", "lease", "shard", "cursor"][number % 6];
        let word: String = format!("{number:x}")
            .bytes()
            .map(|digit| char::from(digit % 26 + b'a'))
            .collect();
        assert!(rig.llm.ask(question(&format!(
            "{subject} {word} of network {number} gone"
        ))));
    }
    gate.open();
    assert_eq!(rig.answers(count).len(), count);
    let requests = rig.server.requests();
    assert!(requests.len() <= 30, "{}", requests.len());
    // Like goes with like: most requests are about one subject.
    let pure = requests.iter().filter(|request| {
        let items = items(request);
        let subject = |item: &serde_json::Value| {
            let text = item["template"].as_str().unwrap();
            text.split(' ').next().unwrap().to_owned()
        };
        items.iter().all(|item| subject(item) == subject(&items[0]))
    });
    assert!(pure.count() * 10 >= requests.len() * 6);
}

#[test]
fn an_abstaining_model_leaves_the_template_unclassified() {
    let rig = Rig::start("", |_, request| {
        judged(request, |_| "unclassified".to_owned())
    });
    rig.llm.ask(question("what is this"));
    let answer = rig.answer();
    assert_eq!(answer.category, None);
    assert!(answer.reason.contains("abstains"), "{}", answer.reason);
}

#[test]
fn two_votes_that_differ_say_nothing() {
    let rig = Rig::start(", second_vote: true, linger_ms: 3000", |n, request| {
        judged(request, |template| match (n, template.contains("sure")) {
            (_, true) | (0, _) => "network".to_owned(),
            _ => "storage".to_owned(),
        })
    });
    rig.llm.ask(question("sure thing"));
    rig.llm.ask(question("another thing"));
    let answers = rig.answers(2);
    let named: Vec<_> = answers
        .iter()
        .filter_map(|a| a.category.as_deref())
        .collect();
    assert_eq!(named, ["network"], "{answers:?}");
    let requests = rig.server.requests();
    assert_eq!(requests.len(), 2);
    // The second time in another order.
    let first = |at: usize| items(&requests[at])[0]["template"].clone();
    assert_ne!(first(0), first(1));
}

#[test]
fn a_verdict_that_too_little_agrees_with_is_none() {
    let rig = Rig::start(", min_confidence: 0.95", sensible);
    rig.llm.ask(question("security matter"));
    let answer = rig.answer();
    assert_eq!(answer.category, None);
    assert!(answer.reason.contains("below 0.95"), "{}", answer.reason);
}

#[test]
fn the_only_model_of_an_endpoint_is_found_by_asking() {
    let rig = Rig::start(", model: ''", |n, request| {
        if request.line.starts_with("GET /v1/models ") {
            super::receiver::Answer::Text("{\"data\":[{\"id\":\"the-one\"}]}".to_owned())
        } else {
            sensible(n, request)
        }
    });
    rig.llm.ask(question("network"));
    assert_eq!(rig.answer().model, "the-one");
}

#[test]
fn words_come_whole_or_in_pieces_and_through_the_same_log() {
    let rig = Rig::start("", |n, _| {
        if n == 0 {
            completion("Hello there.")
        } else {
            super::receiver::Answer::Text(
                "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n\
                 data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n\
                 data: [DONE]\n\n"
                    .to_owned(),
            )
        }
    });
    let chat = Chat {
        purpose: Purpose::Ask,
        system: "Be kind.".to_owned(),
        user: "the line: password=Sw0rdf1sh-99".to_owned(),
        reply_tokens: 50,
        temperature: 0.2,
    };
    assert_eq!(rig.llm.chat(&chat, None).unwrap(), "Hello there.");
    let mut pieces = Vec::new();
    let mut on_piece = |piece: &str| pieces.push(piece.to_owned());
    assert_eq!(rig.llm.chat(&chat, Some(&mut on_piece)).unwrap(), "Hello");
    assert_eq!(pieces, ["Hel", "lo"]);
    for request in rig.server.requests() {
        let body = String::from_utf8(request.body).unwrap();
        assert!(
            body.contains("[redacted:password]") && !body.contains("Sw0rdf1sh"),
            "{body}"
        );
    }
    assert_eq!(rig.llm.log(10).len(), 2);
    assert_eq!(rig.metric("llm_requests_total", "purpose=\"ask\""), 2.0);
}

#[test]
fn who_has_the_most_lines_behind_it_goes_first() {
    let gate = Gate::default();
    let asked = gate.clone();
    let rig = Rig::start(", max_templates: 1", move |n, request| {
        asked.pass();
        sensible(n, request)
    });
    rig.llm.ask(question("first"));
    until(|| (rig.llm.waiting() == 0).then_some(())).expect("the first is being asked");
    for (template, lines) in [("few", 3), ("many", 500), ("some", 40)] {
        rig.llm.ask(question(template));
        rig.llm.waits([(question(template).id, lines)]);
    }
    gate.open();
    let order: Vec<_> = (0..4).map(|_| rig.answer().id).collect();
    assert_eq!(
        order,
        ["first", "many", "some", "few"].map(|template| question(template).id)
    );
}

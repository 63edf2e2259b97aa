//! The functions for Arroyo, compiled as Arroyo compiles them and called as it calls them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::udf::call;
use crate::harness::{Answer, Receiver, free_port};

const SYNC: [&str; 4] = ["log_category", "log_level", "log_template", "log_verdict"];

fn odd() -> Vec<Option<String>> {
    vec![
        None,
        Some(String::new()),
        Some("\n".to_owned()),
        Some("\u{0}\u{1b}[31m\u{ffff}\u{1f600}\r".to_owned()),
        Some("a".repeat(1 << 20)),
        Some("1 ".repeat(1 << 19)),
        Some("[{\"".repeat(1 << 18)),
        None,
        Some("at a.b(C.java:1)\n".repeat(10_000)),
        Some("{\"level\":\"error\",\"msg\":\"\\ud800 half a pair\"}".to_owned()),
        None,
    ]
}

#[test]
fn nulls_stay_null_and_odd_texts_get_an_answer() {
    let rows = odd();
    for function in SYNC {
        let said = call("call", function, &[], &rows);
        for (row, said) in rows.iter().zip(&said) {
            assert_eq!(row.is_some(), said.is_some(), "{function}");
        }
    }
    // No agent listens there: what the rules say is the answer.
    let url = format!("http://127.0.0.1:{}", free_port());
    let said = call("ask", "log_ask", &[("LOGSIEVE_URL", &url)], &rows);
    assert_eq!(said, call("call", "log_verdict", &[], &rows));
}

#[test]
fn an_empty_batch_is_one_too() {
    for function in SYNC {
        assert_eq!(call::<&str>("call", function, &[], &[]), Vec::new());
    }
}

#[test]
fn each_function_says_its_part_of_the_verdict() {
    let rows: Vec<Option<String>> = [
        "sshd[7]: Failed password for root from 10.1.1.9 port 22 ssh2",
        "2026-03-01T10:00:00.1Z stderr F panic: runtime error: index out of range [7] with length 3",
        "{\"log\":\"level=warn msg=\\\"disk full\\\"\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-01T10:00:00Z\"}",
        "frobnicated 17 quuxes",
    ]
    .map(|line| Some(line.to_owned()))
    .into();
    let verdicts: Vec<Value> = call("call", "log_verdict", &[], &rows)
        .into_iter()
        .map(|said| serde_json::from_str(&said.unwrap()).unwrap())
        .collect();
    for part in ["category", "level", "template"] {
        let said = call("call", &format!("log_{part}"), &[], &rows);
        for (said, verdict) in said.iter().zip(&verdicts) {
            assert_eq!(said.as_deref(), verdict[part].as_str());
        }
    }
    assert_eq!(verdicts[0]["category"], "security");
    assert_eq!(verdicts[3]["category"], "unclassified");
    assert_eq!(verdicts[3]["template"], "frobnicated <num> quuxes");
}

#[test]
fn a_pack_that_cannot_be_used_gives_nulls_and_no_panic() {
    let rows = [Some("disk full"), None];
    let variables = [("LOGSIEVE_PACK", "/nowhere/pack.yaml")];
    for function in SYNC {
        assert_eq!(call("call", function, &variables, &rows), [None, None]);
    }
    assert_eq!(call("ask", "log_ask", &variables, &rows), [None, None]);
}

#[test]
fn only_templates_that_no_rule_decides_are_put_to_the_agent() {
    let agent = Receiver::start(|_, _| {
        let answer = json!({
            "final_category": "storage", "pipeline_stage": "BERT", "final_confidence": 0.75, "level": "warn",
            "reason": "bert: near", "template": "frobnicated <num> quuxes", "template_id": "0123456789abcdef", "journey": []
        });
        Answer::Status(
            200,
            vec![("content-type", "application/json".to_owned())],
            Box::leak(answer.to_string().into_boxed_str()),
        )
    });
    let url = format!("http://{}", agent.address());
    let variables = [("LOGSIEVE_URL", url.as_str()), ("LOGSIEVE_TOKEN", "secret")];
    let decided = "sshd[7]: Failed password for root from 10.1.1.9 port 22 ssh2".to_owned();
    let rows: Vec<Option<String>> = (0..300)
        .map(|n| match n % 3 {
            0 => Some(decided.clone()),
            1 => Some(format!("frobnicated {n} quuxes")),
            _ => None,
        })
        .collect();
    let said = call("ask", "log_ask", &variables, &rows);
    let own = call("call", "log_verdict", &[], &rows);
    for (n, said) in said.iter().enumerate() {
        match n % 3 {
            0 => assert_eq!(said, &own[n]),
            1 => {
                let verdict: Value = serde_json::from_str(said.as_deref().unwrap()).unwrap();
                assert_eq!(
                    verdict,
                    json!({
                        "level": "warn", "category": "storage", "stage": "bert", "confidence": 0.75, "reason": "bert: near",
                        "template": "frobnicated <num> quuxes", "template_id": "0123456789abcdef"
                    })
                );
            }
            _ => assert_eq!(said, &None),
        }
    }
    let requests = agent.requests();
    assert!(
        !requests.is_empty() && requests.len() <= 100,
        "{}",
        requests.len()
    );
    for request in &requests {
        assert!(
            request.line.starts_with("POST /api/classify "),
            "{}",
            request.line
        );
        assert_eq!(request.header("authorization"), Some("Bearer secret"));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert!(
            body["log_message"]
                .as_str()
                .unwrap()
                .starts_with("frobnicated")
        );
    }
}

#[test]
fn an_agent_that_hangs_or_fails_leaves_what_the_rules_say() {
    let rows = [Some("frobnicated 17 quuxes")];
    let own = call("call", "log_verdict", &[], &rows);
    let started = Instant::now();
    for answer in [
        Answer::Hang(Duration::from_secs(20)),
        Answer::status(500),
        Answer::status(401),
        Answer::Status(200, Vec::new(), "{\"final_category\":"),
        Answer::Cut(3),
    ] {
        let agent = Receiver::start(move |_, _| answer.clone());
        let url = format!("http://{}", agent.address());
        let variables = [
            ("LOGSIEVE_URL", url.as_str()),
            ("LOGSIEVE_TIMEOUT_MS", "500"),
        ];
        assert_eq!(call("ask", "log_ask", &variables, &rows), own);
    }
    // Arroyo's time-out of 10 s would have ended the function's thread with a panic.
    assert!(started.elapsed() < Duration::from_secs(60));
    // An address that is none.
    let variables = [("LOGSIEVE_URL", "not a url")];
    assert_eq!(call("ask", "log_ask", &variables, &rows), own);
}

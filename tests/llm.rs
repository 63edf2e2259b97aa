//! A language model behind the rules and the BERT: the real binary in front of a small server that answers as one, or fails.

mod litellm;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::chat::{Gate, completion, items, judged};
use crate::harness::{
    Agent, Answer, Receiver, Request, dir, get, logsieve, model, objects, text, until,
};

/// Lines of which no rule of the general pack decides any, each of another template.
const LINES: [&str; 4] = [
    "2026-11-20T10:00:00Z INFO mailer: queued newsletter 88 for 1200 recipients",
    "2026-11-20T10:00:01Z INFO planner: basket of tenant 17 rated with coupon 3",
    "2026-11-20T10:00:02Z INFO catalog: merged 12 product sheets into chapter 4",
    "2026-11-20T10:00:03Z INFO catalog: sheet of gizmos kept with password=Sw0rdf1sh-99 in chapter 5",
];

fn config(dir: &Path, url: &str, llm: &str) -> String {
    fs::create_dir_all(dir.join("logs")).unwrap();
    format!(
        "sources:\n  files: {{include: [\"{}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nllm: {{url: \"{url}\", model: tested, linger_ms: 300{llm}}}\n",
        dir.display(),
    )
}

fn url(server: &Receiver) -> String {
    format!("http://{}/v1", server.address())
}

fn write(dir: &Path, name: &str, lines: &[&str]) {
    fs::write(dir.join("logs").join(name), lines.join("\n") + "\n").unwrap();
}

/// A model that says `application` of everything, but not before the gate is open.
fn application(gate: &Gate) -> impl Fn(usize, &Request) -> Answer + Send + Sync + 'static {
    let gate = gate.clone();
    move |_, request| {
        gate.pass();
        judged(request, |_| "application".to_owned())
    }
}

#[test]
fn verdicts_of_the_language_model_are_kept_and_never_asked_for_again() {
    let dir = dir();
    let gate = Gate::default();
    let server = Receiver::start(application(&gate));
    let agent = Agent::start(dir.path(), &config(dir.path(), &url(&server), ""));
    write(dir.path(), "a.log", &LINES);
    // Nobody waits for the language model.
    let first = agent.wait_for(4, |_| true);
    assert!(
        first
            .iter()
            .all(|event| event["category"] == "unclassified"),
        "{first:#?}"
    );
    gate.open();
    until(
        "the verdicts",
        || {
            (agent.metric("logsieve_llm_templates_total", &["outcome=\"judged\""]) >= 4.0)
                .then_some(())
        },
        || agent.log(),
    );
    let (_, health) = agent.health();
    assert_eq!(health["components"]["llm"]["ok"], true, "{health}");
    let asked = server.requests();
    assert!((1..=4).contains(&asked.len()), "{}", asked.len());
    let sent: String = asked
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    assert!(
        sent.contains("newsletter") && sent.contains("mailer"),
        "{sent}"
    );
    assert!(!sent.contains("Sw0rdf1sh"), "{sent}");
    let (status, log) = get(agent.api, "/api/llm/log?limit=5").unwrap();
    let log: Value = serde_json::from_str(&log).unwrap();
    assert_eq!((status, &log["enabled"]), (200, &true.into()), "{log}");
    let shown = log["sent"].as_array().unwrap();
    assert_eq!(shown.len(), asked.len());
    let newest = asked.last().unwrap();
    assert_eq!(
        shown[0]["request"].as_str().unwrap().as_bytes(),
        newest.body
    );
    write(dir.path(), "b.log", &LINES);
    let again = agent.wait_for(8, |_| true).split_off(4);
    for event in &again {
        assert_eq!(event["stage"], "memo", "{event}");
        assert_eq!(event["category"], "application", "{event}");
        let reason = event["reason"].as_str().unwrap();
        assert!(reason.starts_with("llm: "), "{reason}");
    }
    agent.terminate();
    let requests = server.requests().len();

    let agent = Agent::start(dir.path(), &config(dir.path(), &url(&server), ""));
    write(dir.path(), "c.log", &LINES);
    let later = agent.wait_for(4, |_| true);
    for (event, before) in later.iter().zip(&again) {
        assert_eq!(event["stage"], "memo", "{event}");
        assert_eq!(event["reason"], before["reason"]);
    }
    agent.terminate();
    assert_eq!(
        server.requests().len(),
        requests,
        "0 requests in the second run"
    );
    // The lines that went on without a verdict have it in the store.
    let state = dir.path().join("state");
    let out = logsieve(["export", "--data-dir", state.to_str().unwrap()], b"").expect(0);
    let stored = objects(&out.stdout);
    assert_eq!(stored.len(), 12);
    assert!(
        stored
            .iter()
            .all(|event| event["category"] == "application"),
        "{stored:#?}"
    );
    // What it has said can become rules.
    let suggested = logsieve(
        ["rules", "suggest", "--data-dir", state.to_str().unwrap()],
        b"",
    )
    .expect(0);
    let suggested = text(&suggested.stdout);
    assert!(
        suggested.contains("newsletter") && suggested.contains("category: \"application\""),
        "{suggested}"
    );
    assert!(
        suggested.contains("3 that are application stay so"),
        "{suggested}"
    );
    assert!(!suggested.contains("Sw0rdf1sh"), "{suggested}");
    let pack = dir.path().join("suggested.yaml");
    fs::write(&pack, &suggested).unwrap();
    let tested = logsieve(["rules", "test", pack.to_str().unwrap()], b"").expect(0);
    assert!(
        text(&tested.stdout).contains("0 failed"),
        "{}",
        text(&tested.stdout)
    );
}

#[test]
fn an_endpoint_that_is_dead_slow_or_talks_nonsense_holds_nothing_up() {
    let faults: [fn(usize, &Request) -> Answer; 3] = [
        |_, _| Answer::Cut(0),
        |_, _| Answer::Hang(Duration::from_secs(60)),
        |_, _| completion("Certainly! I would say it depends."),
    ];
    for fault in faults {
        let dir = dir();
        let server = Receiver::start(fault);
        let agent = Agent::start(dir.path(), &config(dir.path(), &url(&server), ""));
        let began = Instant::now();
        write(dir.path(), "a.log", &LINES);
        let events = agent.wait_for(4, |_| true);
        // Far less than any of the server's delays.
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        assert!(
            events
                .iter()
                .all(|event| event["category"] == "unclassified")
        );
        until(
            "a request",
            || (!server.requests().is_empty()).then_some(()),
            || agent.log(),
        );
        let began = Instant::now();
        let all = agent.terminate();
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(all.len(), 4);
        // A stop waits for no endpoint, and neither does the end of this test.
    }
}

#[test]
fn without_key_and_url_the_stage_is_off_and_says_what_to_do() {
    let dir = dir();
    let config = config(dir.path(), "", "").replace(", model: tested", "");
    let agent = Agent::start(dir.path(), &config);
    write(dir.path(), "a.log", &LINES[..1]);
    agent.wait_for(1, |event| event["stage"] == "none");
    let (_, health) = agent.health();
    let detail = health["components"]["llm"]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("off") && detail.contains("GROQ_API_KEY"),
        "{detail}"
    );
    assert_eq!(health["components"]["llm"]["ok"], true);
    agent.terminate();
}

#[test]
fn only_what_the_bert_abstains_on_is_asked() {
    let Some(model) = model() else { return };
    let dir = dir();
    let gate = Gate::default();
    let server = Receiver::start(application(&gate));
    let config = config(dir.path(), &url(&server), "")
        + &format!(
            "classify: {{model: {{directory: \"{}\"}}, wait_ms: 60000}}\n",
            model.display()
        );
    let agent = Agent::start(dir.path(), &config);
    let many: Vec<String> = [
        "crate", "ledger", "voucher", "roster", "quiz", "poem", "kiln", "flute",
    ]
    .iter()
    .map(|word| format!("2026-11-20T10:00:04Z INFO {word}: the {word} of 7 {word}s was {word}ed"))
    .chain(LINES.map(str::to_owned))
    .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    write(dir.path(), "a.log", &many);
    let first = agent.wait_for(many.len(), |_| true);
    assert!(
        first.iter().all(|event| event["stage"] == "bert"),
        "{first:#?}"
    );
    gate.open();
    let abstained: Vec<&Value> = first
        .iter()
        .filter(|event| event["category"] == "unclassified")
        .map(|event| &event["template"])
        .collect();
    until(
        "the verdicts",
        || {
            let judged = agent.metric("logsieve_llm_templates_total", &["outcome=\"judged\""]);
            (judged >= abstained.len() as f64).then_some(())
        },
        || agent.log(),
    );
    let asked: Vec<Value> = server.requests().iter().flat_map(items).collect();
    assert_eq!(asked.len(), abstained.len(), "{asked:#?}");
    agent.terminate();
}

#[test]
fn what_a_rule_decides_is_not_asked_after_a_restart_where_the_bert_abstained_on_it() {
    let Some(model) = model() else { return };
    let dir = dir();
    let server = Receiver::start(application(&Gate::opened()));
    let config = config(dir.path(), &url(&server), "")
        + &format!(
            "classify: {{model: {{directory: \"{}\"}}, wait_ms: 60000}}\n",
            model.display()
        );
    // Rules take these by one phrase each; the rest is about nothing.
    let decided = [
        "2026-11-20T10:00:05Z INFO zarf: violin no space left on device pomegranate tango waltz penguins",
        "2026-11-20T10:00:05Z INFO zarf: penguins waltz GET /daxes 200 violin kettle tango orchard",
        "2026-11-20T10:00:05Z INFO zarf: kettle I/O error penguins pomegranate waltz violin",
        "2026-11-20T10:00:05Z INFO zarf: waltz walrus OutOfMemoryError violin penguins kettle",
    ];
    let agent = Agent::start(dir.path(), &config);
    write(dir.path(), "a.log", &decided);
    let events = agent.wait_for(decided.len(), |_| true);
    assert!(
        events.iter().all(|event| event["stage"] == "rule"),
        "{events:#?}"
    );
    let judged = || {
        agent.metric("logsieve_model_templates_total", &[]) >= decided.len() as f64
            && agent.metric("logsieve_model_queue_templates", &[]) == 0.0
    };
    until(
        "the model to have seen them",
        || judged().then_some(()),
        || agent.log(),
    );
    let abstained = agent.metric("logsieve_model_templates_total", &["outcome=\"abstained\""]);
    assert!(abstained >= 1.0, "nothing is tested: the model is sure");
    agent.terminate();

    let agent = Agent::start(dir.path(), &config);
    let open = "2026-11-20T10:00:06Z INFO quuxer: the snarb of 7 frells was glorped";
    write(dir.path(), "b.log", &[open]);
    until(
        "the question about a line that nobody decides",
        || {
            let asked: Vec<Value> = server.requests().iter().flat_map(items).collect();
            (!asked.is_empty()).then_some(())
        },
        || agent.log(),
    );
    agent.terminate();
    let asked: Vec<Value> = server.requests().iter().flat_map(items).collect();
    assert!(
        asked
            .iter()
            .all(|item| item["template"].to_string().contains("snarb")),
        "{asked:#?}"
    );
}

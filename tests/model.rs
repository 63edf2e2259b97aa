//! The BERT behind the rules: a template is judged once and remembered; categories and classifiers of one's own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Agent, dir, logsieve, model, objects, until};

/// Lines of which no rule of the general pack decides any, each of another template.
const LINES: [&str; 3] = [
    "2026-11-20T10:00:00Z INFO mailer: queued newsletter 88 for 1200 recipients",
    "2026-11-20T10:00:01Z INFO planner: basket of tenant 17 rated with coupon 3",
    "2026-11-20T10:00:02Z INFO catalog: merged 12 product sheets into chapter 4",
];

fn config(dir: &Path, model: &Path, more: &str) -> String {
    fs::create_dir_all(dir.join("logs")).unwrap();
    format!(
        "sources:\n  files: {{include: [\"{}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nclassify:\n  model: {{directory: \"{}\"}}\n{more}",
        dir.display(),
        model.display()
    )
}

fn write(dir: &Path, name: &str, lines: &[&str]) {
    fs::write(dir.join("logs").join(name), lines.join("\n") + "\n").unwrap();
}

/// What the health page says of a model that cannot be used, once it says so.
fn refusal(agent: &Agent) -> String {
    until(
        "the word on the model",
        || {
            let (_, health) = agent.health();
            let bert = health["components"]["bert"].clone();
            (bert["ok"] == false).then(|| bert["detail"].to_string())
        },
        || agent.log(),
    )
}

fn stages(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| event["stage"].as_str())
        .collect()
}

#[test]
fn a_template_is_judged_once_and_remembered_over_restarts() {
    let Some(model) = model() else { return };
    let dir = dir();
    let patient = "  wait_ms: 60000\n";
    let agent = Agent::start(dir.path(), &config(dir.path(), &model, patient));
    write(dir.path(), "a.log", &LINES);
    let first = agent.wait_for(3, |_| true);
    assert_eq!(stages(&first), ["bert"; 3]);
    for event in &first {
        let reason = event["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("bert: ") && reason.contains("like \""),
            "{reason}"
        );
        assert_eq!(
            event["category"] == "unclassified",
            reason.contains("abstains")
        );
    }
    write(dir.path(), "b.log", &LINES);
    let again = agent.wait_for(6, |_| true).split_off(3);
    assert_eq!(stages(&again), ["memo"; 3]);
    assert_eq!(again[0]["category"], first[0]["category"]);
    assert_eq!(again[0]["reason"], first[0]["reason"]);
    assert!((agent.metric("logsieve_model_templates_total", &[]) - 3.0).abs() < 0.5);
    agent.terminate();

    let agent = Agent::start(dir.path(), &config(dir.path(), &model, patient));
    write(dir.path(), "c.log", &LINES);
    let later = agent.wait_for(3, |_| true);
    assert_eq!(stages(&later), ["memo"; 3]);
    assert_eq!(later[1]["reason"], first[1]["reason"]);
    assert!(agent.metric("logsieve_model_templates_total", &[]) < 0.5);
    agent.terminate();
}

#[test]
fn a_line_goes_on_without_its_verdict_and_the_store_learns_it() {
    let Some(model) = model() else { return };
    let dir = dir();
    let agent = Agent::start(dir.path(), &config(dir.path(), &model, "  wait_ms: 0\n"));
    write(dir.path(), "a.log", &LINES[..1]);
    let event = agent.wait_for(1, |_| true).remove(0);
    assert_eq!(
        (&event["stage"], &event["category"]),
        (&"pending".into(), &"unclassified".into())
    );
    assert!(agent.metric("logsieve_pending_events_total", &[]) >= 1.0);
    until(
        "the verdict",
        || (agent.metric("logsieve_model_templates_total", &[]) >= 1.0).then_some(()),
        || agent.log(),
    );
    agent.terminate();
    let state = dir.path().join("state");
    let out = logsieve(["export", "--data-dir", state.to_str().unwrap()], b"").expect(0);
    let stored = objects(&out.stdout);
    assert_eq!(stored[0]["line"], LINES[0]);
    assert_eq!(stored[0]["stage"], "memo");
    assert!(
        stored[0]["reason"].as_str().unwrap().starts_with("bert: "),
        "{stored:?}"
    );
}

#[test]
fn a_model_that_is_missing_or_damaged_is_named_and_the_rules_go_on() {
    let dir = dir();
    let nowhere = dir.path().join("nowhere");
    let line = "panic: runtime error: index out of range [5] with length 3";
    for damaged in [false, true] {
        if damaged {
            fs::create_dir_all(&nowhere).unwrap();
            fs::write(nowhere.join("model.onnx"), "cut").unwrap();
        }
        let agent = Agent::start(dir.path(), &config(dir.path(), &nowhere, ""));
        write(dir.path(), &format!("{damaged}.log"), &[line, LINES[0]]);
        let events = agent.wait_for(2, |_| true);
        assert_eq!(stages(&events), ["rule", "none"]);
        let said = refusal(&agent);
        assert!(
            said.contains("nowhere") && said.contains("make model"),
            "{said}"
        );
        agent.terminate();
    }
}

/// A pack of three categories with examples and no rules.
const OWN: &str = r#"version: 1
name: bakery
taxonomy:
  version: 1
  categories:
    - {id: ovens, means: "heating, temperature and maintenance of ovens"}
    - {id: orders, means: "orders of customers, their payment and delivery"}
    - {id: recipes, means: "recipes, ingredients and doughs"}
rules:
  - {id: ovens.calibrated, category: ovens, any: ["oven calibrated"], match: ["oven calibrated in 3 s"]}
examples:
  - {text: "oven 3 reached 230 degrees", category: ovens}
  - {text: "oven 1 door left open for 40 s", category: ovens}
  - {text: "heating element of oven 2 drew 16 A", category: ovens}
  - {text: "oven 4 cooled down for cleaning", category: ovens}
  - {text: "temperature sensor of oven 1 replaced", category: ovens}
  - {text: "order 17 paid by card", category: orders}
  - {text: "customer 9 cancelled order 44", category: orders}
  - {text: "delivery of order 12 left with driver 3", category: orders}
  - {text: "invoice for order 5 sent to customer", category: orders}
  - {text: "order 8 placed by customer 61", category: orders}
  - {text: "sourdough recipe now takes 2 percent salt", category: recipes}
  - {text: "flour for recipe rye replaced by spelt", category: recipes}
  - {text: "dough of recipe brioche rests 12 hours", category: recipes}
  - {text: "recipe ciabatta needs more water", category: recipes}
  - {text: "new recipe pretzel with 3 ingredients", category: recipes}
"#;

#[test]
fn categories_of_ones_own_need_only_a_few_examples() {
    let Some(model) = model() else { return };
    let dir = dir();
    let pack = dir.path().join("bakery.yaml");
    fs::write(&pack, OWN).unwrap();
    let lines = "oven 7 heated up to 210 degrees\ncustomer 3 paid order 99 in cash\nrecipe baguette uses less yeast and more salt\noven calibrated in 4 s\n";
    let arguments = [
        "classify",
        "--format",
        "json",
        "--pack",
        pack.to_str().unwrap(),
        "--model",
        model.to_str().unwrap(),
        "-",
    ];
    let out = logsieve(arguments, lines.as_bytes()).expect(0);
    let events = objects(&out.stdout);
    let categories: Vec<&str> = events
        .iter()
        .filter_map(|event| event["category"].as_str())
        .collect();
    assert_eq!(categories, ["ovens", "orders", "recipes", "ovens"]);
    assert_eq!(stages(&events), ["bert", "bert", "bert", "rule"]);
}

#[test]
fn a_pack_with_too_few_examples_is_told_and_its_rules_go_on() {
    let Some(model) = model() else { return };
    let dir = dir();
    let pack = dir.path().join("few.yaml");
    let few: String = OWN
        .lines()
        .filter(|line| !line.contains("category: orders}"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&pack, few).unwrap();
    let arguments = [
        "classify",
        "--pack",
        pack.to_str().unwrap(),
        "--model",
        model.to_str().unwrap(),
        "-",
    ];
    let out = logsieve(arguments, b"oven calibrated in 4 s\n").expect(1);
    assert!(
        out.stderr.contains("0 example lines of category orders"),
        "{}",
        out.stderr
    );
}

#[test]
fn a_classifier_of_ones_own_is_used_with_its_own_labels() {
    let Some(model) = model() else { return };
    let dir = dir();
    let (own, made) = copied(&model, dir.path());
    let labels: serde_json::Map<String, Value> = made["id2label"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(index, label)| {
            (
                index.clone(),
                format!("My {}", label.as_str().unwrap()).into(),
            )
        })
        .collect();
    let config = serde_json::json!({
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "max_position_embeddings": 512,
        "id2label": labels,
    });
    fs::write(own.join("config.json"), config.to_string()).unwrap();
    let line = format!("{}\n", LINES[0]);
    let arguments = [
        "classify",
        "--format",
        "json",
        "--model",
        own.to_str().unwrap(),
        "-",
    ];
    let out = logsieve(arguments, line.as_bytes()).expect(0);
    let event = objects(&out.stdout).remove(0);
    if event["stage"] == "bert" && event["category"] != "unclassified" {
        assert!(
            event["category"].as_str().unwrap().starts_with("My "),
            "{event}"
        );
    } else {
        assert!(
            event["reason"]
                .as_str()
                .unwrap()
                .contains("most likely My "),
            "{event}"
        );
    }
}

/// A copy of `model` below `dir` without manifest and configuration, as somebody's own; and the configuration.
fn copied(model: &Path, dir: &Path) -> (PathBuf, Value) {
    let own = dir.join("own");
    fs::create_dir_all(&own).unwrap();
    for file in ["model.onnx", "tokenizer.json", "libonnxruntime.so"] {
        fs::copy(model.join(file), own.join(file)).unwrap();
    }
    let made = serde_json::from_slice(&fs::read(model.join("config.json")).unwrap()).unwrap();
    (own, made)
}

/// Makes the model that is copied to `directory` give no numbers for texts with `word`: the word's scale becomes NaN.
fn poison(directory: &Path, word: &str) {
    let tokenizer: Value =
        serde_json::from_slice(&fs::read(directory.join("tokenizer.json")).unwrap()).unwrap();
    let id = tokenizer["model"]["vocab"][word].as_u64().expect("a word");
    let path = directory.join("model.onnx");
    let mut bytes = fs::read(&path).unwrap();
    // The constant's name (field 8 of a TensorProto) and after it its bytes (field 9), with their length before them.
    let name = b"\x42\x0cwords/scales\x4a";
    let found = bytes.windows(name.len()).rposition(|some| some == name);
    let mut at = found.expect("the constant") + name.len();
    while bytes[at] >= 0x80 {
        at += 1;
    }
    let at = at + 1 + 4 * usize::try_from(id).unwrap();
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_text_that_the_model_has_no_numbers_for_spoils_no_other_template() {
    let Some(model) = model() else { return };
    let dir = dir();
    let (own, made) = copied(&model, dir.path());
    let config_json = serde_json::json!({
        "model_type": "bert", "max_position_embeddings": 512, "id2label": made["id2label"],
    });
    fs::write(own.join("config.json"), config_json.to_string()).unwrap();
    poison(&own, "accordion");
    let agent = Agent::start(dir.path(), &config(dir.path(), &own, ""));
    let bad = "2026-11-20T10:00:00Z INFO hall: the accordion was tuned by 3 people";
    write(dir.path(), "a.log", &[bad, LINES[0], LINES[1]]);
    let events = agent.wait_for(3, |_| true);
    let of = |word: &str| {
        let has = |event: &&Value| event["message"].to_string().contains(word);
        events.iter().find(has).unwrap()["stage"].clone()
    };
    assert_eq!(of("accordion"), "none");
    let others = events.iter().filter(|event| event["stage"] == "bert");
    assert_eq!(others.count(), 2, "{events:#?}");
    let (_, health) = agent.health();
    let said = health["components"]["bert"]["detail"].as_str().unwrap();
    assert!(
        said.contains("not finite") && said.contains("accordion") && said.contains("model.onnx"),
        "{said}"
    );
    agent.terminate();
}

#[test]
fn another_pack_judges_the_known_templates_anew() {
    let Some(model) = model() else { return };
    let dir = dir();
    let pack = dir.path().join("bakery.yaml");
    fs::write(&pack, OWN).unwrap();
    let more = format!("  pack: \"{}\"\n  wait_ms: 60000\n", pack.display());
    let agent = Agent::start(dir.path(), &config(dir.path(), &model, &more));
    write(dir.path(), "a.log", &["oven 7 heated up to 210 degrees"]);
    assert_eq!(agent.wait_for(1, |_| true)[0]["category"], "ovens");
    let renamed = OWN
        .replace("ovens", "bakeware")
        .replace("version: 1\n  cat", "version: 2\n  cat");
    fs::write(&pack, renamed).unwrap();
    agent.signal("HUP");
    until(
        "the second verdict",
        || (agent.metric("logsieve_model_templates_total", &[]) >= 2.0).then_some(()),
        || agent.log(),
    );
    // The verdict is on its way to the flow, which takes it up before any line that is written now goes on.
    write(dir.path(), "b.log", &["oven 8 heated up to 190 degrees"]);
    let event = agent.wait_for(2, |_| true).remove(1);
    assert_eq!(
        (&event["category"], &event["stage"]),
        (&"bakeware".into(), &"memo".into())
    );
    agent.terminate();
}

#[test]
fn eval_scores_the_sieve_on_labelled_lines_of_ones_own() {
    let dir = dir();
    let file = dir.path().join("labelled.tsv");
    let rows = "# category\tlevel\tline\ncrash\tfatal|error\tpanic: runtime error: index out of range [5] with length 3\nsecurity\tinfo\tNov 20 10:00:00 web sshd[1]: Accepted publickey for ann from 10.0.0.9 port 50022 ssh2\napplication\tqueued newsletter 88 for 1200 recipients\n";
    fs::write(&file, rows).unwrap();
    let path = file.to_str().unwrap();
    let out = logsieve(["eval", path, "--format", "json"], b"").expect(0);
    let said = objects(&out.stdout).remove(0);
    assert_eq!(said["scores"]["lines"], 3);
    assert_eq!(said["scores"]["by_rules"], 2);
    assert!(
        (said["scores"]["accuracy"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-6,
        "{said}"
    );
    assert_eq!(said["scores"]["selective"], 1.0);
    if let Some(model) = model() {
        let out = logsieve(["eval", path, "--model", model.to_str().unwrap()], b"").expect(0);
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains("above  coverage  precision"), "{text}");
    }
    fs::write(&file, "no label here\n").unwrap();
    let out = logsieve(["eval", path], b"").expect(1);
    assert!(
        out.stderr
            .contains("labelled.tsv:1: a row is category, tab"),
        "{}",
        out.stderr
    );
}

#[test]
fn an_onnx_runtime_that_is_missing_broken_or_too_old_is_named() {
    let Some(model) = model() else { return };
    let dir = dir();
    let source = dir.path().join("old.c");
    fs::write(
        &source,
        "#include <stdint.h>\n#include <stddef.h>\nstatic const void *api(uint32_t version) { return version > 10 ? NULL : &api; }\nstatic const char *version(void) { return \"1.10.0\"; }\nstatic struct { const void *(*a)(uint32_t); const char *(*v)(void); } base = {api, version};\nconst void *OrtGetApiBase(void) { return &base; }\n",
    )
    .unwrap();
    let old = dir.path().join("libold.so");
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&old, &source])
        .status()
        .unwrap();
    assert!(compiled.success());
    let broken = dir.path().join("libbroken.so");
    fs::write(&broken, "no library").unwrap();
    for runtime in [dir.path().join("libnone.so"), broken, old] {
        let name = runtime.file_name().unwrap().to_str().unwrap().to_owned();
        let named = format!(
            "classify:\n  model: {{directory: \"{}\", runtime: \"{}\"}}\n",
            model.display(),
            runtime.display()
        );
        let whole = config(dir.path(), &model, "");
        let whole = &whole[..whole.find("classify:").unwrap()];
        let agent = Agent::start(dir.path(), &format!("{whole}{named}"));
        let said = refusal(&agent);
        assert!(
            said.contains(&name) && said.contains("classify.model.runtime"),
            "{said}"
        );
        write(dir.path(), &format!("{name}.log"), &[LINES[0]]);
        assert_eq!(stages(&agent.wait_for(1, |_| true)), ["none"]);
        agent.terminate();
    }
}

#[test]
fn what_a_person_teaches_wins_over_the_model_and_lasts() {
    let Some(model) = model() else { return };
    let dir = dir();
    let patient = "  wait_ms: 60000\n";
    let agent = Agent::start(dir.path(), &config(dir.path(), &model, patient));
    write(dir.path(), "a.log", &LINES);
    let first = agent.wait_for(3, |_| true).remove(2);
    let id = first["template_id"].as_str().unwrap().to_owned();
    let category = if first["category"] == "storage" {
        "cluster"
    } else {
        "storage"
    };
    let url = format!("http://127.0.0.1:{}", agent.api);
    let teach = |id: &str, category: &str| logsieve(["teach", id, category, "--url", &url], b"");
    let said = teach(&id, category).expect(0);
    assert!(String::from_utf8_lossy(&said.stdout).contains("merged <num> product sheets"));
    let refused = teach(&id, "weather").expect(1);
    assert!(
        refused.stderr.contains("use one of crash, security"),
        "{}",
        refused.stderr
    );
    teach("0123456789abcdef", category).expect(1);
    write(dir.path(), "b.log", &LINES[2..]);
    let event = agent.wait_for(4, |_| true).remove(3);
    assert_eq!(
        (&event["stage"], &event["category"]),
        (&"taught".into(), &category.into())
    );
    agent.terminate();
    let agent = Agent::start(dir.path(), &config(dir.path(), &model, patient));
    write(dir.path(), "c.log", &LINES[2..]);
    let event = agent.wait_for(1, |_| true).remove(0);
    assert_eq!(
        (&event["stage"], &event["category"]),
        (&"taught".into(), &category.into())
    );
    agent.terminate();
}

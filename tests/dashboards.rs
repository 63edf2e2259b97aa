//! What `dashboards/` ships: rules under promtool, dashboards as Grafana reads them, and every expression on a real Prometheus
//! that scrapes real agents under load.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::harness::chat::judged;
use crate::harness::{
    Agent, Answer, Prometheus, Receiver, dir, free_port, get, model, repo, text, until,
};

fn dashboards() -> Vec<(PathBuf, Value)> {
    let mut found: Vec<_> = fs::read_dir(repo().join("dashboards/grafana"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            (path, json)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().unwrap().iter();
    all.filter(|panel| panel["type"] != "row").collect()
}

/// Every expression with where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, dashboard) in dashboards() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().unwrap() {
                let place = format!("{name}: {}", panel["title"].as_str().unwrap());
                found.push((place, target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

fn promtool(args: &[&str]) {
    let output = Command::new("promtool")
        .args(args)
        .current_dir(repo().join("dashboards/prometheus"))
        .output();
    let Ok(output) = output else {
        return println!("SKIPPED: no promtool (see scripts/setup-tests)");
    };
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "promtool {args:?}: {said}");
}

#[test]
fn promtool_accepts_the_rules_and_every_alert_fires_when_it_should() {
    promtool(&["check", "rules", "rules.yml"]);
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["test", "rules", "rules_test.yml"]);
    let whole = |file: &str| -> Value {
        let path = repo().join("dashboards/prometheus").join(file);
        serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let (rules, tests) = (whole("rules.yml"), whole("rules_test.yml"));
    let alerts: BTreeSet<&str> = (rules["groups"].as_array().unwrap().iter())
        .flat_map(|group| group["rules"].as_array().unwrap())
        .filter_map(|rule| rule["alert"].as_str())
        .collect();
    let firing: BTreeSet<&str> = (tests["tests"].as_array().unwrap().iter())
        .flat_map(|test| test["alert_rule_test"].as_array().unwrap())
        .filter(|case| !case["exp_alerts"].as_array().unwrap().is_empty())
        .filter_map(|case| case["alertname"].as_str())
        .collect();
    assert_eq!(firing, alerts, "shown firing, and defined");
    let page = fs::read_to_string(repo().join("dashboards/README.md")).unwrap();
    for alert in alerts {
        assert!(
            page.contains(alert),
            "dashboards/README.md does not name {alert}"
        );
    }
}

#[test]
fn dashboards_are_what_grafana_reads() {
    let mut uids = BTreeSet::new();
    for (path, dashboard) in dashboards() {
        let at = path.display();
        assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 41, "{at}");
        assert!(
            dashboard["id"].is_null(),
            "{at}: an id belongs to one installation"
        );
        assert!(
            uids.insert(dashboard["uid"].as_str().unwrap().to_owned()),
            "{at}"
        );
        let variables: BTreeMap<&str, &Value> =
            (dashboard["templating"]["list"].as_array().unwrap().iter())
                .map(|variable| (variable["name"].as_str().unwrap(), variable))
                .collect();
        assert_eq!(variables["datasource"]["type"], "datasource", "{at}");
        assert_eq!(variables["datasource"]["query"], "prometheus", "{at}");
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        let mut used = BTreeSet::from(["datasource".to_owned()]);
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{at}: {title}");
            let cell = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            for x in cell("x")..cell("x") + cell("w") {
                assert!(x < 24, "{at}: {title} is beyond the edge");
                for y in cell("y")..cell("y") + cell("h") {
                    assert!(
                        taken.insert((x, y)),
                        "{at}: {title} lies over another panel"
                    );
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            let mut references = BTreeSet::new();
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(
                    target["datasource"]["uid"], "${datasource}",
                    "{at}: {title}"
                );
                assert!(
                    references.insert(target["refId"].as_str().unwrap()),
                    "{at}: {title}"
                );
                used.extend(named(target["expr"].as_str().unwrap()));
            }
        }
        for variable in variables.values() {
            used.extend(named(variable["definition"].as_str().unwrap_or("")));
        }
        used.retain(|name| !name.starts_with("__"));
        let defined: BTreeSet<String> = variables.keys().map(|name| (*name).to_owned()).collect();
        assert_eq!(used, defined, "{at}: variables used, and variables defined");
    }
    assert!(uids.len() >= 3);
}

/// The variables in a text: `$name`.
fn named(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split('$').skip(1);
    parts.map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    })
}

/// Only where there is a model do these have a series.
const NEED_A_MODEL: &[&str] = &["model_templates_total"];

/// What Grafana does with an expression before it asks Prometheus, with short times.
fn filled_in(expression: &str) -> String {
    let mut filled = expression
        .replace("$__rate_interval", "20s")
        .replace("$__range", "1m");
    for variable in ["instance", "category", "namespace", "container", "sink"] {
        filled = filled.replace(&format!("${variable}"), ".*");
    }
    assert!(!filled.contains('$'), "{expression}");
    filled
}

/// The series that Prometheus has for an expression now.
fn ask(port: u16, expression: &str) -> Result<Vec<Value>, String> {
    let encoded: String = expression
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let (status, body) =
        get(port, &format!("/api/v1/query?query={encoded}")).map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(body);
    }
    Ok(answer["data"]["result"]
        .as_array()
        .cloned()
        .unwrap_or_default())
}

/// Lines of every kind, one file's worth: crashes, failed logins, requests, what no rule knows, an error of a new kind, a secret,
/// and one that is not wrapped as its neighbours are.
fn write_lines(file: &Path, round: u32) {
    let lines = [
        (
            "stderr F",
            "panic: runtime error: index out of range [5] with length 3".to_owned(),
        ),
        (
            "stderr F",
            format!(
                "sshd[{round}]: Failed password for root from 203.0.113.{} port 40122 ssh2",
                round % 250
            ),
        ),
        (
            "stdout F",
            format!(
                "10.0.0.{} - - [01/Mar/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 500 12",
                round % 250
            ),
        ),
        ("stdout F", format!("INFO request {round} done")),
        (
            "stdout F",
            format!("INFO mailer: queued newsletter {round} for 1200 recipients"),
        ),
        (
            "stdout F",
            "INFO connecting to postgres://shop:hunter2pass@db.internal/shop".to_owned(),
        ),
        (
            "stderr F",
            format!("ERROR cannot open /data/{round}: Permission denied"),
        ),
    ];
    let mut out = String::new();
    for (head, line) in lines {
        out.push_str(&format!("2026-03-01T10:00:00.000000000Z {head} {line}\n"));
    }
    out.push_str("no time stands before this line\n");
    let mut file = fs::File::options()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    file.write_all(out.as_bytes()).unwrap();
}

/// Writes on in the background until the value goes.
struct Load {
    ended: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(files: Vec<PathBuf>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let known = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for round in 0.. {
                if known.load(Ordering::Acquire) {
                    return;
                }
                for file in &files {
                    write_lines(file, round);
                }
                // The pace of the load, not a wait for anything.
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
        });
        Self {
            ended,
            thread: Some(thread),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The metrics that an expression names.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let ours = |word: &&str| {
        word.starts_with("logsieve_")
            || word.starts_with("process_")
            || word.starts_with("logsieve:")
            || *word == "up"
    };
    words.filter(ours).map(str::to_owned).collect()
}

#[test]
fn every_expression_gives_data_on_a_real_prometheus() {
    let (dir, away) = (dir(), free_port());
    let refuses = Receiver::start(|_, _| Answer::status(400));
    let chat = Receiver::start(|_, request| judged(request, |_| "application".to_owned()));
    let (well, ill) = (dir.path().join("well"), dir.path().join("ill"));
    let pod = "var/log/pods/shop_web-1_0f0e0d0c-1111-2222-3333-444455556666/app";
    for home in [&well, &ill] {
        fs::create_dir_all(home.join(pod)).unwrap();
    }
    let sources = |home: &Path| {
        format!(
            "sources: {{files: {{include: [\"{}/var/log/pods/*/*/*.log\"], start_at: beginning}}, docker: {{enabled: off}}, demo: off}}\nevents: {{max_wait_ms: 100}}\ndrain_timeout_seconds: 1\n",
            home.display()
        )
    };
    // One agent whose sinks are well, away, refusing and thinning out; and one that has a file where its store would be.
    let first = Agent::start(
        &well,
        &format!(
            "{}llm: {{url: \"http://{}/v1\", model: tested, linger_ms: 100}}\nsinks:\n  stdout: {{format: json}}\n  away: {{type: http, url: \"http://127.0.0.1:{away}/\", retry: {{initial_ms: 50, max_ms: 200}}}}\n  refuses: {{type: http, url: \"{}\", batch: {{max_wait_ms: 50}}}}\n  thin: {{type: blackhole, filter: {{min_level: warn}}, sample: {{first_per_minute: 1}}}}\n",
            sources(&well),
            chat.address(),
            refuses.url()
        ),
    );
    fs::write(ill.join("taken"), "").unwrap();
    let model = model();
    let with_model = model.as_ref().map_or(String::new(), |place| {
        format!(
            "classify: {{model: {{directory: \"{}\"}}}}\n",
            place.display()
        )
    });
    let second = Agent::start(
        &ill,
        &format!(
            "{}{with_model}store: {{directory: \"{}\"}}\n",
            sources(&ill),
            ill.join("taken").display()
        ),
    );
    let load = Load::start(vec![
        well.join(pod).join("0.log"),
        ill.join(pod).join("0.log"),
    ]);
    first.signal("HUP");

    let rules = fs::read_to_string(repo().join("dashboards/prometheus/rules.yml")).unwrap();
    fs::write(
        dir.path().join("rules.yml"),
        rules.replace("interval: 30s", "interval: 1s"),
    )
    .unwrap();
    let targets = format!(
        "\"127.0.0.1:{}\", \"127.0.0.1:{}\"",
        first.port, second.port
    );
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\nscrape_configs:\n  - job_name: logsieve\n    static_configs: [{{targets: [{targets}]}}]\n"
    );
    let Some(prometheus) = Prometheus::start(dir.path(), &config) else {
        return println!("SKIPPED: no prometheus (see scripts/setup-tests)");
    };

    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for (place, expression) in expressions() {
        wanted.insert(filled_in(&expression), place);
    }
    for (path, dashboard) in dashboards() {
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            // label_values(SELECTOR, LABEL)
            let Some(definition) = variable["definition"].as_str() else {
                continue;
            };
            let inner = definition
                .strip_prefix("label_values(")
                .unwrap()
                .strip_suffix(')')
                .unwrap();
            let (selector, label) = inner.rsplit_once(", ").unwrap();
            let place = format!("{}: ${}", path.display(), variable["name"]);
            wanted.insert(
                format!("count by ({label}) ({})", filled_in(selector)),
                place,
            );
        }
    }
    let whole: Value = serde_saphyr::from_str(&rules).unwrap();
    for rule in whole["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
    {
        // An alert that does not fire has no series; what it is made from has.
        for metric in metrics(rule["expr"].as_str().unwrap()) {
            wanted.insert(metric, format!("rules.yml: {rule}"));
        }
        if let Some(recorded) = rule["record"].as_str() {
            wanted.insert(recorded.to_owned(), format!("rules.yml: {rule}"));
        }
    }
    assert!(wanted.len() > 60, "{}", wanted.len());
    wanted.retain(|expression, _| {
        let named = |name: &&str| expression.contains(&format!("logsieve_{name}"));
        model.is_some() || !NEED_A_MODEL.iter().any(named)
    });
    let wanted = RefCell::new(wanted);
    until(
        "every expression to give data",
        || {
            let mut wanted = wanted.borrow_mut();
            wanted.retain(|expression, place| match ask(prometheus.port, expression) {
                Ok(series) => series.is_empty(),
                // Prometheus says so where it cannot read an expression.
                Err(error) if error.contains("bad_data") => {
                    panic!("{place}: {expression}: {error}")
                }
                Err(_) => true,
            });
            wanted.is_empty().then_some(())
        },
        || format!("none yet: {:#?}\n{}", wanted.borrow(), prometheus.log()),
    );
    let (_, body) = get(prometheus.port, "/api/v1/rules").unwrap();
    let state: Value = serde_json::from_str(&body).unwrap();
    for rule in state["data"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
    {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    drop(load);
    first.terminate();
    second.terminate();
}

//! The real LiteLLM proxy with models that answer by rote, where `make litellm` has installed it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{LINES, write};
use crate::harness::{Agent, dir, free_port, get, until, until_within};

/// What the models of the proxy say.
const MODELS: &str = r#"model_list:
  - model_name: sensible
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: none
      mock_response: '{"answers":[{"i":1,"why":"it counts things","category":"application"}]}'
  - model_name: chatty
    litellm_params: {model: openai/gpt-4o-mini, api_key: none, mock_response: "I would say it depends."}
  - model_name: inventive
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: none
      mock_response: '{"answers":[{"i":1,"why":"why not","category":"weather"}]}'
  - model_name: limited
    litellm_params: {model: openai/gpt-4o-mini, api_key: none, mock_response: litellm.RateLimitError}
  - model_name: broken
    litellm_params: {model: openai/gpt-4o-mini, api_key: none, mock_response: litellm.InternalServerError}
router_settings: {num_retries: 0, disable_cooldowns: true}
litellm_settings: {num_retries: 0, telemetry: false}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
"#;

const KEY: &str = "sk-5c1f0b7e9a2d4c6e8f3a1b5d7c9e2f4a6b8d0c1e3f5a7b9d";

/// The proxy; killed with the value.
struct Proxy {
    child: Child,
    port: u16,
}

impl Proxy {
    /// `None`, said aloud, where it is not installed.
    fn start(dir: &Path) -> Option<Self> {
        // The test's own executable lies in `deps` of a profile under the target directory.
        let exe = std::env::current_exe().unwrap();
        let program = exe
            .ancestors()
            .nth(3)
            .unwrap()
            .join("test-litellm/bin/litellm");
        if !program.exists() {
            println!(
                "SKIPPED: no {} (make litellm installs it)",
                program.display()
            );
            return None;
        }
        let config = dir.join("litellm.yaml");
        fs::write(&config, MODELS).unwrap();
        let port = free_port();
        let log = dir.join("litellm.log");
        let child = Command::new(program)
            .arg("--config")
            .arg(&config)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .env("LITELLM_MASTER_KEY", KEY)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(File::create(&log).unwrap())
            .stderr(File::create(dir.join("litellm.err")).unwrap())
            .spawn()
            .unwrap();
        let proxy = Self { child, port };
        until_within(
            Duration::from_secs(180),
            "the proxy",
            || {
                get(port, "/health/liveliness")
                    .ok()
                    .filter(|(status, _)| *status == 200)
            },
            || fs::read_to_string(&log).unwrap(),
        );
        Some(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_litellm_proxy_is_understood_whatever_its_models_do() {
    let place = dir();
    let Some(proxy) = Proxy::start(place.path()) else {
        return;
    };
    let key = place.path().join("key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    let wrong = place.path().join("wrong");
    fs::write(&wrong, "sk-wrong\n").unwrap();
    for (model, key, metric, labels, health) in [
        (
            "sensible",
            &key,
            "templates",
            vec!["outcome=\"judged\""],
            "it answers",
        ),
        (
            "chatty",
            &key,
            "templates",
            vec!["outcome=\"unusable\""],
            "",
        ),
        (
            "inventive",
            &key,
            "reply_faults",
            vec!["reason=\"unknown_category\""],
            "",
        ),
        (
            "limited",
            &key,
            "requests",
            vec!["outcome=\"http_429\""],
            "429",
        ),
        (
            "broken",
            &key,
            "requests",
            vec!["outcome=\"http_5xx\""],
            "500",
        ),
        // Without a database of keys it answers 400 to a wrong one.
        (
            "sensible",
            &wrong,
            "requests",
            vec!["outcome=\"refused\""],
            "key",
        ),
    ] {
        let dir = dir();
        fs::create_dir_all(dir.path().join("logs")).unwrap();
        let config = format!(
            "sources:\n  files: {{include: [\"{}/logs/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\nllm: {{url: \"http://127.0.0.1:{}/v1\", model: {model}, key_file: \"{}\", max_templates: 1, linger_ms: 10}}\n",
            dir.path().display(),
            proxy.port,
            key.display(),
        );
        let agent = Agent::start(dir.path(), &config);
        write(dir.path(), "a.log", &LINES[..1]);
        agent.wait_for(1, |_| true);
        let name = format!("logsieve_llm_{metric}_total");
        let labels: Vec<&str> = labels.clone();
        until(
            &format!("{model}: {name} {labels:?}"),
            || (agent.metric(&name, &labels) >= 1.0).then_some(()),
            || format!("{}\n{}", agent.metrics(), agent.log()),
        );
        until(
            "the health",
            || {
                let (_, page) = agent.health();
                let detail = page["components"]["llm"]["detail"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                (detail.contains("LLM") && detail.contains(health)).then_some(())
            },
            || agent.health().1.to_string(),
        );
        if metric == "templates" && health == "it answers" {
            write(dir.path(), "b.log", &LINES[..1]);
            let again = agent.wait_for(2, |_| true).remove(1);
            assert_eq!(
                (&again["stage"], &again["category"]),
                (&"memo".into(), &"application".into())
            );
            assert!(
                again["reason"]
                    .as_str()
                    .unwrap()
                    .contains("it counts things"),
                "{again}"
            );
        }
        agent.terminate();
    }
}

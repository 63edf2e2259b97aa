//! `logsieve run`, started, watched, signalled and ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use super::{free_port, get, objects, text, until};

/// A running agent; killed with the value if it is still there.
pub(crate) struct Agent {
    child: Child,
    /// Its metrics and health listener.
    pub(crate) port: u16,
    /// Its API.
    pub(crate) api: u16,
    out: PathBuf,
    err: PathBuf,
}

impl Agent {
    /// Starts `run` in `dir` with `config` (YAML) and waits until it is up. The harness adds the listeners and the log and,
    /// where `config` does not name them, the sinks (JSON on standard output) and the store (`state` in `dir`).
    pub(crate) fn start(dir: &Path, config: &str) -> Self {
        Self::start_with(dir, config, "", "")
    }

    /// The same with further settings of the section `api`, in YAML's flow style.
    pub(crate) fn start_with_api(dir: &Path, config: &str, settings: &str) -> Self {
        Self::start_with(dir, config, settings, "")
    }

    /// As [`start`](Self::start), with a token in this file for the metrics and health listener.
    pub(crate) fn start_with_token(dir: &Path, config: &str, token_file: &Path) -> Self {
        let token_file = format!(", token_file: \"{}\"", token_file.display());
        Self::start_with(dir, config, "", &token_file)
    }

    fn start_with(dir: &Path, config: &str, api_too: &str, telemetry: &str) -> Self {
        let (port, api) = (free_port(), free_port());
        let file = dir.join("logsieve.yaml");
        let has = |key: &str| config.lines().any(|line| line.starts_with(key));
        let mut whole = format!(
            "{config}\napi: {{listen: \"127.0.0.1:{api}\", {api_too}}}\ntelemetry: {{listen: \"127.0.0.1:{port}\"{telemetry}}}\nlog: {{level: debug}}\n"
        );
        if !has("sinks:") {
            whole.push_str("sinks: {stdout: {format: json}}\n");
        }
        if !has("store:") {
            let state = dir.join("state");
            whole.push_str(&format!("store: {{directory: \"{}\"}}\n", state.display()));
        }
        fs::write(&file, whole).unwrap();
        let (out, err) = (dir.join("agent.out"), dir.join("agent.err"));
        let child = Command::new(env!("CARGO_BIN_EXE_logsieve"))
            .args(["run", "-c"])
            .arg(&file)
            .current_dir(dir)
            .env("LOGSIEVE_MODEL", "none")
            // Where these tests run in a pod of a cluster, that is not theirs.
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env_remove("NODE_NAME")
            // Whatever keys the developer has: nothing is sent to anybody.
            .env_remove("GROQ_API_KEY")
            .env_remove("GEMINI_API_KEY")
            .env_remove("OPENAI_API_KEY")
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let mut agent = Self {
            child,
            port,
            api,
            out,
            err,
        };
        until(
            "the agent's health page",
            || {
                if let Some(status) = agent.child.try_wait().unwrap() {
                    panic!(
                        "the agent ended at once: {status}\n{}",
                        fs::read_to_string(&agent.err).unwrap()
                    );
                }
                get(port, "/health").ok()
            },
            || fs::read_to_string(dir.join("agent.err")).unwrap(),
        );
        agent
    }

    /// What it has printed so far: whole lines only.
    pub(crate) fn events(&self) -> Vec<Value> {
        let bytes = fs::read(&self.out).unwrap();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        objects(&bytes[..whole])
    }

    /// Waits until `n` events that satisfy `which` were printed, and returns them.
    #[track_caller]
    pub(crate) fn wait_for(&self, n: usize, which: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = 0;
        until(
            &format!("{n} events"),
            || {
                // Parsed anew only where there is more: a test of many events would spend its time here.
                let size = fs::metadata(&self.out).unwrap().len();
                if size == seen {
                    return None;
                }
                seen = size;
                Some(self.events().into_iter().filter(&which).collect::<Vec<_>>())
                    .filter(|found| found.len() >= n)
            },
            || {
                format!(
                    "{} events in all; its log:\n{}",
                    self.events().len(),
                    self.log()
                )
            },
        )
    }

    /// Waits until an event with exactly this line was printed.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, line: &str) -> Value {
        self.wait_for(1, |event| event["line"] == line).remove(0)
    }

    /// Its own log.
    pub(crate) fn log(&self) -> String {
        text(&fs::read(&self.err).unwrap())
    }

    /// `GET /health`, as JSON.
    pub(crate) fn health(&self) -> (u16, Value) {
        let (status, body) = get(self.port, "/health").unwrap();
        (
            status,
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")),
        )
    }

    /// `GET /metrics`.
    pub(crate) fn metrics(&self) -> String {
        let (status, body) = get(self.port, "/metrics").unwrap();
        assert_eq!(status, 200);
        body
    }

    /// The sum of all series of a metric whose labels contain all of `labels` (written as in the page: `key="value"`).
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        self.metrics()
            .lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
            })
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Resident memory in KiB: now, and at its highest.
    pub(crate) fn resident_kib(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_ascii_whitespace()
                .nth(1)
                .unwrap()
                .parse()
                .unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Sends a signal by its name (`TERM`, `HUP`).
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let err = self.err.clone();
        until(
            "the agent's end",
            || self.child.try_wait().unwrap(),
            || fs::read_to_string(err).unwrap(),
        )
    }

    /// SIGTERM, the end, and everything it has printed.
    #[track_caller]
    pub(crate) fn terminate(mut self) -> Vec<Value> {
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{status}; its log:\n{}", self.log());
        objects(&fs::read(&self.out).unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

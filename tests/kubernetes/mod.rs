//! `run` on a node of a cluster: what its API says of pods, and how pods ask to be read.

mod switches;
mod watch;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Agent, get, until, until_within};

/// Follows the pods' logs under `dir` from their beginning, with this section about the cluster.
fn start(dir: &Path, kubernetes: &str, more: &str) -> Agent {
    Agent::start(dir, &config(dir, kubernetes, more))
}

fn config(dir: &Path, kubernetes: &str, more: &str) -> String {
    fs::create_dir_all(dir.join("pods")).unwrap();
    format!(
        "sources:\n  files: {{include: [\"{}/pods/*/*/*.log\"], start_at: beginning, rescan_seconds: 1}}\n  docker: {{enabled: off}}\n  demo: off\n  {kubernetes}\nevents: {{max_wait_ms: 200}}\n{more}",
        dir.display()
    )
}

/// A pod of the Deployment `web` with one container `server`, as the API gives it.
fn web(uid: &str, labels: &Value, annotations: &Value) -> Value {
    let mut all = json!({"pod-template-hash": "5d4f8c7b9d", "secret": "unwanted"});
    for (key, value) in labels.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("web-5d4f8c7b9d-{uid}"),
            "namespace": "shop",
            "uid": uid,
            "labels": all,
            "annotations": annotations,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9d", "uid": "r", "controller": true}],
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:spec": {}}}]
        },
        "spec": {
            "nodeName": "node-a",
            "containers": [{
                "name": "server",
                "image": "registry:5000/shop/web:3",
                "command": ["serve", "--key=hunter2"],
                "env": [{"name": "PASSWORD", "value": "hunter2"}]
            }]
        },
        "status": {"phase": "Running"}
    })
}

/// The log of the container `server` of such a pod.
fn log(dir: &Path, uid: &str, restart: u32) -> PathBuf {
    let pod = dir.join(format!("pods/shop_web-5d4f8c7b9d-{uid}_{uid}/server"));
    fs::create_dir_all(&pod).unwrap();
    pod.join(format!("{restart}.log"))
}

fn write(log: &Path, line: &str) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .unwrap();
    writeln!(file, "2026-03-01T10:00:00.000000000Z stdout F {line}").unwrap();
}

/// Writes further lines until one comes out that `fits`: what is known of a pod reaches the lines after it, soon.
#[track_caller]
fn write_until(agent: &Agent, log: &Path, word: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let mut n = 0;
    until(
        "a line of which more is known",
        || {
            n += 1;
            write(log, &format!("{word} {n}"));
            let event = agent.wait_for_line(&format!("{word} {n}"));
            fits(&event).then_some(event)
        },
        || agent.log(),
    )
}

/// Waits until `/health` says this of the cluster.
#[track_caller]
fn wait_for_health(agent: &Agent, ok: bool, words: &str) {
    // Whoever is refused asks again after half a minute at the latest.
    until_within(
        Duration::from_secs(120),
        "the cluster's health",
        || {
            let (_, health) = agent.health();
            let part = &health["components"]["kubernetes"];
            let detail = part["detail"].as_str().unwrap_or_default();
            (part["ok"] == ok && detail.contains(words)).then_some(())
        },
        || format!("{}\n{}", agent.health().1, agent.log()),
    );
}

/// A container as the API tells it.
fn container(agent: &Agent, uid: &str) -> Option<Value> {
    let (status, text) = get(agent.api, &format!("/api/containers/{uid}")).ok()?;
    (status == 200).then(|| serde_json::from_str(&text).unwrap())
}

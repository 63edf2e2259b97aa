//! Every configuration, manifest and unit that is shipped, read by what will read it, or held against what its documentation
//! says.

mod docs;
mod pipelines;
mod programs;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{dir, logsieve, python, repo, text};

/// The folders in which something is shipped.
const SHIPPED: &[&str] = &["deploy", "dashboards", "vector-config", "fluent-bit"];

/// All files below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn shipped() -> Vec<PathBuf> {
    let folders = SHIPPED
        .iter()
        .flat_map(|folder| files(&repo().join(folder)));
    folders.chain([repo().join("compose.yaml")]).collect()
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// Runs a tool and gives what it printed on standard output; `None`, said aloud, where there is no such tool.
#[track_caller]
fn tool(command: &mut Command) -> Option<String> {
    let Ok(output) = command.output() else {
        println!(
            "SKIPPED: no {} (see scripts/setup-tests)",
            command.get_program().display()
        );
        return None;
    };
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Some(text(&output.stdout))
}

#[test]
fn every_shipped_configuration_of_the_agent_is_accepted() {
    let dir = dir();
    let token = dir.path().join("token");
    fs::write(&token, "a-token\n").unwrap();
    let mut count = 0;
    for path in shipped() {
        if !path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("logsieve")
            || !is_yaml(&path)
            || path.ends_with("dashboards/logsieve.yaml")
        {
            continue;
        }
        count += 1;
        // Secrets are not shipped: any file stands for them.
        let config: String = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| match line.split_once("token_file: ") {
                Some((key, _)) => format!("{key}token_file: {}\n", token.display()),
                None => format!("{line}\n"),
            })
            .collect();
        let copy = dir.path().join("logsieve.yaml");
        fs::write(&copy, config).unwrap();
        let output = logsieve(["check", copy.to_str().unwrap()], b"");
        assert_eq!(output.code, 0, "{}: {}", path.display(), output.stderr);
        assert!(
            output.stderr.is_empty(),
            "{}: {}",
            path.display(),
            output.stderr
        );
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn every_shipped_yaml_is_yaml() {
    for path in shipped().iter().filter(|path| is_yaml(path)) {
        let text = fs::read_to_string(path).unwrap();
        let read: Result<Value, _> = serde_saphyr::from_str(&text);
        read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn compose_reads_its_file_and_every_path_in_it_is_there() {
    let compose = repo().join("compose.yaml");
    let whole: Value = serde_saphyr::from_str(&fs::read_to_string(&compose).unwrap()).unwrap();
    let services = whole["services"].as_object().unwrap();
    for (name, service) in services {
        for volume in service["volumes"].as_array().unwrap() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            if let Some(path) = source.strip_prefix("./") {
                assert!(repo().join(path).exists(), "{name}: {source}");
            } else if !source.starts_with('/') {
                assert!(whole["volumes"].get(source).is_some(), "{name}: {source}");
            }
        }
        // What shares the host's network must say itself that it listens on loopback only.
        assert_eq!(service["network_mode"], "host", "{name}");
    }
    tool(
        Command::new("docker-compose")
            .arg("-f")
            .arg(compose)
            .args(["config", "--quiet"]),
    );
}

/// What a kustomization comes to.
fn built(name: &str) -> Option<String> {
    let folder = repo().join("deploy/kubernetes").join(name);
    tool(Command::new("kubectl").arg("kustomize").arg(folder))
}

/// Whether kubectl's kustomize is of this decade: Debian's reads no `patches` with paths.
fn patches_are_known() -> bool {
    let said = tool(Command::new("kubectl").args(["version", "--client"])).unwrap_or_default();
    let known = said.contains("Kustomize Version: v5") || said.contains("Kustomize Version: v4");
    if !known {
        println!("SKIPPED: this kubectl cannot build deploy/kubernetes/monitored: {said}");
    }
    known
}

fn documents(yaml: &str) -> Vec<Value> {
    yaml.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents
        .iter()
        .find(|document| document["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

/// Kubernetes' own schemas say that nothing is missing and nothing unknown.
#[track_caller]
fn hold_against_the_schemas(documents: &[Value]) {
    let Some(python) = python() else { return };
    let dir = dir();
    // The operator's kinds are not Kubernetes' own.
    let own = documents
        .iter()
        .filter(|document| document["kind"] != "PodMonitor");
    let whole: Vec<String> = own.map(Value::to_string).collect();
    let file = dir.path().join("all.yaml");
    fs::write(&file, whole.join("\n---\n")).unwrap();
    for version in ["1.29", "1.34"] {
        let said = tool(
            Command::new(&python)
                .args(["-m", "kubernetes_validate", "--strict", "-k", version])
                .arg(&file),
        );
        let passed = said.unwrap().matches(" passed for ").count();
        assert_eq!(passed, whole.len(), "{version}");
    }
}

#[test]
fn the_manifests_are_what_kubernetes_knows_and_ask_for_no_more_than_they_need() {
    let Some(yaml) = built("base") else { return };
    let documents = documents(&yaml);
    hold_against_the_schemas(&documents);
    let pod = &of_kind(&documents, "DaemonSet")["spec"]["template"]["spec"];
    assert_eq!(
        of_kind(&documents, "ServiceAccount")["automountServiceAccountToken"],
        false
    );
    assert_eq!(pod["automountServiceAccountToken"], true);
    // Pods may be listed and watched, nothing else, by the agent alone.
    let role = of_kind(&documents, "ClusterRole");
    assert_eq!(
        role["rules"],
        json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}])
    );
    let binding = of_kind(&documents, "ClusterRoleBinding");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(
        binding["subjects"],
        json!([{"kind": "ServiceAccount", "name": pod["serviceAccountName"], "namespace": "logsieve"}])
    );
    let roles = documents
        .iter()
        .filter(|document| document["kind"].as_str().unwrap().contains("Role"));
    assert_eq!(roles.count(), 2);
    let node =
        json!({"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}});
    let environment = pod["containers"][0]["env"].as_array().unwrap();
    assert!(environment.contains(&node), "{environment:?}");
    for asked in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[asked].is_null(), "{asked}");
    }
    let container = &pod["containers"][0];
    let rights = &container["securityContext"];
    assert_eq!(rights["readOnlyRootFilesystem"], true);
    assert_eq!(rights["allowPrivilegeEscalation"], false);
    assert_eq!(rights["capabilities"]["drop"][0], "ALL");
    assert!(rights["capabilities"]["add"].is_null());
    // Only the state may be written; whatever else comes from the host is read.
    let mounts = container["volumeMounts"].as_array().unwrap();
    for mount in mounts.iter().filter(|mount| mount["name"] != "state") {
        assert_eq!(mount["readOnly"], true, "{mount}");
    }
    let named: BTreeSet<&str> = mounts
        .iter()
        .map(|mount| mount["name"].as_str().unwrap())
        .collect();
    let volumes = pod["volumes"].as_array().unwrap();
    let defined: BTreeSet<&str> = volumes
        .iter()
        .map(|volume| volume["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, defined);
    // The generated ConfigMap is the one that is mounted, and holds what the agent accepts.
    let config = of_kind(&documents, "ConfigMap");
    let mounted = volumes
        .iter()
        .find(|volume| volume["name"] == "config")
        .unwrap();
    assert_eq!(mounted["configMap"]["name"], config["metadata"]["name"]);
    assert!(
        config["data"]["logsieve.yaml"]
            .as_str()
            .unwrap()
            .contains("/var/log/pods")
    );
    // The probes are commands that there are.
    for probe in ["livenessProbe", "readinessProbe"] {
        let command = container[probe]["exec"]["command"].as_array().unwrap();
        assert_eq!(command[1], "healthcheck", "{probe}");
    }
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(
        grace > 15,
        "a drain takes up to drain_timeout_seconds and a margin: {grace}"
    );
}

#[test]
fn the_monitored_manifests_listen_with_a_token_and_for_prometheus_alone() {
    if !patches_are_known() {
        return;
    }
    let documents = documents(&built("monitored").unwrap());
    hold_against_the_schemas(&documents);
    let pod = &of_kind(&documents, "DaemonSet")["spec"]["template"]["spec"];
    let config = of_kind(&documents, "ConfigMap")["data"]["logsieve.yaml"]
        .as_str()
        .unwrap();
    let whole: Value = serde_saphyr::from_str(config).unwrap();
    assert_eq!(whole["telemetry"]["listen"], "0.0.0.0:7334");
    let token = Path::new(whole["telemetry"]["token_file"].as_str().unwrap());
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let secret = mounts
        .iter()
        .find(|mount| mount["name"] == "telemetry")
        .unwrap();
    assert_eq!(
        token.parent().unwrap().to_str(),
        secret["mountPath"].as_str()
    );
    let monitor = of_kind(&documents, "PodMonitor");
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["port"], pod["containers"][0]["ports"][0]["name"]);
    let volumes = pod["volumes"].as_array().unwrap();
    let volume = volumes
        .iter()
        .find(|volume| volume["name"] == "telemetry")
        .unwrap();
    assert_eq!(
        endpoint["authorization"]["credentials"]["name"],
        volume["secret"]["secretName"]
    );
    assert_eq!(
        endpoint["authorization"]["credentials"]["key"],
        token.file_name().unwrap().to_str().unwrap()
    );
    let policy = of_kind(&documents, "NetworkPolicy");
    let allowed = policy["spec"]["ingress"].as_array().unwrap();
    assert_eq!(allowed.len(), 1, "{policy}");
    assert_eq!(allowed[0]["ports"][0]["port"], endpoint["port"]);
    // Everything of the base is there too, but for what is replaced.
    let base = built("base").unwrap();
    let kinds = |all: &[Value]| -> BTreeSet<String> {
        all.iter()
            .map(|document| document["kind"].to_string())
            .collect()
    };
    assert!(kinds(&documents).is_superset(&kinds(&self::documents(&base))));
}

#[test]
fn systemd_knows_every_line_of_the_unit() {
    let dir = dir();
    let unit = fs::read_to_string(repo().join("deploy/systemd/logsieve.service")).unwrap();
    // What it starts need not be installed here.
    let unit = unit.replace("/usr/local/bin/logsieve", "/bin/true");
    let file = dir.path().join("logsieve.service");
    fs::write(&file, unit).unwrap();
    let Ok(output) = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&file)
        .output()
    else {
        return println!("SKIPPED: no systemd-analyze (see scripts/setup-tests)");
    };
    let said = text(&output.stdout) + &text(&output.stderr);
    // It also reads the units that ours stands beside; what it says of them is not ours.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("logsieve.service"))
        .collect();
    assert!(ours.is_empty(), "{ours:#?}");
    let Some(said) = tool(
        Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=25"])
            .arg(&file),
    ) else {
        return;
    };
    assert!(said.contains("Overall exposure level"), "{said}");
}

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    let own = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| repo().join(name));
    let folders = SHIPPED.iter().chain(&["docs", "bench", "model"]);
    let all = folders.flat_map(|folder| files(&repo().join(folder)));
    let mut found: Vec<_> = all
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    found.extend(own);
    assert!(found.len() > 12, "{found:?}");
    found
}

#[test]
fn what_the_pages_point_to_is_there() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") || path.contains(' ') {
                continue;
            }
            let target = page.parent().unwrap().join(path);
            assert!(target.exists(), "{}: {link}", page.display());
        }
    }
}

#[test]
fn metrics_that_the_pages_and_rules_name_are_in_the_sources() {
    let telemetry: String = files(&repo().join("agent/src"))
        .iter()
        .filter(|path| {
            path.components()
                .any(|part| part.as_os_str() == "telemetry")
                || path.ends_with("source/readings.rs")
        })
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut count = 0;
    for page in pages()
        .into_iter()
        .chain([repo().join("dashboards/prometheus/rules.yml")])
    {
        let text = fs::read_to_string(&page).unwrap();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            // Ends as metrics do; others with this beginning are files and functions.
            let Some(name) = word.strip_prefix("logsieve_") else {
                continue;
            };
            if name.ends_with("_total") || name.ends_with("_seconds") || name.ends_with("_up") {
                assert!(
                    telemetry.contains(&format!("\"{name}\"")),
                    "{}: there is no {word}",
                    page.display()
                );
                count += 1;
            }
        }
    }
    assert!(count > 15, "{count}");
}

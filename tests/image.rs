//! The image: built by the Docker engine from the Dockerfile, on a base of this machine's own libraries with the binary that was
//! built before, and run as a careful operator would: not root, no capability, a root file system that cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Engine, IMAGE, dir, model, repo, text, until};

const BUILT: &str = "logsieve:test";
const CONFIG: &str = "/etc/logsieve/logsieve.yaml";
const BINARY: &str = "/usr/local/bin/logsieve";

/// The libraries that these files ask for, under their own paths: what a distroless image for C++ holds.
fn base(root: &Path, files: &[&Path]) {
    let ldd = Command::new("ldd").args(files).output().unwrap();
    let said = text(&ldd.stdout);
    let needed: BTreeSet<&str> = said
        .lines()
        .filter(|line| !line.ends_with(':'))
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .collect();
    assert!(needed.len() >= 3, "{said}");
    for library in needed {
        let place = root.join(library.strip_prefix("/").unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(library, &place).unwrap();
    }
}

/// What the Dockerfile takes from the repository, and the binary and the model in `dist`.
fn context(place: &Path, model: Option<&Path>) {
    for file in [
        "Dockerfile",
        ".dockerignore",
        "LICENSE",
        "scripts/image-part",
        "model/requirements.txt",
        "deploy/image/logsieve.yaml",
    ] {
        let to = place.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(repo().join(file), to).unwrap();
    }
    fs::create_dir(place.join("dist")).unwrap();
    if let Some(model) = model {
        fs::create_dir(place.join("dist/model")).unwrap();
        for file in fs::read_dir(model).unwrap().flatten() {
            fs::copy(file.path(), place.join("dist/model").join(file.file_name())).unwrap();
        }
    }
    let strip = Command::new("strip")
        .arg("-o")
        .arg(place.join("dist/logsieve"))
        .arg(env!("CARGO_BIN_EXE_logsieve"))
        .status()
        .unwrap();
    assert!(strip.success());
}

/// What the agent in this container has printed: its events.
fn events(engine: &Engine, container: &str) -> Vec<Value> {
    let logs = engine.docker(&["logs", container]);
    let objects = logs
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    objects
        .filter(|object| object["event_id"].is_string())
        .collect()
}

/// How often each line of a container was printed.
fn lines_of(events: &[Value], container: &str) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| event["container"]["name"] == container)
    {
        *lines
            .entry(event["line"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    lines
}

fn each_once(name: &str, from: u32, to: u32) -> BTreeMap<String, u32> {
    (from..to).map(|n| (format!("{name} {n}"), 1)).collect()
}

#[track_caller]
fn wait_for(engine: &Engine, container: &str, wanted: &BTreeMap<String, u32>) {
    until(
        &format!("{} lines of {container}", wanted.len()),
        || (lines_of(&events(engine, "agent"), container).len() >= wanted.len()).then_some(()),
        || engine.docker(&["logs", "agent"]),
    );
}

#[test]
fn the_image_needs_no_rights_and_loses_nothing() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let dir = dir();
    let model = model();
    let runtime = model.as_ref().map(|model| model.join("libonnxruntime.so"));
    let binary = Path::new(env!("CARGO_BIN_EXE_logsieve"));
    let files: Vec<&Path> = [Some(binary), runtime.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    base(&dir.path().join("base"), &files);
    engine.import_root(&dir.path().join("base"), "logsieve-base:1");
    context(&dir.path().join("context"), model.as_deref());
    let local = |name: &str, image: &str| format!("{name}={image}");
    engine.docker(&[
        "build",
        "--network",
        "none",
        "--tag",
        BUILT,
        "--build-arg",
        &local("RUST_IMAGE", IMAGE),
        "--build-arg",
        &local("PYTHON_IMAGE", IMAGE),
        "--build-arg",
        &local("RUNTIME_IMAGE", "logsieve-base:1"),
        dir.path().join("context").to_str().unwrap(),
    ]);
    let inspect = |what: &str, format: &str| {
        engine
            .docker(&["inspect", "--format", format, what])
            .trim()
            .to_owned()
    };
    assert_eq!(inspect(BUILT, "{{.Config.User}}"), "65532:65532");
    let size: u64 = inspect(BUILT, "{{.Size}}").parse().unwrap();
    // A release of the agent takes 22 MB; the one of the tests is larger and grows with every check in it.
    let agent = fs::metadata(dir.path().join("context/dist/logsieve"))
        .unwrap()
        .len();
    let rest = size - agent;
    assert!(rest < 80_000_000, "{rest} bytes beside the agent's own");
    let (shell, said) = engine.try_docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "/bin/sh",
        BUILT,
    ]);
    assert!(!shell && said.contains("no such file"), "{said}");

    // Beside an engine, whose socket belongs to the group 0 here.
    let socket = format!("{}:/var/run/docker.sock:ro", engine.socket().display());
    let careful = [
        "run",
        "-d",
        "--network",
        "none",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--health-interval",
        "1s",
    ];
    let mut args = careful.to_vec();
    args.extend([
        "--name",
        "agent",
        "--group-add",
        "0",
        "-v",
        &socket,
        "-e",
        "LOGSIEVE_HOST=node-7",
        BUILT,
    ]);
    engine.run(
        "before",
        &[],
        "for i in $(seq 0 19); do echo before $i; done; sleep 600",
    );
    engine.docker(&args);
    engine.run(
        "web",
        &["-e", "DATABASE_PASSWORD=correct-horse-battery"],
        "for i in $(seq 0 49); do echo web $i; done; sleep 600",
    );
    wait_for(&engine, "before", &each_once("before", 0, 20));
    wait_for(&engine, "web", &each_once("web", 0, 50));
    let status = fs::read_to_string(format!(
        "/proc/{}/status",
        inspect("agent", "{{.State.Pid}}")
    ))
    .unwrap();
    for right in [
        "Uid:\t65532\t65532",
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(right), "{right} in {status}");
    }
    until(
        "Docker to find it healthy",
        || (inspect("agent", "{{.State.Health.Status}}") == "healthy").then_some(()),
        || engine.docker(&["inspect", "agent"]),
    );
    // The image's own model is found; it takes a moment to load.
    let parts = if model.is_some() {
        "/usr/share/logsieve/model ("
    } else {
        "bert: off"
    };
    until(
        parts,
        || {
            let (well, said) = engine.try_docker(&[
                "exec",
                "agent",
                BINARY,
                "healthcheck",
                "--strict",
                "-c",
                CONFIG,
            ]);
            (well && said.starts_with("ok, up for ") && said.contains(parts)).then_some(())
        },
        || engine.docker(&["logs", "agent"]),
    );

    // What ends, comes and prints while the agent is away is there after its start.
    engine.docker(&["stop", "agent"]);
    assert_eq!(inspect("agent", "{{.State.ExitCode}}"), "0");
    engine.docker(&["rm", "--force", "web"]);
    engine.run(
        "meanwhile",
        &[],
        "for i in $(seq 0 29); do echo meanwhile $i; done",
    );
    engine.wait_for_end("meanwhile");
    engine.docker(&["start", "agent"]);
    wait_for(&engine, "meanwhile", &each_once("meanwhile", 0, 30));
    engine.run("after", &[], "for i in $(seq 0 9); do echo after $i; done");
    wait_for(&engine, "after", &each_once("after", 0, 10));
    engine.docker(&["stop", "agent"]);
    let events = events(&engine, "agent");
    for (name, to) in [
        ("before", 20),
        ("web", 50),
        ("meanwhile", 30),
        ("after", 10),
    ] {
        assert_eq!(
            lines_of(&events, name),
            each_once(name, 0, to),
            "each line once"
        );
    }
    assert!(
        lines_of(&events, "agent").is_empty(),
        "its own lines are not read"
    );
    for event in &events {
        assert_eq!(event["host"], "node-7", "{event}");
        assert!(!event.to_string().contains("correct-horse"), "{event}");
    }

    // Without the socket there is nothing to read: it shows a demonstration, says so, and ends as it should.
    let mut args = careful.to_vec();
    args.extend(["--name", "alone", BUILT]);
    engine.docker(&args);
    until(
        "the demonstration",
        || (!self::events(&engine, "alone").is_empty()).then_some(()),
        || engine.docker(&["logs", "alone"]),
    );
    let said = engine.docker(&["exec", "alone", BINARY, "healthcheck", "-c", CONFIG]);
    assert!(said.starts_with("ok, up for "), "{said}");
    let logs = engine.docker(&["logs", "alone"]);
    assert!(logs.contains("demonstration stream"), "{logs}");
    engine.docker(&["stop", "alone"]);
    assert_eq!(inspect("alone", "{{.State.ExitCode}}"), "0");

    // As the DaemonSet runs it: root without any capability may read what the runtime has written for root alone.
    let pods = dir.path().join("pods");
    let pod = pods.join("shop_cart-7d9_0b9d/web");
    let config = dir.path().join("logsieve.yaml");
    let shipped = fs::read_to_string(repo().join("deploy/kubernetes/base/logsieve.yaml")).unwrap();
    fs::create_dir_all(&pod).unwrap();
    fs::create_dir(dir.path().join("state")).unwrap();
    fs::write(
        pod.join("0.log"),
        "2026-03-01T10:00:00Z stderr F panic: out of range\n",
    )
    .unwrap();
    fs::set_permissions(pod.join("0.log"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(
        &config,
        shipped.replace("stdout: {enabled: false}", "stdout: {format: json}"),
    )
    .unwrap();
    let mounts = [
        format!("{}:/var/log/pods:ro", pods.display()),
        format!("{}:/var/lib/logsieve", dir.path().join("state").display()),
        format!("{}:{CONFIG}:ro", config.display()),
    ];
    let mut args = careful.to_vec();
    args.extend([
        "--name",
        "node",
        "--user",
        "0:0",
        "-e",
        "LOGSIEVE_HOST=node-8",
    ]);
    args.extend(mounts.iter().flat_map(|mount| ["-v", mount.as_str()]));
    args.push(BUILT);
    engine.docker(&args);
    let event = until(
        "the pod's line",
        || self::events(&engine, "node").pop(),
        || engine.docker(&["logs", "node"]),
    );
    assert_eq!(
        (&event["category"], &event["k8s"]["pod"]),
        (&"crash".into(), &"cart-7d9".into())
    );
    assert_eq!(event["k8s"]["node"], "node-8", "{event}");
    engine.docker(&["stop", "node"]);
    assert_eq!(inspect("node", "{{.State.ExitCode}}"), "0");
}

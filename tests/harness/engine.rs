//! A Docker engine of the test's own: Debian's dockerd with its own directories and socket, no network, no firewall rules;
//! an image made of busybox. Nothing of an engine that already runs on the machine is touched.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use super::{dir, text, until};

/// The image that every container runs: busybox with a few of its names.
pub(crate) const IMAGE: &str = "logsieve-test:1";

/// A running engine; stopped with the value.
pub(crate) struct Engine {
    home: tempfile::TempDir,
    daemon: Option<Daemon>,
}

impl Engine {
    /// Starts one; `None`, said aloud, where this user or machine cannot.
    pub(crate) fn start() -> Option<Self> {
        let root = fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let missing: Vec<_> = ["dockerd", "docker", "busybox", "setpriv"]
            .into_iter()
            .filter(|tool| which(tool).is_none())
            .collect();
        if !root || !missing.is_empty() {
            println!(
                "SKIPPED: a Docker engine needs root and {missing:?} (see scripts/setup-tests)"
            );
            return None;
        }
        let mut engine = Self {
            home: dir(),
            daemon: None,
        };
        engine.up();
        engine.import();
        Some(engine)
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("docker.sock")
    }

    /// Ends the daemon as an upgrade does, with `live-restore` off: containers end with it.
    pub(crate) fn down(&mut self) {
        self.daemon = None;
    }

    /// Starts the daemon again over the same data.
    pub(crate) fn up(&mut self) {
        self.daemon = Some(Daemon::start(self.home.path()));
        let socket = self.socket();
        until(
            "the Docker engine",
            || docker(&socket, &["version"]).0.then_some(()),
            || text(&fs::read(self.home.path().join("log")).unwrap()),
        );
    }

    /// Runs the docker command; its output, and panics where it fails.
    #[track_caller]
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        let (good, output) = docker(&self.socket(), args);
        assert!(good, "docker {args:?}: {output}");
        output
    }

    /// Starts a container in the background that runs `script` in busybox's sh; `options` go before the image.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, options: &[&str], script: &str) {
        // A shell as the first process does not listen to TERM: it is killed soon, before the daemon gives up on it.
        let mut args = vec!["run", "-d", "--network", "none", "--stop-timeout", "1"];
        args.extend(["--name", name]);
        args.extend(options);
        args.extend([IMAGE, "/bin/sh", "-c", script]);
        self.docker(&args);
    }

    /// Waits until the container has ended by itself.
    #[track_caller]
    pub(crate) fn wait_for_end(&self, name: &str) {
        self.docker(&["wait", name]);
    }

    /// The full id of a container.
    #[track_caller]
    pub(crate) fn id_of(&self, name: &str) -> String {
        let id = self.docker(&["inspect", "--format", "{{.Id}}", name]);
        id.trim().to_owned()
    }

    /// How many processes name this engine's directory in their command lines: the daemon, its containerd, and one shim for
    /// each container.
    pub(crate) fn processes(home: &Path) -> usize {
        let home = home.display().to_string();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter(|entry| {
                entry.file_name().to_string_lossy().parse::<u32>().is_ok()
                    && text(&fs::read(entry.path().join("cmdline")).unwrap_or_default())
                        .contains(&home)
            })
            .count()
    }

    /// Its directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Every API request so far, as the daemon's log tells it.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = text(&fs::read(self.home.path().join("log")).unwrap());
        log.lines()
            .filter(|line| line.contains("Calling "))
            .map(str::to_owned)
            .collect()
    }

    fn import(&self) {
        let root = self.home.path().join("image");
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::copy(which("busybox").unwrap(), root.join("bin/busybox")).unwrap();
        let tools = [
            "sh", "cat", "sleep", "seq", "head", "tr", "yes", "cp", "mkdir", "chmod", "touch",
        ];
        for tool in tools {
            symlink("busybox", root.join("bin").join(tool)).unwrap();
        }
        self.import_root(&root, IMAGE);
    }

    /// Makes an image of what lies under `root`.
    #[track_caller]
    pub(crate) fn import_root(&self, root: &Path, image: &str) {
        let archive = root.with_extension("tar");
        let tar = Command::new("tar")
            .arg("-cf")
            .arg(&archive)
            .arg("-C")
            .arg(root)
            .arg(".")
            .status()
            .unwrap();
        assert!(tar.success());
        self.docker(&["import", archive.to_str().unwrap(), image]);
    }

    /// The docker command: whether it succeeded, and its output.
    pub(crate) fn try_docker(&self, args: &[&str]) -> (bool, String) {
        docker(&self.socket(), args)
    }
}

impl Drop for Engine {
    /// Ends the containers first: a shim whose engine is gone stays for ever.
    fn drop(&mut self) {
        if self.daemon.is_some() {
            let (_, ids) = docker(&self.socket(), &["ps", "--all", "--quiet"]);
            let mut args = vec!["rm", "--force"];
            args.extend(ids.split_whitespace());
            if args.len() > 2 {
                docker(&self.socket(), &args);
            }
        }
    }
}

fn which(tool: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':')
        .map(|dir| Path::new(dir).join(tool))
        .find(|file| file.is_file())
}

fn docker(socket: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new("docker")
        .arg("-H")
        .arg(format!("unix://{}", socket.display()))
        .args(args)
        // Debian's client has no other builder.
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        output.status.success(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

/// The dockerd process. A thread of its own starts it, and stays: `setpriv --pdeathsig` ends the daemon when the THREAD
/// that started it ends, which is what cleans up after a test that was killed.
struct Daemon {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Daemon {
    fn start(home: &Path) -> Self {
        fs::write(home.join("daemon.json"), "{}").unwrap();
        let at = |name: &str| home.join(name).display().to_string();
        let log = File::options()
            .create(true)
            .append(true)
            .open(home.join("log"))
            .unwrap();
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM"])
            .arg(which("dockerd").unwrap())
            .args([
                "--data-root",
                &at("data"),
                "--exec-root",
                &at("exec"),
                "--pidfile",
                &at("pid"),
                "--config-file",
                &at("daemon.json"),
            ])
            .args([
                "-H",
                &format!("unix://{}", at("docker.sock")),
                "--group",
                "0",
                "--storage-driver",
                "vfs",
            ])
            .args([
                "--bridge",
                "none",
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
                "--ip-masq=false",
            ])
            // At debug level it writes one line per request, which is how a test sees what the agent asks.
            .args(["--debug", "--shutdown-timeout", "10"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut child = command.spawn().unwrap();
            let _ = stopped.recv();
            end(&mut child);
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

fn end(child: &mut Child) {
    let _ = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", child.id())])
        .status();
    let _ = child.wait();
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

//! The other side of a sink: tests/receivers/receiver.py, which decodes with libraries that are not this project's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{objects, repo, until};

/// A receiver; killed with the value.
pub(crate) struct Peer {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
    said: PathBuf,
}

impl Peer {
    /// Starts `receiver.py PROTOCOL ARGS` and waits until it listens. `None`, said aloud, where its packages are not installed.
    pub(crate) fn start(dir: &Path, protocol: &str, args: &[&str]) -> Option<Self> {
        let python = python()?;
        let number = fs::read_dir(dir).unwrap().count();
        let said = dir.join(format!("{protocol}-{number}.said"));
        let child = Command::new(python)
            .arg(repo().join("tests/receivers/receiver.py"))
            .arg(protocol)
            .args(args)
            .stdin(Stdio::null())
            .stdout(File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let mut peer = Self {
            child,
            port: 0,
            said,
        };
        let port = until(
            "the receiver's port",
            || {
                peer.said()
                    .first()
                    .map(|first| first["port"].as_u64().unwrap())
            },
            || format!("{:?}", peer.child),
        );
        peer.port = u16::try_from(port).unwrap();
        Some(peer)
    }

    /// All that it has said so far.
    pub(crate) fn said(&self) -> Vec<Value> {
        let bytes = fs::read(&self.said).unwrap();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        objects(&bytes[..whole])
    }

    /// The requests that it was sent, each with its `action` and `events`. Panics where something broke the protocol.
    #[track_caller]
    pub(crate) fn requests(&self) -> Vec<Value> {
        let said = self.said();
        let errors: Vec<_> = said
            .iter()
            .filter(|line| line["error"].is_string())
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        said.into_iter()
            .filter(|line| line["action"].is_string())
            .collect()
    }

    /// Waits until `n` events were taken by requests whose action is one of `actions`, and returns these events.
    #[track_caller]
    pub(crate) fn taken(&self, n: usize, actions: &[&str]) -> Vec<Value> {
        until(
            &format!("{n} events"),
            || {
                let events: Vec<Value> = self
                    .requests()
                    .into_iter()
                    .filter(|request| actions.contains(&request["action"].as_str().unwrap()))
                    .flat_map(|mut request| match request["events"].take() {
                        Value::Array(events) => events,
                        _ => Vec::new(),
                    })
                    .collect();
                (events.len() >= n).then_some(events)
            },
            || format!("{:#?}", self.said()),
        )
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python that has the packages of tests/*/requirements.txt. `None`, said aloud, where they are not installed.
pub(crate) fn python() -> Option<PathBuf> {
    // The test's own executable lies in `deps` of a profile under the target directory.
    let exe = std::env::current_exe().unwrap();
    let python = exe
        .ancestors()
        .nth(3)
        .unwrap()
        .join("test-python/bin/python");
    if !python.exists() {
        println!("SKIPPED: no {} (see scripts/setup-tests)", python.display());
        return None;
    }
    Some(python)
}

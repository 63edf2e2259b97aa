//! A real Prometheus on a free port.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::free_port;

/// Ended with the value.
pub(crate) struct Prometheus {
    child: Child,
    /// Where it answers.
    pub(crate) port: u16,
    log: PathBuf,
}

impl Prometheus {
    /// Starts one in `dir` with this configuration (YAML); `None` where there is none.
    pub(crate) fn start(dir: &Path, config: &str) -> Option<Self> {
        let port = free_port();
        fs::write(dir.join("prometheus.yml"), config).unwrap();
        let log = dir.join("prometheus.log");
        let out = File::create(&log).unwrap();
        let child = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                dir.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .ok()?;
        Some(Self { child, port, log })
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

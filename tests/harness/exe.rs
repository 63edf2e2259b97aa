//! One run of the binary to its end.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its exit code; -1 after a signal.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error, as text.
    pub(crate) stderr: String,
}

impl Output {
    /// The same, after asserting the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "stdout: {}\nstderr: {}",
            text(&self.stdout),
            self.stderr
        );
        self
    }
}

/// Runs the binary with `args` and `input` on its standard input.
pub(crate) fn logsieve<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logsieve"));
    command
        .args(args)
        .current_dir("/")
        .env("LOGSIEVE_MODEL", "none");
    let output = fed(&mut command, input).unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Bytes as text, for messages and comparisons.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// NDJSON: one object per line, nothing else.
#[track_caller]
pub(crate) fn objects(ndjson: &[u8]) -> Vec<Value> {
    let body = ndjson.strip_suffix(b"\n").unwrap_or(ndjson);
    if body.is_empty() {
        return Vec::new();
    }
    body.split(|byte| *byte == b'\n').map(parse).collect()
}

/// One JSON object.
#[track_caller]
fn parse(line: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("{error} in {:?}", text(&line[..line.len().min(400)])));
    assert!(value.is_object(), "{value}");
    value
}

/// Runs `command` with `input` on its standard input. An error where it cannot be started.
pub(crate) fn fed(command: &mut Command, input: &[u8]) -> std::io::Result<std::process::Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // From a thread of its own: a child that prints while it reads would block against a parent that only writes.
        scope.spawn(move || {
            // A child that ends before it has read all (wrong use) closes the pipe; that is its right.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output()
    })
}

//! The functions for Arroyo as libraries, called through their symbols with Arrow arrays.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::exe::fed;
use super::repo;

/// Where the libraries are and the program that calls them, built once for each process; `scripts/udf-build` does little where they
/// are up to date.
#[track_caller]
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Command::new(repo().join("scripts/udf-build"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&built.stdout);
        assert!(
            built.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&built.stderr)
        );
        PathBuf::from(said.trim().strip_prefix("udf-build: ").unwrap())
    })
}

/// What a function says of each row. `how` is `call`, or `ask` for an asynchronous one.
#[track_caller]
pub(crate) fn call<R: AsRef<str>>(
    how: &str,
    function: &str,
    variables: &[(&str, &str)],
    rows: &[Option<R>],
) -> Vec<Option<String>> {
    let mut input = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut input, &row.as_ref().map(AsRef::as_ref)).unwrap();
        input.push(b'\n');
    }
    let mut command = Command::new(built().join("udf-check"));
    command
        .arg(how)
        .arg(built().join(format!("{function}.so")))
        .envs(variables.iter().copied());
    let output = fed(&mut command, &input).unwrap();
    assert!(
        output.status.success(),
        "{function}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Vec<Option<String>> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(said.len(), rows.len());
    said
}

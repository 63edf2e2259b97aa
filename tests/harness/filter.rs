//! The Fluent Bit filter as a WebAssembly module, in a host that calls it as Fluent Bit does.

use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{python, repo};

/// What became of a record.
#[derive(Debug)]
pub(crate) struct Filtered {
    /// WebAssembly instructions that were executed.
    pub(crate) instructions: u64,
    /// Bytes of linear memory afterwards.
    pub(crate) memory: u64,
    /// The answer; none where Fluent Bit would lose the record.
    pub(crate) record: Option<Vec<u8>>,
}

/// The module, built once for each process; `scripts/wasm-build` does nothing where it is up to date.
#[track_caller]
fn module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| {
        let built = Command::new(repo().join("scripts/wasm-build"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let said = String::from_utf8(built.stdout).unwrap();
        let path = said
            .lines()
            .find_map(|line| line.strip_prefix("wasm-build: ")?.split(": ").next());
        repo().join(path.unwrap())
    })
}

/// Sends records through this function of one instance of the module; what the start took stands before their answers. None, said aloud, where there is no
/// host to run it in.
pub(crate) fn filter<R: AsRef<[u8]>>(
    function: &str,
    records: impl IntoIterator<Item = R> + Send,
) -> Option<(Filtered, Vec<Filtered>)> {
    filter_beside(&[], function, records).map(|(start, all, _)| (start, all))
}

/// The same with these directories for its `accessible_paths`; and what it says on standard error.
pub(crate) fn filter_beside<R: AsRef<[u8]>>(
    directories: &[&Path],
    function: &str,
    records: impl IntoIterator<Item = R> + Send,
) -> Option<(Filtered, Vec<Filtered>, String)> {
    let mut host = Command::new(python()?)
        .arg(repo().join("tests/filter_host/host.py"))
        .arg(module())
        .arg(function)
        .args(directories)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = host.stderr.take().unwrap();
    let mut input = BufWriter::new(host.stdin.take().unwrap());
    let mut output = BufReader::new(host.stdout.take().unwrap());
    let (all, said) = std::thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut said = String::new();
            errors.read_to_string(&mut said).unwrap();
            said
        });
        scope.spawn(move || {
            for record in records {
                let record = record.as_ref();
                let length = u32::try_from(record.len()).unwrap();
                input.write_all(&length.to_le_bytes()).unwrap();
                input.write_all(record).unwrap();
            }
            input.flush().unwrap();
        });
        let mut all = Vec::new();
        let mut head = [0; 21];
        while output.read_exact(&mut head).is_ok() {
            let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
            let length = u32::from_le_bytes(head[17..21].try_into().unwrap());
            let mut reply = vec![0; length as usize];
            output.read_exact(&mut reply).unwrap();
            all.push(Filtered {
                instructions: number(0),
                memory: number(8),
                record: (head[16] == 1).then_some(reply),
            });
        }
        (all, said.join().unwrap())
    });
    assert!(host.wait().unwrap().success(), "{said}");
    let mut all = all.into_iter();
    Some((all.next().unwrap(), all.collect(), said))
}

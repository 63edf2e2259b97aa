//! What `classify` reads: files one after another, or standard input as it comes.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use logline::time::Timestamp;

/// Bytes asked for at once.
const CHUNK: usize = 256 * 1024;
/// Standard input that is silent for so long has no more for now: what is held goes out.
const IDLE: Duration = Duration::from_millis(200);
/// Chunks read ahead of the work.
const AHEAD: usize = 4;

/// An input that cannot be opened or read; the others can still be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(String);

/// What comes out of an input.
pub(super) enum Piece<'a> {
    /// The next bytes.
    Bytes(&'a [u8]),
    /// Nothing came for a while.
    Idle,
}

/// One thing to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// The inputs that the arguments name.
    pub(super) fn of(files: &[PathBuf]) -> Vec<Self> {
        if files.is_empty() {
            return vec![Self::Stdin];
        }
        files
            .iter()
            .map(|file| {
                if file == Path::new("-") {
                    Self::Stdin
                } else {
                    Self::File(file.clone())
                }
            })
            .collect()
    }

    /// Its name for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "-".to_owned(),
        }
    }

    /// Its size, where it is known beforehand.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path)
                .ok()
                .filter(std::fs::Metadata::is_file)
                .map(|metadata| metadata.len()),
            Self::Stdin => None,
        }
    }

    /// A moment at or after its last line: when the file was last written, or now.
    pub(super) fn written_at(&self) -> Timestamp {
        let written = match self {
            Self::File(path) => std::fs::metadata(path)
                .and_then(|metadata| metadata.modified())
                .ok(),
            Self::Stdin => None,
        };
        crate::telemetry::clock::timestamp(written.unwrap_or_else(SystemTime::now))
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// Those of opening and reading, with the name, and those of `each`.
    pub(super) fn read(
        &self,
        each: &mut dyn FnMut(Piece<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self {
            Self::File(path) => read_file(path, each),
            Self::Stdin => read_stdin(each),
        }
    }
}

fn read_file(
    path: &Path,
    each: &mut dyn FnMut(Piece<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut file = File::open(path)
        .with_context(|| Unreadable(format!("{}: cannot be opened", path.display())))?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = file
            .read(&mut buffer)
            .with_context(|| Unreadable(format!("{}: cannot be read", path.display())))?;
        if read == 0 {
            return Ok(());
        }
        each(Piece::Bytes(&buffer[..read]))?;
    }
}

fn read_stdin(each: &mut dyn FnMut(Piece<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let chunks = spawn_reader();
    loop {
        match chunks.recv_timeout(IDLE) {
            Ok(chunk) => each(Piece::Bytes(
                &chunk.context("standard input cannot be read")?,
            ))?,
            Err(RecvTimeoutError::Timeout) => each(Piece::Idle)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// Standard input cannot be read with a deadline, so a thread waits for it; it ends with the input or the receiver.
fn spawn_reader() -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(AHEAD);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK];
            let message = match stdin.read(&mut chunk) {
                Ok(0) => return,
                Ok(read) => {
                    chunk.truncate(read);
                    Ok(chunk)
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = message.is_err();
            if sender.send(message).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

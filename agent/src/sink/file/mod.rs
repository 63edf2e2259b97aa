//! A file that grows, and is put aside when it is large or old.
//!
//! What was put aside is named after the moment (`events.json.20261120T170107123Z`), compressed (`.gz`), and deleted once
//! there are more than are kept.

mod aside;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::thread::JoinHandle;
use std::time::SystemTime;

use super::transport::{Outcome, Prepared, Transport};
use crate::config::sinks;

/// So far from the end a line is looked for that an earlier run did not finish.
const TAIL: u64 = 4 << 20;
/// What the agent's own lines begin with, when they are JSON.
const OWN_LINE: &[&[u8]] = &[b"{\"line\":\"", b"{\"sink\":\""];
/// The owner writes, the group may read: logs are not for everybody.
const MODE: u32 = 0o640;

/// A file, and when it is put aside.
#[derive(Debug)]
pub(super) struct Rotating {
    settings: sinks::File,
    open: Option<Open>,
    /// The thread that compresses what was put aside.
    tidying: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// Device and inode.
    identity: (u64, u64),
    began: SystemTime,
}

impl Rotating {
    /// A file that is opened when something is to be written.
    pub(super) fn new(settings: &sinks::File) -> Self {
        Self {
            settings: settings.clone(),
            open: None,
            tidying: None,
        }
    }

    /// Writes `bytes` (whole lines) to the end, all or nothing.
    ///
    /// # Errors
    /// Where that fails; then nothing of it is in the file, as far as that can be brought about.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.follow();
        if self
            .open
            .as_ref()
            .is_some_and(|open| self.is_over(open, bytes.len() as u64))
        {
            self.put_aside()?;
        }
        if self.open.is_none() {
            self.open = Some(self.open()?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let written = open.file.write_all(bytes).and_then(|()| {
            if self.settings.sync {
                open.file.sync_data()
            } else {
                Ok(())
            }
        });
        match written {
            Ok(()) => open.bytes += bytes.len() as u64,
            Err(error) => {
                // A half line would stay in the file for good; what cannot be taken back now is when it is opened again.
                let _ = open.file.set_len(open.bytes);
                self.open = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Lets go of a file that somebody else has moved or deleted.
    fn follow(&mut self) {
        let Some(open) = &self.open else {
            return;
        };
        let there = std::fs::metadata(&self.settings.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == open.identity);
        if !there {
            self.open = None;
        }
    }

    fn is_over(&self, open: &Open, more: u64) -> bool {
        let full = self
            .settings
            .max_bytes
            .is_some_and(|max| open.bytes + more > max);
        let old = self.settings.max_age.is_some_and(|max| {
            SystemTime::now()
                .duration_since(open.began)
                .is_ok_and(|age| age >= max)
        });
        open.bytes > 0 && (full || old)
    }

    fn open(&self) -> io::Result<Open> {
        let path = &self.settings.path;
        if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(MODE)
            .open(path)?;
        let meta = file.metadata()?;
        let bytes = mend(&mut file, meta.len())?;
        let began = if bytes == 0 {
            SystemTime::now()
        } else {
            meta.created().or_else(|_| meta.modified())?
        };
        Ok(Open {
            file,
            bytes,
            identity: (meta.dev(), meta.ino()),
            began,
        })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let path = &self.settings.path;
        std::fs::rename(path, aside::free_name(path)?)?;
        self.open = None;
        // Whoever is still busy finds the newest ones the next time.
        if self.tidying.as_ref().is_none_or(JoinHandle::is_finished) {
            let (path, gzip, keep) = (path.clone(), self.settings.gzip, self.settings.keep);
            self.tidying = std::thread::Builder::new()
                .name("sink-tidy".to_owned())
                .spawn(move || aside::tidy(&path, gzip, keep))
                .ok();
        }
        Ok(())
    }
}

/// Brings a file to a line's end that an earlier run left in the middle of a line: the beginning of a line of our own is
/// taken back (it was not acknowledged and comes again), after anything else a line ends. Gives the file's length.
fn mend(file: &mut File, bytes: u64) -> io::Result<u64> {
    let from = bytes.saturating_sub(TAIL);
    let mut tail = Vec::new();
    if bytes > 0 {
        file.seek(SeekFrom::Start(bytes - 1))?;
        file.read_to_end(&mut tail)?;
    }
    if tail.last().is_none_or(|last| *last == b'\n') {
        return Ok(bytes);
    }
    tail.clear();
    file.seek(SeekFrom::Start(from))?;
    (&mut *file).take(TAIL).read_to_end(&mut tail)?;
    let line = memchr::memrchr(b'\n', &tail).map(|at| at + 1);
    let line = line.or((from == 0).then_some(0));
    if let Some(line) = line
        && OWN_LINE.iter().any(|own| {
            let begun = &tail[line..];
            begun.starts_with(own) || own.starts_with(begun)
        })
    {
        let kept = from + line as u64;
        file.set_len(kept)?;
        return Ok(kept);
    }
    file.write_all(b"\n")?;
    Ok(bytes + 1)
}

impl Transport for Rotating {
    fn send(&mut self, request: &Prepared<'_>) -> Outcome {
        match self.append(request.body) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Retry {
                reason: match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        "not_allowed"
                    }
                    _ => "io",
                },
                after: None,
                slow: false,
                why: error.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests;

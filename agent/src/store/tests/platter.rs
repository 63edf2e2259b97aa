//! A disk in memory that fails on purpose: full, broken, torn writes, and power cuts that lose what was not synced.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use crate::store::MakeBackend;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Writes and growth say that there is no room.
    Full,
    /// Everything says that the device is broken.
    Broken,
    /// Writes say that the file system may only be read.
    ReadOnly,
    /// One call says that the device is broken, then all is well.
    Once,
}

#[derive(Debug, Default)]
struct Inner {
    /// What a power cut leaves.
    synced: Vec<u8>,
    /// What reads see.
    now: Vec<u8>,
    /// Writes since the last sync: offset, bytes.
    unsynced: Vec<(usize, Vec<u8>)>,
    fault: Option<Fault>,
    /// The fault begins after so many more writes and syncs.
    after: u64,
    generation: u64,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Platter(Arc<Mutex<Inner>>);

impl Platter {
    pub(super) fn backend(&self) -> MakeBackend {
        let platter = self.clone();
        MakeBackend::new(move |_| {
            let mut inner = platter.lock();
            inner.check(false)?;
            // Whoever had it open before has it no more, as with a lock.
            inner.generation += 1;
            Ok(Box::new(Opened {
                platter: platter.clone(),
                generation: inner.generation,
            }))
        })
    }

    /// The fault begins after so many writes and syncs.
    pub(super) fn fail(&self, fault: Fault, after: u64) {
        let mut inner = self.lock();
        (inner.fault, inner.after) = (Some(fault), after);
    }

    /// All is well again.
    pub(super) fn mend(&self) {
        self.lock().fault = None;
    }

    /// The power fails: of what was not synced, `keep` says what reached the disk, sector by sector.
    pub(super) fn cut(&self, mut keep: impl FnMut() -> bool) {
        let mut inner = self.lock();
        let unsynced = std::mem::take(&mut inner.unsynced);
        for (offset, bytes) in unsynced {
            let end = offset + bytes.len();
            if inner.synced.len() < end {
                inner.synced.resize(end, 0);
            }
            for (sector, bytes) in bytes.chunks(512).enumerate() {
                if keep() {
                    let at = offset + sector * 512;
                    inner.synced[at..at + bytes.len()].copy_from_slice(bytes);
                }
            }
        }
        let length = inner.now.len();
        inner.synced.resize(length, 0);
        inner.now = inner.synced.clone();
        inner.fault = None;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Inner {
    fn check(&mut self, writes: bool) -> io::Result<()> {
        if writes {
            self.after = self.after.saturating_sub(1);
        }
        if self.after > 0 {
            return Ok(());
        }
        match self.fault {
            Some(Fault::Full) if writes => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::ReadOnly) if writes => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Some(Fault::Broken) => Err(io::Error::other("input/output error")),
            Some(Fault::Once) => {
                self.fault = None;
                Err(io::Error::other("input/output error"))
            }
            _ => Ok(()),
        }
    }
}

/// The disk as one database has it open.
#[derive(Debug)]
struct Opened {
    platter: Platter,
    generation: u64,
}

impl Opened {
    fn lock(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.platter.lock();
        if inner.generation == self.generation {
            Ok(inner)
        } else {
            Err(io::Error::other("opened anew by somebody else"))
        }
    }
}

impl StorageBackend for Opened {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.lock()?.now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let mut inner = self.lock()?;
        inner.check(false)?;
        let offset = offset as usize;
        let bytes = inner
            .now
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut inner = self.lock()?;
        inner.check(true)?;
        inner.now.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut inner = self.lock()?;
        inner.check(true)?;
        inner.synced = inner.now.clone();
        inner.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut inner = self.lock()?;
        inner.check(true)?;
        let offset = offset as usize;
        let end = offset + data.len();
        if inner.now.len() < end {
            inner.now.resize(end, 0);
        }
        inner.now[offset..end].copy_from_slice(data);
        inner.unsynced.push((offset, data.to_vec()));
        Ok(())
    }
}

//! What redb reads and writes through: the file, or in tests a backend that fails on purpose.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// Of a new file. Lines lie in it as they were written, secrets too: they are for the agent's user alone.
const MODE: u32 = 0o600;

/// Makes a backend from the opened file.
type Make = dyn Fn(File) -> io::Result<Box<dyn StorageBackend>> + Send + Sync;

/// Makes the backend of a store's file.
#[derive(Clone)]
pub struct MakeBackend(Arc<Make>);

impl MakeBackend {
    /// Backends made by `make` from the opened file, which tests use to inject faults.
    pub fn new(
        make: impl Fn(File) -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }

    /// Opens the file at `path`, which is made if it is missing.
    pub(super) fn open(&self, path: &Path) -> io::Result<Boxed> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE)
            .open(path)?;
        (self.0)(file).map(Boxed)
    }
}

impl Default for MakeBackend {
    fn default() -> Self {
        Self::new(|file| {
            let backend = FileBackend::new(file).map_err(|error| match error {
                redb::DatabaseError::Storage(redb::StorageError::Io(error)) => error,
                redb::DatabaseError::DatabaseAlreadyOpen => io::ErrorKind::ResourceBusy.into(),
                other => io::Error::other(other),
            })?;
            Ok(Box::new(backend))
        })
    }
}

impl fmt::Debug for MakeBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeBackend")
    }
}

/// A backend of any kind.
#[derive(Debug)]
pub(super) struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }
}

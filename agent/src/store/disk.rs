//! The file: one redb database, guarded against its faults and its panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{Database, ReadTransaction, ReadableDatabase as _, WriteTransaction};

use super::error::Fault;
use super::options::Options;

/// The name of the file in its directory.
pub(super) const FILE: &str = "store.redb";

/// The opened file.
#[derive(Debug)]
pub(super) struct Disk {
    db: Database,
    path: PathBuf,
}

impl Disk {
    /// Opens the file at `path`, made if it is missing, and brings it in order after a crash.
    pub(super) fn open(options: &Options, path: &Path) -> Result<Self, Fault> {
        let backend = options.backend.open(path)?;
        let mut builder = Database::builder();
        builder.set_cache_size(options.cache_bytes);
        let db = guard(|| Ok(builder.create_with_backend(backend)?))?;
        Ok(Self {
            db,
            path: path.to_owned(),
        })
    }

    /// As [`open`](Self::open), and waits for at most `wait` for whoever has the file open.
    pub(super) fn open_once_free(
        options: &Options,
        path: &Path,
        wait: Duration,
    ) -> Result<Self, Fault> {
        let deadline = Instant::now() + wait;
        loop {
            match Self::open(options, path) {
                Err(Fault::Busy) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                result => return result,
            }
        }
    }

    /// Where the file lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a state of the file that does not change meanwhile. As long as it is read, no room is freed: keep it short.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        guard(|| read(&self.db.begin_read()?))
    }

    /// Changes the file, all or nothing; durable when this returns.
    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        guard(|| {
            let mut transaction = self.db.begin_write()?;
            // After a crash the whole file would have to be read otherwise. Measured at 1 GiB: see ARCHITECTURE.md.
            transaction.set_quick_repair(true);
            let result = write(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })
    }
}

/// redb panics on some damaged pages: that is damage like any other here.
pub(super) fn guard<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Fault::damaged(words(&*panic))))
}

fn words(panic: &(dyn Any + Send)) -> String {
    if let Some(words) = panic.downcast_ref::<&str>() {
        (*words).to_owned()
    } else if let Some(words) = panic.downcast_ref::<String>() {
        words.clone()
    } else {
        "it cannot be read".to_owned()
    }
}

//! Why the store cannot do what it is asked, and whose fault it is.

use std::io;

use thiserror::Error;

/// Why the store's file cannot be used.
#[derive(Debug, Error)]
pub enum Fault {
    /// There is no directory to keep it in.
    #[error("the store is switched off (store.directory is empty)")]
    Off,
    /// Another process has it open.
    #[error("another process has the store open; stop it, or give this one a directory of its own")]
    Busy,
    /// It was written by a later version of the agent.
    #[error(
        "the store has layout {found}, this version knows layouts up to {known}; it is left as it is: use the newer agent, or another directory"
    )]
    Newer {
        /// The layout's version.
        found: u32,
        /// The latest that this version knows.
        known: u32,
    },
    /// The disk is full.
    #[error("the disk is full: {0}")]
    Full(io::Error),
    /// The file or its directory may not be written.
    #[error("the store's directory cannot be written: {0}")]
    ReadOnly(io::Error),
    /// The file system reports an error.
    #[error("the file system reports an error: {0}")]
    Io(io::Error),
    /// The file's content is not what was written.
    #[error("the store's file is damaged: {0}")]
    Damaged(String),
}

impl Fault {
    /// A word for metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Busy => "busy",
            Self::Newer { .. } => "newer_layout",
            Self::Full(_) => "disk_full",
            Self::ReadOnly(_) => "read_only",
            Self::Io(_) => "io",
            Self::Damaged(_) => "damaged",
        }
    }

    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full(error),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly(error)
            }
            io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock => Self::Busy,
            // redb's words for a file that is none of its own, or is cut short.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error),
        }
    }
}

impl From<redb::StorageError> for Fault {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Io(error) => error.into(),
            redb::StorageError::Corrupted(what) => Self::Damaged(what),
            redb::StorageError::PreviousIo
            | redb::StorageError::DatabaseClosed
            | redb::StorageError::Unsupported => Self::Io(io::Error::other(error)),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::TableError> for Fault {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for Fault {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<redb::CommitError> for Fault {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            other => Self::Io(io::Error::other(other)),
        }
    }
}

impl From<redb::DatabaseError> for Fault {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::Storage(error) => error.into(),
            redb::DatabaseError::DatabaseAlreadyOpen => Self::Busy,
            other => Self::Damaged(other.to_string()),
        }
    }
}

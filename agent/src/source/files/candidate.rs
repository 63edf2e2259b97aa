//! A file that may be one that was read before: under another name, copied, or compressed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::life::{Life, Node, is_gone, node, open_regular, read_at};
use super::moment::moment;
use super::names::added;
use super::packed::{self, After, Skipped, Unpacking, is_gzip, packed_name};
use super::{Identity, Marker, Resume};

pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
    pub(super) head: Vec<u8>,
    file: File,
    /// Of a compressed one: the length of its text modulo 2^32, as far as it tells.
    pub(super) packed: Option<u32>,
}

impl Candidate {
    /// Opens a plain or compressed file; `None` for what holds no text.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        moment();
        let path = path.to_owned();
        if is_gzip(&path) {
            return Ok(packed::peek(&path)?.map(|peek| Self {
                path,
                metadata: peek.metadata,
                head: peek.head,
                file: peek.file,
                packed: Some(peek.length),
            }));
        }
        let Some((file, metadata)) = open_regular(&path)? else {
            return Ok(None);
        };
        let head = read_at(&file, 0, Marker::MAX)?;
        Ok(Some(Self {
            path,
            metadata,
            head,
            file,
            packed: None,
        }))
    }

    /// [`open`](Self::open); where a plain file is gone, the one that gzip has made of it meanwhile. `None` also where neither
    /// can be read.
    pub(super) fn open_or_packed(path: &Path) -> Option<Self> {
        match Self::open(path) {
            Err(error) if is_gone(&error) && !is_gzip(path) => {
                Self::open(&packed_name(path)).ok().flatten()
            }
            opened => opened.ok().flatten(),
        }
    }

    /// Whether rotation has made its name of that of `log`.
    pub(super) fn is_made_of(&self, log: &Path) -> bool {
        let name = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            Some(name.to_owned())
        };
        self.path.parent() == log.parent()
            && name(log)
                .zip(name(&self.path))
                .is_some_and(|(base, name)| added(&base, &name).is_some())
    }

    pub(super) fn node(&self) -> Node {
        node(&self.metadata)
    }

    pub(super) fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// Whether it ends where the position is, so far as can be told without reading it.
    pub(super) fn ends_at(&self, offset: u64) -> bool {
        match self.packed {
            Some(length) => length == offset as u32,
            None => self.metadata.len() == offset,
        }
    }

    /// Whether the position is one in this text: it begins as it should, reaches so far, and has there what it should.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where a compressed file ends before that can be told.
    pub(super) fn holds(&self, resume: &Resume) -> io::Result<bool> {
        if !resume.file.marker.fits(&self.head) {
            return Ok(false);
        }
        let length = resume.seam.map_or(0, |seam| usize::from(seam.length));
        let tail = if self.packed.is_none() {
            if self.metadata.len() < resume.offset {
                return Ok(false);
            }
            let before = resume.offset.saturating_sub(length as u64);
            read_at(&self.file, before, (resume.offset - before) as usize)?
        } else {
            match Unpacking::begin(&self.file)?.skip(resume.offset)? {
                Skipped::There(tail) => tail,
                Skipped::Short(After::Cut) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Skipped::Short(_) => return Ok(false),
            }
        };
        let seam = &tail[tail.len().saturating_sub(length)..];
        Ok(resume.seam.is_none_or(|known| known == Marker::of(seam)))
    }

    /// [`holds`](Self::holds) for a file of which device and inode say nothing. What begins alike for only a few bytes is
    /// taken for the same where it also ends there, or where its name (`related`) says that it was made of that one.
    pub(super) fn is_copy_of(&self, resume: &Resume, related: bool) -> io::Result<bool> {
        let marker = resume.file.marker;
        let telling = usize::from(marker.length) == Marker::MAX
            || marker.length > 0 && (self.ends_at(resume.offset) || related && !resume.finished);
        Ok(telling && self.holds(resume)?)
    }

    /// Whether this file begins with all that the other one, an uncompressed one, holds: the other one is a copy of it, which
    /// is emptied next.
    pub(super) fn begins_with(&self, copy: &Self) -> io::Result<bool> {
        let length = copy.metadata.len();
        if copy.is_packed() || self.is_packed() || copy.head.is_empty() {
            return Ok(false);
        }
        let before = length.saturating_sub(Marker::SEAM as u64);
        let tail = read_at(&copy.file, before, (length - before) as usize)?;
        let file = Identity {
            device: copy.metadata.dev(),
            inode: copy.metadata.ino(),
            marker: Marker::of(&copy.head),
        };
        self.holds(&Resume {
            seam: Some(Marker::before(&tail)),
            ..Resume::new(file, length)
        })
    }

    /// The open file.
    pub(super) fn into_file(self) -> (File, PathBuf, bool) {
        let is_packed = self.is_packed();
        (self.file, self.path, is_packed)
    }

    /// The life that it begins, found as `found`.
    pub(super) fn into_life(self, found: PathBuf) -> io::Result<Life> {
        let is_packed = self.is_packed();
        let mut life = Life::of(self.file, &self.metadata, &self.head, found, self.path);
        if is_packed {
            life.unpack()?;
        }
        Ok(life)
    }
}

//! One life of a file: from its first byte to its end, or until it is emptied or written anew.
//!
//! How a file is told from its successor in the same place:
//! - by device and inode, as long as the descriptor is open: an inode is not used again before it is closed;
//! - by its size: one that is smaller than what was read was emptied (copytruncate);
//! - by its head: the [`Marker`] must still fit, else the file was written anew, or the inode was used again;
//! - by its seam: the last [`SEAM`] bytes that were read must still stand before the offset, which tells files apart that
//!   begin alike (a banner, a header line) once the new one is longer than the old one was.
//!
//! All four are asked before each read, which is two small reads of cached pages. A file that is written anew with the same
//! head and the same seam at the same offset, or is emptied and grows beyond the offset between the check and the read that
//! follows it, cannot be told apart.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use rustix::buffer::spare_capacity;
use rustix::fs::{OFlags, SeekFrom, seek};
use rustix::io::Errno;

use logline::decode::Wrapper;

use super::candidate::Candidate;
use super::moment::moment;
use super::packed::{After, Skipped, Unpacking, is_gzip, peek};
use super::{Closed, Identity, Marker, Origin, Resume, SourceId, Start};
use crate::source::Kind;

/// How many bytes before the offset are remembered.
const SEAM: usize = Marker::SEAM;

/// Device and inode: what a file is while its descriptor is open.
pub(super) type Node = (u64, u64);

pub(super) fn node(metadata: &Metadata) -> Node {
    (metadata.dev(), metadata.ino())
}

/// A followed file.
pub(super) struct Life {
    pub(super) id: SourceId,
    /// The path under which the walk found it.
    pub(super) found: PathBuf,
    /// The same after symlinks: what is opened again.
    pub(super) path: PathBuf,
    /// The watch of its directory.
    pub(super) watch: Option<i32>,
    /// What it is while its descriptor is open.
    pub(super) node: Node,
    /// What its positions are kept under; a copy goes on under the identity of its original.
    pub(super) identity: Identity,
    /// Who writes it, as the flow was told or will be.
    pub(super) origin: Arc<Origin>,
    /// Docker's labels that are switches.
    pub(super) said: Vec<(String, String)>,
    /// How its lines are wrapped, until the flow has been told of it.
    pub(super) unannounced: Option<Wrapper>,
    /// The position from before that it goes on from.
    pub(super) resumed: Option<Identity>,
    /// The flow is to be told at once that it goes on: it may hold what waits for more.
    pub(super) announce: bool,
    /// The next byte to read.
    pub(super) offset: u64,
    /// The last bytes before `offset`.
    seam: Vec<u8>,
    pub(super) file: Option<File>,
    /// Of a compressed file: where its decompression is.
    pub(super) packed: Option<Packed>,
    /// Its last read failed, which has been told.
    pub(super) failing: bool,
    /// It waits until newer files have been read.
    pub(super) held: bool,
    /// Everything was read at the last look.
    pub(super) at_end: bool,
    /// It waits for its turn.
    pub(super) queued: bool,
    /// It is no longer found by the walk: why, and since when it has given nothing.
    pub(super) leaving: Option<Leaving>,
    /// The last walk that found it.
    pub(super) walk: u64,
    /// The file that had its name before, to be read to its end first.
    pub(super) follows: Option<SourceId>,
    /// Bytes up to the next line end belong to a line that began before the start.
    pub(super) skip_line: bool,
    /// It was emptied before: leading NULs are a hole that its writer has left.
    skip_hole: bool,
    /// When it began here.
    pub(super) since: SystemTime,
}

/// A compressed file: it is read once, from its start to its end.
#[derive(Default)]
pub(super) struct Packed {
    unpacking: Option<Unpacking>,
    /// The compressed size when reading began.
    pub(super) size: u64,
    /// It ended in the middle.
    pub(super) cut: bool,
}

/// A file on its way out.
pub(super) struct Leaving {
    pub(super) reason: Closed,
    pub(super) quiet_since: Instant,
    /// Its name belongs to another file, or it has no name: its writer will not come back.
    pub(super) replaced: bool,
}

/// What one turn gives.
pub(super) enum Turn {
    /// Bytes from this offset; `more` is known to follow them.
    Bytes {
        offset: u64,
        bytes: Vec<u8>,
        more: bool,
    },
    /// Nothing new.
    End,
    /// The file was emptied or written anew: this life is over.
    Truncated,
    /// A compressed file was read to its end, after which nothing can come.
    Ended,
}

impl Life {
    /// Begins a life of the file open as `file`.
    pub(super) fn begin(
        file: File,
        metadata: &Metadata,
        found: PathBuf,
        path: PathBuf,
    ) -> io::Result<Self> {
        let head = read_at(&file, 0, Marker::MAX)?;
        Ok(Self::of(file, metadata, &head, found, path))
    }

    /// Begins a life of the file open as `file`, which begins with `head`.
    pub(super) fn of(
        file: File,
        metadata: &Metadata,
        head: &[u8],
        found: PathBuf,
        path: PathBuf,
    ) -> Self {
        Self {
            id: SourceId::next(),
            found,
            path,
            watch: None,
            node: node(metadata),
            identity: Identity {
                device: metadata.dev(),
                inode: metadata.ino(),
                marker: Marker::of(head),
            },
            origin: Arc::new(Origin::plain(Kind::File, "")),
            said: Vec::new(),
            unannounced: None,
            resumed: None,
            announce: false,
            offset: 0,
            seam: Vec::new(),
            file: Some(file),
            packed: None,
            failing: false,
            held: false,
            at_end: false,
            queued: false,
            leaving: None,
            walk: 0,
            follows: None,
            skip_line: false,
            skip_hole: false,
            since: SystemTime::now(),
        }
    }

    /// Its text is what decompression makes of it.
    pub(super) fn unpack(&mut self) -> io::Result<()> {
        let mut packed = Packed::default();
        if let Some(file) = &self.file {
            packed.size = file.metadata()?.len();
            let mut unpacking = Unpacking::begin(file)?;
            if let Skipped::There(tail) = unpacking.skip(self.offset)? {
                self.seam = tail;
                packed.unpacking = Some(unpacking);
            }
        }
        self.packed = Some(packed);
        Ok(())
    }

    /// Goes on at a position from before, under the identity that it had then.
    pub(super) fn take_up(&mut self, resume: &Resume) -> io::Result<()> {
        self.resume_at(resume.offset)?;
        self.identity.device = resume.file.device;
        self.identity.inode = resume.file.inode;
        self.resumed = Some(resume.file);
        // Its copies may be older than this run.
        self.since = resume.at.unwrap_or(self.since).min(self.since);
        self.announce = !resume.finished;
        Ok(())
    }

    /// Goes on in a copy of the file, from where it is.
    pub(super) fn go_on_in(&mut self, copy: Candidate) -> io::Result<()> {
        self.node = copy.node();
        let (file, path, is_packed) = copy.into_file();
        self.file = Some(file);
        self.path = path;
        if is_packed {
            self.unpack()?;
        }
        Ok(())
    }

    /// Where it is now.
    pub(super) fn position(&self, finished: bool) -> Resume {
        Resume {
            finished,
            seam: Some(Marker::before(&self.seam)),
            ..Resume::new(self.identity, self.offset)
        }
    }

    /// Begins where the configuration says; `size` is the file's.
    pub(super) fn start_at(&mut self, start: Start, size: u64) -> io::Result<()> {
        let offset = match start {
            Start::Beginning => 0,
            Start::End => size,
            Start::Tail(bytes) => size.saturating_sub(bytes),
        };
        self.resume_at(offset)?;
        self.skip_line = self.seam.last().is_some_and(|byte| *byte != b'\n');
        Ok(())
    }

    /// Goes on at an offset known from before.
    pub(super) fn resume_at(&mut self, offset: u64) -> io::Result<()> {
        if self.packed.is_some() {
            self.offset = offset;
            return self.unpack();
        }
        if let Some(file) = &self.file {
            let before = offset.saturating_sub(SEAM as u64);
            self.seam = read_at(file, before, (offset - before) as usize)?;
        }
        self.offset = offset;
        Ok(())
    }

    /// Begins after the hole, if there is one, that a writer leaves which does not know that its file was emptied.
    pub(super) fn skip_hole(&mut self) {
        self.skip_hole = true;
        if let Some(file) = &self.file
            && let Ok(data) = seek(file, SeekFrom::Data(0))
        {
            self.offset = data;
        }
    }

    /// One look at the open file, and one read of at most `chunk` bytes.
    pub(super) fn turn(&mut self, chunk: usize) -> io::Result<Turn> {
        if self.packed.is_some() {
            return self.turn_packed(chunk);
        }
        let Some(file) = &self.file else {
            return Ok(Turn::End);
        };
        let size = file.metadata()?.len();
        if !self.fits(file, size)? {
            return Ok(Turn::Truncated);
        }
        let offset = self.offset;
        let wanted = usize::try_from(size - offset)
            .unwrap_or(usize::MAX)
            .min(chunk);
        let mut bytes = Vec::new();
        if wanted > 0 {
            bytes = read_at(file, offset, wanted)?;
        }
        self.renew_marker(size)?;
        if bytes.is_empty() {
            self.at_end = true;
            return Ok(Turn::End);
        }
        self.offset += bytes.len() as u64;
        self.at_end = self.offset >= size;
        self.keep_seam(&bytes);
        let skipped = self.skipped(&bytes);
        if skipped > 0 {
            bytes.drain(..skipped);
        }
        Ok(Turn::Bytes {
            offset: offset + skipped as u64,
            bytes,
            more: !self.at_end,
        })
    }

    fn turn_packed(&mut self, chunk: usize) -> io::Result<Turn> {
        let Some(packed) = &mut self.packed else {
            return Ok(Turn::End);
        };
        let (mut bytes, after) = match &mut packed.unpacking {
            Some(unpacking) => unpacking.read(chunk)?,
            // Shorter than what was read of it before.
            None => (Vec::new(), After::Cut),
        };
        packed.cut = after == After::Cut;
        if bytes.is_empty() {
            self.at_end = packed.cut;
            return Ok(if packed.cut { Turn::End } else { Turn::Ended });
        }
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        self.keep_seam(&bytes);
        let skipped = self.skipped(&bytes);
        bytes.drain(..skipped);
        Ok(Turn::Bytes {
            offset: offset + skipped as u64,
            bytes,
            more: true,
        })
    }

    /// Whether the open file can still be the one whose bytes before the offset were read.
    fn fits(&self, file: &File, size: u64) -> io::Result<bool> {
        if size < self.offset || size < u64::from(self.identity.marker.length) {
            return Ok(false);
        }
        let head = read_at(file, 0, usize::from(self.identity.marker.length))?;
        if !self.identity.marker.fits(&head) {
            return Ok(false);
        }
        let before = self.offset - self.seam.len() as u64;
        Ok(read_at(file, before, self.seam.len())? == self.seam)
    }

    /// Takes a longer marker from a file that has grown.
    fn renew_marker(&mut self, size: u64) -> io::Result<()> {
        let length = self.identity.marker.length;
        if let Some(file) = &self.file
            && usize::from(length) < Marker::MAX
            && size > u64::from(length)
        {
            self.identity.marker = Marker::of(&read_at(file, 0, Marker::MAX)?);
        }
        Ok(())
    }

    fn keep_seam(&mut self, bytes: &[u8]) {
        if let Some(from) = bytes.len().checked_sub(SEAM) {
            self.seam.clear();
            self.seam.extend_from_slice(&bytes[from..]);
        } else {
            let surplus = (self.seam.len() + bytes.len()).saturating_sub(SEAM);
            self.seam.drain(..surplus);
            self.seam.extend_from_slice(bytes);
        }
    }

    /// How many of these bytes come before the start.
    fn skipped(&mut self, bytes: &[u8]) -> usize {
        if self.skip_hole {
            let nuls = bytes.iter().take_while(|byte| **byte == 0).count();
            self.skip_hole = nuls == bytes.len();
            return nuls;
        }
        if self.skip_line {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            self.skip_line = end.is_none();
            return end.map_or(bytes.len(), |end| end + 1);
        }
        0
    }

    /// Opens the file again after its descriptor was given back. False when it is gone or another one by now;
    /// where it was only renamed within its directory it is found.
    pub(super) fn reopen(&mut self) -> io::Result<bool> {
        let opened = match open_regular(&self.path) {
            Ok(Some((file, metadata))) if node(&metadata) == self.node => Some(file),
            Ok(_) => None,
            Err(error) if is_gone(&error) => None,
            Err(error) => return Err(error),
        };
        self.file = match opened {
            Some(file) => Some(file),
            None => self.open_renamed()?,
        };
        if self.packed.is_some() && self.file.is_some() {
            self.unpack()?;
        }
        Ok(self.file.is_some())
    }

    fn open_renamed(&mut self) -> io::Result<Option<File>> {
        let Some(Ok(entries)) = self.path.parent().map(std::fs::read_dir) else {
            return Ok(None);
        };
        let mut compressed = Vec::new();
        for entry in entries.flatten() {
            if entry.ino() == self.node.1
                && let Ok(Some((file, metadata))) = open_regular(&entry.path())
                && node(&metadata) == self.node
            {
                // The name alone proves nothing, because inodes are used again.
                if self.fits(&file, metadata.len())? {
                    return Ok(Some(file));
                }
            }
            compressed.extend(Some(entry.path()).filter(|path| is_gzip(path)));
        }
        if self.packed.is_none() {
            for path in compressed {
                if let Some(file) = self.open_compressed(&path)? {
                    return Ok(Some(file));
                }
            }
        }
        Ok(None)
    }

    /// The compressed copy of this file, if `path` is one.
    fn open_compressed(&mut self, path: &Path) -> io::Result<Option<File>> {
        let Ok(Some(peek)) = peek(path) else {
            return Ok(None);
        };
        // Few bytes at the start prove nothing, the seam does where there is one.
        let marker = self.identity.marker;
        if !marker.fits(&peek.head) || usize::from(marker.length) < Marker::MAX && self.offset == 0
        {
            return Ok(None);
        }
        let skipped = Unpacking::begin(&peek.file)?.skip(self.offset);
        if !matches!(skipped, Ok(Skipped::There(tail)) if tail == self.seam) {
            return Ok(None);
        }
        path.clone_into(&mut self.path);
        self.node = node(&peek.metadata);
        self.packed = Some(Packed::default());
        Ok(Some(peek.file))
    }
}

/// Opens a regular file for reading, never waiting for the writer of a FIFO; `None` for anything else.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    moment();
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

/// Whether an error says that there is no such file (any more).
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::StaleNetworkFileHandle
    )
}

/// Reads up to `length` bytes at an offset; fewer only at the end of the file.
pub(super) fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = offset + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The allocator may have given more room than was asked for.
    bytes.truncate(length);
    Ok(bytes)
}

//! The kernel's file events (inotify), by directory: which followed files were written to, and whether names have changed.
//!
//! Directories are watched, not files: one watch serves all files in it, and a new file is seen without a race. Watches
//! can be refused and events can be lost, and writers on other hosts raise none: whoever uses this must rescan as well.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{
    CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::io::Errno;

use super::packed::is_gzip;
use super::pattern::Part;
use crate::source::{Counters, SourceId};

/// A watch of one directory.
#[derive(Default)]
struct Directory {
    /// Its path when it was last asked for.
    path: PathBuf,
    /// Names that concern us when they appear.
    parts: Vec<Part>,
    /// Files that are followed, by their name in here.
    names: HashMap<OsString, SourceId>,
    /// The rescan that last wanted this watch.
    generation: u64,
}

/// What the events since the last look come to.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Followed files that were written to, possibly more than once in here.
    pub(super) written: Vec<SourceId>,
    /// Names have changed: walk the globs again.
    pub(super) names_changed: bool,
    /// Files whose names concern us that have got another one: from and to.
    pub(super) renamed: Vec<(PathBuf, PathBuf)>,
    /// Events were lost: look at everything.
    pub(super) overflow: bool,
}

/// All watches.
pub(super) struct Watch {
    inotify: Option<OwnedFd>,
    directories: HashMap<i32, Directory>,
    generation: u64,
    told_refused: bool,
    /// The first half of the last renaming: its cookie and the old path.
    moved_from: Option<(u32, PathBuf)>,
}

const WANTED: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

impl Watch {
    /// An empty set of watches; without inotify it reports nothing, ever.
    pub(super) fn new() -> Self {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .inspect_err(|error| {
                tracing::warn!(%error, "no inotify (fs.inotify.max_user_instances?): files are only looked at in each rescan");
            })
            .ok();
        Self {
            inotify,
            directories: HashMap::new(),
            generation: 0,
            told_refused: false,
            moved_from: None,
        }
    }

    /// What becomes readable when there are events.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// A rescan begins: watches that it does not ask for again are given back by [`end_rescan`](Self::end_rescan).
    pub(super) fn begin_rescan(&mut self) {
        self.generation += 1;
        for directory in self.directories.values_mut() {
            directory.parts.clear();
        }
    }

    /// A rescan has ended.
    pub(super) fn end_rescan(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        self.directories.retain(|wd, directory| {
            let keep = directory.generation == self.generation || !directory.names.is_empty();
            if !keep {
                // Already gone where the directory is: the kernel's own notice is on its way.
                let _ = remove_watch(inotify, *wd);
            }
            keep
        });
    }

    /// Watches a directory; `part` is what names in it are compared with. Call before listing it.
    pub(super) fn directory(
        &mut self,
        path: &Path,
        part: Option<&Part>,
        counters: &Counters,
    ) -> Option<i32> {
        let inotify = self.inotify.as_ref()?;
        match add_watch(inotify, path, WANTED) {
            Ok(wd) => {
                let directory = self.directories.entry(wd).or_default();
                directory.generation = self.generation;
                path.clone_into(&mut directory.path);
                directory.parts.extend(part.cloned());
                Some(wd)
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => None,
            Err(error) => {
                counters.inotify_refused.inc();
                if !self.told_refused {
                    self.told_refused = true;
                    tracing::warn!(path = %path.display(), %error, "a directory cannot be watched (fs.inotify.max_user_watches?): its files are only looked at in each rescan");
                }
                None
            }
        }
    }

    /// From now on events for this name belong to this file.
    pub(super) fn name(&mut self, wd: i32, name: &OsStr, id: SourceId) {
        if let Some(directory) = self.directories.get_mut(&wd) {
            directory.names.insert(name.to_owned(), id);
        }
    }

    /// Undoes [`name`](Self::name), unless the name belongs to another file by now.
    pub(super) fn forget(&mut self, wd: i32, name: &OsStr, id: SourceId) {
        if let Some(directory) = self.directories.get_mut(&wd)
            && directory.names.get(name) == Some(&id)
        {
            directory.names.remove(name);
        }
    }

    /// Takes what has happened since the last call; never waits.
    pub(super) fn take(&mut self, seen: &mut Seen) {
        let Some(inotify) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); 64 * 1024];
        let mut reader = Reader::new(inotify, &mut buffer);
        // Bounded, so that a storm of events does not keep the files from being read; a buffer that was read is finished.
        let mut events = 0;
        while events < 4096 || !reader.is_buffer_empty() {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            events += 1;
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                seen.overflow = true;
                continue;
            }
            let Some(directory) = self.directories.get(&event.wd()) else {
                continue;
            };
            if flags.contains(ReadFlags::IGNORED) {
                self.directories.remove(&event.wd());
                seen.names_changed = true;
                continue;
            }
            let Some(name) = event.file_name() else {
                seen.names_changed |=
                    flags.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF);
                continue;
            };
            let name = OsStr::from_bytes(name.to_bytes());
            let known = directory.names.get(name);
            if flags.contains(ReadFlags::MODIFY) {
                seen.written.extend(known);
                // A compressed file shows what it is only once enough of it was written.
                seen.names_changed |= known.is_none()
                    && is_gzip(Path::new(name))
                    && directory.parts.iter().any(|part| part.matches(name));
                continue;
            }
            let concerns = known.is_some() || directory.parts.iter().any(|part| part.matches(name));
            seen.names_changed |= concerns;
            // The kernel puts both halves of a renaming behind each other, under the same cookie.
            let path = || directory.path.join(name);
            if flags.contains(ReadFlags::MOVED_FROM) {
                self.moved_from = concerns.then(|| (event.cookie(), path()));
            } else if flags.contains(ReadFlags::MOVED_TO)
                && let Some((cookie, from)) = self.moved_from.take()
                && cookie == event.cookie()
            {
                seen.renamed.push((from, path()));
            }
        }
    }
}

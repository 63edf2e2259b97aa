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

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{
    CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::io::Errno;

use super::life::is_gone;
use super::packed::is_gzip;
use super::pattern::Part;
use super::places::{Name, Places, Track};
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
    /// How often names in here have changed.
    changes: u64,
}

/// A file whose name concerns us has got another one.
pub(super) struct Renamed {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    /// Where it has gone since.
    pub(super) track: Track,
}

/// What the events since the last look come to.
#[derive(Default)]
pub(super) struct Seen {
    /// Followed files that were written to, possibly more than once in here.
    pub(super) written: Vec<SourceId>,
    /// Names have changed: walk the globs again.
    pub(super) names_changed: bool,
    /// Files whose names concern us that have got another one.
    pub(super) renamed: Vec<Renamed>,
    /// Events were lost: look at everything.
    pub(super) overflow: bool,
}

/// All watches.
pub(super) struct Watch {
    inotify: Option<OwnedFd>,
    directories: HashMap<i32, Directory>,
    generation: u64,
    told_refused: bool,
    /// The first half of the last renaming.
    moved_from: Option<MovedFrom>,
    places: Places,
    /// How often it was waited for an event since the last walk has begun.
    waits: usize,
    /// What has happened and nobody has taken yet.
    seen: Seen,
}

/// The first half of a renaming.
struct MovedFrom {
    cookie: u32,
    old: Name,
    /// The old path, where the name concerns us.
    path: Option<PathBuf>,
}

/// A file is looked for under its present name so often at most while its names go on changing.
const MAX_LOOKS: usize = 64;

/// A name has changed shortly before the kernel tells it. It is waited for so long, and so often in one walk.
const TOLD_WITHIN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
const MAX_WAITS: usize = 20;

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
            places: Places::default(),
            waits: 0,
            seen: Seen::default(),
        }
    }

    /// What becomes readable when there are events.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// A rescan begins: watches that it does not ask for again are given back by [`end_rescan`](Self::end_rescan).
    pub(super) fn begin_rescan(&mut self) {
        self.generation += 1;
        self.waits = 0;
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
                // The path by which the patterns lead here goes before others.
                if part.is_some() || directory.parts.is_empty() {
                    path.clone_into(&mut directory.path);
                }
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

    /// The watch of a directory, and how often names in there have changed; `None` where it is not watched.
    pub(super) fn version(&mut self, wd: Option<i32>) -> Option<(i32, u64)> {
        let wd = wd?;
        self.drain();
        let directory = self.directories.get(&wd)?;
        Some((wd, directory.changes))
    }

    /// Tracks the file at `path`, in the directory with the watch `wd`, from the last event on that was taken.
    pub(super) fn track(&mut self, wd: Option<i32>, path: &Path) -> Track {
        match (wd, path.parent(), path.file_name()) {
            (Some(wd), Some(directory), Some(name)) => self.places.track(wd, directory, name),
            _ => Track::Untold(path.to_owned()),
        }
    }

    /// Tracks the file at `path` from now on.
    pub(super) fn track_from_now(&mut self, path: &Path, counters: &Counters) -> Track {
        let directory = path.parent();
        let wd = directory.and_then(|directory| self.directory(directory, None, counters));
        self.drain();
        self.track(wd, path)
    }

    /// Where a tracked file was at the last event that was taken.
    pub(super) fn last_place(&self, track: &Track) -> Option<PathBuf> {
        self.places.of(track)
    }

    /// Where a tracked file is now; `None` once it is gone.
    pub(super) fn place(&mut self, track: &Track) -> Option<PathBuf> {
        self.drain();
        self.places.of(track)
    }

    /// Looks at a tracked file where it is: again when it has got another name meanwhile, unless what was seen is known to be
    /// the right one all the same. `None` when it is gone.
    pub(super) fn look<T>(
        &mut self,
        track: &Track,
        look: impl Fn(&Path) -> T,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let mut place = self.place(track)?;
        let mut looks = 1;
        loop {
            let seen = look(&place);
            let mut now = self.place(track);
            if !is_it(&seen) && now.as_ref() == Some(&place) && self.is_untold(track, &place) {
                now = self.place(track);
            }
            if is_it(&seen) || now.as_ref() == Some(&place) || looks == MAX_LOOKS {
                return Some(seen);
            }
            place = now?;
            looks += 1;
        }
    }

    /// Whether a file is no longer where it must be by what was told; then waits for what is to be told of it.
    fn is_untold(&mut self, track: &Track, place: &Path) -> bool {
        let is_gone = || std::fs::symlink_metadata(place).is_err_and(|error| is_gone(&error));
        if !self.places.is_sure(track) || self.waits == MAX_WAITS || !is_gone() {
            return false;
        }
        let Some(inotify) = &self.inotify else {
            return false;
        };
        self.waits += 1;
        let mut fds = [PollFd::new(inotify, PollFlags::IN)];
        poll(&mut fds, Some(&TOLD_WITHIN)).is_ok_and(|ready| ready > 0)
    }

    /// Takes what has happened since the last call; never waits.
    pub(super) fn take(&mut self) -> Seen {
        self.drain();
        std::mem::take(&mut self.seen)
    }

    fn drain(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        let seen = &mut self.seen;
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
            let wd = event.wd();
            // The kernel puts both halves of a renaming behind each other, under the same cookie.
            let moved_from = self.moved_from.take();
            let moved_here = moved_from.filter(|it| {
                let is_here = flags.contains(ReadFlags::MOVED_TO) && it.cookie == event.cookie();
                if !is_here {
                    // To where nobody looks.
                    self.places.moved(&it.old, None);
                }
                is_here
            });
            let Some(directory) = self.directories.get_mut(&wd) else {
                continue;
            };
            if flags.contains(ReadFlags::IGNORED) {
                self.directories.remove(&wd);
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
            if flags.contains(ReadFlags::ATTRIB) {
                continue;
            }
            directory.changes += 1;
            let here = || (wd, name.to_owned());
            if flags.contains(ReadFlags::MOVED_FROM) {
                self.moved_from = Some(MovedFrom {
                    cookie: event.cookie(),
                    old: here(),
                    path: concerns.then(|| directory.path.join(name)),
                });
            } else if let Some(from) = moved_here {
                self.places
                    .moved(&from.old, Some((&directory.path, here())));
                if let Some(from) = from.path {
                    seen.renamed.push(Renamed {
                        from,
                        to: directory.path.join(name),
                        track: self.places.track(wd, &directory.path, name),
                    });
                }
            } else if !self.places.is_empty() {
                if flags.contains(ReadFlags::DELETE) {
                    self.places.removed(&directory.path, &here());
                } else {
                    self.places.overwritten(&here());
                }
            }
        }
    }
}

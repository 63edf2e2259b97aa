//! What a walk of the patterns finds, compared with the files that are followed.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use super::candidate::Candidate;
use super::claims::{Claims, Standing};
use super::follow::Follower;
use super::life::{Life, Node, is_gone, node};
use super::packed::is_gzip;
use super::pattern::Part;
use super::remains::{Seen, TakenUp};
use super::walk::{Visitor, is_compressed, walk};
use super::watch::{Renamed, Watch};
use super::{Counters, SourceId};

/// A start walks so often at most, when names change while it does.
const MAX_FIRST_WALKS: u64 = 5;

/// Collects what a walk meets, and puts watches before it looks.
struct Found<'a> {
    watch: &'a mut Watch,
    counters: &'a Counters,
    wants: Option<HashSet<u64>>,
    matches: Vec<(PathBuf, Metadata)>,
    /// Compressed files that are meant.
    packed: Vec<(PathBuf, Metadata)>,
    directories: Vec<PathBuf>,
    failed: Vec<(PathBuf, io::Error)>,
    wanted: Vec<PathBuf>,
}

impl Visitor for Found<'_> {
    fn directory(&mut self, path: &Path, part: &Part) {
        if self.wants.is_some() {
            self.directories.push(path.to_owned());
        }
        if self
            .watch
            .directory(path, Some(part), self.counters)
            .is_some()
        {
            return;
        }
        // Where it does not exist yet, its making is watched for in the nearest directory that does.
        let mut missing = path;
        while let (Some(parent), Some(name)) = (missing.parent(), missing.file_name()) {
            let part = Part::Literal(name.to_string_lossy().into_owned());
            if self
                .watch
                .directory(parent, Some(&part), self.counters)
                .is_some()
            {
                return;
            }
            missing = parent;
        }
    }

    fn matched(&mut self, path: &Path, metadata: &Metadata, gzip: bool) {
        let packed = gzip && metadata.is_file() && is_gzip(path);
        let matches = if packed {
            &mut self.packed
        } else {
            &mut self.matches
        };
        matches.push((path.to_owned(), metadata.clone()));
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        self.failed.push((
            path.to_owned(),
            io::Error::new(error.kind(), error.to_string()),
        ));
    }

    fn wants(&self) -> Option<&HashSet<u64>> {
        self.wants.as_ref()
    }

    fn wanted(&mut self, path: &Path) {
        self.wanted.push(path.to_owned());
    }
}

impl Follower {
    /// Walks all patterns, looks at every file, opens new ones and sends off those that are gone.
    pub(super) fn rescan(&mut self) {
        loop {
            self.look_around();
            if self.settled {
                break;
            }
        }
    }

    /// What an earlier walk of this start has opened already is read after what was rotated away from its name.
    fn put_before(&mut self, ends: &HashMap<PathBuf, SourceId>) {
        for life in self.lives.values_mut() {
            if let Some(last) = ends.get(&life.path)
                && life.unannounced.is_some()
                && life.id != *last
            {
                life.follows = Some(*last);
            }
        }
    }

    fn look_around(&mut self) {
        self.walks += 1;
        self.watch.begin_rescan();
        let first = !self.settled;
        let wants = (first && !self.is_first_start).then(|| self.book.inodes());
        let mut found = Found {
            watch: &mut self.watch,
            counters: &self.counters,
            wants,
            matches: Vec::new(),
            packed: Vec::new(),
            directories: Vec::new(),
            failed: Vec::new(),
            wanted: Vec::new(),
        };
        walk(&self.config.patterns, &mut found);
        let Found {
            mut matches,
            packed,
            directories,
            failed,
            wanted,
            ..
        } = found;

        let told = std::mem::take(&mut self.told);
        matches.retain(|(path, metadata)| self.may_be_read(path, metadata, &told));
        let mut unreadable = Vec::new();
        for (path, error) in &failed {
            unreadable.push(format!("{}: {error}", path.display()));
            self.tell_unreadable(path, error, &told);
        }
        let names: HashMap<&Path, Node> = matches
            .iter()
            .map(|(path, metadata)| (path.as_path(), node(metadata)))
            .collect();
        self.left_out
            .retain(|path, node| names.get(path.as_path()) == Some(node));

        let mut new = self.look_at_known(&matches);
        let mut gone = self.send_off(&names, &failed);
        let mut taken = if first {
            self.take_up(&Seen {
                matches: &matches,
                wanted: &wanted,
                directories: &directories,
            })
        } else {
            TakenUp::default()
        };
        self.put_before(&taken.ends);
        let is_backlog = first && self.is_first_start && self.config.newest_first;
        if is_backlog {
            new.sort_by_key(|(_, metadata)| std::cmp::Reverse(metadata.modified().ok()));
        }
        for (path, _) in new {
            let follows = gone.remove(path);
            if let Err(error) = self.open_new(path, follows, first, &taken.ends)
                && !is_gone(&error)
            {
                unreadable.push(format!("{}: {error}", path.display()));
                self.tell_unreadable(path, &error, &told);
            }
        }
        self.take_up_since(&mut taken, &names);
        self.put_before(&taken.ends);
        self.settled |= self.is_settled(&taken) || self.walks >= MAX_FIRST_WALKS;
        if first && self.settled {
            self.tell_vanished(&taken);
        }
        self.packed_seen
            .retain(|path, _| packed.iter().any(|(found, _)| found == path));
        for (path, metadata) in &packed {
            let looks = (node(metadata), metadata.len());
            if self.packed_seen.get(path) == Some(&looks) {
                continue;
            }
            match self.open_packed(path, first) {
                Ok(true) => {
                    self.packed_seen.insert(path.clone(), looks);
                }
                Ok(false) => {}
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    unreadable.push(format!("{}: {error}", path.display()));
                    self.tell_unreadable(path, &error, &told);
                }
            }
        }
        self.release_backlog();
        let failing = self.lives.values().filter(|life| life.failing);
        unreadable.extend(failing.map(|life| format!("{}: cannot be read", life.path.display())));
        self.counters.files_unreadable.set(unreadable.len() as u64);
        unreadable.sort_unstable();
        self.counters.file_trouble.set(match unreadable.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, others @ ..] => format!("{first} (and {} more)", others.len()),
        });
        self.counters.files_known.set(self.lives.len() as u64);
        self.watch.end_rescan();
        self.counters.rescans.inc();
    }

    /// Whether a match is an uncompressed regular file; else it is counted and told the first time.
    fn may_be_read(&mut self, path: &Path, metadata: &Metadata, told: &HashSet<PathBuf>) -> bool {
        let (counter, what) = if !metadata.is_file() {
            (&self.counters.files_not_regular, "is no regular file")
        } else if is_compressed(path) {
            (&self.counters.files_compressed, "is compressed")
        } else {
            return true;
        };
        if !told.contains(path) {
            counter.inc();
            tracing::info!(path = %path.display(), "skipped: {what}");
        }
        self.told.insert(path.to_owned());
        false
    }

    fn tell_unreadable(&mut self, path: &Path, error: &io::Error, told: &HashSet<PathBuf>) {
        if !told.contains(path) && !self.told.contains(path) {
            self.counters.file_errors.inc();
            tracing::warn!(path = %path.display(), %error, "cannot be read; it is tried again in each rescan");
        }
        self.told.insert(path.to_owned());
    }

    /// Gives followed files that are found again a turn where they have changed; returns the paths of files not yet followed.
    fn look_at_known<'a>(
        &mut self,
        matches: &'a [(PathBuf, Metadata)],
    ) -> Vec<(&'a Path, &'a Metadata)> {
        let mut new = Vec::new();
        let mut elsewhere = Vec::new();
        let mut confirmed = HashSet::new();
        for (path, metadata) in matches {
            let Some(id) = self.by_node.get(&node(metadata)).copied() else {
                if self.left_out.get(path) != Some(&node(metadata)) {
                    new.push((path.as_path(), metadata));
                }
                continue;
            };
            let Some(life) = self.lives.get_mut(&id) else {
                continue;
            };
            life.walk = self.walks;
            life.leaving = None;
            if life.found == *path {
                confirmed.insert(id);
            } else {
                elsewhere.push((id, path));
            }
            if metadata.len() != life.offset || life.failing {
                self.enqueue(id);
            }
        }
        for (id, path) in elsewhere {
            // A second name of a file that still has its first one is nothing new.
            if confirmed.insert(id) {
                self.renamed(id, path);
            }
        }
        new
    }

    /// A followed file is found under another name that matches as well.
    fn renamed(&mut self, id: SourceId, path: &Path) {
        self.counters.rotated_renamed.inc();
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        if let (Some(wd), Some(name)) = (life.watch, life.path.file_name()) {
            self.watch.forget(wd, name, id);
        }
        path.clone_into(&mut life.found);
        life.path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.watch_life(id);
    }

    /// Sends off the files that were not found; returns them by the path under which they were found before.
    fn send_off(
        &mut self,
        names: &HashMap<&Path, Node>,
        failed: &[(PathBuf, io::Error)],
    ) -> HashMap<PathBuf, SourceId> {
        let mut gone = Vec::new();
        for (id, life) in &self.lives {
            // Below a directory that could not be listed nothing is known.
            let unknown = || failed.iter().any(|(path, _)| life.found.starts_with(path));
            if life.walk != self.walks && !unknown() {
                gone.push((*id, life.found.clone()));
            }
        }
        // In the order of their opening, so that of several that had one name the last one is followed by the next.
        gone.sort_unstable();
        let mut last = HashMap::new();
        for (id, found) in gone {
            if self.ensure_open(id) {
                self.leave(id, names.contains_key(found.as_path()));
                last.insert(found, id);
            }
        }
        last
    }

    /// A file was renamed. Where it came and went between two looks, it is followed under its new name to its end.
    pub(super) fn rotated_unseen(&mut self, renamed: &Renamed) {
        let Renamed { from, to, track } = renamed;
        if self.config.patterns.excludes(from) || is_compressed(from) || is_compressed(to) {
            return;
        }
        self.make_room();
        // What is gone again, or may not be read, is nothing that could be followed; unless it was only compressed.
        let opened = self.watch.look(track, Candidate::open_or_packed, |_| false);
        let Some(candidate) = opened.flatten() else {
            return;
        };
        let opened = candidate.node();
        if self.by_node.contains_key(&opened) || self.left_out.values().any(|it| *it == opened) {
            return;
        }
        let holder = std::fs::metadata(from).ok().map(|it| node(&it));
        let had_name = |life: &Life| life.found == *from && Some(life.node) != holder;
        // Between the walk of a start and the opening of what it found, a file from before may have been renamed.
        let position = match self.position_of(&candidate) {
            Some(at) => Some(at),
            None => match self.standing(&candidate, &Claims::new(), had_name) {
                Ok(Standing::At(at)) => Some(at),
                Ok(Standing::New) => None,
                Ok(Standing::Copy | Standing::Unsure) | Err(_) => return,
            },
        };
        let Ok(mut life) = candidate.into_life(from.to_owned()) else {
            return;
        };
        if let Some(at) = position {
            if life.take_up(&self.book.get(at).resume).is_err() {
                return;
            }
            self.book.take(at);
        }
        // Who has the name now was opened too early; who had it before was renamed before.
        let newer = self
            .lives
            .values()
            .filter(|life| life.found == *from && life.unannounced.is_some())
            .find(|life| Some(life.node) == holder)
            .map(|life| (life.id, life.follows));
        life.follows = match newer {
            Some((_, follows)) => follows,
            None => self
                .lives
                .values()
                .filter(|life| life.found == *from)
                .map(|life| life.id)
                .max(),
        };
        let id = self.enter(life);
        if let Some((newer, _)) = newer
            && self.lives.contains_key(&id)
            && let Some(newer) = self.lives.get_mut(&newer)
        {
            newer.follows = Some(id);
        }
    }

    /// Begins to follow a file that the walk has found. `ends`: see [`Follower::take_up`].
    fn open_new(
        &mut self,
        path: &Path,
        follows: Option<SourceId>,
        first: bool,
        ends: &HashMap<PathBuf, SourceId>,
    ) -> io::Result<()> {
        self.make_room();
        let Some(mut candidate) = Candidate::open(path)? else {
            return Ok(());
        };
        // Opened is what counts: between the walk and here the name may have come to mean another file.
        let node = candidate.node();
        if self.by_node.contains_key(&node) {
            return Ok(());
        }
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.config.patterns.excludes(&real) || is_compressed(&real) {
            self.left_out.insert(path.to_owned(), node);
            return Ok(());
        }
        // Of several positions in one file that is the latest.
        let freed = self.asked.take_freed(path, &candidate);
        let position = match &freed {
            Some(_) => None,
            None => self.position_of(&candidate),
        };
        if !first
            && position.is_none()
            && freed.is_none()
            && self.is_copy_of_followed(&candidate, &real)
        {
            tracing::info!(path = %path.display(), "left out: a copy of a file that is followed");
            self.left_out.insert(path.to_owned(), node);
            return Ok(());
        }
        let size = candidate.metadata.len();
        let follows = follows.or_else(|| ends.get(&real).copied());
        candidate.path = real;
        let mut life = candidate.into_life(path.to_owned())?;
        life.walk = self.walks;
        life.follows = follows;
        let is_backlog = first && self.is_first_start;
        if let Some(at) = position {
            life.take_up(&self.book.get(at).resume)?;
            self.book.take(at);
        } else if let Some(resume) = freed {
            life.take_up(&resume)?;
        } else if is_backlog {
            // Where other files were known before, what is unknown among them is new.
            life.start_at(self.config.start_at, size)?;
            if let Some(max) = self.config.max_backlog_bytes
                && size - life.offset > max
            {
                life.start_at(super::Start::Tail(max), size)?;
            }
            self.counters.file_bytes_skipped.add(life.offset);
            life.held = self.config.newest_first;
        } else if !self.book.of_node(node).is_empty() {
            // Emptied while nobody looked.
            life.skip_hole();
        }
        if life.follows.is_none() && first {
            life.follows = self.remainder_of(path);
        }
        let held = life.held;
        let id = self.enter(life);
        if held && self.lives.contains_key(&id) {
            self.backlog.push_back((id, size));
        }
        Ok(())
    }

    /// A remainder that was taken up and whose name is this one with something added (`0.log.20260102-030405`, `app.log.1`).
    fn remainder_of(&self, path: &Path) -> Option<SourceId> {
        let name = path.file_name()?.as_encoded_bytes();
        self.lives
            .values()
            .filter(|life| life.leaving.is_some() && life.found.parent() == path.parent())
            .find(|life| {
                life.found
                    .file_name()
                    .is_some_and(|other| other.as_encoded_bytes().starts_with(name))
            })
            .map(|life| life.id)
    }

    /// Enters a life in the books, unless it is one that is not to be read.
    pub(super) fn enter(&mut self, mut life: Life) -> SourceId {
        let id = life.id;
        if !self.introduce(&mut life) {
            return id;
        }
        let is_due = std::mem::take(&mut life.announce);
        self.by_node.insert(life.node, id);
        self.lives.insert(id, life);
        self.opened(id);
        self.watch_life(id);
        if is_due {
            self.announce(id);
        }
        self.enqueue(id);
        id
    }

    /// Watches the directory in which a file really is.
    fn watch_life(&mut self, id: SourceId) {
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        let (Some(directory), Some(name)) = (life.path.parent(), life.path.file_name()) else {
            return;
        };
        life.watch = self.watch.directory(directory, None, &self.counters);
        if let Some(wd) = life.watch {
            self.watch.name(wd, name, id);
        }
    }
}

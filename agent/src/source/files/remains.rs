//! After a restart: finds the files that were read before, whatever has been done to them meanwhile, and puts what was
//! rotated away in the order in which it was written, so that it is read before what came after it.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::candidate::Candidate;
use super::follow::Follower;
use super::life::{Leaving, Node, is_gone, node};
use super::names::{Rotated, added, is_text, sort_oldest_first};
use super::{Closed, Message, Resume, SourceId};
use crate::source::origin;

/// A directory holds no more rotated files of one log than this; of more, the newest are looked at.
const MAX_SIBLINGS: usize = 256;

/// What the first walk has found.
pub(super) struct Seen<'a> {
    /// Files that match.
    pub(super) matches: &'a [(PathBuf, Metadata)],
    /// Names of wanted inodes, whether they match or not.
    pub(super) wanted: &'a [PathBuf],
    /// Directories in which names were looked for.
    pub(super) directories: &'a [PathBuf],
}

/// A file beside a log, by its name made of it.
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) node: Node,
    rotated: Rotated,
}

impl Follower {
    /// Takes up every position whose file is no longer where it was. Returns, by the path of the log, the stream that the
    /// file which is there now goes on from.
    pub(super) fn take_up(&mut self, seen: &Seen<'_>) -> HashMap<PathBuf, SourceId> {
        let mut ends = HashMap::new();
        if self.book.left().next().is_none() {
            return ends;
        }
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let matched: HashMap<PathBuf, Node> = seen
            .matches
            .iter()
            .filter_map(|(path, metadata)| Some((real(path)?, node(metadata))))
            .collect();
        let near = seen.directories.iter().filter_map(|path| real(path)).chain(
            matched
                .keys()
                .filter_map(|path| path.parent().map(Path::to_owned)),
        );
        let mut directories: Directories = near.map(|path| (path, None)).collect();
        let mut claims = self.claim_by_node(seen, &matched);
        self.claim_by_name(&mut directories, &mut claims);

        // By the path where they were, in any order that is always the same.
        let mut logs: HashMap<PathBuf, Vec<usize>> = HashMap::new();
        for (at, resume) in self.book.left().filter(|(_, resume)| !resume.finished) {
            let path = claims.get(&at);
            let name = Path::new(&resume.name);
            let is_matched = path.is_some_and(|path| matched.contains_key(path));
            if resume.name.is_empty() {
                // Where it was is not known: the name of what it is now has to do.
                let path = path.filter(|_| !is_matched);
                logs.extend(path.map(|path| (path.clone(), vec![at])));
            } else if !(is_matched && path.is_some_and(|path| path == name)) {
                // Not where it was; or there, but what led there leads elsewhere.
                logs.entry(name.to_owned()).or_default().push(at);
            }
        }
        logs.retain(|log, _| !self.config.patterns.excludes(log));
        let mut logs: Vec<_> = logs.into_iter().collect();
        logs.sort();
        for (log, entries) in logs {
            let chain = self.chain(&log, &entries, &claims, &mut directories);
            let mut last = None;
            for (path, at) in chain {
                let is_matched = matched.contains_key(&path);
                last = self.open_member(&log, &path, at, last, is_matched).or(last);
            }
            ends.extend(last.map(|last| (log, last)));
        }
        // Whoever held something of these back waits for no more.
        let left: Vec<Resume> = self
            .book
            .left()
            .filter(|(at, resume)| {
                !resume.finished && !claims.contains_key(at) && !is_unreadable(resume)
            })
            .map(|(_, resume)| resume.clone())
            .collect();
        for resume in left {
            self.vanished(&resume);
        }
        ends
    }

    /// Files that have the device and inode of a position, and its content.
    fn claim_by_node(
        &self,
        seen: &Seen<'_>,
        matched: &HashMap<PathBuf, Node>,
    ) -> HashMap<usize, PathBuf> {
        let mut claims = HashMap::new();
        let mut looked_at = HashSet::new();
        let names = matched.keys().chain(seen.wanted).map(PathBuf::as_path);
        let own = self.book.left().map(|(_, resume)| Path::new(&resume.name));
        for path in names.chain(own) {
            let Ok(metadata) = std::fs::metadata(path) else {
                continue;
            };
            let node = node(&metadata);
            if self.book.of_node(node).is_empty() || !looked_at.insert(node) {
                continue;
            }
            if let Ok(Some(candidate)) = Candidate::open(path)
                && let Some(at) = self.position_of(&candidate)
            {
                claims.insert(at, path.to_owned());
            }
        }
        claims
    }

    /// The position that was kept for this very file.
    pub(super) fn position_of(&self, candidate: &Candidate) -> Option<usize> {
        let holds = |at: &&usize| {
            let kept = self.book.get(**at);
            let resume = &kept.resume;
            // Of one that has ended the seam says nothing more.
            let is_whole = resume.finished
                && candidate.ends_at(resume.offset)
                && resume.file.marker.fits(&candidate.head);
            !kept.taken && (is_whole || candidate.holds(resume).unwrap_or(false))
        };
        let places = self.book.of_node(candidate.node()).iter().filter(holds);
        places
            .max_by_key(|at| {
                let resume = &self.book.get(**at).resume;
                (resume.file.marker.length, resume.offset)
            })
            .copied()
    }

    /// Copies and compressed files beside the path where a position's file was.
    fn claim_by_name(&self, directories: &mut Directories, claims: &mut HashMap<usize, PathBuf>) {
        let mut claimed: HashSet<PathBuf> = claims.values().cloned().collect();
        for (at, resume) in self.book.left() {
            if claims.contains_key(&at) || resume.finished {
                continue;
            }
            // The newest first: short texts are alike.
            for sibling in siblings(Path::new(&resume.name), directories).iter().rev() {
                if claimed.contains(&sibling.path) {
                    continue;
                }
                if let Ok(Some(candidate)) = Candidate::open(&sibling.path)
                    && candidate.is_copy_of(resume, true).unwrap_or(false)
                {
                    claimed.insert(sibling.path.clone());
                    claims.insert(at, sibling.path.clone());
                    break;
                }
            }
        }
    }

    /// The files to be read before the one at `log`, the oldest first, with the positions at which they go on.
    fn chain(
        &self,
        log: &Path,
        entries: &[usize],
        claims: &HashMap<usize, PathBuf>,
        directories: &mut Directories,
    ) -> Vec<(PathBuf, Option<usize>)> {
        let by_path: HashMap<&Path, usize> = entries
            .iter()
            .filter_map(|at| Some((claims.get(at)?.as_path(), *at)))
            .collect();
        let others: HashSet<&Path> = claims
            .iter()
            .filter(|(at, _)| !entries.contains(at))
            .map(|(_, path)| path.as_path())
            .collect();
        let siblings = siblings(log, directories);
        let in_place = |path: &Path| siblings.iter().any(|sibling| sibling.path == path);
        let mut chain: Vec<(PathBuf, Option<usize>)> = by_path
            .iter()
            .filter(|(path, _)| !in_place(path))
            .map(|(path, at)| ((*path).to_owned(), Some(*at)))
            .collect();
        chain.sort();
        let kept_at = entries
            .iter()
            .filter_map(|at| self.book.get(*at).resume.at)
            .min();
        let first = siblings
            .iter()
            .position(|sibling| by_path.contains_key(sibling.path.as_path()))
            .or_else(|| {
                let kept_at = kept_at?;
                siblings
                    .iter()
                    .position(|sibling| sibling.rotated.modified > kept_at)
            });
        for sibling in first.map_or(&[][..], |first| &siblings[first..]) {
            let path = sibling.path.as_path();
            if let Some(at) = by_path.get(path) {
                chain.push((path.to_owned(), Some(*at)));
                continue;
            }
            let plain = path.with_extension("");
            let being_packed = path != plain && super::packed::is_gzip(path) && in_place(&plain);
            if !being_packed
                && !others.contains(path)
                && !self.by_node.contains_key(&sibling.node)
                && !self.is_known_text(path)
            {
                chain.push((path.to_owned(), None));
            }
        }
        chain
    }

    /// Whether the file's text was read to its end before.
    fn is_known_text(&self, path: &Path) -> bool {
        let Ok(Some(candidate)) = Candidate::open(path) else {
            // What cannot be read is left to whoever may read it.
            return true;
        };
        self.is_known(&candidate, true)
    }

    pub(super) fn is_known(&self, candidate: &Candidate, finished_only: bool) -> bool {
        self.book.of_content(&candidate.head).into_iter().any(|at| {
            let kept = self.book.get(at);
            (kept.resume.finished || !finished_only && kept.taken)
                && candidate.is_copy_of(&kept.resume, false).unwrap_or(false)
        })
    }

    /// Begins to read a rotated file of `log`, at a position from before or else at its start.
    fn open_member(
        &mut self,
        log: &Path,
        path: &Path,
        at: Option<usize>,
        follows: Option<SourceId>,
        is_matched: bool,
    ) -> Option<SourceId> {
        self.make_room();
        let candidate = Candidate::open(path).ok().flatten()?;
        if self.by_node.contains_key(&candidate.node()) {
            return None;
        }
        let found = if is_matched { path } else { log };
        let mut life = candidate.into_life(found.to_owned()).ok()?;
        if let Some(at) = at {
            let resume = self.book.get(at).resume.clone();
            life.take_up(&resume).ok()?;
            self.book.take(at);
        }
        self.counters.files_remainders.inc();
        life.walk = self.walks;
        life.follows = follows;
        let is_leaving = !is_matched || life.packed.is_some();
        if is_leaving {
            life.leaving = Some(Leaving {
                reason: Closed::Rotated,
                quiet_since: Instant::now(),
                replaced: true,
            });
        }
        let id = self.enter(life);
        if is_leaving {
            self.leave(id, true);
        }
        self.lives.contains_key(&id).then_some(id)
    }

    /// A position whose file is nowhere in sight: it was deleted, or moved elsewhere, while nobody looked.
    fn vanished(&mut self, resume: &Resume) {
        self.counters.files_vanished.inc();
        if resume.name.is_empty() {
            return;
        }
        let (origin, wrapper) =
            origin::of_file(&[PathBuf::from(&resume.name)], &self.config.docker_labels);
        let id = SourceId::next();
        self.outbox.push_back(Message::Opened {
            id,
            origin: Arc::new(origin),
            wrapper: wrapper.unwrap_or(self.config.wrapper),
            file: Some(resume.file),
            resumed: Some(resume.file),
            follows: None,
        });
        self.outbox.push_back(Message::Closed {
            id,
            reason: Closed::Vanished,
        });
    }
}

/// The names in the directories in which logs are looked for, in order, once somebody asked.
pub(super) type Directories = HashMap<PathBuf, Option<Vec<String>>>;

/// Whether the file is where it was but cannot be looked into now; then it is no other one.
fn is_unreadable(resume: &Resume) -> bool {
    let path = Path::new(&resume.name);
    match std::fs::metadata(path) {
        Ok(metadata) => {
            node(&metadata) == (resume.file.device, resume.file.inode)
                && Candidate::open(path).is_err()
        }
        Err(error) => !is_gone(&error),
    }
}

/// What rotation has made of a log, the oldest first; nothing where its directory is none in which logs are looked for.
pub(super) fn siblings(log: &Path, directories: &mut Directories) -> Vec<Sibling> {
    let (Some(directory), Some(base)) = (log.parent(), log.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    let Some(names) = directories.get_mut(directory) else {
        return Vec::new();
    };
    let names = names.get_or_insert_with(|| names_in(directory));
    let stem = match base.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => base,
    };
    let from = names.partition_point(|name| name.as_str() < stem);
    let mut siblings: Vec<Sibling> = names[from..]
        .iter()
        .take_while(|name| name.starts_with(stem))
        .filter_map(|name| {
            let added = added(base, name)?;
            let path = directory.join(name);
            if name == base || !is_text(&path) {
                return None;
            }
            let metadata = std::fs::symlink_metadata(&path).ok()?;
            metadata.is_file().then(|| Sibling {
                path,
                node: node(&metadata),
                rotated: Rotated {
                    added: added.to_owned(),
                    modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                },
            })
        })
        .collect();
    sort_oldest_first(&mut siblings, |sibling| &sibling.rotated);
    siblings.drain(..siblings.len().saturating_sub(MAX_SIBLINGS));
    siblings
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

//! After a restart: finds the files that were read before, whatever has been done to them meanwhile, and puts what was
//! rotated away in the order in which it was written, so that it is read before what came after it.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::candidate::Candidate;
use super::claims::{Claims, Standing};
use super::follow::Follower;
use super::life::{Leaving, Node, is_gone, node};
use super::packed::is_gzip;
use super::siblings::{Directories, Sibling};
use super::{Closed, Message, Resume, SourceId};
use crate::source::origin;

/// How far the times of files may be behind the clock: kernels stamp them with the time of their last tick, of which the
/// slowest have a hundred a second.
const FILE_CLOCK: Duration = Duration::from_millis(10);

/// What the first walk has found.
pub(super) struct Seen<'a> {
    /// Files that match.
    pub(super) matches: &'a [(PathBuf, Metadata)],
    /// Names of wanted inodes, whether they match or not.
    pub(super) wanted: &'a [PathBuf],
    /// Directories in which names were looked for.
    pub(super) directories: &'a [PathBuf],
}

/// What a file beside a log is to a start.
pub(super) enum Member {
    /// It is to be read, from this position on or from its start.
    Read(Box<Candidate>, Option<usize>),
    /// A copy of the log as it is, which may be emptied next.
    CopiedNow,
    /// It was read, or is read elsewhere, or cannot be read.
    Other,
}

/// What is to be read before a log.
struct Chain {
    /// The oldest first, each with the position at which it goes on.
    members: Vec<(Candidate, Option<usize>)>,
    /// What was looked at for it.
    beside: Vec<Sibling>,
    /// The times of the last writes of copies that are left to the log.
    left: Vec<SystemTime>,
}

/// What was found out about the positions from before.
#[derive(Default)]
pub(super) struct TakenUp {
    /// By the path of the log, the stream that the file which is there now goes on from.
    pub(super) ends: HashMap<PathBuf, SourceId>,
    /// By the path of the log, what was beside it before it was opened.
    beside: Vec<(PathBuf, Vec<Sibling>)>,
    /// Positions whose files are where they were: they are to be opened with everything else that the walk has found.
    in_place: Vec<usize>,
    /// Positions whose files are nowhere.
    nowhere: Vec<usize>,
}

impl Follower {
    /// Takes up every position whose file is no longer where it was.
    pub(super) fn take_up(&mut self, seen: &Seen<'_>) -> TakenUp {
        let mut taken = TakenUp::default();
        if self.book.left().next().is_none() {
            return taken;
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
        let mut directories = Directories::new(near);
        let mut claims = self.claim_by_node(seen, &matched);
        self.claim_by_name(&mut directories, &mut claims);

        // By the path where they were, in any order that is always the same.
        let mut logs: HashMap<PathBuf, Vec<usize>> = HashMap::new();
        for (at, resume) in self.book.left().filter(|(_, resume)| !resume.finished) {
            let path = claims.get(&at).map(|claim| claim.path.clone());
            let name = Path::new(&resume.name);
            let is_matched = path.as_ref().is_some_and(|path| matched.contains_key(path));
            if resume.name.is_empty() {
                // Where it was is not known: the name of what it is now has to do.
                logs.extend(path.filter(|_| !is_matched).map(|path| (path, vec![at])));
            } else if is_matched && path.is_some_and(|path| path == name) {
                taken.in_place.push(at);
            } else {
                // Not where it was; or there, but what led there leads elsewhere.
                logs.entry(name.to_owned()).or_default().push(at);
            }
        }
        self.add_ended(&mut logs);
        logs.retain(|log, _| !self.config.patterns.excludes(log));
        let mut logs: Vec<_> = logs.into_iter().collect();
        logs.sort();
        for (log, entries) in logs {
            let chain = self.chain(&log, &entries, &mut claims, &mut directories);
            let left = chain.left.into_iter().map(|at| (log.clone(), at));
            self.copies_left.extend(left);
            let mut last = None;
            for (candidate, at) in chain.members {
                let is_matched = matched.contains_key(&candidate.path);
                last = self
                    .open_member(&log, candidate, at, last, is_matched)
                    .or(last);
            }
            taken.ends.extend(last.map(|last| (log.clone(), last)));
            if log.parent().is_some_and(|it| directories.contains(it)) {
                taken.beside.push((log, chain.beside));
            }
        }
        let nowhere = self.book.left().filter(|(at, resume)| {
            !resume.finished && !claims.contains_key(at) && !is_unreadable(resume)
        });
        taken.nowhere = nowhere.map(|(at, _)| at).collect();
        taken
    }

    /// Logs of which all that is known was read to its end: what was written and rotated since is new.
    fn add_ended(&self, logs: &mut HashMap<PathBuf, Vec<usize>>) {
        let open: HashSet<&str> = self
            .book
            .left()
            .filter(|(_, resume)| !resume.finished)
            .map(|(_, resume)| resume.name.as_str())
            .collect();
        for (at, resume) in self.book.left().filter(|(_, resume)| resume.finished) {
            if !resume.name.is_empty() && !open.contains(resume.name.as_str()) {
                logs.entry(PathBuf::from(&resume.name))
                    .or_default()
                    .push(at);
            }
        }
    }

    /// After the files that the walk has found were opened: what came to lie beside them since what was there was looked at.
    /// A log may have been copied and emptied meanwhile: then it was opened without what only the copy holds.
    pub(super) fn take_up_since(&mut self, taken: &mut TakenUp, matched: &HashMap<&Path, Node>) {
        let near = taken.beside.iter();
        let mut directories =
            Directories::new(near.filter_map(|(log, _)| Some(log.parent()?.to_owned())));
        for (log, before) in std::mem::take(&mut taken.beside) {
            let siblings = directories.siblings(&log, &mut self.watch, &self.counters);
            let was_there = |sibling: &Sibling| {
                before.iter().any(|known| {
                    // A compressed file keeps the time of its original; inodes are used again.
                    known.rotated.modified == sibling.rotated.modified
                        && (known.node == sibling.node || is_gzip(&sibling.path))
                })
            };
            let from = siblings.iter().rposition(was_there).map_or(0, |at| at + 1);
            let mut last = taken.ends.get(&log).copied();
            for sibling in &siblings[from..] {
                let plain = sibling.path.with_extension("");
                let being_packed =
                    is_gzip(&sibling.path) && siblings.iter().any(|it| it.path == plain);
                if being_packed {
                    continue;
                }
                let member = self.member(&log, sibling, &[], &Claims::new());
                if matches!(member, Member::CopiedNow) {
                    let modified = sibling.rotated.modified;
                    self.copies_left.push((log.clone(), modified));
                }
                if let Member::Read(candidate, at) = member {
                    let modified = sibling.rotated.modified;
                    self.copies_read.push((log.clone(), modified));
                    let is_matched = matched.contains_key(candidate.path.as_path());
                    last = self
                        .open_member(&log, *candidate, at, last, is_matched)
                        .or(last);
                }
            }
            taken.ends.extend(last.map(|last| (log, last)));
        }
    }

    /// After the files that the walk has found were opened: whether all was where it was found. If not, names have changed
    /// meanwhile, and it is to be looked for once more.
    pub(super) fn is_settled(&self, taken: &TakenUp) -> bool {
        taken.in_place.iter().all(|at| self.book.get(*at).taken)
    }

    /// Tells of the positions that were not found. Whoever held something of these back waits for no more.
    pub(super) fn tell_vanished(&mut self, taken: &TakenUp) {
        for at in &taken.nowhere {
            let kept = self.book.get(*at);
            if !kept.taken {
                let resume = kept.resume.clone();
                self.vanished(&resume);
            }
        }
    }

    /// The files to be read before the one at `log`, the oldest first, with the positions at which they go on. They are open
    /// from here on, whatever becomes of their names.
    fn chain(
        &mut self,
        log: &Path,
        entries: &[usize],
        claims: &mut Claims,
        directories: &mut Directories,
    ) -> Chain {
        let by_path: HashMap<PathBuf, usize> = entries
            .iter()
            .filter_map(|at| Some((claims.get(at)?.path.clone(), *at)))
            .collect();
        let others: HashSet<Node> = claims
            .iter()
            .filter(|(at, _)| !entries.contains(at))
            .map(|(_, claim)| claim.node)
            .collect();
        let mut siblings = directories.siblings(log, &mut self.watch, &self.counters);
        let in_place = |path: &Path| siblings.iter().any(|sibling| sibling.path == path);
        // By what it is: its name may have become another one's since.
        let claimed: HashMap<Node, usize> = entries
            .iter()
            .filter_map(|at| Some((claims.get(at)?.node, *at)))
            .collect();
        let is_here = |at: &usize| {
            let of = |sibling: &Sibling| claimed.get(&sibling.node) == Some(at);
            siblings.iter().any(of)
        };
        let mut elsewhere: Vec<_> = by_path.iter().filter(|(_, at)| !is_here(at)).collect();
        elsewhere.sort();
        let (mut chain, mut left, mut looked_at) = (Vec::new(), Vec::new(), siblings.len());
        for (_, at) in elsewhere {
            chain.extend(self.open_claimed(*at, claims).map(|file| (file, Some(*at))));
        }
        let place = |at: &usize| self.watch.last_place(&claims.get(at)?.track);
        let places = entries.iter().filter_map(place).collect();
        let first = self.first_unread(&siblings, entries, &places, &claimed);
        for (place, sibling) in siblings.iter().enumerate().skip(first) {
            let path = sibling.path.as_path();
            if let Some(at) = claimed.get(&sibling.node) {
                let file = self.open_claimed(*at, claims).or_else(|| {
                    let opened = sibling.open(&mut self.watch)?;
                    (self.position_of(&opened) == Some(*at)).then_some(opened)
                });
                chain.extend(file.map(|file| (file, Some(*at))));
                continue;
            }
            let plain = path.with_extension("");
            let being_packed = path != plain && is_gzip(path) && in_place(&plain);
            if being_packed || others.contains(&sibling.node) {
                continue;
            }
            match self.member(log, sibling, &chain, claims) {
                Member::Read(candidate, at) => chain.push((*candidate, at)),
                Member::CopiedNow => {
                    looked_at = looked_at.min(place);
                    left.push(sibling.rotated.modified);
                }
                Member::Other => {}
            }
        }
        siblings.truncate(looked_at);
        Chain {
            members: chain,
            beside: siblings,
            left,
        }
    }

    /// What the file beside a log is, `chain` being what is read of that log already.
    pub(super) fn member(
        &mut self,
        log: &Path,
        sibling: &Sibling,
        chain: &[(Candidate, Option<usize>)],
        claims: &Claims,
    ) -> Member {
        if self.by_node.contains_key(&sibling.node) {
            return Member::Other;
        }
        // What cannot be read is left to whoever may read it.
        let Some(candidate) = sibling.open(&mut self.watch) else {
            return Member::Other;
        };
        let node = candidate.node();
        if self.by_node.contains_key(&node) || chain.iter().any(|(it, _)| it.node() == node) {
            return Member::Other;
        }
        let standing = match self.position_of(&candidate) {
            Some(at) if self.book.get(at).resume.finished => Standing::Copy,
            // Renamed since it was found elsewhere.
            Some(at) => Standing::At(at),
            None => self
                .standing(&candidate, claims, |life| life.found == log)
                .unwrap_or(Standing::Copy),
        };
        // Copied, and not emptied yet: if that comes before it is read, the copy is found then.
        let is_copied_now = || {
            let at_log = Candidate::open(log).ok().flatten();
            at_log
                .is_some_and(|it| it.node() != node && it.begins_with(&candidate).unwrap_or(false))
        };
        match standing {
            Standing::At(at) if chain.iter().all(|(_, taken)| *taken != Some(at)) => {
                Member::Read(Box::new(candidate), Some(at))
            }
            Standing::New if is_copied_now() => Member::CopiedNow,
            Standing::New => Member::Read(Box::new(candidate), None),
            Standing::At(_) | Standing::Copy | Standing::Unsure => Member::Other,
        }
    }

    /// Which of the files beside a log is the first one that was not read to its end: the one with the oldest of these
    /// positions; where none is left, what comes after the newest text that is known; else what was written since.
    fn first_unread(
        &mut self,
        siblings: &[Sibling],
        entries: &[usize],
        places: &HashSet<PathBuf>,
        claimed: &HashMap<Node, usize>,
    ) -> usize {
        // Wherever it has gone since, or compressed.
        let is_claimed = |sibling: &Sibling| {
            let place = self.watch.last_place(&sibling.track);
            let is_of_one = |place: PathBuf| {
                places.contains(&place)
                    || is_gzip(&place) && places.contains(&place.with_extension(""))
            };
            claimed.contains_key(&sibling.node) || place.is_some_and(is_of_one)
        };
        if let Some(first) = siblings.iter().position(is_claimed) {
            return first;
        }
        let mut entered = entries.iter();
        let all_ended = entered.all(|at| self.book.get(*at).resume.finished);
        if all_ended {
            let is_known = |sibling: &Sibling| {
                let opened = sibling.open(&mut self.watch);
                opened.is_some_and(|candidate| self.is_known(&candidate))
            };
            if let Some(newest) = siblings.iter().rposition(is_known) {
                return newest + 1;
            }
        }
        let kept_at = |at: &usize| self.book.get(*at).resume.at;
        let kept_at = if all_ended {
            entries.iter().filter_map(kept_at).max()
        } else {
            entries.iter().filter_map(kept_at).min()
        };
        kept_at
            .and_then(|kept_at| {
                siblings
                    .iter()
                    .position(|sibling| sibling.rotated.modified + FILE_CLOCK > kept_at)
            })
            .unwrap_or(siblings.len())
    }

    /// Begins to read a rotated file of `log`, at a position from before or else at its start.
    fn open_member(
        &mut self,
        log: &Path,
        candidate: Candidate,
        at: Option<usize>,
        follows: Option<SourceId>,
        is_matched: bool,
    ) -> Option<SourceId> {
        self.make_room();
        if self.by_node.contains_key(&candidate.node()) {
            return None;
        }
        let found = if is_matched { &candidate.path } else { log }.to_owned();
        let mut life = candidate.into_life(found).ok()?;
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
        let path = [PathBuf::from(&resume.name)];
        let mut told = origin::of_file(&path, &self.config.docker_labels);
        self.describe(&mut told.origin, &told.switches);
        let id = SourceId::next();
        self.outbox.push_back(Message::Opened {
            id,
            origin: Arc::new(told.origin),
            wrapper: told.wrapper.unwrap_or(self.config.wrapper),
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

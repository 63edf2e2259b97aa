//! Which file is which: what is there, held against the positions that are known.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::candidate::Candidate;
use super::follow::Follower;
use super::life::{Life, Node, node, read_at};
use super::moment::moment;
use super::packed::packed_name;
use super::places::Track;
use super::remains::Seen;
use super::siblings::Directories;
use super::watch::Watch;
use super::{Identity, Marker, Resume};

/// Where the file of a position is.
pub(super) struct Claim {
    pub(super) path: PathBuf,
    /// The file itself, where it is not the one that the walk finds: its name may be another one soon, or none.
    held: Option<Candidate>,
    pub(super) node: Node,
    /// Where it has gone since.
    pub(super) track: Track,
}

impl Claim {
    fn of(candidate: Candidate, is_held: bool, track: Track) -> Self {
        Self {
            path: candidate.path.clone(),
            node: candidate.node(),
            held: is_held.then_some(candidate),
            track,
        }
    }

    /// Whether the file is still there.
    fn stands(&self, watch: &Watch) -> bool {
        let place = || watch.last_place(&self.track);
        let is_it = |path: PathBuf| std::fs::metadata(path).is_ok_and(|it| node(&it) == self.node);
        self.held.is_some() || place().is_some_and(is_it)
    }
}

/// By position.
pub(super) type Claims = HashMap<usize, Claim>;

/// What a file is to the positions and the files that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is read on from this position.
    At(usize),
    /// Its text is read, or was read, from another file.
    Copy,
    /// It is still being written: what it is shows later.
    Unsure,
    /// Nobody knows it.
    New,
}

impl Follower {
    /// Files that have the device and inode of a position, and its content.
    pub(super) fn claim_by_node(
        &mut self,
        seen: &Seen<'_>,
        matched: &HashMap<PathBuf, Node>,
    ) -> Claims {
        let mut claims = Claims::new();
        let mut looked_at = HashSet::new();
        let names = matched.keys().chain(seen.wanted).map(PathBuf::as_path);
        let own: Vec<_> = self
            .book
            .left()
            .map(|(_, resume)| PathBuf::from(&resume.name))
            .collect();
        let own = own.iter().map(PathBuf::as_path);
        let mut may_hold = self.config.max_open_files / 2;
        for path in names.chain(own) {
            moment();
            let Ok(metadata) = std::fs::metadata(path) else {
                continue;
            };
            let node = node(&metadata);
            if self.book.of_node(node).is_empty() || !looked_at.insert(node) {
                continue;
            }
            let track = self.watch.track_from_now(path, &self.counters);
            let opened = self.watch.look(&track, Candidate::open, |_| false);
            if let Some(Ok(Some(candidate))) = opened
                && let Some(at) = self.position_of(&candidate)
            {
                let resume = &self.book.get(at).resume;
                let is_in_place = matched.contains_key(path) && path == Path::new(&resume.name);
                let is_held = !is_in_place && !resume.finished && may_hold > 0;
                may_hold -= usize::from(is_held);
                claims.insert(at, Claim::of(candidate, is_held, track));
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
    pub(super) fn claim_by_name(&mut self, directories: &mut Directories, claims: &mut Claims) {
        // By what they are: names may have become those of other files since.
        let mut claimed: HashSet<Node> = claims.values().map(|claim| claim.node).collect();
        for (at, resume) in self.book.left() {
            if claims.contains_key(&at) || resume.finished {
                continue;
            }
            let mut unsure = None;
            // The newest first: short texts are alike.
            let name = Path::new(&resume.name);
            let siblings = directories.siblings(name, &mut self.watch, &self.counters);
            for sibling in siblings.iter().rev() {
                let Some(candidate) = sibling.open(&mut self.watch) else {
                    continue;
                };
                if claimed.contains(&candidate.node()) {
                    continue;
                }
                match candidate.is_copy_of(resume, true) {
                    Ok(true) => {
                        unsure = Some((candidate, sibling.track.clone()));
                        break;
                    }
                    // It is still being written: the rest will come.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        unsure.get_or_insert((candidate, sibling.track.clone()));
                    }
                    _ => {}
                }
            }
            if let Some((candidate, track)) = unsure {
                claimed.insert(candidate.node());
                claims.insert(at, Claim::of(candidate, false, track));
            }
        }
    }

    /// The file of a claim, if it still is the one.
    pub(super) fn open_claimed(&mut self, at: usize, claims: &mut Claims) -> Option<Candidate> {
        let claim = claims.get_mut(&at)?;
        if let Some(held) = claim.held.take() {
            return Some(held);
        }
        let look = Candidate::open_or_packed;
        let candidate = self.watch.look(&claim.track, look, |_| false)??;
        let is_same = self.position_of(&candidate) == Some(at)
            || match candidate.is_copy_of(&self.book.get(at).resume, true) {
                Ok(is_copy) => is_copy,
                Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
            };
        is_same.then_some(candidate)
    }

    /// Whether the text was read to its end before.
    pub(super) fn is_known(&self, candidate: &Candidate) -> bool {
        self.book.of_content(&candidate.head).into_iter().any(|at| {
            let resume = &self.book.get(at).resume;
            resume.finished && candidate.is_copy_of(resume, false).unwrap_or(false)
        })
    }

    /// What a file is of which device and inode say nothing. `claims`: positions that have their files; `may_be_of`: which
    /// followed files it may have been made of, beside the one whose name it has.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn standing(
        &self,
        candidate: &Candidate,
        claims: &Claims,
        may_be_of: impl Fn(&Life) -> bool,
    ) -> io::Result<Standing> {
        let mut found = Standing::New;
        for at in self.book.of_content(&candidate.head) {
            let kept = self.book.get(at);
            let claim = claims.get(&at).filter(|claim| claim.stands(&self.watch));
            let is_free = !kept.taken && !kept.resume.finished && claim.is_none();
            let related = match claim {
                Some(claim) => packed_name(&claim.path) == candidate.path,
                None => is_free && candidate.is_made_of(Path::new(&kept.resume.name)),
            };
            match candidate.is_copy_of(&kept.resume, related) {
                Ok(true) if is_free => found = Standing::At(at),
                Ok(true) => return Ok(Standing::Copy),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Standing::Unsure);
                }
                Err(error) => return Err(error),
            }
        }
        if found != Standing::New || !candidate.is_packed() {
            return Ok(found);
        }
        for life in self.lives.values() {
            let related = packed_name(&life.path) == candidate.path || may_be_of(life);
            // Compressed before its turn, it holds more than is known of it.
            let known = [Some(life.position(false)), life.rotated_whole()?];
            for known in known.iter().flatten() {
                match candidate.is_copy_of(known, related) {
                    Ok(true) => return Ok(Standing::Copy),
                    Ok(false) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Ok(Standing::Unsure);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found)
    }
}

impl Life {
    /// All that it holds by now, read or not, where its name is no longer its own: what a compressed file is made of.
    pub(super) fn rotated_whole(&self) -> io::Result<Option<Resume>> {
        let Some(file) = self.file.as_ref().filter(|_| self.packed.is_none()) else {
            return Ok(None);
        };
        if std::fs::metadata(&self.path).is_ok_and(|it| node(&it) == self.node) {
            return Ok(None);
        }
        let size = file.metadata()?.len();
        let before = size.saturating_sub(Marker::SEAM as u64);
        let file_now = Identity {
            marker: self.marker_now()?,
            ..self.identity
        };
        Ok(Some(Resume {
            seam: Some(Marker::before(&read_at(
                file,
                before,
                (size - before) as usize,
            )?)),
            ..Resume::new(file_now, size)
        }))
    }

    /// What it begins with by now; the marker that it has is as old as its last turn.
    pub(super) fn marker_now(&self) -> io::Result<Marker> {
        match &self.file {
            Some(file) if self.packed.is_none() => Ok(Marker::of(&read_at(file, 0, Marker::MAX)?)),
            _ => Ok(self.identity.marker),
        }
    }
}

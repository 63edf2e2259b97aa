//! Compressed files that the patterns name: each text once, and none that was read before it was compressed.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::candidate::Candidate;
use super::claims::{Claims, Standing};
use super::follow::Follower;
use super::life::Leaving;
use super::names::added;
use super::{Closed, Marker, Start};

impl Follower {
    /// Begins to read a compressed file, unless its text is known. False when it has to be looked at again.
    pub(super) fn open_packed(&mut self, path: &Path, first: bool) -> io::Result<bool> {
        self.make_room();
        let Some(candidate) = Candidate::open(path)? else {
            return Ok(true);
        };
        if self.by_node.contains_key(&candidate.node()) {
            return Ok(true);
        }
        let position = match self.standing(&candidate, &Claims::new(), |_| false)? {
            Standing::At(at) => Some(at),
            Standing::New => None,
            Standing::Copy => return Ok(true),
            Standing::Unsure => return Ok(false),
        };
        let length = u64::from(candidate.packed.unwrap_or_default());
        let mut life = candidate.into_life(path.to_owned())?;
        if let Some(at) = position {
            life.take_up(&self.book.get(at).resume)?;
            self.book.take(at);
        } else if let Some(max) = self.config.max_backlog_bytes
            && first
            && self.is_first_start
            && length > max
        {
            life.start_at(Start::Tail(max), length)?;
            self.counters.file_bytes_skipped.add(life.offset);
        }
        life.leaving = Some(Leaving {
            reason: Closed::Rotated,
            quiet_since: Instant::now(),
            replaced: true,
        });
        let id = self.enter(life);
        self.leave(id, true);
        Ok(true)
    }

    /// Whether a file that has appeared is what a rotation by copying has made of one that is followed: its original has its
    /// bytes already, and if it is emptied before they are read, they are looked for in the copy.
    pub(super) fn is_copy_of_followed(&self, candidate: &Candidate, real: &Path) -> bool {
        let name = |path: &Path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        };
        let marker = Marker::of(&candidate.head);
        usize::from(marker.length) == Marker::MAX
            && self.lives.values().any(|life| {
                life.leaving.is_none()
                    && life.path.parent() == real.parent()
                    && name(&life.path)
                        .zip(name(real))
                        .is_some_and(|(base, name)| added(&base, &name).is_some())
                    && (life.identity.marker == marker
                        || life.marker_now().is_ok_and(|it| it == marker))
                    // While it is still being copied, its end tells nothing yet.
                    && (candidate.metadata.len() < life.offset
                        || candidate.holds(&life.position(false)).unwrap_or(false))
            })
    }
}

//! The ends of files: emptied in place, renamed away, deleted.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::candidate::Candidate;
use super::follow::Follower;
use super::life::{Leaving, Life};
use super::siblings::Directories;
use super::{Closed, SourceId};

/// A file that was renamed and has no successor is kept so long without a new byte.
const KEEP_WITHOUT_SUCCESSOR: Duration = Duration::from_secs(3600);

/// File systems keep the times of writes by a clock that is a little behind.
const CLOCK_STEP: Duration = Duration::from_millis(20);

/// A compressed file that ends in the middle may go on for so long.
const CUT_WAITS: Duration = Duration::from_secs(1);

impl Follower {
    /// A file was emptied or written anew: its life ends, and another one begins in the same descriptor. Where a copy was made
    /// before, it holds what was not read in time.
    pub(super) fn begin_anew(&mut self, id: SourceId) {
        let copy = self.copy_beside(id);
        let Some(old) = self.lives.get_mut(&id) else {
            return;
        };
        let (found, path, walk) = (old.found.clone(), old.path.clone(), old.walk);
        let leaving = old.leaving.take();
        let Some(file) = old.file.take() else { return };
        self.open_files -= 1;
        // Of an emptied one that nobody has read, what goes before it is what went before that.
        let follows = match (&copy, &old.unannounced) {
            (Some(_), _) => Some(id),
            (None, unannounced) => old.follows.filter(|_| unannounced.is_some()),
        };
        match copy {
            Some(copy) => self.go_on_in_copy(id, copy),
            None => self.finish(id, Closed::Truncated),
        }
        let begun = file
            .metadata()
            .and_then(|metadata| Life::begin(file, &metadata, found, path));
        match begun {
            Ok(mut life) => {
                life.walk = walk;
                life.leaving = leaving;
                life.follows = follows;
                life.skip_hole();
                self.enter(life);
            }
            Err(error) => {
                // The next rescan finds it as a new file.
                self.counters.file_errors.inc();
                tracing::warn!(%error, "a truncated file cannot be read from its start now; it is tried again");
                self.names_changed = true;
            }
        }
    }

    /// The copy of a file that was emptied, if it holds more than was read.
    fn copy_beside(&mut self, id: SourceId) -> Option<Candidate> {
        let life = self.lives.get(&id)?;
        let position = life.position(false);
        let near = life.path.parent()?.to_owned();
        let siblings =
            Directories::new([near]).siblings(&life.path, &mut self.watch, &self.counters);
        siblings
            .iter()
            .rev()
            .filter(|sibling| !self.by_node.contains_key(&sibling.node))
            .filter_map(|sibling| sibling.open(&mut self.watch))
            .find(|copy| {
                // What was there before began as this one did, perhaps, but is no copy of it.
                let is_new = copy.metadata.modified().is_ok_and(|modified| {
                    let is_of = |known: &[(PathBuf, SystemTime)]| {
                        let mut known = known.iter();
                        known.any(|(log, at)| *log == life.path && *at == modified)
                    };
                    !is_of(&self.copies_read)
                        && (modified + CLOCK_STEP >= life.since || is_of(&self.copies_left))
                });
                is_new
                    && !copy.ends_at(position.offset)
                    && copy.is_copy_of(&position, true).unwrap_or(false)
            })
    }

    fn go_on_in_copy(&mut self, id: SourceId, copy: Candidate) {
        let Some(old) = self.lives.get_mut(&id) else {
            return;
        };
        if let (Some(wd), Some(name)) = (old.watch.take(), old.path.file_name()) {
            self.watch.forget(wd, name, id);
        }
        self.by_node.remove(&old.node);
        self.by_node.insert(copy.node(), id);
        if let Err(error) = old.go_on_in(copy) {
            self.read_failed(id, &error);
            return;
        }
        old.leaving = Some(Leaving {
            reason: Closed::Truncated,
            quiet_since: Instant::now(),
            replaced: true,
        });
        self.opened(id);
        self.counters.files_remainders.inc();
        self.next_leaving_check.get_or_insert(Instant::now());
        self.enqueue(id);
    }

    /// Looks at the files on their way out: those that have grown get a turn, those that are done are closed.
    pub(super) fn check_leaving(&mut self, now: Instant) {
        let linger = self.config.linger;
        let mut grown = Vec::new();
        let mut done = Vec::new();
        let mut look_again = false;
        for (id, life) in &mut self.lives {
            let Some(Leaving {
                reason,
                quiet_since,
                replaced,
            }) = &mut life.leaving
            else {
                continue;
            };
            let Some(Ok(metadata)) = life.file.as_ref().map(std::fs::File::metadata) else {
                // What cannot be read is tried again in each rescan.
                if !life.failing {
                    grown.push(*id);
                }
                continue;
            };
            if let Some(packed) = &life.packed {
                // It leaves at its end by itself, unless it ends too early.
                let quiet = now.saturating_duration_since(*quiet_since);
                look_again = true;
                if packed.cut && packed.size != metadata.len() {
                    *quiet_since = now;
                    life.file = None;
                    self.open_files -= 1;
                    grown.push(*id);
                } else if packed.cut && quiet >= linger.max(CUT_WAITS) {
                    self.counters.file_errors.inc();
                    tracing::warn!(path = %life.path.display(), "a compressed file ends in the middle");
                    done.push((*id, Closed::Failed));
                } else if !packed.cut {
                    grown.push(*id);
                }
                continue;
            }
            if metadata.nlink() == 0 {
                *reason = Closed::Deleted;
                *replaced = true;
            }
            let quiet = now.saturating_duration_since(*quiet_since);
            if metadata.len() != life.offset || !life.at_end {
                *quiet_since = now;
                grown.push(*id);
                look_again = true;
            } else if quiet
                >= if *replaced {
                    linger
                } else {
                    KEEP_WITHOUT_SUCCESSOR
                }
            {
                done.push((*id, *reason));
            } else {
                look_again |= *replaced || quiet < linger;
            }
        }
        for id in grown {
            self.enqueue(id);
        }
        for (id, reason) in done {
            self.finish(id, reason);
        }
        let pause = (linger / 4).clamp(Duration::from_millis(5), Duration::from_millis(250));
        self.next_leaving_check = look_again.then(|| now + pause);
    }

    /// A file is no longer found by the walk.
    pub(super) fn leave(&mut self, id: SourceId, replaced: bool) {
        let now = Instant::now();
        let Some(life) = self.lives.get_mut(&id) else {
            return;
        };
        match &mut life.leaving {
            Some(leaving) => leaving.replaced |= replaced,
            none => {
                *none = Some(Leaving {
                    reason: Closed::Rotated,
                    quiet_since: now,
                    replaced,
                });
                // What it holds now is read before its successor.
                self.enqueue(id);
            }
        }
        self.next_leaving_check.get_or_insert(now);
    }
}

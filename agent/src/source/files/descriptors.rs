//! Open descriptors are few: files that are read to their end give theirs back, and get another one when they grow.

use super::follow::Follower;
use super::{Closed, SourceId};

impl Follower {
    /// Makes sure that a file's descriptor is open. False when it is not to be had, now or ever.
    pub(super) fn ensure_open(&mut self, id: SourceId) -> bool {
        match self.lives.get(&id) {
            None => return false,
            Some(life) if life.file.is_some() => return true,
            Some(_) => {}
        }
        self.make_room();
        let Some(life) = self.lives.get_mut(&id) else {
            return false;
        };
        let before = life.node;
        match life.reopen() {
            Ok(true) => {
                let now = life.node;
                if now != before {
                    // It goes on in its compressed copy.
                    if self.by_node.get(&before) == Some(&id) {
                        self.by_node.remove(&before);
                    }
                    self.by_node.insert(now, id);
                }
                self.opened(id);
                true
            }
            Ok(false) => {
                // A write since the last look would have been told by its watch.
                let complete = life.at_end && life.watch.is_some();
                if !complete {
                    tracing::warn!(
                        path = %life.path.display(),
                        "a file was replaced or deleted while its descriptor was given back: its last lines may be missing"
                    );
                }
                self.names_changed = true;
                self.finish(
                    id,
                    if complete {
                        Closed::Deleted
                    } else {
                        Closed::Vanished
                    },
                );
                false
            }
            Err(error) => {
                self.read_failed(id, &error);
                false
            }
        }
    }

    /// Enters a fresh descriptor in the books.
    pub(super) fn opened(&mut self, id: SourceId) {
        self.open_files += 1;
        self.open.push_back(id);
        self.counters.files_open.set(self.open_files as u64);
    }

    /// Gives back descriptors of files that are read to their end, then of any that can be found again by their name.
    pub(super) fn make_room(&mut self) {
        for only_idle in [true, false] {
            for _ in 0..self.open.len() {
                if self.open_files < self.config.max_open_files {
                    return;
                }
                let Some(id) = self.open.pop_front() else {
                    return;
                };
                let Some(life) = self.lives.get_mut(&id) else {
                    continue;
                };
                if life.file.is_none() {
                    continue;
                }
                if life.leaving.is_some() || (only_idle && !life.at_end) {
                    self.open.push_back(id);
                    continue;
                }
                life.file = None;
                self.open_files -= 1;
            }
        }
    }
}

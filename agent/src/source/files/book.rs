//! The positions that are known: from before the start, and of files that have ended since. Files answer to them by device
//! and inode, copies and compressed ones by what they begin with.

use std::collections::{HashMap, HashSet};

use super::life::Node;
use super::{Identity, Marker, Resume};

/// Files that ended in this process are remembered up to so many.
const MAX_ENDED: usize = 10_000;

/// A position.
pub(super) struct Kept {
    pub(super) resume: Resume,
    /// A file has taken it up, or none will.
    pub(super) taken: bool,
}

#[derive(Default)]
pub(super) struct Book {
    kept: Vec<Kept>,
    by_node: HashMap<Node, Vec<usize>>,
    by_marker: HashMap<Marker, Vec<usize>>,
    /// Lengths of the markers, and how many there are of each.
    lengths: HashMap<u16, usize>,
    /// Where those of this process begin, and the place of the next one.
    ended_from: usize,
    ended_next: usize,
}

impl Book {
    pub(super) fn new(resume: Vec<Resume>) -> Self {
        let mut book = Self::default();
        for resume in resume {
            let node = node_of(&resume.file);
            book.by_node.entry(node).or_default().push(book.kept.len());
            book.push(resume, false);
        }
        book.ended_from = book.kept.len();
        book.ended_next = book.ended_from;
        book
    }

    fn push(&mut self, resume: Resume, taken: bool) {
        self.index(self.kept.len(), resume.file.marker);
        self.kept.push(Kept { resume, taken });
    }

    fn index(&mut self, at: usize, marker: Marker) {
        self.by_marker.entry(marker).or_default().push(at);
        *self.lengths.entry(marker.length).or_default() += 1;
    }

    /// A file of this process has been read to its end.
    pub(super) fn ended(&mut self, resume: Resume) {
        // Nothing can be told by no content.
        if resume.file.marker.length == 0 {
            return;
        }
        if self.kept.len() < self.ended_from + MAX_ENDED {
            self.push(resume, true);
            return;
        }
        let at = self.ended_next;
        let old = self.kept[at].resume.file.marker;
        if let Some(places) = self.by_marker.get_mut(&old) {
            places.retain(|place| *place != at);
            if places.is_empty() {
                self.by_marker.remove(&old);
            }
        }
        if let Some(count) = self.lengths.get_mut(&old.length) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&old.length);
            }
        }
        self.index(at, resume.file.marker);
        self.kept[at] = Kept {
            resume,
            taken: true,
        };
        self.ended_next = self.ended_from + (at + 1 - self.ended_from) % MAX_ENDED;
    }

    /// The inodes of all positions from before.
    pub(super) fn inodes(&self) -> HashSet<u64> {
        self.by_node.keys().map(|(_, inode)| *inode).collect()
    }

    /// The positions from before that were kept for this device and inode.
    pub(super) fn of_node(&self, node: Node) -> &[usize] {
        self.by_node.get(&node).map_or(&[], Vec::as_slice)
    }

    /// All positions in files that began as `head` does, those with the longest marker first.
    pub(super) fn of_content(&self, head: &[u8]) -> Vec<usize> {
        let mut lengths: Vec<u16> = self
            .lengths
            .keys()
            .copied()
            .filter(|length| *length > 0 && usize::from(*length) <= head.len())
            .collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        let markers = lengths
            .into_iter()
            .map(|length| Marker::of(&head[..usize::from(length)]));
        markers
            .filter_map(|marker| self.by_marker.get(&marker))
            .flatten()
            .copied()
            .collect()
    }

    pub(super) fn get(&self, at: usize) -> &Kept {
        &self.kept[at]
    }

    pub(super) fn take(&mut self, at: usize) {
        self.kept[at].taken = true;
    }

    /// The positions from before that no file has taken up.
    pub(super) fn left(&self) -> impl Iterator<Item = (usize, &Resume)> {
        self.kept
            .iter()
            .enumerate()
            .filter(|(_, kept)| !kept.taken)
            .map(|(at, kept)| (at, &kept.resume))
    }
}

fn node_of(file: &Identity) -> Node {
    (file.device, file.inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resume(number: usize) -> Resume {
        let file = Identity {
            device: 1,
            inode: number as u64,
            marker: Marker::of(format!("file {number}\n").as_bytes()),
        };
        Resume::new(file, 1)
    }

    #[test]
    fn files_that_ended_are_remembered_up_to_a_bound_and_those_from_before_always() {
        let mut book = Book::new(vec![resume(0)]);
        for number in 1..=MAX_ENDED + 5 {
            book.ended(resume(number));
        }
        let known = |number: usize| book.of_content(format!("file {number}\nmore").as_bytes());
        assert_eq!(known(0), [0]);
        assert_eq!((known(1), known(5)), (vec![], vec![]));
        assert_eq!((known(6).len(), known(MAX_ENDED + 5).len()), (1, 1));
        assert_eq!(book.kept.len(), 1 + MAX_ENDED);
        assert!(book.lengths.len() <= 6 && book.by_marker.len() == book.kept.len());
    }
}

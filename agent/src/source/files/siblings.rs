//! The files beside a log that rotation has made of it.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Counters;
use super::candidate::Candidate;
use super::life::{Node, is_gone, node};
use super::moment::moment;
use super::names::{Rotated, added, is_text, sort_oldest_first};
use super::packed::{is_gzip, packed_name};
use super::places::Track;
use super::watch::Watch;

/// A directory holds no more rotated files of one log than this; of more, the newest are looked at.
const MAX_SIBLINGS: usize = 256;

/// While names change, a directory is listed so often at most.
const MAX_LISTINGS: usize = 16;

/// A file beside a log, by its name made of it.
pub(super) struct Sibling {
    /// Where it was when the names were read.
    pub(super) path: PathBuf,
    pub(super) node: Node,
    pub(super) rotated: Rotated,
    pub(super) track: Track,
}

impl Sibling {
    /// Opens it, wherever it is by now; `None` for what cannot be read.
    pub(super) fn open(&self, watch: &mut Watch) -> Option<Candidate> {
        let is_it = |opened: &Option<Candidate>| {
            opened
                .as_ref()
                .is_some_and(|candidate| candidate.node() == self.node)
        };
        watch
            .look(&self.track, Candidate::open_or_packed, is_it)
            .flatten()
    }
}

/// The names in a directory, in order.
struct Listing {
    names: Vec<String>,
    /// Its watch, and how often names had changed by then.
    watched: Option<(i32, u64)>,
}

/// The directories in which logs are looked for, and their names, once somebody asked.
pub(super) struct Directories(HashMap<PathBuf, Option<Listing>>);

impl Directories {
    pub(super) fn new(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(directories.into_iter().map(|path| (path, None)).collect())
    }

    pub(super) fn contains(&self, directory: &Path) -> bool {
        self.0.contains_key(directory)
    }

    /// The names as they are after the last event that was taken.
    fn listing(
        &mut self,
        directory: &Path,
        watch: &mut Watch,
        counters: &Counters,
    ) -> Option<&Listing> {
        let listing = self.0.get_mut(directory)?;
        let mut is_current =
            |listing: &Listing| watch.version(listing.watched.map(|(wd, _)| wd)) == listing.watched;
        if listing.as_ref().is_none_or(|listing| !is_current(listing)) {
            for _ in 0..MAX_LISTINGS {
                let wd = watch.directory(directory, None, counters);
                let before = watch.version(wd);
                let names = names_in(directory);
                let watched = watch.version(wd);
                *listing = Some(Listing { names, watched });
                if watched == before {
                    break;
                }
            }
        }
        listing.as_ref()
    }

    /// What rotation has made of a log, the oldest first; nothing where its directory is none in which logs are looked for.
    pub(super) fn siblings(
        &mut self,
        log: &Path,
        watch: &mut Watch,
        counters: &Counters,
    ) -> Vec<Sibling> {
        let (Some(directory), Some(base)) =
            (log.parent(), log.file_name().and_then(|n| n.to_str()))
        else {
            return Vec::new();
        };
        let Some(Listing { names, watched }) = self.listing(directory, watch, counters) else {
            return Vec::new();
        };
        let stem = match base.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => base,
        };
        let is_listed = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| {
                let known = names.binary_search_by(|known| known.as_str().cmp(name));
                known.is_ok()
            })
        };
        let from = names.partition_point(|name| name.as_str() < stem);
        let tracks: Vec<_> = names[from..]
            .iter()
            .take_while(|name| name.starts_with(stem))
            .filter_map(|name| {
                let added = added(base, name)?;
                let path = directory.join(name);
                let is_meant = name != base && is_text(&path);
                is_meant.then(|| {
                    let track = watch.track(watched.map(|(wd, _)| wd), &path);
                    (added, path, track)
                })
            })
            .collect();
        let mut siblings: Vec<Sibling> = tracks
            .into_iter()
            .filter_map(|(added, mut path, track)| {
                let (metadata, is_packed) = watch.look(&track, looks, |_| false)?;
                let metadata = metadata.ok()?;
                if is_packed && !is_gzip(&path) {
                    // Compressed since the names were read, when there may have been no other one yet.
                    path = packed_name(&path);
                    if is_listed(&path) {
                        return None;
                    }
                }
                metadata.is_file().then(|| Sibling {
                    path,
                    node: node(&metadata),
                    rotated: Rotated {
                        added: added.to_owned(),
                        modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    },
                    track,
                })
            })
            .collect();
        sort_oldest_first(&mut siblings, |sibling| &sibling.rotated);
        siblings.drain(..siblings.len().saturating_sub(MAX_SIBLINGS));
        siblings
    }
}

/// What is at a path, and whether it is compressed; where it is gone, what gzip has made of it.
fn looks(path: &Path) -> (io::Result<Metadata>, bool) {
    moment();
    let metadata = std::fs::symlink_metadata(path);
    if !is_gzip(path) && metadata.as_ref().is_err_and(is_gone) {
        return (std::fs::symlink_metadata(packed_name(path)), true);
    }
    (metadata, is_gzip(path))
}

fn names_in(directory: &Path) -> Vec<String> {
    moment();
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

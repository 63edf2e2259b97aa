//! The files beside a log that rotation has made of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::life::{Node, is_gone, node};
use super::moment::moment;
use super::names::{Rotated, added, is_text, sort_oldest_first};
use super::packed::{is_gzip, packed_name};

/// A directory holds no more rotated files of one log than this; of more, the newest are looked at.
const MAX_SIBLINGS: usize = 256;

/// A file beside a log, by its name made of it.
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) node: Node,
    pub(super) rotated: Rotated,
}

/// The names in the directories in which logs are looked for, in order, once somebody asked.
pub(super) type Directories = HashMap<PathBuf, Option<Vec<String>>>;

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
    let is_listed = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            names
                .binary_search_by(|known| known.as_str().cmp(name))
                .is_ok()
        })
    };
    let from = names.partition_point(|name| name.as_str() < stem);
    let mut siblings: Vec<Sibling> = names[from..]
        .iter()
        .take_while(|name| name.starts_with(stem))
        .filter_map(|name| {
            let added = added(base, name)?;
            let mut path = directory.join(name);
            if name == base || !is_text(&path) {
                return None;
            }
            moment();
            let mut metadata = std::fs::symlink_metadata(&path);
            if !is_gzip(&path) && metadata.as_ref().is_err_and(is_gone) {
                // Compressed since the names were read, when there may have been no other one yet.
                path = packed_name(&path);
                if is_listed(&path) {
                    return None;
                }
                metadata = std::fs::symlink_metadata(&path);
            }
            let metadata = metadata.ok()?;
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
    moment();
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

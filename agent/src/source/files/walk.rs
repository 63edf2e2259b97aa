//! Walks the patterns: directories listed on the way, files that match.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use super::moment::moment;
use super::pattern::{Include, Part, Patterns};

/// `**` goes down at most so many directories.
const MAX_DEPTH: usize = 64;

/// What a walk meets.
pub(super) trait Visitor {
    /// A directory is about to be listed, or a name in it to be looked up, for names like `part`.
    fn directory(&mut self, path: &Path, part: &Part);
    /// A path that matches and exists; `metadata` is that of the file after symlinks, `gzip` whether compressed files are
    /// meant.
    fn matched(&mut self, path: &Path, metadata: &Metadata, gzip: bool);
    /// A path that may match but cannot be looked at, so that nothing is known about what is below.
    fn failed(&mut self, path: &Path, error: &io::Error);
    /// Inodes to be reported by [`wanted`](Self::wanted) even where their names do not match.
    fn wants(&self) -> Option<&HashSet<u64>>;
    /// A name with one of the wanted inodes.
    fn wanted(&mut self, path: &Path);
}

/// Walks all patterns; a path that several match is met several times.
pub(super) fn walk(patterns: &Patterns, visitor: &mut dyn Visitor) {
    for include in patterns.include() {
        let Include { base, parts, .. } = include;
        let mut walk = Walk {
            patterns,
            visitor,
            gzip: include.gzip,
        };
        if parts.is_empty() {
            walk.plain(base);
        } else {
            walk.down(base, parts, 0);
        }
    }
}

/// How many paths match now.
pub(super) fn count(patterns: &Patterns) -> usize {
    struct Count(usize);
    impl Visitor for Count {
        fn directory(&mut self, _: &Path, _: &Part) {}
        fn matched(&mut self, _: &Path, _: &Metadata, _: bool) {
            self.0 += 1;
        }
        fn failed(&mut self, _: &Path, _: &io::Error) {}
        fn wants(&self) -> Option<&HashSet<u64>> {
            None
        }
        fn wanted(&mut self, _: &Path) {}
    }
    let mut count = Count(0);
    walk(patterns, &mut count);
    count.0
}

struct Walk<'a> {
    patterns: &'a Patterns,
    visitor: &'a mut dyn Visitor,
    gzip: bool,
}

impl Walk<'_> {
    /// A path without wildcards: its directory is still of interest, for the file's return and its rotated remainder.
    fn plain(&mut self, path: &Path) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return;
        };
        let part = Part::Literal(name.to_string_lossy().into_owned());
        self.visitor.directory(parent, &part);
        self.list(parent, None);
        self.leaf(path);
    }

    fn down(&mut self, directory: &Path, parts: &[Part], depth: usize) {
        let Some((part, rest)) = parts.split_first() else {
            return;
        };
        match part {
            Part::Literal(name) => {
                self.visitor.directory(directory, part);
                let path = directory.join(name);
                if rest.is_empty() {
                    self.list(directory, None);
                    self.leaf(&path);
                } else {
                    self.down(&path, rest, depth);
                }
            }
            Part::Glob(_) => {
                self.visitor.directory(directory, part);
                for path in self.list(directory, Some(part)) {
                    if rest.is_empty() {
                        self.leaf(&path);
                    } else if self.is_directory(&path, true) {
                        self.down(&path, rest, depth);
                    }
                }
            }
            Part::Recursive => {
                self.down(directory, rest, depth);
                if depth >= MAX_DEPTH {
                    return;
                }
                self.visitor.directory(directory, part);
                for path in self.list(directory, Some(part)) {
                    // Not through symlinks, which may lead in circles.
                    if self.is_directory(&path, false) {
                        self.down(&path, parts, depth + 1);
                    }
                }
            }
        }
    }

    fn is_directory(&mut self, path: &Path, through_links: bool) -> bool {
        let metadata = if through_links {
            fs::metadata(path)
        } else {
            fs::symlink_metadata(path)
        };
        match metadata {
            Ok(metadata) => metadata.is_dir(),
            Err(error) => {
                self.tell(path, &error);
                false
            }
        }
    }

    /// The paths in a directory whose names fit, sorted, so that every walk takes them in the same order.
    fn list(&mut self, directory: &Path, part: Option<&Part>) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        if part.is_none() && self.visitor.wants().is_none() {
            return paths;
        }
        moment();
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                self.tell(directory, &error);
                return paths;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.tell(directory, &error);
                    break;
                }
            };
            let name = entry.file_name();
            if part.is_some_and(|part| part.matches(&name)) {
                paths.push(directory.join(&name));
            }
            if self
                .visitor
                .wants()
                .is_some_and(|wants| wants.contains(&entry.ino()))
            {
                self.visitor.wanted(&directory.join(name));
            }
        }
        paths.sort_unstable();
        paths
    }

    fn leaf(&mut self, path: &Path) {
        if self.patterns.excludes(path) {
            return;
        }
        moment();
        match fs::metadata(path) {
            Ok(metadata) => self.visitor.matched(path, &metadata, self.gzip),
            Err(error) => self.tell(path, &error),
        }
    }

    /// What does not exist is nothing to tell.
    fn tell(&mut self, path: &Path, error: &io::Error) {
        if !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ) {
            self.visitor.failed(path, error);
        }
    }
}

/// Whether a file's name says that it is compressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension()
        .and_then(OsStr::to_str)
        .is_some_and(|extension| ["gz", "bz2", "xz", "zst", "lz4", "zip", "Z"].contains(&extension))
}

/// A path and where each symlink on the way leads, the file's own path last.
pub(super) fn symlink_chain(path: &Path) -> Vec<PathBuf> {
    let mut chain = vec![path.to_owned()];
    let mut at = path.to_owned();
    // Linux itself follows at most 40.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&at) else {
            break;
        };
        at = at
            .parent()
            .map_or_else(|| target.clone(), |parent| parent.join(&target));
        chain.push(at.clone());
    }
    if let Ok(real) = fs::canonicalize(path)
        && chain.last() != Some(&real)
    {
        chain.push(real);
    }
    chain
}

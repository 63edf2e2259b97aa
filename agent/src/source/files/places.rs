//! Where files are by now that were seen under a name: the kernel's events say how names have changed since.
//!
//! Rotation gives all files of a log other names, one after the other. What was read in a directory's list, or told by an
//! event, is therefore not opened under that name but where it has gone since.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::packed::{is_gzip, packed_name};

/// Tracks that nobody holds are looked for when there are more than so many.
const FEW: usize = 256;

/// A file whose name is tracked as long as this is held.
#[derive(Clone)]
pub(super) enum Track {
    /// By events.
    Told(Arc<u64>),
    /// Not at all, because its directory cannot be watched: this is where it was.
    Untold(PathBuf),
}

/// A name in a watched directory.
pub(super) type Name = (i32, OsString);

/// Where a tracked file is.
struct Place {
    holder: Weak<u64>,
    directory: PathBuf,
    name: Name,
    /// There is such a name only if the file was compressed.
    is_guess: bool,
}

/// All tracks.
#[derive(Default)]
pub(super) struct Places {
    by_number: HashMap<u64, Place>,
    by_name: HashMap<Name, Vec<u64>>,
    last: u64,
    many: usize,
}

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Tracks the file that is `name` in the directory with the watch `wd`, after all events that were taken so far.
    pub(super) fn track(&mut self, wd: i32, directory: &Path, name: &OsStr) -> Track {
        if self.by_number.len() >= self.many.max(FEW) {
            self.forget();
        }
        self.last += 1;
        let holder = Arc::new(self.last);
        let name = (wd, name.to_owned());
        let names = self.by_name.entry(name.clone()).or_default();
        names.push(self.last);
        let place = Place {
            holder: Arc::downgrade(&holder),
            directory: directory.to_owned(),
            name,
            is_guess: false,
        };
        self.by_number.insert(self.last, place);
        Track::Told(holder)
    }

    /// Forgets what nobody holds.
    fn forget(&mut self) {
        self.by_number
            .retain(|_, place| place.holder.strong_count() > 0);
        let left = &self.by_number;
        self.by_name.retain(|_, numbers| {
            numbers.retain(|number| left.contains_key(number));
            !numbers.is_empty()
        });
        self.many = self.by_number.len() * 2;
    }

    /// Where the file is; `None` once it is gone, or nobody knows where.
    pub(super) fn of(&self, track: &Track) -> Option<PathBuf> {
        match track {
            Track::Untold(path) => Some(path.clone()),
            Track::Told(number) => {
                let place = self.by_number.get(number)?;
                Some(place.directory.join(&place.name.1))
            }
        }
    }

    /// Whether a file of that name must be there, by all events that were taken so far.
    pub(super) fn is_sure(&self, track: &Track) -> bool {
        match track {
            Track::Untold(_) => false,
            Track::Told(number) => {
                let place = self.by_number.get(number);
                place.is_some_and(|place| !place.is_guess)
            }
        }
    }

    /// A file got another name, in the directory at `directory`; `None` for one that is not watched.
    pub(super) fn moved(&mut self, from: &Name, to: Option<(&Path, Name)>) {
        let moved = self.by_name.remove(from).unwrap_or_default();
        let Some((directory, to)) = to else {
            for number in moved {
                self.by_number.remove(&number);
            }
            return;
        };
        self.overwritten(&to);
        self.put(moved, directory, to, false);
    }

    fn put(&mut self, numbers: Vec<u64>, directory: &Path, to: Name, is_guess: bool) {
        if numbers.is_empty() {
            return;
        }
        for number in &numbers {
            if let Some(place) = self.by_number.get_mut(number) {
                directory.clone_into(&mut place.directory);
                place.name.clone_from(&to);
                place.is_guess = is_guess;
            }
        }
        self.by_name.entry(to).or_default().extend(numbers);
    }

    /// What had this name is gone: another file has it.
    pub(super) fn overwritten(&mut self, name: &Name) {
        for number in self.by_name.remove(name).unwrap_or_default() {
            self.by_number.remove(&number);
        }
    }

    /// A file was removed, in the directory at `directory`. Its text may go on in what gzip has made of it.
    pub(super) fn removed(&mut self, directory: &Path, name: &Name) {
        if is_gzip(Path::new(&name.1)) {
            self.overwritten(name);
            return;
        }
        let removed = self.by_name.remove(name).unwrap_or_default();
        let packed = packed_name(Path::new(&name.1)).into_os_string();
        self.put(removed, directory, (name.0, packed), true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        (1, name.into())
    }

    #[test]
    fn a_file_is_where_its_last_name_says() {
        let (mut places, directory) = (Places::default(), Path::new("/d"));
        let at = |path: &str| Some(directory.join(path));
        let log = places.track(1, directory, "a".as_ref());
        let first = places.track(1, directory, "a.1".as_ref());
        places.moved(&name("a.1"), Some((directory, name("a.2"))));
        places.moved(&name("a"), Some((directory, name("a.1"))));
        let next = places.track(1, directory, "a".as_ref());
        assert_eq!(
            (places.of(&log), places.of(&first), places.of(&next)),
            (at("a.1"), at("a.2"), at("a"))
        );
        places.removed(directory, &name("a.2"));
        places.moved(&name("a.2.gz"), Some((directory, name("a.3.gz"))));
        assert_eq!(places.of(&first), at("a.3.gz"));
        places.removed(directory, &name("a.3.gz"));
        assert_eq!(places.of(&first), None);
        places.moved(&name("a"), Some((directory, name("a.1"))));
        assert_eq!((places.of(&log), places.of(&next)), (None, at("a.1")));
        places.moved(&name("a.1"), None);
        assert_eq!(places.of(&next), None);
        assert!(places.is_empty() && places.by_name.is_empty());
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let (mut places, directory) = (Places::default(), Path::new("/d"));
        let held = places.track(1, directory, "held".as_ref());
        for number in 0..10 * FEW {
            places.track(1, directory, number.to_string().as_ref());
        }
        assert!(places.by_number.len() <= FEW && places.by_name.len() <= FEW);
        assert_eq!(places.of(&held), Some(directory.join("held")));
    }
}

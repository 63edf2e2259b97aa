//! Names that rotation gives: which belong to one log, and which of them is older.

use std::path::Path;
use std::time::SystemTime;

use super::packed::is_gzip;
use super::walk::is_compressed;

/// What rotation added to the name `base` (`app.log`), if `name` is one that it makes of it: `app.log.1`, `app.log-20260102`,
/// `app.log.2.gz`, `app-2026-01-02.log`, `0.log.20260102-030405`.
pub(super) fn added<'a>(base: &str, name: &'a str) -> Option<&'a str> {
    let name = if is_compressed(Path::new(name)) {
        name.rsplit_once('.').map_or(name, |(plain, _)| plain)
    } else {
        name
    };
    let set_off = |rest: &'a str| {
        rest.starts_with(['.', '-', '_'])
            .then(|| &rest[1..])
            .filter(|rest| !rest.is_empty())
    };
    if name == base {
        return Some("");
    }
    if let Some(rest) = name.strip_prefix(base) {
        return set_off(rest);
    }
    let (stem, extension) = base.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())?;
    let rest = name.strip_prefix(stem)?.strip_suffix(extension)?;
    set_off(rest.strip_suffix('.')?)
}

/// A file that rotation has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rotated {
    /// What was added to the name.
    pub(super) added: String,
    /// When it was written to last.
    pub(super) modified: SystemTime,
}

/// Sorts what rotation has made of one log, the oldest first. Numbers count backwards; dates of one form sort as text; where
/// the names do not agree, the time of the last write tells.
pub(super) fn sort_oldest_first<T>(files: &mut [T], rotated: impl Fn(&T) -> &Rotated) {
    let number = |file: &T| {
        let added = &rotated(file).added;
        added.parse::<u32>().ok().filter(|_| added.len() <= 4)
    };
    let date = |file: &T| {
        let added = &rotated(file).added;
        let form: Vec<bool> = added.bytes().map(|byte| byte.is_ascii_digit()).collect();
        (form.iter().filter(|digit| **digit).count() >= 6).then_some(form)
    };
    if files.iter().all(|file| number(file).is_some()) {
        files.sort_by_key(|file| std::cmp::Reverse(number(file)));
    } else if files
        .iter()
        .all(|file| date(file).is_some() && date(file) == date(&files[0]))
    {
        files.sort_by(|a, b| rotated(a).added.cmp(&rotated(b).added));
    } else {
        files.sort_by_key(|file| rotated(file).modified);
    }
}

/// Whether the file is one that may hold a rotated log's text: plain, or compressed in the way that is understood. A kubelet
/// writes a compressed file as `.tmp` first.
pub(super) fn is_text(path: &Path) -> bool {
    is_gzip(path)
        || !is_compressed(path) && path.extension().is_none_or(|extension| extension != "tmp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_log() {
        for (base, name, wanted) in [
            ("app.log", "app.log.1", Some("1")),
            ("app.log", "app.log.12.gz", Some("12")),
            ("app.log", "app.log.gz", Some("")),
            ("app.log", "app.log-20260102", Some("20260102")),
            ("app.log", "app-2026-01-02.log", Some("2026-01-02")),
            ("app.log", "app-2026-01-02.log.gz", Some("2026-01-02")),
            ("0.log", "0.log.20260102-030405", Some("20260102-030405")),
            ("0.log", "0.log.20260102-030405.gz", Some("20260102-030405")),
            ("0.log", "1.log", None),
            ("0.log", "01.log", None),
            ("app.log", "apple.log", None),
            ("app.log", "app.logs", None),
            ("app", "app.1", Some("1")),
            (".log", "-x.log", None),
        ] {
            assert_eq!(added(base, name), wanted, "{base} {name}");
        }
    }

    fn sorted(mut files: Vec<(&str, u64)>) -> Vec<&str> {
        let mut rotated: Vec<_> = files
            .drain(..)
            .map(|(added, seconds)| {
                let modified = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
                let added_owned = added.to_owned();
                (
                    added,
                    Rotated {
                        added: added_owned,
                        modified,
                    },
                )
            })
            .collect();
        sort_oldest_first(&mut rotated, |file| &file.1);
        rotated.into_iter().map(|file| file.0).collect()
    }

    #[test]
    fn the_older_one_comes_first() {
        assert_eq!(
            sorted(vec![("2", 1), ("10", 9), ("1", 1)]),
            ["10", "2", "1"]
        );
        let (first, second) = ("20260101-235959", "20260102-000000");
        assert_eq!(sorted(vec![(second, 1), (first, 9)]), [first, second]);
        assert_eq!(
            sorted(vec![("1", 9), ("old", 1), (first, 5)]),
            ["old", first, "1"]
        );
        assert_eq!(sorted(vec![]), Vec::<&str>::new());
    }
}

//! What was put aside: its names, its compression, and its end.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tracing::warn;

use crate::telemetry::clock;

/// Names tell this apart.
const MOMENT: Duration = Duration::from_millis(1);

/// A name beside `path` that says when it was put aside and that nothing has yet.
pub(super) fn free_name(path: &Path) -> io::Result<PathBuf> {
    loop {
        let mut time = Vec::with_capacity(32);
        clock::now().write_rfc3339(&mut time);
        // Of 2026-11-20T17:01:07.123456789Z all digits to the millisecond; a time without a fraction has none.
        let text: String = String::from_utf8_lossy(&time)
            .chars()
            .filter(|c| c.is_ascii_digit() || *c == 'T')
            .collect();
        let name = with_ending(path, &format!(".{text:0<18.18}Z"));
        let gone = !name.try_exists()? && !with_ending(&name, ".gz").try_exists()?;
        if gone {
            return Ok(name);
        }
        std::thread::sleep(MOMENT);
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Compresses what was put aside beside `path`, and deletes all but the newest `keep`.
pub(super) fn tidy(path: &Path, gzip: bool, keep: Option<usize>) {
    if let Err(error) = try_tidy(path, gzip, keep) {
        warn!(path = %path.display(), %error, "old files of a sink cannot be tidied up; it is tried again at the next one");
    }
}

fn try_tidy(path: &Path, gzip: bool, keep: Option<usize>) -> io::Result<()> {
    let mut old = put_aside(path)?;
    // The moment is in the name: the order of the names is that of time.
    old.sort();
    let surplus = keep.map_or(0, |keep| old.len().saturating_sub(keep));
    for gone in old.drain(..surplus) {
        fs::remove_file(gone)?;
    }
    for plain in old
        .iter()
        .filter(|path| gzip && path.extension().is_none_or(|ending| ending != "gz"))
    {
        compress(plain)?;
    }
    Ok(())
}

/// The files that were put aside, compressed or not.
fn put_aside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some(own) = path.file_name().and_then(|name| name.to_str()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let moment = name
            .to_str()
            .and_then(|name| name.strip_prefix(own)?.strip_prefix('.'));
        let Some(moment) = moment else {
            continue;
        };
        // What was interrupted is begun again.
        if moment.strip_suffix(".gz.part").is_some_and(is_moment) {
            fs::remove_file(entry.path())?;
        } else if is_moment(moment.strip_suffix(".gz").unwrap_or(moment)) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// `20261120T170107123Z`.
fn is_moment(text: &str) -> bool {
    text.len() == 19
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            18 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

fn compress(plain: &Path) -> io::Result<()> {
    let (part, whole) = (with_ending(plain, ".gz.part"), with_ending(plain, ".gz"));
    let out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(super::MODE)
        .open(&part)?;
    let mut gzip = GzEncoder::new(out, Compression::fast());
    io::copy(&mut File::open(plain)?, &mut gzip)?;
    gzip.finish()?.sync_all()?;
    fs::rename(part, whole)?;
    fs::remove_file(plain)
}

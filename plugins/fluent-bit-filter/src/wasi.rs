//! Files in the directories that the host has opened for the module (Fluent Bit's `accessible_paths`), and its standard error, by WASI
//! preview 1: <https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md>.
//!
//! A host without WASI (Fluent Bit on Windows) offers none of it, and a call of what is not there loses the record. So nothing of this may
//! be reached from a record: only `_initialize` comes here, which such a host does not call.
#![allow(unsafe_code)]

use std::fmt::Write as _;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn fd_prestat_get(fd: u32, prestat: *mut [u32; 2]) -> u32;
    fn path_open(
        directory: u32,
        lookup: u32,
        path: *const u8,
        path_len: usize,
        how: u32,
        rights: u64,
        inherited: u64,
        flags: u32,
        opened: *mut u32,
    ) -> u32;
    fn fd_filestat_get(fd: u32, stat: *mut Stat) -> u32;
    fn fd_read(fd: u32, pieces: *const Piece, count: usize, read: *mut usize) -> u32;
    fn fd_write(fd: u32, pieces: *const Piece, count: usize, written: *mut usize) -> u32;
    fn fd_close(fd: u32) -> u32;
}

/// `filestat`.
#[repr(C)]
#[derive(Default)]
struct Stat {
    device: u64,
    inode: u64,
    kind: u8,
    links: u64,
    size: u64,
    times: [u64; 3],
}

/// `iovec` and `ciovec`: both are an address and a length.
#[repr(C)]
struct Piece {
    start: *const u8,
    length: usize,
}

/// The first descriptor of an opened directory.
const FIRST: u32 = 3;
/// No host opens more directories than this.
const LAST: u32 = 64;
const STDERR: u32 = 2;
const NOT_THERE: u32 = 44;
/// A link is followed, as a volume of Kubernetes is made of links; it cannot lead out of the directory.
const FOLLOW: u32 = 1;
/// What is no file must not hold the host up.
const NONBLOCK: u32 = 1 << 2;
const READ: u64 = 1 << 1;
const STAT: u64 = 1 << 21;
const REGULAR: u8 = 4;

/// What the file `name` of the first directory that has one holds; none where no directory has it.
///
/// # Errors
/// In words, where it cannot be read: it is no file, larger than `limit` bytes, or the host says so.
pub(crate) fn read(name: &str, limit: usize) -> Option<Result<Vec<u8>, String>> {
    (FIRST..LAST)
        .map_while(|directory| {
            let mut prestat = [0; 2];
            // SAFETY: the host writes a `prestat`, which is two numbers of 32 bits.
            let said = unsafe { fd_prestat_get(directory, &raw mut prestat) };
            (said == 0).then_some(directory)
        })
        .find_map(|directory| open(directory, name))
        .map(|opened| {
            let file = opened?;
            let bytes = all(file, limit);
            // SAFETY: it was opened here, and is not used again.
            unsafe { fd_close(file) };
            bytes
        })
}

/// None where there is no such file.
fn open(directory: u32, name: &str) -> Option<Result<u32, String>> {
    let mut file = 0;
    // SAFETY: the name is as long as is said, and the host writes one number.
    let said = unsafe {
        path_open(
            directory,
            FOLLOW,
            name.as_ptr(),
            name.len(),
            0,
            READ | STAT,
            0,
            NONBLOCK,
            &raw mut file,
        )
    };
    match said {
        0 => Some(Ok(file)),
        NOT_THERE => None,
        errno => Some(Err(failed("opened", errno))),
    }
}

fn all(file: u32, limit: usize) -> Result<Vec<u8>, String> {
    let mut stat = Stat::default();
    // SAFETY: the host writes a `filestat`.
    match unsafe { fd_filestat_get(file, &raw mut stat) } {
        0 if stat.kind != REGULAR => return Err("is no file".to_owned()),
        0 => {}
        errno => return Err(failed("read", errno)),
    }
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let piece = Piece {
            start: part.as_mut_ptr(),
            length: part.len(),
        };
        let mut count = 0;
        // SAFETY: the host writes into `part` as many bytes as it has at most, and how many they were.
        let said = unsafe { fd_read(file, &raw const piece, 1, &raw mut count) };
        match (said, part.get(..count)) {
            (0, Some([])) => return Ok(bytes),
            (0, Some(read)) if bytes.len() + read.len() > limit => {
                return Err(format!("is larger than {limit} bytes"));
            }
            (0, Some(read)) => bytes.extend_from_slice(read),
            (errno, _) => return Err(failed("read", errno)),
        }
    }
}

fn failed(what: &str, errno: u32) -> String {
    match errno {
        2 => format!("cannot be {what}: permission denied"),
        76 => format!("cannot be {what}: it lies outside of the directory"),
        errno => format!("cannot be {what}: error {errno} of WASI"),
    }
}

/// Says something on standard error, in a line of its own.
pub(crate) fn say(what: &str) {
    let mut line = String::new();
    let _ = writeln!(line, "logsieve: {what}");
    let piece = Piece {
        start: line.as_ptr(),
        length: line.len(),
    };
    let mut written = 0;
    // SAFETY: the line is as long as is said. Where nobody takes it there is nobody to tell.
    let _ = unsafe { fd_write(STDERR, &raw const piece, 1, &raw mut written) };
}

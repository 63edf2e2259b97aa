//! The border to Fluent Bit: the one place where pointers are trusted, and the only file with `unsafe`.
//!
//! Fluent Bit (`flb_wasm_call_function_format_json` in its `src/wasm/flb_wasm.c`) copies tag and record with a NUL behind each into the
//! module's memory, calls the function, copies the NUL-terminated answer out and frees the two copies. The instance stays for all records.
//! What it answers is valid until it is called again; nobody frees it.
//!
//! `malloc` and `free` are exported because WAMR then takes memory for the copies from here, instead of a heap whose size has to be set
//! (`wasm_heap_size`, 8 KiB by default) and beyond which records are lost.
#![allow(unsafe_code)]
#![allow(unreachable_pub, reason = "what is exported is reached by its name")]

use std::{
    alloc::{Layout, alloc, dealloc},
    cell::RefCell,
    ffi::c_void,
    ptr, slice,
    sync::Arc,
};

use logline::rules::{Pack, RuleSet};

use crate::{filter::Filter, record::Keys, wasi};

/// The pack that the build was told.
static PACK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pack.bin"));
static OPENSTACK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openstack.bin"));
/// The keys that the build was told.
static KEYS: &str = include_str!(concat!(env!("OUT_DIR"), "/keys.txt"));

/// The files of an accessible path that take the place of what is compiled in: a pack as `logsieve rules pack` writes it, and keys.
const PACK_FILE: &str = "logsieve.pack";
const KEYS_FILE: &str = "logsieve.keys";
/// The longest file of keys, in bytes.
const MAX_KEYS: usize = 4096;

/// Before each piece of memory stands its length.
const HEAD: usize = 16;
const ALIGN: usize = 16;

/// A filter once it was needed; without one where its pack could not be read, which the build rules out.
type Known = RefCell<Option<Option<Filter>>>;

thread_local! {
    static CHOSEN: Known = const { RefCell::new(None) };
    static FOR_OPENSTACK: Known = const { RefCell::new(None) };
    /// The keys of an accessible path, where it has some.
    static OTHER_KEYS: RefCell<Option<String>> = const { RefCell::new(None) };
    /// A copy of a record that came without a NUL.
    static COPY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The filter by a pack that is compiled in.
fn filter(pack: &[u8]) -> Option<Filter> {
    RuleSet::unpack(pack).ok().map(made)
}

fn made(rules: RuleSet) -> Filter {
    let keys = OTHER_KEYS.take();
    let names = keys.as_deref().unwrap_or(KEYS).split([',', '\n']);
    let names = names.map(str::trim).filter(|key| !key.is_empty());
    let filter = Filter::new(Arc::new(rules), Keys::new(names));
    OTHER_KEYS.set(keys);
    filter
}

/// The pack of an accessible path, and what is said of it; none where there is no such file or it is of no use.
fn rules_of_file() -> Option<RuleSet> {
    let read = wasi::read(PACK_FILE, Pack::MAX_BYTES)?;
    match read.and_then(|bytes| RuleSet::unpack(&bytes).map_err(|error| error.to_string())) {
        Ok(rules) => {
            wasi::say(&format!("{PACK_FILE}: {} rules", rules.len()));
            Some(rules)
        }
        Err(why) => {
            wasi::say(&format!(
                "{PACK_FILE}: {why}; the rules that are compiled in are used"
            ));
            None
        }
    }
}

/// The keys of an accessible path.
fn keys_of_file() -> Option<String> {
    let read = wasi::read(KEYS_FILE, MAX_KEYS)?;
    let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(|error| error.to_string()));
    text.map_err(|why| {
        wasi::say(&format!(
            "{KEYS_FILE}: {why}; the keys that are compiled in are used"
        ));
    })
    .ok()
}

/// Makes the rules ready, which takes a while: a runtime that calls it does so when the module is loaded. Such a one has WASI, as without
/// it WAMR does not call it, and the first record makes ready what is compiled in.
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    CHOSEN.with_borrow_mut(|known| {
        known.get_or_insert_with(|| {
            OTHER_KEYS.set(keys_of_file());
            rules_of_file().map(made).or_else(|| filter(PACK))
        });
    });
}

/// The filter: `function_name: logsieve`. Takes the record as JSON and answers it, with what is said of it, as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn logsieve(
    _tag: *const u8,
    _tag_len: u32,
    _seconds: u32,
    _nanoseconds: u32,
    record: *const u8,
    length: u32,
) -> *const u8 {
    CHOSEN.with(|known| judged(known, PACK, record, length))
}

/// The same by the rules of the pack `openstack`.
#[unsafe(no_mangle)]
pub extern "C" fn logsieve_openstack(
    _tag: *const u8,
    _tag_len: u32,
    _seconds: u32,
    _nanoseconds: u32,
    record: *const u8,
    length: u32,
) -> *const u8 {
    FOR_OPENSTACK.with(|known| judged(known, OPENSTACK, record, length))
}

fn judged(known: &Known, pack: &[u8], record: *const u8, length: u32) -> *const u8 {
    // Where the host found no memory for its copy, it passes null, and there is nothing to answer.
    if record.is_null() {
        return ptr::null();
    }
    // SAFETY: the host copied `length` bytes and a NUL there, and keeps them until this returns.
    let text = unsafe { slice::from_raw_parts(record, length as usize) };
    let Ok(mut known) = known.try_borrow_mut() else {
        return unchanged(record, text);
    };
    known
        .get_or_insert_with(|| filter(pack))
        .as_mut()
        .and_then(|filter| filter.apply(text))
        .map_or_else(|| unchanged(record, text), <[u8]>::as_ptr)
}

/// The record itself, or a copy of it that ends with a NUL.
fn unchanged(record: *const u8, text: &[u8]) -> *const u8 {
    // SAFETY: the byte behind the record is the host's NUL; and within memory in any case, of which it is not the end.
    if unsafe { *record.add(text.len()) } == 0 {
        return record;
    }
    COPY.with_borrow_mut(|copy| {
        copy.clear();
        copy.extend_from_slice(text);
        copy.push(0);
        copy.as_ptr()
    })
}

/// Memory for the host's copies; null where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn malloc(size: usize) -> *mut c_void {
    let Some(layout) = size
        .checked_add(HEAD)
        .and_then(|size| Layout::from_size_align(size, ALIGN).ok())
    else {
        return ptr::null_mut();
    };
    // SAFETY: the layout has a size, as HEAD is none; the head lies inside what was given and is aligned.
    unsafe {
        let start = alloc(layout);
        if start.is_null() {
            return ptr::null_mut();
        }
        start.cast::<usize>().write(size);
        start.add(HEAD).cast()
    }
}

/// Takes back what [`malloc`] gave. Null is taken for nothing.
///
/// # Safety
/// `given` comes from [`malloc`] and was not given back before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(given: *mut c_void) {
    if given.is_null() {
        return;
    }
    // SAFETY: `malloc` wrote the length before what it gave, and made this layout of it.
    unsafe {
        let start = given.cast::<u8>().sub(HEAD);
        let size = start.cast::<usize>().read();
        dealloc(start, Layout::from_size_align_unchecked(size + HEAD, ALIGN));
    }
}

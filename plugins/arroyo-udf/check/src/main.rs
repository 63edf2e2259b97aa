//! Calls a function for Arroyo as Arroyo does.
//!
//!     udf-check call LIBRARY          standard input: a JSON string or null a line; standard output: what the function says, the same way
//!     udf-check ask LIBRARY           the same for an asynchronous one
//!     udf-check bench LIBRARY FILE    rows a CPU-second of one thread over the lines of a file
//!
//! Rows go in batches of 512, Arroyo's own size.

use std::error::Error;
use std::io::{BufWriter, Read as _, Write as _};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use arroyo_udf_plugin::arrow::array::{Array, ArrayData, StringArray, UInt64Array};
use arroyo_udf_plugin::async_udf::async_ffi::FfiFuture;
use arroyo_udf_plugin::async_udf::tokio::runtime::Builder;
use arroyo_udf_plugin::async_udf::{DrainResult, SendableFfiAsyncUdfHandle as Handle};
use arroyo_udf_plugin::{FfiArraySchema, FfiArrays, RunResult, arrow};
use libloading::Library;

type Failed = Box<dyn Error>;
type Rows = Vec<Option<String>>;

/// Rows that Arroyo hands over together.
const BATCH: usize = 512;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[1..] {
        ["call", library] => answer(&run(&open(library)?, &rows()?)?),
        ["ask", library] => answer(&ask(&open(library)?, &rows()?)?),
        ["bench", library, file] => bench(&open(library)?, &fs::read(file)?),
        _ => Err("udf-check call|ask|bench LIBRARY [FILE]".into()),
    }
}

fn open(path: &str) -> Result<Library, Failed> {
    // SAFETY: a library that was built from this repository; it runs nothing when it is loaded.
    Ok(unsafe { Library::new(path) }?)
}

fn rows() -> Result<Rows, Failed> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    text.lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

fn answer(rows: &Rows) -> Result<(), Failed> {
    let mut out = BufWriter::new(io::stdout().lock());
    for row in rows {
        writeln!(out, "{}", serde_json::to_string(row)?)?;
    }
    Ok(out.flush()?)
}

fn array(rows: &[Option<String>]) -> ArrayData {
    rows.iter()
        .map(Option::as_deref)
        .collect::<StringArray>()
        .to_data()
}

fn strings(data: ArrayData) -> Rows {
    StringArray::from(data)
        .iter()
        .map(|row| row.map(str::to_owned))
        .collect()
}

/// What a synchronous function says of each row.
fn run(library: &Library, rows: &Rows) -> Result<Rows, Failed> {
    let mut said = Vec::with_capacity(rows.len());
    // An empty batch is one too.
    let batches = if rows.is_empty() {
        vec![&rows[..]]
    } else {
        rows.chunks(BATCH).collect()
    };
    for batch in batches {
        said.extend(strings(run_batch(library, array(batch))?));
    }
    Ok(said)
}

fn run_batch(library: &Library, rows: ArrayData) -> Result<ArrayData, Failed> {
    type Run = unsafe extern "C-unwind" fn(FfiArrays) -> RunResult;
    // SAFETY: the type is that of the symbol that `arroyo_udf_macros::udf` 0.2.0 makes.
    let result = unsafe { library.get::<Run>(b"__run")?(FfiArrays::from_vec(vec![rows])) };
    match result {
        // SAFETY: both come from the library's `to_ffi`.
        RunResult::Ok(FfiArraySchema(array, schema)) => {
            Ok(unsafe { arrow::ffi::from_ffi(array, &schema) }?)
        }
        RunResult::Err => Err("the function panicked: Arroyo would end the pipeline".into()),
    }
}

/// What an asynchronous function says of each row: one after the other over its channel, drained every 50 ms.
fn ask(library: &Library, rows: &Rows) -> Result<Rows, Failed> {
    type Start = unsafe extern "C-unwind" fn(bool, u64, u32) -> Handle;
    type Send = unsafe extern "C-unwind" fn(Handle, u64, FfiArrays) -> FfiFuture<bool>;
    type Drain = unsafe extern "C-unwind" fn(Handle) -> DrainResult;
    type Stop = unsafe extern "C-unwind" fn(Handle);
    let runtime = Builder::new_current_thread().build()?;
    let mut said: Vec<Option<Option<String>>> = vec![None; rows.len()];
    // SAFETY: the types are those of the symbols that `arroyo_udf_macros::udf` 0.2.0 makes.
    unsafe {
        let (send, drain) = (
            library.get::<Send>(b"__send")?,
            library.get::<Drain>(b"__drain_results")?,
        );
        let handle = library.get::<Start>(b"__start")?(false, 10_000_000, 200);
        let mut sent = 0;
        let deadline = Instant::now() + Duration::from_secs(60);
        while said.iter().any(Option::is_none) || rows.is_empty() {
            if Instant::now() > deadline {
                return Err("no answers for a minute".into());
            }
            for (id, row) in rows.iter().enumerate().skip(sent).take(64) {
                let row = array(std::slice::from_ref(row));
                if !runtime.block_on(send(handle, id as u64, FfiArrays::from_vec(vec![row]))) {
                    return Err("the function's thread has ended".into());
                }
                sent = id + 1;
            }
            match drain(handle) {
                DrainResult::Data(arrays) => {
                    let mut arrays = arrays.into_vec().into_iter();
                    let (Some(ids), Some(texts)) = (arrays.next(), arrays.next()) else {
                        return Err("not two arrays".into());
                    };
                    for (id, text) in UInt64Array::from(ids).values().iter().zip(strings(texts)) {
                        said[usize::try_from(*id)?] = Some(text);
                    }
                }
                DrainResult::None => std::thread::sleep(Duration::from_millis(5)),
                DrainResult::Error => return Err("the function's thread panicked".into()),
            }
            if rows.is_empty() {
                break;
            }
        }
        library.get::<Stop>(b"__stop_runtime")?(handle);
    }
    Ok(said.into_iter().flatten().collect())
}

/// Arrays are made beforehand: Arroyo has them anyway. Counts the time that the thread was running, least of five.
fn bench(library: &Library, text: &[u8]) -> Result<(), Failed> {
    let lines: Rows = String::from_utf8_lossy(text)
        .lines()
        .map(|line| Some(line.to_owned()))
        .collect();
    let batches: Vec<ArrayData> = lines.chunks(BATCH).map(array).collect();
    run_batch(library, batches.first().ok_or("no lines")?.clone())?;
    let mut best = f64::MAX;
    for _ in 0..5 {
        let started = running()?;
        for batch in &batches {
            std::hint::black_box(run_batch(library, batch.clone())?);
        }
        best = best.min(running()? - started);
    }
    println!(
        "{:.0} rows/CPU-s, {:.1} MB/CPU-s ({} rows of {} bytes)",
        lines.len() as f64 / best,
        text.len() as f64 / best / 1e6,
        lines.len(),
        text.len() / lines.len()
    );
    Ok(())
}

/// Seconds that this thread has been running, as Linux counts them.
fn running() -> Result<f64, Failed> {
    let told = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = told.split(' ').next().ok_or("no schedstat")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

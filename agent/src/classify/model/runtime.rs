//! ONNX Runtime: one shared library and one environment in a process, one session a model.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;

use super::ModelError;

/// The library that was loaded, and its environment. A process can load only one.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Names under which a system may have the library.
const SYSTEM: [&str; 3] = [
    "libonnxruntime.so",
    "libonnxruntime.so.1",
    "libonnxruntime.dylib",
];

/// The session of `directory`'s model.
pub(super) fn session(
    directory: &Path,
    runtime: Option<&Path>,
    threads: usize,
) -> Result<Session, ModelError> {
    let environment = environment(directory, runtime)?;
    let file = directory.join("model.onnx");
    if let Err(error) = std::fs::metadata(&file) {
        return Err(ModelError::unreadable(&file, &error));
    }
    let unusable = |problem: String| {
        ModelError::new(
            &file,
            format!(
                "cannot be loaded: {}",
                problem.lines().next().unwrap_or_default()
            ),
            "make the model anew (make model), or export it for this version of ONNX Runtime",
        )
    };
    let plain = |error: ort::Error| unusable(error.to_string());
    let built =
        |error: ort::Error<ort::session::builder::SessionBuilder>| unusable(error.to_string());
    let mut builder = Session::builder(&environment)
        .map_err(plain)?
        .with_intra_threads(threads.max(1))
        .map_err(built)?
        .with_inter_threads(1)
        .map_err(built)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(built)?
        // Threads that spin for work take the processor from the lines.
        .with_config_entry("session.intra_op.allow_spinning", "0")
        .map_err(built)?
        // Batches differ in shape; memory kept for every shape seen would only grow.
        .with_memory_pattern(false)
        .map_err(built)?;
    builder.commit_from_file(&file).map_err(plain)
}

fn environment(directory: &Path, runtime: Option<&Path>) -> Result<Environment, ModelError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, environment)) = &*loaded {
        return Ok(environment.clone());
    }
    let candidates: Vec<PathBuf> = match runtime {
        Some(path) => vec![path.to_owned()],
        None => {
            let own =
                ["libonnxruntime.so", "libonnxruntime.dylib"].map(|name| directory.join(name));
            let own = own.into_iter().filter(|path| path.exists());
            let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
            own.chain(named).chain(SYSTEM.map(PathBuf::from)).collect()
        }
    };
    let mut problem = String::new();
    for path in &candidates {
        match load(path) {
            Ok(environment) => {
                *loaded = Some((path.clone(), environment.clone()));
                return Ok(environment);
            }
            Err(why) => {
                problem = why;
            }
        }
    }
    let place = candidates.first().cloned().unwrap_or_default();
    Err(ModelError::new(
        &place,
        format!("ONNX Runtime cannot be loaded: {problem}"),
        "make model puts the library beside the model; or name it in classify.model.runtime",
    ))
}

fn load(path: &Path) -> Result<Environment, String> {
    let builder = ort::init_from(path).map_err(|error| error.to_string())?;
    builder
        .with_name("logsieve")
        .with_telemetry(false)
        .build()
        .map_err(|error| error.to_string())
}

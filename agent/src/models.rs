//! Which model a configuration or a command means on this host.

use std::path::{Path, PathBuf};

use crate::classify::Options;
use crate::config::Checked;
use crate::config::raw::Switch;

/// Names another directory than the usual ones.
const VARIABLE: &str = "LOGSIEVE_MODEL";
/// Where packages and images put it.
const SYSTEM: [&str; 2] = ["/usr/share/logsieve/model", "/var/lib/logsieve/model"];

/// How the stage of `config` is set up.
#[must_use]
pub fn options(config: &Checked) -> Options {
    let wanted = &config.model;
    let directory = match (wanted.enabled, wanted.directory.as_str()) {
        (Switch::Off, _) => None,
        // With `on` a missing model is a fault, which naming the usual place tells.
        (Switch::On, "") => Some(usual_directory().unwrap_or_else(|| PathBuf::from(SYSTEM[0]))),
        (Switch::Auto, "") => usual_directory(),
        (_, named) => Some(PathBuf::from(named)),
    };
    Options {
        directory,
        runtime: (!wanted.runtime.is_empty()).then(|| PathBuf::from(&wanted.runtime)),
        threads: wanted.threads,
        llm: None,
        required: wanted.enabled == Switch::On || !wanted.directory.is_empty(),
    }
}

/// The model that `named` names, or the one at a usual place; `none` names none.
#[must_use]
pub fn choose(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(path) if path.as_os_str() == "none" => None,
        Some(path) => Some(path.to_owned()),
        None => usual_directory(),
    }
}

/// The directory that the environment names, the one beside the program (where `make model` puts it), or the host's.
#[must_use]
pub fn usual_directory() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let none = named.is_empty() || named == "none";
        return (!none).then(|| PathBuf::from(named));
    }
    let program = std::env::current_exe().ok();
    let beside = program
        .as_deref()
        .and_then(Path::parent)
        .into_iter()
        .flat_map(|place| [place.join("model"), place.join("../model")]);
    beside
        .chain(SYSTEM.map(PathBuf::from))
        .find(|place| place.join("model.onnx").is_file())
}

//! Which store a configuration means on this host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Checked;
use crate::config::raw::WhenFull;
use crate::store;

/// Where an agent keeps its state that runs as a service of the host.
const SYSTEM: &str = "/var/lib/logsieve";

/// How the store of `config` is set up.
#[must_use]
pub fn options(config: &Checked) -> store::Options {
    let wanted = &config.store;
    let directory = wanted.enabled.then(|| match wanted.directory.as_str() {
        "" => usual_directory(),
        named => PathBuf::from(named),
    });
    store::Options {
        max_bytes: wanted.max_mib << 20,
        max_age: Duration::from_secs(wanted.max_age_hours * 3600),
        when_full: match wanted.when_full {
            WhenFull::DropOldest => store::WhenFull::DropOldest,
            WhenFull::Block => store::WhenFull::Block,
        },
        commit_every: Duration::from_millis(wanted.commit_ms),
        drain: config.drain_timeout,
        sinks: config.sinks.iter().map(|sink| sink.name.clone()).collect(),
        ..store::Options::new(directory)
    }
}

/// Where the state is kept by default: the host's directory where that can be written, else the user's.
#[must_use]
pub fn usual_directory() -> PathBuf {
    let system = Path::new(SYSTEM);
    let parent = system.parent().unwrap_or(system);
    let place = if system.exists() { system } else { parent };
    if rustix::fs::access(place, rustix::fs::Access::WRITE_OK).is_ok() {
        return system.to_owned();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(state) if !state.is_empty() => PathBuf::from(state),
        _ => home.join(".local/state"),
    };
    state.join("logsieve")
}

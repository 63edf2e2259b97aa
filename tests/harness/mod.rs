//! What every test stands on: the real binary, bounded waits, sockets without a client library, and a Docker engine of the tests' own.

mod agent;
mod browser;
pub(crate) mod chat;
mod cluster;
mod engine;
mod exe;
pub(crate) mod filter;
mod http;
mod peer;
mod prometheus;
mod receiver;
pub(crate) mod udf;
mod wait;

pub(crate) use agent::Agent;
pub(crate) use browser::Browser;
pub(crate) use cluster::Cluster;
pub(crate) use engine::{Engine, IMAGE};
pub(crate) use exe::{fed, logsieve, objects, text};
pub(crate) use http::{Reply, ask, free_port, get};
pub(crate) use peer::{Peer, python};
pub(crate) use prometheus::Prometheus;
pub(crate) use receiver::{Answer, Receiver, Request};
pub(crate) use wait::{until, until_within};

use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn repo() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The shared evaluation data, which is not part of the repository; `None`, said aloud, where it is not at hand.
pub(crate) fn eval_data() -> Option<PathBuf> {
    let place = std::env::var_os("LOGSIEVE_EVAL")
        .map_or_else(|| repo().join("../shared/eval"), PathBuf::from);
    if place.is_dir() {
        return Some(place);
    }
    println!(
        "SKIPPED: no evaluation data at {} (LOGSIEVE_EVAL names another place)",
        place.display()
    );
    None
}

/// A model made by `make model`; `None`, said aloud, where it is not at hand. Tests that need it name it to the agent,
/// which finds none by itself.
pub(crate) fn model() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_logsieve"));
    let beside = program.ancestors().nth(2).unwrap().join("model");
    let place = std::env::var_os("LOGSIEVE_MODEL").map_or(beside, PathBuf::from);
    if place.join("manifest.json").is_file() {
        return Some(place);
    }
    println!(
        "SKIPPED: no model at {} (make model makes one; LOGSIEVE_MODEL names another place)",
        place.display()
    );
    None
}

/// A fresh directory that is removed with the value.
pub(crate) fn dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("logsieve-test-")
        .tempdir()
        .unwrap()
}

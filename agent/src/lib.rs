//! The agent: tails what containers print and labels each event.
//!
//! The rooms stand in the order in which the data flows; [`app`] is the only one that sees them all.
//!
//! | room | enters | leaves |
//! |---|---|---|
//! | [`source`] | files, the Docker engine, stdin, other pipelines | bytes with their position in a stream |
//! | [`flow`] | those bytes | labelled events, in batches |
//! | [`store`] | batches | the same, durable, in portions for the sinks |
//! | [`store`] | batches | the same, kept together with how far everything was read |
//! | [`sink`] | what is kept | what leaves the agent |
//!
//! Beside the flow stand [`config`] (what was written, checked), [`packs`] (which rules), [`client`] (requests over HTTP),
//! [`kubernetes`] (what the cluster says of this node's pods),
//! [`telemetry`] (log, metrics, health), [`wire`] (formats that are both read and written), [`escape`] (hostile text made
//! harmless), [`shutdown`] and [`cli`].

pub mod answers;
pub mod app;
pub mod ask;
#[cfg(test)]
#[path = "../../tests/harness/chat.rs"]
mod chat;
pub mod classify;
pub mod cli;
pub mod client;
pub mod config;
pub mod escape;
pub mod flow;
pub mod generate;
pub mod http;
pub mod kubernetes;
pub mod models;
pub mod packs;
#[cfg(test)]
#[path = "../../tests/harness/receiver.rs"]
mod receiver;
pub mod shutdown;
pub mod sink;
pub mod source;
pub mod sources;
pub mod store;
pub mod stores;
pub mod telemetry;
pub mod ui;
pub mod web;
pub mod wire;
pub mod writing;

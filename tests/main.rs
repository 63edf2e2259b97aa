//! What the binary promises, tested from outside: the real executable, real files, sockets, signals and a real Docker engine.
//!
//! | file | what it holds |
//! |---|---|
//! | [`rooms`] | who may import whom, read from the sources |
//! | [`cli`] | wrong use, `check`, `explain`, `rules test`, `completions`, exit codes |
//! | [`ask`] | `ingest` and `ask`: what is found, counted and quoted, and what is not |
//! | [`classify`] | the formats of `classify`, its joins, its order |
//! | [`conformance`] | what rules and levels say does not depend on the order of the lines |
//! | [`healthcheck`] | `logsieve healthcheck`: well, degraded, gone, with a token |
//! | [`filter`] | the Fluent Bit filter in a WebAssembly runtime: what it adds, leaves alone, costs |
//! | [`udf`] | the functions for Arroyo, through their symbols with Arrow arrays |
//! | [`skins`] | agent, filter and functions say the same of a line |
//! | [`hostile`] | bad input: never a panic, never another line's loss |
//! | [`image`] | the Dockerfile, built and run by a Docker engine |
//! | [`follow`] | `run` over files: rotation, truncation, drain, 10,000 files |
//! | [`crash`] | `kill -9` at any moment: every line once in the store, no line lost on its way |
//! | [`receive`] | what other pipelines send: acknowledged once stored, refused where it cannot be taken, nothing lost |
//! | [`reload`] | SIGHUP: a changed pack, a broken pack, no line lost |
//! | [`http`] | the API: the seeds' shapes, refusals, live streams, bounds |
//! | [`kubernetes`] | the watch of a cluster's pods, its faults, and how pods ask to be read |
//! | [`metrics`] | the metrics and health listener, scraped by a real Prometheus |
//! | [`llm`] | a language model behind the rules and the BERT: verdicts kept, faults that hold nothing up, nothing leaked |
//! | [`model`] | the BERT behind the rules: once per template, remembered, the user's own categories and classifier |
//! | [`worded`] | answers in a language model's words: held against what was found, streamed, followed up |
//! | [`recall`] | how much of what answers a question is found, on logs and questions of our own |
//! | [`page`] | the page, in a real Chromium |
//! | [`pipe`] | `run` at the end of a pipe |
//! | [`protocols`] | sinks over forward, OTLP and Loki's API: receivers that decode with other libraries, and fail as others do |
//! | [`sinks`] | files, JSON over HTTP and standard output side by side: outages, stops and starts |
//! | [`dashboards`] | rules under promtool; every expression of dashboards and alerts on a real Prometheus |
//! | [`shipped`] | every configuration, manifest and unit that is shipped, read by what will read it |
//! | [`docker`] | `run` over the Docker API: every line of every container, once |
//! | [`store`] | what is kept over restarts, and a store that cannot be used |
//! | [`corpora`] | whole logs of real servers, where the evaluation data is at hand |
//!
//! [`harness`] holds what they share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says why it skips"
)]

mod ask;
mod classify;
mod cli;
mod conformance;
mod corpora;
mod crash;
mod dashboards;
mod docker;
mod filter;
mod follow;
mod harness;
mod healthcheck;
mod hostile;
mod http;
mod image;
mod kubernetes;
mod llm;
mod metrics;
mod model;
mod page;
mod pipe;
mod protocols;
mod recall;
mod receive;
mod reload;
mod rooms;
mod shipped;
mod sinks;
mod skins;
mod store;
mod udf;
mod worded;

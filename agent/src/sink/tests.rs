//! Sinks from end to end: a real flow, a real store, the engine, and a server that does what the test asks for.

mod choice;
mod failures;
#[path = "../../../tests/harness/receiver.rs"]
mod receiver;
mod requests;
mod rig;
mod secrets;
mod tls;

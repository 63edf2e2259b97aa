//! Sinks from end to end: a real flow, a real store, the engine, and a server that does what the test asks for.

mod choice;
mod failures;
mod requests;
mod rig;
mod secrets;
mod tls;

use crate::receiver;

//! The agent: tails what containers print and labels each event.

pub mod shutdown;
pub mod source;

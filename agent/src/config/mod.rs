//! The configuration: [`raw`] is what was written, [`Checked`] is what the rooms take.

pub mod llm;
pub mod raw;
pub mod receivers;
pub mod sinks;

mod checked;
mod error;

pub use checked::{Api, Checked, Listener, PackChoice, Telemetry};
pub use error::ConfigError;

#[cfg(test)]
mod tests;

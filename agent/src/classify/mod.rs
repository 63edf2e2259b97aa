//! The stages after the rules: what is judged once per template.

pub mod judge;
pub mod model;
#[cfg(test)]
mod tests;

pub use judge::{Judge, text_of};

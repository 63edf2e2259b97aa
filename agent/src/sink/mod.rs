//! Where labelled events go.

pub mod encode;
pub mod stdout;

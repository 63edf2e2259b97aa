//! Formats that both a sink and a receiver speak: written by the one, read by the other.
//!
//! | file | what |
//! |---|---|
//! | [`msgpack`] | MessagePack, read |
//! | [`forward`] | pieces of the Fluent forward protocol, written |
//! | [`otlp`] | messages of OTLP |

pub mod forward;
pub mod msgpack;
pub mod otlp;

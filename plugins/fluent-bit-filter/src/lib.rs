//! Fluent Bit's WASM filter: gives every record what logsieve's rules say of it, and leaves everything else of it as it was.
//!
//! | module | enters | leaves |
//! |---|---|---|
//! | [`record`] | a record as JSON | where its text stands, what names are taken, where it ends |
//! | [`filter`] | a record | the same with five fields more, or word that it goes through as it is |
//! | [`mend`] | a record that Fluent Bit printed, but would not read | one that it does |
//! | `abi` (wasm32 only) | Fluent Bit's call | its answer |
//! | `wasi` (wasm32 only) | a file's name | what it holds, from an accessible path |

#[cfg(target_arch = "wasm32")]
mod abi;
pub mod filter;
pub mod mend;
pub mod record;
#[cfg(target_arch = "wasm32")]
mod wasi;

//! The store through its public API, on real files.

mod rig;
mod run;

//! The store through its public API, on real files and on a disk that fails.

mod faults;
mod layout;
mod model;
mod platter;
mod read;
mod rig;
mod run;

//! The files source against real files: everything that is done to log files in the field. Nothing is slept for: each
//! test waits for what it expects to be told, up to a deadline.

mod rig;

mod backlog;
mod compressed;
mod crowd;
mod gather;
mod interleaved;
mod moments;
mod remains;
mod rotation;
mod start;

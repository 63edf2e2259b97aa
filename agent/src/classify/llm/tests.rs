//! The room in front of a small server that answers as a language model does, or as one that has gone wrong.

mod failures;
mod hostile;
mod rig;
mod secrets;
mod verdicts;

use crate::receiver;

#[path = "../../../../tests/harness/receiver.rs"]
mod receiver;

mod failures;
mod hostile;
mod rig;
mod verdicts;

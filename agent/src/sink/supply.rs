//! What the engine takes events from.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::Batch;

/// Events with contiguous sequence numbers.
#[derive(Debug)]
pub(super) struct Portion {
    pub(super) first: u64,
    pub(super) batch: Batch,
}

/// What comes next for a sink.
#[derive(Debug)]
pub(super) enum Next {
    Portion(Arc<Portion>, usize),
    Idle,
    Expired { events: u64, reason: &'static str },
    Ended,
}

/// What became of the events that a sink was handed at once; the sum is their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) filtered: u64,
    pub(super) sampled: u64,
    pub(super) rejected: Vec<(&'static str, u64)>,
}

pub(super) trait Supply: Send {
    fn next(&mut self, wait: Duration) -> Next;
    fn acknowledge(&mut self, upto: u64, delivered: &Delivered);
    fn pending(&self) -> u64;
}

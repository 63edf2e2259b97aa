//! What another program has handed over and keeps until it is told that the store has it.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use logline::event::Stream;
use logline::level::Level;
use logline::time::Timestamp;

use super::SourceId;

/// Events of one request, or of a part of one.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The events, in their order.
    pub entries: Vec<Entry>,
    /// Their texts.
    pub bytes: Vec<u8>,
    /// Says that they are kept, or that they are not.
    pub ticket: Ticket,
}

/// One event of a [`Delivery`], whole: nothing is joined to it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its stream, which was opened before.
    pub id: SourceId,
    /// Where its text lies in the delivery's bytes.
    pub text: Range<usize>,
    /// When it happened, if the sender says so.
    pub timestamp: Option<Timestamp>,
    /// Which of the container's streams it was written to.
    pub stream: Stream,
    /// How bad the sender says that it is.
    pub level: Option<Level>,
    /// Its position in its stream, for its id.
    pub start: u64,
}

/// A part of what is to be kept. Whoever has made it durable says [`kept`](Self::kept); a ticket that is dropped says that it was not.
/// The sender is told once the last clone has been used: kept, if all of them were.
pub struct Ticket {
    inner: Arc<Inner>,
    kept: bool,
}

type Tell = Box<dyn FnOnce(bool) + Send>;

struct Inner {
    failed: AtomicBool,
    tell: Mutex<Option<Tell>>,
}

impl Ticket {
    /// A ticket that calls `tell` once, with whether everything was kept. It must not block.
    #[must_use]
    pub fn new(tell: impl FnOnce(bool) + Send + 'static) -> Self {
        Self {
            inner: Arc::new(Inner {
                failed: AtomicBool::new(false),
                tell: Mutex::new(Some(Box::new(tell))),
            }),
            kept: false,
        }
    }

    /// Everything that this ticket goes with is durable.
    pub fn kept(mut self) {
        self.kept = true;
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            kept: false,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.kept {
            self.inner.failed.store(true, Ordering::Release);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let kept = !*self.failed.get_mut();
        let tell = self
            .tell
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(tell) = tell {
            tell(kept);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, TryRecvError, channel};

    use super::*;

    fn ticket() -> (Ticket, Receiver<bool>) {
        let (sender, told) = channel();
        let ticket = Ticket::new(move |kept| sender.send(kept).unwrap());
        (ticket, told)
    }

    #[test]
    fn the_sender_is_told_once_when_the_last_part_is_kept() {
        let (first, told) = ticket();
        let second = first.clone();
        first.kept();
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
        second.kept();
        assert_eq!(told.try_recv(), Ok(true));
        assert_eq!(told.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn a_part_that_is_lost_is_told_whatever_became_of_the_others() {
        let (first, told) = ticket();
        let second = first.clone();
        drop(first);
        second.kept();
        assert_eq!(told.try_recv(), Ok(false));
    }
}

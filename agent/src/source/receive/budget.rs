//! How many bytes may be on their way from senders to the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left of the bound.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            left: AtomicUsize::new(bytes),
        }
    }

    fn take(&self, bytes: usize) -> bool {
        self.left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                left.checked_sub(bytes)
            })
            .is_ok()
    }
}

/// Bytes that somebody has been given; they go back with the value.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// `bytes` of the budget, if they are there.
    pub(super) fn of(budget: &Arc<Budget>, bytes: usize) -> Option<Self> {
        budget.take(bytes).then(|| Self {
            budget: Arc::clone(budget),
            bytes,
        })
    }

    /// Takes so many more; false where they are not there.
    #[must_use]
    pub fn grow(&mut self, more: usize) -> bool {
        let grown = self.budget.take(more);
        if grown {
            self.bytes += more;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Arc::new(Budget::new(10));
        let mut share = Share::of(&budget, 6).unwrap();
        assert!(Share::of(&budget, 5).is_none());
        assert!(!share.grow(5));
        assert!(share.grow(4));
        assert!(Share::of(&budget, 1).is_none());
        drop(share);
        assert!(Share::of(&budget, 10).is_some());
    }
}

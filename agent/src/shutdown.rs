//! One handle that tells every thread and task to stop; who triggers it (a signal, a test) is not its business.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

type Waker = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Inner {
    triggered: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
    condvar: Condvar,
    notify: Notify,
}

/// A shared stop signal: cheap to clone, triggered once, never reset.
#[derive(Clone, Default)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

impl Shutdown {
    /// A handle that is not triggered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether [`trigger`](Self::trigger) was called on any clone.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.inner.triggered.load(Ordering::Acquire)
    }

    /// Tells everybody to stop and wakes whoever sleeps in a wait. Repeating it changes nothing.
    pub fn trigger(&self) {
        let wakers = {
            // Set under the lock, so that a sleeper cannot check first and sleep after the wake-up.
            let mut wakers = self.lock();
            self.inner.triggered.store(true, Ordering::Release);
            std::mem::take(&mut *wakers)
        };
        self.inner.condvar.notify_all();
        self.inner.notify.notify_waiters();
        for waker in wakers {
            waker();
        }
    }

    /// Sleeps until the handle is triggered.
    pub fn wait(&self) {
        let mut guard = self.lock();
        while !self.is_triggered() {
            guard = self
                .inner
                .condvar
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sleeps for at most `timeout`; true when the handle is triggered.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut guard = self.lock();
        while !self.is_triggered() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            guard = self
                .inner
                .condvar
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Completes when the handle is triggered. Safe to drop and to call again.
    pub async fn triggered(&self) {
        let notified = self.inner.notify.notified();
        tokio::pin!(notified);
        // Registered before the check: a trigger between the two is not missed.
        notified.as_mut().enable();
        if !self.is_triggered() {
            notified.await;
        }
    }

    /// Runs `waker` once when the handle is triggered, on the triggering thread, or at once if it is already.
    /// For sleepers that wait on something other than this handle, such as a file descriptor. It must not block.
    pub fn on_trigger(&self, waker: impl FnOnce() + Send + 'static) {
        {
            let mut wakers = self.lock();
            if !self.is_triggered() {
                wakers.push(Box::new(waker));
                return;
            }
        }
        waker();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.inner
            .wakers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("triggered", &self.is_triggered())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_every_kind_of_sleeper() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.wait_timeout(Duration::from_millis(1)));
        let (sent, woken) = std::sync::mpsc::channel();
        let mut threads = Vec::new();
        for kind in 0..3 {
            let (shutdown, sent) = (shutdown.clone(), sent.clone());
            threads.push(std::thread::spawn(move || {
                match kind {
                    0 => shutdown.wait(),
                    1 => assert!(shutdown.wait_timeout(Duration::from_secs(60))),
                    _ => tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap()
                        .block_on(shutdown.triggered()),
                }
                sent.send(kind).unwrap();
            }));
        }
        let from_waker = sent.clone();
        shutdown.on_trigger(move || from_waker.send(3).unwrap());
        shutdown.trigger();
        shutdown.trigger();
        shutdown.on_trigger(move || sent.send(4).unwrap());
        let mut all: Vec<_> = woken.iter().take(5).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(shutdown.is_triggered());
    }
}

//! A descriptor that becomes readable at a shutdown, for threads that sleep in `poll`.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

use crate::shutdown::Shutdown;

/// An eventfd that `shutdown` makes readable. The descriptor stays open as long as the handle lives.
///
/// # Errors
/// When no descriptor is left.
pub(super) fn wake_on(shutdown: &Shutdown) -> std::io::Result<Arc<OwnedFd>> {
    let fd = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let writer = Arc::clone(&fd);
    shutdown.on_trigger(move || {
        // Writing 1 to a fresh counter cannot block or overflow.
        let _ = rustix::io::write(&*writer, &1u64.to_ne_bytes());
    });
    Ok(fd)
}

//! An engine for questions that is kept up to date, so that who asks need not wait for it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::ask::Engine;

/// Between two turns of getting ready: the lines have the processor first.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a turn is.
const TURN: Duration = Duration::from_millis(50);

/// Starts the thread that keeps `engine` ready.
///
/// # Errors
/// Where it cannot be started.
pub fn ready(engine: Engine) -> std::io::Result<Arc<Engine>> {
    let engine = Arc::new(engine);
    let own = Arc::downgrade(&engine);
    std::thread::Builder::new()
        .name("ask".to_owned())
        .spawn(move || keep_ready(&own))?;
    Ok(engine)
}

/// Ends with the engine.
fn keep_ready(engine: &Weak<Engine>) {
    loop {
        std::thread::sleep(PAUSE);
        let Some(engine) = engine.upgrade() else {
            return;
        };
        // A store that cannot be read says so in the health, and to whoever asks.
        let _ = engine.prepare(TURN);
    }
}

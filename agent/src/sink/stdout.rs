//! Standard output: every event at once, one after another.

use std::io::Write;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;

use super::encode::{Encode, Outgoing};
use crate::flow::Batch;
use crate::telemetry::SinkMetrics;

/// Bytes that are written together.
const WRITE_BYTES: usize = 64 * 1024;

/// Writes batches to `out` on a thread of its own until the sender is gone; the emptied batches go back through `used`.
/// The thread ends with the error of the first write that fails, and with it the agent: nobody would read the rest.
///
/// # Errors
/// Where the thread cannot be started.
pub(super) fn spawn(
    batches: Receiver<Batch>,
    used: Sender<Batch>,
    mut encoder: Box<dyn Encode + Send>,
    mut out: Box<dyn Write + Send>,
    metrics: SinkMetrics,
) -> std::io::Result<JoinHandle<std::io::Result<()>>> {
    std::thread::Builder::new()
        .name("sink-stdout".to_owned())
        .spawn(move || {
            let mut text = Vec::with_capacity(WRITE_BYTES * 2);
            for mut batch in batches {
                let mut written = 0;
                for event in &batch.events {
                    encoder.encode(&Outgoing::plain(&batch, event), &mut text);
                    if text.len() >= WRITE_BYTES {
                        written += flush(&mut text, &mut out)?;
                    }
                }
                written += flush(&mut text, &mut out)?;
                metrics.delivered(batch.events.len() as u64, written);
                batch.clear();
                // The flow may have ended already; then the batch is not needed any more.
                let _ = used.send(batch);
            }
            Ok(())
        })
}

fn flush(text: &mut Vec<u8>, out: &mut dyn Write) -> std::io::Result<u64> {
    out.write_all(text)?;
    out.flush()?;
    let written = text.len() as u64;
    text.clear();
    Ok(written)
}

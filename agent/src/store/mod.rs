//! Where labelled events are kept: stored together with the positions they were read from, then fed to the sinks.
//!
//! Enters: batches of the flow, and acknowledgements of the sinks. Leaves: [`Portion`]s through one [`Feed`] per sink, and
//! whatever a reader asks for. One thread writes; a transaction holds a run of events, the names they use, the cursors of
//! their streams, the ledger and what the sinks have acknowledged, so that the file is whole whenever the agent dies.
//! The layout of the file is drawn in `ARCHITECTURE.md`.
//!
//! | file | what |
//! |---|---|
//! | [`options`] | how it is set up |
//! | [`open`] | opening the file and taking up what it knows |
//! | [`writer`], [`waiting`] | the thread that writes, and what it waits for |
//! | [`feed`] | what a sink takes its events from |
//! | [`state`] | what writer, feeds and readers share |
//! | [`live`] | what a watcher sees of the newest events |
//! | [`segment`] | events as blocks in the file |
//! | [`names`] | store-wide numbers |
//! | [`survey`] | what the blocks hold, for summaries in memory |
//! | [`ledger`] | what became of every line |
//! | [`tally`] | what is counted without texts |
//! | [`tables`] | the layout |

mod account;
mod audit;
mod backend;
pub mod block;
mod changes;
mod damage;
mod disk;
mod error;
mod feed;
mod fetch;
mod heal;
mod index;
mod ledger;
mod live;
mod names;
mod open;
mod options;
mod reader;
mod records;
mod recover;
mod retention;
mod seal;
mod segment;
mod state;
mod survey;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod waiting;
mod writer;

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use audit::{Audit, FileAudit, SinkAudit, StreamAudit, Verification};
pub use backend::MakeBackend;
pub use error::Fault;
pub use feed::{Feed, Next, Portion};
pub use ledger::{DAMAGED, Delivered, RETENTION, STORE_UNAVAILABLE, SinkRecord, StreamLedger};
pub use live::{Live, News};
pub use names::KnownTemplate;
pub use open::Recovered;
pub use options::{Options, WhenFull};
pub use reader::{Embedded, Hit, Query, Reader};
pub use survey::BlockPlace;
pub use tally::{Shown, Stretch};

use crate::flow::Batch;
use crate::telemetry::{Health, Metrics};
use state::{Shared, Sink};
use writer::Kept;

/// A handle on the store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
    /// What the file holds, until the writer takes it over.
    kept: Arc<Mutex<Option<Kept>>>,
}

impl Store {
    /// Opens the store of `options`, or makes it, and gives what it remembers. Where its file cannot be used the store
    /// works without it, says so in the health, and tries again: a file of a later version, one that another process has
    /// open, or a directory that cannot be written is no reason not to pass events on.
    #[must_use]
    pub fn open(options: Options) -> (Self, Recovered) {
        let opened = open::open(&options, None, options.wait_for_lock);
        let shared = Shared::new(options);
        let mut recovered = Recovered::default();
        let mut kept = Kept::default();
        {
            let mut state = shared.lock();
            match opened {
                Ok((disk, loaded)) => {
                    recovered.cursors = loaded.cursors;
                    recovered.templates = loaded.names.known_templates();
                    recovered.notes.clone_from(&loaded.notes);
                    kept = Kept {
                        ledger: loaded.ledger,
                        gone: loaded.gone,
                        index: loaded.index,
                        ended: loaded.ended,
                        notes: loaded.notes.into_iter().take(3).collect(),
                    };
                    state.loaded = true;
                    state.next = loaded.next;
                    state.oldest = loaded.oldest;
                    for (name, record) in loaded.sinks {
                        state.sinks.insert(name, Sink::new(record, true));
                    }
                    *shared.names.write().unwrap_or_else(PoisonError::into_inner) = loaded.names;
                    shared.set_disk(Some(Arc::new(disk)));
                }
                Err(fault) => state.unavailable = Some(fault.to_string()),
            }
            let next = state.next;
            for name in &shared.options.sinks {
                state.sink(name, next).owed = true;
            }
        }
        let store = Self {
            shared: Arc::new(shared),
            kept: Arc::new(Mutex::new(Some(kept))),
        };
        (store, recovered)
    }

    /// A reader of what is stored.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The events for the sink `name`, from the first that it has not acknowledged; for a new one from now on.
    #[must_use]
    pub fn feed(&self, name: &str) -> Feed {
        Feed::new(Arc::clone(&self.shared), name)
    }
}

/// Starts the writer. It ends when the other side of `batches` is gone and every feed has been dropped after its end, or
/// after [`Options::drain`]. Emptied batches go back through `used`.
///
/// # Errors
/// Where a thread cannot be started.
pub fn spawn(
    store: &Store,
    batches: Receiver<Batch>,
    used: Sender<Batch>,
    metrics: &Metrics,
    health: Arc<Health>,
) -> std::io::Result<JoinHandle<()>> {
    let shared = Arc::clone(&store.shared);
    // It ends with the flow, or with the writer, whichever is first; nobody waits for it.
    std::thread::Builder::new()
        .name("store-intake".to_owned())
        .spawn(move || writer::take_in(&shared, &batches))?;
    let kept = store
        .kept
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
        .unwrap_or_default();
    let writer = writer::Writer::new(Arc::clone(&store.shared), used, metrics, health, kept);
    std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || writer.run())
}

//! Events as they come, for many who watch: one thread takes what the store has published and encodes it once; everybody
//! gets the same bytes. Who is too slow is cut off, which neither the store nor anybody else notices.
//!
//! | file | what |
//! |---|---|
//! | [`fan`] | the thread, and what it sends round |
//! | [`choice`] | which events a watcher wants |
//! | [`past`] | events from before, for who comes back |
//! | [`sse`] | as server-sent events |
//! | [`ws`] | over a WebSocket |

mod choice;
mod fan;
mod past;
pub(super) mod sse;
pub(super) mod ws;

use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

pub(super) use fan::Fan;

use super::Api;
use super::problem::Problem;

/// A server-sent event.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it is written by hand; this is its description")]
pub(super) struct ServerSentEvent {
    /// What it is; `message` where nothing is said.
    #[schema(required = false)]
    event: String,
    /// An object in JSON.
    data: String,
    /// What to go on after.
    #[schema(required = false)]
    id: String,
}

/// A place among the live streams; free again when it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// A place, unless all are taken.
fn place(api: &Api) -> Result<Place, Problem> {
    match api.stream_places().try_acquire_owned() {
        Ok(permit) => Ok(Place { _permit: permit }),
        Err(_) => Err(Problem::busy(
            "as many live streams are open as api.max_streams allows",
        )),
    }
}

//! Events from before, read from the store in pieces: what a watcher has missed while it was away.

use std::ops::ControlFlow;

use super::fan::{Encoded, Encoder};
use crate::http::Api;
use crate::http::problem::Problem;
use crate::store::Query;

/// Events that are read at once.
const AT_ONCE: usize = 512;

/// The next stored events from `from` on; fewer than there are, and nothing where there are none.
pub(super) async fn after(api: &Api, from: u64) -> Result<Vec<Encoded>, Problem> {
    let lines = api.lines()?;
    api.read(move |reader| {
        let mut encoder = Encoder::new(lines);
        let mut frames = Vec::new();
        let query = Query {
            start: Some(from),
            limit: AT_ONCE,
            ..Query::default()
        };
        reader.query(&query, |hit| {
            if encoder.push(hit.seq, hit.batch, hit.event) {
                frames.extend(encoder.take());
            }
            ControlFlow::Continue(())
        })?;
        frames.extend(encoder.take());
        Ok(frames)
    })
    .await
}

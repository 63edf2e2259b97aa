//! What becomes known of a stream's writer while it is read.

use std::sync::Arc;

use super::Flow;
use crate::source::{Origin, SourceId};

impl Flow {
    /// More is known of who writes a stream. Its id, and so those of its events, stay; the store learns it with the next batch.
    pub fn describe(&mut self, id: SourceId, origin: Arc<Origin>) {
        let pack = self.pack_of(&origin);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.describe(origin, self.settings.assemble.multiline);
        stream.pack = pack;
        if stream.touch() {
            self.touched.push(id);
        }
    }
}

//! Which events a watcher wants.

use logline::level::Level;

use crate::flow::StreamInfo;
use crate::http::which::Which;

/// What is given narrows the stream; nothing given lets all through.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Choice {
    pub(in crate::http) of: Option<Which>,
    pub(in crate::http) level: Option<Level>,
    pub(in crate::http) category: Option<String>,
}

impl Choice {
    pub(super) fn is_all(&self) -> bool {
        self.of.is_none() && self.level.is_none() && self.category.is_none()
    }

    pub(super) fn wants(&self, level: Level, category: &str, stream: Option<&StreamInfo>) -> bool {
        self.level.is_none_or(|least| level >= least)
            && self
                .category
                .as_ref()
                .is_none_or(|wanted| wanted == category)
            && self
                .of
                .as_ref()
                .is_none_or(|which| stream.is_some_and(|stream| which.is(stream)))
    }
}

//! Which events a sink is for. Names are looked up once per pack and stream, not per event.

use std::sync::Arc;

use crate::config::sinks::Filter;
use crate::flow::{Batch, Labelled, Labels, UNCLASSIFIED};

/// A filter with what it says of the names at hand.
pub(super) struct Select {
    filter: Filter,
    /// Of each category of `labels`, whether it is wanted; the last is `unclassified`.
    categories: Vec<bool>,
    labels: Option<Arc<Labels>>,
    /// Of each stream of the batch, whether it is wanted, as far as it is known.
    streams: Vec<Option<bool>>,
    passes_all: bool,
}

impl Select {
    pub(super) fn new(filter: Filter) -> Self {
        let passes_all = filter.min_level.is_none()
            && filter.categories.is_all()
            && filter.namespaces.is_all()
            && filter.containers.is_all();
        Self {
            filter,
            categories: Vec::new(),
            labels: None,
            streams: Vec::new(),
            passes_all,
        }
    }

    /// The events that are asked about next are those of `batch`.
    pub(super) fn begin(&mut self, batch: &Batch) {
        self.streams.clear();
        let known = self
            .labels
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &batch.labels));
        if !known {
            let names = batch.labels.categories.iter().map(String::as_str);
            self.categories = names
                .chain([UNCLASSIFIED])
                .map(|name| self.filter.categories.admit(name))
                .collect();
            self.labels = Some(Arc::clone(&batch.labels));
        }
    }

    /// Whether `event` goes out.
    pub(super) fn wants(&mut self, batch: &Batch, event: &Labelled) -> bool {
        self.passes_all
            || (self
                .filter
                .min_level
                .is_none_or(|least| event.level >= least)
                && self.wants_category(event)
                && self.wants_stream(batch, event))
    }

    fn wants_category(&self, event: &Labelled) -> bool {
        event
            .verdict
            .category
            .and_then(|index| self.categories.get(usize::from(index)))
            .or(self.categories.last())
            .copied()
            .unwrap_or(true)
    }

    fn wants_stream(&mut self, batch: &Batch, event: &Labelled) -> bool {
        let index = event.stream_index as usize;
        if self.streams.len() <= index {
            self.streams.resize(index + 1, None);
        }
        let filter = &self.filter;
        *self.streams[index].get_or_insert_with(|| {
            let Some(stream) = batch.stream(event) else {
                return true;
            };
            let (namespace, container) = match (&stream.origin.k8s, &stream.origin.container) {
                (Some(k8s), _) => (k8s.namespace.as_str(), k8s.container.as_str()),
                (None, Some(container)) => ("", container.name.as_str()),
                (None, None) => ("", ""),
            };
            filter.namespaces.admit(namespace) && filter.containers.admit(container)
        })
    }
}

//! The streams that a question is about.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ask::AskError;
use crate::ask::lines::source_name;
use crate::flow::StreamInfo;
use crate::store::Reader;

/// The ids of the streams that `wanted` names.
pub(in crate::ask) fn streams_of(
    reader: &Reader,
    wanted: &str,
) -> Result<HashSet<String>, AskError> {
    let streams = reader.streams();
    let fits = |stream: &&Arc<StreamInfo>| {
        let origin = &stream.origin;
        let container = origin.container.as_ref().is_some_and(|container| {
            container.name == wanted || (wanted.len() >= 8 && container.id.starts_with(wanted))
        });
        let pod = origin
            .k8s
            .as_ref()
            .is_some_and(|k8s| k8s.pod == wanted || k8s.container == wanted);
        container || pod || origin.name == wanted || source_name(stream) == wanted
    };
    let ids: HashSet<String> = streams
        .iter()
        .filter(fits)
        .map(|stream| stream.id.clone())
        .collect();
    if ids.is_empty() {
        return Err(AskError::UnknownContainer(wanted.to_owned()));
    }
    Ok(ids)
}

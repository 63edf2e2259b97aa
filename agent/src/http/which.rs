//! Which streams a name means: a container's id or the beginning of it, its name, its pod, or the source's own name.

use crate::flow::StreamInfo;
use crate::source::Origin;

/// The least that the beginning of a container's id may be.
const MIN_PREFIX: usize = 6;

/// A name that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Which(String);

impl Which {
    /// What `name` names.
    pub(super) fn new(name: &str) -> Self {
        Self(name.trim_start_matches('/').to_owned())
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Whether the name means this stream.
    pub(super) fn is(&self, stream: &StreamInfo) -> bool {
        let name = self.0.as_str();
        let origin = &stream.origin;
        let is_container = origin.container.as_ref().is_some_and(|container| {
            is_id(name, &container.id) || (!name.is_empty() && container.name == name)
        });
        let is_pod = origin
            .k8s
            .as_ref()
            .is_some_and(|k8s| k8s.pod == name || k8s.container == name || k8s.uid == name);
        is_container
            || is_pod
            || origin.name.trim_start_matches('/') == name
            || id_of(origin) == name
    }
}

/// Whether `name` is the id or enough of its beginning.
pub(super) fn is_id(name: &str, id: &str) -> bool {
    name.len() >= MIN_PREFIX && id.starts_with(name)
}

/// What a stream's container is called by programs: its id, where it has none its name.
pub(super) fn id_of(origin: &Origin) -> &str {
    match &origin.container {
        Some(container) if !container.id.is_empty() => &container.id,
        _ => match &origin.k8s {
            Some(k8s) if !k8s.uid.is_empty() => &k8s.uid,
            _ => &origin.name,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::{Container, Kind};

    #[test]
    fn a_container_goes_by_its_id_its_beginning_or_its_name() {
        let id = "4f5d".repeat(16);
        let mut origin = Origin::plain(Kind::Docker, "shop");
        origin.container = Some(Container {
            id: id.clone(),
            name: "shop".into(),
            ..Container::default()
        });
        let stream = StreamInfo {
            id: id.clone(),
            origin: Arc::new(origin),
        };
        for name in [id.as_str(), &id[..12], "shop", "/shop"] {
            assert!(Which::new(name).is(&stream), "{name}");
        }
        for name in ["", "4f5", "shop2", "4f5d4f5e4f5d"] {
            assert!(!Which::new(name).is(&stream), "{name}");
        }
    }

    #[test]
    fn a_file_goes_by_its_path() {
        let stream = StreamInfo {
            id: "1-2-3".into(),
            origin: Arc::new(Origin::plain(Kind::File, "/var/log/app.log")),
        };
        assert!(Which::new("/var/log/app.log").is(&stream));
        assert!(!Which::new("app.log").is(&stream));
        assert_eq!(id_of(&stream.origin), "/var/log/app.log");
    }
}

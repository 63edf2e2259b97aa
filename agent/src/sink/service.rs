//! What a stream's service is called where a receiver asks for one name.

use std::path::Path;

use crate::source::{Kind, Origin};

/// The label with which Docker Compose names what a container is for; kept where `sources.docker.labels` lists it.
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// A name that is the same for all instances of a program, as far as its origin tells: `service.name` in OTLP (semantic
/// conventions, "Specifying service attributes in Kubernetes"), `service_name` in Loki. Never empty.
#[must_use]
pub(super) fn service_name(origin: &Origin) -> &str {
    // Who sends by OTLP has said it.
    let told = origin.kind == Kind::Otlp && origin.name != Kind::Otlp.as_str();
    let known = if told {
        origin.name.as_str()
    } else if let Some(k8s) = &origin.k8s {
        k8s.container.as_str()
    } else if let Some(container) = &origin.container {
        let label = container
            .labels
            .iter()
            .find(|(key, _)| key == COMPOSE_SERVICE);
        label.map_or(container.name.as_str(), |(_, value)| value)
    } else if origin.kind == Kind::File {
        file_stem(&origin.name)
    } else if origin.kind.is_received() {
        origin.name.as_str()
    } else {
        origin.kind.as_str()
    };
    // What the specification says where there is no name.
    if known.is_empty() {
        "unknown_service"
    } else {
        known
    }
}

/// `app` of `/srv/app.log` and of `/srv/app.log.1`.
fn file_stem(path: &str) -> &str {
    let name = Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    match name.split_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Container, K8s};

    #[test]
    fn a_service_is_named_by_the_best_that_is_known() {
        let mut origin = Origin::plain(Kind::File, "/srv/checkout/api.log.1");
        assert_eq!(service_name(&origin), "api");
        origin.container = Some(Container {
            name: "shop-api-1".into(),
            ..Container::default()
        });
        assert_eq!(service_name(&origin), "shop-api-1");
        if let Some(container) = &mut origin.container {
            container.labels = vec![(COMPOSE_SERVICE.into(), "api".into())];
        }
        assert_eq!(service_name(&origin), "api");
        origin.k8s = Some(K8s {
            container: "server".into(),
            ..K8s::default()
        });
        assert_eq!(service_name(&origin), "server");
        for (origin, name) in [
            (Origin::plain(Kind::Stdin, "stdin"), "stdin"),
            (Origin::plain(Kind::File, "/var/log/.hidden"), ".hidden"),
            (Origin::plain(Kind::File, ""), "unknown_service"),
            (Origin::plain(Kind::Forward, "app.web"), "app.web"),
            (Origin::plain(Kind::Otlp, "checkout"), "checkout"),
        ] {
            assert_eq!(service_name(&origin), name, "{origin:?}");
        }
    }
}

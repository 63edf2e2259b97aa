//! Under which names collectors write who has printed a line.
//!
//! Fluent Bit's and Fluentd's `kubernetes` filters, Fluentd's Docker driver, Vector's `kubernetes_logs` and `docker_logs`,
//! OpenTelemetry's semantic conventions, and the agent's own.

use std::path::Path;

use serde_json::{Map, Value};

use crate::source::origin::container_link;
use crate::source::{Container, K8s};

/// A name may be so long.
const MAX_NAME: usize = 253;

/// Who has printed a record, as far as it tells.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) k8s: K8s,
    pub(super) container: Container,
    pub(super) labels: Map<String, Value>,
    pub(super) host: String,
    /// The host is the node that the pod runs on.
    pub(super) is_node: bool,
    pub(super) service: String,
    pub(super) file: String,
}

/// Takes out of a record what tells who has printed it.
pub(super) fn take(fields: &mut Map<String, Value>) -> Names {
    let mut names = Names::default();
    for section in ["kubernetes", "k8s"] {
        if let Some(mut inside) = object(fields, section) {
            of_pod(&mut inside, &mut names);
        }
    }
    dotted(fields, &mut names);
    let mut docker = object(fields, "docker").unwrap_or_default();
    fill(
        &mut names.container.id,
        &mut docker,
        &["container_id", "id"],
    );
    if let Some(mut inside) = object(fields, "container") {
        fill(&mut names.container.id, &mut inside, &["id"]);
        fill(&mut names.container.name, &mut inside, &["name"]);
        if let Some(mut image) = object(&mut inside, "image") {
            fill(&mut names.container.image, &mut image, &["name"]);
        }
        fill(&mut names.container.image, &mut inside, &["image"]);
    }
    if fields.contains_key("container_id") || fields.contains_key("container_name") {
        // Only beside these are the others what they look like.
        fill(&mut names.container.id, fields, &["container_id"]);
        fill(&mut names.container.name, fields, &["container_name"]);
        fill(
            &mut names.container.image,
            fields,
            &["container_image", "image"],
        );
        fields.remove("container_created_at");
        if let Some(labels) = object(fields, "label") {
            names.labels.extend(labels);
        }
    }
    fill(&mut names.host, fields, &["host", "hostname", "host.name"]);
    for key in ["file", "filename", "log.file.path"] {
        let is_path = |text: &str| text.starts_with('/');
        if fields.get(key).and_then(Value::as_str).is_some_and(is_path) {
            fill(&mut names.file, fields, &[key]);
        }
    }
    if fields.get("source_type").is_some_and(Value::is_string) {
        // Vector's own mark, and the path of its HTTP source.
        if fields
            .remove("source_type")
            .is_some_and(|mark| mark == "http_server")
        {
            fields.remove("path");
        }
    }
    let container = &mut names.container;
    // `docker://4f1c...`, `/name`
    if let Some((_, id)) = container.id.split_once("://") {
        container.id = id.to_owned();
    }
    if let Some(name) = container.name.strip_prefix('/') {
        container.name = name.to_owned();
    }
    names
}

fn of_pod(inside: &mut Map<String, Value>, names: &mut Names) {
    let k8s = &mut names.k8s;
    let namespace = ["namespace_name", "pod_namespace", "namespace"];
    fill(&mut k8s.namespace, inside, &namespace);
    fill(&mut k8s.pod, inside, &["pod_name", "pod"]);
    fill(&mut k8s.uid, inside, &["pod_id", "pod_uid"]);
    fill(&mut k8s.container, inside, &["container_name", "container"]);
    fill(
        &mut names.container.id,
        inside,
        &["docker_id", "container_id"],
    );
    fill(&mut names.container.image, inside, &["container_image"]);
    fill(&mut names.host, inside, &["host", "pod_node_name", "node"]);
    names.is_node = !names.host.is_empty();
    for key in ["labels", "pod_labels"] {
        if let Some(labels) = object(inside, key) {
            names.labels.extend(labels);
        }
    }
}

/// OpenTelemetry's names.
fn dotted(fields: &mut Map<String, Value>, names: &mut Names) {
    let k8s = &mut names.k8s;
    fill(&mut k8s.namespace, fields, &["k8s.namespace.name"]);
    fill(&mut k8s.pod, fields, &["k8s.pod.name"]);
    fill(&mut k8s.uid, fields, &["k8s.pod.uid"]);
    fill(&mut k8s.container, fields, &["k8s.container.name"]);
    fill(&mut names.container.id, fields, &["container.id"]);
    fill(&mut names.container.name, fields, &["container.name"]);
    fill(
        &mut names.container.image,
        fields,
        &["container.image.name"],
    );
    if fields.contains_key("k8s.node.name") {
        fill(&mut names.host, fields, &["k8s.node.name"]);
        names.is_node = true;
    }
    fill(&mut names.service, fields, &["service.name"]);
}

/// Takes out the object of this name.
fn object(fields: &mut Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    if !fields.get(key).is_some_and(Value::is_object) {
        return None;
    }
    match fields.remove(key) {
        Some(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Takes out the texts of these names; the first one counts, unless one is known already.
fn fill(known: &mut String, fields: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if !fields.get(*key).is_some_and(Value::is_string) {
            continue;
        }
        if let Some(Value::String(text)) = fields.remove(*key)
            && known.is_empty()
        {
            *known = bounded(text);
        }
    }
}

/// A name within its bound.
pub(super) fn bounded(mut name: String) -> String {
    if name.len() > MAX_NAME {
        let mut end = MAX_NAME;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// What the tag of a file below `/var/log/containers` tells: `kube.var.log.containers.POD_NAMESPACE_CONTAINER-ID.log`.
pub(super) fn of_tag(tag: &str, names: &mut Names) {
    let link = tag
        .split_once(".containers.")
        .and_then(|(_, file)| container_link(Path::new(file)));
    if let Some((k8s, id)) = link {
        names.k8s = k8s;
        if names.container.id.is_empty() {
            names.container.id = id;
        }
    }
}

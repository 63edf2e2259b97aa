//! What is read of the API's objects: the fields named here and nothing else. Commands, environment variables, volumes and the
//! annotations that repeat them are passed over while they are parsed.

use std::collections::BTreeMap;
use std::fmt;

use logline::time::{self, TimeContext};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::source::Owner;
use crate::source::pods::Pod;
use crate::source::switches;

/// Where the kubelet writes the uid that a static pod has in the paths of its logs.
const CONFIG_HASH: &str = "kubernetes.io/config.hash";
/// The label with which a Deployment tells its ReplicaSets apart.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// So much later than due may a CronJob's pod be made: retries, and a node that had no room.
const MINUTES_LATE: i64 = 3 * 24 * 60;
/// Annotations of a pod that are kept, and how much of each: anybody may write there.
const MAX_SWITCHES: usize = 64;
const VALUE_BYTES: usize = 256;
/// How much of an image's name is kept, and of how many containers.
const IMAGE_BYTES: usize = 512;
const MAX_CONTAINERS: usize = 256;

fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

/// A `PodList`.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    #[serde(default)]
    pub(super) metadata: ListMeta,
    #[serde(default)]
    pub(super) items: Option<Vec<Object>>,
}

/// A list's own metadata.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ListMeta {
    pub(super) resource_version: String,
    #[serde(rename = "continue")]
    pub(super) go_on: String,
}

/// A `WatchEvent`.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) object: Object,
}

/// A `Pod`, or a `Status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Object {
    pub(super) metadata: Meta,
    spec: Spec,
    /// Of a `Status`.
    pub(super) code: u16,
    /// Of a `Status`.
    pub(super) message: String,
}

/// An `ObjectMeta`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    namespace: String,
    name: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<Reference>>,
    creation_timestamp: Option<String>,
}

/// An `OwnerReference`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    kind: String,
    name: String,
    controller: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    image: String,
}

/// Those annotations that mean something here.
#[derive(Debug, Default)]
struct Annotations(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;

        impl<'de> Visitor<'de> for Wanted {
            type Value = Annotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
                let mut kept = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    let is_wanted = key == CONFIG_HASH || key.starts_with(switches::PREFIX);
                    if is_wanted && kept.len() < MAX_SWITCHES {
                        let mut value = map.next_value::<String>()?;
                        cut(&mut value, VALUE_BYTES);
                        kept.push((key, value));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                kept.sort();
                Ok(Annotations(kept))
            }
        }

        deserializer.deserialize_map(Wanted)
    }
}

impl Object {
    /// The pod, with those of its labels that are wanted.
    pub(super) fn into_pod(self, wanted: &[String]) -> Pod {
        let Self { metadata, spec, .. } = self;
        let labels = metadata.labels.unwrap_or_default();
        let mut switches = metadata.annotations.unwrap_or_default().0;
        let hash = switches.iter().position(|(key, _)| key == CONFIG_HASH);
        let path_uid = hash.map(|at| switches.remove(at).1);
        let containers = [
            spec.containers,
            spec.init_containers,
            spec.ephemeral_containers,
        ];
        Pod {
            path_uid: path_uid.filter(|uid| *uid != metadata.uid),
            owner: owner(
                metadata.owner_references.unwrap_or_default(),
                &labels,
                metadata.creation_timestamp.as_deref(),
            ),
            labels: labels
                .into_iter()
                .filter(|(key, _)| wanted.contains(key))
                .collect(),
            switches,
            images: containers
                .into_iter()
                .flatten()
                .flatten()
                .take(MAX_CONTAINERS)
                .map(|mut container| {
                    cut(&mut container.image, IMAGE_BYTES);
                    (container.name, container.image)
                })
                .collect(),
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
        }
    }
}

/// Who controls a pod. Two controllers stand between a pod and what people know, and are told by their names, which saves asking
/// for them: a Deployment calls its ReplicaSets `NAME-HASH`, with the hash that its pods carry as a label
/// (`kubernetes/pkg/controller/deployment/sync.go`), and a CronJob calls its Jobs `NAME-MINUTES`, the Unix time in minutes for
/// which they were due (`kubernetes/pkg/controller/cronjob/utils.go`, `getJobName`).
fn owner(
    references: Vec<Reference>,
    labels: &BTreeMap<String, String>,
    made: Option<&str>,
) -> Option<Owner> {
    let Reference { kind, name, .. } = references
        .into_iter()
        .find(|reference| reference.controller)?;
    let above = match kind.as_str() {
        "ReplicaSet" => labels
            .get(TEMPLATE_HASH)
            .filter(|hash| !hash.is_empty())
            .and_then(|hash| name.strip_suffix(hash.as_str())?.strip_suffix('-'))
            .map(|name| ("Deployment", name)),
        "Job" => name
            .rsplit_once('-')
            .filter(|(_, minutes)| was_due(minutes, made))
            .map(|(name, _)| ("CronJob", name)),
        _ => None,
    };
    Some(match above {
        Some((kind, name)) if !name.is_empty() => Owner {
            kind: kind.to_owned(),
            name: name.to_owned(),
        },
        _ => Owner { kind, name },
    })
}

/// Whether `minutes` is a time shortly before a pod was made: no other number at the end of a name is.
fn was_due(minutes: &str, made: Option<&str>) -> bool {
    let time = made.and_then(|made| time::parse(made.as_bytes(), &TimeContext::default()));
    let made = time.map(|time| time.0.div_euclid(60_000_000_000));
    match (minutes.parse::<i64>(), made) {
        (Ok(minutes), Some(made)) => {
            (minutes..=minutes.saturating_add(MINUTES_LATE)).contains(&made)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: &str) -> Pod {
        let object: Object = serde_json::from_str(json).unwrap();
        object.into_pod(&["app".to_owned()])
    }

    #[test]
    fn a_pod_is_read_without_its_environment() {
        let read: Object = serde_json::from_str(
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-5d4f8c7b9d-x2x4x","namespace":"shop","uid":"u1","resourceVersion":"7",
            "labels":{"app":"web","pod-template-hash":"5d4f8c7b9d","secret":"no"},
            "annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{env: hunter2}","logsieve/pack":"openstack"},
            "ownerReferences":[{"kind":"ReplicaSet","name":"web-5d4f8c7b9d","controller":true,"uid":"r"}]},
            "spec":{"containers":[{"name":"server","image":"shop/web:3","env":[{"name":"PASSWORD","value":"hunter2"}],"args":["--key=hunter2"]}],
            "initContainers":[{"name":"setup","image":"shop/setup:1"}]},"status":{"phase":"Running"}}"#,
        )
        .unwrap();
        assert!(!format!("{read:?}").contains("hunter2"), "{read:?}");
        let pod = read.into_pod(&["app".to_owned()]);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(pod.labels, [pair("app", "web")]);
        assert_eq!(pod.switches, [pair("logsieve/pack", "openstack")]);
        assert_eq!(
            pod.images,
            [pair("server", "shop/web:3"), pair("setup", "shop/setup:1")]
        );
        assert_eq!(
            pod.owner,
            Some(Owner {
                kind: "Deployment".into(),
                name: "web".into()
            })
        );
    }

    #[test]
    fn owners_are_told_as_far_as_they_are_certain() {
        let of = |labels: &str, references: &str| {
            pod(&format!(
                r#"{{"metadata":{{"creationTimestamp":"2026-03-01T10:00:07Z","labels":{labels},"ownerReferences":{references}}}}}"#
            ))
            .owner
            .map(|owner| format!("{}/{}", owner.kind, owner.name))
        };
        let job = |name: &str| format!(r#"[{{"kind":"Job","name":"{name}","controller":true}}]"#);
        let set = r#"[{"kind":"ReplicaSet","name":"web-abc","controller":true}]"#;
        let told = [
            (
                of(r#"{"pod-template-hash":"abc"}"#, set),
                Some("Deployment/web"),
            ),
            (
                of(r#"{"pod-template-hash":"bc"}"#, set),
                Some("ReplicaSet/web-abc"),
            ),
            (
                of(r#"{"pod-template-hash":"web-abc"}"#, set),
                Some("ReplicaSet/web-abc"),
            ),
            (
                of(r#"{"pod-template-hash":""}"#, set),
                Some("ReplicaSet/web-abc"),
            ),
            (of("null", set), Some("ReplicaSet/web-abc")),
            (
                of(
                    "{}",
                    r#"[{"kind":"Other","name":"o"},{"kind":"DaemonSet","name":"d","controller":true}]"#,
                ),
                Some("DaemonSet/d"),
            ),
            (of("{}", &job("backup-29539320")), Some("CronJob/backup")),
            (
                of("{}", &job("backup-29539321")),
                Some("Job/backup-29539321"),
            ),
            (
                of("{}", &job("backup-29530000")),
                Some("Job/backup-29530000"),
            ),
            (of("{}", &job("backup-2")), Some("Job/backup-2")),
            (of("{}", &job("-29539320")), Some("Job/-29539320")),
            (of("{}", r#"[{"kind":"Other","name":"o"}]"#), None),
            (of("{}", "null"), None),
        ];
        for (told, wanted) in told {
            assert_eq!(told.as_deref(), wanted);
        }
    }

    #[test]
    fn what_anybody_may_write_is_bounded() {
        let long = "ä".repeat(100_000);
        let many: Vec<_> = (0..1000)
            .map(|n| format!(r#""logsieve/{n}":"{long}""#))
            .collect();
        let pod = pod(&format!(
            r#"{{"metadata":{{"annotations":{{{}}}}},"spec":{{"containers":[{{"name":"a","image":"{long}"}}]}}}}"#,
            many.join(",")
        ));
        assert_eq!(pod.switches.len(), MAX_SWITCHES);
        assert!(
            pod.switches
                .iter()
                .all(|(_, value)| value.len() <= VALUE_BYTES)
        );
        assert!(pod.images[0].1.len() <= IMAGE_BYTES);
    }

    #[test]
    fn a_static_pod_tells_the_uid_of_its_paths() {
        let pod = pod(
            r#"{"metadata":{"uid":"api","annotations":{"kubernetes.io/config.hash":"kubelet","kubernetes.io/config.source":"file"}}}"#,
        );
        assert_eq!(pod.path_uid.as_deref(), Some("kubelet"));
        assert!(pod.switches.is_empty());
    }
}

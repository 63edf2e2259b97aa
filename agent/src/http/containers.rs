//! Who prints: the engine's containers where one answers, and everybody of whom the store has lines.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use logline::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::extract::Name;
use super::problem::Problem;
use super::which::{Which, id_of, is_id};
use crate::flow::StreamInfo;
use crate::source::{Origin, docker};

/// A container, or another source of lines. Never holds environment variables.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ContainerInfo {
    /// The full id; for what is no container, its name.
    pub(super) id: String,
    /// The name.
    pub(super) name: String,
    /// The image as it was asked for; empty where it is not known.
    pub(super) image: String,
    /// `running`, `exited`, ...; `removed` where only its lines are left; for what is no container, what it is.
    pub(super) status: String,
    /// The same.
    pub(super) state: String,
    /// The day on which it was made, or `unknown`.
    pub(super) created: String,
    /// Ports of this host that lead to it.
    ports: Vec<String>,
    /// What its lines are read from: `docker`, `file`, `stdin`, ...; none where they are not read.
    source: Option<&'static str>,
    /// Its pod, where it has one.
    k8s: Option<Pod>,
    /// Those of its pod's or its own labels that are kept.
    labels: BTreeMap<String, String>,
}

/// A container's place in Kubernetes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Pod {
    namespace: String,
    pod: String,
    uid: String,
    container: String,
    /// Who made the pod, where the cluster tells it.
    owner: Option<Owner>,
}

/// What made a pod.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Owner {
    /// `Deployment`, `DaemonSet`, ...
    kind: String,
    name: String,
}

/// All containers and other sources of lines.
#[utoipa::path(get, path = "/api/containers", tag = "containers", responses((status = 200, body = [ContainerInfo])))]
pub(super) async fn list(State(api): State<Api>) -> Json<Vec<ContainerInfo>> {
    Json(all(&api).await)
}

/// One container, by its id, the beginning of it, or its name.
#[utoipa::path(
    get,
    path = "/api/containers/{id}",
    tag = "containers",
    params(("id" = String, Path, description = "The id, at least six characters of its beginning, or the name")),
    responses(
        (status = 200, body = ContainerInfo),
        (status = 404, description = "There is no such container", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    Name(id): Name,
) -> Result<Json<ContainerInfo>, Problem> {
    find(&api, &id).await.map(Json)
}

/// The container that `id` names.
pub(super) async fn find(api: &Api, id: &str) -> Result<ContainerInfo, Problem> {
    let which = Which::new(id);
    all(api)
        .await
        .into_iter()
        .find(|container| {
            let name = which.name();
            !name.is_empty()
                && (container.id == name
                    || container.name == name
                    || container.id.trim_start_matches('/') == name
                    || is_id(name, &container.id))
        })
        .ok_or_else(|| {
            Problem::unknown(
                "container_not_found",
                "Container not found",
                "GET /api/containers lists those that are known",
            )
        })
}

async fn all(api: &Api) -> Vec<ContainerInfo> {
    let listed = docker::containers(api.docker()).await.ok();
    let mut found: BTreeMap<(String, String), ContainerInfo> = BTreeMap::new();
    for container in listed.iter().flatten() {
        let mut day = Vec::new();
        Timestamp(container.created.saturating_mul(1_000_000_000)).write_rfc3339(&mut day);
        day.truncate(10);
        let info = ContainerInfo {
            id: container.id.clone(),
            name: container.name.clone(),
            image: container.image.clone(),
            status: container.state.clone(),
            state: container.state.clone(),
            created: String::from_utf8_lossy(&day).into_owned(),
            ports: container.ports.clone(),
            source: None,
            k8s: None,
            labels: BTreeMap::new(),
        };
        found.insert((container.id.clone(), String::new()), info);
    }
    for stream in api.reader().streams() {
        let origin = &stream.origin;
        // Containers of one pod share its uid where their own ids are not known.
        let of_pod = match (&origin.container, &origin.k8s) {
            (Some(container), _) if !container.id.is_empty() => "",
            (_, Some(k8s)) => &k8s.container,
            _ => "",
        };
        let known = found
            .entry((id_of(origin).to_owned(), of_pod.to_owned()))
            .or_insert_with(|| of(&stream, listed.is_some()));
        known.source = Some(origin.kind.as_str());
        if let Some(pod) = pod(&stream) {
            // Of several restarts any may know more than the others.
            let is_more = |known: &Pod| pod.owner.is_some() || known.owner.is_none();
            if known.k8s.as_ref().is_none_or(is_more) {
                known.k8s = Some(pod);
            }
        }
        if !origin.labels().is_empty() {
            known.labels = origin.labels().iter().cloned().collect();
        }
        if let Some(container) = &origin.container
            && known.image.is_empty()
        {
            known.image.clone_from(&container.image);
        }
    }
    found.into_values().collect()
}

/// What the store alone knows of a stream's writer.
fn of(stream: &StreamInfo, engine_answers: bool) -> ContainerInfo {
    let origin = &stream.origin;
    let state = match &origin.container {
        Some(_) if engine_answers && origin.k8s.is_none() => "removed",
        Some(_) => "unknown",
        None => origin.kind.as_str(),
    };
    ContainerInfo {
        id: id_of(origin).to_owned(),
        name: name_of(origin).to_owned(),
        image: origin
            .container
            .as_ref()
            .map(|container| container.image.clone())
            .unwrap_or_default(),
        status: state.to_owned(),
        state: state.to_owned(),
        created: "unknown".to_owned(),
        ports: Vec::new(),
        source: Some(origin.kind.as_str()),
        k8s: pod(stream),
        labels: origin.labels().iter().cloned().collect(),
    }
}

/// What people call it: the container's name, else the source's own.
pub(super) fn name_of(origin: &Origin) -> &str {
    match (&origin.container, &origin.k8s) {
        (Some(container), _) if !container.name.is_empty() => &container.name,
        (_, Some(k8s)) => &k8s.container,
        _ => &origin.name,
    }
}

fn pod(stream: &StreamInfo) -> Option<Pod> {
    let k8s = stream.origin.k8s.as_ref()?;
    Some(Pod {
        namespace: k8s.namespace.clone(),
        pod: k8s.pod.clone(),
        uid: k8s.uid.clone(),
        container: k8s.container.clone(),
        owner: k8s.owner.as_ref().map(|owner| Owner {
            kind: owner.kind.clone(),
            name: owner.name.clone(),
        }),
    })
}

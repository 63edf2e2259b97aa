//! `/api/templates`: what the lines are made from, how often, and what it is about; `/api/categories`.

use std::cmp::Reverse;
use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use logline::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Name, Params, Payload};
use super::lines::template_id;
use super::logs::time_of;
use super::problem::Problem;
use crate::ask::KindOfLine;
use crate::classify::TeachError;
use crate::flow::UNCLASSIFIED;
use crate::store::KnownTemplate;

/// Templates that one answer may hold.
const MAX_TEMPLATES: usize = 5_000;

/// Which templates are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// `count`: the most frequent first; `new`: the newest first; `recent`: those seen last first.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// First seen at or after this time: RFC 3339, or seconds or milliseconds since 1970.
    new_since: Option<String>,
    /// Last seen before this time: what has gone since then.
    gone_since: Option<String>,
    /// With at least three times as many events since this time as in as long a time before it, and ten at least; those with the
    /// most growth first.
    surging_since: Option<String>,
    /// With this text in them.
    contains: Option<String>,
    /// Most of whose events are of this category, or that are judged to be of it; `unclassified`: nobody has decided.
    category: Option<String>,
    /// At most so many.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 5_000, default = 100)]
    limit: usize,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sort {
    /// The most frequent first.
    #[default]
    Count,
    /// The newest first.
    New,
    /// Those seen last first.
    Recent,
}

fn usual_limit() -> usize {
    100
}

/// A template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Template {
    /// Its id: 16 hexadecimal digits.
    id: String,
    /// The message with its variables masked.
    template: String,
    /// Events, in the life of the store.
    count: u64,
    /// Events since `surging_since`, where that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    count_since: Option<u64>,
    /// Events in as long a time before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    count_before: Option<u64>,
    /// When it was first seen.
    first_seen: String,
    /// When it was last seen.
    last_seen: String,
    /// What it is judged to be about; none where its lines are decided by rules or nobody has judged it.
    judged: Option<Judged>,
}

/// What a template is judged to be about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Judged {
    /// The category; `unclassified` where whoever judged abstained.
    category: String,
    /// `bert`, `llm` or `taught`.
    stage: &'static str,
    /// Probability that the category is right.
    confidence: f32,
    /// Why.
    reason: String,
    /// What tells the model and the taxonomy from others.
    version: String,
}

impl Template {
    fn of(known: &KnownTemplate) -> Self {
        Self {
            id: known.id.to_string(),
            template: known.text.clone(),
            count: known.count,
            count_since: None,
            count_before: None,
            first_seen: text(known.first_seen),
            last_seen: text(known.last_seen),
            judged: known.judged.as_ref().map(|judged| Judged {
                category: judged
                    .category
                    .clone()
                    .unwrap_or_else(|| UNCLASSIFIED.to_owned()),
                stage: judged.stage.as_str(),
                confidence: judged.confidence,
                reason: judged.reason.clone(),
                version: judged.version.clone(),
            }),
        }
    }
}

fn is_of(template: &KnownTemplate, kind: Option<&KindOfLine>, category: &str) -> bool {
    let of_events = kind.is_some_and(|kind| kind.category == category);
    let judged = template.judged.as_ref();
    let judged = judged.map(|judged| judged.category.as_deref().unwrap_or(UNCLASSIFIED));
    of_events || judged == Some(category)
}

fn text(nanoseconds: i64) -> String {
    let mut out = Vec::new();
    Timestamp(nanoseconds).write_rfc3339(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Templates.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Templates {
    /// How many there are of those that are wanted.
    total: usize,
    /// The first of them.
    templates: Vec<Template>,
}

/// What the lines are made from, and how often.
#[utoipa::path(get, path = "/api/templates", tag = "templates", params(Wanted), responses((status = 200, body = Templates)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Templates>, Problem> {
    if !(1..=MAX_TEMPLATES).contains(&wanted.limit) {
        return Err(Problem::value(
            format!("limit is {}", wanted.limit),
            format!("use 1 to {MAX_TEMPLATES}"),
        ));
    }
    let new_since = time_of("new_since", wanted.new_since.as_deref())?;
    let gone_since = time_of("gone_since", wanted.gone_since.as_deref())?;
    let surging_since = time_of("surging_since", wanted.surging_since.as_deref())?;
    // Sums over all events are only made where they are asked for.
    let engine = if surging_since.is_some() || wanted.category.is_some() {
        Some(api.engine()?)
    } else {
        None
    };
    let found = api
        .read(move |reader| {
            let since = surging_since.map(|since| since.0);
            let kinds = match engine {
                Some(engine) => engine.kinds(since)?,
                None => HashMap::new(),
            };
            let mut found = reader.templates();
            let kind = |template: &KnownTemplate| kinds.get(&template.id);
            found.retain(|template| {
                template.alias_of.is_none()
                    && new_since.is_none_or(|since| template.first_seen >= since.0)
                    && gone_since.is_none_or(|since| template.last_seen < since.0)
                    && wanted
                        .contains
                        .as_ref()
                        .is_none_or(|text| template.text.contains(text.as_str()))
                    && wanted
                        .category
                        .as_ref()
                        .is_none_or(|category| is_of(template, kind(template), category))
                    && (since.is_none() || kind(template).is_some_and(KindOfLine::surges))
            });
            match wanted.sort {
                _ if since.is_some() => found.sort_by_key(|template| {
                    let kind = kind(template).cloned().unwrap_or_default();
                    Reverse((kind.since * 1_000 / kind.before.max(1), kind.since))
                }),
                Sort::Count => found.sort_by_key(|template| Reverse(template.count)),
                Sort::New => found.sort_by_key(|template| Reverse(template.first_seen)),
                Sort::Recent => found.sort_by_key(|template| Reverse(template.last_seen)),
            }
            Ok(Templates {
                total: found.len(),
                templates: found
                    .iter()
                    .take(wanted.limit)
                    .map(|known| {
                        let mut template = Template::of(known);
                        if let Some(kind) = kind(known).filter(|_| since.is_some()) {
                            template.count_since = Some(kind.since);
                            template.count_before = Some(kind.before);
                        }
                        template
                    })
                    .collect(),
            })
        })
        .await?;
    Ok(Json(found))
}

/// One template. An id from before a merge leads to what it is part of now.
#[utoipa::path(
    get,
    path = "/api/templates/{id}",
    tag = "templates",
    params(("id" = String, Path, description = "16 hexadecimal digits")),
    responses(
        (status = 200, body = Template),
        (status = 404, description = "There is no such template", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn one(State(api): State<Api>, Name(id): Name) -> Result<Json<Template>, Problem> {
    let wanted = template_id(&id).ok_or_else(not_found)?;
    let found = api
        .read(move |reader| {
            let all = reader.templates();
            let by_id = |id| all.iter().find(|template| template.id == id);
            let found = by_id(wanted).and_then(|found| match found.alias_of {
                Some(now) => by_id(now),
                None => Some(found),
            });
            Ok(found.map(Template::of))
        })
        .await?;
    found.map(Json).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::unknown(
        "template_not_found",
        "there is no such template",
        "GET /api/templates lists those that are known",
    )
}

/// What a template is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    /// A category of the taxonomy.
    category: String,
}

/// That it is known.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Labelled {
    /// The template's id.
    id: String,
    /// Its text.
    template: String,
    /// The category that its events have from now on.
    category: String,
    /// `taught`.
    stage: &'static str,
}

/// Says what a template is about, for good: it wins over the model.
#[utoipa::path(
    post,
    path = "/api/templates/{id}/label",
    tag = "templates",
    params(("id" = String, Path, description = "16 hexadecimal digits")),
    request_body = Label,
    responses(
        (status = 200, body = Labelled),
        (status = 404, description = "There is no such template", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn label(
    State(api): State<Api>,
    Name(id): Name,
    Payload(label): Payload<Label>,
) -> Result<Json<Labelled>, Problem> {
    let wanted = template_id(&id).ok_or_else(not_found)?;
    let classifier = api.classifier();
    let category = label.category.clone();
    let taught = api
        .judge(move || classifier.teach(wanted, &category))
        .await?;
    match taught {
        Ok(template) => Ok(Json(Labelled {
            id,
            template,
            category: label.category,
            stage: "taught",
        })),
        Err(TeachError::Template(_)) => Err(not_found()),
        Err(TeachError::Category { known, .. }) => Err(Problem::value(
            "there is no such category",
            format!("use one of {}", known.join(", ")),
        )),
        Err(stopping @ TeachError::Ended) => Err(Problem::unavailable(
            "stopping",
            stopping,
            "try again when it is up",
        )),
    }
}

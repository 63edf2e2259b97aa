//! `/api/overview`: what is going on, counted: levels, categories, writers, and which templates are loud, new or louder than
//! before. One request for a first look; it reads no text of an event.

mod count;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use logline::level::Level;
use logline::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::Params;
use super::lines::template_id;
use super::logs::time_of;
use super::problem::Problem;
use crate::store::{KnownTemplate, Stretch};
use count::{Counter, Frame, OfTemplate, Sum};

/// Parts that a stretch of time may be cut into.
const MAX_PARTS: usize = 500;
/// Writers that are told.
const MAX_WRITERS: usize = 12;
/// Templates that are told in each list.
const MAX_TEMPLATES: usize = 8;
/// Nothing is new in the first minutes of a store: everything is.
const YOUTH: i64 = 300 * 1_000_000_000;
/// A template surges with so many events at least...
const SURGE_COUNT: u64 = 10;
/// ...and so many times as many as before.
const SURGE_TIMES: u64 = 3;

/// What is counted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Not before this time: RFC 3339, or seconds or milliseconds since 1970. Without it: from the first event that is stored.
    from_ts: Option<String>,
    /// Before this time. Without it: to the last event that is stored.
    to_ts: Option<String>,
    /// Into so many parts of the same length the time is cut.
    #[serde(default = "usual_parts")]
    #[param(minimum = 1, maximum = 500, default = 60)]
    parts: usize,
    /// Of this container alone.
    container_id: Option<String>,
    /// Of this template alone, by its id.
    #[param(pattern = "^[0-9a-f]{16}$")]
    template_id: Option<String>,
}

fn usual_parts() -> usize {
    60
}

/// What is going on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Overview {
    /// The first moment that counts.
    from: String,
    /// The one after the last.
    to: String,
    /// The earliest time that is stored, of all events or of the template's; none: nothing is.
    first: Option<String>,
    /// The latest.
    last: Option<String>,
    /// Whether the stretch of the same length before it is stored too, so that the two can be compared.
    compared: bool,
    /// False: there was not time to count everything; what is counted is the newest.
    complete: bool,
    /// Templates that are known.
    templates: usize,
    /// All events.
    events: Counts,
    /// By level, least severe first.
    levels: Vec<OfLevel>,
    /// By category, the most frequent first.
    categories: Vec<OfCategory>,
    /// By writer, those with the most errors first, then those with the most events.
    containers: Vec<OfContainer>,
    /// Writers in all.
    containers_total: usize,
    /// Templates with errors, the most frequent first.
    errors: Vec<Told>,
    /// Templates that were not seen before, the worst first.
    new: Vec<Told>,
    /// How many of these there are in all.
    new_total: usize,
    /// Templates with many more events than in the stretch before.
    surging: Vec<Told>,
    /// How many of these there are in all.
    surging_total: usize,
}

/// Events in the stretch of time and in the one before it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    count: u64,
    before: u64,
    /// In each part.
    counts: Vec<u64>,
}

impl Counts {
    fn of(mut sum: Sum, parts: usize) -> Self {
        sum.parts.resize(parts, 0);
        Self {
            count: sum.count,
            before: sum.before,
            counts: sum.parts,
        }
    }
}

/// Events of a level.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfLevel {
    level: &'static str,
    #[serde(flatten)]
    counts: Counts,
}

/// Events of a category.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfCategory {
    category: String,
    #[serde(flatten)]
    counts: Counts,
}

/// Events of a container or another writer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfContainer {
    /// What it is asked for by.
    id: String,
    name: String,
    count: u64,
    before: u64,
    /// Of level error or worse.
    errors: u64,
}

/// Events of a template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Told {
    id: String,
    template: String,
    /// The worst level of its events.
    level: &'static str,
    /// The category of most of them.
    category: String,
    count: u64,
    before: u64,
    /// The time of the first of its events in this stretch of time.
    first: Option<String>,
    /// The time of the last of them.
    last: Option<String>,
    /// Who wrote them, most first.
    containers: Vec<String>,
}

/// What is going on: counts over time by level, category and writer; the loudest errors, new and surging templates.
#[utoipa::path(
    get,
    path = "/api/overview",
    tag = "logs",
    params(Wanted),
    responses(
        (status = 200, body = Overview),
        (status = 404, description = "There is no such container or template", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn overview(
    State(api): State<Api>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Overview>, Problem> {
    if !(1..=MAX_PARTS).contains(&wanted.parts) {
        return Err(Problem::value(
            format!("parts is {}", wanted.parts),
            format!("use 1 to {MAX_PARTS}"),
        ));
    }
    let from = time_of("from_ts", wanted.from_ts.as_deref())?;
    let to = time_of("to_ts", wanted.to_ts.as_deref())?;
    let which = match wanted.container_id.as_deref() {
        None | Some("") => None,
        Some(name) => Some(api.which(name)?),
    };
    let template = match wanted.template_id.as_deref() {
        None => None,
        Some(id) => Some(template_id(id).ok_or_else(|| {
            Problem::value(
                "template_id is not the id of a template",
                "an id has 16 hexadecimal digits",
            )
        })?),
    };
    let until = Instant::now() + api.options().timeout / 2;
    let parts = wanted.parts;
    let counted = api
        .read(move |reader| {
            let templates = reader.templates();
            let only = match template {
                None => None,
                Some(id) => match templates.iter().find(|one| one.id == id) {
                    None => return Ok(None),
                    Some(one) => Some(one.alias_of.unwrap_or(one.id)),
                },
            };
            let number = only.and_then(|id| {
                let found = templates.iter().find(|one| one.id == id);
                found.map(|one| one.number)
            });
            let stored = reader.times(only)?;
            let (first, last) = stored.unwrap_or_default();
            let frame = Frame {
                from: from.map_or(first, |time| time.0),
                to: to.map_or(last.saturating_add(1), |time| time.0),
                parts,
            };
            let mut counter = Counter::new(frame, which, number, reader.labels(), &templates);
            let stretch = Stretch {
                from: Some(frame.before()),
                to: Some(frame.to),
                template: only,
                until: Some(until),
            };
            let complete = reader.tally(&stretch, |shown| counter.add(&shown))?;
            Ok(Some(told(counter, frame, stored, complete, &templates)))
        })
        .await?;
    counted.map(Json).ok_or_else(no_template)
}

/// The categories, counted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Categories {
    /// The first moment that counts.
    from: String,
    /// The one after the last.
    to: String,
    /// In the order of the taxonomy; then those of which events are stored all the same.
    categories: Vec<Category>,
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Category {
    category: String,
    /// What belongs to it; none: it is not of the taxonomy, as `unclassified` and categories of before.
    means: Option<String>,
    #[serde(flatten)]
    counts: Counts,
}

/// How many events each category has, over time. Those without events are told too.
#[utoipa::path(
    get,
    path = "/api/categories",
    tag = "templates",
    params(Wanted),
    responses(
        (status = 200, body = Categories),
        (status = 404, description = "There is no such container or template", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn categories(
    State(api): State<Api>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Categories>, Problem> {
    let taxonomy = api.classifier().categories();
    let parts = wanted.parts;
    let Json(found) = overview(State(api), Params(wanted)).await?;
    let mut counted = found.categories;
    let mut categories: Vec<Category> = taxonomy
        .into_iter()
        .map(|(category, means)| {
            let place = counted.iter().position(|one| one.category == category);
            Category {
                category,
                means: Some(means),
                counts: place.map_or_else(
                    || Counts::of(Sum::default(), parts),
                    |place| counted.remove(place).counts,
                ),
            }
        })
        .collect();
    categories.extend(counted.into_iter().map(|one| Category {
        category: one.category,
        means: None,
        counts: one.counts,
    }));
    Ok(Json(Categories {
        from: found.from,
        to: found.to,
        categories,
    }))
}

fn no_template() -> Problem {
    Problem::unknown(
        "template_not_found",
        "there is no such template",
        "GET /api/templates lists those that are known",
    )
}

fn told(
    mut counter: Counter,
    frame: Frame,
    stored: Option<(i64, i64)>,
    complete: bool,
    templates: &[KnownTemplate],
) -> Overview {
    let levels = Level::ALL
        .into_iter()
        .zip(std::mem::take(&mut counter.levels));
    let mut categories: Vec<OfCategory> = std::mem::take(&mut counter.categories)
        .into_iter()
        .filter(|(_, sum)| sum.count > 0)
        .map(|(category, sum)| OfCategory {
            category,
            counts: Counts::of(sum, frame.parts),
        })
        .collect();
    categories.sort_by_key(|one| Reverse(one.counts.count));
    let mut containers: Vec<OfContainer> = std::mem::take(&mut counter.writers)
        .into_iter()
        .filter(|(_, writer)| writer.count > 0)
        .map(|(id, writer)| OfContainer {
            id,
            name: writer.name,
            count: writer.count,
            before: writer.before,
            errors: writer.errors,
        })
        .collect();
    containers.sort_by_key(|one| (Reverse(one.errors), Reverse(one.count)));
    let containers_total = containers.len();
    containers.truncate(MAX_WRITERS);
    let compared = stored.is_some_and(|(first, _)| first <= frame.before());
    // Templates are new by when they came, whatever times their lines say.
    let own = templates.iter().filter(|one| one.alias_of.is_none());
    let birth = own.map(|one| one.first_seen).min();
    let since = birth.map_or(i64::MAX, |birth| {
        frame.from.max(birth.saturating_add(YOUTH))
    });
    let lists = Lists::new(&counter.of_templates, templates, since, compared);
    Overview {
        from: text(frame.from),
        to: text(frame.to),
        first: stored.map(|(first, _)| text(first)),
        last: stored.map(|(_, last)| text(last)),
        compared,
        complete,
        templates: templates
            .iter()
            .filter(|one| one.alias_of.is_none())
            .count(),
        events: Counts::of(std::mem::take(&mut counter.all), frame.parts),
        levels: levels
            .map(|(level, sum)| OfLevel {
                level: level.as_str(),
                counts: Counts::of(sum, frame.parts),
            })
            .collect(),
        categories,
        containers,
        containers_total,
        errors: lists.errors,
        new: lists.new,
        new_total: lists.new_total,
        surging: lists.surging,
        surging_total: lists.surging_total,
    }
}

struct Lists {
    errors: Vec<Told>,
    new: Vec<Told>,
    new_total: usize,
    surging: Vec<Told>,
    surging_total: usize,
}

impl Lists {
    fn new(
        counted: &HashMap<u32, OfTemplate>,
        templates: &[KnownTemplate],
        since: i64,
        compared: bool,
    ) -> Self {
        let all: Vec<(&KnownTemplate, &OfTemplate)> = templates
            .iter()
            .filter_map(|one| Some((one, counted.get(&one.number)?)))
            .filter(|(_, of)| of.count > 0)
            .collect();
        let is_new = |one: &KnownTemplate| one.first_seen >= since;
        let mut errors: Vec<_> = all.iter().filter(|(_, of)| of.errors > 0).collect();
        errors.sort_by_key(|(one, of)| (Reverse(of.errors), one.number));
        let mut new: Vec<_> = all.iter().filter(|(one, _)| is_new(one)).collect();
        new.sort_by_key(|(one, of)| (Reverse(of.worst.max(Level::Info)), Reverse(one.first_seen)));
        let mut surging: Vec<_> = all
            .iter()
            .filter(|(one, of)| {
                compared
                    && !is_new(one)
                    && of.count >= SURGE_COUNT
                    && of.count >= of.before.saturating_mul(SURGE_TIMES)
            })
            .collect();
        surging.sort_by_key(|(_, of)| (Reverse(of.worst), Reverse(of.count / (of.before + 1))));
        let first = |some: &[&(&KnownTemplate, &OfTemplate)]| {
            let some = some.iter().take(MAX_TEMPLATES);
            some.map(|(one, of)| Told::new(one, of)).collect::<Vec<_>>()
        };
        Self {
            errors: first(&errors),
            new_total: new.len(),
            new: first(&new),
            surging_total: surging.len(),
            surging: first(&surging),
        }
    }
}

impl Told {
    fn new(one: &KnownTemplate, of: &OfTemplate) -> Self {
        let mut writers: Vec<_> = of.writers.iter().collect();
        writers.sort_by_key(|(_, count)| Reverse(**count));
        let category = of.categories.iter().max_by_key(|(_, count)| **count);
        Self {
            id: one.id.to_string(),
            template: one.text.clone(),
            level: of.worst.as_str(),
            category: category.map(|(name, _)| name.clone()).unwrap_or_default(),
            count: of.count,
            before: of.before,
            first: of.times.map(|(first, _)| text(first)),
            last: of.times.map(|(_, last)| text(last)),
            containers: writers
                .iter()
                .take(3)
                .map(|(name, _)| name.to_string())
                .collect(),
        }
    }
}

fn text(nanoseconds: i64) -> String {
    let mut out = Vec::new();
    Timestamp(nanoseconds).write_rfc3339(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

//! Counts over a stretch of time and over the one before it, of all events or of some.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use logline::level::Level;

use crate::classify::Stage;
use crate::flow::{Labels, StreamInfo, UNCLASSIFIED};
use crate::http::containers::name_of;
use crate::http::which::{Which, id_of};
use crate::store::{KnownTemplate, Shown};

/// Times, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The first nanosecond that counts.
    pub(super) from: i64,
    /// The one after the last.
    pub(super) to: i64,
    /// Into so many parts of the same length it is cut.
    pub(super) parts: usize,
}

/// Where an event lies.
enum Place {
    Outside,
    Before,
    In(usize),
}

impl Frame {
    /// The beginning of the stretch of the same length before it.
    pub(super) fn before(&self) -> i64 {
        self.from.saturating_sub(self.to.saturating_sub(self.from))
    }

    fn place(&self, time: i64) -> Place {
        if time >= self.to || time < self.before() {
            return Place::Outside;
        }
        if time < self.from {
            return Place::Before;
        }
        let length = i128::from(self.to) - i128::from(self.from);
        let at = (i128::from(time) - i128::from(self.from)) * self.parts as i128 / length.max(1);
        Place::In(usize::try_from(at).map_or(0, |at| at.min(self.parts - 1)))
    }
}

/// Events: in each part, in all of them, and in the stretch before.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) parts: Vec<u64>,
    pub(super) count: u64,
    pub(super) before: u64,
    /// The times of the first and the last of them, those before left out.
    pub(super) times: Option<(i64, i64)>,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.parts.resize(other.parts.len(), 0);
        for (own, more) in self.parts.iter_mut().zip(&other.parts) {
            *own += more;
        }
        self.count += other.count;
        self.before += other.before;
        self.times = joined(self.times, other.times);
    }
}

fn joined(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        _ => one.or(other),
    }
}

/// One who writes.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) before: u64,
    pub(super) errors: u64,
}

/// Events of one template.
#[derive(Debug, Default)]
pub(super) struct OfTemplate {
    pub(super) count: u64,
    pub(super) before: u64,
    pub(super) errors: u64,
    /// The times of the first and the last of them.
    pub(super) times: Option<(i64, i64)>,
    /// The worst level among those in time.
    pub(super) worst: Level,
    pub(super) categories: BTreeMap<String, u64>,
    /// Who wrote them, by name.
    pub(super) writers: BTreeMap<Arc<str>, u64>,
}

/// Counts what it is shown.
pub(super) struct Counter {
    frame: Frame,
    /// Of these streams alone.
    which: Option<Which>,
    /// Of this template alone.
    only: Option<u32>,
    names: Arc<Labels>,
    /// By number: the template that it is part of now, and the category that it is judged to have.
    templates: HashMap<u32, (u32, Option<String>)>,
    pub(super) all: Sum,
    pub(super) levels: [Sum; Level::ALL.len()],
    pub(super) categories: BTreeMap<String, Sum>,
    pub(super) writers: BTreeMap<String, Writer>,
    pub(super) of_templates: HashMap<u32, OfTemplate>,
}

impl Counter {
    /// Counts the events in `frame`, of the streams and of the template that are given.
    pub(super) fn new(
        frame: Frame,
        which: Option<Which>,
        only: Option<u32>,
        names: Arc<Labels>,
        templates: &[KnownTemplate],
    ) -> Self {
        let numbers: HashMap<_, _> = templates.iter().map(|one| (one.id, one.number)).collect();
        let known = templates.iter().map(|one| {
            let root = one.alias_of.and_then(|id| numbers.get(&id).copied());
            let judged = one
                .judged
                .as_ref()
                .and_then(|judged| judged.category.clone());
            (one.number, (root.unwrap_or(one.number), judged))
        });
        Self {
            templates: known.collect(),
            frame,
            which,
            only,
            names,
            all: Sum::default(),
            levels: Default::default(),
            categories: BTreeMap::new(),
            writers: BTreeMap::new(),
            of_templates: HashMap::new(),
        }
    }

    /// Counts a block.
    pub(super) fn add(&mut self, shown: &Shown<'_>) {
        let which = self.which.as_ref();
        if which.is_some_and(|which| !which.is(shown.stream)) {
            return;
        }
        let empty = Sum {
            parts: vec![0; self.frame.parts],
            ..Sum::default()
        };
        let mut sums = vec![empty; shown.labels.kinds.len()];
        for (kind, time) in shown.labels.kind_of.iter().zip(&shown.labels.timestamps) {
            let Some(sum) = sums.get_mut(*kind as usize) else {
                continue;
            };
            let time = time.map_or(shown.written, |time| time.0);
            match self.frame.place(time) {
                Place::Outside => {}
                Place::Before => sum.before += 1,
                Place::In(part) => {
                    sum.count += 1;
                    sum.times = joined(sum.times, Some((time, time)));
                    if let Some(own) = sum.parts.get_mut(part) {
                        *own += 1;
                    }
                }
            }
        }
        let name: Arc<str> = Arc::from(name_of(&shown.stream.origin));
        for (kind, sum) in shown.labels.kinds.iter().zip(&sums) {
            if sum.count + sum.before == 0 {
                continue;
            }
            let known = kind.template.and_then(|number| self.templates.get(&number));
            let root = known.map(|(root, _)| *root);
            if self.only.is_some() && self.only != root {
                continue;
            }
            let stored = kind
                .verdict
                .category
                .and_then(|at| self.names.categories.get(at as usize));
            // What was judged after it went by.
            let later = matches!(kind.verdict.stage, Stage::Pending | Stage::None)
                .then(|| known.and_then(|(_, judged)| judged.clone()))
                .flatten();
            let category = stored
                .cloned()
                .or(later)
                .unwrap_or_else(|| UNCLASSIFIED.to_owned());
            self.sum(kind.level, category, root, sum, shown.stream, &name);
        }
    }

    fn sum(
        &mut self,
        level: Level,
        category: String,
        template: Option<u32>,
        sum: &Sum,
        stream: &StreamInfo,
        name: &Arc<str>,
    ) {
        let errors = if level >= Level::Error { sum.count } else { 0 };
        self.all.add(sum);
        if let Some(own) = self.levels.get_mut(level as usize) {
            own.add(sum);
        }
        if let Some(number) = template {
            let own = self.of_templates.entry(number).or_default();
            own.count += sum.count;
            own.before += sum.before;
            own.errors += errors;
            own.times = joined(own.times, sum.times);
            if sum.count > 0 {
                own.worst = if own.count == sum.count {
                    level
                } else {
                    own.worst.max(level)
                };
                *own.categories.entry(category.clone()).or_default() += sum.count;
                *own.writers.entry(Arc::clone(name)).or_default() += sum.count;
            }
        }
        self.categories.entry(category).or_default().add(sum);
        let writer = self
            .writers
            .entry(id_of(&stream.origin).to_owned())
            .or_insert_with(|| Writer {
                name: name.to_string(),
                count: 0,
                before: 0,
                errors: 0,
            });
        writer.count += sum.count;
        writer.before += sum.before;
        writer.errors += errors;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_one_part_or_before_or_outside() {
        let frame = Frame {
            from: 1_000,
            to: 2_000,
            parts: 3,
        };
        let at = |time| match frame.place(time) {
            Place::Outside => -2,
            Place::Before => -1,
            Place::In(part) => i32::try_from(part).unwrap(),
        };
        assert_eq!(
            [-1, 0, 999, 1_000, 1_333, 1_334, 1_667, 1_999, 2_000].map(at),
            [-2, -1, -1, 0, 0, 1, 2, 2, -2]
        );
        let whole = Frame {
            from: i64::MIN,
            to: i64::MAX,
            parts: 1,
        };
        assert!(matches!(whole.place(0), Place::In(0)));
    }
}

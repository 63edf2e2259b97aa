//! What is to be told of every template at once: what its events are about, and whether they have become more.

use std::collections::HashMap;

use logline::template::TemplateId;

use super::facts::{Choice, Tally};
use super::state::View;
use crate::flow::UNCLASSIFIED;
use crate::store::{Fault, Reader};

/// So many times as often as before is a surge...
pub(super) const SURGE: u64 = 3;
/// ...if there are so many events at least.
pub(super) const SURGE_EVENTS: u64 = 10;

/// What is known of a template's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindOfLine {
    /// What most of them are about; `unclassified` where nobody has decided.
    pub category: String,
    /// Those since the time that was asked about.
    pub since: u64,
    /// Those in a stretch of the same length before it.
    pub before: u64,
}

impl KindOfLine {
    /// Whether there are far more of them than before.
    #[must_use]
    pub fn surges(&self) -> bool {
        self.since >= SURGE_EVENTS && self.since >= self.before.saturating_mul(SURGE)
    }
}

/// All templates that have events; with `since` counted from then to the last event, and in as long a time before.
pub(super) fn kinds(
    reader: &Reader,
    view: &View,
    since: Option<i64>,
) -> Result<HashMap<TemplateId, KindOfLine>, Fault> {
    let root = |number: u32| view.root(number);
    let counted = |from: i64, to: i64| {
        let choice = Choice {
            from: Some(from),
            to: Some(to),
            ..Choice::default()
        };
        view.facts.tallies(reader, &choice, &root)
    };
    let end = view.facts.span().map(|(_, last)| last.saturating_add(1));
    let (now, before) = match since.zip(end).filter(|(since, end)| since < end) {
        Some((since, end)) => {
            let earlier = since.saturating_sub(end.saturating_sub(since));
            (counted(since, end)?, counted(earlier, since)?)
        }
        None => (HashMap::new(), HashMap::new()),
    };
    let count = |tallies: &HashMap<u32, Tally>, number: &u32| {
        tallies.get(number).map_or(0, |tally| tally.count)
    };
    let known = view.all.iter().filter_map(|(number, tally)| {
        let doc = view.index.docs().get(view.index.of_number(*number)?)?;
        let category = tally.category();
        let kind = KindOfLine {
            category: category
                .map_or(UNCLASSIFIED, |_| view.labels.category(category))
                .to_owned(),
            since: count(&now, number),
            before: count(&before, number),
        };
        Some((doc.id, kind))
    });
    Ok(known.collect())
}

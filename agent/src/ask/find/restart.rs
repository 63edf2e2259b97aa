//! `Since the last restart`: when what writes the logs began, as far as its own lines tell.

use super::{Search, streams_of};
use crate::ask::answer::shown;
use crate::ask::facts::Choice;
use crate::ask::read::{self, Period, SinceStart};

/// Lines of one start lie no further apart than this, in nanoseconds.
const ONE_START: i64 = 60_000_000_000;
/// The category of lines that tell of starts and stops.
const LIFECYCLE: &str = "lifecycle";

impl Search<'_> {
    /// The time since the last start that is stored, where the question speaks of one.
    pub(super) fn since_start(&self) -> Option<Period> {
        let asked = read::since_start(&self.question.text)?;
        let of = asked.of.as_deref();
        let streams = of.and_then(|name| streams_of(self.reader, name).ok());
        let choice = Choice {
            streams: streams.or_else(|| self.choice.streams.clone()),
            ..Choice::default()
        };
        // Who is no stream of its own may be a program that says its name in its lines.
        let program = of.filter(|_| choice.streams.is_none());
        let begun = self.last_start(&choice, program);
        if begun.is_none() && !asked.plainly {
            // `after the upload started` speaks of something else.
            return None;
        }
        let SinceStart { taken, .. } = asked;
        let assumed = match begun {
            Some(time) => format!(
                "read as since {}, the last start that is stored",
                shown(time)
            ),
            None => "not bounded: no start is stored".to_owned(),
        };
        Some(Period {
            from: begun,
            to: None,
            taken,
            assumed: Some(assumed),
        })
    }

    /// When the first line of the last start was written.
    fn last_start(&self, choice: &Choice, program: Option<&str>) -> Option<i64> {
        let root = |number: u32| self.view.root(number);
        let tallies = self.view.facts.tallies(self.reader, choice, &root).ok()?;
        let mut times: Vec<i64> = Vec::new();
        for (number, tally) in &tallies {
            let Some(doc) = self
                .view
                .index
                .of_number(*number)
                .and_then(|at| self.view.index.docs().get(at))
            else {
                continue;
            };
            let category = tally
                .category()
                .map(|category| self.view.labels.category(Some(category)));
            // What rules put elsewhere (a job that starts, a session) is no start of a program.
            if category.is_some_and(|category| category != LIFECYCLE)
                || !read::tells_of_a_start(&doc.text, category.is_some())
            {
                continue;
            }
            let named = program.is_none_or(|name| {
                let name = name.to_ascii_lowercase();
                doc.logger.to_ascii_lowercase().contains(&name)
                    || doc.text.to_ascii_lowercase().contains(&name)
            });
            if let Some((_, last)) = tally.times.filter(|_| named) {
                times.push(last);
            }
        }
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.into_iter().reduce(|begun, time| {
            if begun.saturating_sub(time) <= ONE_START {
                time
            } else {
                begun
            }
        })
    }
}

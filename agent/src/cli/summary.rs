//! The table that `classify --format summary` ends with.

use std::collections::HashMap;
use std::fmt::Write as _;

use anstyle::Style;
use logline::level::Level;
use logline::time::Timestamp;

use crate::escape::escape_terminal;
use crate::flow::{Batch, Flow, UNCLASSIFIED};
use crate::sink::encode::category_style;

/// Templates shown of each category.
const TOP: usize = 3;
/// Templates shown of those that are new.
const NEW: usize = 10;
/// Widest template shown, in characters.
const WIDTH: usize = 100;
/// The columns, most severe first.
const COLUMNS: usize = Level::ALL.len();

#[derive(Debug)]
struct Seen {
    count: u64,
    /// How many events had come when it was first seen.
    first: u64,
    worst: Level,
}

/// Counts as batches go by; small however long the input is.
#[derive(Debug)]
pub(super) struct Summary {
    colour: bool,
    events: u64,
    lines: u64,
    span: Option<(Timestamp, Timestamp)>,
    /// By category index, `None` last: counts by level.
    levels: HashMap<Option<u16>, [u64; COLUMNS]>,
    templates: HashMap<(Option<u16>, usize), Seen>,
}

impl Summary {
    pub(super) fn new(colour: bool) -> Self {
        Self {
            colour,
            events: 0,
            lines: 0,
            span: None,
            levels: HashMap::new(),
            templates: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, batch: &Batch) {
        for event in &batch.events {
            self.events += 1;
            self.lines += u64::from(event.lines);
            if let Some(time) = event.timestamp {
                let (first, last) = self.span.unwrap_or((time, time));
                self.span = Some((first.min(time), last.max(time)));
            }
            let category = event.verdict.category;
            self.levels.entry(category).or_default()[event.level as usize] += 1;
            let first = self.events;
            let seen = self
                .templates
                .entry((category, event.template))
                .or_insert(Seen {
                    count: 0,
                    first,
                    worst: event.level,
                });
            seen.count += 1;
            seen.worst = seen.worst.max(event.level);
        }
    }

    pub(super) fn render(&mut self, flow: &Flow) -> Vec<u8> {
        self.unite(flow);
        let labels = flow.labels();
        let mut categories: Vec<Option<u16>> = self.levels.keys().copied().collect();
        categories.sort_by_key(|category| category.unwrap_or(u16::MAX));
        let mut out = String::new();
        self.head(&mut out);
        self.table(&categories, &labels.categories, &mut out);
        for category in categories {
            let name = name(category, &labels.categories);
            let _ = writeln!(out, "\n{}", self.styled(category_style(name), name));
            let mut templates: Vec<_> = self
                .templates
                .iter()
                .filter(|((of, _), _)| *of == category)
                .collect();
            templates.sort_by_key(|((_, index), seen)| (std::cmp::Reverse(seen.count), *index));
            for ((_, index), seen) in templates.iter().take(TOP) {
                self.template(*index, seen, flow, &mut out);
            }
            if templates.len() > TOP {
                let _ = writeln!(
                    out,
                    "            and {} more templates",
                    templates.len() - TOP
                );
            }
        }
        self.new_ones(flow, &mut out);
        out.into_bytes()
    }

    /// Templates that have merged since they were counted are one.
    fn unite(&mut self, flow: &Flow) {
        let mut united: HashMap<(Option<u16>, usize), Seen> = HashMap::new();
        let mut by_id = HashMap::new();
        for ((category, index), seen) in self.templates.drain() {
            let id = flow.templates().get(index).id;
            let index = *by_id.entry(id).or_insert(index);
            match united.get_mut(&(category, index)) {
                Some(known) => {
                    known.count += seen.count;
                    known.first = known.first.min(seen.first);
                    known.worst = known.worst.max(seen.worst);
                }
                None => {
                    united.insert((category, index), seen);
                }
            }
        }
        self.templates = united;
    }

    fn head(&self, out: &mut String) {
        let mut distinct: Vec<usize> = self.templates.keys().map(|(_, index)| *index).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let _ = write!(
            out,
            "{} lines, {} events, {} templates",
            self.lines,
            self.events,
            distinct.len()
        );
        if let Some((first, last)) = self.span {
            let mut times = Vec::new();
            first.write_rfc3339(&mut times);
            times.extend_from_slice(b" to ");
            last.write_rfc3339(&mut times);
            let _ = write!(out, ", {}", String::from_utf8_lossy(&times));
        }
        out.push_str("\n\n");
    }

    fn table(&self, categories: &[Option<u16>], names: &[String], out: &mut String) {
        let _ = write!(out, "{:<14}", "");
        for level in Level::ALL.iter().rev() {
            let _ = write!(out, "{:>9}", level.as_str());
        }
        let _ = writeln!(out, "{:>10}", "total");
        let mut totals = [0; COLUMNS];
        for category in categories {
            let row = self.levels.get(category).copied().unwrap_or_default();
            let name = name(*category, names);
            out.push_str(&self.styled(category_style(name), &format!("{name:<14}")));
            write_row(&row, out);
            for (total, count) in totals.iter_mut().zip(row) {
                *total += count;
            }
        }
        let _ = write!(out, "{:<14}", "total");
        write_row(&totals, out);
    }

    fn new_ones(&self, flow: &Flow, out: &mut String) {
        // What is first seen in the last tenth was not there while the rest went by.
        let since = self.events - self.events / 10;
        let mut new: Vec<_> = self
            .templates
            .iter()
            .filter(|(_, seen)| seen.first > since)
            .collect();
        if new.is_empty() {
            return;
        }
        new.sort_by_key(|((_, index), seen)| (std::cmp::Reverse((seen.worst, seen.count)), *index));
        let _ = writeln!(out, "\nnew in the last tenth");
        for ((_, index), seen) in new.iter().take(NEW) {
            self.template(*index, seen, flow, out);
        }
        if new.len() > NEW {
            let _ = writeln!(out, "            and {} more", new.len() - NEW);
        }
    }

    fn template(&self, index: usize, seen: &Seen, flow: &Flow, out: &mut String) {
        let template = flow.templates().get(index);
        let text: String = template.text.chars().take(WIDTH).collect();
        let cut = if template.text.chars().nth(WIDTH).is_some() {
            "…"
        } else {
            ""
        };
        let mut shown = Vec::new();
        escape_terminal(text.as_bytes(), None, &mut shown);
        let dim = self.styled(Style::new().dimmed(), &template.id.to_string());
        let _ = writeln!(
            out,
            "{:>10}  {:<6} {dim}  {}{cut}",
            seen.count,
            seen.worst.as_str(),
            String::from_utf8_lossy(&shown)
        );
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{}{text}{}", style.render(), style.render_reset())
        } else {
            text.to_owned()
        }
    }
}

fn name(category: Option<u16>, names: &[String]) -> &str {
    category
        .and_then(|index| names.get(usize::from(index)))
        .map_or(UNCLASSIFIED, String::as_str)
}

fn write_row(row: &[u64; COLUMNS], out: &mut String) {
    for count in row.iter().rev() {
        if *count == 0 {
            let _ = write!(out, "{:>9}", ".");
        } else {
            let _ = write!(out, "{count:>9}");
        }
    }
    let _ = writeln!(out, "{:>10}", row.iter().sum::<u64>());
}

//! Blocks as plain records, until the column encoding takes their place.

use std::sync::Arc;

use serde::Serialize;

use crate::flow::{Batch, TemplateText};

/// Store-wide numbers for what a block names.
pub(super) trait Numbers {
    fn template(&mut self, text: &Arc<TemplateText>) -> u32;
    fn category(&mut self, name: &str) -> u16;
    fn rule(&mut self, name: &str) -> u32;
}

/// What a block's head says.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) count: u32,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) times: Option<(i64, i64)>,
    pub(super) untimed: bool,
    pub(super) levels: u8,
    pub(super) unclassified: bool,
    pub(super) categories: Vec<u16>,
    pub(super) templates: Vec<u32>,
    pub(super) raw_bytes: u64,
}

#[derive(Serialize)]
struct Record<'a> {
    seq: u64,
    start: u64,
    time: Option<i64>,
    stream: u8,
    level: u8,
    category: Option<u16>,
    rule: Option<u32>,
    confidence: f32,
    template: Option<u32>,
    lines: u32,
    cut: u64,
    text: &'a [u8],
    message: &'a [u8],
    logger: &'a [u8],
}

pub(super) fn encode(
    batch: &Batch,
    picked: &[u32],
    seqs: &[u64],
    numbers: &mut dyn Numbers,
    out: &mut Vec<u8>,
) -> Summary {
    let mut summary = Summary {
        first_seq: seqs.first().copied().unwrap_or_default(),
        last_seq: seqs.last().copied().unwrap_or_default(),
        ..Summary::default()
    };
    for (index, seq) in picked.iter().zip(seqs) {
        let Some(event) = batch.events.get(*index as usize) else {
            continue;
        };
        let category = event
            .verdict
            .category
            .map(|_| numbers.category(batch.labels.category(event.verdict.category)));
        let template = event
            .template_text
            .as_ref()
            .map(|text| numbers.template(text));
        summary.count += 1;
        summary.raw_bytes += event.text.len() as u64;
        summary.levels |= 1 << event.level as u8;
        match event.timestamp {
            Some(time) => {
                let (min, max) = summary.times.unwrap_or((time.0, time.0));
                summary.times = Some((min.min(time.0), max.max(time.0)));
            }
            None => summary.untimed = true,
        }
        summary.unclassified |= category.is_none();
        summary.categories.extend(category);
        summary.templates.extend(template);
        let record = Record {
            seq: *seq,
            start: event.start,
            time: event.timestamp.map(|time| time.0),
            stream: event.stream as u8,
            level: event.level as u8,
            category,
            rule: event
                .verdict
                .rule
                .map(|rule| numbers.rule(batch.labels.rule(rule))),
            confidence: event.verdict.confidence,
            template,
            lines: event.lines,
            cut: event.cut_bytes,
            text: batch.get(event.text),
            message: batch.get(event.message),
            logger: batch.get(event.logger),
        };
        out.extend_from_slice(&super::tables::to_bytes(&record));
    }
    summary.categories.sort_unstable();
    summary.categories.dedup();
    summary.templates.sort_unstable();
    summary.templates.dedup();
    summary
}

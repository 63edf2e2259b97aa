//! What one transaction writes beside the events.

use redb::{ReadableTable as _, WriteTransaction};

use super::error::Fault;
use super::names::{Dirty, Names};
use super::records::stream_bytes;
use super::tables::{
    CURSORS, LEDGER, NAME_CATEGORY, NAME_RULE, NAMES, SEEN, SINKS, STREAMS, TEMPLATES, VECTORS,
    VERDICTS, to_bytes,
};

/// Records by key, ready to be written.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) templates: Vec<(u32, Vec<u8>)>,
    pub(super) seen: Vec<(u32, (u64, i64, i64))>,
    pub(super) names: Vec<((u8, u32), String)>,
    pub(super) streams: Vec<(u32, Vec<u8>)>,
    pub(super) cursors: Vec<(u32, Vec<u8>)>,
    pub(super) ledger: Vec<(u32, Vec<u8>)>,
    pub(super) sinks: Vec<(String, Vec<u8>)>,
    pub(super) verdicts: Vec<(u32, Vec<u8>)>,
    pub(super) vectors: Vec<(u32, Vec<u8>)>,
    /// Templates that take over the vector of the one that they succeed, unless they have one.
    pub(super) heirs: Vec<(u32, u32)>,
}

impl Changes {
    /// The names that are not in the file yet.
    pub(super) fn of_names(dirty: &Dirty, names: &Names) -> Self {
        let labels = names.labels();
        let categories = dirty.categories.iter().filter_map(|number| {
            let name = labels.categories.get(usize::from(*number))?;
            Some(((NAME_CATEGORY, u32::from(*number)), name.clone()))
        });
        let rules = dirty.rules.iter().filter_map(|number| {
            let name = labels.rules.get(*number as usize)?;
            Some(((NAME_RULE, *number), name.clone()))
        });
        Self {
            templates: dirty
                .templates
                .iter()
                .filter_map(|number| Some((*number, to_bytes(&names.template_record(*number)?))))
                .collect(),
            seen: dirty
                .seen
                .iter()
                .filter_map(|number| Some((*number, names.seen(*number)?)))
                .collect(),
            names: categories.chain(rules).collect(),
            streams: dirty
                .streams
                .iter()
                .filter_map(|number| {
                    let info = names.stream(*number)?;
                    Some((*number, stream_bytes(info)))
                })
                .collect(),
            verdicts: dirty
                .verdicts
                .iter()
                .filter_map(|number| Some((*number, to_bytes(&names.verdict_record(*number)?))))
                .collect(),
            heirs: dirty.heirs.iter().copied().collect(),
            ..Self::default()
        }
    }

    /// Whether what is known of templates changes.
    pub(super) fn renames(&self) -> bool {
        !(self.templates.is_empty()
            && self.verdicts.is_empty()
            && self.vectors.is_empty()
            && self.heirs.is_empty())
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.templates.is_empty()
            && self.seen.is_empty()
            && self.names.is_empty()
            && self.streams.is_empty()
            && self.cursors.is_empty()
            && self.ledger.is_empty()
            && self.sinks.is_empty()
            && self.verdicts.is_empty()
            && self.vectors.is_empty()
    }

    /// Writes all of it.
    pub(super) fn apply(&self, transaction: &WriteTransaction) -> Result<(), Fault> {
        for (definition, records) in [
            (TEMPLATES, &self.templates),
            (STREAMS, &self.streams),
            (CURSORS, &self.cursors),
            (LEDGER, &self.ledger),
            (VERDICTS, &self.verdicts),
            (VECTORS, &self.vectors),
        ] {
            if records.is_empty() {
                continue;
            }
            let mut table = transaction.open_table(definition)?;
            for (number, record) in records {
                table.insert(number, record.as_slice())?;
            }
        }
        if !self.heirs.is_empty() {
            let mut table = transaction.open_table(VECTORS)?;
            for (before, now) in &self.heirs {
                let vector = table.get(before)?.map(|record| record.value().to_vec());
                if let Some(vector) = vector
                    && table.get(now)?.is_none()
                {
                    table.insert(now, vector.as_slice())?;
                }
            }
        }
        if !self.seen.is_empty() {
            let mut table = transaction.open_table(SEEN)?;
            for (number, seen) in &self.seen {
                table.insert(number, seen)?;
            }
        }
        if !self.names.is_empty() {
            let mut table = transaction.open_table(NAMES)?;
            for (key, name) in &self.names {
                table.insert(key, name.as_str())?;
            }
        }
        if !self.sinks.is_empty() {
            let mut table = transaction.open_table(SINKS)?;
            for (name, record) in &self.sinks {
                table.insert(name.as_str(), record.as_slice())?;
            }
        }
        Ok(())
    }
}

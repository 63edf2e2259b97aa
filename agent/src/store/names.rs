//! Store-wide numbers for templates, categories, rules and streams: in the file a number stands for each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use logline::template::TemplateId;

use super::tables::{TemplateRecord, VerdictRecord};
use crate::classify::{Judgement, Stage};
use crate::flow::{Labelled, Labels, StreamInfo, TemplateText, Verdict};

/// A template that the store knows.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownTemplate {
    /// Its number in the store.
    pub number: u32,
    /// The hash of its text.
    pub id: TemplateId,
    /// The masked text.
    pub text: String,
    /// Events, in the life of the store.
    pub count: u64,
    /// When it was first seen, in nanoseconds since 1970.
    pub first_seen: i64,
    /// When it was last seen, in nanoseconds since 1970.
    pub last_seen: i64,
    /// The template that it is part of now.
    pub alias_of: Option<TemplateId>,
    /// What it is judged to be about.
    pub judged: Option<Arc<Judgement>>,
}

/// What is known of a template beside its text.
#[derive(Clone, Copy, Debug)]
struct Known {
    count: u64,
    first_seen: i64,
    last_seen: i64,
    successor: Option<u32>,
}

impl Known {
    fn new() -> Self {
        Self {
            count: 0,
            first_seen: i64::MAX,
            last_seen: i64::MIN,
            successor: None,
        }
    }
}

/// Everything that has a number.
#[derive(Debug, Default)]
pub(super) struct Names {
    template_numbers: HashMap<u64, u32>,
    templates: Vec<Option<(Arc<TemplateText>, Known)>>,
    /// By index in the flow's table: the number that its template had last.
    by_index: Vec<u32>,
    categories: HashMap<String, u16>,
    rules: HashMap<String, u32>,
    labels: Arc<Labels>,
    stream_numbers: HashMap<String, u32>,
    streams: BTreeMap<u32, Arc<StreamInfo>>,
    dirty: Dirty,
}

/// What is not in the file yet.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) templates: BTreeSet<u32>,
    pub(super) seen: BTreeSet<u32>,
    pub(super) categories: BTreeSet<u16>,
    pub(super) rules: BTreeSet<u32>,
    pub(super) streams: BTreeSet<u32>,
    pub(super) verdicts: BTreeSet<u32>,
    /// Templates that take over the vector of the one that they succeed, unless they have one: before, now.
    pub(super) heirs: BTreeSet<(u32, u32)>,
}

impl Names {
    /// The number of a template.
    pub(super) fn template_number(&mut self, text: &Arc<TemplateText>) -> u32 {
        if let Some(number) = self.template_numbers.get(&text.id.0) {
            return *number;
        }
        let number = clamp(self.templates.len());
        self.template_numbers.insert(text.id.0, number);
        self.templates.push(Some((Arc::clone(text), Known::new())));
        self.dirty.templates.insert(number);
        number
    }

    /// Counts `count` events of the template that stands at `index` of the flow's table now, up to the time `now`.
    pub(super) fn saw(
        &mut self,
        index: Option<usize>,
        text: &Arc<TemplateText>,
        count: u64,
        now: i64,
    ) {
        let number = self.template_number(text);
        if let Some(Some((_, known))) = self.templates.get_mut(number as usize) {
            known.count += count;
            known.first_seen = known.first_seen.min(now);
            known.last_seen = known.last_seen.max(now);
        }
        self.dirty.seen.insert(number);
        let Some(index) = index else { return };
        if self.by_index.len() <= index {
            self.by_index.resize(index + 1, u32::MAX);
        }
        let before = std::mem::replace(&mut self.by_index[index], number);
        if before != number {
            self.succeed(before, number);
        }
    }

    /// Templates that became part of another one (before, now). Those whose other one has no number yet, because no event
    /// of it has come, are left in `pairs`.
    pub(super) fn renamed(&mut self, pairs: &mut Vec<(TemplateId, TemplateId)>) {
        let now_of: HashMap<TemplateId, TemplateId> = pairs.iter().copied().collect();
        for (_, now) in pairs.iter_mut() {
            // A chain is as long as its merges.
            for _ in 0..64 {
                match now_of.get(now) {
                    Some(next) if next != now => *now = *next,
                    _ => break,
                }
            }
        }
        pairs.retain(|(before, now)| {
            let number = |id: &TemplateId| self.template_numbers.get(&id.0).copied();
            match (number(before), number(now)) {
                (Some(before), Some(now)) => {
                    self.succeed(before, now);
                    false
                }
                (known, _) => known.is_some(),
            }
        });
    }

    /// The template `old` is part of `new` from now on.
    fn succeed(&mut self, old: u32, new: u32) {
        if old == new {
            return;
        }
        if let Some(Some((_, known))) = self.templates.get_mut(old as usize)
            && known.successor != Some(new)
        {
            known.successor = Some(new);
            self.dirty.templates.insert(old);
            self.dirty.heirs.insert((old, new));
            let judged = self.template_text(old).and_then(|text| text.judged.clone());
            if let Some(judged) = judged
                && self
                    .template_text(new)
                    .is_some_and(|text| text.judged.is_none())
            {
                self.judge(new, judged);
            }
        }
    }

    /// A template is judged.
    pub(super) fn judge(&mut self, number: u32, judged: Arc<Judgement>) {
        if let Some(Some((text, _))) = self.templates.get_mut(number as usize) {
            let category = judged.category.clone();
            *text = Arc::new(text.judged(judged));
            self.dirty.verdicts.insert(number);
            if let Some(category) = category {
                self.category_number(&category);
            }
        }
    }

    /// Gives events that went by before their template was judged the verdict that it has now.
    pub(super) fn catch_up(&self, events: &mut [Labelled]) {
        for event in events {
            if !matches!(event.verdict.stage, Stage::Pending | Stage::None) {
                continue;
            }
            let judged = event
                .template_text
                .as_ref()
                .and_then(|text| text.judged.as_deref());
            if let Some(judged) = judged {
                let category = judged.category.as_ref();
                let category = category.and_then(|name| self.categories.get(name).copied());
                let stage = match judged.stage {
                    Stage::Taught => Stage::Taught,
                    _ => Stage::Memo,
                };
                event.verdict = Verdict::by_judgement(judged, category, stage);
            }
        }
    }

    /// Takes up from the file what a template was judged to be about.
    pub(super) fn adopt_verdict(&mut self, number: u32, judged: Judgement) {
        if let Some(Some((text, _))) = self.templates.get_mut(number as usize) {
            *text = Arc::new(text.judged(Arc::new(judged)));
        }
    }

    /// What the template with this id, or the one that it is part of now, is judged to be about.
    pub(super) fn judged(&self, id: TemplateId) -> Option<Arc<Judgement>> {
        let number = *self.template_numbers.get(&id.0)?;
        let last = self.last_successor(number);
        let number = last
            .and_then(|id| self.template_numbers.get(&id.0))
            .unwrap_or(&number);
        self.template_text(*number)?.judged.clone()
    }

    /// The numbers of the templates whose verdict names one of `categories`, ascending.
    pub(super) fn templates_judged(&self, categories: &[String]) -> Vec<u32> {
        let of = |entry: &Option<(Arc<TemplateText>, Known)>| {
            let judged = entry.as_ref()?.0.judged.as_ref()?;
            Some(categories.contains(judged.category.as_ref()?))
        };
        (0..)
            .zip(&self.templates)
            .filter(|(_, entry)| of(entry).unwrap_or(false))
            .map(|(number, _)| number)
            .collect()
    }

    /// The text behind a template's number.
    pub(super) fn template_text(&self, number: u32) -> Option<Arc<TemplateText>> {
        let (text, _) = self.templates.get(number as usize)?.as_ref()?;
        Some(Arc::clone(text))
    }

    /// The numbers of the templates with these ids and of all that became part of one of them, ascending.
    pub(super) fn templates_within(&self, ids: &[TemplateId]) -> Vec<u32> {
        (0..clamp(self.templates.len()))
            .filter(|number| {
                let own = self.template_text(*number).map(|text| text.id);
                own.is_some_and(|own| ids.contains(&own))
                    || self
                        .last_successor(*number)
                        .is_some_and(|last| ids.contains(&last))
            })
            .collect()
    }

    /// What the file says of a template.
    pub(super) fn template_record(&self, number: u32) -> Option<TemplateRecord> {
        let (text, known) = self.templates.get(number as usize)?.as_ref()?;
        Some(TemplateRecord {
            id: text.id.0,
            text: text.text.clone(),
            successor: known.successor,
        })
    }

    /// What the file says of the verdict on a template.
    pub(super) fn verdict_record(&self, number: u32) -> Option<VerdictRecord> {
        let (text, _) = self.templates.get(number as usize)?.as_ref()?;
        Some(VerdictRecord::from(text.judged.as_deref()?))
    }

    /// Events of a template in the life of the store, and when it was first and last seen.
    pub(super) fn seen(&self, number: u32) -> Option<(u64, i64, i64)> {
        let (_, known) = self.templates.get(number as usize)?.as_ref()?;
        Some((known.count, known.first_seen, known.last_seen))
    }

    /// Takes up from the file what was seen of a template.
    pub(super) fn adopt_seen(&mut self, number: u32, (count, first, last): (u64, i64, i64)) {
        if let Some(Some((_, known))) = self.templates.get_mut(number as usize) {
            (known.count, known.first_seen, known.last_seen) = (count, first, last);
        }
    }

    /// Takes up a template from the file. False where its text is not the one of its id.
    pub(super) fn adopt_template(&mut self, number: u32, record: TemplateRecord) -> bool {
        if TemplateId::of(&record.text).0 != record.id || number >= MAX_NUMBERS {
            return false;
        }
        let id = TemplateId(record.id);
        let text = Arc::new(TemplateText::of(id, record.text, None));
        let index = number as usize;
        if self.templates.len() <= index {
            self.templates.resize(index + 1, None);
        }
        let known = Known {
            successor: record.successor,
            ..Known::new()
        };
        self.templates[index] = Some((text, known));
        self.template_numbers.insert(record.id, number);
        true
    }

    /// All templates that are known.
    pub(super) fn known_templates(&self) -> Vec<KnownTemplate> {
        self.templates
            .iter()
            .zip(0_u32..)
            .filter_map(|(entry, number)| {
                let (text, known) = entry.as_ref()?;
                Some(KnownTemplate {
                    number,
                    id: text.id,
                    text: text.text.clone(),
                    count: known.count,
                    first_seen: known.first_seen,
                    last_seen: known.last_seen,
                    alias_of: self.last_successor(number),
                    judged: text.judged.clone(),
                })
            })
            .collect()
    }

    /// Where the chain of successors of a template ends.
    fn last_successor(&self, number: u32) -> Option<TemplateId> {
        let mut at = number;
        // A chain is as long as its merges, a circle would be damage.
        for _ in 0..64 {
            let (text, known) = self.templates.get(at as usize)?.as_ref()?;
            match known.successor {
                Some(next) if next != at => at = next,
                _ => return (at != number).then_some(text.id),
            }
        }
        None
    }

    /// The number of a category.
    pub(super) fn category_number(&mut self, name: &str) -> u16 {
        if let Some(number) = self.categories.get(name) {
            return *number;
        }
        let labels = Arc::make_mut(&mut self.labels);
        let number = u16::try_from(labels.categories.len()).unwrap_or(u16::MAX);
        labels.categories.push(name.to_owned());
        self.categories.insert(name.to_owned(), number);
        self.dirty.categories.insert(number);
        number
    }

    /// The number of a rule.
    pub(super) fn rule_number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.rules.get(name) {
            return *number;
        }
        let labels = Arc::make_mut(&mut self.labels);
        let number = clamp(labels.rules.len());
        labels.rules.push(name.to_owned());
        self.rules.insert(name.to_owned(), number);
        self.dirty.rules.insert(number);
        number
    }

    /// Takes up the name of a category from the file.
    pub(super) fn adopt_category(&mut self, number: u16, name: &str) {
        let labels = Arc::make_mut(&mut self.labels);
        fill(&mut labels.categories, usize::from(number), name);
        self.categories.insert(name.to_owned(), number);
    }

    /// Takes up the name of a rule from the file.
    pub(super) fn adopt_rule(&mut self, number: u32, name: &str) {
        if number < MAX_NUMBERS {
            let labels = Arc::make_mut(&mut self.labels);
            fill(&mut labels.rules, number as usize, name);
            self.rules.insert(name.to_owned(), number);
        }
    }

    /// The names behind the numbers of categories and rules.
    pub(super) fn labels(&self) -> Arc<Labels> {
        Arc::clone(&self.labels)
    }

    /// The number of a stream.
    pub(super) fn stream_number(&mut self, info: &Arc<StreamInfo>) -> u32 {
        if let Some(number) = self.stream_numbers.get(&info.id) {
            // What is known of who writes it may have become more.
            if let Some(known) = self.streams.get_mut(number)
                && !Arc::ptr_eq(known, info)
            {
                if **known != **info {
                    self.dirty.streams.insert(*number);
                }
                *known = Arc::clone(info);
            }
            return *number;
        }
        let number = self
            .streams
            .last_key_value()
            .map_or(0, |(last, _)| last.saturating_add(1));
        self.stream_numbers.insert(info.id.clone(), number);
        self.streams.insert(number, Arc::clone(info));
        self.dirty.streams.insert(number);
        number
    }

    /// Takes up a stream from the file.
    pub(super) fn adopt_stream(&mut self, number: u32, info: StreamInfo) {
        self.stream_numbers.insert(info.id.clone(), number);
        self.streams.insert(number, Arc::new(info));
    }

    /// The stream behind a number.
    pub(super) fn stream(&self, number: u32) -> Option<&Arc<StreamInfo>> {
        self.streams.get(&number)
    }

    /// All streams by number.
    pub(super) fn streams(&self) -> impl Iterator<Item = (u32, &Arc<StreamInfo>)> {
        self.streams.iter().map(|(number, info)| (*number, info))
    }

    /// The stream is no longer known.
    pub(super) fn forget_stream(&mut self, number: u32) {
        if let Some(info) = self.streams.remove(&number) {
            self.stream_numbers.remove(&info.id);
        }
        self.dirty.streams.remove(&number);
    }

    /// What is to be written with this commit.
    pub(super) fn take_dirty(&mut self) -> Dirty {
        std::mem::take(&mut self.dirty)
    }

    /// The commit failed: it is to be written with the next one.
    pub(super) fn give_back(&mut self, dirty: Dirty) {
        self.dirty.templates.extend(dirty.templates);
        self.dirty.seen.extend(dirty.seen);
        self.dirty.categories.extend(dirty.categories);
        self.dirty.rules.extend(dirty.rules);
        self.dirty.streams.extend(dirty.streams);
        self.dirty.verdicts.extend(dirty.verdicts);
        self.dirty.heirs.extend(dirty.heirs);
    }

    /// The file is a new one: everything is to be written.
    pub(super) fn touch_all(&mut self) {
        self.dirty = Dirty {
            templates: (0..clamp(self.templates.len())).collect(),
            seen: (0..clamp(self.templates.len())).collect(),
            categories: (0..u16::try_from(self.labels.categories.len()).unwrap_or(u16::MAX))
                .collect(),
            rules: (0..clamp(self.labels.rules.len())).collect(),
            streams: self.streams.keys().copied().collect(),
            verdicts: (0..clamp(self.templates.len()))
                .filter(|number| {
                    let text = self.template_text(*number);
                    text.is_some_and(|text| text.judged.is_some())
                })
                .collect(),
            heirs: BTreeSet::new(),
        };
    }
}

/// A number beyond this in the file is damage: the tables in memory are as long as the largest number.
const MAX_NUMBERS: u32 = 1 << 24;

fn fill(names: &mut Vec<String>, index: usize, name: &str) {
    if names.len() <= index {
        names.resize(index + 1, String::new());
    }
    name.clone_into(&mut names[index]);
}

fn clamp(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl super::block::Numbers for Names {
    fn template(&mut self, text: &Arc<TemplateText>) -> u32 {
        self.template_number(text)
    }

    fn category(&mut self, name: &str) -> u16 {
        self.category_number(name)
    }

    fn rule(&mut self, name: &str) -> u32 {
        self.rule_number(name)
    }
}

impl super::block::Names for Names {
    fn template(&self, number: u32) -> Option<Arc<TemplateText>> {
        self.template_text(number)
    }
}

//! What an engine knows of its store, and how it is brought up to date.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use logline::template::TemplateId;

use super::facts::{Facts, Sums, Tally};
use super::index::Index;
use super::lines::Unpacked;
use super::samples::Samples;
use crate::classify::Vector;
use crate::flow::Labels;
use crate::store::{Fault, KnownTemplate, Reader};

/// Who brings the view up to date does it again at most so often...
pub(super) const AT_MOST: Duration = Duration::from_millis(200);
/// ...and, where no event has come, at least so often: small blocks are merged.
const AT_LEAST: Duration = Duration::from_secs(2);
/// Places of templates are read again so often, and when there are more of them.
const VECTORS: Duration = Duration::from_secs(30);

/// What is known at one moment. What does not change is shared with the moments before.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) index: Arc<Index>,
    pub(super) facts: Facts,
    pub(super) labels: Arc<Labels>,
    /// Sums over everything.
    pub(super) all: HashMap<u32, Tally>,
    /// Where the templates lie among all, by document.
    pub(super) vectors: Arc<HashMap<usize, Vector>>,
    /// How many places were stored, and when they were read.
    placed: Option<(u64, Instant)>,
    /// Sums over the blocks that stay.
    sums: Arc<Sums>,
    roots: Arc<HashMap<u32, u32>>,
    /// Templates that are part of each.
    parts: HashMap<u32, Vec<u32>>,
}

impl View {
    /// The number of the template that the one with `number` is part of now.
    pub(super) fn root(&self, number: u32) -> u32 {
        self.roots.get(&number).copied().unwrap_or(number)
    }

    /// The numbers of a template and of those that became part of it.
    pub(super) fn numbers(&self, root: u32) -> HashSet<u32> {
        let parts = self.parts.get(&root).into_iter().flatten();
        parts.copied().chain([root]).collect()
    }
}

/// A view, and of which moment.
#[derive(Clone, Debug)]
struct Seen {
    view: Arc<View>,
    next: u64,
    at: Instant,
}

/// The newest view, and who makes the next one.
#[derive(Debug, Default)]
pub(super) struct State {
    seen: Mutex<Option<Seen>>,
    /// Held by who makes the next view; others go on with the one that there is.
    making: Mutex<()>,
}

impl State {
    /// What is known now; `patience`: a view may be so old. `at_once`: it may not.
    pub(super) fn view(
        &self,
        reader: &Reader,
        samples: &Samples,
        patience: Duration,
        at_once: bool,
    ) -> Result<Arc<View>, Fault> {
        let fresh = |seen: &Seen| {
            let age = seen.at.elapsed();
            age < patience || (seen.next == reader.next_seq() && age < AT_LEAST)
        };
        let known = self.seen();
        if let Some(seen) = known.as_ref().filter(|seen| !at_once && fresh(seen)) {
            return Ok(Arc::clone(&seen.view));
        }
        let _making = match (self.making.try_lock(), &known) {
            (Ok(making), _) => making,
            (Err(TryLockError::Poisoned(making)), _) => making.into_inner(),
            (Err(TryLockError::WouldBlock), Some(seen)) if !at_once => {
                return Ok(Arc::clone(&seen.view));
            }
            (Err(TryLockError::WouldBlock), _) => {
                self.making.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        // Somebody else may have made it meanwhile.
        let known = self.seen();
        if let Some(seen) = known.as_ref().filter(|seen| !at_once && fresh(seen)) {
            return Ok(Arc::clone(&seen.view));
        }
        let next = reader.next_seq();
        let old = known.map(|seen| seen.view).unwrap_or_default();
        let view = Arc::new(newer(&old, reader, samples)?);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen {
            view: Arc::clone(&view),
            next,
            at: Instant::now(),
        });
        Ok(view)
    }

    fn seen(&self) -> Option<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The view of this moment.
fn newer(old: &View, reader: &Reader, samples: &Samples) -> Result<View, Fault> {
    let mut view = View {
        index: Arc::clone(&old.index),
        facts: old.facts.clone(),
        labels: reader.labels(),
        vectors: Arc::clone(&old.vectors),
        placed: old.placed,
        sums: Arc::clone(&old.sums),
        ..View::default()
    };
    let new = view.facts.refresh(reader)?;
    let templates = reader.templates();
    let numbers: HashMap<TemplateId, u32> = templates
        .iter()
        .map(|template| (template.id, template.number))
        .collect();
    let mut roots = HashMap::new();
    for template in &templates {
        let root = template.alias_of.and_then(|id| numbers.get(&id).copied());
        if let Some(root) = root {
            roots.insert(template.number, root);
            view.parts.entry(root).or_default().push(template.number);
            if let Some(doc) = view.index.of_number(template.number)
                && view.index.is_alive(doc)
            {
                Arc::make_mut(&mut view.index).leave(template.number);
            }
        }
    }
    let moved = roots != *old.roots;
    view.roots = if moved {
        Arc::new(roots)
    } else {
        Arc::clone(&old.roots)
    };
    add_new(&mut view, reader, &new, &templates, samples)?;
    let known = Arc::clone(&view.roots);
    let root = |number: u32| known.get(&number).copied().unwrap_or(number);
    if moved {
        view.sums = Arc::default();
    }
    Sums::bring_up(&mut view.sums, &view.facts, &root);
    view.all = view.sums.with_others(&view.facts, &root);
    let placed = reader.count_embeddings()?;
    let current = view
        .placed
        .is_some_and(|(count, at)| count == placed && at.elapsed() < VECTORS);
    if !current || view.index.docs().len() != old.index.docs().len() || moved {
        view.vectors = Arc::new(vectors(&view, reader)?);
        view.placed = Some((placed, Instant::now()));
    }
    Ok(view)
}

/// Takes up the templates that are only in blocks that are new.
fn add_new(
    view: &mut View,
    reader: &Reader,
    new: &[Arc<super::facts::Block>],
    templates: &[KnownTemplate],
    samples: &Samples,
) -> Result<(), Fault> {
    let mut by_number: Option<HashMap<u32, usize>> = None;
    let mut unpacked = Unpacked::new(reader, samples);
    for block in new.iter().rev() {
        let missing: HashSet<u32> = block
            .place
            .templates
            .iter()
            .copied()
            .filter(|number| view.index.of_number(view.root(*number)).is_none())
            .collect();
        if missing.is_empty() {
            continue;
        }
        let by_number = by_number.get_or_insert_with(|| {
            let numbers = templates.iter().enumerate();
            numbers
                .map(|(at, template)| (template.number, at))
                .collect()
        });
        for (number, logger, message) in unpacked.examples(block, &missing)? {
            let root = view.root(number);
            if let Some(template) = by_number.get(&root).and_then(|at| templates.get(*at)) {
                Arc::make_mut(&mut view.index).add(
                    root,
                    template.id,
                    &template.text,
                    &logger,
                    &message,
                );
            }
        }
    }
    Ok(())
}

/// The places of the documents, those of the model that knows most of them: places of different models cannot be compared.
fn vectors(view: &View, reader: &Reader) -> Result<HashMap<usize, Vector>, Fault> {
    let mut by_model: HashMap<String, HashMap<usize, Vector>> = HashMap::new();
    for known in reader.embeddings()? {
        if let Some(doc) = view.index.of_number(view.root(known.number)) {
            let own = view.root(known.number) == known.number;
            let vectors = by_model.entry(known.embedding.version).or_default();
            // A template's own place goes before that of one that became part of it.
            if own || !vectors.contains_key(&doc) {
                vectors.insert(doc, known.embedding.vector);
            }
        }
    }
    Ok(by_model
        .into_values()
        .max_by_key(HashMap::len)
        .unwrap_or_default())
}

//! What an engine knows of its store, and how it is brought up to date.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logline::template::TemplateId;

use super::facts::{Choice, Facts, Tally};
use super::index::Index;
use super::lines::Unpacked;
use crate::classify::Vector;
use crate::flow::Labels;
use crate::store::{Fault, Reader};

/// The store is looked at again at most so often...
const AT_MOST: Duration = Duration::from_millis(200);
/// ...and, where no event has come, at least so often: small blocks are merged.
const AT_LEAST: Duration = Duration::from_secs(2);

/// What is known at one moment.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) index: Index,
    pub(super) facts: Facts,
    pub(super) labels: Arc<Labels>,
    /// Sums over everything.
    pub(super) all: HashMap<u32, Tally>,
    /// Where the templates lie among all, by document.
    pub(super) vectors: HashMap<usize, Vector>,
    roots: HashMap<u32, u32>,
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

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct State {
    view: Arc<View>,
    seen: Option<(u64, Instant)>,
}

impl State {
    /// What is known now.
    pub(super) fn view(&mut self, reader: &Reader, at_once: bool) -> Result<Arc<View>, Fault> {
        let next = reader.next_seq();
        let fresh = self.seen.is_some_and(|(known, at)| {
            let age = at.elapsed();
            age < AT_MOST || (known == next && age < AT_LEAST)
        });
        if !fresh || at_once {
            self.refresh(reader)?;
            self.seen = Some((next, Instant::now()));
        }
        Ok(Arc::clone(&self.view))
    }

    fn refresh(&mut self, reader: &Reader) -> Result<(), Fault> {
        // Whoever still answers from the view keeps it; then this works on a copy.
        let old = std::mem::take(&mut self.view);
        let mut view = Arc::try_unwrap(old).unwrap_or_else(|shared| View {
            index: shared.index.clone(),
            facts: shared.facts.clone(),
            ..View::default()
        });
        let done = bring_up(&mut view, reader);
        self.view = Arc::new(view);
        done
    }
}

fn bring_up(view: &mut View, reader: &Reader) -> Result<(), Fault> {
    let new = view.facts.refresh(reader)?;
    let templates = reader.templates();
    let numbers: HashMap<TemplateId, u32> = templates
        .iter()
        .map(|template| (template.id, template.number))
        .collect();
    view.roots.clear();
    view.parts.clear();
    for template in &templates {
        let root = template.alias_of.and_then(|id| numbers.get(&id).copied());
        if let Some(root) = root {
            view.roots.insert(template.number, root);
            view.parts.entry(root).or_default().push(template.number);
            view.index.leave(template.number);
        }
    }
    view.labels = reader.labels();
    let by_number: HashMap<u32, usize> = templates
        .iter()
        .enumerate()
        .map(|(at, template)| (template.number, at))
        .collect();
    let mut unpacked = Unpacked::new(reader);
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
        for (number, logger, message) in unpacked.examples(block, &missing)? {
            let root = view.root(number);
            if let Some(template) = by_number.get(&root).and_then(|at| templates.get(*at)) {
                view.index
                    .add(root, template.id, &template.text, &logger, &message);
            }
        }
    }
    let roots = std::mem::take(&mut view.roots);
    let root = |number: u32| roots.get(&number).copied().unwrap_or(number);
    let all = view.facts.tallies(reader, &Choice::default(), &root);
    view.roots = roots;
    view.all = all?;
    view.vectors = vectors(view, reader)?;
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

//! The rules that single streams ask for, beside everybody's. Their categories and rules stand behind those of everybody's in
//! the labels, so that a verdict's numbers mean the same whoever gave it.

use std::fmt;
use std::sync::Arc;

use logline::rules::{Decision, RuleSet, Scratch};
use tracing::warn;

use super::Flow;
use super::labels::Labels;
use super::verdict::Verdict;
use crate::classify::Stage;
use crate::source::Origin;

/// Where the rules of a pack are, by its name; an error in words where it cannot be used. It is asked when the first stream
/// wants the pack, and again when packs are read anew.
pub type Library = Box<dyn Fn(&str) -> Result<Arc<RuleSet>, String> + Send>;

/// One pack that a stream has asked for.
pub(super) struct Loaded {
    name: String,
    pub(super) rules: Arc<RuleSet>,
    pub(super) scratch: Scratch,
    /// The numbers of its categories in the labels of now.
    categories: Vec<Option<u16>>,
    /// The number of its first rule.
    first_rule: u32,
}

/// All that streams have asked for. A pack keeps its place as long as the flow lives.
#[derive(Default)]
pub(super) struct Packs {
    library: Option<Library>,
    loaded: Vec<Loaded>,
}

impl fmt::Debug for Packs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.loaded.iter().map(|pack| &pack.name);
        f.debug_list().entries(names).finish()
    }
}

impl Loaded {
    /// Enters its names in `labels`.
    fn enter(&mut self, labels: &mut Labels) {
        let own = Labels::of(&self.rules);
        for category in &own.categories {
            if !labels.categories.contains(category) {
                labels.categories.push(category.clone());
            }
        }
        self.categories = own
            .categories
            .iter()
            .map(|category| {
                let at = labels.categories.iter().position(|known| known == category);
                at.and_then(|at| u16::try_from(at).ok())
            })
            .collect();
        self.first_rule = u32::try_from(labels.rules.len()).unwrap_or(u32::MAX);
        let rules = own.rules.iter().map(|rule| format!("{}/{rule}", self.name));
        labels.rules.extend(rules);
    }

    /// The judgement of one of its rules.
    pub(super) fn verdict(&self, decision: &Decision) -> Verdict {
        let rule = u32::try_from(decision.rule).ok();
        Verdict {
            category: self.categories.get(decision.category).copied().flatten(),
            stage: Stage::Rule,
            confidence: decision.confidence,
            rule: rule.map(|rule| self.first_rule.saturating_add(rule)),
        }
    }
}

impl Packs {
    pub(super) fn get(&mut self, pack: usize) -> Option<&mut Loaded> {
        self.loaded.get_mut(pack)
    }

    /// The labels have begun anew: the packs are read again, and their names entered.
    pub(super) fn renew(&mut self, labels: &mut Labels) {
        for pack in &mut self.loaded {
            match self.library.as_ref().map(|library| library(&pack.name)) {
                Some(Ok(rules)) => {
                    pack.rules = rules;
                    pack.scratch = Scratch::default();
                }
                Some(Err(problem)) => {
                    warn!(pack = %pack.name, problem, "the pack is not sound; the one loaded before goes on");
                }
                None => {}
            }
            pack.enter(labels);
        }
    }
}

impl Flow {
    /// Where the packs are that single streams may ask for.
    pub fn set_library(&mut self, library: Library) {
        self.labeller.packs.library = Some(library);
    }

    /// The place of the pack that a stream of `origin` asks for; none: everybody's rules.
    pub(super) fn pack_of(&mut self, origin: &Origin) -> Option<usize> {
        let name = origin.switches.pack.as_ref()?;
        let labeller = &mut self.labeller;
        let known = labeller
            .packs
            .loaded
            .iter()
            .position(|pack| pack.name == *name);
        if known.is_some() {
            return known;
        }
        let rules = match (labeller.packs.library.as_ref()?)(name) {
            Ok(rules) => rules,
            Err(problem) => {
                warn!(stream = %origin.name, pack = %name, problem, "the pack cannot be used; the stream is judged as the others are");
                return None;
            }
        };
        let mut pack = Loaded {
            name: name.clone(),
            rules,
            scratch: Scratch::default(),
            categories: Vec::new(),
            first_rule: 0,
        };
        // Batches that are on their way keep the names that they were made with.
        let mut labels = Labels::clone(&labeller.labels);
        pack.enter(&mut labels);
        labeller.labels = Arc::new(labels);
        labeller.packs.loaded.push(pack);
        Some(labeller.packs.loaded.len() - 1)
    }
}

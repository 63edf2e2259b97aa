//! The pack and the model are read again while the agent runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use logline::rules::Pack;
use logline::template::TemplateId;
use tracing::{info, warn};

use super::loaded;
use crate::classify::{Handle, Remembered, Renewal};
use crate::config::PackChoice;
use crate::flow::Control;
use crate::http;
use crate::packs;
use crate::store::{KnownTemplate, Store};
use crate::telemetry::{Health, Metrics};

/// What a SIGHUP does: the pack and the model are read again, and where one is not sound the old one goes on.
pub(super) struct Reload<'a> {
    pub(super) choice: &'a PackChoice,
    pub(super) control: Sender<Control>,
    pub(super) handle: &'a Handle,
    pub(super) classifier: &'a http::Classifier,
    pub(super) store: &'a Store,
    pub(super) health: &'a Health,
    pub(super) metrics: &'a Metrics,
}

impl Reload<'_> {
    fn renewal(&self, pack: Option<Arc<Pack>>) -> Renewal {
        let templates = self.store.reader().templates();
        Renewal {
            pack,
            known: remembered(&templates, places(self.store)),
        }
    }

    pub(super) fn reload(&self) {
        let pack = packs::read(self.choice)
            .and_then(|pack| packs::compile(&pack).map(|rules| (pack, rules)));
        self.metrics.reloaded(pack.is_ok());
        match pack {
            Ok((pack, rules)) => {
                info!(pack = %pack.name, rules = rules.len(), "pack reloaded");
                self.health.fine("pack", loaded(&pack));
                self.handle.reload(self.renewal(Some(Arc::new(pack))));
                let rules = Arc::new(rules);
                self.classifier.renew(Arc::clone(&rules));
                // A flow that has ended needs no rules.
                let _ = self.control.send(Control::Rules(rules));
            }
            Err(problem) => {
                self.handle.reload(self.renewal(None));
                warn!(%problem, "the pack is not sound; the one loaded before goes on");
                self.health.broken(
                    "pack",
                    format!("reload refused, the pack loaded before goes on: {problem}"),
                );
            }
        }
    }
}

/// The model that gave each template its place.
pub(super) fn places(store: &Store) -> HashMap<TemplateId, String> {
    // A store that cannot be read says so elsewhere; then the places are made anew.
    let places = store.reader().embeddings().unwrap_or_default();
    places
        .into_iter()
        .map(|known| (known.id, known.embedding.version))
        .collect()
}

/// What the stages after the rules are told of the runs before.
pub(super) fn remembered(
    templates: &[KnownTemplate],
    mut placed: HashMap<TemplateId, String>,
) -> Vec<Remembered> {
    templates
        .iter()
        .filter(|template| template.alias_of.is_none())
        .map(|template| Remembered {
            id: template.id,
            text: template.text.clone(),
            judged: template.judged.clone(),
            placed_by: placed.remove(&template.id),
        })
        .collect()
}

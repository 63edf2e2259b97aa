//! What the API writes with: the language model, if there is one, else the templates of the pack and of the store.

use std::sync::{Arc, Mutex, PoisonError};

use logline::rules::Pack;
use serde_json::Value;

use crate::classify::Handle;
use crate::classify::llm::Llm;
use crate::generate::{Generator, Random, written};
use crate::http::ports::Writer;
use crate::store::Reader;
use crate::telemetry::clock;

/// Templates of the store that are looked at: those with the most events.
const TEMPLATES: usize = 5_000;

/// Writes lines for the API.
pub struct Desk {
    llm: Option<Llm>,
    reader: Reader,
    pack: Generator,
    random: Mutex<Random>,
    /// The pack's templates and the store's, and the version of the store's that they are of.
    made: Mutex<Option<(u64, Arc<Generator>)>>,
}

impl Desk {
    /// Writes with `llm`, or else from the templates of `pack` and of what `reader` reads; `handle` has the model that knows
    /// what a prompt means.
    #[must_use]
    pub fn new(llm: Option<Llm>, reader: Reader, pack: &Pack, handle: Handle) -> Self {
        Self {
            llm,
            reader,
            pack: Generator::of(pack).with_model(Arc::new(handle)),
            random: Mutex::new(Random::from_chance()),
            made: Mutex::default(),
        }
    }

    /// The templates as they are known by now.
    fn generator(&self) -> Result<Arc<Generator>, String> {
        let version = self.reader.names_version();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, generator)) = &*made
            && *known == version
        {
            return Ok(Arc::clone(generator));
        }
        let mut templates = self.reader.templates();
        templates.retain(|template| template.alias_of.is_none());
        templates.sort_by_key(|template| std::cmp::Reverse(template.count));
        templates.truncate(TEMPLATES);
        let mut generator = self.pack.clone();
        let texts = templates.iter().map(|template| {
            let judged = template.judged.as_deref();
            let category = judged.and_then(|judged| judged.category.as_deref());
            (template.text.as_str(), category.unwrap_or_default())
        });
        generator
            .add_templates(texts)
            .map_err(|problem| problem.to_string())?;
        let generator = Arc::new(generator);
        *made = Some((version, Arc::clone(&generator)));
        Ok(generator)
    }

    /// A line from the templates.
    fn made_up(&self, prompt: &str) -> Result<String, String> {
        let generator = self.generator()?;
        let choice = generator.choose(prompt);
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(choice.line(&mut random, clock::now()))
    }
}

impl Writer for Desk {
    fn generate(&self, prompt: &str) -> Result<String, String> {
        if let Some(llm) = &self.llm {
            match written(llm, prompt, 1) {
                Ok(lines) => return lines.into_iter().next().ok_or_else(String::new),
                Err(problem) => {
                    tracing::debug!(%problem, "a line is made from a template instead");
                }
            }
        }
        self.made_up(prompt)
    }

    fn has_llm(&self) -> bool {
        self.llm.is_some()
    }

    fn sent(&self, n: usize) -> Vec<Value> {
        let Some(llm) = &self.llm else {
            return Vec::new();
        };
        llm.log(n)
            .iter()
            .filter_map(|sent| serde_json::to_value(sent).ok())
            .collect()
    }
}

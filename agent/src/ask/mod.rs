//! Questions about the logs, answered from the store: computed facts and quoted lines.
//!
//! Enters: a [`Question`]. Leaves: an [`Answer`] whose every number was counted in the store and whose every line is one of the
//! store's. A million lines are a few hundred templates, so what is searched are templates ([`index`], [`rank`]); times, names and
//! streams then choose among their events ([`facts`], [`lines`]). Nothing here touches the flow.
//!
//! | file | what |
//! |---|---|
//! | [`answer`] | what is asked and what is answered |
//! | [`read`] | what a question asks for: which time, which things |
//! | [`words`] | words, stems and concepts |
//! | [`index`] | which template has which words |
//! | [`rank`] | which templates answer best, and whether any does |
//! | [`facts`] | how many, when, by whom |
//! | [`filter`] | whether a block may hold a name |
//! | [`lines`] | the lines themselves |
//! | [`samples`] | some lines of each template, at hand |
//! | [`find`] | the way from the one to the other |
//! | [`compose`] | an answer in words, without an LLM |
//! | [`worded`] | an answer in an LLM's words, held against what was found |
//! | [`conversation`] | questions that follow others |
//! | [`kinds`] | what is to be told of every template at once |
//! | [`suggest`] | questions that are worth asking |
//! | [`state`] | what is kept in memory, and how it is brought up to date |

mod answer;
mod compose;
mod conversation;
mod facts;
mod filter;
mod find;
mod index;
mod kinds;
mod lines;
mod rank;
mod read;
mod samples;
mod state;
mod suggest;
pub mod worded;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logline::template::TemplateId;
use serde::Serialize;

pub use answer::{Answer, Line, LookedAt, Question, Reference, StreamCount};
pub use kinds::KindOfLine;

use crate::classify::Embed;
use crate::store::{Fault, Reader};
use conversation::Conversations;
use facts::Choice;
use samples::Samples;
use state::{AT_MOST, State, View};
use worded::Wording;

/// Where somebody brings the state up to date in the background, an answer may rest on one that is so old.
const KEPT: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] Fault),
    /// The question names a container that the store does not know.
    #[error("no container, pod or file named `{0}` has written anything that is stored")]
    UnknownContainer(String),
}

/// What answers are found in.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EngineStats {
    /// Events that are stored.
    pub events: u64,
    /// Their templates.
    pub templates: usize,
    /// Templates whose place among all is known.
    pub vectors: usize,
    /// Whether questions are compared by meaning: there is a model, and it has been at work.
    pub by_meaning: bool,
}

/// Answers questions about one store. Keeps an index in memory and refreshes it when the store has changed.
pub struct Engine {
    reader: Reader,
    embed: Option<Arc<dyn Embed>>,
    state: State,
    samples: Samples,
    /// Somebody brings the state up to date while nobody asks.
    kept: AtomicBool,
    conversations: Conversations,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine over what `reader` reads; nothing is read until the first question. `embed` compares by meaning, where there is
    /// a model.
    #[must_use]
    pub fn new(reader: Reader, embed: Option<Arc<dyn Embed>>) -> Self {
        Self {
            reader,
            embed,
            state: State::default(),
            samples: Samples::default(),
            kept: AtomicBool::new(false),
            conversations: Conversations::default(),
        }
    }

    /// Answers a question with what was computed and quoted.
    ///
    /// # Errors
    /// Where the store cannot be read, or the question names a container that is not known.
    pub fn ask(&self, question: &Question) -> Result<Answer, AskError> {
        let mut full = question.clone();
        if let Some(before) = self.earlier(question).last()
            && conversation::follows(&question.text)
        {
            full.text = find::together(before, &question.text);
        }
        let mut answer = self.find(&full)?;
        answer.question.clone_from(&question.text);
        let id = question.conversation_id.as_deref();
        answer.conversation_id = Some(self.conversations.add(id, &full.text));
        Ok(answer)
    }

    /// As [`ask`](Self::ask), in the words of a language model as far as they hold; they go to `on_piece` as they come.
    ///
    /// # Errors
    /// As [`ask`](Self::ask). A model that fails is none: the answer is composed then.
    pub fn ask_worded(
        &self,
        question: &Question,
        wording: &dyn Wording,
        on_piece: &mut dyn FnMut(&str),
    ) -> Result<Answer, AskError> {
        let earlier = self.earlier(question);
        let answer = self.ask(question)?;
        Ok(worded::worded(answer, wording, &earlier, on_piece))
    }

    /// Questions that the store has an answer to.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn suggestions(&self, container: Option<&str>) -> Result<Vec<String>, AskError> {
        let view = self.view(false)?;
        let streams = container
            .map(|name| find::streams_of(&self.reader, name))
            .transpose()?;
        let choice = Choice {
            streams,
            ..Choice::default()
        };
        Ok(suggest::suggestions(&self.reader, &view, &choice)?)
    }

    /// What the events of each template are about and, with `since` in nanoseconds since 1970, how many there are since then and
    /// in as long a time before.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn kinds(&self, since: Option<i64>) -> Result<HashMap<TemplateId, KindOfLine>, Fault> {
        let view = self.view(false)?;
        kinds::kinds(&self.reader, &view, since)
    }

    /// What answers are found in.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn stats(&self) -> Result<EngineStats, AskError> {
        let view = self.view(false)?;
        Ok(EngineStats {
            events: view.all.values().map(|tally| tally.count).sum(),
            templates: view.all.len(),
            vectors: view.vectors.len(),
            by_meaning: self.embed.is_some() && !view.vectors.is_empty(),
        })
    }

    /// Makes questions about names fast: works for about `patience` on what tells which blocks may hold a name. Gives whether
    /// everything is done.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn prepare(&self, patience: Duration) -> Result<bool, AskError> {
        self.kept.store(true, Ordering::Relaxed);
        let view = self
            .state
            .view(&self.reader, &self.samples, AT_MOST, false)?;
        let until = Instant::now() + patience;
        if let Some(oldest) = view.facts.blocks().first() {
            self.samples.forget_before(oldest.place.first);
        }
        for block in view.facts.without_filter() {
            if Instant::now() >= until {
                return Ok(false);
            }
            if let Some((batch, seqs)) = self.reader.block_events(&block.place)? {
                block.learn(&batch);
                self.samples.learn(&batch, &seqs);
            }
        }
        Ok(true)
    }

    fn earlier(&self, question: &Question) -> Vec<String> {
        let id = question.conversation_id.as_deref();
        id.map(|id| self.conversations.earlier(id))
            .unwrap_or_default()
    }

    fn find(&self, question: &Question) -> Result<Answer, AskError> {
        let view = self.view(false)?;
        let near = self.near(&view, &question.text);
        let (answer, stale) =
            find::answer(&self.reader, &view, &self.samples, near.as_ref(), question)?;
        if !stale {
            return Ok(answer);
        }
        // Blocks were merged or went away meanwhile.
        let view = self.view(true)?;
        let near = self.near(&view, &question.text);
        Ok(find::answer(&self.reader, &view, &self.samples, near.as_ref(), question)?.0)
    }

    /// How near each template's meaning is to the question's, by document; none without a model.
    fn near(&self, view: &View, text: &str) -> Option<HashMap<usize, f32>> {
        if view.vectors.is_empty() {
            return None;
        }
        // A model that fails is told of in the health; words do without it.
        let place = self.embed.as_ref()?.embed(&[text]).ok()?.pop()?;
        let near = view
            .vectors
            .iter()
            .map(|(doc, vector)| (*doc, vector.similarity(&place)));
        Some(near.collect())
    }

    /// What is known of the store, brought up to date.
    fn view(&self, at_once: bool) -> Result<Arc<View>, Fault> {
        let patience = if self.kept.load(Ordering::Relaxed) {
            KEPT
        } else {
            AT_MOST
        };
        self.state
            .view(&self.reader, &self.samples, patience, at_once)
    }
}

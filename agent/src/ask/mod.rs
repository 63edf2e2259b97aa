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
//! | [`lines`] | the lines themselves |
//! | [`find`] | the way from the one to the other |
//! | [`compose`] | an answer in words, without an LLM |

mod answer;
mod compose;
mod facts;
mod find;
mod index;
mod lines;
mod rank;
mod read;
mod state;
mod words;

use std::sync::{Arc, Mutex, PoisonError};

pub use answer::{Answer, Line, LookedAt, Question, Reference, StreamCount};

use crate::store::{Fault, Reader};
use state::State;

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

/// Answers questions about one store. Keeps an index in memory and refreshes it when the store has changed. Cheap to share.
#[derive(Debug)]
pub struct Engine {
    reader: Reader,
    state: Mutex<State>,
}

impl Engine {
    /// An engine over what `reader` reads; nothing is read until the first question.
    #[must_use]
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            state: Mutex::default(),
        }
    }

    /// Answers a question with what was computed and quoted.
    ///
    /// # Errors
    /// Where the store cannot be read, or the question names a container that is not known.
    pub fn ask(&self, question: &Question) -> Result<Answer, AskError> {
        let view = self.view(false)?;
        let (answer, stale) = find::answer(&self.reader, &view, question)?;
        if !stale {
            return Ok(answer);
        }
        // Blocks were merged or went away meanwhile.
        let view = self.view(true)?;
        Ok(find::answer(&self.reader, &view, question)?.0)
    }

    /// What is known of the store, brought up to date.
    fn view(&self, at_once: bool) -> Result<Arc<state::View>, Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.view(&self.reader, at_once)
    }
}

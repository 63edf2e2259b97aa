//! What others may ask of the stage, from any thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use logline::template::TemplateId;

use super::judge::Verdict;
use super::llm::Llm;
use super::model::ModelError;
use super::queue::{Question, Queue, Renewal, Work};
use super::stage::categories;
use super::{Embed, Said, Taught};

/// How long a caller waits for the model.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a verdict cannot be taught.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TeachError {
    /// The pack has no such category.
    #[error("there is no category `{category}`; the pack has {}", known.join(", "))]
    Category {
        /// What was named.
        category: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such template has been seen.
    #[error("there is no template {0}")]
    Template(TemplateId),
    /// The agent is stopping.
    #[error("the agent is stopping")]
    Ended,
}

/// What others may ask of the stage; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    /// To the flow.
    pub(super) answers: Sender<Said>,
    /// The categories of the pack.
    pub(super) categories: RwLock<Vec<String>>,
    /// A model is there or is being loaded, or an LLM can be asked.
    pub(super) on: AtomicBool,
    pub(super) llm: Option<Llm>,
    /// Why there is none.
    pub(super) problem: RwLock<Option<ModelError>>,
}

impl Handle {
    /// Whether templates are judged: a model is there, or is being loaded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.shared.on.load(Ordering::Acquire)
    }

    /// Asks for a template's verdict. False where too many wait.
    #[must_use]
    pub fn ask(&self, question: Question) -> bool {
        self.shared.queue.ask(question)
    }

    /// A person has said that `text`, as the model would be shown it, is about `category`: from now on it is an example.
    pub fn learn(&self, text: &str, category: &str) {
        // An example that finds no room costs only what it would have taught; the verdict itself is kept elsewhere.
        let _ = self
            .shared
            .queue
            .call(Work::Learn(text.to_owned(), category.to_owned()));
    }

    /// A person, or a program of that name, says that the template `id` is about `category`: kept as `taught`, it wins over
    /// the model's verdict and joins the examples. Gives the template's text.
    ///
    /// # Errors
    /// Where there is no such category or template, or the flow has ended.
    pub fn teach(&self, id: TemplateId, category: &str, by: &str) -> Result<String, TeachError> {
        let categories = self
            .shared
            .categories
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if !categories.iter().any(|known| known == category) {
            return Err(TeachError::Category {
                category: category.to_owned(),
                known: categories,
            });
        }
        let (reply, answer) = sync_channel(1);
        let taught = Taught {
            id,
            category: category.to_owned(),
            by: by.to_owned(),
            reply,
        };
        let sent = self.shared.answers.send(Said::Taught(taught));
        sent.map_err(|_| TeachError::Ended)?;
        match answer.recv_timeout(PATIENCE) {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(TeachError::Template(id)),
            Err(_) => Err(TeachError::Ended),
        }
    }

    /// The model's verdict on a text, as [`text_of`](super::text_of) makes it.
    ///
    /// # Errors
    /// Where there is no model, or it fails.
    pub fn verdict(&self, text: &str) -> Result<Verdict, ModelError> {
        self.call(|reply| Work::Judge(text.to_owned(), reply))
    }

    /// Whether lines of templates that nobody could judge yet are to be told by [`waits`](Self::waits).
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.shared.llm.as_ref().is_some_and(Llm::is_awaited)
    }

    /// So many more lines of these templates went on without a verdict: the LLM is asked first about those with the most.
    pub fn waits(&self, lines: impl IntoIterator<Item = (TemplateId, u64)>) {
        if let Some(llm) = &self.shared.llm {
            llm.waits(lines);
        }
    }

    /// Loads the model anew. What another model or another version of the taxonomy has judged is judged anew when nothing
    /// else is to be done.
    pub fn reload(&self, renewal: Renewal) {
        if let Some(pack) = &renewal.pack {
            *self
                .shared
                .categories
                .write()
                .unwrap_or_else(PoisonError::into_inner) = categories(pack);
        }
        self.shared.queue.reload(renewal);
    }

    /// Ends the thread.
    pub fn end(&self) {
        self.shared.queue.end();
    }

    fn call<T>(
        &self,
        work: impl FnOnce(SyncSender<Result<T, ModelError>>) -> Work,
    ) -> Result<T, ModelError> {
        let unavailable = || {
            let problem = self
                .shared
                .problem
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            problem.clone().unwrap_or_else(ModelError::missing)
        };
        if !self.is_on() {
            return Err(unavailable());
        }
        let (reply, answer) = sync_channel(1);
        if !self.shared.queue.call(work(reply)) {
            return Err(ModelError::busy());
        }
        match answer.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(_) if self.is_on() => Err(ModelError::busy()),
            Err(_) => Err(unavailable()),
        }
    }
}

impl Embed for Handle {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.call(|reply| Work::Embed(texts, reply))
    }
}

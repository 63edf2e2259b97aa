//! What waits for the model: one queue for all who ask, in the order of their haste.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use logline::rules::Pack;
use logline::template::TemplateId;

use super::judgement::Judgement;
use super::model::ModelError;

/// Templates that may wait in each of the two queues; what finds no room is asked again when it comes again.
const MOST: usize = 8_192;
/// Texts of callers that may wait.
const MOST_CALLERS: usize = 64;
/// Templates that go through the model before somebody else's turn is looked for.
const TOGETHER: usize = 8;

/// A template that is to be judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// The template's id.
    pub id: TemplateId,
    /// What the model is shown, as [`text_of`](super::text_of) makes it.
    pub text: String,
    /// A rule decides for its events: only its place among the templates is wanted.
    pub decided: bool,
    /// Nobody waits for it.
    pub idle: bool,
    /// The verdict that it has stands: only its place among the templates is wanted.
    pub stands: bool,
    /// What an LLM is told beside the text, where it is asked.
    pub context: Context,
}

/// What is known of the event that a template was first seen in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The masked text.
    pub template: String,
    /// Who spoke.
    pub logger: String,
    /// How bad it was.
    pub level: &'static str,
    /// The container's image.
    pub image: String,
    /// The beginning of its message as it was written: whoever lets it leave this host masks it first.
    pub example: String,
}

/// What the stage is to go on with.
#[derive(Clone, Debug, Default)]
pub struct Renewal {
    /// The pack, where it has changed.
    pub pack: Option<Arc<Pack>>,
    /// The templates that are known.
    pub known: Vec<Remembered>,
}

/// A template that is known, perhaps from an earlier run.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// Its id.
    pub id: TemplateId,
    /// Its text.
    pub text: String,
    /// What it was judged to be about.
    pub judged: Option<Arc<Judgement>>,
    /// The model that gave it its place.
    pub placed_by: Option<String>,
}

/// A place for each text, or why there is none.
pub(super) type Places = Result<Vec<Vec<f32>>, ModelError>;
/// A verdict on a text, or why there is none.
pub(super) type Said = Result<super::judge::Verdict, ModelError>;

/// What the thread does next.
#[derive(Debug)]
pub(super) enum Work {
    /// Somebody waits for the places of texts.
    Embed(Vec<String>, SyncSender<Places>),
    /// Somebody waits for the verdict on a text.
    Judge(String, SyncSender<Said>),
    /// A person has said what a text is about.
    Learn(String, String),
    /// Templates.
    Templates(Vec<Question>),
    /// The model is to be loaded anew.
    Reload(Renewal),
    /// Nothing more.
    End,
}

#[derive(Debug, Default)]
struct State {
    callers: VecDeque<Work>,
    urgent: VecDeque<Question>,
    idle: VecDeque<Question>,
    reload: Option<Renewal>,
    ended: bool,
}

/// The queue. See the module's text.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a template. False where there is no room.
    pub(super) fn ask(&self, question: Question) -> bool {
        let mut state = self.lock();
        let queue = if question.idle {
            &mut state.idle
        } else {
            &mut state.urgent
        };
        if queue.len() >= MOST {
            return false;
        }
        queue.push_back(question);
        self.wake.notify_one();
        true
    }

    /// Adds what somebody waits for. False where there is no room.
    pub(super) fn call(&self, work: Work) -> bool {
        let mut state = self.lock();
        if state.callers.len() >= MOST_CALLERS || state.ended {
            return false;
        }
        state.callers.push_back(work);
        self.wake.notify_one();
        true
    }

    /// The model is loaded anew before anything else.
    pub(super) fn reload(&self, mut renewal: Renewal) {
        let mut state = self.lock();
        // An earlier pack that was not taken up yet is not forgotten.
        let earlier = state.reload.take().and_then(|earlier| earlier.pack);
        renewal.pack = renewal.pack.or(earlier);
        state.reload = Some(renewal);
        self.wake.notify_one();
    }

    /// Nothing more is worked on.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.wake.notify_all();
    }

    /// Forgets all templates that wait: there is no model for them.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.urgent.clear();
        state.idle.clear();
    }

    /// How many templates wait.
    pub(super) fn len(&self) -> usize {
        let state = self.lock();
        state.urgent.len() + state.idle.len()
    }

    /// What is to be done next, once there is something.
    pub(super) fn next(&self) -> Work {
        let mut state = self.lock();
        loop {
            if state.ended {
                return Work::End;
            }
            if let Some(renewal) = state.reload.take() {
                return Work::Reload(renewal);
            }
            if let Some(work) = state.callers.pop_front() {
                return work;
            }
            for urgent in [true, false] {
                let queue = if urgent {
                    &mut state.urgent
                } else {
                    &mut state.idle
                };
                if !queue.is_empty() {
                    let count = queue.len().min(TOGETHER);
                    return Work::Templates(queue.drain(..count).collect());
                }
            }
            state = self
                .wake
                .wait_timeout(state, Duration::from_secs(60))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

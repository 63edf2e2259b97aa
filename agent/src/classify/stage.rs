//! The thread that owns the model: templates in, verdicts and places out, one forward pass for both.
//!
//! The flow never waits for it: it asks through a bounded queue and takes the answers when they come. Whoever else needs the
//! model (a question of a person, a line to be tried) goes before the templates.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use logline::rules::Pack;
use tracing::{info, warn};

use super::handle::{Handle, Shared};
use super::judge::{Judge, Verdict};
use super::judgement::{Judgement, Stage, Vector};
use super::llm::{self, Llm};
use super::model::ModelError;
use super::queue::{Question, Queue, Remembered, Work};
use super::{Answer, Embedding, Said};
use crate::telemetry::{ClassifyMetrics, Health, Metrics};

/// The part of the health that speaks of the model.
const BERT: &str = "bert";
/// So much less important than the flow: see nice(2).
const NICE: i32 = 10;

/// What the stage is set up with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The model's directory; none: there is no model, which is no fault.
    pub directory: Option<PathBuf>,
    /// ONNX Runtime's shared library; none: the one beside the model, or the system's.
    pub runtime: Option<PathBuf>,
    /// Threads of one inference.
    pub threads: usize,
    /// It was asked for: without it the agent is not whole.
    pub required: bool,
    /// Who is asked where the model abstains.
    pub llm: Option<Llm>,
}

/// Starts the stage. `known` are the templates of earlier runs: those that another model or another version of the taxonomy
/// judged are judged anew when nothing else is to be done.
///
/// # Errors
/// Where the thread cannot be started.
pub fn spawn(
    options: Options,
    pack: Arc<Pack>,
    known: Vec<Remembered>,
    answers: Sender<Said>,
    metrics: &Metrics,
    health: Arc<Health>,
) -> std::io::Result<(Handle, JoinHandle<()>)> {
    let shared = Arc::new(Shared {
        queue: Queue::default(),
        answers: answers.clone(),
        categories: RwLock::new(categories(&pack)),
        on: AtomicBool::new(options.directory.is_some() || options.llm.is_some()),
        llm: options.llm.clone(),
        problem: RwLock::default(),
    });
    let handle = Handle {
        shared: Arc::clone(&shared),
    };
    let room = Room {
        options,
        pack,
        known,
        answers,
        metrics: metrics.classify(),
        health,
        shared,
        judge: None,
    };
    let thread = std::thread::Builder::new()
        .name("bert".to_owned())
        .spawn(move || room.run())?;
    Ok((handle, thread))
}

pub(super) fn categories(pack: &Pack) -> Vec<String> {
    let categories = pack.taxonomy.categories.iter();
    categories.map(|category| category.id.clone()).collect()
}

/// The state of the thread.
struct Room {
    options: Options,
    pack: Arc<Pack>,
    known: Vec<Remembered>,
    answers: Sender<Said>,
    metrics: ClassifyMetrics,
    health: Arc<Health>,
    shared: Arc<Shared>,
    judge: Option<Judge>,
}

impl Room {
    fn run(mut self) {
        // The lines go before. Where it is not allowed to be polite it is not.
        let _ = rustix::process::nice(NICE);
        self.load();
        loop {
            let work = self.shared.queue.next();
            match work {
                Work::End => return,
                Work::Reload(renewal) => {
                    self.known = renewal.known;
                    if let Some(pack) = renewal.pack {
                        if let Some(llm) = &self.options.llm {
                            llm.set_taxonomy(llm::Taxonomy::of(&pack));
                        }
                        self.pack = pack;
                    }
                    self.load();
                }
                Work::Embed(texts, reply) => {
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    // Who does not wait any more needs no answer, here and below.
                    let _ = reply.send(self.with(|judge| judge.places(&texts)));
                }
                Work::Judge(text, reply) => {
                    let said = self.with(|judge| judge.verdict_on(&text));
                    let _ = reply.send(said);
                }
                // Without a model there is nothing to learn from: the verdict stands all the same.
                Work::Learn(..) if self.judge.is_none() => {}
                Work::Learn(text, category) => {
                    if let Err(problem) = self.with(|judge| judge.learn(&text, &category)) {
                        warn!(%problem, "a taught verdict does not join the examples");
                    }
                }
                Work::Templates(questions) => self.templates(&questions),
            }
            self.metrics
                .queue
                .set(i64::try_from(self.shared.queue.len()).unwrap_or(i64::MAX));
        }
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Judge) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        match &mut self.judge {
            Some(judge) => work(judge),
            None => Err(self
                .shared
                .problem
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
                .unwrap_or_else(ModelError::missing)),
        }
    }

    /// Loads the model of the options, or says why there is none.
    fn load(&mut self) {
        let Some(directory) = &self.options.directory else {
            self.health.fine(
                BERT,
                "off: no model found; `make model` makes one, classify.model.directory names it",
            );
            self.judge_anew(None);
            return;
        };
        let began = Instant::now();
        let runtime = self.options.runtime.as_deref();
        match Judge::open(directory, runtime, self.options.threads, &self.pack) {
            Ok(judge) => {
                let version = judge.version().to_owned();
                let said = format!("{} ({version})", directory.display());
                info!(model = %said, ms = began.elapsed().as_millis(), "bert");
                self.health.fine(BERT, said);
                self.judge = Some(judge);
                *self
                    .shared
                    .problem
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = None;
                self.shared.on.store(true, Ordering::Release);
                self.relearn();
                self.judge_anew(Some(&version));
            }
            Err(problem) => {
                let goes_on = if self.judge.is_some() {
                    "the model loaded before goes on"
                } else {
                    "templates that no rule decides stay unclassified"
                };
                warn!(%problem, "{goes_on}");
                let said = format!("{problem}; {goes_on}");
                // A pack with rules alone is no fault, and neither is a model that was only found.
                if self.options.required || !problem.is_of_pack() {
                    self.health.broken(BERT, said);
                } else {
                    self.health.fine(BERT, format!("off: {said}"));
                }
                if self.judge.is_none() {
                    *self
                        .shared
                        .problem
                        .write()
                        .unwrap_or_else(PoisonError::into_inner) = Some(problem);
                    let llm = self.options.llm.is_some();
                    self.shared.on.store(llm, Ordering::Release);
                    if !llm {
                        self.shared.queue.clear();
                    }
                    self.judge_anew(None);
                }
            }
        }
    }

    /// What people have taught in earlier runs joins the examples.
    fn relearn(&mut self) {
        let Some(judge) = &mut self.judge else {
            return;
        };
        for known in &self.known {
            if let Some(judged) = &known.judged
                && judged.is_taught()
                && let Some(category) = &judged.category
                && let Err(problem) = judge.learn(&judged.asked, category)
            {
                warn!(%problem, "a taught verdict does not join the examples");
                return;
            }
        }
    }

    /// Asks again for what another model or taxonomy has judged or placed, and for what only an LLM can judge and none was
    /// there. `version` is the model's; none: there is no model.
    fn judge_anew(&mut self, version: Option<&str>) {
        let taxonomy = self.options.llm.as_ref().map(Llm::taxonomy);
        for known in std::mem::take(&mut self.known) {
            let judged = known.judged.as_deref();
            let other_model = |judged: &Judgement| match (judged.stage, version, &taxonomy) {
                (Stage::Bert, Some(version), _) => judged.version != version,
                // Whichever model it was: it was asked once.
                (Stage::Llm, _, Some(taxonomy)) => judged.taxonomy() != taxonomy,
                _ => false,
            };
            let outdated = judged.is_some_and(other_model);
            let misplaced = version.is_some()
                && known
                    .placed_by
                    .as_ref()
                    .is_some_and(|model| Some(model.as_str()) != version);
            let open = judged
                .is_some_and(|judged| judged.stage == Stage::Bert && judged.category.is_none());
            let question = Question {
                id: known.id,
                text: judged.map_or(known.text, |judged| judged.asked.clone()),
                idle: true,
                stands: judged.is_some() && !outdated,
                ..Question::default()
            };
            if open && !outdated {
                self.escalate(&question, Vec::new());
            }
            if outdated || misplaced {
                let _ = self.shared.queue.ask(question);
            }
        }
    }

    /// Asks the LLM, if there is one, about a template that the model has no answer to.
    fn escalate(&self, question: &Question, ranking: Vec<(String, f32)>) {
        let Some(llm) = &self.options.llm else {
            return;
        };
        let context = &question.context;
        let template = match context.template.as_str() {
            // Of an earlier run: who spoke stands in the text.
            "" => &question.text,
            template => template,
        };
        let examples = Some(context.example.clone()).filter(|example| !example.is_empty());
        // What finds no room is counted there.
        let _ = llm.ask(llm::Question {
            id: question.id,
            template: template.to_owned(),
            logger: context.logger.clone(),
            level: context.level,
            image: context.image.clone(),
            examples: examples.into_iter().collect(),
            ranking,
            asked: question.text.clone(),
        });
    }

    fn templates(&mut self, questions: &[Question]) {
        let Some(judge) = &mut self.judge else {
            for question in questions {
                // Nobody waits for an LLM: the flow gets its answer when it comes.
                let _ = self.answers.send(Said::Answer(Answer {
                    id: question.id,
                    ..Answer::default()
                }));
                if !question.decided {
                    self.escalate(question, Vec::new());
                }
            }
            return;
        };
        let began = Instant::now();
        let texts: Vec<&str> = questions
            .iter()
            .map(|question| question.text.as_str())
            .collect();
        let version = judge.version().to_owned();
        match judge.judge(&texts) {
            Ok(said) => {
                for (question, (verdict, place)) in questions.iter().zip(said) {
                    self.metrics.judged(verdict.doubt.is_none());
                    let judgement = judgement_of(&verdict, &version, &question.text);
                    let embedding = (!place.is_empty()).then(|| Embedding {
                        vector: Vector::of(&place),
                        version: version.clone(),
                    });
                    let ranking = verdict.ranking;
                    let abstained = judgement.category.is_none();
                    // What is kept as open is asked of the LLM after a restart: where a rule decides, it is not open. Should
                    // an event come that the rule does not take, the template is asked about again.
                    let kept = !(question.stands || abstained && question.decided);
                    // A flow that has ended needs no answers.
                    let _ = self.answers.send(Said::Answer(Answer {
                        id: question.id,
                        judgement: kept.then_some(judgement),
                        embedding,
                        ranking: ranking.clone(),
                    }));
                    if abstained && !question.decided && !question.stands {
                        self.escalate(question, ranking);
                    }
                }
            }
            // One text may be what the model fails on: the others are not to pay for it.
            Err(_) if questions.len() > 1 => {
                for question in questions {
                    self.templates(std::slice::from_ref(question));
                }
                return;
            }
            Err(problem) => {
                self.metrics.failures.inc();
                let template = questions.first().map_or("", |question| &question.text);
                warn!(%problem, template, "the model has failed");
                self.health
                    .broken(BERT, format!("{problem}; {template:?} stays unclassified"));
                for question in questions {
                    let _ = self.answers.send(Said::Answer(Answer {
                        id: question.id,
                        ..Answer::default()
                    }));
                }
            }
        }
        self.metrics.seconds.inc_by(began.elapsed().as_secs_f64());
    }
}

/// What is kept of the model's verdict.
#[must_use]
pub fn judgement_of(verdict: &Verdict, version: &str, asked: &str) -> Judgement {
    let (category, text) = &verdict.nearest;
    let like = if text.is_empty() {
        String::new()
    } else {
        format!("like \"{text}\" ({category}, {:.2})", verdict.similarity)
    };
    let reason = match (&verdict.doubt, like.is_empty()) {
        (None, false) => like,
        (None, true) => "the model's own class".to_owned(),
        (Some(doubt), _) => {
            let most = format!("abstains, {doubt}; most likely {}", verdict.category);
            if like.is_empty() {
                most
            } else {
                format!("{most}, {like}")
            }
        }
    };
    Judgement {
        category: verdict.doubt.is_none().then(|| verdict.category.clone()),
        stage: Stage::Bert,
        confidence: verdict.confidence,
        reason,
        version: version.to_owned(),
        asked: asked.to_owned(),
    }
}

//! How a line comes to its category: through the rules, what is remembered of its template, and the model, as in the flow
//! but without it. Nothing is stored, and nobody is asked who costs money.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use logline::decode::{self, Wrapper};
use logline::rules::RuleSet;
use logline::sieve::{Sieve, Source};
use logline::template::{self, TemplateId};
use logline::time::TimeContext;
use serde::Serialize;
use utoipa::ToSchema;

use crate::classify::{Handle, Judgement, Stage, TeachError, judgement_of, text_of};
use crate::store::{KnownTemplate, Reader};
use crate::telemetry::clock;

/// What the store knows is looked up again at most so often.
const REFRESH: Duration = Duration::from_secs(1);
/// Templates that lines from outside may add to a sieve before it is made anew.
const MAX_OWN: usize = 5_000;
/// Verdicts of the model that are remembered here.
const MAX_VERDICTS: usize = 4_096;
/// Who is said to have taught a template.
const BY: &str = "api";

/// How a line comes to its category.
#[derive(Clone, Debug)]
pub(super) struct Journey {
    /// The category; none: nobody decided.
    pub(super) category: Option<String>,
    /// Who decided, or was the last to look.
    pub(super) by: By,
    /// Probability that the category is right; 0 where there is none.
    pub(super) confidence: f32,
    /// Why.
    pub(super) reason: String,
    /// How bad it is.
    pub(super) level: &'static str,
    /// The line with its variables masked.
    pub(super) template: String,
    /// The template's id.
    pub(super) template_id: TemplateId,
    /// What each stage did, in their order.
    pub(super) steps: [Step; 3],
}

/// A stage, by the names that the seeds' clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) enum By {
    /// The rules.
    Regex,
    /// The BERT.
    #[serde(rename = "BERT")]
    Bert,
    /// The LLM.
    #[serde(rename = "LLM")]
    Llm,
}

/// What one stage did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Step {
    /// `Regex Engine`, `BERT Model` or `LLM Fallback`.
    stage: &'static str,
    /// `Classified`, `Skipped`, `Low Confidence` or `Unavailable`.
    status: &'static str,
    /// Why.
    #[schema(value_type = String)]
    details: Cow<'static, str>,
}

impl Step {
    fn new(by: By, status: &'static str, details: impl Into<Cow<'static, str>>) -> Self {
        Self {
            stage: match by {
                By::Regex => "Regex Engine",
                By::Bert => "BERT Model",
                By::Llm => "LLM Fallback",
            },
            status,
            details: details.into(),
        }
    }
}

/// Judges lines as the flow does, without the flow.
pub struct Classifier {
    rules: RwLock<Arc<RuleSet>>,
    handle: Handle,
    reader: Reader,
    utc_offset_s: i32,
    known: Mutex<Arc<Known>>,
    /// Sieves that nobody uses at this time.
    desks: Mutex<Vec<Desk>>,
    verdicts: Mutex<HashMap<String, Arc<Judgement>>>,
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").finish_non_exhaustive()
    }
}

/// What the store knows of the templates.
#[derive(Default)]
struct Known {
    /// [`Reader::names_version`] of it.
    version: u64,
    /// When it was looked up.
    at: Option<Instant>,
    templates: Vec<KnownTemplate>,
    judged: HashMap<TemplateId, Arc<Judgement>>,
}

/// A sieve that has taken up what is known.
struct Desk {
    sieve: Sieve,
    rules: Arc<RuleSet>,
    known: Arc<Known>,
}

impl Classifier {
    /// Judges by `rules`, by what `reader`'s store remembers, and by the model behind `handle`. `utc_offset_s` is what the
    /// configuration says of times without a zone.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, handle: Handle, reader: Reader, utc_offset_s: i32) -> Self {
        Self {
            rules: RwLock::new(rules),
            handle,
            reader,
            utc_offset_s,
            known: Mutex::default(),
            desks: Mutex::default(),
            verdicts: Mutex::default(),
        }
    }

    /// Judges by other rules from now on, and asks the model anew: it may be another one.
    pub fn renew(&self, rules: Arc<RuleSet>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        lock(&self.desks).clear();
        lock(&self.verdicts).clear();
    }

    /// The categories of the taxonomy in their order, each with what it means.
    pub(super) fn categories(&self) -> Vec<(String, String)> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let categories = rules.categories().iter();
        categories
            .map(|category| (category.id.clone(), category.means.clone()))
            .collect()
    }

    /// Whether a model judges what no rule decides.
    pub(super) fn has_model(&self) -> bool {
        self.handle.is_on()
    }

    /// Gives a template its category for good; returns its text.
    pub(super) fn teach(&self, id: TemplateId, category: &str) -> Result<String, TeachError> {
        self.handle.teach(id, category, BY)
    }

    /// Shows `work` somebody who judges one line after another.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Judge<'_>) -> T) -> T {
        let mut judge = Judge {
            desk: self.desk(),
            classifier: self,
        };
        let done = work(&mut judge);
        let desk = judge.desk;
        if desk.sieve.templates().len() < desk.known.templates.len() + MAX_OWN {
            lock(&self.desks).push(desk);
        }
        done
    }

    /// A sieve that knows what the store knows.
    fn desk(&self) -> Desk {
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let known = self.known();
        let time = TimeContext {
            reference: Some(clock::now()),
            utc_offset_s: self.utc_offset_s,
        };
        let used = lock(&self.desks).pop();
        let mut desk = match used {
            Some(desk) if Arc::ptr_eq(&desk.rules, &rules) => desk,
            _ => Desk {
                sieve: Sieve::new(Arc::clone(&rules), template::Limits::default(), time),
                rules,
                known: Arc::default(),
            },
        };
        desk.sieve.set_time(time);
        if !Arc::ptr_eq(&desk.known, &known) {
            let table = desk.sieve.templates_mut();
            for template in known.templates.iter().filter(|it| it.alias_of.is_none()) {
                table.adopt(&template.text, 0);
            }
            for template in &known.templates {
                if let Some(now) = template.alias_of.and_then(|now| table.resolve(now)) {
                    table.adopt_alias(template.id, now);
                }
            }
            desk.known = known;
        }
        desk
    }

    /// What the store knows, as of a moment ago.
    fn known(&self) -> Arc<Known> {
        let mut known = lock(&self.known);
        let version = self.reader.names_version();
        let is_fresh = known.at.is_some_and(|at| at.elapsed() < REFRESH);
        if !is_fresh && (known.at.is_none() || known.version != version) {
            let templates = self.reader.templates();
            *known = Arc::new(Known {
                version,
                at: Some(Instant::now()),
                judged: templates
                    .iter()
                    .filter_map(|template| Some((template.id, template.judged.clone()?)))
                    .collect(),
                templates,
            });
        }
        Arc::clone(&known)
    }

    /// The model's judgement on a template that the store has none of.
    fn ask(&self, logger: &[u8], level: &str, template: &str) -> Result<Arc<Judgement>, String> {
        let text = text_of(&String::from_utf8_lossy(logger), level, template);
        if let Some(known) = lock(&self.verdicts).get(&text) {
            return Ok(Arc::clone(known));
        }
        let verdict = self
            .handle
            .verdict(&text)
            .map_err(|problem| problem.to_string())?;
        let judgement = Arc::new(judgement_of(&verdict, "", &text));
        let mut verdicts = lock(&self.verdicts);
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.clear();
        }
        verdicts.insert(text, Arc::clone(&judgement));
        Ok(judgement)
    }
}

/// Judges one line after another. See [`Classifier::with`].
pub(super) struct Judge<'a> {
    desk: Desk,
    classifier: &'a Classifier,
}

impl Judge<'_> {
    /// How `line` comes to its category. After `until` no model is asked any more.
    pub(super) fn journey(&mut self, line: &[u8], until: Instant) -> Journey {
        let (fragment, _) = decode::decode(line, Wrapper::Auto);
        let source = Source {
            stream: fragment.stream,
            ..Source::default()
        };
        let judged = self.desk.sieve.judge(&fragment.text, &source);
        let logger = judged.header.logger.as_deref().unwrap_or_default();
        let level = judged.level.as_str();
        let (index, decision) = (judged.template, &judged.decision);
        let template = self.desk.sieve.templates().get(index);
        let mut journey = Journey {
            category: None,
            by: By::Regex,
            confidence: 0.0,
            reason: "no rule matched".to_owned(),
            level,
            template: template.text.clone(),
            template_id: template.id,
            steps: [
                Step::new(By::Regex, "Skipped", "No pattern matched."),
                Step::new(By::Bert, "Skipped", "A rule has decided."),
                Step::new(By::Llm, "Skipped", "A rule has decided."),
            ],
        };
        if let Some(decision) = decision {
            let rule = self.desk.rules.rule_id(decision.rule);
            let category = self.desk.rules.categories().get(decision.category);
            journey.category = category.map(|category| category.id.clone());
            journey.confidence = decision.confidence;
            journey.reason = format!("rule {rule}");
            journey.steps[0] =
                Step::new(By::Regex, "Classified", format!("The rule {rule} matched."));
            return journey;
        }
        let remembered = self.desk.known.judged.get(&template.id).cloned();
        let asked = match remembered {
            Some(judgement) => Ok(judgement),
            None if Instant::now() >= until => {
                Err("There was no time left to ask the model.".to_owned())
            }
            None => self.classifier.ask(logger, level, &template.text),
        };
        match asked {
            Ok(judgement) => tell(&mut journey, &judgement),
            Err(why) => {
                journey.steps[1] = Step::new(By::Bert, "Unavailable", why);
                journey.steps[2] =
                    Step::new(By::Llm, "Skipped", "No LLM has judged this template.");
            }
        }
        journey
    }
}

/// What is known of the template is what the line is about.
fn tell(journey: &mut Journey, judgement: &Judgement) {
    journey.category.clone_from(&judgement.category);
    journey.reason.clone_from(&judgement.reason);
    if judgement.category.is_some() {
        journey.confidence = judgement.confidence;
    }
    let status = if judgement.category.is_some() {
        "Classified"
    } else {
        "Low Confidence"
    };
    if judgement.stage == Stage::Llm {
        journey.by = By::Llm;
        journey.steps[1] = Step::new(By::Bert, "Low Confidence", "The model was not sure enough.");
        journey.steps[2] = Step::new(By::Llm, status, judgement.reason.clone());
        return;
    }
    // What a person has taught is an example of the model's from then on.
    journey.by = By::Bert;
    journey.steps[1] = Step::new(By::Bert, status, judgement.reason.clone());
    let why = if judgement.category.is_some() {
        "The model has decided."
    } else {
        "No LLM has judged this template."
    };
    journey.steps[2] = Step::new(By::Llm, "Skipped", why);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

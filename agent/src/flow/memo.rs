//! What the flow remembers of the verdicts on templates, and what it asks for.

use std::sync::Arc;

use logline::template::{Table, TemplateId};

use super::batch::{Batch, Judged, Labelled, TemplateText};
use super::labels::Labels;
use super::verdict::Verdict;
use crate::classify::{Answer, Context, Judgement, Question, Stage, text_of};

/// Bytes of a message that an LLM is shown.
const EXAMPLE_BYTES: usize = 2_048;

/// What is known of a template beside its text.
#[derive(Clone, Debug, Default)]
struct Standing {
    judged: Option<Arc<Judgement>>,
    /// The number of its category in the labels of now.
    category: Option<u16>,
    /// An answer will come.
    asked: bool,
    /// Its first event has gone on, in this run or an earlier one.
    met: bool,
    /// The model has failed on it.
    refused: bool,
    /// Its place is known.
    placed: bool,
    /// What is printed of it.
    text: Option<Arc<TemplateText>>,
}

/// The memory. Indices are those of the flow's table.
#[derive(Debug, Default)]
pub(super) struct Memo {
    standing: Vec<Standing>,
    /// What has become known and is to be stored with the next batch.
    news: Vec<Judged>,
}

impl Memo {
    fn at(&mut self, index: usize) -> &mut Standing {
        if self.standing.len() <= index {
            self.standing.resize(index + 1, Standing::default());
        }
        &mut self.standing[index]
    }

    /// Takes up what an earlier run knew.
    pub(super) fn adopt(
        &mut self,
        index: usize,
        judged: Option<Arc<Judgement>>,
        placed: bool,
        labels: &Labels,
    ) {
        let category = number(labels, judged.as_deref());
        let standing = self.at(index);
        standing.met = true;
        standing.placed = placed;
        if judged.is_some() {
            standing.judged = judged;
            standing.category = category;
        }
    }

    /// The names of the categories are others now.
    pub(super) fn renumber(&mut self, labels: &Labels) {
        for standing in &mut self.standing {
            standing.category = number(labels, standing.judged.as_deref());
        }
    }

    /// What is printed of the template at `index`.
    pub(super) fn text(&mut self, index: usize, table: &Table) -> Arc<TemplateText> {
        let template = table.get(index);
        let standing = self.at(index);
        match &standing.text {
            Some(text) if text.id == template.id => Arc::clone(text),
            before => {
                let renamed = before.is_some() && standing.judged.is_some();
                let text = Arc::new(TemplateText::new(template, standing.judged.clone()));
                standing.text = Some(Arc::clone(&text));
                if renamed {
                    // A template that merges keeps its verdict under its new name.
                    self.news.push(Judged {
                        template: Arc::clone(&text),
                        embedding: None,
                    });
                }
                text
            }
        }
    }

    /// Gives an event that no rule decided the verdict on its template. True where there is none yet.
    pub(super) fn apply(&mut self, event: &mut Labelled, stage: Option<Stage>) -> bool {
        if event.verdict.stage != Stage::None {
            return false;
        }
        let standing = self.at(event.template);
        let Some(judged) = &standing.judged else {
            return true;
        };
        let stage = match (judged.stage, stage) {
            // Whoever reads it is to see that a person stands behind it.
            (Stage::Taught, _) => Stage::Taught,
            (own, stage) => stage.unwrap_or(own),
        };
        event.verdict = Verdict::by_judgement(judged, standing.category, stage);
        event.template_text.clone_from(&standing.text);
        false
    }

    /// The question for an event's template, if nobody has asked it yet and the answer is not known.
    pub(super) fn question(&mut self, batch: &Batch, event: &Labelled) -> Option<Question> {
        let decided = event.verdict.stage != Stage::None;
        let standing = self.at(event.template);
        let known = if decided {
            standing.placed
        } else {
            standing.judged.is_some()
        };
        if standing.asked || standing.refused || known {
            return None;
        }
        let template = event.template_text.as_deref()?;
        let logger = String::from_utf8_lossy(batch.get(event.logger));
        let level = event.level.as_str();
        let message = batch.get(event.message);
        let example = message.get(..EXAMPLE_BYTES).unwrap_or(message);
        let container = batch
            .stream(event)
            .and_then(|stream| stream.origin.container.as_ref());
        Some(Question {
            id: template.id,
            text: text_of(&logger, level, &template.text),
            decided,
            idle: decided,
            stands: false,
            context: Context {
                template: template.text.clone(),
                logger: logger.into_owned(),
                level,
                image: container.map_or_else(String::new, |container| container.image.clone()),
                example: String::from_utf8_lossy(example).into_owned(),
            },
        })
    }

    /// An answer will come for this template.
    pub(super) fn asked(&mut self, index: usize) {
        self.at(index).asked = true;
    }

    /// Whether an answer will come for this template.
    pub(super) fn is_asked(&self, index: usize) -> bool {
        let standing = self.standing.get(index);
        standing.is_some_and(|standing| standing.asked && standing.judged.is_none())
    }

    /// Takes up an answer. False where there is no such template any more.
    pub(super) fn learn(&mut self, answer: Answer, table: &Table, labels: &Labels) -> bool {
        let Some(index) = table.resolve(answer.id) else {
            return false;
        };
        let standing = self.at(index);
        standing.asked = false;
        standing.refused = answer.judgement.is_none() && answer.embedding.is_none();
        standing.placed |= answer.embedding.is_some();
        let taught = |judged: &Arc<Judgement>| judged.is_taught();
        // What a person has said stands until a person says something else.
        let judgement = answer
            .judgement
            .filter(|new| new.is_taught() || !standing.judged.as_ref().is_some_and(taught));
        if let Some(judgement) = judgement {
            standing.category = number(labels, Some(&judgement));
            standing.judged = Some(Arc::new(judgement));
            standing.text = None;
        }
        let embedding = answer.embedding;
        let template = self.text(index, table);
        if template.judged.is_some() || embedding.is_some() {
            self.news.push(Judged {
                template,
                embedding,
            });
        }
        true
    }

    /// The template that `id` is part of now, as it is known: its index, and what was asked about it.
    pub(super) fn judged(&self, id: TemplateId, table: &Table) -> Option<Arc<Judgement>> {
        let standing = self.standing.get(table.resolve(id)?)?;
        standing.judged.clone()
    }

    /// An event of the template at `index` goes on. True for the first one ever.
    pub(super) fn meets(&mut self, index: usize) -> bool {
        !std::mem::replace(&mut self.at(index).met, true)
    }

    /// Moves what is to be stored into `batch`.
    pub(super) fn news(&mut self, batch: &mut Batch) {
        batch.judged.append(&mut self.news);
    }

    /// Whether something is to be stored.
    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }
}

/// The number of a verdict's category.
fn number(labels: &Labels, judged: Option<&Judgement>) -> Option<u16> {
    let name = judged?.category.as_ref()?;
    let index = labels.categories.iter().position(|known| known == name)?;
    u16::try_from(index).ok()
}

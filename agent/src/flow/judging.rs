//! The verdicts on templates: those that are known are given to events, the others are asked for.

use std::sync::Arc;

use logline::template::TemplateId;

use super::labeller::Labeller;
use super::labels::Labels;
use super::{Adopted, Batch, Flow};
use crate::classify::{Answer, Handle, Judgement, Question, Stage, Taught};

impl Flow {
    /// Takes up the templates of earlier runs, and the ids of those that merged into others.
    pub fn adopt<'a>(
        &mut self,
        templates: impl IntoIterator<Item = Adopted<'a>>,
        renamed: impl IntoIterator<Item = (TemplateId, TemplateId)>,
    ) {
        let Labeller {
            sieve,
            memo,
            labels,
            ..
        } = &mut self.labeller;
        let table = sieve.templates_mut();
        for template in templates {
            let index = table.adopt(template.text, template.count);
            memo.adopt(index, template.judged, template.placed, labels);
        }
        for (before, now) in renamed {
            if let Some(index) = table.resolve(now) {
                table.adopt_alias(before, index);
            }
        }
    }

    /// Fills in what is printed of the templates, and the verdicts that are known: the last thing before a batch is handed
    /// on, because templates may still merge while it is filled.
    pub fn settle(&mut self, batch: &mut Batch) {
        let Labeller {
            sieve,
            memo,
            labels,
            ..
        } = &mut self.labeller;
        // They may have become more since the batch was begun.
        batch.labels = Arc::clone(labels);
        let table = sieve.templates();
        for event in &mut batch.events {
            event.template_text = Some(memo.text(event.template, table));
            memo.apply(event, Some(Stage::Memo));
        }
    }

    /// Asks for the verdicts on and the places of the settled `batch`'s templates that nobody has asked for. `ask` says
    /// whether there was room for the question. Gives the number of events that wait for an answer.
    pub fn ask(&mut self, batch: &Batch, ask: &mut dyn FnMut(Question) -> bool) -> usize {
        let memo = &mut self.labeller.memo;
        let mut waiting = 0;
        for event in &batch.events {
            if let Some(question) = memo.question(batch, event)
                && ask(question)
            {
                memo.asked(event.template);
            }
            let open = event.verdict.stage == Stage::None;
            waiting += usize::from(open && memo.is_asked(event.template));
        }
        waiting
    }

    /// Takes up an answer. False where there is no such template any more.
    pub fn learn(&mut self, answer: Answer) -> bool {
        let Labeller {
            sieve,
            memo,
            labels,
            ..
        } = &mut self.labeller;
        if let Some(category) = answer
            .judgement
            .as_ref()
            .and_then(|judged| judged.category.as_ref())
            && !labels.categories.contains(category)
        {
            // Batches that are on their way keep the names that they were made with.
            self.extra.push(category.clone());
            *labels = Arc::new(Labels::clone(labels).with(&self.extra));
        }
        memo.learn(answer, sieve.templates(), labels)
    }

    /// Gives events of a settled batch the verdicts that have come meanwhile. Gives the number of those that still wait.
    pub fn resolve(&mut self, batch: &mut Batch) -> usize {
        let memo = &mut self.labeller.memo;
        batch.labels = Arc::clone(&self.labeller.labels);
        let mut waiting = 0;
        for event in &mut batch.events {
            let open = memo.apply(event, None);
            waiting += usize::from(open && memo.is_asked(event.template));
        }
        waiting
    }

    /// Marks the events of a batch that go on without the verdict that they waited for. Gives their number.
    pub fn give_up(&mut self, batch: &mut Batch) -> u64 {
        let memo = &self.labeller.memo;
        let mut late = 0;
        for event in &mut batch.events {
            if event.verdict.stage == Stage::None && memo.is_asked(event.template) {
                event.verdict.stage = Stage::Pending;
                late += 1;
            }
        }
        late
    }

    /// Counts the verdicts of a batch, which will not change any more, and adds to it what is to be stored of templates.
    pub fn account(&mut self, batch: &mut Batch) {
        for event in &batch.events {
            self.labeller.stats.verdict(event);
            if self.labeller.memo.meets(event.template) {
                self.labeller.stats.new_template(event);
            }
        }
        self.labeller.memo.news(batch);
    }

    /// Whether something is to be stored of templates.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.labeller.memo.has_news()
    }

    /// A person has said what a template is about. Gives its text, if there is such a template.
    pub fn teach(&mut self, taught: &Taught, handle: &Handle) -> Option<String> {
        let index = self.labeller.sieve.templates().resolve(taught.id)?;
        let text = self.labeller.sieve.templates().get(index).text.clone();
        let before = self.judged(taught.id);
        let asked = before.map_or_else(|| text.clone(), |judged| judged.asked.clone());
        handle.learn(&asked, &taught.category);
        self.learn(Answer {
            id: taught.id,
            judgement: Some(Judgement {
                category: Some(taught.category.clone()),
                stage: Stage::Taught,
                confidence: 1.0,
                reason: format!("by {}", taught.by),
                version: String::new(),
                asked,
            }),
            ..Answer::default()
        });
        Some(text)
    }

    /// What the template `id` is judged to be about.
    #[must_use]
    pub fn judged(&self, id: TemplateId) -> Option<Arc<Judgement>> {
        let table = self.labeller.sieve.templates();
        self.labeller.memo.judged(id, table)
    }
}

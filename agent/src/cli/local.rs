//! The model for commands that work alone: every template is judged before its first events go on.

use std::path::PathBuf;
use std::sync::Arc;

use logline::rules::Pack;

use super::output;
use crate::classify::{
    Answer, Embed, Embedding, Judge, LocalModel, Question, Vector, judgement_of,
};
use crate::flow::{Batch, Flow};
use crate::models;

/// Templates that are judged together.
const TOGETHER: usize = 64;

/// The model that judges the templates that no rule decides.
#[derive(Debug, clap::Args)]
pub(super) struct ModelArgument {
    /// The model's directory, or `none` [default: $LOGSIEVE_MODEL, `model` beside the program, /usr/share/logsieve/model]
    #[arg(long, value_name = "DIR")]
    pub(super) model: Option<PathBuf>,
}

impl ModelArgument {
    /// Loads the model. One that was not named and cannot be used is complained about, and left out.
    ///
    /// # Errors
    /// Where a model was named that cannot be used.
    pub(super) fn open(&self, pack: &Pack) -> anyhow::Result<Option<Judge>> {
        let Some(directory) = models::choose(self.model.as_deref()) else {
            return Ok(None);
        };
        match Judge::open(&directory, None, 1, pack) {
            Ok(judge) => Ok(Some(judge)),
            Err(problem) if self.model.is_some() => Err(problem.into()),
            Err(problem) => {
                let told = anyhow::Error::from(problem);
                output::complain(&told.context("the model is left out"));
                Ok(None)
            }
        }
    }
}

impl ModelArgument {
    /// Loads the model to compare texts by their meaning alone. One that was not named and cannot be used is complained about,
    /// and left out.
    ///
    /// # Errors
    /// Where a model was named that cannot be used.
    pub(super) fn embed(&self) -> anyhow::Result<Option<Arc<dyn Embed>>> {
        let Some(directory) = models::choose(self.model.as_deref()) else {
            return Ok(None);
        };
        match LocalModel::open(&directory, None, 1) {
            Ok(model) => Ok(Some(Arc::new(model))),
            Err(problem) if self.model.is_some() => Err(problem.into()),
            Err(problem) => {
                let told = anyhow::Error::from(problem);
                output::complain(&told.context("the model is left out"));
                Ok(None)
            }
        }
    }
}

/// Judges the templates of a settled batch that no rule decided and nobody has judged, and gives its events their verdicts.
/// `placed`: those that a rule decides for are taken too, for the sake of their places among all templates.
///
/// # Errors
/// Where the model fails.
pub(super) fn judge_templates(
    judge: &mut Judge,
    flow: &mut Flow,
    batch: &mut Batch,
    placed: bool,
) -> anyhow::Result<()> {
    let mut questions: Vec<Question> = Vec::new();
    flow.ask(batch, &mut |question| {
        let wanted = placed || !question.decided;
        if wanted {
            questions.push(question);
        }
        wanted
    });
    if questions.is_empty() {
        return Ok(());
    }
    // Texts of like length go through the model together.
    questions.sort_by_key(|question| question.text.len());
    for some in questions.chunks(TOGETHER) {
        let texts: Vec<&str> = some.iter().map(|question| question.text.as_str()).collect();
        let version = judge.version().to_owned();
        for (question, (verdict, place)) in some.iter().zip(judge.judge(&texts)?) {
            flow.learn(Answer {
                id: question.id,
                judgement: Some(judgement_of(&verdict, &version, &question.text)),
                embedding: (placed && !place.is_empty()).then(|| Embedding {
                    vector: Vector::of(&place),
                    version: version.clone(),
                }),
                ..Answer::default()
            });
        }
    }
    flow.resolve(batch);
    Ok(())
}

//! Which templates answer a question best: what the words say and, where there is a model, what the embeddings say.

use std::collections::HashMap;

use super::index::{Fits, Index};

/// A template that shares this much of what was asked needs no comparison with the best one.
const WELL_KNOWN: f32 = 0.35;
/// How much the embeddings weigh against the words: a standard deviation above the average similarity is worth this.
const MEANING: f32 = 0.15;
/// How far from the average a similarity counts.
const FAR: f32 = 4.0;
/// By words alone a template is no answer beside the best one if it has less than this share of its score.
const BESIDE: f32 = 0.12;

/// With a smaller share than this even the best template shares nothing with what was asked.
const LEAST: f32 = 0.05;
/// With this share of what was asked the best template is an answer, however much of the question is nowhere in the log.
const ENOUGH: f32 = 0.45;
/// Where this much of a question in the log's own words is nowhere in the log, that is what was asked about.
const MISSING: f32 = 0.48;
/// An embedding so near needs no words.
const NEAR: f32 = 0.62;
/// Where no template has a word of the question as such, what is meant decides: the nearest embedding is an answer if it is so near...
const NEAR_ALONE: f32 = 0.28;
/// ...and so many standard deviations above the average.
const STANDS_OUT: f32 = 1.8;

/// A template in the order of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    /// Its index among the documents.
    pub(super) doc: usize,
    /// What it is ordered by.
    pub(super) score: f32,
    /// The share of what was asked that it has, by words.
    pub(super) share: f32,
    /// What its shared words are worth.
    pub(super) worth: f32,
}

/// The order, and whether the first is an answer at all.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    /// The best first.
    pub(super) all: Vec<Ranked>,
    /// Whether what was asked is there.
    pub(super) answered: bool,
}

/// Orders the documents for which `among` holds. `near` has the similarity to the question of each document that has an embedding.
pub(super) fn rank(
    index: &Index,
    fits: &Fits,
    near: Option<&HashMap<usize, f32>>,
    among: &dyn Fn(usize) -> bool,
) -> Ranking {
    let best = fits
        .all
        .iter()
        .filter(|fit| among(fit.doc))
        .map(|fit| fit.worth)
        .fold(0.0, f32::max);
    let scale = best.max(WELL_KNOWN * fits.whole).max(f32::MIN_POSITIVE);
    let mut scores: HashMap<usize, Ranked> = HashMap::new();
    let mut answered = false;
    let best_fit = fits
        .all
        .iter()
        .filter(|fit| among(fit.doc))
        .max_by(|a, b| a.worth.total_cmp(&b.worth));
    if let Some(fit) = best_fit {
        let share = fit.worth / fits.whole.max(f32::MIN_POSITIVE);
        let misses_a_part = fit.exact > 0 && fits.missing > 0.0 && share < ENOUGH;
        let misses_most = fits.own_words && fits.missing >= MISSING && share < ENOUGH;
        answered = share >= LEAST && !misses_a_part && !misses_most;
    }
    for fit in fits.all.iter().filter(|fit| among(fit.doc)) {
        let share = fit.worth / fits.whole.max(f32::MIN_POSITIVE);
        scores.insert(
            fit.doc,
            Ranked {
                doc: fit.doc,
                score: fit.worth / scale,
                share,
                worth: fit.worth,
            },
        );
    }
    let near = near.filter(|near| !near.is_empty());
    if let Some(near) = near {
        let count = near.len() as f32;
        let mean = near.values().sum::<f32>() / count;
        let spread = near.values().map(|one| (one - mean).powi(2)).sum::<f32>() / count;
        let spread = spread.sqrt().max(0.02);
        let no_words = best_fit.is_none_or(|fit| fit.exact == 0);
        for (doc, similarity) in near
            .iter()
            .filter(|(doc, _)| among(**doc) && index.is_alive(**doc))
        {
            let above = ((similarity - mean) / spread).clamp(0.0, FAR);
            let entry = scores.entry(*doc).or_insert(Ranked {
                doc: *doc,
                score: 0.0,
                share: 0.0,
                worth: 0.0,
            });
            entry.score += MEANING * above;
            let meant = no_words && *similarity >= NEAR_ALONE && above >= STANDS_OUT;
            answered |= *similarity >= NEAR || meant;
        }
    }
    let mut all: Vec<Ranked> = scores.into_values().collect();
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.doc.cmp(&b.doc)));
    // What lies nearer to the question than the average may stand at the end of the list.
    let beside = if near.is_some() { 0.0 } else { BESIDE };
    let least = all.first().map_or(0.0, |best| best.score * beside);
    all.retain(|one| one.score > 0.0 && one.score >= least);
    Ranking { all, answered }
}

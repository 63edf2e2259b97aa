//! How sure a verdict is: from whether those that were asked agree, never from what a model says of itself.
//!
//! The judges are taken as independent ones of known quality (naive Bayes): the BERT's shares, flattened because it
//! abstained, say how likely each category is beforehand; each vote of the language model multiplies the odds of the category
//! it names. A second vote of the same model is no independent one, so it counts half.

/// How often a language model is taken to be right about a template that the BERT abstains on.
const RIGHT: f64 = 0.8;
/// So much of the beforehand is what the BERT says; the rest is spread over all categories alike.
const BELIEF: f64 = 0.5;
/// How much a second vote of the same model says beside the first.
const AGAIN: f64 = 0.5;

/// How sure it is that `category`, which the model has named, is right: 0 to 1.
///
/// `ranking` is the BERT's (shares of at most 1 in all; may be short or empty), `categories` how many there are, and `second`
/// what the second vote named, if there was one that named something.
pub(super) fn confidence(
    category: &str,
    ranking: &[(String, f32)],
    categories: usize,
    second: Option<&str>,
) -> f32 {
    #[allow(clippy::cast_precision_loss)] // A few hundred at most.
    let count = categories.max(2) as f64;
    let sound = |share: f32| {
        if share.is_nan() {
            0.0
        } else {
            f64::from(share).clamp(0.0, 1.0)
        }
    };
    let share = |wanted: &str| {
        let known = ranking.iter().find(|(name, _)| name == wanted);
        known.map_or(0.0, |(_, share)| sound(*share))
    };
    let said: f64 = ranking.iter().map(|(_, share)| sound(*share)).sum();
    // What the ranking leaves open belongs to everybody alike.
    let open = (1.0 - said).max(0.0) / count;
    let before =
        |wanted: &str| BELIEF * (share(wanted) + open) / said.max(1.0) + (1.0 - BELIEF) / count;
    let odds = RIGHT / ((1.0 - RIGHT) / (count - 1.0));
    let mut here = before(category) * odds;
    let rest = (1.0 - before(category)).max(0.0);
    let mut others = rest;
    match second {
        None => {}
        Some(same) if same == category => here *= odds.powf(AGAIN),
        Some(other) => {
            let lifted = before(other);
            others = (rest - lifted).max(0.0) + lifted * odds.powf(AGAIN);
        }
    }
    #[allow(clippy::cast_possible_truncation)] // From 0 to 1.
    let sure = (here / (here + others)) as f32;
    sure.clamp(0.0, 0.99)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(shares: &[(&str, f32)]) -> Vec<(String, f32)> {
        let own = |(name, share): &(&str, f32)| ((*name).to_owned(), *share);
        shares.iter().map(own).collect()
    }

    #[test]
    fn who_agrees_with_the_bert_is_surer_than_who_does_not() {
        let bert = ranking(&[("network", 0.4), ("storage", 0.25), ("cluster", 0.1)]);
        let of = |category: &str, second| confidence(category, &bert, 14, second);
        let (first, third, none) = (of("network", None), of("cluster", None), of("crash", None));
        assert!(first > third && third > none, "{first} {third} {none}");
        assert!(first > 0.9 && none > 0.5 && none < 0.8, "{first} {none}");
    }

    #[test]
    fn a_second_vote_for_the_same_helps_and_one_for_another_hurts() {
        let bert = ranking(&[("network", 0.3), ("storage", 0.3)]);
        let of = |second| confidence("network", &bert, 14, second);
        assert!(of(Some("network")) > of(None));
        assert!(of(Some("storage")) < of(None));
    }

    #[test]
    fn without_a_ranking_it_is_as_sure_as_the_model_is_good() {
        let alone = confidence("a", &[], 14, None);
        assert!((alone - 0.8).abs() < 0.01, "{alone}");
        for strange in [f32::NAN, f32::INFINITY, -1.0, 5.0] {
            let odd = confidence(
                "a",
                &ranking(&[("a", strange), ("b", strange)]),
                2,
                Some("b"),
            );
            assert!((0.0..=0.99).contains(&odd), "{strange}: {odd}");
        }
    }
}

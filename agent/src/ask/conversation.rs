//! Questions that follow others: `and yesterday?` is read together with what was asked before.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

/// Conversations that are remembered; the oldest are forgotten first.
const MOST: usize = 256;
/// Questions of each.
const QUESTIONS: usize = 8;

/// The conversations of one engine.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    all: Mutex<VecDeque<(String, Vec<String>)>>,
    names: RandomState,
    begun: std::sync::atomic::AtomicU64,
}

impl Conversations {
    /// What was asked before in the conversation `id`, the oldest first.
    pub(super) fn earlier(&self, id: &str) -> Vec<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|(known, _)| known == id);
        known
            .map(|(_, questions)| questions.clone())
            .unwrap_or_default()
    }

    /// Adds a question; gives the conversation's id, a new one where `id` names none.
    pub(super) fn add(&self, id: Option<&str>, question: &str) -> String {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let known = id.and_then(|id| all.iter().position(|(known, _)| known == id));
        let (id, mut questions) = known
            .and_then(|at| all.remove(at))
            .unwrap_or_else(|| (self.name(), Vec::new()));
        questions.push(question.to_owned());
        if questions.len() > QUESTIONS {
            questions.remove(0);
        }
        all.push_back((id.clone(), questions));
        while all.len() > MOST {
            all.pop_front();
        }
        id
    }

    /// A name that nobody guesses: the hasher's keys are the process's secret.
    fn name(&self) -> String {
        let number = self
            .begun
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!(
            "{:016x}{:016x}",
            self.names.hash_one((number, 0_u8)),
            self.names.hash_one((number, 1_u8))
        )
    }
}

/// Words that point back.
const BACK: [&str; 14] = [
    "it", "that", "this", "they", "them", "those", "these", "there", "same", "again", "then",
    "and", "also", "instead",
];

/// Whether a question can only be understood together with the one before.
pub(super) fn follows(question: &str) -> bool {
    let lower = question.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let points_back = words.iter().any(|word| BACK.contains(word));
    points_back && words.len() <= 12 || words.len() <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_kept_apart_and_bounded() {
        let all = Conversations::default();
        let first = all.add(None, "a?");
        let second = all.add(Some("nobody's"), "b?");
        assert_ne!(first, second);
        assert_eq!(all.add(Some(&first), "c?"), first);
        assert_eq!(all.earlier(&first), ["a?", "c?"]);
        for _ in 0..MOST {
            all.add(None, "d?");
        }
        assert!(all.earlier(&second).is_empty());
    }

    #[test]
    fn short_questions_and_those_that_point_back_follow() {
        assert!(follows("and yesterday?"));
        assert!(follows("why?"));
        assert!(follows("Did it happen before 10:00?"));
        assert!(!follows("Which containers were killed for lack of memory?"));
    }
}

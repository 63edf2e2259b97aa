//! The last requests, so that anybody can read what was sent.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// What a request is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Templates are judged.
    Classify,
    /// Answers that could not be used are asked for again.
    Repair,
    /// Templates are judged a second time.
    Vote,
    /// An answer about the logs gets better words.
    Ask,
    /// Log lines are made up.
    Generate,
}

impl Purpose {
    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Repair => "repair",
            Self::Vote => "vote",
            Self::Ask => "ask",
            Self::Generate => "generate",
        }
    }
}

/// A request that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// Its number since the start of the agent.
    pub number: u64,
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: u64,
    /// What for.
    pub purpose: Purpose,
    /// The ids of the templates that it asks about.
    pub templates: Vec<String>,
    /// The body, byte for byte as it was sent.
    pub request: String,
    /// A word for what became of it, as in the metrics.
    pub outcome: &'static str,
    /// What the model said, or why there is nothing; cut at some length.
    pub reply: String,
    /// Tokens sent and answered, as the endpoint counts them, else by estimate.
    pub tokens_in: u64,
    /// See `tokens_in`.
    pub tokens_out: u64,
    /// How long it took.
    pub took_ms: u64,
}

/// A reply is kept to so many characters.
pub(super) const REPLY_CHARS: usize = 4000;

/// The last so many requests.
#[derive(Debug)]
pub(super) struct SentLog {
    max: usize,
    kept: Mutex<(u64, VecDeque<Sent>)>,
}

impl SentLog {
    /// Keeps the last `max`.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            kept: Mutex::default(),
        }
    }

    /// Adds a request; its number is given here.
    pub(super) fn add(&self, mut sent: Sent) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0 += 1;
        sent.number = kept.0;
        kept.1.push_back(sent);
        while kept.1.len() > self.max {
            kept.1.pop_front();
        }
    }

    /// The last `n`, the newest first.
    pub(super) fn last(&self, n: usize) -> Vec<Sent> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.1.iter().rev().take(n).cloned().collect()
    }
}

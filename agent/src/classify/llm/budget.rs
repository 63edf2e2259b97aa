//! What may be spent: requests in any minute, tokens in any hour and day, money in any day. It is kept in a file, so that
//! an agent that is started again and again spends no more than one that runs.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::llm;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// A clock that was wrong and was put right: what is noted for later than this is taken as said now.
const AHEAD: u64 = 2 * MINUTE;
/// A millionth of the currency for a million tokens is so many of a token's price.
const PARTS: u64 = 1_000_000;

/// What was spent within one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    /// Seconds since 1970 at which it began.
    at: u64,
    tokens: u64,
    /// In millionths of a millionth of the currency.
    cost: u64,
}

/// Everything that still counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Ledger {
    /// When requests were made within the last minute, in seconds since 1970.
    requests: VecDeque<u64>,
    minutes: VecDeque<Minute>,
}

/// Why a request has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent {
    /// The bound that is reached, as in the configuration.
    pub(super) bound: &'static str,
    /// Seconds until enough of it is free again.
    pub(super) seconds: u64,
}

/// Tokens that were set aside for a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    at: u64,
    tokens: u64,
    cost: u64,
}

/// The bounds and what was spent of them.
#[derive(Debug)]
pub(super) struct Budget {
    limits: llm::Budget,
    ledger: Ledger,
    file: Option<PathBuf>,
}

impl Budget {
    /// The budget with what `file` says was spent before; a file that cannot be read counts as empty.
    pub(super) fn new(limits: llm::Budget, file: Option<PathBuf>) -> Self {
        let known = file.as_deref().and_then(read).unwrap_or_default();
        Self {
            limits,
            ledger: known,
            file,
        }
    }

    /// Sets so many tokens aside for a request that is made now.
    ///
    /// # Errors
    /// The bound that it would go beyond.
    pub(super) fn reserve(
        &mut self,
        now: u64,
        tokens_in: u64,
        tokens_out: u64,
    ) -> Result<Reserved, Spent> {
        if let Some(spent) = self.spent(now, tokens_in, tokens_out) {
            return Err(spent);
        }
        let tokens = tokens_in.saturating_add(tokens_out);
        let cost = self.cost(tokens_in, tokens_out);
        let at = now - now % MINUTE;
        self.ledger.requests.push_back(now);
        match self.ledger.minutes.back_mut() {
            Some(last) if last.at == at => {
                last.tokens = last.tokens.saturating_add(tokens);
                last.cost = last.cost.saturating_add(cost);
            }
            _ => self.ledger.minutes.push_back(Minute { at, tokens, cost }),
        }
        // Before the request, so that one in whose middle the agent dies is counted.
        self.keep();
        Ok(Reserved { at, tokens, cost })
    }

    /// The bound that a request of so many tokens would go beyond now, if there is one.
    pub(super) fn spent(&mut self, now: u64, tokens_in: u64, tokens_out: u64) -> Option<Spent> {
        self.forget(now);
        let limits = self.limits;
        if let Some(most) = limits.requests_per_minute {
            let requests = &self.ledger.requests;
            let over = (requests.len() + 1).saturating_sub(most as usize);
            // The wait is over when as many have left the window as are too many.
            if let Some(last) = over.checked_sub(1).and_then(|last| requests.get(last)) {
                return Some(Spent {
                    bound: "requests_per_minute",
                    seconds: (last + MINUTE).saturating_sub(now).max(1),
                });
            }
        }
        let tokens = tokens_in.saturating_add(tokens_out);
        let cost = self.cost(tokens_in, tokens_out);
        let money = limits
            .money_per_day
            .map(|money| money.0.saturating_mul(PARTS));
        [
            ("tokens_per_hour", limits.tokens_per_hour, HOUR, tokens),
            ("tokens_per_day", limits.tokens_per_day, DAY, tokens),
            ("money_per_day", money, DAY, cost),
        ]
        .into_iter()
        .find_map(|(bound, most, window, wanted)| {
            let seconds = self.wait(now, most?, window, wanted, bound == "money_per_day")?;
            Some(Spent { bound, seconds })
        })
    }

    /// Seconds until `wanted` more fit into `most` within `window`; none where they fit now.
    fn wait(&self, now: u64, most: u64, window: u64, wanted: u64, money: bool) -> Option<u64> {
        let amount = |minute: &Minute| if money { minute.cost } else { minute.tokens };
        let within = self
            .ledger
            .minutes
            .iter()
            .filter(|minute| minute.at + window + MINUTE > now);
        let mut sum: u64 = within
            .clone()
            .fold(wanted, |sum, minute| sum.saturating_add(amount(minute)));
        if sum <= most {
            return None;
        }
        for minute in within {
            sum = sum.saturating_sub(amount(minute));
            if sum <= most {
                return Some((minute.at + window + MINUTE).saturating_sub(now).max(1));
            }
        }
        // It alone is more than is allowed at all; the whole window has to be free to see that.
        Some(window)
    }

    /// What a request really took, in place of what was set aside.
    pub(super) fn settle(&mut self, reserved: Reserved, tokens_in: u64, tokens_out: u64) {
        let tokens = tokens_in.saturating_add(tokens_out);
        let cost = self.cost(tokens_in, tokens_out);
        let minutes = &mut self.ledger.minutes;
        if let Some(minute) = minutes.iter_mut().find(|minute| minute.at == reserved.at) {
            minute.tokens = minute
                .tokens
                .saturating_sub(reserved.tokens)
                .saturating_add(tokens);
            minute.cost = minute
                .cost
                .saturating_sub(reserved.cost)
                .saturating_add(cost);
        }
        self.keep();
    }

    /// The price of so many tokens, in millionths of a millionth of the currency.
    fn cost(&self, tokens_in: u64, tokens_out: u64) -> u64 {
        let price = |tokens: u64, million: u64| tokens.saturating_mul(million);
        price(tokens_in, self.limits.price_in.0)
            .saturating_add(price(tokens_out, self.limits.price_out.0))
    }

    /// The price in the currency.
    #[allow(clippy::cast_precision_loss)] // For people.
    pub(super) fn price(&self, tokens_in: u64, tokens_out: u64) -> f64 {
        self.cost(tokens_in, tokens_out) as f64 / 1e12
    }

    /// Leaves out what counts no more.
    fn forget(&mut self, now: u64) {
        let Ledger { requests, minutes } = &mut self.ledger;
        for at in requests.iter_mut() {
            if *at > now + AHEAD {
                *at = now;
            }
        }
        for minute in minutes.iter_mut() {
            if minute.at > now + AHEAD {
                minute.at = now - now % MINUTE;
            }
        }
        requests.retain(|at| at + MINUTE > now);
        minutes.retain(|minute| minute.at + DAY + MINUTE > now);
    }

    fn keep(&self) {
        let Some(file) = &self.file else { return };
        if let Err(error) = write(file, &self.ledger) {
            tracing::warn!(file = %file.display(), %error, "what the LLM has cost cannot be kept; after a restart it is not known");
        }
    }
}

fn read(file: &Path) -> Option<Ledger> {
    let text = std::fs::read(file).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Writes beside the file first: a file that is half written would count as empty.
fn write(file: &Path, ledger: &Ledger) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec(ledger)?)?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::raw::llm::Amount;

    const NOW: u64 = 1_800_000_000;

    fn limits() -> llm::Budget {
        llm::Budget {
            requests_per_minute: Some(3),
            tokens_per_hour: Some(1000),
            tokens_per_day: Some(2500),
            ..llm::Budget::default()
        }
    }

    #[test]
    fn requests_of_any_minute_are_bounded() {
        let mut budget = Budget::new(limits(), None);
        for second in [0, 10, 20] {
            budget.reserve(NOW + second, 1, 1).unwrap();
        }
        let spent = budget.reserve(NOW + 30, 1, 1).unwrap_err();
        assert_eq!((spent.bound, spent.seconds), ("requests_per_minute", 30));
        assert!(budget.reserve(NOW + 59, 1, 1).is_err());
        budget.reserve(NOW + 60, 1, 1).unwrap();
        assert!(budget.reserve(NOW + 61, 1, 1).is_err());
    }

    #[test]
    fn tokens_of_any_hour_and_day_are_bounded() {
        let mut budget = Budget::new(limits(), None);
        let mut now = NOW;
        budget.reserve(now, 900, 100).unwrap();
        let spent = budget.reserve(now + 60, 1, 0).unwrap_err();
        assert_eq!(spent.bound, "tokens_per_hour");
        now += 60 + spent.seconds;
        budget.reserve(now, 1000, 0).unwrap();
        now += HOUR + MINUTE;
        let spent = budget.reserve(now, 600, 0).unwrap_err();
        assert_eq!(spent.bound, "tokens_per_day");
        budget.reserve(now, 500, 0).unwrap();
        assert!(budget.reserve(now + spent.seconds, 600, 0).is_ok());
    }

    #[test]
    fn what_was_really_taken_counts() {
        let mut budget = Budget::new(limits(), None);
        let reserved = budget.reserve(NOW, 900, 100).unwrap();
        budget.settle(reserved, 300, 20);
        budget.reserve(NOW, 600, 80).unwrap();
        assert!(budget.reserve(NOW, 1, 0).is_err());
    }

    #[test]
    fn money_is_bounded_by_the_prices() {
        let limits = llm::Budget {
            money_per_day: Some(Amount(1_000)),
            price_in: Amount(500_000),
            price_out: Amount(1_500_000),
            ..llm::Budget::default()
        };
        let mut budget = Budget::new(limits, None);
        // 1,000 tokens in cost 0.0005, 300 out 0.00045: 0.00095 of 0.001.
        budget.reserve(NOW, 1000, 300).unwrap();
        assert!((budget.price(1000, 300) - 0.00095).abs() < 1e-9);
        assert!(budget.spent(NOW, 100, 0).is_none());
        assert_eq!(budget.spent(NOW, 101, 0).unwrap().bound, "money_per_day");
        assert_eq!(budget.spent(NOW, 0, 34).unwrap().bound, "money_per_day");
    }

    #[test]
    fn a_restart_does_not_begin_anew_and_a_broken_file_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("llm-budget.json");
        let mut budget = Budget::new(limits(), Some(file.clone()));
        budget.reserve(NOW, 900, 100).unwrap();
        drop(budget);
        let mut budget = Budget::new(limits(), Some(file.clone()));
        assert_eq!(budget.spent(NOW, 1, 0).unwrap().bound, "tokens_per_hour");
        std::fs::write(&file, b"{\"requests\": [1").unwrap();
        let mut budget = Budget::new(limits(), Some(file));
        assert!(budget.reserve(NOW, 1, 0).is_ok());
    }

    #[test]
    fn a_clock_that_was_ahead_for_years_holds_nothing_up_for_longer_than_a_window() {
        let mut budget = Budget::new(limits(), None);
        budget.reserve(NOW + 1000 * DAY, 1000, 0).unwrap();
        let spent = budget.reserve(NOW, 1, 0).unwrap_err();
        assert!(spent.seconds <= HOUR + MINUTE, "{spent:?}");
        budget.reserve(NOW + spent.seconds, 1, 0).unwrap();
    }
}

//! What the functions for Arroyo in `udfs/` call. Each takes a line and gives none where nothing can be said: a function of Arroyo that
//! panics ends the pipeline.
//!
//! The pack is `general`, or what the worker's environment variable `LOGSIEVE_PACK` names: `openstack`, or a file. It is read when the first
//! line comes. Where it cannot be used, all answers are none, and standard error says why, once.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use logline::alone::Alone;
use logline::rules::{Pack, RuleSet};
use logline::sieve::Source;

mod ask;
pub use ask::ask;

/// The category of a line, or `unclassified`.
#[must_use]
pub fn category(line: &str) -> Option<String> {
    judge(|alone| {
        alone
            .category(line.as_bytes(), &Source::default())
            .to_owned()
    })
}

/// The level of a line: `trace`, `debug`, `info`, `notice`, `warn`, `error` or `fatal`.
#[must_use]
pub fn level(line: &str) -> Option<String> {
    judge(|alone| {
        let level = alone.level(line.as_bytes(), &Source::default());
        level.as_str().to_owned()
    })
}

/// The message of a line with its variables masked.
#[must_use]
pub fn template(line: &str) -> Option<String> {
    let template = judge(|alone| alone.template(line.as_bytes()).to_vec())?;
    String::from_utf8(template).ok()
}

/// All that is said of a line, as JSON: the fields of `logsieve classify --format json` without line, time and message.
#[must_use]
pub fn verdict(line: &str) -> Option<String> {
    let json = judge(|alone| {
        let mut json = Vec::with_capacity(256);
        alone
            .judge(line.as_bytes(), &Source::default())
            .write_json(&mut json);
        json
    })?;
    String::from_utf8(json).ok()
}

/// Lets this thread's judge, which is made where there is none yet, look at a line.
fn judge<T>(look: impl FnOnce(&mut Alone) -> T) -> Option<T> {
    thread_local! {
        static ALONE: RefCell<Option<Alone>> = const { RefCell::new(None) };
    }
    let rules = rules()?;
    // A thread that ends has let go of its judge.
    ALONE
        .try_with(|alone| {
            let mut alone = alone.try_borrow_mut().ok()?;
            let alone = alone.get_or_insert_with(|| Alone::new(Arc::clone(rules)));
            Some(look(alone))
        })
        .ok()?
}

/// The rules of this process.
fn rules() -> Option<&'static Arc<RuleSet>> {
    static RULES: OnceLock<Option<Arc<RuleSet>>> = OnceLock::new();
    let read = || {
        let choice = std::env::var("LOGSIEVE_PACK").unwrap_or_else(|_| "general".to_owned());
        match load(&choice) {
            Ok(rules) => Some(Arc::new(rules)),
            Err(why) => {
                complain(&format!("LOGSIEVE_PACK={choice}: {why}"));
                None
            }
        }
    };
    RULES.get_or_init(read).as_ref()
}

/// The rules of a built-in pack or of a file.
fn load(choice: &str) -> Result<RuleSet, String> {
    let text = match Pack::builtin_source(choice) {
        Some(text) => text.as_bytes().to_vec(),
        None => std::fs::read(choice).map_err(|error| error.to_string())?,
    };
    let pack = Pack::parse(&text).map_err(|error| error.to_string())?;
    RuleSet::compile(&pack).map_err(|error| error.to_string())
}

/// A word in the worker's log.
#[allow(
    clippy::print_stderr,
    reason = "a function of Arroyo has no other way to say something"
)]
fn complain(what: &str) {
    eprintln!("logsieve: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_judged() {
        let line = "sshd[7]: Failed password for root from 10.1.1.9 port 22 ssh2";
        assert_eq!(category(line).as_deref(), Some("security"));
        assert_eq!(level(line).as_deref(), Some("warn"));
        let template = template(line).expect("a template");
        assert!(template.contains("<ip>"), "{template}");
        let verdict = verdict(line).expect("a verdict");
        assert!(verdict.contains("\"category\":\"security\""), "{verdict}");
    }

    #[test]
    fn a_pack_that_cannot_be_used_says_why() {
        assert!(load("openstack").is_ok());
        assert!(load("/nowhere/pack.yaml").is_err());
    }
}

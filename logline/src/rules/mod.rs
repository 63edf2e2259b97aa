//! Packs (taxonomy, rules, examples) and the engine that runs all rules of a pack over a line in one pass.
//!
//! | enters | leaves | in |
//! |---|---|---|
//! | the text of a pack (one YAML file) | a checked [`Pack`], or what is wrong with it and where | `raw`, `check`, `pack`, `error` |
//! | a checked [`Pack`] | a [`RuleSet`]: literals, their scanner, and the rules in rank order | `compile`, `literals`, `scan`, `pattern` |
//! | an event's text and fields ([`RuleInput`]) | a [`Decision`], or none | `engine`, `rule` |
//! | a checked [`Pack`] | the same as bytes, and back | `packed` |
//! | a [`Pack`]'s own example lines | a [`TestReport`] | `test` |

mod blind;
mod check;
mod compile;
mod engine;
mod error;
mod frequencies;
mod glob;
mod literals;
mod needle;
mod pack;
mod packed;
mod pattern;
mod raw;
mod recall;
mod residue;
mod rule;
mod scan;
mod test;

pub use compile::KeyLiterals;
pub use engine::{Decision, Explanation, RuleInput, RuleSet, Scratch};
pub use error::{PackError, Problem, did_you_mean};
pub use pack::{Category, Example, Pack, Rule, Scope, Taxonomy};
pub use packed::PackedError;
pub use test::{Doubt, Failure, Miss, TestReport, Warning, Why, test_pack};

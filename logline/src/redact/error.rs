//! Why an own pattern was refused.

use thiserror::Error;

/// Which own pattern was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("redaction pattern `{name}`: {why}")]
pub struct RedactError {
    /// Its name, as given.
    pub name: String,
    /// What is wrong with it.
    pub why: Refused,
}

/// What is wrong with an own pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The name cannot stand in a replacement or a metric's label.
    #[error("a name is a lower-case letter and up to 47 lower-case letters, digits and `_`")]
    Name,
    /// The name is taken, by a detector or another pattern.
    #[error("this name is taken")]
    Taken,
    /// It is no regex.
    #[error("{0}")]
    Syntax(String),
    /// It would match between any two bytes.
    #[error("it matches the empty text, so it would be found everywhere")]
    Empty,
    /// There is no text that it matches.
    #[error("it cannot match anything")]
    Never,
    /// Its automaton would be too large.
    #[error("it is too large once its repetitions are multiplied out")]
    Large,
    /// There are too many patterns.
    #[error("there are more than {0} patterns")]
    Many(usize),
}

//! What is wrong with a pack, where, and what would be right.

use std::fmt;

/// One mistake in a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, counted from 1; 0 where the whole file is meant.
    pub line: u64,
    /// Column in characters, counted from 1; 0 where the whole file is meant.
    pub column: u64,
    /// The id of the rule that holds the mistake, where there is one.
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or what was probably meant.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "rule `{rule}`: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

/// Why a pack was refused: everything that is wrong with it, in the order of the file, up to [`PackError::MAX`] mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackError {
    /// The mistakes; never empty.
    pub problems: Vec<Problem>,
    /// How many more there are beyond those listed.
    pub more: usize,
}

impl PackError {
    /// How many mistakes are listed at most.
    pub const MAX: usize = 20;

    pub(super) fn one(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
            more: 0,
        }
    }

    pub(super) fn many(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        let more = problems.len().saturating_sub(Self::MAX);
        problems.truncate(Self::MAX);
        Self { problems, more }
    }
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for PackError {}

/// The hint for a misspelt name: the nearest one, and all that are allowed.
#[must_use]
pub fn did_you_mean(wrong: &str, allowed: &[&str]) -> String {
    let list = allowed.join(", ");
    match nearest(wrong, allowed.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? allowed: {list}"),
        None => format!("allowed: {list}"),
    }
}

/// The word of `allowed` that `wrong` was probably meant to be: at most a third of its letters differ.
fn nearest<'a>(wrong: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words than any key are not worth a quadratic comparison.
    if wrong.len() > 64 {
        return None;
    }
    let wrong = wrong.to_lowercase();
    allowed
        .into_iter()
        .map(|word| (distance(wrong.as_bytes(), word.as_bytes()), word))
        .filter(|(distance, word)| *distance <= word.len().max(wrong.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edit distance with neighbouring letters swapped counted as one edit (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

//! What is wrong with a configuration: where, and what to do about it.

use std::fmt;

use logline::rules::did_you_mean;

/// A configuration that cannot be used. Displays as `FILE:LINE:COLUMN: what is wrong` and, where one is known, a remedy.
#[derive(Debug)]
pub struct ConfigError {
    file: String,
    place: Option<(u64, u64)>,
    problem: String,
    remedy: Option<String>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.problem)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl ConfigError {
    /// An error of a value that parsed but cannot be used. `key` is its dotted path.
    pub(super) fn value(file: &str, key: &str, problem: &str, remedy: &str) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            problem: format!("{key}: {problem}"),
            remedy: Some(remedy.to_owned()),
        }
    }

    /// An error of a file that cannot be read.
    pub(super) fn unreadable(file: &str, error: &std::io::Error) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            problem: format!("cannot be read: {error}"),
            remedy: None,
        }
    }

    /// The YAML parser's error, with the nearest known name for an unknown one.
    pub(super) fn yaml(file: &str, error: &serde_saphyr::Error) -> Self {
        let error = error.without_snippet();
        let place = error.location().map(|at| (at.line(), at.column()));
        let (problem, remedy) = match error {
            serde_saphyr::Error::SerdeUnknownField {
                field, expected, ..
            } => (
                format!("unknown key `{field}`"),
                Some(did_you_mean(field, expected)),
            ),
            serde_saphyr::Error::SerdeUnknownVariant {
                variant, expected, ..
            } => (
                format!("`{variant}` is not allowed here"),
                Some(did_you_mean(variant, expected)),
            ),
            other => (first_line(&other.to_string()), None),
        };
        Self {
            file: file.to_owned(),
            place,
            problem,
            remedy,
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

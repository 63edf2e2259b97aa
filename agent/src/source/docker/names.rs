//! Which containers to follow, by name.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::source::files::PatternError;

/// Globs of container names (`*`, `?`, `[a-c]`, `{a,b}`).
#[derive(Clone, Debug, Default)]
pub struct Names {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Names {
    /// Checks globs; no `include` means every name.
    ///
    /// # Errors
    /// For the first one that is no valid glob.
    pub fn new<S: AsRef<str>>(include: &[S], exclude: &[S]) -> Result<Self, PatternError> {
        Ok(Self {
            include: (!include.is_empty()).then(|| set(include)).transpose()?,
            exclude: set(exclude)?,
        })
    }

    /// Whether a container of this name is to be followed.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.include
            .as_ref()
            .is_none_or(|include| include.is_match(name))
            && !self.exclude.is_match(name)
    }
}

fn set<S: AsRef<str>>(globs: &[S]) -> Result<GlobSet, PatternError> {
    let mut set = GlobSetBuilder::new();
    let refuse = |pattern: &str, error: &globset::Error| PatternError {
        pattern: pattern.to_owned(),
        problem: format!("is no valid glob of names: {}", error.kind()),
    };
    for glob in globs {
        let glob = glob.as_ref();
        set.add(
            GlobBuilder::new(glob)
                .build()
                .map_err(|error| refuse(glob, &error))?,
        );
    }
    set.build().map_err(|error| refuse("", &error))
}

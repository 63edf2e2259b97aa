//! Path patterns: which paths to walk, and which of the matches to leave out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the path pattern {pattern:?} {problem}")]
pub struct PatternError {
    /// The pattern as it was given.
    pub pattern: String,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

/// Which files to follow: absolute paths in which `*` and `?` stand for parts of a name, `[a-c]` for one character, `{a,b}` for
/// either, and `**` as a whole component for any number of directories.
#[derive(Clone, Debug)]
pub struct Patterns {
    include: Vec<Include>,
    exclude: GlobSet,
}

/// One included pattern, by component.
#[derive(Clone, Debug)]
pub(super) struct Include {
    /// The part before the first component with a wildcard.
    pub(super) base: PathBuf,
    /// The rest; empty for a plain path.
    pub(super) parts: Vec<Part>,
    /// It names compressed files: its last component ends with `.gz`.
    pub(super) gzip: bool,
}

/// One component of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// A name without wildcards.
    Literal(String),
    /// A name with wildcards.
    Glob(GlobMatcher),
    /// `**`.
    Recursive,
}

impl Part {
    /// Whether a directory entry of this name goes on in the pattern.
    pub(super) fn matches(&self, name: &OsStr) -> bool {
        match self {
            Self::Literal(literal) => name == literal.as_str(),
            Self::Glob(glob) => glob.is_match(name),
            Self::Recursive => true,
        }
    }
}

impl Patterns {
    /// Checks patterns.
    ///
    /// # Errors
    /// For the first one that is not absolute, leads upwards (`..`) or is no valid glob.
    pub fn new<S: AsRef<str>>(include: &[S], exclude: &[S]) -> Result<Self, PatternError> {
        let mut set = GlobSetBuilder::new();
        for pattern in exclude {
            set.add(glob(pattern.as_ref(), pattern.as_ref())?);
        }
        Ok(Self {
            include: include
                .iter()
                .map(|pattern| Include::new(pattern.as_ref()))
                .collect::<Result<_, _>>()?,
            exclude: set.build().map_err(|error| PatternError {
                pattern: String::new(),
                problem: error.to_string(),
            })?,
        })
    }

    /// How many paths match now, those of files that cannot be read among them.
    #[must_use]
    pub fn count(&self) -> usize {
        super::walk::count(self)
    }

    pub(super) fn include(&self) -> &[Include] {
        &self.include
    }

    /// Whether a path, as found or after its symlinks, is left out.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        self.exclude.is_match(path)
    }
}

impl Include {
    fn new(pattern: &str) -> Result<Self, PatternError> {
        let refuse = |problem: &str| PatternError {
            pattern: pattern.to_owned(),
            problem: problem.to_owned(),
        };
        let Some(rest) = pattern.strip_prefix('/') else {
            return Err(refuse("is not absolute: begin it with /"));
        };
        let mut base = PathBuf::from("/");
        let mut parts = Vec::new();
        for component in rest.split('/') {
            match component {
                "" | "." => {}
                ".." => return Err(refuse("leads upwards: write the path without ..")),
                "**" => {
                    if !matches!(parts.last(), Some(Part::Recursive)) {
                        parts.push(Part::Recursive);
                    }
                }
                name if name.contains(['*', '?', '[', '{', '\\']) => {
                    parts.push(Part::Glob(glob(pattern, name)?.compile_matcher()));
                }
                name if parts.is_empty() => base.push(name),
                name => parts.push(Part::Literal(name.to_owned())),
            }
        }
        if matches!(parts.last(), Some(Part::Recursive)) {
            return Err(refuse("ends with **: say which files, as in **/*.log"));
        }
        if parts.is_empty() && pattern.ends_with('/') {
            return Err(refuse("is a directory: say which files, as in /dir/*.log"));
        }
        Ok(Self {
            base,
            parts,
            gzip: pattern.ends_with(".gz"),
        })
    }
}

/// Compiles one glob; `pattern` is what the error names.
fn glob(pattern: &str, text: &str) -> Result<Glob, PatternError> {
    GlobBuilder::new(text)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| PatternError {
            pattern: pattern.to_owned(),
            problem: format!("is no valid glob: {}", error.kind()),
        })
}

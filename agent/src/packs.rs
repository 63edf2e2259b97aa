//! Which rules decide: a built-in pack or a file, read and compiled.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use logline::rules::{Pack, PackError, RuleSet};

use crate::config::{Checked, PackChoice};

/// A pack that cannot be used. Displays every mistake with the file's name, line and column.
#[derive(Debug, thiserror::Error)]
pub enum PackLoadError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {error}")]
    Unreadable {
        /// Its path.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// The pack is not sound.
    #[error("{}", describe(file, error))]
    Unsound {
        /// Its path or name.
        file: String,
        /// All that is wrong with it.
        error: PackError,
    },
}

fn describe(file: &str, error: &PackError) -> String {
    let mut lines: Vec<String> = error
        .problems
        .iter()
        .map(|problem| format!("{file}: {problem}"))
        .collect();
    if error.more > 0 {
        lines.push(format!("{file}: and {} more", error.more));
    }
    lines.join("\n")
}

/// Reads and checks the pack that is chosen.
///
/// # Errors
/// A [`PackLoadError`] where the file cannot be read or the pack is not sound.
pub fn read(choice: &PackChoice) -> Result<Pack, PackLoadError> {
    match choice {
        PackChoice::Builtin(name) => Pack::builtin(name).map_err(|error| unsound("pack", error)),
        PackChoice::File(path) => read_file(path),
    }
}

fn read_file(path: &Path) -> Result<Pack, PackLoadError> {
    let file = path.display().to_string();
    let text = std::fs::read(path).map_err(|error| PackLoadError::Unreadable {
        file: file.clone(),
        error,
    })?;
    Pack::parse(&text).map_err(|error| unsound(&file, error))
}

/// Makes the rules of a pack ready.
///
/// # Errors
/// Where its literals are too many.
pub fn compile(pack: &Pack) -> Result<RuleSet, PackLoadError> {
    RuleSet::compile(pack).map_err(|error| unsound(&pack.name, error))
}

/// The error of a pack that is not sound, under its name or file.
#[must_use]
pub fn unsound(file: &str, error: PackError) -> PackLoadError {
    PackLoadError::Unsound {
        file: file.to_owned(),
        error,
    }
}

/// Reads a pack and makes its rules ready.
///
/// # Errors
/// As [`read`] and [`compile`].
pub fn load(choice: &PackChoice) -> Result<RuleSet, PackLoadError> {
    compile(&read(choice)?)
}

/// The names of the packs that a container may ask for: those that are built in, and those of the configuration.
#[must_use]
pub fn names(config: &Checked) -> Vec<String> {
    let built_in = Pack::BUILTIN.iter().map(|name| (*name).to_owned());
    let mut names: Vec<_> = built_in.chain(config.packs.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Gives the rules of a pack by its name, read anew each time, or says in words what is wrong with it.
pub type Library = Box<dyn Fn(&str) -> Result<Arc<RuleSet>, String> + Send>;

/// The built-in packs and `further` ones, all of which are sound at first.
///
/// # Errors
/// As [`load`], for the first of `further` that cannot be used.
pub fn library(further: &BTreeMap<String, PackChoice>) -> Result<Library, PackLoadError> {
    for choice in further.values() {
        load(choice)?;
    }
    let further = further.clone();
    Ok(Box::new(move |name| {
        let built_in = PackChoice::Builtin(name.to_owned());
        load(further.get(name).unwrap_or(&built_in))
            .map(Arc::new)
            .map_err(|problem| problem.to_string())
    }))
}

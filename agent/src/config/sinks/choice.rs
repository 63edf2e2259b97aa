//! Which events go out, and what is masked in them.

use globset::{Glob, GlobSet, GlobSetBuilder};
use logline::level::Level;
use logline::redact::{Detector, Detectors, OwnPattern, RedactOptions, Redactor};
use logline::rules::did_you_mean;

use super::Place;
use crate::config::error::ConfigError;
use crate::config::raw;
use crate::config::raw::sinks::LevelName;

/// Which events go out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At least so severe.
    pub min_level: Option<Level>,
    /// Wanted and not wanted categories.
    pub categories: Names,
    /// Wanted and not wanted Kubernetes namespaces.
    pub namespaces: Names,
    /// Wanted and not wanted containers.
    pub containers: Names,
}

/// Names that are wanted and names that are not, as globs.
#[derive(Clone, Debug, Default)]
pub struct Names {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl Names {
    /// Whether a name is let through.
    #[must_use]
    pub fn admit(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|set| set.is_match(name))
            && !self.exclude.as_ref().is_some_and(|set| set.is_match(name))
    }

    /// Whether every name is let through.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }
}

/// What is masked before anything leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redact {
    /// Nothing.
    Off,
    /// What these find.
    On(RedactOptions),
}

impl Place<'_> {
    pub(super) fn filter(&self, raw: Option<&raw::sinks::Filter>) -> Result<Filter, ConfigError> {
        let raw = raw.cloned().unwrap_or_default();
        let exclude = raw.exclude.unwrap_or_default();
        let names = |key: &str, include: Option<Vec<String>>, exclude: Option<Vec<String>>| {
            Ok(Names {
                include: self.globs(&format!("filter.{key}"), include.as_deref())?,
                exclude: self.globs(&format!("filter.exclude.{key}"), exclude.as_deref())?,
            })
        };
        Ok(Filter {
            min_level: raw
                .min_level
                .map(level)
                .filter(|least| *least > Level::Trace),
            categories: names("categories", raw.categories, exclude.categories)?,
            namespaces: names("namespaces", raw.namespaces, exclude.namespaces)?,
            containers: names("containers", raw.containers, exclude.containers)?,
        })
    }

    pub(super) fn globs(
        &self,
        key: &str,
        globs: Option<&[String]>,
    ) -> Result<Option<GlobSet>, ConfigError> {
        let Some(globs) = globs.filter(|globs| !globs.is_empty()) else {
            return Ok(None);
        };
        let wrong = |error: globset::Error| {
            self.wrong(
                key,
                &format!("no glob: {error}"),
                "write names, with * and ? for any",
            )
        };
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            set.add(Glob::new(glob).map_err(wrong)?);
        }
        set.build().map(Some).map_err(wrong)
    }

    pub(super) fn redact(&self, raw: Option<&raw::sinks::Redact>) -> Result<Redact, ConfigError> {
        let mut options = RedactOptions::default();
        match raw {
            Some(raw::sinks::Redact::Switch(false)) => return Ok(Redact::Off),
            None | Some(raw::sinks::Redact::Switch(true)) => {}
            Some(raw::sinks::Redact::Detail(detail)) => {
                if let Some(names) = &detail.detectors {
                    let known: Vec<&'static str> =
                        Detector::ALL.iter().map(|it| it.as_str()).collect();
                    options.detectors = Detectors::NONE.with(Detector::Own);
                    for name in names {
                        let detector = Detector::from_name(name).ok_or_else(|| {
                            self.wrong(
                                "redact.detectors",
                                &format!("there is no detector `{}`", name.escape_debug()),
                                &did_you_mean(name, &known),
                            )
                        })?;
                        options.detectors = options.detectors.with(detector);
                    }
                }
                let own = detail.patterns.iter().flatten();
                options.own = own
                    .map(|(name, regex)| OwnPattern {
                        name: name.clone(),
                        regex: regex.clone(),
                    })
                    .collect();
                if let Err(error) = Redactor::new(&options) {
                    return Err(self.wrong(
                        &format!("redact.patterns.{}", error.name),
                        &error.why.to_string(),
                        "write NAME: REGEX; only its group `secret` is masked, if it has one",
                    ));
                }
            }
        }
        Ok(Redact::On(options))
    }
}

fn level(name: LevelName) -> Level {
    match name {
        LevelName::Trace => Level::Trace,
        LevelName::Debug => Level::Debug,
        LevelName::Info => Level::Info,
        LevelName::Notice => Level::Notice,
        LevelName::Warn => Level::Warn,
        LevelName::Error => Level::Error,
        LevelName::Fatal => Level::Fatal,
    }
}

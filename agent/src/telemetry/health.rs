//! Which parts work, and what to do about those that do not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// One part of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Whether it does its work; a part that is missing on purpose is fine.
    pub ok: bool,
    /// What it does, or why it does not, and the remedy.
    pub detail: String,
}

/// The state of all parts, shared by whoever knows it and whoever is asked.
#[derive(Debug)]
pub struct Health {
    started: Instant,
    components: Mutex<BTreeMap<Cow<'static, str>, Component>>,
}

/// What `/health` answers.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ok`, or `degraded` where a part does not do its work.
    pub status: &'static str,
    /// The agent's version.
    pub version: &'static str,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// The parts by name.
    pub components: BTreeMap<Cow<'static, str>, Component>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            components: Mutex::default(),
        }
    }
}

impl Health {
    /// `name` does its work.
    pub fn fine(&self, name: impl Into<Cow<'static, str>>, detail: impl Into<String>) {
        self.set(
            name.into(),
            Component {
                ok: true,
                detail: detail.into(),
            },
        );
    }

    /// `name` does not; `detail` says why, and the remedy.
    pub fn broken(&self, name: impl Into<Cow<'static, str>>, detail: impl Into<String>) {
        self.set(
            name.into(),
            Component {
                ok: false,
                detail: detail.into(),
            },
        );
    }

    fn set(&self, name: Cow<'static, str>, component: Component) {
        self.components
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, component);
    }

    /// What was said of `name` last, if anything was.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<String> {
        let components = self
            .components
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        components
            .get(name)
            .map(|component| component.detail.clone())
    }

    /// The state now.
    #[must_use]
    pub fn report(&self) -> Report {
        let components = self
            .components
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let ok = components.values().all(|component| component.ok);
        Report {
            status: if ok { "ok" } else { "degraded" },
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: self.started.elapsed().as_secs(),
            components,
        }
    }
}

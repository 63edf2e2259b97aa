//! What a container says of how its logs are to be read: annotations of a pod, labels of a Docker container.
//!
//! | key | value | what it does |
//! |---|---|---|
//! | `logsieve/exclude` | `true`, `false` | its logs are not read |
//! | `logsieve/pack` | a pack's name | that pack's rules decide |
//! | `logsieve/multiline` | `on`, `off` | whether lines are joined to events |
//!
//! In a pod of several containers `logsieve/exclude.NAME` speaks of the container NAME alone, and goes before the other.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use super::Counters;

/// What the keys of all switches begin with.
pub const PREFIX: &str = "logsieve/";

const EXCLUDE: &str = "exclude";
const PACK: &str = "pack";
const MULTILINE: &str = "multiline";

/// So many refused values are remembered, so that each is told once.
const MAX_TOLD: usize = 4_096;
/// So much of a refused value is repeated.
const TOLD_CHARS: usize = 60;

/// How the logs of one container are to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Not at all.
    pub exclude: bool,
    /// By the rules of this pack; none: by those of the agent's own.
    pub pack: Option<String>,
    /// Whether lines are joined to events; none: as the configuration says.
    pub multiline: Option<bool>,
}

/// Reads switches, and tells of values that cannot be used.
#[derive(Debug, Default)]
pub struct Reader {
    packs: Vec<String>,
    told: Mutex<HashSet<u64>>,
}

impl Reader {
    /// A reader that knows packs of these names.
    #[must_use]
    pub fn new(packs: Vec<String>) -> Self {
        Self {
            packs,
            told: Mutex::default(),
        }
    }

    /// The switches among `said` (keys and values) for the container `name` of `whom`, who stands in what is told of a value that
    /// cannot be used; that switch is left as if nobody had said anything.
    pub(super) fn read(
        &self,
        said: &[(String, String)],
        name: &str,
        whom: &str,
        counters: &Counters,
    ) -> Switches {
        let value = |switch: &str| {
            let of = |key: &str| {
                let found = said
                    .iter()
                    .find(|(known, _)| known.strip_prefix(PREFIX) == Some(key));
                found.map(|(_, value)| value.trim())
            };
            of(&format!("{switch}.{name}")).or_else(|| of(switch))
        };
        let mut switches = Switches::default();
        let refuse = |switch: &str, value: &str, allowed: &str| {
            if self.is_new(whom, name, switch, value) {
                counters.switches_refused.inc();
                let value: String = value.chars().take(TOLD_CHARS).collect();
                tracing::warn!(
                    whom,
                    container = name,
                    "{PREFIX}{switch}: `{}` is not understood and changes nothing; use {allowed}",
                    value.escape_debug()
                );
            }
        };
        if let Some(said) = value(EXCLUDE) {
            match said.to_ascii_lowercase().as_str() {
                // A label without a value.
                "true" | "" => switches.exclude = true,
                "false" => {}
                _ => refuse(EXCLUDE, said, "true or false"),
            }
        }
        if let Some(said) = value(PACK) {
            if self.packs.iter().any(|pack| pack == said) {
                switches.pack = Some(said.to_owned());
            } else {
                refuse(PACK, said, &self.packs.join(", "));
            }
        }
        if let Some(said) = value(MULTILINE) {
            match said.to_ascii_lowercase().as_str() {
                "on" | "true" => switches.multiline = Some(true),
                "off" | "false" => switches.multiline = Some(false),
                _ => refuse(MULTILINE, said, "on or off"),
            }
        }
        switches
    }

    fn is_new(&self, whom: &str, name: &str, switch: &str, value: &str) -> bool {
        let told = format!("{whom}\0{name}\0{switch}\0{value}");
        let mut known = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TOLD {
            known.clear();
        }
        known.insert(xxh3_64(told.as_bytes()))
    }
}

/// Those of `said` that are switches.
pub(super) fn among(said: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<_> = said
        .into_iter()
        .filter(|(key, _)| key.starts_with(PREFIX))
        .collect();
    kept.sort();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(said: &[(&str, &str)]) -> Vec<(String, String)> {
        said.iter()
            .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()))
            .collect()
    }

    fn read(said: &[(&str, &str)]) -> (Switches, u64) {
        let counters = Counters::default();
        let reader = Reader::new(vec!["general".into(), "shop".into()]);
        let said = pairs(said);
        let switches = reader.read(&said, "web", "ns/pod", &counters);
        assert_eq!(
            reader.read(&said, "web", "ns/pod", &counters),
            switches,
            "the same once more"
        );
        (switches, counters.switches_refused.get())
    }

    #[test]
    fn what_is_said_is_done() {
        let all = [("exclude", "true"), ("pack", "shop"), ("multiline", "off")];
        let (switches, refused) = read(&all);
        assert_eq!(
            switches,
            Switches {
                exclude: true,
                pack: Some("shop".into()),
                multiline: Some(false),
            }
        );
        assert_eq!(refused, 0);
        assert_eq!(read(&[]), (Switches::default(), 0));
        assert_eq!(read(&[("exclude", "False")]), (Switches::default(), 0));
        assert!(
            read(&[("exclude", "")]).0.exclude,
            "a label without a value"
        );
    }

    #[test]
    fn a_container_of_its_own_goes_before_its_pod() {
        let said = [("exclude", "true"), ("exclude.web", "false")];
        assert!(!read(&said).0.exclude);
        assert!(read(&[("exclude.web", "true")]).0.exclude);
        assert!(!read(&[("exclude.proxy", "true")]).0.exclude);
    }

    #[test]
    fn a_value_that_is_not_understood_changes_nothing_and_is_counted_once() {
        let said = [
            ("exclude", "yes please"),
            ("pack", "nowhere"),
            ("multiline", "2"),
        ];
        assert_eq!(read(&said), (Switches::default(), 3));
    }
}

//! Which store a configuration means on this host.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logline::template::TemplateId;

use crate::config::Checked;
use crate::config::raw::WhenFull;
use crate::flow::{Adopted, Flow};
use crate::store::{self, KnownTemplate, Recovered};

/// Where an agent keeps its state that runs as a service of the host.
const SYSTEM: &str = "/var/lib/logsieve";

/// How the store of `config` is set up.
#[must_use]
pub fn options(config: &Checked) -> store::Options {
    let wanted = &config.store;
    let directory = wanted.enabled.then(|| match wanted.directory.as_str() {
        "" => usual_directory(),
        named => PathBuf::from(named),
    });
    store::Options {
        max_bytes: wanted.max_mib << 20,
        max_age: Duration::from_secs(wanted.max_age_hours * 3600),
        when_full: match wanted.when_full {
            WhenFull::DropOldest => store::WhenFull::DropOldest,
            WhenFull::Block => store::WhenFull::Block,
        },
        commit_every: Duration::from_millis(wanted.commit_ms),
        drain: config.drain_timeout,
        sinks: config.sinks.iter().map(|sink| sink.name.clone()).collect(),
        ..store::Options::new(directory)
    }
}

/// Where the state is kept by default: the host's directory where that can be written, else the user's.
#[must_use]
pub fn usual_directory() -> PathBuf {
    let system = Path::new(SYSTEM);
    let parent = system.parent().unwrap_or(system);
    let place = if system.exists() { system } else { parent };
    if rustix::fs::access(place, rustix::fs::Access::WRITE_OK).is_ok() {
        return system.to_owned();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(state) if !state.is_empty() => PathBuf::from(state),
        _ => home.join(".local/state"),
    };
    state.join("logsieve")
}

/// The flow goes on with the templates and streams of the runs before. `placed` says whether the place of a template among all
/// templates is known. A quarter of the flow's room for templates stays free: where those of the runs before are more than the
/// rest, those not seen for the longest are left out. They are met anew, under their old ids, should they come again.
pub fn take_up(flow: &mut Flow, recovered: &Recovered, placed: impl Fn(TemplateId) -> bool) {
    let mut own: Vec<&KnownTemplate> = recovered
        .templates
        .iter()
        .filter(|template| template.alias_of.is_none())
        .collect();
    let most = flow.settings().templates.max_templates;
    let room = most - most / 4;
    if own.len() > room {
        own.sort_by_key(|template| (!is_taught(template), Reverse(template.last_seen)));
        own.truncate(room);
        own.sort_by_key(|template| template.number);
    }
    let taken: HashSet<TemplateId> = own.iter().map(|template| template.id).collect();
    let merged = recovered.templates.iter().filter_map(|template| {
        let part_of = template.alias_of?;
        taken.contains(&part_of).then_some((template.id, part_of))
    });
    flow.adopt(
        own.iter().map(|template| Adopted {
            text: &template.text,
            count: template.count,
            judged: template.judged.clone(),
            placed: placed(template.id),
        }),
        merged,
    );
    flow.resume(recovered.cursors.iter().cloned());
}

fn is_taught(template: &KnownTemplate) -> bool {
    let judged = template.judged.as_ref();
    judged.is_some_and(|judged| judged.is_taught())
}

//! What the cluster says of this node's pods, by a watch of its API.
//!
//! Enters: the API's list and watch of the pods of one node. Leaves: [`Pods`] that the sources read. Where there is no cluster, no
//! permission or no connection, the paths of the logs still tell namespace, pod, container and uid, and lines never wait.
//!
//! | file | what |
//! |---|---|
//! | `found` | whether there is a cluster to be asked, and how |
//! | `watch` | the list, the watch, and what is done when they fail |
//! | `wire` | what is read of the API's objects |

mod found;
mod watch;
mod wire;

use std::io;
use std::sync::Arc;

use crate::config::raw::Kubernetes;
use crate::shutdown::Shutdown;
use crate::source::{Counters, Pods};
use crate::telemetry::Health;

pub use found::{Found, Options, find};

/// The part of the health that speaks of the cluster.
const PART: &str = "kubernetes";

/// Watches this node's pods on a thread of its own, if there is a cluster to be asked. The thread ends with a shutdown, or at the
/// latest with the process: nobody need wait for it.
///
/// # Errors
/// When the thread cannot be started or no descriptor is left.
pub fn spawn(
    config: &Kubernetes,
    shutdown: &Shutdown,
    counters: &Arc<Counters>,
    health: &Arc<Health>,
) -> io::Result<Option<Pods>> {
    let options = match find(config, &|name| std::env::var(name).ok()) {
        Found::Nothing => return Ok(None),
        Found::Off(why) => {
            health.fine(PART, format!("off: {why}"));
            return Ok(None);
        }
        Found::Broken(why) => {
            health.broken(PART, why);
            return Ok(None);
        }
        Found::Cluster(options) => options,
    };
    health.fine(PART, format!("asking {}", options.client.url));
    let pods = Pods::new(options.max_pods, options.keep)?;
    let watcher = watch::Watcher::new(
        *options,
        pods.clone(),
        shutdown.clone(),
        Arc::clone(counters),
        Arc::clone(health),
    );
    std::thread::Builder::new()
        .name("kubernetes".into())
        .spawn(move || watcher.run())?;
    Ok(Some(pods))
}

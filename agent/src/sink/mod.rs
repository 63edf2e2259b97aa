//! Where labelled events go.

pub mod encode;
#[allow(dead_code, unused_imports)] // Until the engine drives it.
mod http;
mod stdout;
pub mod transport;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;

use encode::{Encode, Json, Pretty, Tsv};

use crate::config::sinks::StdoutFormat;
use crate::flow::Batch;
use crate::telemetry::Metrics;

/// Starts the sink that is configured. Without one the events are only counted.
///
/// # Errors
/// Where its thread cannot be started.
pub fn spawn(
    stdout: Option<StdoutFormat>,
    batches: Receiver<Batch>,
    used: Sender<Batch>,
    metrics: Arc<Metrics>,
) -> std::io::Result<JoinHandle<std::io::Result<()>>> {
    let out = std::io::stdout();
    let Some(format) = stdout else {
        return stdout::spawn(
            batches,
            used,
            Box::new(encode::Nothing),
            Box::new(std::io::sink()),
            metrics,
        );
    };
    let terminal = out.is_terminal();
    let encoder: Box<dyn Encode + Send> = match format {
        StdoutFormat::Pretty => Box::new(pretty(terminal)),
        StdoutFormat::Auto if terminal => Box::new(pretty(true)),
        StdoutFormat::Json | StdoutFormat::Auto => Box::new(Json {
            host: Some(host_name()),
        }),
        StdoutFormat::Tsv => Box::new(Tsv),
    };
    stdout::spawn(batches, used, encoder, Box::new(out), metrics)
}

fn pretty(terminal: bool) -> Pretty {
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Pretty {
        colour,
        origin: true,
    }
}

/// The node's name, as the kernel knows it.
fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

//! `logsieve export`: the stored events, as they were stored.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::sink::encode::{Encode as _, Json, Outgoing};
use crate::store::{Query, Reader};
use crate::stores;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The store's directory; without one where `run` keeps it by default. No agent may be using it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The newest events first
    #[arg(long)]
    newest_first: bool,
    /// At most so many events; 0 for all
    #[arg(long, short, default_value_t = 0)]
    limit: usize,
}

/// Bytes that are printed together.
const WRITE_BYTES: usize = 64 * 1024;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let reader = open(arguments.data_dir.as_ref())?;
    let query = Query {
        backwards: arguments.newest_first,
        limit: arguments.limit,
        ..Query::default()
    };
    let mut encoder = Json::with_origin(&crate::sink::host_name());
    let mut out = std::io::stdout().lock();
    let mut text = Vec::with_capacity(2 * WRITE_BYTES);
    let mut failed = None;
    reader.query(&query, |hit| {
        encoder.encode(&Outgoing::plain(hit.batch, hit.event), &mut text);
        if text.len() < WRITE_BYTES {
            return ControlFlow::Continue(());
        }
        let written = out.write_all(&text);
        text.clear();
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Opens the store in `directory`, or in the usual one.
pub(super) fn open(directory: Option<&PathBuf>) -> anyhow::Result<Reader> {
    let directory = directory.cloned().unwrap_or_else(stores::usual_directory);
    let (reader, recovered) = Reader::open(&directory).map_err(|fault| {
        anyhow::anyhow!(
            "{}: {fault}; name the store's directory with --data-dir, and stop the agent that uses it",
            directory.display()
        )
    })?;
    for note in &recovered.notes {
        super::output::complain(&anyhow::anyhow!("{note}"));
    }
    Ok(reader)
}

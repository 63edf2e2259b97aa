//! `logsieve ingest`: saved log files into a store, each line once, however often the command is repeated.

use std::collections::HashSet;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use logline::decode::Wrapper;
use logline::template::TemplateId;
use logline::time::TimeContext;

use super::local::{ModelArgument, judge_templates};
use super::{Failed, PackArgument, output};
use crate::classify::Judge;
use crate::config::PackChoice;
use crate::flow::{Batch, Cursor, Flow, Opening, Place, Settings, StreamInfo};
use crate::packs;
use crate::source::files::{Identity, Marker};
use crate::source::{Closed, Container, Kind, Origin, SourceId};
use crate::store::{self, Options, Store};
use crate::stores;
use crate::telemetry::{Health, Metrics, clock};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// What is held back at the start, so that templates have settled before they are stored.
const WINDOW_EVENTS: usize = 65_536;
/// Events that are handed on together afterwards.
const BATCH_EVENTS: usize = 4_096;
/// Bytes of text that are handed on together.
const BATCH_BYTES: usize = 4 << 20;
/// Batches on their way to the store.
const BATCHES: usize = 4;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Saved log files; what was read of them before is not read again
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The store's directory, made if it is missing; without one where `run` keeps it by default. No agent may be using it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Who wrote the lines, as a container's name would say it
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    pack: PackArgument,
    #[command(flatten)]
    model: ModelArgument,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let pack = packs::read(&PackChoice::parse(&arguments.pack.pack))?;
    let rules = packs::compile(&pack)?;
    let judge = arguments.model.open(&pack)?;
    let directory = arguments
        .data_dir
        .clone()
        .unwrap_or_else(stores::usual_directory);
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("{}: cannot be made", directory.display()))?;
    let mut flow = Flow::new(Settings::default(), Arc::new(rules));
    let (mut keeper, cursors) = Keeper::open(&directory, &mut flow)?;
    let progress = progress(&arguments.files);
    let mut work = Work {
        batch: Batch::new(flow.labels()),
        flow,
        judge,
        cursors,
        in_window: true,
        started: Instant::now(),
        read: 0,
        known: 0,
    };
    let mut unread = 0;
    for file in &arguments.files {
        if let Err(error) = work.file(file, arguments.name.as_deref(), &keeper, &progress) {
            if error.is::<store_gone::Gone>() {
                return Err(error);
            }
            progress.suspend(|| output::complain(&error));
            unread += 1;
        }
    }
    work.hand_on(&keeper)?;
    progress.finish_and_clear();
    keeper.finish()?;
    let told = format!(
        "{} bytes read into {}{}\n",
        work.read,
        directory.display(),
        if work.known > 0 {
            format!("; {} bytes were there already", work.known)
        } else {
            String::new()
        }
    );
    output::print(told.as_bytes())?;
    if unread > 0 {
        anyhow::bail!(Failed(format!(
            "{unread} of {} files could not be read",
            arguments.files.len()
        )));
    }
    Ok(())
}

fn progress(files: &[PathBuf]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes = files.iter().filter_map(|file| file.metadata().ok());
    let bar = ProgressBar::new(sizes.map(|metadata| metadata.len()).sum());
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}")
    {
        bar.set_style(style);
    }
    bar
}

mod store_gone {
    /// The store takes nothing more.
    #[derive(Debug, thiserror::Error)]
    #[error("the store has ended")]
    pub(super) struct Gone;
}

/// The store and the thread that keeps what is handed to it.
struct Keeper {
    store: Store,
    batches: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<()>>,
    /// Emptied batches go nowhere.
    _used: std::sync::mpsc::Receiver<Batch>,
}

impl Keeper {
    fn open(directory: &Path, flow: &mut Flow) -> anyhow::Result<(Self, Vec<Cursor>)> {
        let options = Options {
            max_bytes: u64::MAX,
            // What is saved on purpose is not old.
            max_age: std::time::Duration::from_secs(u64::from(u32::MAX)),
            ..Options::new(Some(directory.to_owned()))
        };
        let (store, recovered) = Store::open(options);
        store.reader().blocks().map_err(|fault| {
            anyhow::anyhow!(
                "{}: {fault}; stop the agent that uses it, or name another directory with --data-dir",
                directory.display()
            )
        })?;
        for note in &recovered.notes {
            output::complain(&anyhow::anyhow!("{note}"));
        }
        let placed: HashSet<TemplateId> = store
            .reader()
            .embeddings()
            .unwrap_or_default()
            .into_iter()
            .map(|known| known.id)
            .collect();
        stores::take_up(flow, &recovered, |id| placed.contains(&id));
        let metrics = Metrics::new(0, Vec::new())?;
        let (batches, taken) = sync_channel(BATCHES);
        let (emptied, used): (Sender<Batch>, _) = channel();
        let thread = store::spawn(
            &store,
            taken,
            emptied,
            &metrics,
            Arc::new(Health::default()),
        )
        .context("the store cannot be started")?;
        let keeper = Self {
            store,
            batches: Some(batches),
            thread: Some(thread),
            _used: used,
        };
        Ok((keeper, recovered.cursors))
    }

    fn keep(&self, batch: Batch) -> anyhow::Result<()> {
        let Some(batches) = &self.batches else {
            return Err(store_gone::Gone.into());
        };
        batches.send(batch).map_err(|_| store_gone::Gone.into())
    }

    /// Waits until everything is durable.
    fn finish(&mut self) -> anyhow::Result<()> {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("the store has panicked; this is a bug"))?;
        }
        let audit = self.store.reader().audit()?;
        let lost: u64 = audit
            .total
            .dropped
            .iter()
            .filter(|(reason, _)| reason.as_str() == store::STORE_UNAVAILABLE)
            .map(|(_, events)| events)
            .sum();
        if lost > 0 {
            anyhow::bail!("{lost} events could not be stored: is the disk full?");
        }
        Ok(())
    }
}

struct Work {
    flow: Flow,
    /// The model, where there is one.
    judge: Option<Judge>,
    batch: Batch,
    /// Where earlier runs stood.
    cursors: Vec<Cursor>,
    in_window: bool,
    started: Instant,
    read: u64,
    known: u64,
}

/// Where reading of a file begins.
struct Begin {
    identity: Identity,
    resumed: Option<Identity>,
    offset: u64,
}

impl Work {
    fn file(
        &mut self,
        path: &Path,
        name: Option<&str>,
        keeper: &Keeper,
        progress: &ProgressBar,
    ) -> anyhow::Result<()> {
        let unreadable = || format!("{}: cannot be read", path.display());
        let mut file = File::open(path).with_context(unreadable)?;
        let metadata = file.metadata().with_context(unreadable)?;
        if !metadata.is_file() {
            anyhow::bail!("{}: is not a file", path.display());
        }
        let begin = self.begin(&file, &metadata).with_context(unreadable)?;
        self.known += begin.offset;
        progress.inc(begin.offset);
        if begin.resumed.is_some() && begin.offset >= metadata.len() {
            return Ok(());
        }
        let modified = metadata
            .modified()
            .unwrap_or_else(|_| std::time::SystemTime::now());
        self.flow.set_time(TimeContext {
            reference: Some(clock::timestamp(modified)),
            ..TimeContext::default()
        });
        let identity = begin.identity;
        let info = StreamInfo {
            id: format!(
                "{:x}-{:x}-{:016x}",
                identity.device, identity.inode, identity.marker.hash
            ),
            origin: Arc::new(origin(path, name)),
        };
        let place = Place::File {
            file: identity,
            offset: 0,
            seam: None,
        };
        let opening = Opening {
            resumed: begin.resumed,
            ..Opening::new(info, place, Wrapper::Auto)
        };
        let id = SourceId::next();
        self.flow.open(id, opening, self.now_ms());
        file.seek(SeekFrom::Start(begin.offset))
            .with_context(unreadable)?;
        let read = self.bytes(id, &mut file, begin.offset, keeper, progress);
        // A saved file is read to its end: what is open at it is an event.
        self.flow
            .close(id, Closed::End, self.now_ms(), &mut self.batch);
        read.with_context(unreadable)
    }

    fn bytes(
        &mut self,
        id: SourceId,
        file: &mut File,
        mut offset: u64,
        keeper: &Keeper,
        progress: &ProgressBar,
    ) -> anyhow::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.flow
                .bytes(id, offset, &buffer[..count], self.now_ms(), &mut self.batch);
            offset += count as u64;
            self.read += count as u64;
            progress.inc(count as u64);
            let events = if self.in_window {
                WINDOW_EVENTS
            } else {
                BATCH_EVENTS
            };
            if self.batch.events.len() >= events || self.batch.bytes_len() >= BATCH_BYTES {
                self.hand_on(keeper)?;
            }
        }
    }

    /// Whether the file, or one with the same content, was read before, and how far.
    fn begin(&self, file: &File, metadata: &std::fs::Metadata) -> std::io::Result<Begin> {
        let head = read_at(file, 0, Marker::MAX)?;
        let identity = Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            marker: Marker::of(&head),
        };
        let mut best: Option<(Identity, u64)> = None;
        for cursor in &self.cursors {
            let Place::File {
                file: known,
                offset,
                seam,
            } = cursor.place
            else {
                continue;
            };
            let same_node = (known.device, known.inode) == (identity.device, identity.inode);
            if offset > metadata.len() || !known.marker.fits(&head) || known.marker.length == 0 {
                continue;
            }
            let fits = match seam {
                Some(seam) => {
                    let length = usize::from(seam.length);
                    let at = offset.saturating_sub(length as u64);
                    Marker::before(&read_at(file, at, length)?) == seam
                }
                None => same_node,
            };
            if fits && best.is_none_or(|(_, known)| offset > known) {
                best = Some((known, offset));
            }
        }
        Ok(Begin {
            identity,
            resumed: best.map(|(known, _)| known),
            offset: best.map_or(0, |(_, offset)| offset),
        })
    }

    fn hand_on(&mut self, keeper: &Keeper) -> anyhow::Result<()> {
        self.in_window = false;
        self.flow.mark(&mut self.batch);
        self.flow.settle(&mut self.batch);
        if let Some(judge) = &mut self.judge {
            judge_templates(judge, &mut self.flow, &mut self.batch, true)?;
        }
        self.flow.account(&mut self.batch);
        let next = Batch::new(self.flow.labels());
        keeper.keep(std::mem::replace(&mut self.batch, next))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn origin(path: &Path, name: Option<&str>) -> Origin {
    let shown = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Origin {
        container: name.map(|name| Container {
            name: name.to_owned(),
            ..Container::default()
        }),
        ..Origin::plain(Kind::File, shown.display().to_string())
    }
}

fn read_at(file: &File, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

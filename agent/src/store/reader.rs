//! Reading what is stored: by time, stream, template, category and level, without opening blocks that hold nothing of it.
//!
//! A reader sees what is durable. It reads segment by segment, each in a transaction of its own, so that it never keeps the
//! writer from using freed room again.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use redb::{ReadableTable as _, ReadableTableMetadata as _};

use logline::level::Level;
use logline::template::TemplateId;
use logline::time::Timestamp;

use super::disk::FILE;
use super::error::Fault;
use super::fetch::{Fetch, in_order};
use super::names::{KnownTemplate, Names};
use super::options::Options;
use super::state::Shared;
use super::tables::{BlockHead, VECTORS, VectorRecord, from_bytes};
use super::{Recovered, Store};
use crate::classify::{Embedding, Judgement, Vector};
use crate::flow::{Batch, Labelled, StreamInfo, UNCLASSIFIED};

/// Which events are asked for; nothing given asks for all.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Not before this time; events without a time are left out.
    pub from: Option<Timestamp>,
    /// Before this time; events without a time are left out.
    pub to: Option<Timestamp>,
    /// Of one of these streams, by id.
    pub streams: Option<Vec<String>>,
    /// Of one of these templates, or of those that became part of it.
    pub templates: Option<Vec<TemplateId>>,
    /// Of one of these categories; `unclassified` is one.
    pub categories: Option<Vec<String>>,
    /// At least so severe.
    pub level: Option<Level>,
    /// Newest first.
    pub backwards: bool,
    /// Only events with this sequence number or after it; backwards: only those before it.
    pub start: Option<u64>,
    /// At most so many events; 0 for all.
    pub limit: usize,
    /// What is not found by then is left out.
    pub until: Option<Instant>,
}

/// An event that was found, with what its texts lie in.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// Its sequence number.
    pub seq: u64,
    /// What its texts and names lie in.
    pub batch: &'a Batch,
    /// The event.
    pub event: &'a Labelled,
}

/// The first sequence number of a segment and the one after its last, and those of its events that are asked for.
type Stretch = (u64, u64, Batch, Vec<u64>);

/// Where a template lies among all templates.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The template's number in the store.
    pub number: u32,
    /// Its id.
    pub id: TemplateId,
    /// Where it lies, and the model that says so; places of different models cannot be compared.
    pub embedding: Embedding,
}

/// Reads a store.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

/// A query with the numbers that the blocks have for its names.
struct Wanted<'a> {
    query: &'a Query,
    streams: Option<Vec<u32>>,
    templates: Option<Vec<u32>>,
    categories: Option<Vec<u16>>,
    unclassified: bool,
    /// Templates that were judged to be of one of the categories, perhaps after their events were stored.
    judged: Option<Vec<u32>>,
    levels: u8,
}

impl Reader {
    /// Whether what comes now would be kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        let state = self.shared.lock();
        !state.ended && state.unavailable.is_none() && self.shared.options.directory.is_some()
    }

    /// Opens the store in `directory` for reading alone, with what its notes say of damage. No agent may have it open.
    ///
    /// # Errors
    /// Where there is none, or it cannot be opened.
    pub fn open(directory: &Path) -> Result<(Self, Recovered), Fault> {
        let path = directory.join(FILE);
        std::fs::metadata(&path)?;
        let (store, recovered) = Store::open(Options::new(Some(directory.to_owned())));
        let reader = store.reader();
        let unavailable = reader.shared.lock().unavailable.clone();
        match unavailable {
            None => Ok((reader, recovered)),
            Some(why) => Err(Fault::Io(std::io::Error::other(why))),
        }
    }

    /// All templates that are known, those that are part of another one included.
    #[must_use]
    pub fn templates(&self) -> Vec<KnownTemplate> {
        self.names().known_templates()
    }

    /// What the template with this id, or the one that it is part of now, is judged to be about.
    #[must_use]
    pub fn judged(&self, id: TemplateId) -> Option<Arc<Judgement>> {
        self.names().judged(id)
    }

    /// A number that grows whenever there is a new template, verdict or vector: what was made of them before is to be made
    /// anew.
    #[must_use]
    pub fn names_version(&self) -> u64 {
        self.shared.names_version.load(Ordering::Acquire)
    }

    /// Where the templates lie among all templates, as far as a model has been there to tell.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn embeddings(&self) -> Result<Vec<Embedded>, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        disk.read(|transaction| {
            let table = transaction.open_table(VECTORS)?;
            let names = self.names();
            let mut all = Vec::new();
            for entry in table.iter()? {
                let (number, record) = entry?;
                let number = number.value();
                let text = names.template_text(number);
                if let (Some(text), Some(record)) =
                    (text, from_bytes::<VectorRecord>(record.value()))
                {
                    all.push(Embedded {
                        number,
                        id: text.id,
                        embedding: Embedding {
                            vector: Vector {
                                scale: record.scale,
                                codes: record.codes,
                            },
                            version: record.version,
                        },
                    });
                }
            }
            Ok(all)
        })
    }

    /// How many templates have a place: while it stays the same, none has come.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn count_embeddings(&self) -> Result<u64, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        disk.read(|transaction| Ok(transaction.open_table(VECTORS)?.len()?))
    }

    /// All streams that are known.
    #[must_use]
    pub fn streams(&self) -> Vec<Arc<StreamInfo>> {
        let names = self.names();
        names.streams().map(|(_, info)| Arc::clone(info)).collect()
    }

    /// Shows `each` the events that `query` asks for, in the order in which they were stored, until it breaks off.
    ///
    /// # Errors
    /// Where the file cannot be read. Damaged blocks are left out and reported.
    pub fn query(
        &self,
        query: &Query,
        mut each: impl FnMut(Hit<'_>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let wanted = Wanted::new(query, &self.names());
        let mut left = if query.limit == 0 {
            usize::MAX
        } else {
            query.limit
        };
        let mut at = match (query.start, query.backwards) {
            (None, false) => 0,
            (Some(start), false) => start,
            (None, true) => u64::MAX,
            (Some(0), true) => return Ok(()),
            (Some(start), true) => start - 1,
        };
        loop {
            if query.until.is_some_and(|until| Instant::now() >= until) {
                return Ok(());
            }
            let Some((first, end, batch, seqs)) = self.segment(&wanted, at)? else {
                return Ok(());
            };
            let hits = seqs.iter().copied().zip(&batch.events);
            let bound = |seq: u64| {
                query
                    .start
                    .is_none_or(|start| (seq < start) == query.backwards)
            };
            let mut show = |(seq, event): (u64, &Labelled)| {
                if left == 0 {
                    return ControlFlow::Break(());
                }
                if !bound(seq) || !wanted.event(&batch, event) {
                    return ControlFlow::Continue(());
                }
                left -= 1;
                each(Hit {
                    seq,
                    batch: &batch,
                    event,
                })
            };
            let shown = if query.backwards {
                hits.rev().try_for_each(&mut show)
            } else {
                hits.into_iter().try_for_each(&mut show)
            };
            if shown.is_break() || left == 0 {
                return Ok(());
            }
            at = match (query.backwards, first.checked_sub(1)) {
                (false, _) => end,
                (true, Some(before)) => before,
                (true, None) => return Ok(()),
            };
        }
    }

    /// The event with this id and up to `around` events of its stream before and after it, in order; nothing where it is not
    /// stored any more.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn neighbours(
        &self,
        event_id: &str,
        around: usize,
    ) -> Result<Option<(Batch, usize)>, Fault> {
        let Some((stream, start)) = event_id.rsplit_once(':') else {
            return Ok(None);
        };
        let Ok(start) = start.parse::<u64>() else {
            return Ok(None);
        };
        let Some(seq) = self.find(stream, start)? else {
            return Ok(None);
        };
        let mut query = Query {
            streams: Some(vec![stream.to_owned()]),
            backwards: true,
            start: Some(seq),
            limit: around,
            ..Query::default()
        };
        let labels = self.names().labels();
        let mut before = Vec::new();
        if around > 0 {
            self.query(&query, |hit| {
                let mut one = Batch::new(Arc::clone(&labels));
                one.append_event(hit.batch, hit.event);
                before.push(one);
                ControlFlow::Continue(())
            })?;
        }
        let mut found = Batch::new(labels);
        for one in before.iter().rev() {
            found.append(one);
        }
        let place = found.events.len();
        query.backwards = false;
        query.limit = around + 1;
        self.query(&query, |hit| {
            found.append_event(hit.batch, hit.event);
            ControlFlow::Continue(())
        })?;
        Ok((found.events.len() > place).then_some((found, place)))
    }

    /// The sequence number of the event of `stream` that begins at `start`.
    fn find(&self, stream: &str, start: u64) -> Result<Option<u64>, Fault> {
        let query = Query {
            streams: Some(vec![stream.to_owned()]),
            backwards: true,
            ..Query::default()
        };
        let wanted = Wanted::new(&query, &self.names());
        let mut at = u64::MAX;
        loop {
            // Only blocks that may hold it are opened.
            let found = self.segment_where(&wanted, at, |block| {
                (block.starts.0..=block.starts.1).contains(&start)
            })?;
            let Some((first, _, batch, seqs)) = found else {
                return Ok(None);
            };
            let hit = seqs
                .iter()
                .zip(&batch.events)
                .find(|(_, event)| event.start == start);
            if let Some((seq, _)) = hit {
                return Ok(Some(*seq));
            }
            let Some(before) = first.checked_sub(1) else {
                return Ok(None);
            };
            at = before;
        }
    }

    fn segment(&self, wanted: &Wanted<'_>, at: u64) -> Result<Option<Stretch>, Fault> {
        self.segment_where(wanted, at, |_| true)
    }

    /// The nearest segment from `at` on, or backwards: its first sequence number, the one after its last, and the events of
    /// its blocks that may hold what is wanted.
    fn segment_where(
        &self,
        wanted: &Wanted<'_>,
        at: u64,
        only: impl Fn(&BlockHead) -> bool,
    ) -> Result<Option<Stretch>, Fault> {
        let disk = self.shared.disk().ok_or(Fault::Off)?;
        let mut damaged = Vec::new();
        let found = disk.read(|transaction| {
            let fetch = Fetch::new(transaction)?;
            let found = if wanted.query.backwards {
                fetch.last_before(at)?
            } else {
                fetch.locate(at)?
            };
            let Some((first, head)) = found else {
                return Ok(None);
            };
            let names = self.names();
            let mut batch = Batch::new(names.labels());
            let mut seqs = Vec::new();
            let Some(head) = head else {
                // Its head is damaged: it counts as one event, which leads on to the next.
                return Ok(Some((first, first + 1, batch, seqs)));
            };
            let heads = fetch.blocks(first, head)?;
            for (number, block) in &heads.blocks {
                let read = !block.damaged && wanted.block(block) && only(block);
                if read && !fetch.decode(first, block, &names, &mut batch, &mut seqs)? {
                    damaged.push(super::fetch::Damage::Block(first, *number));
                }
            }
            in_order(&mut batch, &mut seqs);
            Ok(Some((first, first + u64::from(head.count), batch, seqs)))
        });
        self.shared.damaged(damaged);
        found
    }

    pub(super) fn names(&self) -> std::sync::RwLockReadGuard<'_, Names> {
        self.shared
            .names
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Wanted<'a> {
    fn new(query: &'a Query, names: &Names) -> Self {
        let labels = names.labels();
        let number = |name: &String| {
            let place = labels.categories.iter().position(|known| known == name)?;
            u16::try_from(place).ok()
        };
        Self {
            query,
            streams: query.streams.as_ref().map(|ids| {
                let known = names.streams();
                known
                    .filter(|(_, info)| ids.contains(&info.id))
                    .map(|(number, _)| number)
                    .collect()
            }),
            templates: query
                .templates
                .as_ref()
                .map(|ids| names.templates_within(ids)),
            categories: query
                .categories
                .as_ref()
                .map(|wanted| wanted.iter().filter_map(number).collect()),
            unclassified: query
                .categories
                .as_ref()
                .is_none_or(|wanted| wanted.iter().any(|name| name == UNCLASSIFIED)),
            judged: query
                .categories
                .as_ref()
                .map(|wanted| names.templates_judged(wanted)),
            levels: query
                .level
                .map_or(u8::MAX, |level| u8::MAX << (level as u8)),
        }
    }

    /// Whether a block may hold what is wanted.
    fn block(&self, block: &BlockHead) -> bool {
        let timed = self.query.from.is_some() || self.query.to.is_some();
        let in_time = block.times.is_some_and(|(min, max)| {
            self.query.from.is_none_or(|from| max >= from.0)
                && self.query.to.is_none_or(|to| min < to.0)
        });
        let has = |wanted: &Option<Vec<u32>>, there: &[u32]| {
            wanted.as_ref().is_none_or(|wanted| {
                wanted
                    .iter()
                    .any(|number| there.binary_search(number).is_ok())
            })
        };
        (!timed || in_time)
            && has(&self.streams, &[block.stream])
            && has(&self.templates, &block.templates)
            && self.categories.as_ref().is_none_or(|wanted| {
                let late = || has(&self.judged, &block.templates);
                (block.unclassified && (self.unclassified || late()))
                    || wanted
                        .iter()
                        .any(|number| block.categories.binary_search(number).is_ok())
            })
            && block.levels & self.levels != 0
    }

    /// Whether an event of such a block is wanted.
    fn event(&self, batch: &Batch, event: &Labelled) -> bool {
        let query = self.query;
        let in_time = |time: Timestamp| {
            query.from.is_none_or(|from| time >= from) && query.to.is_none_or(|to| time < to)
        };
        let timed = query.from.is_some() || query.to.is_some();
        (!timed || event.timestamp.is_some_and(in_time))
            && query.level.is_none_or(|level| event.level >= level)
            && query.categories.as_ref().is_none_or(|wanted| {
                let category = batch.labels.category(event.verdict.category);
                wanted.iter().any(|name| name == category)
            })
            && self.templates.as_ref().is_none_or(|wanted| {
                u32::try_from(event.template).is_ok_and(|number| wanted.contains(&number))
            })
    }
}

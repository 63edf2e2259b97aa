//! The thread that knows the streams of what is received: opens them for the flow, and closes those that are silent for long.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use logline::decode::Wrapper;
use prometheus::IntCounter;

use super::pour::Parcel;
use crate::shutdown::Shutdown;
use crate::source::{
    Closed, Delivery, Disconnected, Kind, Message, Origin, Sender, SourceId, send,
};

/// So many streams are told apart; what comes beyond goes under one name.
const MAX_STREAMS: usize = 4_096;
/// A stream that is silent for so long gives its place away.
const SILENCE: Duration = Duration::from_secs(600);
/// How often the silent ones are looked for while there is no place.
const LOOK: Duration = Duration::from_secs(5);
/// How often is looked whether to stop.
const WAIT: Duration = Duration::from_millis(100);
/// The name of all streams beyond the bound.
const OTHER: &str = "other";

/// Passes on what comes until `shutdown`, then what is there.
pub(super) fn run(
    parcels: &Receiver<Parcel>,
    sender: &Sender,
    shutdown: &Shutdown,
    crowded: &IntCounter,
) {
    let mut streams = Streams {
        sender,
        crowded,
        known: HashMap::new(),
        looked: None,
    };
    while !shutdown.is_triggered() {
        match parcels.recv_timeout(WAIT) {
            Ok(parcel) => {
                if streams.pass(parcel).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
    while let Ok(parcel) = parcels.try_recv() {
        if streams.pass(parcel).is_err() {
            return;
        }
    }
}

struct Streams<'a> {
    sender: &'a Sender,
    crowded: &'a IntCounter,
    known: HashMap<u64, Known>,
    /// When silent streams were looked for last.
    looked: Option<Instant>,
}

struct Known {
    id: SourceId,
    last: Instant,
}

impl Streams<'_> {
    fn pass(&mut self, parcel: Parcel) -> Result<(), Disconnected> {
        let Parcel {
            origins,
            of,
            mut entries,
            bytes,
            ticket,
        } = parcel;
        let now = Instant::now();
        let ids: Vec<SourceId> = origins
            .iter()
            .map(|origin| self.stream(origin, now))
            .collect::<Result<_, _>>()?;
        for (entry, of) in entries.iter_mut().zip(of) {
            if let Some(id) = ids.get(of) {
                entry.id = *id;
            }
        }
        let delivery = Delivery {
            entries,
            bytes,
            ticket,
        };
        send(self.sender, Message::Delivered(delivery))
    }

    fn stream(&mut self, origin: &Arc<Origin>, now: Instant) -> Result<SourceId, Disconnected> {
        if let Some(known) = self.known.get_mut(&origin.fingerprint()) {
            known.last = now;
            return Ok(known.id);
        }
        if self.known.len() >= MAX_STREAMS {
            self.close_silent(now)?;
        }
        if self.known.len() >= MAX_STREAMS {
            self.crowded.inc();
            return self.other(origin.kind, now);
        }
        self.open(Arc::clone(origin), now)
    }

    fn other(&mut self, kind: Kind, now: Instant) -> Result<SourceId, Disconnected> {
        let origin = Arc::new(Origin::plain(kind, OTHER));
        match self.known.get_mut(&origin.fingerprint()) {
            Some(known) => {
                known.last = now;
                Ok(known.id)
            }
            None => self.open(origin, now),
        }
    }

    fn open(&mut self, origin: Arc<Origin>, now: Instant) -> Result<SourceId, Disconnected> {
        let id = SourceId::next();
        let last = now;
        self.known.insert(origin.fingerprint(), Known { id, last });
        let opened = Message::Opened {
            id,
            origin,
            wrapper: Wrapper::Plain,
            file: None,
            resumed: None,
            follows: None,
        };
        send(self.sender, opened)?;
        Ok(id)
    }

    fn close_silent(&mut self, now: Instant) -> Result<(), Disconnected> {
        if self
            .looked
            .is_some_and(|looked| now.duration_since(looked) < LOOK)
        {
            return Ok(());
        }
        self.looked = Some(now);
        let mut silent = Vec::new();
        self.known.retain(|_, known| {
            let stays = now.duration_since(known.last) < SILENCE;
            if !stays {
                silent.push(known.id);
            }
            stays
        });
        for id in silent {
            let reason = Closed::End;
            send(self.sender, Message::Closed { id, reason })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn streams_without_end_are_told_apart_up_to_a_bound() {
        let (sender, receiver) = sync_channel(MAX_STREAMS * 3);
        let crowded = IntCounter::new("crowded", "for the test").unwrap();
        let mut streams = Streams {
            sender: &sender,
            crowded: &crowded,
            known: HashMap::new(),
            looked: None,
        };
        let origin = |n: usize| Arc::new(Origin::plain(Kind::Forward, format!("tag-{n}")));
        let begun = Instant::now();
        for n in 0..MAX_STREAMS {
            let id = streams.stream(&origin(n), begun).unwrap();
            assert_eq!(streams.stream(&origin(n), begun), Ok(id));
        }
        let other = streams.stream(&origin(MAX_STREAMS), begun).unwrap();
        assert_eq!(streams.stream(&origin(MAX_STREAMS + 1), begun), Ok(other));
        assert_eq!(crowded.get(), 2);
        // One is heard of again, the others fall silent and give their places away.
        let later = begun + SILENCE;
        let heard = streams.stream(&origin(7), later).unwrap();
        let new = streams.stream(&origin(MAX_STREAMS), later).unwrap();
        assert_ne!(new, other);
        assert_eq!(streams.stream(&origin(7), later), Ok(heard));
        drop(streams);
        drop(sender);
        let told: Vec<Message> = receiver.iter().collect();
        let closed = told
            .iter()
            .filter(|message| matches!(message, Message::Closed { .. }));
        assert_eq!(closed.count(), MAX_STREAMS);
        let names = told.iter().filter_map(|message| match message {
            Message::Opened { origin, .. } => Some(origin.name.as_str()),
            _ => None,
        });
        assert_eq!(names.filter(|name| *name == OTHER).count(), 1);
    }
}

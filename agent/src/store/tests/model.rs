//! The store against a simple truth: whatever happens and whenever the power fails, the store holds exactly the lines
//! before its cursors, once each, and every sink gets each of them at least once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::platter::{Fault, Platter};
use super::rig::{Lines, Running, options, texts_of};
use crate::flow::Place;
use crate::store::{Delivered, Feed, Next, Options, Query};

const STREAMS: usize = 3;
/// Every line is so long, with its line end.
const LINE: u64 = 32;

#[derive(Clone, Debug)]
enum Step {
    /// So many lines are read, spread over the streams.
    Read(u8),
    /// The sink takes so many portions and acknowledges them.
    Deliver(u8),
    /// The sink takes a portion and dies before it acknowledges.
    Forget,
    /// The power fails after so many writes more; of what was not synced so many in 256 sectors reach the disk.
    Cut(u8, u8),
    /// The process is killed: what was written is written.
    Kill,
    /// A fault that passes.
    Once(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..60_u8).prop_map(Step::Read),
        3 => (1..4_u8).prop_map(Step::Deliver),
        1 => Just(Step::Forget),
        2 => (0..40_u8, any::<u8>()).prop_map(|(after, keep)| Step::Cut(after, keep)),
        1 => Just(Step::Kill),
        1 => (0..20_u8).prop_map(Step::Once),
    ]
}

struct World {
    directory: tempfile::TempDir,
    platter: Platter,
    running: Option<(Running, Feed)>,
    lines: Lines,
    /// How often each line (stream, number) was delivered.
    delivered: BTreeMap<(usize, u64), u64>,
    /// Lines acknowledged while the store could say that this is durable.
    acknowledged: u64,
}

fn text(stream: usize, number: u64) -> String {
    format!("stream {stream} line number {number:08}..")
}

fn place(text: &str) -> (usize, u64) {
    let mut words = text.split(['.', ' ']);
    let stream = words.nth(1).unwrap().parse().unwrap();
    (stream, words.nth(2).unwrap().parse().unwrap())
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            directory: tempfile::tempdir().unwrap(),
            platter: Platter::default(),
            running: None,
            lines: Lines::from(&[0; STREAMS]),
            delivered: BTreeMap::new(),
            acknowledged: 0,
        };
        world.start();
        world
    }

    fn options(directory: &Path, platter: &Platter) -> Options {
        Options {
            backend: platter.backend(),
            window_bytes: 3000,
            seal_bytes: 2500,
            commit_every: Duration::from_millis(1),
            retry_after: Duration::from_millis(5),
            ..options(directory, &["sink"])
        }
    }

    /// A run begins; what it recovers is held against the truth.
    fn start(&mut self) {
        let running = Running::start(Self::options(self.directory.path(), &self.platter));
        let mut offsets = [0; STREAMS];
        for cursor in &running.recovered.cursors {
            let Place::File { file, offset, .. } = cursor.place else {
                panic!("{cursor:?}");
            };
            offsets[file.inode as usize] = offset;
        }
        assert!(
            running.recovered.notes.is_empty(),
            "{:?}",
            running.recovered.notes
        );
        let reader = running.store.reader();
        let mut stored: Vec<(usize, u64)> = Vec::new();
        reader
            .query(&Query::default(), |hit| {
                let text = String::from_utf8_lossy(hit.batch.get(hit.event.text)).into_owned();
                stored.push(place(&text));
                ControlFlow::Continue(())
            })
            .unwrap();
        for (stream, offset) in offsets.iter().enumerate() {
            let of_stream = stored.iter().filter(|(of, _)| *of == stream);
            let numbers: Vec<u64> = of_stream.map(|(_, number)| *number).collect();
            let expected: Vec<u64> = (0..offset / LINE).collect();
            assert_eq!(numbers, expected, "what stream {stream} holds");
        }
        let verified = reader.verify().unwrap();
        assert!(verified.sound, "{verified:?}");
        let audit = reader.audit().unwrap();
        assert!(audit.balances, "{audit:?}");
        let known = audit.sinks.iter().find(|sink| sink.name == "sink");
        let cursor = known.map_or(0, |sink| sink.record.cursor);
        assert!(
            cursor >= self.acknowledged,
            "{cursor} of {} acknowledged",
            self.acknowledged
        );
        self.lines = Lines::from(&offsets);
        let feed = running.store.feed("sink");
        self.running = Some((running, feed));
    }

    fn stop(&mut self) {
        if let Some((running, feed)) = self.running.take() {
            drop(feed);
            running.stop();
        }
    }

    fn take(&mut self, acknowledge: bool) -> bool {
        let (_, feed) = self.running.as_mut().unwrap();
        match feed.next(Duration::from_millis(20)) {
            Next::Portion(portion, skip) => {
                let texts = texts_of(&portion, skip);
                for text in &texts {
                    *self.delivered.entry(place(text)).or_default() += 1;
                }
                if acknowledge {
                    let delivered = Delivered {
                        events: texts.len() as u64,
                        ..Delivered::default()
                    };
                    if feed.acknowledge(portion.end(), &delivered) && portion.stored {
                        self.acknowledged = self.acknowledged.max(portion.end());
                    }
                }
                true
            }
            _ => false,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Read(count) => {
                let offsets = self.lines.offsets();
                let mut next: Vec<u64> = offsets.iter().map(|offset| offset / LINE).collect();
                let lines: Vec<(usize, String)> = (0..usize::from(*count))
                    .map(|n| {
                        let stream = (n * 7 + usize::from(*count)) % STREAMS;
                        next[stream] += 1;
                        (stream, text(stream, next[stream] - 1))
                    })
                    .collect();
                let batch = self
                    .lines
                    .batch(lines.iter().map(|(stream, line)| (*stream, line.as_str())));
                self.running.as_ref().unwrap().0.send(batch);
            }
            Step::Deliver(portions) => {
                for _ in 0..*portions {
                    if !self.take(true) {
                        break;
                    }
                }
            }
            Step::Forget => {
                self.take(false);
                let (running, feed) = self.running.take().unwrap();
                drop(feed);
                let feed = running.store.feed("sink");
                self.running = Some((running, feed));
            }
            Step::Cut(after, keep) => {
                self.platter.fail(Fault::Broken, u64::from(*after) + 1);
                self.step(&Step::Read(20));
                self.take(true);
                self.platter.fail(Fault::Broken, 0);
                self.stop();
                let mut state = u32::from(*keep).wrapping_mul(2_654_435_761) + 1;
                self.platter.cut(|| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8 <= *keep
                });
                self.start();
            }
            Step::Kill => {
                self.platter.fail(Fault::Broken, 0);
                self.stop();
                self.platter.cut(|| true);
                self.start();
            }
            Step::Once(after) => self.platter.fail(Fault::Once, u64::from(*after)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_stored_twice_whenever_the_power_fails(steps in prop::collection::vec(step(), 1..14)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.platter.mend();
        // What was read is stored, and the sink catches up.
        world.stop();
        world.start();
        while world.take(true) {}
        world.stop();
        world.start();
        let offsets = world.lines.offsets();
        for (stream, offset) in offsets.iter().enumerate() {
            for number in 0..offset / LINE {
                prop_assert!(world.delivered.contains_key(&(stream, number)), "line {number} of stream {stream}");
            }
        }
        world.stop();
    }
}

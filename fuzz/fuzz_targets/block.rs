//! Any log comes back from its block byte for byte, and any bytes, with a checksum that holds, are decoded or refused in peace.
#![no_main]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use logline::decode::Wrapper;
use logline::rules::{Pack, RuleSet};
use logsieve::flow::{Batch, Flow, Labels, Opening, Place, Settings, StreamInfo, TemplateText};
use logsieve::source::{Closed, Kind, Origin, SourceId};
use logsieve::store::block::{self, Names, Numbers, Plans};
use xxhash_rust::xxh3::xxh3_64;

static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
    let pack = Pack::builtin("general").unwrap();
    Arc::new(RuleSet::compile(&pack).unwrap())
});

#[derive(Default)]
struct Book {
    numbers: HashMap<u64, u32>,
    templates: Vec<Arc<TemplateText>>,
}

impl Numbers for Book {
    fn template(&mut self, text: &Arc<TemplateText>) -> u32 {
        *self.numbers.entry(text.id.0).or_insert_with(|| {
            self.templates.push(Arc::clone(text));
            self.templates.len() as u32 - 1
        })
    }
    fn category(&mut self, name: &str) -> u16 {
        name.len() as u16
    }
    fn rule(&mut self, name: &str) -> u32 {
        name.len() as u32
    }
}

impl Names for Book {
    fn template(&self, number: u32) -> Option<Arc<TemplateText>> {
        self.templates.get(number as usize).cloned()
    }
}

fn info() -> StreamInfo {
    StreamInfo {
        id: "fuzz".to_owned(),
        origin: Arc::new(Origin::plain(Kind::File, "fuzz")),
    }
}

fuzz_target!(|input: &[u8]| {
    let mut flow = Flow::new(Settings::default(), Arc::clone(&RULES));
    let id = SourceId::next();
    flow.open(id, Opening::new(info(), Place::Passing, Wrapper::Auto), 0);
    let mut batch = Batch::new(flow.labels());
    flow.bytes(id, 0, input, 0, &mut batch);
    flow.close(id, Closed::End, 0, &mut batch);
    flow.settle(&mut batch);

    let picked: Vec<u32> = (0..batch.events.len() as u32).collect();
    let seqs: Vec<u64> = (5..).take(picked.len()).collect();
    let mut book = Book::default();
    let mut bytes = Vec::new();
    block::encode(
        &batch,
        &picked,
        &seqs,
        &mut book,
        &mut Plans::default(),
        true,
        &mut bytes,
    );
    let mut back = Batch::new(Arc::new(Labels::default()));
    let mut back_seqs = Vec::new();
    let stream = Arc::new(info());
    block::decode(&bytes, &book, &mut back, &stream, &mut back_seqs).unwrap();
    assert_eq!(back_seqs, seqs);
    for (event, given) in back.events.iter().zip(&batch.events) {
        assert_eq!(back.get(event.text), batch.get(given.text));
        assert_eq!(back.get(event.message), batch.get(given.message));
        assert_eq!(back.get(event.logger), batch.get(given.logger));
        assert_eq!(event.timestamp, given.timestamp);
        assert_eq!(event.start, given.start);
    }

    // The input in the middle of a block, and as one, the checksum made to hold.
    let half = bytes.len() / 2;
    let patched: Vec<u8> = bytes[..half].iter().chain(input).copied().collect();
    for mut forged in [patched, input.to_vec()] {
        let sum = xxh3_64(&forged);
        forged.extend_from_slice(&sum.to_le_bytes());
        let mut back = Batch::new(Arc::new(Labels::default()));
        let _ = block::decode_labels(&forged);
        let _ = block::decode(&forged, &book, &mut back, &stream, &mut Vec::new());
    }
});

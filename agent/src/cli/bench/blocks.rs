//! The store's blocks in the benchmark: how small, and how fast.

use std::sync::Arc;

use logline::decode::Wrapper;
use logline::rules::RuleSet;

use super::CHUNK;
use crate::flow::{Batch, Flow, Labels, Opening, Place, Settings, StreamInfo};
use crate::source::{Closed, Kind, Origin, SourceId};
use crate::store::block::{self, Damaged, Listed};

/// What zstd makes of the text is measured at this level over pieces of this size.
const ZSTD_LEVEL: i32 = 3;
const ZSTD_PIECE: usize = 1 << 20;

/// The events of a file, settled, in batches that each become one block.
pub(super) struct Blocks {
    stream: Arc<StreamInfo>,
    batches: Vec<Batch>,
    texts: usize,
    known: Listed,
    encoded: Vec<Vec<u8>>,
}

impl Blocks {
    /// Labels the file and parts its events into blocks of about `block` bytes of text.
    pub(super) fn of(file: &[u8], rules: &Arc<RuleSet>, block: usize) -> Self {
        let mut flow = Flow::new(Settings::default(), Arc::clone(rules));
        let id = SourceId::next();
        let info = || StreamInfo {
            id: "bench".to_owned(),
            origin: Arc::new(Origin::plain(Kind::File, "bench")),
        };
        let stream = Arc::new(info());
        flow.open(id, Opening::new(info(), Place::Passing, Wrapper::Auto), 0);
        let mut batches = Vec::new();
        let mut batch = Batch::new(flow.labels());
        let mut offset = 0;
        for chunk in file.chunks(CHUNK.min(block)) {
            flow.bytes(id, offset, chunk, 0, &mut batch);
            offset += chunk.len() as u64;
            if batch.bytes_len() >= block {
                flow.settle(&mut batch);
                batches.push(std::mem::replace(&mut batch, Batch::new(flow.labels())));
            }
        }
        flow.close(id, Closed::End, 0, &mut batch);
        flow.settle(&mut batch);
        batches.push(batch);
        batches.retain(|batch| !batch.events.is_empty());
        let texts = batches
            .iter()
            .flat_map(|batch| &batch.events)
            .map(|event| event.text.len())
            .sum();
        let mut blocks = Self {
            stream,
            batches,
            texts,
            known: Listed::default(),
            encoded: Vec::new(),
        };
        let mut known = Listed::default();
        blocks.encoded = blocks.encode_with(&mut known);
        blocks.known = known;
        blocks
    }

    /// Bytes of the events' texts.
    pub(super) fn texts(&self) -> usize {
        self.texts
    }

    fn encode_with(&self, known: &mut Listed) -> Vec<Vec<u8>> {
        let mut plans = block::Plans::default();
        let encode = |batch: &Batch| {
            let picked: Vec<u32> = (0..batch.events.len() as u32).collect();
            let seqs: Vec<u64> = (1..).take(picked.len()).collect();
            let mut out = Vec::new();
            block::encode(batch, &picked, &seqs, known, &mut plans, true, &mut out);
            out
        };
        self.batches.iter().map(encode).collect()
    }

    /// Makes the blocks.
    pub(super) fn encode(&self) {
        std::hint::black_box(self.encode_with(&mut self.known.clone()));
    }

    /// Reads the blocks.
    pub(super) fn decode(&self) -> Result<(), Damaged> {
        let mut batch = Batch::new(Arc::new(Labels::default()));
        let mut seqs = Vec::new();
        for bytes in &self.encoded {
            batch.clear();
            seqs.clear();
            block::decode(bytes, &self.known, &mut batch, &self.stream, &mut seqs)?;
            std::hint::black_box(&batch);
        }
        Ok(())
    }

    /// How small the blocks are beside what zstd makes of the file.
    pub(super) fn sizes(&self, file: &[u8]) -> anyhow::Result<String> {
        let blocks: usize = self.encoded.iter().map(Vec::len).sum();
        let mut zstd = 0;
        for piece in file.chunks(ZSTD_PIECE) {
            zstd += zstd::bulk::compress(piece, ZSTD_LEVEL)?.len();
        }
        let templates: usize = self
            .known
            .templates
            .iter()
            .map(|template| template.text.len())
            .sum();
        Ok(format!(
            "{} blocks: {blocks} bytes, {:.4} of the file, {:.3} of what zstd -{ZSTD_LEVEL} makes of it in pieces of 1 MiB ({zstd}); \
             {} templates: {templates} bytes\n",
            self.encoded.len(),
            blocks as f64 / file.len().max(1) as f64,
            blocks as f64 / zstd.max(1) as f64,
            self.known.templates.len(),
        ))
    }
}

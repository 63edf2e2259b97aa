//! What was found damaged is marked, so that nobody reads it again.

use redb::{ReadableTable as _, WriteTransaction};
use tracing::warn;

use super::disk::Disk;
use super::error::Fault;
use super::fetch::Damage;
use super::segment::Segment;
use super::tables::{BlockHead, HEADS, from_bytes, to_bytes};
use super::writer::Writer;

impl Writer {
    /// Marks the damage that readers have come upon since the last time.
    ///
    /// # Errors
    /// Where the trees themselves are damaged, or the file cannot be written.
    pub(super) fn mark_damage(&mut self, disk: &Disk) -> Result<(), Fault> {
        let damage = self.shared.take_damage();
        if damage.is_empty() {
            return Ok(());
        }
        if damage.contains(&Damage::File) {
            return Err(Fault::damaged("its trees cannot be read"));
        }
        disk.write(|transaction| {
            damage
                .iter()
                .try_for_each(|damage| mark(transaction, *damage))
        })?;
        for damage in damage {
            match damage {
                Damage::Block(segment, block) => {
                    warn!(
                        segment,
                        block, "a block is damaged; its events are left out"
                    );
                }
                Damage::Segment(segment) => {
                    warn!(
                        segment,
                        "the head of a segment is damaged; its events are left out"
                    );
                    self.index.remove(segment);
                }
                Damage::File => {}
            }
            self.damaged += 1;
            self.metrics.damaged.inc();
        }
        self.say_health();
        Ok(())
    }
}

fn mark(transaction: &WriteTransaction, damage: Damage) -> Result<(), Fault> {
    match damage {
        Damage::Block(first, number) => {
            let mut heads = transaction.open_table(HEADS)?;
            let block = heads
                .get((first, number))?
                .and_then(|bytes| from_bytes::<BlockHead>(bytes.value()));
            match block {
                Some(mut block) => {
                    block.damaged = true;
                    heads.insert((first, number), to_bytes(&block).as_slice())?;
                }
                None => {
                    heads.remove((first, number))?;
                }
            }
            Ok(())
        }
        Damage::Segment(first) => Segment::remove(transaction, first, first),
        Damage::File => Ok(()),
    }
}

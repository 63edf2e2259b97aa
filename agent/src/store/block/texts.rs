//! Patterns and values to texts.

use super::body::{Body, Group, Store};
use super::clock::Told;
use super::kinds::{self, Kind};
use super::pattern::{self, Op};
use crate::flow::Slice;

/// Puts texts together again.
pub(super) struct Writer<'a> {
    pub(super) body: Body<'a>,
    pub(super) values: Vec<u64>,
    pub(super) wide: Vec<u8>,
    pub(super) told: std::iter::Peekable<std::vec::IntoIter<(usize, usize, usize)>>,
    /// By pattern: where the logger last stood in a piece of this pattern.
    pub(super) hints: Vec<(usize, usize)>,
}

pub(super) struct Texts {
    pub(super) text: Slice,
    pub(super) message: Slice,
    pub(super) logger: Slice,
}

impl Writer<'_> {
    /// Writes the texts of one event; none where they do not fit together.
    pub(super) fn event(
        &mut self,
        at: usize,
        kind: &Kind,
        group: &Group,
        time: u64,
        out: &mut Vec<u8>,
    ) -> Option<Texts> {
        let start = out.len();
        let hinted = kind.logger.checked_sub(kinds::LOGGER_IN).map(usize::from);
        let mut logger_pattern = (0, 0);
        let mut message = None;
        for piece in 0..=group.around {
            if piece == group.heads && !kind.has(kinds::OWN_MESSAGE) {
                message = Some(self.message(group, time, out));
            }
            if piece == group.around {
                break;
            }
            let begins = out.len();
            let pattern = self.piece(group.first_column + piece, time, out);
            if hinted == Some(piece) {
                logger_pattern = (pattern, begins);
            }
        }
        let text = Slice::new(start, out.len() - start);
        let message = message.unwrap_or_else(|| self.message(group, time, out));
        let told = self.told.next_if(|(event, _, _)| *event == at);
        let logger = if kind.has(kinds::OWN_LOGGER) {
            let begins = out.len();
            self.piece(group.first_column + group.slots - 1, time, out);
            Slice::new(begins, out.len() - begins)
        } else if hinted.is_some() {
            let (pattern, begins) = logger_pattern;
            if self.hints.len() <= pattern {
                self.hints.resize(pattern + 1, (0, 0));
            }
            if let Some((_, start, len)) = told {
                self.hints[pattern] = (start, len);
            }
            let (offset, len) = self.hints[pattern];
            Slice::new(begins + offset, len)
        } else if kind.logger == kinds::TOLD_LOGGER {
            let (_, offset, len) = told?;
            Slice::new(start + offset, len)
        } else {
            Slice::default()
        };
        let fits =
            logger.is_empty() || kind.has(kinds::OWN_LOGGER) || logger.offset_in(text).is_some();
        fits.then_some(Texts {
            text,
            message,
            logger,
        })
    }

    fn message(&mut self, group: &Group, time: u64, out: &mut Vec<u8>) -> Slice {
        let start = out.len();
        let first = group.first_column + group.around;
        for slot in 0..group.values {
            if let Some(plan) = &group.plan {
                out.extend_from_slice(plan.piece(slot));
            }
            self.piece(first + slot, time, out);
        }
        if let Some(plan) = &group.plan {
            out.extend_from_slice(plan.piece(group.values));
        }
        Slice::new(start, out.len() - start)
    }

    /// Writes what stands in a column in its next row and gives the pattern.
    fn piece(&mut self, column: usize, time: u64, out: &mut Vec<u8>) -> usize {
        let column = &mut self.body.columns[column];
        let local = column.refs.get(column.next).copied().unwrap_or_default();
        column.next += 1;
        let Some(&(pattern, store)) = column.locals.get(local as usize) else {
            return 0;
        };
        let patterns = &self.body.patterns;
        let mut scratch = Store {
            pattern,
            rows: 0,
            around: false,
            clock: None,
            values: 0,
            wide: 0,
            next: 0,
        };
        let store = self.body.stores.get_mut(store).unwrap_or(&mut scratch);
        let mut value = store.values + store.next;
        let mut wide = store.wide + store.next * patterns.all[pattern].1.wide;
        store.next += 1;
        let mut field = 0;
        let mut shown = [0; 4];
        for op in patterns.ops(pattern) {
            match *op {
                Op::Copy { start, len } => {
                    let start = start as usize;
                    let copied = patterns.bytes.get(start..start + len as usize);
                    out.extend_from_slice(copied.unwrap_or_default());
                }
                Op::Byte(byte) => out.push(byte),
                Op::Digits(width) => {
                    let mut number = self.values.get(value).copied().unwrap_or_default();
                    let of_clock = store.clock.and_then(|(clock, told)| {
                        let within = usize::checked_sub(field, clock.field)?;
                        (within < clock.fields()).then_some((clock, told, within))
                    });
                    if let Some((clock, told, within)) = of_clock {
                        if within == 0 {
                            shown = clock.write(match told {
                                Told::Distance => clock.at_distance(number, time),
                                _ => number,
                            });
                            value += store.rows;
                        }
                        number = shown[within];
                    } else {
                        value += store.rows;
                    }
                    pattern::put_digits(number, width, out);
                    field += 1;
                }
                Op::Hex { digits, upper } => {
                    let len = usize::from(digits).div_ceil(2);
                    let bytes = self.wide.get(wide..wide + len).unwrap_or_default();
                    pattern::put_hex(bytes, digits, upper, out);
                    wide += len;
                }
                Op::Uuid => {
                    let bytes = self.wide.get(wide..wide + 16).unwrap_or_default();
                    pattern::put_uuid(bytes, out);
                    wide += 16;
                }
            }
        }
        pattern
    }
}

//! What a block's texts are made of, as a decoder finds it: patterns, places, values.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3;

use super::clock::{Clock, Told};
use super::kinds::{self, GroupKey};
use super::numbers::Source;
use super::opened::{Labels, Opened};
use super::pattern::{self, END, Needs, Op};
use super::split::Plan;
use super::wire::{Damaged, MAX_UNPACKED, Reader};
use super::{Names, TINY};

pub(super) const UNKNOWN_TEMPLATE: Damaged = Damaged {
    what: "a template that is not known",
    at: 0,
};

/// The patterns met so far.
pub(super) struct Patterns<'a> {
    pub(super) table: Reader<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) ops: Vec<Op>,
    /// Where each one's steps end, and what it asks for.
    pub(super) all: Vec<(usize, Needs)>,
}

impl<'a> Patterns<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            table: Reader::new(bytes),
            bytes,
            ops: Vec::new(),
            all: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<usize, Damaged> {
        let base = self.bytes.len() - self.table.left();
        let pattern = self.table.until(END)?;
        let needs = pattern::read(pattern, base, &mut self.ops)?;
        self.all.push((self.ops.len(), needs));
        Ok(self.all.len() - 1)
    }

    pub(super) fn ops(&self, number: usize) -> &[Op] {
        let start = match number {
            0 => 0,
            _ => self.all[number - 1].0,
        };
        &self.ops[start..self.all[number].0]
    }
}

pub(super) struct Column {
    /// Pattern and store of each.
    pub(super) locals: Vec<(usize, usize)>,
    /// Empty where there is but one pattern.
    pub(super) refs: Vec<u32>,
    pub(super) next: usize,
}

const NO_STORE: usize = usize::MAX;

pub(super) struct Store {
    pub(super) pattern: usize,
    pub(super) rows: usize,
    /// Its texts stand around messages.
    pub(super) around: bool,
    /// The time of day in it, where it is not told number by number.
    pub(super) clock: Option<(Clock, Told)>,
    /// Where its values and its hexadecimal bytes begin.
    pub(super) values: usize,
    pub(super) wide: usize,
    pub(super) next: usize,
}

pub(super) struct Group {
    pub(super) plan: Option<Plan>,
    pub(super) rows: usize,
    pub(super) around: usize,
    pub(super) heads: usize,
    pub(super) slots: usize,
    pub(super) values: usize,
    pub(super) first_column: usize,
}

pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    pub(super) of_kind: Vec<usize>,
}

pub(super) struct Body<'a> {
    pub(super) source: Source<'a>,
    pub(super) intros: Reader<'a>,
    pub(super) patterns: Patterns<'a>,
    pub(super) columns: Vec<Column>,
    pub(super) stores: Vec<Store>,
    /// By pattern: the store of its values around messages.
    pub(super) around: Vec<usize>,
}

impl Body<'_> {
    pub(super) fn told(&mut self, events: usize) -> Result<Vec<(usize, usize, usize)>, Damaged> {
        let count = self.intros.count(events.min(self.intros.left()))?;
        let mut told = Vec::with_capacity(count);
        let mut last = 0;
        for _ in 0..count {
            last += self.intros.count(events)?;
            let start = self.intros.count(MAX_UNPACKED)?;
            let len = self.intros.count(MAX_UNPACKED)?;
            told.push((last, start, len));
        }
        Ok(told)
    }

    /// The groups in the order in which the kinds name them.
    pub(super) fn groups(
        &self,
        labels: &Labels,
        names: &dyn Names,
        block: &Opened<'_>,
        hash: &[u8],
    ) -> Result<Groups, Damaged> {
        let mut groups = Groups {
            all: Vec::new(),
            of_kind: Vec::with_capacity(labels.kinds.len()),
        };
        let mut known: HashMap<GroupKey, usize> = HashMap::new();
        let mut ids = Xxh3::new();
        let mut columns = 0;
        for kind in &labels.kinds {
            let next = groups.all.len();
            let number = *known.entry(kind.group()).or_insert(next);
            groups.of_kind.push(number);
            if number < next {
                continue;
            }
            let plan = match super::opened::number(kind.template).filter(|_| kind.has(kinds::FITS))
            {
                None => None,
                Some(number) => {
                    let text = names.template(number).ok_or(UNKNOWN_TEMPLATE)?;
                    let plan = Plan::new(&text);
                    ids.update(&plan.id().to_le_bytes());
                    Some(plan)
                }
            };
            let around = usize::from(kind.heads) + usize::from(kind.tails);
            let values = plan.as_ref().map_or(1, Plan::slots);
            let slots = around + values + usize::from(kind.has(kinds::OWN_LOGGER));
            groups.all.push(Group {
                plan,
                rows: 0,
                around,
                heads: usize::from(kind.heads),
                slots,
                values,
                first_column: columns,
            });
            columns += slots;
        }
        if hash != (ids.digest() as u32).to_le_bytes() {
            return Err(Damaged {
                what: "its templates have other texts now",
                at: 0,
            });
        }
        for kind in &labels.column {
            groups.all[groups.of_kind[*kind as usize]].rows += 1;
        }
        // Pieces around a message hold a byte at least, and so do the words between two values.
        let places = groups
            .all
            .iter()
            .try_fold(0_usize, |sum, group| {
                sum.checked_add(group.rows.checked_mul(group.slots)?)
            })
            .unwrap_or(usize::MAX);
        if places > block.written.saturating_add(block.events.saturating_mul(3)) {
            return Err(Damaged {
                what: "more pieces than its text can have",
                at: 0,
            });
        }
        Ok(groups)
    }

    pub(super) fn columns_of(&mut self, groups: &Groups) -> Result<(), Damaged> {
        for group in &groups.all {
            for slot in 0..group.slots {
                self.column(group.rows, slot < group.around)?;
            }
        }
        Ok(())
    }

    fn column(&mut self, rows: usize, around: bool) -> Result<(), Damaged> {
        let count = self.intros.count(rows.min(self.intros.left()))?;
        if count == 0 && rows > 0 {
            return Err(self.intros.damaged("a place with no pattern"));
        }
        let mut column = Column {
            locals: Vec::with_capacity(count),
            refs: Vec::new(),
            next: 0,
        };
        for _ in 0..count {
            let known = self.intros.count(self.patterns.all.len())?;
            let pattern = match known.checked_sub(1) {
                Some(pattern) => pattern,
                None => self.patterns.next()?,
            };
            let store = self.store(pattern, around);
            column.locals.push((pattern, store));
        }
        if count == 1 {
            self.add_rows(column.locals[0].1, rows);
        } else if count > 1 {
            column.refs.reserve(rows.min(self.source.index.left()));
            let mut known = 0;
            for _ in 0..rows {
                let local = match self.source.index.byte()? {
                    0 => {
                        known += 1;
                        known - 1
                    }
                    255 => 254 + self.source.index.count(count)?,
                    code => usize::from(code) - 1,
                };
                let Some((_, store)) = column.locals.get(local) else {
                    return Err(self.source.index.damaged("a pattern that is not there"));
                };
                let store = *store;
                self.add_rows(store, 1);
                column.refs.push(local as u32);
            }
        }
        self.columns.push(column);
        Ok(())
    }

    fn store(&mut self, pattern: usize, around: bool) -> usize {
        let needs = &self.patterns.all[pattern].1;
        if needs.widths.is_empty() && needs.wide == 0 {
            return NO_STORE;
        }
        if around {
            self.around.resize(self.patterns.all.len(), NO_STORE);
            if self.around[pattern] != NO_STORE {
                return self.around[pattern];
            }
            self.around[pattern] = self.stores.len();
        }
        self.stores.push(Store {
            pattern,
            rows: 0,
            around,
            clock: None,
            values: 0,
            wide: 0,
            next: 0,
        });
        self.stores.len() - 1
    }

    fn add_rows(&mut self, store: usize, rows: usize) {
        if let Some(store) = self.stores.get_mut(store) {
            store.rows += rows;
        }
    }

    /// Every value is at least a byte of text: no more values are read than the text has bytes.
    pub(super) fn check(&self, block: &Opened<'_>) -> Result<(), Damaged> {
        let bytes = self.stores.iter().try_fold(0_usize, |sum, store| {
            let needs = &self.patterns.all[store.pattern].1;
            sum.checked_add(store.rows.checked_mul(needs.len)?)
        });
        if bytes.is_some_and(|bytes| bytes <= block.written) {
            Ok(())
        } else {
            Err(Damaged {
                what: "more values than its text can have",
                at: 0,
            })
        }
    }

    /// All decimal values, field after field of store after store.
    pub(super) fn values(&mut self, digits: &[u8]) -> Result<Vec<u64>, Damaged> {
        let mut values = Vec::new();
        let mut digits = Reader::new(digits);
        let mut wide = 0;
        for store in &mut self.stores {
            let needs = &self.patterns.all[store.pattern].1;
            store.values = values.len();
            store.wide = wide;
            wide += store.rows * needs.wide;
            if store.rows == 0 || needs.widths.is_empty() {
                continue;
            }
            if let Some(clock) = needs.clock.filter(|_| store.around) {
                let params = &mut self.source.params;
                let told = Told::of(params.byte()?);
                let told = told.ok_or(params.damaged("a time told in an unknown way"))?;
                store.clock = Some((clock, told)).filter(|_| told != Told::Apart);
            }
            let mut skip = 0;
            for (at, width) in needs.widths.iter().enumerate() {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if let Some((clock, _)) = store.clock
                    && clock.field == at
                {
                    values.extend(self.source.take(store.rows)?);
                    skip = clock.fields() - 1;
                    continue;
                }
                if store.rows >= TINY {
                    values.extend(self.source.take(store.rows)?);
                    continue;
                }
                for _ in 0..store.rows {
                    let text = digits.take(usize::from(*width))?;
                    let value = text.iter().fold(0_u64, |value, digit| {
                        let digit = u64::from(digit.wrapping_sub(b'0'));
                        value.wrapping_mul(10).wrapping_add(digit)
                    });
                    values.push(value);
                }
            }
        }
        digits.finish()?;
        Ok(values)
    }

    /// Everything has been read.
    pub(super) fn finish(&self, wide: &[u8]) -> Result<(), Damaged> {
        let held: usize = self
            .stores
            .iter()
            .map(|store| store.rows * self.patterns.all[store.pattern].1.wide)
            .sum();
        if held != wide.len() {
            return Err(Damaged {
                what: "not the bytes that its hexadecimal values take",
                at: 0,
            });
        }
        self.intros.finish()?;
        self.patterns.table.finish()?;
        self.source.finish()
    }
}

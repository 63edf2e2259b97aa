//! The parts of a block behind its labels, as an encoder fills them.

use super::TINY;
use super::clock::{Clock, Told};
use super::columns::{Columns, NO_STORE, Store};
use super::numbers::Sink;
use super::pattern::{self, END};
use super::wire::put;

/// The parts, as they grow.
#[derive(Default)]
pub(super) struct Body {
    /// Modes and parameters; indexes; bits.
    pub(super) sink: Sink,
    /// Which patterns the columns hold.
    pub(super) intros: Vec<u8>,
    /// The patterns themselves.
    pub(super) patterns: Vec<u8>,
    /// Values of stores with few rows, as digits.
    pub(super) digits: Vec<u8>,
    /// Hexadecimal values.
    pub(super) wide: Vec<u8>,
    /// The pattern's number in this block, by its number in the encoder, plus one.
    pub(super) numbers: Vec<u32>,
    pub(super) count: u32,
    /// The stores in the order in which the decoder meets them: store, pattern.
    pub(super) stores: Vec<(u32, u32)>,
    pub(super) met: Vec<bool>,
}

impl Body {
    pub(super) fn told(&mut self, told: &[(u64, u64, u64)]) {
        put(&mut self.intros, told.len() as u64);
        let mut last = 0;
        for (event, start, len) in told {
            put(&mut self.intros, event - last);
            put(&mut self.intros, *start);
            put(&mut self.intros, *len);
            last = *event;
        }
    }

    /// Writes which patterns stand in a column, and where.
    pub(super) fn column(&mut self, columns: &mut Columns, at: usize) {
        let column = std::mem::take(&mut columns.columns[at]);
        self.numbers.resize(columns.patterns.len(), 0);
        self.met.resize(columns.stores.len(), false);
        put(&mut self.intros, column.patterns.len() as u64);
        for (pattern, store) in column.patterns.iter().zip(&column.stores) {
            let number = &mut self.numbers[*pattern as usize];
            if *number == 0 {
                self.count += 1;
                *number = self.count;
                self.intros.push(0);
                self.patterns
                    .extend_from_slice(columns.patterns.get(*pattern));
                self.patterns.push(END);
            } else {
                put(&mut self.intros, u64::from(*number));
            }
            if *store != NO_STORE && !std::mem::replace(&mut self.met[*store as usize], true) {
                self.stores.push((*store, *pattern));
            }
        }
        if column.patterns.len() <= 1 {
            return;
        }
        // Patterns are numbered as they come, so that a new one needs no number: 0.
        let index = &mut self.sink.index;
        let mut known = 0;
        for local in &column.refs {
            if *local == known {
                known += 1;
                index.push(0);
                continue;
            }
            let code = local + 1;
            if code >= 255 {
                index.push(255);
                put(index, u64::from(code - 255));
                continue;
            }
            index.push(code as u8);
        }
    }

    /// Writes the values of one pattern. `times` are the events' times.
    pub(super) fn store(
        &mut self,
        columns: &mut Columns,
        (store, pattern): (u32, u32),
        times: &[Option<u64>],
    ) {
        let store = std::mem::take(&mut columns.stores[store as usize]);
        self.wide.extend_from_slice(&store.wide);
        if store.numbers.is_empty() {
            return;
        }
        let mut steps = Vec::new();
        let Ok(needs) = pattern::read(columns.patterns.get(pattern), 0, &mut steps) else {
            return;
        };
        let stride = needs.widths.len();
        let field = |at: usize| {
            let values = store.numbers.iter().skip(at).step_by(stride);
            values.copied().collect::<Vec<u64>>()
        };
        let clock = needs.clock.filter(|_| !store.events.is_empty());
        let told = clock.map(|clock| (clock, self.clock(clock, &store, stride, times)));
        if let Some((_, (told, _))) = &told {
            self.sink.params.push(*told as u8);
        }
        let mut at = 0;
        while at < stride {
            if let Some((clock, (_, Some(column)))) = &told
                && clock.field == at
            {
                self.sink.put(column);
                at += clock.fields();
                continue;
            }
            let field = field(at);
            if field.len() < TINY {
                for value in &field {
                    pattern::put_digits(*value, needs.widths[at], &mut self.digits);
                }
            } else {
                self.sink.put(&field);
            }
            at += 1;
        }
    }

    /// The shortest way to write the times of day of a store, and the column for it.
    fn clock(
        &mut self,
        clock: Clock,
        store: &Store,
        stride: usize,
        times: &[Option<u64>],
    ) -> (Told, Option<Vec<u64>>) {
        let fields = clock.field..clock.field + clock.fields();
        let whole = store.numbers.chunks(stride);
        let whole: Option<Vec<u64>> = whole.map(|row| clock.read(&row[fields.clone()])).collect();
        let Some(whole) = whole else {
            return (Told::Apart, None);
        };
        let apart: usize = fields
            .map(|at| {
                let values = store.numbers.iter().skip(at).step_by(stride);
                let values: Vec<u64> = values.copied().collect();
                if values.len() < TINY {
                    7 * values.len()
                } else {
                    self.sink.cost(&values)
                }
            })
            .sum();
        let nanos = store
            .events
            .iter()
            .map(|event| times.get(*event as usize).copied().flatten());
        let distance: Option<Vec<u64>> = nanos
            .zip(&whole)
            .map(|(nanos, time)| Some(clock.distance(*time, nanos?)))
            .collect();
        let by_distance = distance
            .as_ref()
            .map_or(usize::MAX, |distance| self.sink.cost(distance));
        let by_whole = self.sink.cost(&whole);
        if by_distance < apart && by_distance <= by_whole {
            (Told::Distance, distance)
        } else if by_whole < apart {
            (Told::Whole, Some(whole))
        } else {
            (Told::Apart, None)
        }
    }
}

//! Texts whose category is known, and where they lie: the nearest ones vote, and are shown as the reason.

use std::path::Path;

use super::judgement::Vector;
use super::model::ModelError;

/// What people teach beyond this replaces what they taught first.
const MOST_TAUGHT: usize = 10_000;

/// The examples of one judge.
#[derive(Debug, Default)]
pub(super) struct Examples {
    rows: Vec<Example>,
    /// Rows from here on were taught.
    made: usize,
    /// The next taught row that is replaced once there are [`MOST_TAUGHT`].
    oldest: usize,
    width: usize,
    /// `width` signed bytes for each row, to be multiplied by its scale.
    codes: Vec<i8>,
}

#[derive(Debug)]
pub(super) struct Example {
    /// The index of its category.
    pub(super) label: usize,
    pub(super) text: String,
    scale: f32,
}

impl Examples {
    /// Reads `examples.tsv` (category, text) and `examples.bin` (a little-endian float as scale, then the bytes).
    pub(super) fn read(directory: &Path, labels: &[String]) -> Result<Self, ModelError> {
        let path = directory.join("examples.tsv");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ModelError::unreadable(&path, &error))?;
        let unusable =
            |problem: String| ModelError::new(&path, problem, "make the model anew (make model)");
        let mut rows = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let known = line.split_once('\t').and_then(|(category, text)| {
                let label = labels.iter().position(|label| label == category)?;
                Some(Example {
                    label,
                    text: text.to_owned(),
                    scale: 0.0,
                })
            });
            rows.push(
                known.ok_or_else(|| unusable(format!("line {number} is no category and text")))?,
            );
        }
        let file = directory.join("examples.bin");
        let bytes = std::fs::read(&file).map_err(|error| ModelError::unreadable(&file, &error))?;
        let stride = bytes.len() / rows.len().max(1);
        if rows.is_empty() || stride <= 4 || stride * rows.len() != bytes.len() {
            return Err(unusable(format!(
                "has {} lines, which examples.bin with {} bytes does not fit",
                rows.len(),
                bytes.len()
            )));
        }
        let mut codes = Vec::with_capacity(rows.len() * (stride - 4));
        for (row, bytes) in rows.iter_mut().zip(bytes.chunks_exact(stride)) {
            let (scale, vector) = bytes.split_at(4);
            row.scale = f32::from_le_bytes(scale.try_into().unwrap_or_default());
            codes.extend(vector.iter().map(|byte| byte.cast_signed()));
        }
        Ok(Self {
            made: rows.len(),
            rows,
            oldest: 0,
            width: stride - 4,
            codes,
        })
    }

    /// Examples that lie where `places` say; a text without a place is left out.
    pub(super) fn of(texts: Vec<(usize, String)>, places: &[Vec<f32>]) -> Self {
        let mut examples = Self {
            width: places.first().map_or(0, Vec::len),
            ..Self::default()
        };
        for ((label, text), place) in texts.into_iter().zip(places) {
            examples.push(label, text, place);
        }
        examples.made = examples.rows.len();
        examples
    }

    /// Adds a taught example. One with the same text gives way to it.
    pub(super) fn teach(&mut self, label: usize, text: &str, place: &[f32]) {
        if let Some(known) = self.rows.iter_mut().find(|row| row.text == text) {
            known.label = label;
            return;
        }
        if self.rows.len() - self.made < MOST_TAUGHT {
            self.push(label, text.to_owned(), place);
            return;
        }
        let row = self.made + self.oldest % MOST_TAUGHT;
        self.oldest += 1;
        let vector = Vector::of(place);
        let at = row * self.width;
        if let Some(codes) = self.codes.get_mut(at..at + self.width)
            && vector.codes.len() == codes.len()
        {
            codes.copy_from_slice(&vector.codes);
            self.rows[row] = Example {
                label,
                text: text.to_owned(),
                scale: vector.scale,
            };
        }
    }

    fn push(&mut self, label: usize, text: String, place: &[f32]) {
        let vector = Vector::of(place);
        if self.rows.is_empty() {
            self.width = vector.codes.len();
        }
        if self.width == 0 || vector.codes.len() != self.width {
            return;
        }
        self.codes.extend_from_slice(&vector.codes);
        self.rows.push(Example {
            label,
            text,
            scale: vector.scale,
        });
    }

    /// The row with this index.
    pub(super) fn get(&self, index: usize) -> Option<&Example> {
        self.rows.get(index)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The `k` rows that are most alike, the best first: similarity and row.
    pub(super) fn nearest(&self, features: &[f32], k: usize) -> Vec<(f32, usize)> {
        if self.rows.is_empty() || features.len() != self.width {
            return Vec::new();
        }
        let (codes, step) = coded(features);
        let mut all: Vec<(f32, usize)> = self
            .codes
            .chunks_exact(self.width)
            .zip(self.rows.iter().zip(0..))
            .map(|(row_codes, (row, index))| (dot(row_codes, &codes) * row.scale * step, index))
            .collect();
        let k = k.clamp(1, all.len());
        all.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
        all.truncate(k);
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all
    }
}

/// `features` as whole numbers of 15 bits and what one of them stands for: sums of whole numbers may be taken in any order, so
/// that the processor does many at once.
fn coded(features: &[f32]) -> (Vec<i16>, f32) {
    let most = features.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    if most <= 0.0 || !most.is_finite() {
        return (vec![0; features.len()], 0.0);
    }
    let step = most / 16_383.0;
    #[allow(clippy::cast_possible_truncation)] // At most 16,383.
    let codes = features.iter().map(|x| (x / step).round() as i16).collect();
    (codes, step)
}

/// The sum of the products. 1,000 of 127 x 16,383 fit in an `i32`; wider rows are added up in parts.
fn dot(a: &[i8], b: &[i16]) -> f32 {
    let parts = a.chunks(512).zip(b.chunks(512));
    #[allow(clippy::cast_precision_loss)] // 24 bits are more than the codes have.
    let sums = parts.map(|(a, b)| {
        let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
        products.sum::<i32>() as f32
    });
    sums.sum()
}

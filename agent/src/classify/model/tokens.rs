//! Texts as the numbers that a model reads.

use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use super::{Config, ModelError};

/// Characters of a text that are looked at; a token has at least one, and what lies beyond the model's length is cut anyway.
const MAX_CHARACTERS_PER_TOKEN: usize = 16;

/// A tokenizer with the model's bounds.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    padding: u32,
    max_characters: usize,
}

impl Tokens {
    pub(super) fn read(path: &Path, config: &Config) -> Result<Self, ModelError> {
        let unusable = |error: tokenizers::Error| {
            ModelError::new(
                path,
                format!("is no tokenizer that can be used: {error}"),
                "take the tokenizer.json that belongs to the model",
            )
        };
        if let Err(error) = std::fs::metadata(path) {
            return Err(ModelError::unreadable(path, &error));
        }
        let mut tokenizer = Tokenizer::from_file(path).map_err(unusable)?;
        tokenizer.with_padding(None);
        let bound = TruncationParams {
            max_length: config.max_tokens,
            ..TruncationParams::default()
        };
        tokenizer.with_truncation(Some(bound)).map_err(unusable)?;
        let size = tokenizer.get_vocab_size(true);
        if let Some(wanted) = config.vocabulary.filter(|wanted| *wanted < size) {
            return Err(ModelError::new(
                path,
                format!("has {size} tokens and config.json says that the model knows {wanted}"),
                "take the tokenizer.json that belongs to the model",
            ));
        }
        let padding = ["[PAD]", "<pad>"]
            .iter()
            .find_map(|name| tokenizer.token_to_id(name));
        Ok(Self {
            tokenizer,
            padding: padding.unwrap_or(0),
            max_characters: config.max_tokens.saturating_mul(MAX_CHARACTERS_PER_TOKEN),
        })
    }

    /// The number that fills up a row; what it is does not matter, because the mask hides it.
    pub(super) fn padding(&self) -> u32 {
        self.padding
    }

    /// The tokens of each text, cut at the model's length.
    pub(super) fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, ModelError> {
        let cut = |text: &&str| match text.char_indices().nth(self.max_characters) {
            Some((end, _)) => text[..end].to_owned(),
            None => (*text).to_owned(),
        };
        texts
            .iter()
            .map(|text| {
                let encoding = self.tokenizer.encode(cut(text), true).map_err(|error| {
                    ModelError::output(format!("a text cannot be tokenised: {error}"))
                })?;
                Ok(encoding.get_ids().to_vec())
            })
            .collect()
    }
}

/// Texts of one run through the model.
pub(super) struct Batch {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) ids: Vec<i64>,
    pub(super) mask: Vec<i64>,
}

impl Batch {
    /// Rows of different lengths, filled up to the longest.
    pub(super) fn of(rows: &[&[u32]], padding: u32) -> Self {
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(1);
        let mut ids = Vec::with_capacity(rows.len() * columns);
        let mut mask = Vec::with_capacity(rows.len() * columns);
        for row in rows {
            ids.extend(row.iter().map(|id| i64::from(*id)));
            ids.resize(ids.len() + columns - row.len(), i64::from(padding));
            mask.resize(mask.len() + row.len(), 1);
            mask.resize(mask.len() + columns - row.len(), 0);
        }
        Self {
            rows: rows.len(),
            columns,
            ids,
            mask,
        }
    }
}

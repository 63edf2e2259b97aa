//! The names behind the numbers in a verdict.

use logline::rules::RuleSet;

/// The name printed where there is no category.
pub const UNCLASSIFIED: &str = "unclassified";

/// Names of one loaded pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Category names in the order of the taxonomy.
    pub categories: Vec<String>,
    /// Rule names by index.
    pub rules: Vec<String>,
}

impl Labels {
    /// The names that decisions of `rules` speak of.
    #[must_use]
    pub fn of(rules: &RuleSet) -> Self {
        Self {
            categories: rules
                .categories()
                .iter()
                .map(|category| category.id.clone())
                .collect(),
            rules: (0..rules.len())
                .map(|index| rules.rule_id(index).to_owned())
                .collect(),
        }
    }

    /// The same with further categories behind.
    #[must_use]
    pub fn with(mut self, extra: &[String]) -> Self {
        for category in extra {
            if !self.categories.contains(category) {
                self.categories.push(category.clone());
            }
        }
        self
    }

    /// The name of a category.
    #[must_use]
    pub fn category(&self, index: Option<u16>) -> &str {
        index
            .and_then(|index| self.categories.get(usize::from(index)))
            .map_or(UNCLASSIFIED, String::as_str)
    }

    /// The name of a rule.
    #[must_use]
    pub fn rule(&self, index: u32) -> &str {
        self.rules.get(index as usize).map_or("", String::as_str)
    }
}

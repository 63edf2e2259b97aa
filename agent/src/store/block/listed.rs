//! Numbers for blocks that belong to no store.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Names, Numbers};
use crate::flow::{Labels, TemplateText};

/// Numbers in the order in which the texts come.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    numbers: HashMap<u64, u32>,
    /// The templates, by number.
    pub templates: Vec<Arc<TemplateText>>,
    labels: Labels,
}

impl Listed {
    /// The names of categories and rules, for a batch that a block is decoded into.
    #[must_use]
    pub fn labels(&self) -> Arc<Labels> {
        Arc::new(self.labels.clone())
    }
}

impl Numbers for Listed {
    fn template(&mut self, text: &Arc<TemplateText>) -> u32 {
        *self.numbers.entry(text.id.0).or_insert_with(|| {
            self.templates.push(Arc::clone(text));
            self.templates.len() as u32 - 1
        })
    }

    fn category(&mut self, name: &str) -> u16 {
        number(&mut self.labels.categories, name) as u16
    }

    fn rule(&mut self, name: &str) -> u32 {
        number(&mut self.labels.rules, name) as u32
    }
}

impl Names for Listed {
    fn template(&self, number: u32) -> Option<Arc<TemplateText>> {
        self.templates.get(number as usize).cloned()
    }
}

fn number(names: &mut Vec<String>, name: &str) -> usize {
    let known = names.iter().position(|known| known == name);
    known.unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

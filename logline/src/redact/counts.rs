//! How often each detector found something.

use super::{Detector, Finding, Redactor};

/// Counters of findings, per detector and per pattern of the user's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    all: [u64; Detector::COUNT],
    own: Vec<u64>,
}

impl Counts {
    /// How often `detector` found something; for [`Detector::Own`] all own patterns together.
    #[must_use]
    pub fn of(&self, detector: Detector) -> u64 {
        self.all[detector as usize]
    }

    /// How often the own pattern with this index, in the order of the options, found something.
    #[must_use]
    pub fn of_own(&self, index: usize) -> u64 {
        self.own.get(index).copied().unwrap_or(0)
    }

    /// All findings.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.all.iter().sum()
    }

    /// Counts one finding.
    pub(super) fn add(&mut self, finding: &Finding, redactor: &Redactor) {
        self.all[finding.detector as usize] += 1;
        if finding.detector == Detector::Own {
            if self.own.len() < redactor.own_names().len() {
                self.own.resize(redactor.own_names().len(), 0);
            }
            if let Some(count) = self.own.get_mut(usize::from(finding.own)) {
                *count += 1;
            }
        }
    }
}

//! Secrets are masked before any byte leaves: in the lines, and in everything that is a piece of them.

use std::sync::Arc;

use logline::redact::{Detector, Finding, RedactError, Redactor};
use logline::template::TemplateId;

use super::encode::Outgoing;
use super::identity::ByNumber;
use crate::config::sinks::Redact;
use crate::flow::{Batch, Labelled, TemplateText};

/// So many templates are remembered with what they look like; then it begins anew.
const MAX_TEMPLATES: usize = 50_000;

/// Masks one event after another.
#[derive(Default)]
pub(crate) struct Mask {
    redactor: Option<Redactor>,
    findings: Vec<Finding>,
    text: Vec<u8>,
    message: Vec<u8>,
    logger: Vec<u8>,
    /// Templates that were looked at; none: there is nothing to mask.
    templates: ByNumber<TemplateId, Option<Arc<TemplateText>>>,
    template: Option<Arc<TemplateText>>,
    /// Findings by detector, then by own pattern.
    counts: Vec<u64>,
}

impl Mask {
    /// Masks as the configuration says.
    ///
    /// # Errors
    /// Where a pattern of the user's own cannot be used.
    pub(crate) fn new(settings: &Redact) -> Result<Self, RedactError> {
        let redactor = match settings {
            Redact::Off => None,
            Redact::On(options) => Some(Redactor::new(options)?),
        };
        let own = redactor.as_ref().map_or(0, |it| it.own_names().len());
        Ok(Self {
            redactor,
            counts: vec![0; Detector::COUNT + own],
            ..Self::default()
        })
    }

    /// `event` as it goes out.
    pub(crate) fn apply<'a>(&'a mut self, batch: &'a Batch, event: &'a Labelled) -> Outgoing<'a> {
        self.mask(batch, event, true)
    }

    /// The same for an event whose secrets were counted before.
    pub(super) fn again<'a>(&'a mut self, batch: &'a Batch, event: &'a Labelled) -> Outgoing<'a> {
        self.mask(batch, event, false)
    }

    fn mask<'a>(&'a mut self, batch: &'a Batch, event: &'a Labelled, count: bool) -> Outgoing<'a> {
        let mut outgoing = Outgoing::plain(batch, event);
        let Some(redactor) = &self.redactor else {
            return outgoing;
        };
        if let Some(template) = &event.template_text {
            self.template = masked_template(redactor, &mut self.templates, template);
            if let Some(masked) = &self.template {
                outgoing.template = Some(masked);
            }
        }
        let findings = &mut self.findings;
        let mut counts = count.then_some(&mut self.counts);
        // What is no piece of the lines (a value that was decoded) is looked at by itself.
        if outgoing.message_at.is_none() {
            redactor.find(outgoing.message, findings);
            if !findings.is_empty() {
                rewrite(redactor, outgoing.message, findings, &mut self.message);
                add(&mut counts, findings);
                outgoing.message = &self.message;
            }
        }
        let logger_at = event.logger.offset_in(event.text);
        if logger_at.is_none() && !outgoing.logger.is_empty() {
            redactor.find(outgoing.logger, findings);
            if !findings.is_empty() {
                rewrite(redactor, outgoing.logger, findings, &mut self.logger);
                outgoing.logger = &self.logger;
            }
        }
        redactor.find(outgoing.text, findings);
        if findings.is_empty() {
            return outgoing;
        }
        add(&mut counts, findings);
        rewrite(redactor, outgoing.text, findings, &mut self.text);
        let piece = |at: usize, len: usize| {
            let start = moved(redactor, findings, at, false);
            let end = moved(redactor, findings, at + len, true).max(start);
            (start, end)
        };
        let text = self.text.as_slice();
        if let Some(at) = outgoing.message_at {
            let (start, end) = piece(at, outgoing.message.len());
            outgoing.message = text.get(start..end).unwrap_or_default();
            outgoing.message_at = Some(start);
        }
        if let Some(at) = logger_at.filter(|_| !outgoing.logger.is_empty()) {
            let (start, end) = piece(at, outgoing.logger.len());
            outgoing.logger = text.get(start..end).unwrap_or_default();
        }
        outgoing.text = text;
        outgoing
    }

    /// A template as it goes out.
    pub(super) fn template(&mut self, template: &Arc<TemplateText>) -> Arc<TemplateText> {
        self.redactor
            .as_ref()
            .and_then(|redactor| masked_template(redactor, &mut self.templates, template))
            .unwrap_or_else(|| Arc::clone(template))
    }

    /// Tells what was masked since the last time: the detector's or the pattern's name, and how often.
    pub(super) fn drain_counts(&mut self, mut tell: impl FnMut(&str, u64)) {
        let own = self.redactor.as_ref().map_or(&[][..], Redactor::own_names);
        let names = Detector::ALL
            .iter()
            .map(|detector| detector.as_str())
            .chain(own.iter().map(String::as_str));
        for (name, count) in names.zip(&mut self.counts) {
            if *count > 0 {
                tell(name, *count);
                *count = 0;
            }
        }
    }
}

fn add(counts: &mut Option<&mut Vec<u64>>, findings: &[Finding]) {
    let Some(counts) = counts else {
        return;
    };
    for finding in findings {
        let index = match finding.detector {
            Detector::Own => Detector::COUNT + usize::from(finding.own),
            detector => detector as usize,
        };
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }
}

fn masked_template(
    redactor: &Redactor,
    known: &mut ByNumber<TemplateId, Option<Arc<TemplateText>>>,
    template: &TemplateText,
) -> Option<Arc<TemplateText>> {
    match known.get(&template.id) {
        Some(Some(masked)) if masked.judged != template.judged => {
            let (text, judged) = (masked.text.clone(), template.judged.clone());
            let masked = Arc::new(TemplateText::of(template.id, text, judged));
            known.insert(template.id, Some(Arc::clone(&masked)));
            return Some(masked);
        }
        Some(known) => return known.clone(),
        None => {}
    }
    if known.len() >= MAX_TEMPLATES {
        known.clear();
    }
    let mut findings = Vec::new();
    redactor.find(template.text.as_bytes(), &mut findings);
    let masked = (!findings.is_empty()).then(|| {
        let mut text = Vec::new();
        rewrite(redactor, template.text.as_bytes(), &findings, &mut text);
        Arc::new(TemplateText::of(
            template.id,
            String::from_utf8_lossy(&text).into_owned(),
            template.judged.clone(),
        ))
    });
    known.insert(template.id, masked.clone());
    masked
}

/// How long the replacement of a finding is: `[redacted:NAME]`.
fn replaced_len(redactor: &Redactor, finding: &Finding) -> usize {
    OPEN.len() + redactor.name(finding).len() + 1
}

const OPEN: &[u8] = b"[redacted:";

/// Writes `text` to `out` (which is emptied) with every finding replaced.
fn rewrite(redactor: &Redactor, text: &[u8], findings: &[Finding], out: &mut Vec<u8>) {
    out.clear();
    let mut at = 0;
    for finding in findings {
        out.extend_from_slice(text.get(at..finding.start).unwrap_or_default());
        out.extend_from_slice(OPEN);
        out.extend_from_slice(redactor.name(finding).as_bytes());
        out.push(b']');
        at = finding.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
}

/// Where a position of the text is after the rewriting. One inside a finding goes to the replacement's end where it ends
/// something, else to its beginning: no piece holds half a replacement.
fn moved(redactor: &Redactor, findings: &[Finding], at: usize, is_end: bool) -> usize {
    let (mut old, mut new) = (0, 0);
    for finding in findings {
        if finding.start >= at {
            break;
        }
        new += finding.start - old;
        let replaced = replaced_len(redactor, finding);
        if at < finding.end {
            return if is_end { new + replaced } else { new };
        }
        new += replaced;
        old = finding.end;
    }
    new + (at - old)
}

#[cfg(test)]
mod tests {
    use logline::redact::RedactOptions;

    use super::*;

    fn finding(start: usize, end: usize) -> Finding {
        Finding {
            start,
            end,
            detector: Detector::Jwt,
            own: 0,
        }
    }

    #[test]
    fn every_piece_of_the_text_is_found_again_and_none_holds_half_a_replacement() {
        let redactor = Redactor::new(&RedactOptions::default()).expect("sound");
        let text = b"0123456789abcdefghij";
        let findings = [
            finding(0, 2),
            finding(5, 9),
            finding(9, 10),
            finding(18, 20),
        ];
        let mut out = Vec::new();
        rewrite(&redactor, text, &findings, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "[redacted:jwt]234[redacted:jwt][redacted:jwt]abcdefgh[redacted:jwt]"
        );
        for start in 0..=text.len() {
            for end in start..=text.len() {
                let from = moved(&redactor, &findings, start, false);
                let to = moved(&redactor, &findings, end, true).max(from);
                let piece = String::from_utf8_lossy(&out[from..to]).into_owned();
                assert_eq!(
                    piece.matches('[').count(),
                    piece.matches(']').count(),
                    "{piece}"
                );
                let plain = piece.replace("[redacted:jwt]", "");
                let inside = |at: usize| findings.iter().any(|f| (f.start..f.end).contains(&at));
                let kept: String = (start..end)
                    .filter(|at| !inside(*at))
                    .map(|at| char::from(text[at]))
                    .collect();
                assert_eq!(plain, kept, "{start}..{end}");
            }
        }
    }
}

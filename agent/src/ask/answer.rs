//! What is asked and what is answered, as it is printed.

use serde::Serialize;

use logline::time::Timestamp;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The question, in words.
    pub text: String,
    /// At most so many references; 0 is read as 1.
    pub k: usize,
    /// Only what this container, pod or file wrote: its name, its id or the beginning of its id.
    pub container: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// This moment, which `last 15 minutes` is counted back from.
    pub now: Option<Timestamp>,
    /// So many lines before and after the first line of the best reference are added to it.
    pub around: usize,
    /// The conversation that it goes on, as an answer named it.
    pub conversation_id: Option<String>,
}

/// An answer: computed facts and quoted lines. Serialises to what `ask --format json` prints.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Answer {
    /// The question as it was asked.
    pub question: String,
    /// In words, with `[n]` for the nth reference.
    pub answer: String,
    /// Whether anything was found.
    pub found: bool,
    /// What it rests on, the best first.
    pub references: Vec<Reference>,
    /// Where was looked.
    pub looked_at: LookedAt,
    /// Claims of a worded answer that nothing supported, as they were before they were taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// Who worded the answer; none: it is composed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worded_by: Option<String>,
    /// Names the conversation that it belongs to, for a question that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
}

/// Where was looked for an answer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LookedAt {
    /// Events that the question's time and container leave.
    pub events: u64,
    /// Their templates.
    pub templates: usize,
    /// Not before this time, where the question bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Before this time, where the question bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Looked up exactly in the lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What had to be assumed to read the question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
}

/// A template that answers, with its facts and some of its lines.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reference {
    /// Its number in the answer, from 1.
    pub id: usize,
    /// The template's id, in hexadecimal.
    pub template_id: String,
    /// The template.
    pub template: String,
    /// What most of its events are about.
    pub category: String,
    /// How bad most of its events are.
    pub level: &'static str,
    /// Its events among those that were looked at.
    pub count: u64,
    /// The time of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The time of the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Its events in the stretch of time of the same length before the one that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_before: Option<u64>,
    /// Who wrote them, most first.
    pub streams: Vec<StreamCount>,
    /// How well it fits, 1 for everything that was asked.
    pub relevance: f32,
    /// Some of its lines, exactly as they were written.
    pub lines: Vec<Line>,
    /// What the same stream wrote just before the first of the lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Line>,
    /// What the same stream wrote just after the first of the lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Line>,
    /// What other streams wrote at about the same time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Line>,
}

/// How many events a stream has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamCount {
    /// Who writes it: the container's or the pod's name, or the file's.
    pub name: String,
    /// Events.
    pub count: u64,
}

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The event's first line, exactly as it was written.
    pub text: String,
    /// The lines that belong to it (a stack trace), as they were written.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rest: String,
    /// Its time.
    pub timestamp: Option<String>,
    /// The same, in nanoseconds since 1970.
    #[serde(skip)]
    pub time: Option<i64>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Who wrote it.
    pub source: String,
    /// What it can be fetched by.
    pub event_id: String,
}

/// A time as it is printed.
pub(super) fn shown(nanos: i64) -> String {
    let mut text = Vec::with_capacity(30);
    Timestamp(nanos).write_rfc3339(&mut text);
    String::from_utf8(text).unwrap_or_default()
}

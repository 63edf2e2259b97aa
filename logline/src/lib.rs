//! What a log line says, and nothing else: no file, socket, clock, thread or async.
//!
//! The modules stand in the order in which the data flows through them:
//!
//! | module | enters | leaves |
//! |---|---|---|
//! | [`decode`] | one physical line as a container runtime wrote it | a [`Fragment`](event::Fragment): time, stream, text, whole or partial |
//! | [`assemble`] | fragments of one source | [`EventRef`](event::EventRef)s: pieces and stack traces joined |
//! | [`header`] | an event's text | a [`Header`](header::Header): time, level, logger, pid, message |
//! | [`level`] | a header and the text | a normalised [`Level`](level::Level) |
//! | [`template`] | a message | its template (stable id, masked text) and variables |
//! | [`rules`] | an event with its header | a verdict, or none |
//! | [`redact`] | a text | its secrets, and the text without them |
//! | [`sieve`] | an event's text | all of the above in one call, as the agent uses it |
//! | [`alone`] | one line | the same without any memory of other lines, as the plugins use it |
//! | [`escape`] | text, numbers | pieces of JSON |

pub mod alone;
pub mod assemble;
pub mod decode;
pub mod escape;
pub mod event;
pub mod header;
pub mod level;
pub mod redact;
pub mod rules;
pub mod sieve;
pub mod template;
pub mod time;

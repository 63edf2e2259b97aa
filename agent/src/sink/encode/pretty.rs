//! A line for people: time, level, category, who, what.

use anstyle::{AnsiColor, Style};
use logline::level::Level;
use std::io::Write as _;

use super::{Encode, Outgoing};
use crate::escape::escape_terminal;
use crate::source::Origin;

/// Writes events for people.
#[derive(Debug, Default)]
pub struct Pretty {
    /// With ANSI colours.
    pub colour: bool,
    /// The container or file that speaks stands in each line.
    pub origin: bool,
}

const INDENT: &str = "                                        ";

impl Encode for Pretty {
    fn encode(&mut self, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
        let (batch, event) = (outgoing.batch, outgoing.event);
        let dim = Style::new().dimmed();
        match event.timestamp {
            Some(timestamp) => {
                let mut time = Vec::with_capacity(32);
                timestamp.write_rfc3339(&mut time);
                // Of 2026-11-20T17:01:07.123456Z the time of day to the millisecond.
                let clock = time.get(11..).unwrap_or_default();
                let clock = clock.strip_suffix(b"Z").unwrap_or(clock);
                self.styled(dim, out, |out| {
                    let _ = write!(out, "{:<12.12}", String::from_utf8_lossy(clock));
                });
            }
            None => out.extend_from_slice(b"            "),
        }
        out.push(b' ');
        self.styled(level_style(event.level), out, |out| {
            let _ = write!(out, "{:<6}", event.level.as_str().to_ascii_uppercase());
        });
        out.push(b' ');
        let category = batch.labels.category(event.verdict.category);
        let style = if event.verdict.category.is_some() {
            category_style(category)
        } else {
            dim
        };
        self.styled(style, out, |out| {
            let _ = write!(out, "{category:<13} ");
        });
        if self.origin
            && let Some(stream) = batch.stream(event)
        {
            self.styled(dim, out, |out| {
                escape_terminal(short_name(&stream.origin).as_bytes(), None, out);
                out.extend_from_slice(b"  ");
            });
        }
        let logger = outgoing.logger;
        if !logger.is_empty() {
            self.styled(dim, out, |out| {
                escape_terminal(logger, None, out);
                out.extend_from_slice(b": ");
            });
        }
        escape_terminal(outgoing.message, Some(INDENT), out);
        if outgoing.sampled_count > 0 {
            let _ = write!(out, " [{} times more]", outgoing.sampled_count);
        }
        if event.cut_bytes > 0 {
            let _ = write!(out, " [{} bytes cut]", event.cut_bytes);
        }
        out.push(b'\n');
    }
}

impl Pretty {
    fn styled(&self, style: Style, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.colour {
            return write(out);
        }
        let _ = write!(out, "{}", style.render());
        write(out);
        let _ = write!(out, "{}", style.render_reset());
    }
}

fn short_name(origin: &Origin) -> &str {
    match (&origin.k8s, &origin.container) {
        (Some(k8s), _) => &k8s.pod,
        (None, Some(container)) => &container.name,
        (None, None) => origin.name.rsplit('/').next().unwrap_or(&origin.name),
    }
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Trace | Level::Debug => Style::new().dimmed(),
        Level::Info => AnsiColor::Green.on_default(),
        Level::Notice => AnsiColor::Cyan.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Error => AnsiColor::Red.on_default(),
        Level::Fatal => AnsiColor::BrightWhite.on(AnsiColor::Red).bold(),
    }
}

/// A steady colour for each category name, so that packs of one's own have colours too.
#[must_use]
pub fn category_style(name: &str) -> Style {
    const COLOURS: [AnsiColor; 6] = [
        AnsiColor::Blue,
        AnsiColor::Magenta,
        AnsiColor::Cyan,
        AnsiColor::BrightBlue,
        AnsiColor::BrightMagenta,
        AnsiColor::BrightCyan,
    ];
    match name {
        "crash" | "security" => AnsiColor::BrightRed.on_default().bold(),
        _ => {
            let sum: usize = name.bytes().map(usize::from).sum();
            COLOURS[sum % COLOURS.len()].on_default()
        }
    }
}

//! A stream made up on the spot, for a host that has nothing to read yet: the pack's own examples, again and again, with the time of now.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use logline::decode::Wrapper;
use logline::rules::Pack;

use super::{Disconnected, Kind, Message, Origin, Sender, SourceId, send};
use crate::shutdown::Shutdown;
use crate::telemetry::clock;

/// What the name of every one of its streams begins with.
pub const NAME: &str = "demo";

/// Its streams. Lines of one are further apart than an open event waits for a continuation, so that none is taken for one.
const STREAMS: [&str; 6] = ["web", "db", "auth", "jobs", "node", "queue"];
/// Lines shown at once, as if they had come before the start, so that the first screen is full.
const FIRST: u32 = 20;
/// Between two lines.
const PAUSE: Duration = Duration::from_millis(300);

/// Sends an example of `pack` every now and then on a thread of its own until a shutdown, or until the receiver is gone.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(pack: &Pack, sender: Sender, shutdown: Shutdown) -> io::Result<JoinHandle<()>> {
    let lines = lines(pack);
    std::thread::Builder::new()
        .name("source-demo".to_owned())
        .spawn(move || {
            // The receiver is gone: nobody watches any more.
            let _ = run(&lines, &sender, |pause| shutdown.wait_timeout(pause));
        })
}

/// The examples that are lines as they are printed, not templates.
fn lines(pack: &Pack) -> Vec<String> {
    let texts = pack.examples.iter().map(|example| &example.text);
    texts
        .filter(|text| !text.contains("<*>") && !text.starts_with(char::is_whitespace))
        .cloned()
        .collect()
}

/// `stop` waits for the time given and tells whether to stop.
fn run(
    lines: &[String],
    sender: &Sender,
    stop: impl Fn(Duration) -> bool,
) -> Result<(), Disconnected> {
    let mut streams = Vec::new();
    for name in STREAMS {
        let id = SourceId::next();
        let origin = Arc::new(Origin::plain(Kind::Demo, format!("{NAME}-{name}")));
        send(
            sender,
            Message::Opened {
                id,
                origin,
                wrapper: Wrapper::Cri,
                file: None,
                resumed: None,
                follows: None,
            },
        )?;
        streams.push((id, 0));
    }
    if lines.is_empty() {
        return Ok(());
    }
    // A step that shares no factor with the number of lines visits all of them in a mixed order.
    let step = (lines.len() * 5 / 13 + 1..)
        .find(|step| gcd(*step, lines.len()) == 1)
        .unwrap_or(1);
    for count in 0.. {
        let before_start = PAUSE * FIRST.saturating_sub(count);
        if before_start.is_zero() && stop(PAUSE) {
            break;
        }
        let at = count as usize;
        let bytes = wrap(&lines[at % lines.len() * step % lines.len()], before_start);
        let (id, offset) = &mut streams[at % STREAMS.len()];
        let message = Message::Bytes {
            id: *id,
            offset: *offset,
            bytes,
        };
        if let Message::Bytes { bytes, .. } = &message {
            *offset += bytes.len() as u64;
        }
        send(sender, message)?;
    }
    Ok(())
}

/// The line as a container runtime would have written it `ago`.
fn wrap(line: &str, ago: Duration) -> Vec<u8> {
    let mut bytes = Vec::new();
    clock::timestamp(SystemTime::now() - ago).write_rfc3339(&mut bytes);
    bytes.extend_from_slice(b" stdout F ");
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    bytes
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::mpsc::sync_channel;

    use logline::decode::decode;

    use super::*;

    #[test]
    fn every_example_of_the_pack_is_shown_once_a_round() {
        let pack = Pack::builtin("general").expect("the built-in pack");
        let mut expected = lines(&pack);
        let (sender, receiver) = sync_channel(16);
        let thread = std::thread::spawn({
            let lines = expected.clone();
            move || run(&lines, &sender, |_| false)
        });
        let mut shown = Vec::new();
        let mut ends = HashMap::new();
        for message in &receiver {
            match message {
                Message::Opened { id, origin, .. } => {
                    assert!(origin.name.starts_with(NAME));
                    ends.insert(id, 0);
                }
                Message::Bytes { id, offset, bytes } => {
                    let end = ends.get_mut(&id).expect("an open stream");
                    assert_eq!(offset, *end);
                    *end += bytes.len() as u64;
                    let (fragment, malformed) = decode(
                        bytes.strip_suffix(b"\n").expect("a whole line"),
                        Wrapper::Cri,
                    );
                    assert_eq!(malformed, None);
                    shown.push(String::from_utf8(fragment.text.into_owned()).expect("text"));
                }
                other => panic!("{other:?} is nothing for a demonstration"),
            }
            if shown.len() == expected.len() {
                break;
            }
        }
        drop(receiver);
        assert_eq!(thread.join().expect("no panic"), Err(Disconnected));
        expected.sort();
        shown.sort();
        assert_eq!(shown, expected);
    }
}

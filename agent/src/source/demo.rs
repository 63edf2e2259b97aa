//! A stream made up on the spot, for a host that has nothing to read yet: the pack's own examples, again and again, with the time of now.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use logline::decode::Wrapper;
use logline::rules::Pack;

use super::{Kind, Message, Origin, Sender, SourceId, send};
use crate::shutdown::Shutdown;
use crate::telemetry::clock;

/// The name that every one of its lines carries.
pub const NAME: &str = "demo";

/// Lines shown at once, so that the first screen is full.
const FIRST: usize = 20;

/// Sends an example of `pack` every `pause` on a thread of its own until a shutdown, or until the receiver is gone.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(
    pack: &Pack,
    pause: Duration,
    sender: Sender,
    shutdown: Shutdown,
) -> io::Result<JoinHandle<()>> {
    let lines: Vec<String> = pack
        .examples
        .iter()
        .map(|example| example.text.clone())
        .collect();
    std::thread::Builder::new()
        .name("source-demo".to_owned())
        .spawn(move || run(&lines, pause, &sender, &shutdown))
}

fn run(lines: &[String], pause: Duration, sender: &Sender, shutdown: &Shutdown) {
    let id = SourceId::next();
    let origin = Arc::new(Origin::plain(Kind::Demo, NAME));
    if lines.is_empty()
        || send(
            sender,
            Message::Opened {
                id,
                origin,
                wrapper: Wrapper::Cri,
                file: None,
                follows: None,
            },
        )
        .is_err()
    {
        return;
    }
    // A step that shares no factor with the number of lines visits all of them in a mixed order.
    let step = (lines.len() * 5 / 13..)
        .find(|step| gcd(*step, lines.len()) == 1)
        .unwrap_or(1);
    let mut offset = 0;
    for count in 0.. {
        if count >= FIRST && shutdown.wait_timeout(pause) {
            return;
        }
        let mut bytes = Vec::new();
        clock::now().write_rfc3339(&mut bytes);
        bytes.extend_from_slice(b" stdout F ");
        bytes.extend_from_slice(lines[(count % lines.len()) * step % lines.len()].as_bytes());
        bytes.push(b'\n');
        let length = bytes.len() as u64;
        if send(sender, Message::Bytes { id, offset, bytes }).is_err() {
            return;
        }
        offset += length;
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn every_example_of_the_pack_is_shown_once_a_round() {
        let pack = Pack::builtin("general").expect("the built-in pack");
        let mut expected: Vec<String> = pack
            .examples
            .iter()
            .map(|example| example.text.clone())
            .collect();
        let (sender, receiver) = sync_channel(16);
        let shutdown = Shutdown::new();
        let thread = spawn(&pack, Duration::ZERO, sender, shutdown.clone()).expect("a thread");
        let mut shown = Vec::new();
        let mut end = 0;
        for message in receiver.iter().skip(1).take(expected.len()) {
            let Message::Bytes { bytes, offset, .. } = message else {
                panic!("only bytes follow")
            };
            assert_eq!(offset, end);
            end += bytes.len() as u64;
            let (fragment, malformed) =
                logline::decode::decode(bytes.trim_ascii_end(), Wrapper::Cri);
            assert_eq!(malformed, None);
            shown.push(String::from_utf8(fragment.text.into_owned()).expect("text"));
        }
        shutdown.trigger();
        drop(receiver);
        thread.join().expect("no panic");
        expected.sort();
        shown.sort();
        assert_eq!(shown, expected);
    }
}

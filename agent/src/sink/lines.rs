//! Bodies of lines, one event after another, and where they are written at once.

use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::encode::{Encode, Outgoing};
use super::transport::{Body, Outcome, Prepared, Transport};

/// Events one after another, each as the encoder writes it.
pub(super) struct Lines {
    encoder: Box<dyn Encode + Send>,
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn new(encoder: Box<dyn Encode + Send>) -> Self {
        Self {
            encoder,
            buffer: Vec::new(),
        }
    }
}

impl Body for Lines {
    fn add(&mut self, event: &Outgoing<'_>) {
        self.encoder.encode(event, &mut self.buffer);
    }

    fn bytes(&self) -> usize {
        self.buffer.len()
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            // Both buffers are used again and again.
            std::mem::swap(out, &mut self.buffer);
        } else {
            out.append(&mut self.buffer);
        }
        self.buffer.clear();
    }
}

/// Standard output. When its reader is gone the agent ends: nobody would read the rest.
#[derive(Debug)]
pub(super) struct Stdout(pub(super) io::Stdout);

impl Transport for Stdout {
    fn send(&mut self, request: &Prepared<'_>) -> Outcome {
        match write_all(&mut self.0, request.body) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Ended(error),
        }
    }
}

/// Writes everything, also where whoever shares the pipe has made it non-blocking.
fn write_all(out: &mut io::Stdout, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready(out)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    loop {
        match out.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready(out)?,
            other => return other,
        }
    }
}

fn ready(out: &io::Stdout) -> io::Result<()> {
    poll(
        &mut [PollFd::from_borrowed_fd(out.as_fd(), PollFlags::OUT)],
        None,
    )?;
    Ok(())
}

/// Nowhere: everything is made as if it were sent.
#[derive(Debug)]
pub(super) struct Blackhole;

impl Transport for Blackhole {
    fn send(&mut self, _request: &Prepared<'_>) -> Outcome {
        Outcome::Done
    }
}

//! JSON over HTTP: what Vector's `http_server` source and Fluent Bit's `http` input take, and most that is written by
//! hand. The meaning of answers serves every protocol over HTTP.

mod answer;

use super::encode::{Encode, Json, Outgoing};
use super::transport::{Body, Outcome, Prepared, Transport};
use crate::client::Client;
use crate::config::sinks;

/// Events as JSON objects: one a line, or in one array.
#[derive(Debug)]
pub(super) struct JsonBody {
    json: Json,
    array: bool,
    buffer: Vec<u8>,
}

impl JsonBody {
    /// A body without events; `host` stands in each of them.
    pub(super) fn new(host: &str, array: bool) -> Self {
        Self {
            json: Json::with_origin(host),
            array,
            buffer: Vec::new(),
        }
    }
}

impl Body for JsonBody {
    fn add(&mut self, event: &Outgoing<'_>) {
        if self.array {
            self.buffer
                .push(if self.buffer.is_empty() { b'[' } else { b',' });
        }
        self.json.encode(event, &mut self.buffer);
    }

    fn bytes(&self) -> usize {
        self.buffer.len()
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.array {
            self.buffer.push(b']');
        }
        if out.is_empty() {
            // Both buffers are used again and again.
            std::mem::swap(out, &mut self.buffer);
        } else {
            out.append(&mut self.buffer);
        }
        self.buffer.clear();
    }
}

/// POSTs of such bodies.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    content_type: &'static str,
}

impl Http {
    /// # Errors
    /// In words, where the settings cannot be used.
    pub(super) fn new(settings: &sinks::Http) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(&settings.client)?,
            content_type: if settings.array {
                "application/json"
            } else {
                "application/x-ndjson"
            },
        })
    }
}

impl Transport for Http {
    fn send(&mut self, request: &Prepared<'_>) -> Outcome {
        match self.client.post(request, self.content_type) {
            Ok(answer) => answer.outcome(),
            Err(outcome) => outcome,
        }
    }
}

//! How an event is shown: as the object that every output of the agent writes, with the fields that the seeds' clients
//! read in front, or as the plain line behind its time.

use std::io::Write as _;

use logline::template::TemplateId;

use super::which::id_of;
use crate::escape::escape_json;
use crate::flow::{Batch, Labelled};
use crate::sink::encode::{Encode as _, Json};
use crate::sink::mask::Mask;

/// Writes events. Secrets are masked where the configuration says so.
pub(super) struct Lines {
    json: Json,
    mask: Mask,
    object: Vec<u8>,
}

impl Lines {
    pub(super) fn new(host: &str, mask: Mask) -> Self {
        Self {
            json: Json::with_origin(host),
            mask,
            object: Vec::new(),
        }
    }

    /// Appends the event as one JSON object: `log` and `container_id`, its sequence number, then what every output says.
    pub(super) fn object(&mut self, seq: u64, batch: &Batch, event: &Labelled, out: &mut Vec<u8>) {
        self.write(Some(seq), batch, event, out);
    }

    /// The same without the sequence number, where it is not known.
    pub(super) fn unnumbered(&mut self, batch: &Batch, event: &Labelled, out: &mut Vec<u8>) {
        self.write(None, batch, event, out);
    }

    fn write(&mut self, seq: Option<u64>, batch: &Batch, event: &Labelled, out: &mut Vec<u8>) {
        let outgoing = self.mask.apply(batch, event);
        out.extend_from_slice(b"{\"log\":\"");
        if let Some(time) = event.timestamp {
            time.write_rfc3339(out);
            out.push(b' ');
        }
        escape_json(outgoing.text, out);
        out.extend_from_slice(b"\",\"container_id\":\"");
        let stream = batch.stream(event);
        escape_json(
            stream.map_or("", |stream| id_of(&stream.origin)).as_bytes(),
            out,
        );
        out.extend_from_slice(b"\",");
        if let Some(seq) = seq {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\"seq\":{seq},");
        }
        self.object.clear();
        self.json.encode(&outgoing, &mut self.object);
        let object = self.object.trim_ascii_end();
        out.extend_from_slice(object.strip_prefix(b"{").unwrap_or(object));
    }

    /// Appends the lines as they were written, behind their time as the Docker engine writes it.
    pub(super) fn plain(&mut self, batch: &Batch, event: &Labelled, out: &mut Vec<u8>) {
        let outgoing = self.mask.apply(batch, event);
        if let Some(time) = event.timestamp {
            time.write_rfc3339(out);
            out.push(b' ');
        }
        out.extend_from_slice(outgoing.text);
        out.push(b'\n');
    }
}

/// Reads a template's id as it is written everywhere: 16 hexadecimal digits.
pub(super) fn template_id(text: &str) -> Option<TemplateId> {
    let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_one {
        return None;
    }
    u64::from_str_radix(text, 16).ok().map(TemplateId)
}

//! Bodies made smaller.

use std::io::{self, Write as _};

use flate2::write::GzEncoder;

use crate::config::sinks::Compression;

/// Compresses one body after another and keeps its memory.
pub(super) struct Compressor {
    how: Compression,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    out: Vec<u8>,
}

impl Compressor {
    /// # Errors
    /// Where zstd has no memory.
    pub(super) fn new(how: Compression) -> io::Result<Self> {
        let zstd = match how {
            Compression::Zstd(level) => Some(zstd::bulk::Compressor::new(level)?),
            Compression::None | Compression::Gzip(_) => None,
        };
        Ok(Self {
            how,
            zstd,
            out: Vec::new(),
        })
    }

    /// How bodies are compressed.
    pub(super) fn how(&self) -> Compression {
        self.how
    }

    /// `body` as it is sent.
    ///
    /// # Errors
    /// Where there is no memory.
    pub(super) fn compress<'a>(&'a mut self, body: &'a [u8]) -> io::Result<&'a [u8]> {
        self.out.clear();
        match (self.how, &mut self.zstd) {
            (Compression::Gzip(level), _) => {
                let out = std::mem::take(&mut self.out);
                let mut gzip = GzEncoder::new(out, flate2::Compression::new(level));
                gzip.write_all(body)?;
                self.out = gzip.finish()?;
            }
            (Compression::Zstd(_), Some(zstd)) => {
                let room = zstd::zstd_safe::compress_bound(body.len());
                self.out.reserve(room);
                zstd.compress_to_buffer(body, &mut self.out)?;
            }
            (Compression::None, _) | (Compression::Zstd(_), None) => return Ok(body),
        }
        Ok(&self.out)
    }
}

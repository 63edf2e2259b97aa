//! Rotated files that were compressed with gzip: read from their start to their end, as the text that they hold.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::Marker;
use super::life::{open_regular, read_at};

/// Read while skipping, at a time.
const SKIP_BYTES: usize = 64 * 1024;

/// Whether a file's name says that gzip made it.
pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// The name that gzip gives to what it makes of a file.
pub(super) fn packed_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

/// Whether a file cannot be decompressed, now or ever.
pub(super) fn is_no_gzip(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

/// What a compressed file is known by without reading all of it.
pub(super) struct Peek {
    pub(super) file: File,
    pub(super) metadata: Metadata,
    /// The first bytes of the text, at most [`Marker::MAX`].
    pub(super) head: Vec<u8>,
    /// How long its last part says that its text is, modulo 2^32; with gzip's one part that is all of it.
    pub(super) length: u32,
}

/// Looks into a compressed file; `None` for what is no gzip, or not enough of it yet.
pub(super) fn peek(path: &Path) -> io::Result<Option<Peek>> {
    let Some((file, metadata)) = open_regular(path)? else {
        return Ok(None);
    };
    if read_at(&file, 0, 2)? != [0x1f, 0x8b] {
        return Ok(None);
    }
    let head = match Unpacking::begin(&file)?.read(Marker::MAX) {
        Ok((head, _)) => head,
        Err(error) if is_no_gzip(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let trailer = read_at(&file, metadata.len().saturating_sub(4), 4)?;
    let length = <[u8; 4]>::try_from(trailer).map_or(0, u32::from_le_bytes);
    Ok((!head.is_empty()).then_some(Peek {
        file,
        metadata,
        head,
        length,
    }))
}

/// What follows the bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// More.
    More,
    /// Nothing: the text is whole.
    End,
    /// The compressed file ends in the middle: it is still being written, or was cut.
    Cut,
}

/// Where skipping has led.
pub(super) enum Skipped {
    /// To the offset; the last bytes before it, at most [`Marker::SEAM`].
    There(Vec<u8>),
    /// Not so far, and why.
    Short(After),
}

/// A decompression under way.
pub(super) struct Unpacking {
    decoder: MultiGzDecoder<BufReader<File>>,
    /// What has gone wrong behind the bytes given out.
    failed: Option<io::Error>,
    /// How it has ended. The decoder is not asked again: one that has met the end of its file too early may go round for ever
    /// on what is appended later.
    ended: Option<After>,
    /// The compressed size when it was begun.
    size: u64,
}

impl Unpacking {
    /// At the first byte of the text.
    pub(super) fn begin(file: &File) -> io::Result<Self> {
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let size = file.metadata()?.len();
        Ok(Self {
            size,
            decoder: MultiGzDecoder::new(BufReader::new(file)),
            failed: None,
            ended: None,
        })
    }

    /// The next bytes, `wanted` of them unless something else than more follows.
    pub(super) fn read(&mut self, wanted: usize) -> io::Result<(Vec<u8>, After)> {
        if let Some(error) = self.failed.take() {
            return self.fault(error);
        }
        if let Some(after) = self.ended {
            return Ok((Vec::new(), after));
        }
        let mut bytes = vec![0; wanted];
        let mut length = 0;
        let mut after = After::More;
        while length < wanted {
            match self.decoder.read(&mut bytes[length..]) {
                Ok(0) => {
                    after = After::End;
                    break;
                }
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    after = After::Cut;
                    break;
                }
                // What came before the fault is text all the same.
                Err(error) if length > 0 => {
                    self.failed = Some(error);
                    break;
                }
                Err(error) => return self.fault(error),
            }
        }
        bytes.truncate(length);
        self.ended = Some(after).filter(|after| *after != After::More);
        Ok((bytes, after))
    }

    /// A decoder that has seen the end of its file is confused by what is appended then: that is no damage, but the middle of a
    /// file that is still being written, to be begun anew.
    fn fault(&mut self, error: io::Error) -> io::Result<(Vec<u8>, After)> {
        let now = self.decoder.get_ref().get_ref().metadata()?.len();
        if !is_no_gzip(&error) || now == self.size {
            return Err(error);
        }
        self.ended = Some(After::Cut);
        Ok((Vec::new(), After::Cut))
    }

    /// Goes on from the start to `offset`.
    pub(super) fn skip(&mut self, offset: u64) -> io::Result<Skipped> {
        let mut tail = Vec::new();
        let mut left = offset;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(SKIP_BYTES).min(SKIP_BYTES);
            let (bytes, after) = self.read(wanted)?;
            left -= bytes.len() as u64;
            tail.extend_from_slice(&bytes);
            tail.drain(..tail.len().saturating_sub(Marker::SEAM));
            if after != After::More && left > 0 {
                return Ok(Skipped::Short(after));
            }
        }
        Ok(Skipped::There(tail))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_appended_while_it_is_decompressed_is_no_damage() {
        let text: String = (0..40)
            .map(|n| format!("{n}. {}\n", "x".repeat(300)))
            .collect();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let (first, rest) = packed.split_at(packed.len() / 2);
        for pieces in 0..text.len() / 64 {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(first).unwrap();
            let mut unpacking = Unpacking::begin(&file).unwrap();
            let mut got = Vec::new();
            let mut append = Some(rest);
            let mut read = 0;
            let after = loop {
                if read == pieces
                    && let Some(rest) = append.take()
                {
                    // The decompression goes on where it was: both have one position in the file.
                    let at = file.stream_position().unwrap();
                    file.seek(SeekFrom::End(0)).unwrap();
                    file.write_all(rest).unwrap();
                    file.seek(SeekFrom::Start(at)).unwrap();
                }
                let (bytes, after) = unpacking.read(64).unwrap();
                got.extend(bytes);
                read += 1;
                if after != After::More {
                    break after;
                }
            };
            assert!(text.as_bytes().starts_with(&got), "{pieces}");
            assert!(after == After::Cut || got == text.as_bytes(), "{pieces}");
        }
    }
}

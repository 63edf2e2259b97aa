//! Compressed bodies, up to a bound.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::Refused;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Plain,
    /// gzip, one member after another.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Encoding {
    /// What a `Content-Encoding` means, where it is one that is known.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" | "text" => Some(Self::Plain),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The body as it was before it was compressed, at most `limit` bytes.
pub(super) fn whole(
    body: &[u8],
    encoding: Encoding,
    limit: usize,
) -> Result<Cow<'_, [u8]>, Refused> {
    let inflated = match encoding {
        Encoding::Plain if body.len() > limit => return Err(Refused::TooLarge),
        Encoding::Plain => return Ok(Cow::Borrowed(body)),
        Encoding::Gzip => read(
            MultiGzDecoder::new(body),
            limit,
            "the body is not sound gzip",
        )?,
        Encoding::Zstd => {
            let bad = Refused::Malformed("the body is not sound Zstandard");
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(body).map_err(|_| bad.clone())?;
            // 8 MiB: what the format's specification asks every decoder to be able to do.
            decoder.window_log_max(23).map_err(|_| bad)?;
            read(decoder, limit, "the body is not sound Zstandard")?
        }
    };
    Ok(Cow::Owned(inflated))
}

fn read(from: impl Read, limit: usize, bad: &'static str) -> Result<Vec<u8>, Refused> {
    let mut inflated = Vec::new();
    from.take(limit as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|_| Refused::Malformed(bad))?;
    if inflated.len() > limit {
        return Err(Refused::TooLarge);
    }
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let zeros = vec![0; 1 << 20];
        let zstd = zstd::stream::encode_all(&zeros[..], 1).unwrap();
        for (body, encoding) in [(gzip(&zeros), Encoding::Gzip), (zstd, Encoding::Zstd)] {
            assert!(body.len() < zeros.len() / 100);
            assert_eq!(whole(&body, encoding, zeros.len()).unwrap(), &zeros[..]);
            assert_eq!(
                whole(&body, encoding, zeros.len() - 1),
                Err(Refused::TooLarge)
            );
            for bad in [&body[..body.len() / 2], b"no such thing"] {
                assert!(matches!(
                    whole(bad, encoding, 10 << 20),
                    Err(Refused::Malformed(_))
                ));
            }
        }
        let two = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(whole(&two, Encoding::Gzip, 6).unwrap(), &b"onetwo"[..]);
        assert_eq!(whole(b"12", Encoding::Plain, 1), Err(Refused::TooLarge));
        assert_eq!(Encoding::named("GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::named("br"), None);
    }
}

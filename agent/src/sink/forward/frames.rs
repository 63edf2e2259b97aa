//! The messages of a batch told apart again: what [`Messages`](super::encode::Messages) wrote is one body to the engine, and several
//! chunks to the receiver.

use rmp::Marker;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// All of its bytes.
    pub(super) bytes: &'a [u8],
    /// Its chunk's id, where it asks to be acknowledged.
    pub(super) chunk: Option<&'a [u8]>,
}

/// The messages of a body, in their order. Ends where the bytes are none of this sink's own.
pub(super) fn frames(body: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (frame, after) = frame(rest)?;
        rest = after;
        Some(frame)
    })
}

/// The first message and what follows it.
fn frame(body: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let mut rest = body.strip_prefix(&[0x93])?; // an array of three
    string(&mut rest)?; // tag
    string(&mut rest)?; // entries
    let (Marker::FixMap(pairs), mut rest) = marker(rest)? else {
        return None;
    };
    let mut chunk = None;
    for _ in 0..pairs {
        let name = string(&mut rest)?;
        if name == b"size" {
            number(&mut rest)?;
            continue;
        }
        let value = string(&mut rest)?;
        if name == b"chunk" {
            chunk = Some(value);
        }
    }
    let bytes = &body[..body.len() - rest.len()];
    Some((Frame { bytes, chunk }, rest))
}

fn marker(rest: &[u8]) -> Option<(Marker, &[u8])> {
    let (first, rest) = rest.split_first()?;
    Some((Marker::from_u8(*first), rest))
}

/// The bytes of a string or binary.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (marker, after) = marker(rest)?;
    let digits = match marker {
        Marker::FixStr(_) => 0,
        Marker::Str8 | Marker::Bin8 => 1,
        Marker::Str16 | Marker::Bin16 => 2,
        Marker::Str32 | Marker::Bin32 => 4,
        _ => return None,
    };
    let (digits, after) = after.split_at_checked(digits)?;
    let len = match marker {
        Marker::FixStr(len) => usize::from(len),
        _ => digits
            .iter()
            .fold(0, |len, digit| len << 8 | usize::from(*digit)),
    };
    let (string, after) = after.split_at_checked(len)?;
    *rest = after;
    Some(string)
}

fn number(rest: &mut &[u8]) -> Option<()> {
    let (marker, after) = marker(rest)?;
    let len = match marker {
        Marker::FixPos(_) => 0,
        Marker::U8 => 1,
        Marker::U16 => 2,
        Marker::U32 => 4,
        Marker::U64 => 8,
        _ => return None,
    };
    *rest = after.get(len..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let body = [&b"\x93\xa1t\xc4\x01e\x81\xa4size\x01"[..], &bytes].concat();
            let lengths: usize = frames(&body).map(|frame| frame.bytes.len()).sum();
            prop_assert!(lengths >= 13 && lengths <= body.len());
        }
    }

    #[test]
    fn what_is_no_message_of_ours_ends_the_list() {
        for body in [
            &b""[..],
            b"\x93\xa1t\xc4\x01",
            b"\x92\xa1t\xc4\x00",
            b"\x93\xa1t\xc4\x00\xc0",
        ] {
            assert_eq!(frames(body).count(), 0, "{body:?}");
        }
        let one = b"\x93\xa1t\xc4\x01e\x82\xa4size\x01\xa5chunk\xa2id";
        let two = [&one[..], one, b"\xc0"].concat();
        let ids: Vec<_> = frames(&two)
            .map(|frame| (frame.bytes, frame.chunk))
            .collect();
        assert_eq!(
            ids,
            [(&one[..], Some(&b"id"[..])), (&one[..], Some(&b"id"[..]))]
        );
    }
}

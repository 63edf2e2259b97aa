//! JSON: an object a line, or an array of objects. What is no object says nothing of itself and is the text.

use serde_json::{Map, Value};

use super::place::Record;
use super::pour::Pour;
use super::{MAX_RECORD, Refused};

/// Reads a body. A line that is not JSON is counted and the others are taken; an array that is none is refused as a whole.
pub(super) fn read(body: &[u8], pour: &mut Pour<'_>) -> Result<(), Refused> {
    let body = body.trim_ascii();
    if body.first() == Some(&b'[') {
        let elements = Elements::new(body);
        // Looked through before anything is taken.
        if elements.clone().any(|element| element.is_err()) {
            return Err(Refused::Malformed("the array is not whole"));
        }
        for element in elements.flatten() {
            take(element, pour)?;
        }
        return Ok(());
    }
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if !line.is_empty() {
            take(line, pour)?;
        }
    }
    Ok(())
}

fn take(json: &[u8], pour: &mut Pour<'_>) -> Result<(), Refused> {
    if json.len() > MAX_RECORD {
        pour.reject("too_large");
        return Ok(());
    }
    let record = match serde_json::from_slice(json) {
        Ok(Value::Object(fields)) => Record {
            fields,
            ..Record::default()
        },
        Ok(Value::String(text)) => Record {
            fields: Map::new(),
            text: Some(text.into_bytes()),
            ..Record::default()
        },
        Ok(_) => {
            pour.reject("not_an_object");
            return Ok(());
        }
        Err(_) => {
            pour.reject("malformed");
            return Ok(());
        }
    };
    pour.push(record, "")
}

/// The elements of an array, each as its bytes; nothing is built of it.
#[derive(Clone)]
struct Elements<'a> {
    rest: &'a [u8],
    first: bool,
}

/// The bytes are no array.
#[derive(Debug, PartialEq, Eq)]
struct NoArray;

impl<'a> Elements<'a> {
    /// `body` begins with `[`.
    fn new(body: &'a [u8]) -> Self {
        Self {
            rest: body.get(1..).unwrap_or_default(),
            first: true,
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8], NoArray>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() && !self.first {
            return None;
        }
        let end = element_end(self.rest);
        let first = std::mem::take(&mut self.first);
        let Some(end) = end else {
            self.rest = &[];
            return Some(Err(NoArray));
        };
        let element = self.rest[..end].trim_ascii();
        let closes = self.rest[end] == b']';
        let after = &self.rest[end + 1..];
        self.rest = if closes { &[] } else { after };
        if closes && !after.trim_ascii().is_empty() {
            return Some(Err(NoArray));
        }
        if element.is_empty() {
            return (!(closes && first)).then_some(Err(NoArray));
        }
        // What follows a comma must be there, even if it is nothing.
        self.first = !closes && self.rest.is_empty();
        Some(Ok(element))
    }
}

/// Where the comma or bracket stands that ends the first element.
fn element_end(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => loop {
                at += 1;
                at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
                if bytes[at] == b'"' {
                    break;
                }
                at += 1;
            },
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 0 => depth -= 1,
            b',' | b']' if depth == 0 => return Some(at),
            b'}' => return None,
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(body: &str) -> Result<Vec<String>, NoArray> {
        Elements::new(body.as_bytes())
            .map(|element| element.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            .collect()
    }

    #[test]
    fn an_array_is_taken_apart_or_refused() {
        assert_eq!(elements("[]"), Ok(vec![]));
        assert_eq!(elements("[ ]"), Ok(vec![]));
        assert_eq!(elements("[1]").unwrap(), ["1"]);
        assert_eq!(
            elements(r#"[ {"a":[1,"]\"},"]} , "x,y\\" ,{}]"#).unwrap(),
            [r#"{"a":[1,"]\"},"]}"#, r#""x,y\\""#, "{}"]
        );
        for bad in [
            "[", "[1", "[1,", "[1,]", "[,1]", "[1]]", "[1] x", "[\"a]", "[\"a\\", "[}]",
        ] {
            assert_eq!(elements(bad), Err(NoArray), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"[]{},\"\\ 1"[..])], 0..64)) {
            let body = [&b"["[..], &bytes].concat();
            prop_assert!(Elements::new(&body).count() <= body.len());
        }

        #[test]
        fn what_is_an_array_is_taken_apart_as_it_is(values in prop::collection::vec(".{0,8}", 0..8)) {
            let body = serde_json::to_string(&values).unwrap();
            let taken = elements(&body).unwrap();
            let read: Vec<String> = taken.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(read, values);
        }
    }
}

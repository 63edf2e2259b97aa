//! Whatever record comes, it goes on as it was, with at most five fields more before its last brace.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::cell::RefCell;
use std::sync::Arc;

use logline::rules::{Pack, RuleSet};
use logsieve_filter::filter::Filter;
use logsieve_filter::mend::mend;
use logsieve_filter::record::{FIELDS, Keys, PREFIX, is_object, read};
use proptest::prelude::*;
use serde_json::{Map, Value};

thread_local! {
    static FILTER: RefCell<Filter> = RefCell::new({
        let pack = Pack::builtin("openstack").unwrap().pack();
        Filter::new(Arc::new(RuleSet::unpack(&pack).unwrap()), Keys::new(["text"]))
    });
}

fn apply(record: &[u8]) -> Option<Vec<u8>> {
    FILTER.with_borrow_mut(|filter| filter.apply(record).map(<[u8]>::to_vec))
}

/// JSON text of a value, in one of the ways to write it: white space, escapes, forms of numbers.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        prop_oneof!["-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?"],
        string(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((string(), inner), 0..4).prop_map(|fields| object(&fields, " ")),
        ]
    })
}

/// A JSON string with plain text, escapes, all of Unicode.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -!#-\\[\\]-~]{0,12}",
        1 => any::<char>().prop_filter("has to be escaped", |c| *c >= ' ' && *c != '"' && *c != '\\').prop_map(String::from),
        1 => prop::sample::select(vec!["\\n", "\\\"", "\\\\", "\\/", "\\t", "\\b", "\\f", "\\r", "\\u00e9", "\\ud83d\\ude00", "\\u0000", "\\u001f"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn object(fields: &[(String, String)], space: &str) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("{space}{key}{space}:{space}{value}{space}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn key() -> impl Strategy<Value = String> {
    let known: Vec<String> = ["log", "message", "MESSAGE", "text", "stream", "l\\u006fg"]
        .into_iter()
        .chain(FIELDS)
        .map(str::to_owned)
        .chain(FIELDS.map(|field| format!("{PREFIX}{field}")))
        .map(|name| format!("\"{name}\""))
        .collect();
    prop_oneof![prop::sample::select(known), string()]
}

fn record() -> impl Strategy<Value = String> {
    let fields = prop::collection::vec((key(), prop_oneof![value(), string()]), 0..9);
    let space = prop::sample::select(vec!["", " ", "\n\t"]);
    (fields, space).prop_map(|(fields, space)| object(&fields, space))
}

/// Holds whatever the record is.
fn check(record: &[u8]) -> Result<(), TestCaseError> {
    let Some(reply) = apply(record) else {
        return Ok(());
    };
    // The answer ends at its only NUL.
    prop_assert_eq!(
        reply.iter().position(|byte| *byte == 0),
        Some(reply.len() - 1)
    );
    let reply = &reply[..reply.len() - 1];
    let keys = Keys::new(["text"]);
    // What Fluent Bit prints and does not take back is mended first.
    let mut mended = Vec::new();
    let record = if read(record, &keys).is_none() && mend(record, &mut mended).is_some() {
        &mended
    } else {
        record
    };
    let Some(end) = read(record, &keys).map(|read| read.end) else {
        prop_assert!(is_object(record));
        prop_assert_eq!(reply, record);
        return Ok(());
    };
    let (head, tail) = record.split_at(end);
    prop_assert!(reply.starts_with(head) && reply.ends_with(tail));
    let added = &reply[head.len()..reply.len() - tail.len()];
    prop_assert!(added.is_empty() || added.starts_with(b","));
    let added = [b"{", added.get(1..).unwrap_or_default(), b"}"].concat();
    let added: Map<String, Value> = serde_json::from_slice(&added).unwrap();
    // serde_json wants UTF-8; Fluent Bit does not.
    let text = String::from_utf8_lossy(record);
    let before: Map<String, Value> = match serde_json::from_str(&text) {
        Ok(before) => before,
        // Numbers beyond what it can hold, halves of surrogate pairs.
        Err(error)
            if ["out of range", "surrogate", "hex escape"]
                .iter()
                .any(|why| error.to_string().contains(why)) =>
        {
            return Ok(());
        }
        Err(error) => return Err(TestCaseError::fail(format!("{error}: {text}"))),
    };
    for field in FIELDS {
        let name = match (
            before.contains_key(field),
            before.contains_key(&format!("{PREFIX}{field}")),
        ) {
            (false, _) => field.to_owned(),
            (true, false) => format!("{PREFIX}{field}"),
            (true, true) => continue,
        };
        prop_assert!(added.contains_key(&name), "{} in {:?}", name, added);
    }
    prop_assert!(added.keys().all(|name| !before.contains_key(name)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_record_goes_on_as_it_was(record in record()) {
        prop_assert!(serde_json::from_str::<Value>(&record).is_ok() || record.contains(['e', 'E']), "{}", record);
        check(record.as_bytes())?;
    }

    #[test]
    fn a_record_with_one_text_is_judged(fields in prop::collection::vec((string(), value()), 0..6), text in string()) {
        let mut fields: Vec<_> = fields.into_iter().filter(|(key, _)| !key.contains("log") && !key.contains("essage") && !key.contains("text")).collect();
        fields.insert(fields.len() / 2, ("\"log\"".to_owned(), text));
        let record = object(&fields, "");
        prop_assert!(apply(record.as_bytes()).is_some(), "{}", record);
    }

    #[test]
    fn a_broken_record_is_left_alone(record in record(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut broken = record.into_bytes();
        let at = cut.index(broken.len());
        check(&broken[..at])?;
        prop_assert!(apply(&broken[..at]).is_none());
        broken[at] = byte;
        check(&broken)?;
        broken.insert(at, byte);
        check(&broken)?;
    }

    #[test]
    fn what_is_no_json_in_one_of_the_ways_of_fluent_bit_is_mended(
        fields in prop::collection::vec((value(), value()), 1..6),
        keys in prop::collection::vec(prop_oneof![string(), Just("7".to_owned()), Just("-1.5e+3".to_owned()), Just("true".to_owned())], 6),
        odd in prop::sample::select(vec!["nan", "-nan", "inf", "-inf", "[1,nan]", "{\"a\":-inf}", "\"\\x41\\\\x\"", "{7:1}"]),
    ) {
        let mut fields: Vec<_> = fields.into_iter().zip(keys).map(|((value, _), key)| (key, value)).collect();
        fields.push(("\"odd\"".to_owned(), odd.to_owned()));
        let record = object(&fields, " ");
        let reply = apply(record.as_bytes());
        prop_assert!(reply.is_some(), "{}", record);
        check(record.as_bytes())?;
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }
}

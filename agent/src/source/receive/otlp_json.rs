//! OTLP in its JSON encoding, which is the same request in other words: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
//!
//! A JSON document takes much more memory once it is read, so that its bodies are bounded more tightly than those in protobuf.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::otlp::{OF_RESOURCE, push, value};
use super::pour::Pour;
use super::{MAX_RECORD, Refused};
use crate::wire::otlp::{Any, AnyValue, ArrayValue, KeyValue, KeyValueList, LogRecord};

/// Reads a body.
pub(super) fn read(body: &[u8], pour: &mut Pour<'_>) -> Result<(), Refused> {
    let bad = Refused::Malformed("the body is no ExportLogsServiceRequest in JSON");
    let Ok(Value::Object(request)) = serde_json::from_slice(body) else {
        return Err(bad);
    };
    for logs in list(&request, "resourceLogs") {
        let resource = logs.get("resource").and_then(Value::as_object);
        let mut common = Map::new();
        for pair in resource.into_iter().flat_map(attributes) {
            if OF_RESOURCE.contains(&pair.key.as_str()) {
                common.insert(pair.key, value(pair.value));
            }
        }
        for scope in logs
            .as_object()
            .into_iter()
            .flat_map(|logs| list(logs, "scopeLogs"))
        {
            let records = scope.as_object().into_iter();
            for record in records.flat_map(|scope| list(scope, "logRecords")) {
                match record.as_object() {
                    Some(record) => push(log_record(record), common.clone(), pour)?,
                    None => pour.reject("not_an_object"),
                }
            }
        }
    }
    Ok(())
}

fn list<'a>(object: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    object
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn log_record(record: &Map<String, Value>) -> LogRecord {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let time = |key: &str| record.get(key).and_then(whole).unwrap_or(0);
    LogRecord {
        time_unix_nano: u64::try_from(time("timeUnixNano")).unwrap_or(0),
        observed_time_unix_nano: u64::try_from(time("observedTimeUnixNano")).unwrap_or(0),
        severity_number: i32::try_from(time("severityNumber")).unwrap_or(0),
        severity_text: text("severityText").to_owned(),
        body: record.get("body").map(|body| any(body, 0)),
        attributes: attributes(record).collect(),
        trace_id: unhex(text("traceId")),
        span_id: unhex(text("spanId")),
    }
}

fn attributes(object: &Map<String, Value>) -> impl Iterator<Item = KeyValue> {
    list(object, "attributes")
        .iter()
        .filter_map(|one| pair(one, 0))
}

fn pair(pair: &Value, depth: u32) -> Option<KeyValue> {
    Some(KeyValue {
        key: pair.get("key")?.as_str()?.to_owned(),
        value: pair.get("value").map(|value| any(value, depth)),
    })
}

/// serde_json has bounded the depth already; this only keeps the two readers alike.
const MAX_DEPTH: u32 = 64;

fn any<'a>(value: &'a Value, depth: u32) -> AnyValue {
    let deeper = depth + 1;
    let values = |of: &'a Value| of.as_object().map_or(&[][..], |of| list(of, "values"));
    let inner = value
        .as_object()
        .filter(|_| depth < MAX_DEPTH)
        .and_then(|object| object.iter().next());
    let read = inner.and_then(|(kind, of)| {
        Some(match kind.as_str() {
            "stringValue" => Any::Text(of.as_str()?.to_owned()),
            "boolValue" => Any::Bool(of.as_bool()?),
            "intValue" => Any::Int(whole(of)?),
            "doubleValue" => Any::Double(of.as_f64()?),
            "bytesValue" => Any::Bytes(BASE64_STANDARD.decode(of.as_str()?).ok()?),
            "arrayValue" => Any::Array(ArrayValue {
                values: values(of).iter().map(|one| any(one, deeper)).collect(),
            }),
            "kvlistValue" => Any::List(KeyValueList {
                values: values(of)
                    .iter()
                    .filter_map(|one| pair(one, deeper))
                    .collect(),
            }),
            _ => return None,
        })
    });
    AnyValue { value: read }
}

/// 64-bit numbers are written as texts, and by some as numbers.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    if text.len() > MAX_RECORD || !text.len().is_multiple_of(2) {
        return Vec::new();
    }
    let bytes: Option<Vec<u8>> = digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
        .collect();
    bytes.unwrap_or_default()
}

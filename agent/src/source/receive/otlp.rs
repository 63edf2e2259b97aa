//! OTLP: an `ExportLogsServiceRequest`, walked layer by layer.

use logline::level::Level;
use logline::time::Timestamp;
use prost::Message as _;
use serde_json::{Map, Number, Value};

use super::place::Record;
use super::pour::Pour;
use super::{MAX_RECORD, Refused};
use crate::wire::otlp::{Any, AnyValue, KeyValue, LogRecord, Malformed, Resource, fields};

/// Attributes of a resource that tell who has printed its records. The others tell of the process and are the same in all of them;
/// they have no place.
pub(super) const OF_RESOURCE: [&str; 10] = [
    "container.id",
    "container.image.name",
    "container.name",
    "host.name",
    "k8s.container.name",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "service.name",
];

/// Reads a body. It is looked through before anything is taken, down to the records; one that is none is counted.
pub(super) fn read(body: &[u8], pour: &mut Pour<'_>) -> Result<(), Refused> {
    let bad = Refused::Malformed("the body is no ExportLogsServiceRequest");
    walk(body, &mut |_, _| Ok(())).map_err(|_| bad.clone())?;
    let mut refused = None;
    let mut whose: Option<(*const u8, Map<String, Value>)> = None;
    let walked = walk(body, &mut |logs, record| {
        let known = whose
            .as_ref()
            .is_some_and(|(place, _)| *place == logs.as_ptr());
        if !known {
            whose = Some((logs.as_ptr(), resource(logs)));
        }
        let common = whose.as_ref().map(|(_, common)| common.clone());
        take(record, common.unwrap_or_default(), pour).map_err(|why| {
            refused = Some(why);
            Malformed
        })
    });
    match (walked, refused) {
        (_, Some(why)) => Err(why),
        (Err(_), None) => Err(bad),
        (Ok(()), None) => Ok(()),
    }
}

/// Calls `each` with every record and the `ResourceLogs` that it is in.
fn walk<'a>(
    body: &'a [u8],
    each: &mut dyn FnMut(&'a [u8], &'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    fields(body, &mut |number, logs| {
        if number != 1 {
            return Ok(());
        }
        fields(logs, &mut |number, scope| {
            if number != 2 {
                return Ok(());
            }
            fields(scope, &mut |number, record| {
                if number == 2 {
                    each(logs, record)
                } else {
                    Ok(())
                }
            })
        })
    })
}

/// What the resource of a `ResourceLogs` tells.
fn resource(logs: &[u8]) -> Map<String, Value> {
    let mut common = Map::new();
    // It was walked before: there is no error left.
    let _ = fields(logs, &mut |number, resource| {
        if number == 1
            && resource.len() <= MAX_RECORD
            && let Ok(resource) = Resource::decode(resource)
        {
            let known = |pair: &KeyValue| OF_RESOURCE.contains(&pair.key.as_str());
            for pair in resource.attributes.into_iter().filter(known) {
                common.insert(pair.key, value(pair.value));
            }
        }
        Ok(())
    });
    common
}

fn take(record: &[u8], fields: Map<String, Value>, pour: &mut Pour<'_>) -> Result<(), Refused> {
    if record.len() > MAX_RECORD {
        pour.reject("too_large");
        return Ok(());
    }
    match LogRecord::decode(record) {
        Ok(record) => push(record, fields, pour),
        Err(_) => {
            pour.reject("malformed");
            Ok(())
        }
    }
}

/// Takes a record with the fields of its resource.
pub(super) fn push(
    record: LogRecord,
    mut fields: Map<String, Value>,
    pour: &mut Pour<'_>,
) -> Result<(), Refused> {
    for pair in record.attributes {
        fields.insert(pair.key, value(pair.value));
    }
    for (key, id) in [("trace_id", &record.trace_id), ("span_id", &record.span_id)] {
        if !id.is_empty() {
            fields.insert(key.to_owned(), Value::String(hex(id)));
        }
    }
    let text = match record.body.and_then(|body| body.value) {
        Some(Any::Text(text)) => Some(text.into_bytes()),
        Some(Any::Bytes(bytes)) => Some(bytes),
        // A record of its own, whose text stands among its fields.
        Some(Any::List(list)) => {
            for pair in list.values {
                fields.insert(pair.key, value(pair.value));
            }
            None
        }
        Some(other) => Some(plain(other).to_string().into_bytes()),
        None => None,
    };
    let time = [record.time_unix_nano, record.observed_time_unix_nano]
        .into_iter()
        .find(|time| *time > 0)
        .and_then(|time| i64::try_from(time).ok());
    let number = u32::try_from(record.severity_number).unwrap_or(0);
    let record = Record {
        fields,
        text,
        time: time.map(Timestamp),
        level: Level::from_otel(number)
            .or_else(|| Level::from_name(record.severity_text.as_bytes())),
    };
    pour.push(record, "")
}

pub(super) fn value(value: Option<AnyValue>) -> Value {
    value
        .and_then(|value| value.value)
        .map_or(Value::Null, plain)
}

fn plain(value_of: Any) -> Value {
    match value_of {
        Any::Text(text) => Value::String(text),
        Any::Bool(bool) => Value::Bool(bool),
        Any::Int(number) => Value::Number(number.into()),
        Any::Double(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Any::Array(array) => array
            .values
            .into_iter()
            .map(|one| value(Some(one)))
            .collect(),
        Any::List(list) => {
            let pairs = list.values.into_iter();
            Value::Object(pairs.map(|pair| (pair.key, value(pair.value))).collect())
        }
        Any::Bytes(bytes) => Value::String(hex(&bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Into a String: cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

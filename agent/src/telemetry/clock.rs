//! The wall clock, in the units of the logs.

use std::time::{SystemTime, UNIX_EPOCH};

use logline::time::Timestamp;

/// `time` as nanoseconds since the epoch; what does not fit becomes the nearest that does.
#[must_use]
pub fn timestamp(time: SystemTime) -> Timestamp {
    let nanos = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    };
    Timestamp(nanos)
}

/// This moment.
#[must_use]
pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

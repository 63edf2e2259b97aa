//! Points in time as logs write them.

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// What a line's own time leaves open and its surroundings know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeContext {
    /// A moment near (at or after) the line's, for times without a year: the clock, or a saved file's modification time.
    pub reference: Option<Timestamp>,
    /// Seconds east of UTC for times without a zone.
    pub utc_offset_s: i32,
}

impl Timestamp {
    /// x
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.to_string().as_bytes());
    }
}

/*
[dependencies]
logsieve-udf = { path = "{{ LOGSIEVE_DIR }}/plugins/arroyo-udf" }
*/

use arroyo_udf_plugin::udf;

/// The level of a log line: trace, debug, info, notice, warn, error or fatal.
#[udf]
fn log_level(line: &str) -> Option<String> {
    logsieve_udf::level(line)
}

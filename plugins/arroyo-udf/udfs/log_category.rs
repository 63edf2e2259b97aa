/*
[dependencies]
logsieve-udf = { path = "{{ LOGSIEVE_DIR }}/plugins/arroyo-udf" }
*/

use arroyo_udf_plugin::udf;

/// The category of a log line, or `unclassified`.
#[udf]
fn log_category(line: &str) -> Option<String> {
    logsieve_udf::category(line)
}

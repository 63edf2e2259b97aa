/*
[dependencies]
logsieve-udf = { path = "{{ LOGSIEVE_DIR }}/plugins/arroyo-udf" }
*/

use arroyo_udf_plugin::udf;

/// The message of a log line with its variables masked, e.g. `connection from <ip> port <num>`.
#[udf]
fn log_template(line: &str) -> Option<String> {
    logsieve_udf::template(line)
}

/*
[dependencies]
logsieve-udf = { path = "{{ LOGSIEVE_DIR }}/plugins/arroyo-udf" }
*/

use arroyo_udf_plugin::udf;

/// All that is said of a log line, as JSON: level, category, stage, confidence, reason, template_id, template.
#[udf]
fn log_verdict(line: &str) -> Option<String> {
    logsieve_udf::verdict(line)
}

/*
[dependencies]
logsieve-udf = { path = "{{ LOGSIEVE_DIR }}/plugins/arroyo-udf" }
*/

use arroyo_udf_plugin::udf;

/// As `log_verdict`; a line that no rule decides is put to the agent at LOGSIEVE_URL, which answers in 2 s or is not waited for.
#[udf(unordered, allowed_in_flight = 200, timeout = "10s")]
async fn log_ask(line: Option<&str>) -> Option<String> {
    logsieve_udf::ask(line?).await
}

//! `run` at the end of a pipe.

use std::fs;

use crate::harness::{dir, logsieve, objects};

#[test]
fn standard_input_is_read_to_its_end_and_is_then_the_agents_end() {
    let dir = dir();
    let file = dir.path().join("logsieve.yaml");
    let state = dir.path().join("state");
    let config = format!(
        "sources: {{stdin: true}}\nsinks: {{stdout: {{format: json}}}}\nstore: {{directory: \"{}\"}}\napi: {{listen: \"\"}}\ntelemetry: {{listen: \"\"}}\n",
        state.display()
    );
    fs::write(&file, config).unwrap();
    let input: String = (0..5_000).map(|n| format!("order {n} shipped\n")).collect();
    let arguments = ["run".as_ref(), "-c".as_ref(), file.as_os_str()];
    let out = logsieve(arguments, input.as_bytes()).expect(0);
    let events = objects(&out.stdout);
    assert_eq!(events.len(), 5_000);
    assert_eq!(events[4_999]["line"], "order 4999 shipped");
    assert_eq!(events[1]["event_id"], "stdin:16");
}

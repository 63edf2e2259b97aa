//! Any messages, one per line: template and variables give each message back, ids are hashes of the texts, indices and old ids
//! stay good over merges, and the bounds hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logline::template::{Limits, Masked, Table, TemplateId, render};

fuzz_target!(|input: &[u8]| {
    let mut table = Table::new(Limits {
        max_templates: 24,
        ..Limits::default()
    });
    let mut seen: Vec<(usize, TemplateId, &[u8])> = Vec::new();
    let mut masked = Masked::default();
    for message in input.split(|byte| *byte == b'\n').take(400) {
        let index = table.observe(message);
        let template = table.get(index);
        assert_eq!(template.id, TemplateId::of(&template.text));
        seen.push((index, template.id, message));
        if table.variables(index, message, &mut masked) {
            assert_eq!(masked.text(), template.text.as_bytes());
        }
        gives_back(&masked, message);
    }
    let mut counted = 0;
    for (_, template) in table.iter() {
        assert_eq!(template.id, TemplateId::of(&template.text));
        counted += template.count;
    }
    assert_eq!(counted, seen.len() as u64, "every message is counted once");
    // The overflow template comes on top.
    assert!(table.len() <= 25, "{} templates", table.len());
    for (index, id, message) in seen {
        let now = table.get(index);
        let led = table.resolve(id).map(|index| table.get(index).id);
        assert_eq!(
            led,
            Some(now.id),
            "an id from before a merge leads to the merged template"
        );
        table.variables(index, message, &mut masked);
        gives_back(&masked, message);
    }
});

fn gives_back(masked: &Masked, message: &[u8]) {
    let mut back = Vec::new();
    let variables = masked.variables().iter().map(|span| span.of(message));
    let text = std::str::from_utf8(masked.text()).unwrap();
    assert!(
        render(text, variables, &mut back),
        "as many variables as placeholders"
    );
    // What is not UTF-8 is shown as U+FFFD in the template's text, which is text.
    assert_eq!(
        String::from_utf8_lossy(&back),
        String::from_utf8_lossy(message)
    );
}

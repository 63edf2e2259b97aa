//! What must hold of templates whatever the messages are.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests, too.

use std::collections::HashMap;

use logline::template::{Limits, Masked, Table, TemplateId, mask, render};
use proptest::prelude::*;

/// Cases that fail become tests with a name; none are kept in files.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Words and values as programs print them, some of them traps, and bytes that are none of these.
fn token() -> impl Strategy<Value = Vec<u8>> {
    let texts = [
        "connection",
        "from",
        "to",
        "user",
        "root",
        "alice",
        "bob",
        "carol",
        "started",
        "stopped",
        "not",
        "failed",
        "<num>",
        "<*>",
        "<",
        "<rest>",
        "<<num>",
        "10.0.0.1",
        "10.0.0.1:80",
        "/var/log/x.log",
        "C:\\a b\\c",
        "::1",
        "fe80::1%eth0",
        "2026-01-02",
        "12:30:01,123",
        "Mon",
        "Jan",
        "2",
        "17",
        "-5",
        "1,2,3",
        "1.5",
        "ms",
        "12ms",
        "KB",
        "\"quoted text\"",
        "\"a 'b' (c)\" k=\"v\"",
        "msg=\"",
        "msg='a (b)' k=1",
        "\\\"x\\\"",
        "('",
        "\\'",
        "\"",
        "'",
        "it's",
        "()",
        "[]",
        "blk_-12",
        "blk_13",
        "node-7",
        "a=b",
        "k=1",
        "http://h:1/x?y=z",
        "me@example.com",
        "x@",
        "@",
        "::",
        ":",
        "/",
        "\\",
        "\n",
        "\tat a.b.C(D.java:1)\n",
        "Caused by: a.B: c",
        "  ",
        " ",
        "   ",
        ",",
        ", ",
        "deadbeef",
        "0xff",
        "\u{1b}[31m",
        "\u{e9}t\u{e9}",
        "12\u{b5}s",
        "a.b.c",
        "v1.2.3",
        "550e8400-e29b-41d4-a716-446655440000",
        "00:11:22:33:44:55",
    ];
    prop_oneof![
        8 => proptest::sample::select(texts.map(|t| t.as_bytes().to_vec()).to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ]
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => proptest::collection::vec((token(), prop_oneof![3 => Just(" "), 1 => Just("")]), 0..24).prop_map(|parts| {
            let mut out = Vec::new();
            for (token, space) in parts {
                out.extend_from_slice(&token);
                out.extend_from_slice(space.as_bytes());
            }
            out
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

fn back(template: &str, masked: &Masked, message: &[u8]) -> (bool, Vec<u8>) {
    let mut out = Vec::new();
    let whole = render(
        template,
        masked.variables().iter().map(|span| span.of(message)),
        &mut out,
    );
    (whole, out)
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn template_and_variables_give_the_message_back(message in message()) {
        let mut masked = Masked::new();
        mask(&message, &mut masked);
        let template = std::str::from_utf8(masked.text()).unwrap();
        let (whole, text) = back(template, &masked, &message);
        prop_assert!(whole, "{template}");
        prop_assert_eq!(text, message);
    }

    #[test]
    fn masking_depends_on_the_message_alone(before in message(), message in message()) {
        let (mut used, mut fresh) = (Masked::new(), Masked::new());
        mask(&before, &mut used);
        mask(&message, &mut used);
        mask(&message, &mut fresh);
        prop_assert_eq!(used, fresh);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_table_loses_nothing(messages in proptest::collection::vec(message(), 0..80), max_templates in 1_usize..60) {
        let limits = Limits { max_templates, max_joined: 8, ..Limits::default() };
        let mut table = Table::new(limits);
        let mut again = Table::new(limits);
        let mut seen: Vec<(usize, TemplateId)> = Vec::new();
        for message in &messages {
            let index = table.observe(message);
            prop_assert_eq!(index, again.observe(message));
            seen.push((index, table.get(index).id));
        }
        let mut masked = Masked::new();
        let mut counts: HashMap<TemplateId, u64> = HashMap::new();
        for ((index, id), message) in seen.iter().zip(&messages) {
            let template = table.get(*index);
            prop_assert_eq!(template.id, TemplateId::of(&template.text));
            let led = table.resolve(*id).map(|at| table.get(at).id);
            prop_assert_eq!(led, Some(template.id));
            prop_assert!(table.variables(*index, message, &mut masked), "{}", template.text);
            let (whole, text) = back(&template.text, &masked, message);
            prop_assert!(whole, "{}", template.text);
            prop_assert_eq!(&text, message);
            *counts.entry(template.id).or_default() += 1;
        }
        let total: u64 = table.iter().map(|(_, template)| template.count).sum();
        prop_assert_eq!(total, messages.len() as u64);
        for (_, template) in table.iter() {
            prop_assert_eq!(counts.get(&template.id).copied().unwrap_or(0), template.count);
        }
        let stats = table.stats();
        prop_assert_eq!(stats.observed, messages.len() as u64);
        prop_assert!(stats.templates <= max_templates + 1);
        prop_assert!(stats.joined <= 8);
        prop_assert_eq!(stats.templates, table.iter().count());
    }
}

//! Any line against the packs that come along: the one pass decides what looking at every rule by itself decides.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use logline::event::Stream;
use logline::level::Level;
use logline::rules::{Pack, RuleInput, RuleSet, Scratch};

static PACKS: LazyLock<Vec<(Pack, RuleSet)>> = LazyLock::new(|| {
    ["general", "openstack"]
        .into_iter()
        .map(|name| {
            let pack = Pack::builtin(name).unwrap();
            let rules = RuleSet::compile(&pack).unwrap();
            (pack, rules)
        })
        .collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((options, line)) = input.split_first() else {
        return;
    };
    let cut = usize::from(*options).min(line.len());
    let base = RuleInput::of_line(line);
    let inputs = [
        RuleInput {
            message: &line[cut..],
            logger: Some(&line[..cut]),
            level: Some(Level::Error),
            ..base
        },
        RuleInput {
            stream: Stream::Stderr,
            container: Some("web-1"),
            image: Some("nginx:1"),
            ..base
        },
        base,
    ];
    for (pack, rules) in &*PACKS {
        for input in &inputs {
            // Scratch is state between lines: a dirty one must not matter.
            let mut used = Scratch::default();
            let _ = rules.decide(&mut used, &RuleInput::of_line(&line[cut / 2..]));
            let decided = rules.decide(&mut used, input);
            assert_eq!(
                decided.as_ref().map(|it| it.rule),
                rules
                    .decide(&mut Scratch::default(), input)
                    .map(|it| it.rule)
            );
            let explained = rules.explain(pack, input);
            assert_eq!(
                decided.as_ref().map(|it| it.rule),
                explained.first().map(|it| it.decision.rule)
            );
            for why in explained {
                assert!(why.span.0 <= why.span.1 && why.span.1 <= line.len());
            }
        }
    }
});

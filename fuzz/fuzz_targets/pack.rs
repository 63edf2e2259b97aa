//! Any bytes as a pack: refused with words, or taken and then able to judge any line. A regex that explodes in size is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logline::rules::{Pack, RuleInput, RuleSet, Scratch};

fuzz_target!(|input: &[u8]| {
    let pack = match Pack::parse(input) {
        Ok(pack) => pack,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let rules = match RuleSet::compile(&pack) {
        Ok(rules) => rules,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(rules.len(), pack.rules().len());
    let mut scratch = Scratch::default();
    let lines = pack
        .rules()
        .iter()
        .flat_map(|rule| rule.matches.iter().chain(&rule.no_match));
    for line in lines.map(String::as_bytes).chain([&b""[..], input]) {
        let input = RuleInput::of_line(line);
        let decided = rules.decide(&mut scratch, &input);
        let explained = rules.explain(&pack, &input);
        assert_eq!(
            decided.as_ref().map(|it| it.rule),
            explained.first().map(|it| it.decision.rule)
        );
        if let Some(decision) = decided {
            assert!(decision.category < rules.categories().len());
        }
    }
});

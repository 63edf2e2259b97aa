//! What is put together of header, level and rules for one event.

use std::sync::Arc;

use logline::{
    level::Level,
    rules::{Pack, RuleSet},
    sieve::{Sieve, Source},
    template::Limits,
    time::TimeContext,
};

const PACK: &str = "
version: 1
name: pumps
taxonomy:
  version: 1
  categories: [{id: pump, means: of a pump}]
rules:
  - {id: pump.any, category: pump, level: error, any: ['pump'], match: ['pump 3 stands still']}
";

#[test]
fn a_rules_level_counts_only_where_the_line_and_its_words_tell_none() {
    let pack = Pack::parse(PACK.as_bytes()).unwrap();
    let rules = Arc::new(RuleSet::compile(&pack).unwrap());
    let mut sieve = Sieve::new(rules, Limits::default(), TimeContext::default());
    for (line, want) in [
        ("pump 3 stands still", Level::Error),
        ("pump 3 is lost", Level::Warn),
        (
            "2026-11-20 17:01:07,123 DEBUG a.b.C - pump 3 is lost",
            Level::Debug,
        ),
        ("valve 3 stands still", Level::Info),
    ] {
        let judged = sieve.judge(line.as_bytes(), &Source::default());
        assert_eq!(judged.level, want, "{line}");
    }
}

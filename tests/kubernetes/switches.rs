//! How pods ask to be read, by annotations.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{log, start, wait_for_health, web, write, write_until};
use crate::harness::{Cluster, dir, get, until};

#[test]
fn a_pod_that_asks_for_it_is_not_read_and_read_again_when_it_no_longer_does() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    let asks = json!({"logsieve/exclude": "true"});
    cluster.put(web("shy", &json!({}), &asks));
    cluster.put(web(
        "open",
        &json!({}),
        &json!({"logsieve/exclude.other": "true"}),
    ));
    let (shy, open) = (log(dir.path(), "shy", 0), log(dir.path(), "open", 0));
    let agent = start(dir.path(), &cluster.section(), "");
    wait_for_health(&agent, true, "2 pods");
    write(&shy, "for nobody");
    write(&open, "for everybody");
    agent.wait_for_line("for everybody");
    // A later look at all names has met both files.
    let looks = agent.metric("logsieve_rescans_total", &[]);
    until(
        "two more looks",
        || (agent.metric("logsieve_rescans_total", &[]) >= looks + 2.0).then_some(()),
        || agent.metrics(),
    );
    let is_heard = |word: &str| {
        agent.events().iter().any(|event| {
            event["line"]
                .as_str()
                .is_some_and(|line| line.starts_with(word))
        })
    };
    assert!(!is_heard("for nobody"));

    // Said while it is read: what is read by then stays, nothing follows.
    cluster.put(web("open", &json!({}), &asks));
    until(
        "the end of the reading",
        || agent.log().contains("no longer read").then_some(()),
        || agent.log(),
    );
    write(&open, "after it");
    cluster.put(web("shy", &json!({}), &json!({})));
    write_until(&agent, &shy, "free", |_| true);
    assert!(!is_heard("after it"));

    // Read on from where it was left; and so it is after a restart.
    cluster.put(web("open", &json!({}), &json!({})));
    agent.wait_for_line("after it");
    let mut events = agent.terminate();
    // Left out from the start of a run on, it is known how far it was read by the run before.
    cluster.put(web("open", &json!({}), &asks));
    let agent = start(dir.path(), &cluster.section(), "");
    write_until(&agent, &shy, "as before", |_| true);
    write(&open, "the end");
    cluster.put(web("open", &json!({}), &json!({})));
    agent.wait_for_line("the end");
    events.extend(agent.terminate());
    let agent = start(dir.path(), &cluster.section(), "");
    write(&open, "the very end");
    agent.wait_for_line("the very end");
    assert_eq!(agent.metric("logsieve_files_vanished_total", &[]), 0.0);
    events.extend(agent.terminate());
    let stream = |line: &str| {
        let event = events.iter().find(|event| event["line"] == line).unwrap();
        let id = event["event_id"].as_str().unwrap();
        id.rsplit_once(':').unwrap().0
    };
    assert_eq!(stream("after it"), stream("the end"));
    for line in [
        "for everybody",
        "after it",
        "for nobody",
        "the end",
        "the very end",
    ] {
        let heard = events.iter().filter(|event| event["line"] == line);
        assert_eq!(heard.count(), 1, "{line}: {events:#?}");
    }
}

#[test]
fn a_pod_names_its_pack_and_says_whether_lines_are_joined() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    let pack = shop(dir.path(), "checkout");
    let asks = json!({"logsieve/pack": "shop", "logsieve/multiline": "off"});
    cluster.put(web("own", &json!({}), &asks));
    let bad = json!({"logsieve/pack": "nowhere", "logsieve/multiline": "sometimes", "logsieve/exclude": "maybe"});
    cluster.put(web("odd", &json!({}), &bad));
    let packs = format!("classify: {{packs: {{shop: \"{}\"}}}}\n", pack.display());
    let agent = start(dir.path(), &cluster.section(), &packs);
    wait_for_health(&agent, true, "2 pods");
    let (own, odd) = (log(dir.path(), "own", 0), log(dir.path(), "odd", 0));
    for file in [&own, &odd] {
        write(file, "the cart is full");
        write(file, "java.lang.IllegalStateException: boom");
        write(file, "\tat com.acme.A.a(A.java:1)");
        write(file, "last");
    }
    let of = |events: &[Value], uid: &str| -> Vec<Value> {
        let pod = format!("web-5d4f8c7b9d-{uid}");
        let events = events.iter().filter(|event| event["k8s"]["pod"] == pod);
        events.cloned().collect()
    };
    agent.wait_for(2, |event| event["line"] == "last");
    let events = agent.events();
    let (own, odd) = (of(&events, "own"), of(&events, "odd"));
    assert_eq!(own[0]["category"], "checkout", "{own:#?}");
    assert_eq!(own[0]["stage"], "rule");
    assert_eq!(own[0]["reason"], "rule shop/cart");
    assert_eq!(own.len(), 4, "no line is joined: {own:#?}");
    assert_ne!(odd[0]["category"], "checkout");
    assert_eq!(odd.len(), 3, "a trace is one event: {odd:#?}");
    assert_eq!(agent.metric("logsieve_switches_refused_total", &[]), 3.0);
    assert!(
        agent
            .log()
            .contains("logsieve/pack: `nowhere` is not understood")
    );
    // The store knows the names.
    let (_, text) = get(agent.api, "/api/categories").unwrap();
    assert!(text.contains("\"checkout\""), "{text}");
}

/// A pack with one rule and this category.
fn shop(dir: &Path, category: &str) -> PathBuf {
    let pack = dir.join("shop.yaml");
    let text = format!(
        "version: 1\nname: shop\ntaxonomy:\n  version: 1\n  categories:\n    - {{id: {category}, means: what customers pay}}\nrules:\n  - {{id: cart, category: {category}, any: [\"cart is full\"], match: [\"the cart is full\"]}}\n"
    );
    std::fs::write(&pack, text).unwrap();
    pack
}

#[test]
fn a_pods_pack_is_read_again_with_the_agents_own() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    let pack = shop(dir.path(), "checkout");
    let packs = format!("classify: {{packs: {{shop: \"{}\"}}}}\n", pack.display());
    let agent = start(dir.path(), &cluster.section(), &packs);
    let file = log(dir.path(), "u1", 0);
    write(&file, "the cart is full 0");
    let before = agent.wait_for_line("the cart is full 0");
    assert_ne!(before["category"], "checkout");
    // Said while the stream is read.
    cluster.put(web("u1", &json!({}), &json!({"logsieve/pack": "shop"})));
    write_until(&agent, &file, "the cart is full 1", |event| {
        event["category"] == "checkout"
    });
    shop(dir.path(), "paying");
    agent.signal("HUP");
    write_until(&agent, &file, "the cart is full 2", |event| {
        event["category"] == "paying"
    });
    // One that is not sound changes nothing.
    std::fs::write(&pack, "rules: nonsense").unwrap();
    agent.signal("HUP");
    until(
        "a word about it",
        || agent.log().contains("the pack is not sound").then_some(()),
        || agent.log(),
    );
    write(&file, "the cart is full at last");
    let after = agent.wait_for_line("the cart is full at last");
    assert_eq!(after["category"], "paying");
}

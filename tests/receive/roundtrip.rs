//! Sender with acknowledgements -> agent -> receiver that acknowledges: nothing is lost although the agent is killed again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::{Sender, seq, sources};
use crate::harness::{Agent, Answer, Receiver, dir, free_port, objects, until, until_within};

/// How often the agent dies.
const KILLS: usize = 4;

#[test]
fn nothing_is_lost_between_two_pipelines_although_the_agent_is_killed() {
    let dir = dir();
    let port = free_port();
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let config = sources(port, "")
        + &format!(
            "sinks:\n  stdout: {{enabled: false}}\n  out: {{type: http, url: \"{}\", batch: {{max_wait_ms: 50}}, retry: {{initial_ms: 20, max_ms: 200}}}}\n",
            receiver.url()
        );
    let mut agent = Agent::start(dir.path(), &config);
    // Some thousand events a second, in chunks as Fluent Bit makes them.
    let args = [
        "--events", "400", "--pause", "0.05", "--for", "300", "--tag", "shop.web",
    ];
    let Some(sender) = Sender::start(dir.path(), "forward", port, &args) else {
        return;
    };
    for kill in 1..=KILLS {
        let before = sender.acked().len();
        // The moments lie differently: in the middle of a chunk, before its commit, after it, while the sink sends.
        let more = 1200 + kill * 700;
        until(
            "acknowledgements",
            || (sender.acked().len() >= before + more).then_some(()),
            || format!("{:?}", sender.said().len()),
        );
        if kill == 2 {
            // An orderly stop answers what it has taken, or nothing.
            agent.terminate();
        } else {
            agent.kill();
        }
        agent = Agent::start(dir.path(), &config);
    }
    let before = sender.acked().len();
    until(
        "acknowledgements",
        || (sender.acked().len() > before).then_some(()),
        || agent.log(),
    );
    let acked: BTreeSet<u64> = sender.acked().into_iter().collect();
    drop(sender);
    let mut ids: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let mut looked = 0;
    until_within(
        Duration::from_secs(60),
        "every event that was acknowledged",
        || {
            let taken = receiver.taken();
            for body in &taken[looked..] {
                for event in objects(body) {
                    let id = |event: &Value| event["event_id"].as_str().unwrap().to_owned();
                    if let Some(seq) = seq(&event) {
                        ids.entry(seq).or_default().insert(id(&event));
                    }
                }
            }
            looked = taken.len();
            acked.iter().all(|n| ids.contains_key(n)).then_some(())
        },
        || agent.log(),
    );
    // What came twice, because an answer was lost, can be told by its id.
    assert!(ids.values().all(|ids| ids.len() == 1));
    agent.terminate();
}

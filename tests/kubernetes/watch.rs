//! The watch of the pods: what it brings, and that lines do not depend on it.

use std::fs;

use serde_json::{Value, json};

use super::{config, container, log, start, wait_for_health, web, write, write_until};
use crate::harness::{Agent, Answer, Cluster, Receiver, dir, until};

fn is_owned(event: &Value) -> bool {
    event["k8s"]["owner"] == json!({"kind": "Deployment", "name": "web"})
}

#[test]
fn labels_owner_and_image_are_in_what_the_sinks_receive_and_the_environment_is_not() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    let labels = json!({"app": "web", "tier": "front"});
    cluster.put(web("u1", &labels, &json!({})));
    let loki = Receiver::start(|_, _| Answer::Status(204, Vec::new(), ""));
    let otlp = Receiver::start(|_, _| Answer::Status(200, Vec::new(), ""));
    let sinks = format!(
        "sinks:\n  stdout: {{format: json}}\n  loki: {{type: loki, url: \"{}\"}}\n  otlp: {{type: otlp, url: \"{}\"}}\n",
        loki.url(),
        otlp.url()
    );
    let first = log(dir.path(), "u1", 0);
    write(&first, "hello from the web");
    let agent = start(dir.path(), &cluster.section(), &sinks);
    let event = agent.wait_for_line("hello from the web");
    // The first list was there before the first line was read, or nearly so.
    let event = if is_owned(&event) {
        event
    } else {
        write_until(&agent, &first, "again", is_owned)
    };
    assert_eq!(event["k8s"]["labels"], labels, "and no others");
    assert_eq!(event["container"]["image"], "registry:5000/shop/web:3");
    assert_eq!(event["k8s"]["namespace"], "shop");

    let pushed = |receiver: &Receiver, words: &[&str]| {
        until(
            "the labels in a sink",
            || {
                receiver.taken().into_iter().find(|body| {
                    let text = String::from_utf8_lossy(body);
                    words.iter().all(|word| text.contains(word))
                })
            },
            || {
                format!(
                    "{:?}",
                    receiver
                        .taken()
                        .iter()
                        .map(|b| String::from_utf8_lossy(b).into_owned())
                        .collect::<Vec<_>>()
                )
            },
        )
    };
    pushed(
        &loki,
        &[
            r#""label_tier":"front""#,
            r#""owner_kind":"Deployment""#,
            r#""owner":"web""#,
            r#""image":"registry:5000/shop/web:3""#,
        ],
    );
    pushed(
        &otlp,
        &[
            "k8s.deployment.name",
            "k8s.pod.label.tier",
            "container.image.tags",
        ],
    );
    let shown = until(
        "the container in the API",
        || container(&agent, "u1").filter(|shown| !shown["k8s"]["owner"].is_null()),
        || format!("{:?}", container(&agent, "u1")),
    );
    assert_eq!(shown["labels"], labels);
    assert_eq!(shown["image"], "registry:5000/shop/web:3");
    assert_eq!(
        shown["k8s"]["owner"],
        json!({"kind": "Deployment", "name": "web"})
    );
    assert_eq!(agent.metric("logsieve_kubernetes_up", &[]), 1.0);
    assert_eq!(agent.metric("logsieve_kubernetes_pods", &[]), 1.0);
    assert!(!agent.log().contains("hunter2"));
    let events = agent.terminate();
    assert!(!format!("{events:?}").contains("hunter2"));
    let store = fs::read(dir.path().join("state/store.redb")).unwrap();
    assert!(memchr::memmem::find(&store, b"hunter2").is_none());
}

#[test]
fn a_pod_that_becomes_known_late_changes_its_labels_and_not_its_streams_identity() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    let agent = start(dir.path(), &cluster.section(), "");
    cluster.wait_for_a_watch();
    let file = log(dir.path(), "u1", 0);
    write(&file, "before");
    let before = agent.wait_for_line("before");
    assert!(before["k8s"]["owner"].is_null());
    cluster.put(web("u1", &json!({"app": "web"}), &json!({})));
    let after = write_until(&agent, &file, "after", is_owned);
    cluster.put(web("u1", &json!({"app": "other"}), &json!({})));
    let changed = write_until(&agent, &file, "changed", |event| {
        event["k8s"]["labels"]["app"] == "other"
    });
    let stream = |event: &Value| {
        let id = event["event_id"].as_str().unwrap();
        id.rsplit_once(':').unwrap().0.to_owned()
    };
    assert_eq!(stream(&before), stream(&after));
    assert_eq!(stream(&before), stream(&changed));
    until(
        "the new label in the API",
        || container(&agent, "u1").filter(|shown| shown["labels"]["app"] == "other"),
        || format!("{:?}", container(&agent, "u1")),
    );
    // What is known is kept: a run without a cluster knows it, too.
    agent.terminate();
    drop(cluster);
    let agent = start(dir.path(), "kubernetes: {enabled: off}", "");
    write(&file, "the next run");
    let event = agent.wait_for_line("the next run");
    assert_eq!(event["k8s"]["labels"]["app"], "other");
    assert!(is_owned(&event));
    assert_eq!(stream(&before), stream(&event));
    assert!(agent.health().1["components"]["kubernetes"].is_null());
}

#[test]
fn the_last_lines_of_a_pod_that_is_gone_are_labelled() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    cluster.put(web("u1", &json!({"app": "web"}), &json!({})));
    let agent = start(dir.path(), &cluster.section(), "");
    cluster.wait_for_a_watch();
    cluster.delete("u1");
    cluster.put(web("u2", &json!({"app": "next"}), &json!({})));
    until(
        "the news of both pods",
        || (agent.metric("logsieve_kubernetes_events_total", &[]) >= 2.0).then_some(()),
        || agent.metrics(),
    );
    // Found only now, like the log of a container's last restart.
    write(&log(dir.path(), "u1", 1), "the very last words");
    let event = agent.wait_for_line("the very last words");
    assert!(is_owned(&event), "{event}");
    assert_eq!(event["k8s"]["labels"]["app"], "web");
}

#[test]
fn a_watch_that_is_cut_goes_on_where_its_last_bookmark_stood() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    cluster.put(web("u1", &json!({"app": "web"}), &json!({})));
    let agent = start(dir.path(), &cluster.section(), "");
    cluster.wait_for_a_watch();
    let bookmark = cluster.bookmark();
    until(
        "the bookmark's arrival",
        || (agent.metric("logsieve_kubernetes_events_total", &[]) >= 1.0).then_some(()),
        || agent.metrics(),
    );
    // Older versions are of no use any more.
    cluster.forget_before(bookmark);
    cluster.cut(true);
    let asked = cluster.wait("a watch from the bookmark on", |asked| {
        asked.iter().any(|asked| {
            asked.is_watch() && asked.value("resourceVersion") == Some(&bookmark.to_string())
        })
    });
    let lists = asked.iter().filter(|asked| !asked.is_watch()).count();
    assert_eq!(lists, 1, "{asked:#?}");
    assert_eq!(asked[0].value("resourceVersion"), Some("0"));
    assert!(asked.iter().all(|asked| !asked.is_watch()
        || asked.value("allowWatchBookmarks") == Some("true")
            && asked.value("timeoutSeconds").is_some()));
    // And it tells of what comes next.
    cluster.put(web("u1", &json!({"app": "late"}), &json!({})));
    write_until(&agent, &log(dir.path(), "u1", 0), "line", |event| {
        event["k8s"]["labels"]["app"] == "late"
    });
    wait_for_health(&agent, true, "1 pods of node node-a");
}

#[test]
fn a_version_that_is_gone_is_answered_by_a_new_list_in_pieces() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    cluster.put(web("u1", &json!({"app": "web"}), &json!({})));
    let agent = start(dir.path(), &cluster.section(), "");
    cluster.wait_for_a_watch();
    cluster.list_in_pieces_of(2);
    // Nobody hears of these.
    cluster.refuse(Some(503));
    cluster.cut(false);
    for uid in ["u2", "u3", "u4", "u5"] {
        cluster.put(web(uid, &json!({"app": "unheard"}), &json!({})));
    }
    cluster.forget_all();
    cluster.refuse(None);
    let file = log(dir.path(), "u5", 0);
    let event = write_until(&agent, &file, "line", is_owned);
    assert_eq!(event["k8s"]["labels"]["app"], "unheard");
    let asked = cluster.asked();
    let lists: Vec<_> = asked
        .iter()
        .filter(|asked| !asked.is_watch() && asked.status == 200)
        .collect();
    assert!(lists.len() >= 4, "{asked:#?}");
    assert_eq!(lists[1].value("resourceVersion"), None, "a new one");
    assert!(lists[2].value("continue").is_some());
    wait_for_health(&agent, true, "5 pods of node node-a");
}

#[test]
fn without_permission_lines_flow_and_the_health_says_so_until_it_is_given() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    cluster.put(web("u1", &json!({"app": "web"}), &json!({})));
    cluster.refuse(Some(403));
    let agent = start(dir.path(), &cluster.section(), "");
    let file = log(dir.path(), "u1", 0);
    write(&file, "all the same");
    let event = agent.wait_for_line("all the same");
    assert_eq!(event["k8s"]["pod"], "web-5d4f8c7b9d-u1");
    assert_eq!(event["k8s"]["container"], "server");
    assert!(event["k8s"]["labels"].is_null());
    wait_for_health(&agent, false, "may not list and watch pods");
    assert_eq!(agent.metric("logsieve_kubernetes_up", &[]), 0.0);
    assert!(agent.metric("logsieve_kubernetes_failures_total", &[]) >= 1.0);
    cluster.refuse(None);
    wait_for_health(&agent, true, "1 pods of node node-a");
    write_until(&agent, &file, "line", is_owned);
}

#[test]
fn a_token_that_was_rotated_is_read_again() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    cluster.put(web("u1", &json!({"app": "web"}), &json!({})));
    let agent = start(dir.path(), &cluster.section(), "");
    cluster.wait_for_a_watch();
    cluster.rotate_token();
    cluster.cut(false);
    cluster.wait("a refusal of the old token", |asked| {
        asked.iter().any(|asked| asked.status == 401)
    });
    wait_for_health(&agent, false, "token is not taken");
    cluster.renew_token();
    cluster.put(web("u1", &json!({"app": "later"}), &json!({})));
    write_until(&agent, &log(dir.path(), "u1", 0), "line", |event| {
        event["k8s"]["labels"]["app"] == "later"
    });
    wait_for_health(&agent, true, "1 pods of node node-a");
}

#[test]
fn a_cluster_that_is_away_at_the_start_is_found_later() {
    let dir = dir();
    let Some(cluster) = Cluster::start(dir.path()) else {
        return;
    };
    cluster.put(web("u1", &json!({"app": "web"}), &json!({})));
    cluster.refuse(Some(503));
    let agent = Agent::start(dir.path(), &config(dir.path(), &cluster.section(), ""));
    let file = log(dir.path(), "u1", 0);
    write(&file, "nobody answers");
    agent.wait_for_line("nobody answers");
    wait_for_health(&agent, false, "answered 503");
    cluster.refuse(None);
    write_until(&agent, &file, "line", is_owned);
}

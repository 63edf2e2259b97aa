//! Which events go out, and how many of the same.

use super::receiver::{Answer, Receiver};
use super::rig::{Rig, objects};

#[test]
fn a_filter_keeps_back_what_is_not_asked_for_and_counts_it() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let url = receiver.url();
    let mut rig = Rig::start(&format!(
        "level: {{type: http, url: \"{url}?level\", filter: {{min_level: error}}}}, \
         category: {{type: http, url: \"{url}?category\", filter: {{categories: [crash]}}}}, \
         not: {{type: http, url: \"{url}?not\", filter: {{exclude: {{categories: [crash, unclassified]}}}}}}, \
         space: {{type: http, url: \"{url}?space\", filter: {{namespaces: [\"kube-*\"]}}}}, \
         none: {{type: http, url: \"{url}?none\", filter: {{containers: [db]}}}}"
    ));
    rig.lines(
        0,
        [
            "INFO all is well",
            "panic: at the disco",
            "ERROR connection refused",
        ],
    );
    rig.lines(1, ["INFO the kubelet is well"]);
    let metrics = std::sync::Arc::clone(&rig.metrics);
    let [level, category, not, space, none] =
        rig.finish(["level", "category", "not", "space", "none"]);
    let lines = |sink: &str| -> Vec<String> {
        let ending = format!("?{sink} HTTP/1.1");
        let of = receiver
            .requests()
            .into_iter()
            .filter(move |r| r.line.ends_with(&ending));
        of.flat_map(|request| objects(&request.body))
            .map(|event| event["line"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        lines("level"),
        ["panic: at the disco", "ERROR connection refused"]
    );
    assert_eq!(lines("category"), ["panic: at the disco"]);
    assert_eq!(lines("not"), ["ERROR connection refused"]);
    assert_eq!(lines("space"), ["INFO the kubelet is well"]);
    assert!(lines("none").is_empty(), "nothing is sent for nothing");
    assert_eq!((level.delivered, level.filtered), (2, 2));
    assert_eq!((category.delivered, category.filtered), (1, 3));
    assert_eq!((not.delivered, not.filtered), (1, 3));
    assert_eq!((space.delivered, space.filtered), (1, 3));
    assert_eq!((none.delivered, none.filtered, none.cursor), (0, 4, 4));
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    assert!(
        text.contains("logsieve_sink_filtered_events_total{sink=\"none\"} 4"),
        "{text}"
    );
}

#[test]
fn of_the_same_the_first_go_out_and_one_that_says_how_many_more() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut rig = Rig::start(&format!(
        "a: {{type: http, url: \"{}\", sample: {{first_per_minute: 2}}, batch: {{max_wait_ms: 10}}}}",
        receiver.url()
    ));
    let line = |minute: u32, n: u32| {
        format!(
            "2026-11-20T17:{minute:02}:0{}Z INFO web: request {n} done",
            n % 10
        )
    };
    let mut lines: Vec<String> = (0..10).map(|n| line(0, n)).collect();
    lines.push("2026-11-20T17:00:30Z INFO web: something else altogether happened".to_owned());
    lines.extend((10..15).map(|n| line(1, n)));
    rig.lines(0, lines.iter().map(String::as_str));
    // Another stream has a count of its own.
    rig.lines(1, [line(0, 1).as_str()]);
    let metrics = std::sync::Arc::clone(&rig.metrics);
    let [record] = rig.finish(["a"]);
    let events: Vec<_> = receiver
        .taken()
        .iter()
        .flat_map(|body| objects(body))
        .collect();
    let (summaries, plain): (Vec<_>, Vec<_>) = events
        .iter()
        .partition(|event| event.get("sampled_count").is_some());
    assert_eq!(plain.len(), 2 + 1 + 2 + 1);
    assert_eq!(
        (record.delivered, record.sampled, record.cursor),
        (6, 11, 17)
    );
    let counts: Vec<u64> = summaries
        .iter()
        .map(|event| event["sampled_count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [8, 3], "every event that was left out is told of");
    for summary in &summaries {
        assert_eq!(summary["line"], summary["template"]);
        assert_eq!(summary["level"], "info");
        assert_eq!(summary["k8s"]["namespace"], "shop");
        assert!(summary["event_id"].as_str().unwrap().ends_with(":sampled"));
    }
    assert_eq!(
        summaries[0]["timestamp"], "2026-11-20T17:00:09Z",
        "of the last one left out"
    );
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    assert!(
        text.contains("logsieve_sink_pending_events{sink=\"a\"} 0"),
        "{text}"
    );
    assert!(
        text.contains("logsieve_sink_repeat_notes_total{sink=\"a\"} 2"),
        "{text}"
    );
    assert!(
        text.contains("logsieve_sink_sampled_events_total{sink=\"a\"} 11"),
        "{text}"
    );
}

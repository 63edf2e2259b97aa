//! What rules and levels say about a line does not depend on the lines around it; where one line goes, its verdict goes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{eval_data, logsieve, objects};

/// The verdict on each line, without what needs memory (the merged template).
fn verdicts(lines: &[String]) -> Vec<Value> {
    let input = lines
        .iter()
        .flat_map(|line| [line.as_bytes(), b"\n"])
        .collect::<Vec<_>>()
        .concat();
    let output = objects(
        &logsieve(["classify", "--format", "json", "--no-join", "-"], &input)
            .expect(0)
            .stdout,
    );
    assert_eq!(output.len(), lines.len());
    let by_rule = |event: &Value| event["stage"] == "rule";
    output
        .iter()
        .map(|e| {
            json!([
                e["level"],
                e["timestamp"],
                e["message"],
                by_rule(e).then(|| (&e["category"], &e["reason"]))
            ])
        })
        .collect()
}

/// A permutation that is the same in every run (Fisher-Yates over a splitmix64 sequence).
fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        order.swap(
            i,
            usize::try_from((z ^ (z >> 31)) % (i as u64 + 1)).unwrap(),
        );
    }
    order
}

fn assert_order_does_not_matter(lines: &[String]) {
    let straight = verdicts(lines);
    for seed in [1, 2] {
        let order = shuffled(lines.len(), seed);
        let moved: Vec<String> = order.iter().map(|at| lines[*at].clone()).collect();
        for (verdict, at) in verdicts(&moved).iter().zip(&order) {
            assert_eq!(*verdict, straight[*at], "line {:?}", lines[*at]);
        }
    }
}

#[test]
fn rules_and_levels_do_not_depend_on_the_order_of_the_lines() {
    let mut lines = Vec::new();
    for n in 0..400 {
        lines.push(match n % 11 {
            0 => format!("2026-03-01T10:00:00Z ERROR db: connection to 10.0.0.{n}:5432 refused"),
            1 => format!("{{\"level\":\"warn\",\"msg\":\"queue length {n}\",\"ts\":1767225600.{n:03}}}"),
            2 => format!("Mar  1 10:00:00 host sshd[{n}]: Failed password for root from 10.1.1.{n} port 22 ssh2"),
            3 => format!("I0301 10:00:00.000000 {n} leader.go:42] became leader"),
            4 => format!("GET /api/v1/items/{n} 200 {n}ms"),
            5 => format!("panic: runtime error: index out of range [{n}] with length 3"),
            6 => format!("level=error msg=\"disk /dev/sd{n} full\" err=\"no space left on device\""),
            7 => format!("user{n} logged in"),
            8 => "\tat com.acme.Pool.take(Pool.java:88)".to_owned(),
            9 => format!("0 errors, {n} warnings"),
            _ => String::new(),
        });
    }
    assert_order_does_not_matter(&lines);
}

/// Whatever is remembered of a line must not speak for another that differs where a rule looks, be it in a number only.
#[test]
fn a_verdict_is_the_same_alone_and_among_its_like() {
    let access = |status: u32| {
        format!(
            "10.0.0.1 - - [01/Mar/2026:10:00:00 +0000] \"GET /x HTTP/1.1\" {status} 17 \"-\" \"curl/8\""
        )
    };
    let mut lines: Vec<String> = [200, 301, 401, 403, 404, 429, 500, 502, 503]
        .map(access)
        .into();
    for n in [0, 1, 9, 11, 15, 134, 137, 139] {
        lines.push(format!("process 4711 exited with code {n}"));
        lines.push(format!("worker killed by signal {n}"));
        lines.push(format!("request failed with status code {n}"));
    }
    for port in [22, 53, 443, 5432, 6379] {
        lines.push(format!("connect to 10.0.0.7:{port} failed: errno {port}"));
    }
    let among = verdicts(&lines);
    for (line, among) in lines.iter().zip(&among) {
        assert_eq!(
            verdicts(std::slice::from_ref(line)),
            std::slice::from_ref(among),
            "{line}"
        );
    }
    let backwards: Vec<String> = lines.iter().rev().cloned().collect();
    let again: Vec<Value> = verdicts(&backwards).into_iter().rev().collect();
    assert_eq!(again, among);
}

#[test]
fn neither_do_they_for_real_lines() {
    let Some(data) = eval_data() else { return };
    for entry in std::fs::read_dir(data.join("loghub")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|ending| ending == "log") {
            let bytes = std::fs::read(&file).unwrap();
            let lines: Vec<String> = String::from_utf8_lossy(&bytes)
                .lines()
                .map(str::to_owned)
                .collect();
            assert_order_does_not_matter(&lines);
        }
    }
}

#[test]
fn a_template_id_is_the_hash_of_its_text_alone() {
    let line = |n: u32| {
        format!(
            "2026-03-01T10:00:00Z INFO request {n} from 10.0.0.{} served",
            n % 250
        )
    };
    let ids = |input: String| -> BTreeMap<String, String> {
        objects(
            &logsieve(["classify", "--format", "json", "-"], input.as_bytes())
                .expect(0)
                .stdout,
        )
        .iter()
        .map(|event| {
            (
                event["template"].as_str().unwrap().to_owned(),
                event["template_id"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
    };
    let alone = ids(line(1) + "\n");
    let late = ids((0..50)
        .map(|n| format!("unrelated {}\n", "x".repeat(n)))
        .collect::<String>()
        + &line(77)
        + "\n");
    let (template, id) = alone.iter().next().unwrap();
    assert_eq!(
        late.get(template),
        Some(id),
        "another run, another order, other lines before: the same template has the same id"
    );
}

//! The Fluent Bit filter as Fluent Bit calls it: what it adds, what it leaves alone, what it costs.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::filter::{Filtered, filter, filter_beside};
use crate::harness::{dir, logsieve, text};

/// A record as Fluent Bit's `tail` makes it.
fn record(line: &str) -> Vec<u8> {
    format!(
        "{{\"stream\":\"stdout\",\"logtag\":\"F\",\"log\":{}}}",
        Value::from(line)
    )
    .into_bytes()
}

/// The record that went on. Panics where it was lost.
#[track_caller]
fn kept(filtered: &Filtered) -> &[u8] {
    filtered
        .record
        .as_deref()
        .expect("Fluent Bit would lose this record")
}

#[test]
fn a_record_gets_five_fields_and_stays_as_it_was_otherwise() {
    let before = br#"{ "n":9223372036854775807,"f":1e400, "log":"sshd[7]: Failed password for root from 10.1.1.9 port 22 ssh2\n","kubernetes":{"labels":{"a":"\u00e9\"","a":null}},"x":[1.50,{}] }"#;
    let Some((_, after)) = filter("logsieve", [before]) else {
        return;
    };
    let after = text(kept(&after[0]));
    let (head, tail) = after.split_at(before.len() - 2);
    assert_eq!(head.as_bytes(), &before[..before.len() - 2]);
    assert_eq!(
        tail.split("\"template_id\"").next().unwrap(),
        r#","category":"security","level":"warn","stage":"rule","confidence":0.970,"#
    );
    assert!(tail.ends_with("\" }"), "{tail}");
}

#[test]
fn a_field_that_is_there_already_is_left_alone() {
    let records = [
        br#"{"level":"weird","log":"disk full","stage":null}"#.to_vec(),
        br#"{"level":1,"logsieve_level":2,"log":"disk full"}"#.to_vec(),
    ];
    let Some((_, after)) = filter("logsieve", &records) else {
        return;
    };
    let once: Value = serde_json::from_slice(kept(&after[0])).unwrap();
    assert_eq!(once["level"], "weird");
    assert_eq!(once["stage"], Value::Null);
    assert!(once["logsieve_level"].is_string() && once["logsieve_stage"].is_string());
    let twice: Value = serde_json::from_slice(kept(&after[1])).unwrap();
    assert_eq!(
        (&twice["level"], &twice["logsieve_level"]),
        (&1.into(), &2.into())
    );
    assert_eq!(twice["category"], "storage");
}

#[test]
fn the_text_is_found_under_its_usual_names() {
    let records = [
        r#"{"message":"x","log":"disk full"}"#,
        r#"{"log":7,"message":"disk full"}"#,
        r#"{"MESSAGE":"disk full","PRIORITY":"3"}"#,
        r#"{"l\u006fg":"disk full"}"#,
    ];
    let Some((_, after)) = filter("logsieve", records) else {
        return;
    };
    for (record, after) in records.iter().zip(&after) {
        let after: Value = serde_json::from_slice(kept(after)).unwrap();
        assert_eq!(after["category"], "storage", "{record}");
    }
}

#[test]
fn whatever_is_doubtful_goes_through_as_it_is() {
    let deep = format!(
        "{{\"a\":{}{},\"log\":\"x\"}}",
        "[".repeat(9000),
        "]".repeat(9000)
    );
    let records: Vec<&[u8]> = vec![
        b"{}",
        b"[]",
        b"null",
        b"{\"log\":\"no end",
        b"{\"log\":\"a\",\"log\":\"b\"}",
        b"{\"log\":\"a\"} x",
        b"{\"log\":\"a\",}",
        b"{\"log\":\"a\" \"b\":1}",
        b"{\"log\":\"\\ud83\"}",
        b"{\"log\":\"tab\there\"}",
        b"{\"log\":{\"nested\":\"a\"}}",
        b"{\"other\":\"text\"}",
        b"{\"log\":\"a\",\"n\":01}",
        deep.as_bytes(),
    ];
    let Some((_, after)) = filter("logsieve", &records) else {
        return;
    };
    assert_eq!(after.len(), records.len());
    for (before, after) in records.iter().zip(&after) {
        assert_eq!(text(kept(after)), text(before));
    }
}

/// Fluent Bit 5.1 prints these, and loses a record whose answer holds them.
#[test]
fn what_fluent_bit_prints_and_does_not_read_is_mended() {
    let records = [
        r#"{"a":nan,"b":[-inf,{"c":inf}],"nan":"nan","log":"disk full \\x nan"}"#,
        r#"{5:"five",-1.5:{true:1},"log":"disk full"}"#,
        r#"{"type":"\x41\x0a\\x","log":"disk full"}"#,
        r#"{"a":-nan}"#,
    ];
    let Some((_, after)) = filter("logsieve", records) else {
        return;
    };
    let after: Vec<Value> = after
        .iter()
        .map(|after| serde_json::from_slice(kept(after)).unwrap())
        .collect();
    assert_eq!(after[0]["a"], Value::Null);
    assert_eq!(after[0]["b"], serde_json::json!([null, {"c": null}]));
    assert_eq!(after[0]["nan"], "nan");
    assert_eq!(after[0]["log"], "disk full \\x nan");
    assert_eq!(after[1]["5"], "five");
    assert_eq!(after[1]["-1.5"]["true"], 1);
    assert_eq!(after[2]["type"], "A\n\\x");
    assert_eq!(after[3], serde_json::json!({"a": null}));
    for record in &after[..3] {
        assert_eq!(record["category"], "storage");
    }
}

#[test]
fn odd_texts_are_judged_or_left_but_never_lost() {
    let odd = [
        String::new(),
        "\n".to_owned(),
        "\u{0}\u{1b}[31m\u{ffff}\u{1f600}".to_owned(),
        "\\ \" / \u{7f}".to_owned(),
        "a".repeat(1 << 20),
        "1 ".repeat(1 << 19),
        "{\"log\":".repeat(1 << 17),
        "\"\\".repeat(1 << 19),
        "[".repeat(1 << 20),
        "at a.b(C.java:1)\n".repeat(60_000),
    ];
    let mut records: Vec<Vec<u8>> = odd.iter().map(|line| record(line)).collect();
    records.push(b"{\"log\":\"\xff\xfe not UTF-8 \x80\"}".to_vec());
    records.push(b"{\"log\":\"\\ud800 half a pair\"}".to_vec());
    let Some((_, after)) = filter("logsieve", &records) else {
        return;
    };
    assert_eq!(after.len(), records.len());
    for (before, after) in records.iter().zip(&after) {
        let after = kept(after);
        assert!(
            after.starts_with(&before[..before.len() - 1]),
            "{:?}",
            text(&before[..before.len().min(60)])
        );
        assert!(text(&after[before.len() - 1..]).starts_with(",\"category\":\""));
    }
}

/// Lines of the kinds that a host prints, with numbers and names that change.
fn kinds(n: usize) -> String {
    let name = ["orders", "billing", "search", "mail", "auth", "cart"][n / 9 % 6];
    match n % 9 {
        0 => format!(
            "2026-03-01T10:00:{:02}.123Z ERROR {name}.db: connection to 10.0.{}.7:5432 refused, trying again in 30 s",
            n % 60,
            n % 250
        ),
        1 => format!(
            "10.0.0.{} - - [01/Mar/2026:10:00:00 +0000] \"GET /{name}/{n} HTTP/1.1\" 200 {n} \"-\" \"curl/8.5.0\"",
            n % 250
        ),
        2 => format!(
            "{{\"level\":\"warn\",\"msg\":\"queue of {name} is {n} long, slowing down\",\"ts\":1767225600.{:03}}}",
            n % 1000
        ),
        3 => format!(
            "Mar  1 10:00:00 host sshd[{n}]: Failed password for {name} from 10.1.1.{} port 22 ssh2",
            n % 250
        ),
        4 => format!(
            "I0301 10:00:00.000000 {n} leader.go:42] successfully acquired the lease kube-system/{name}"
        ),
        5 => format!(
            "level=error msg=\"disk /dev/sd{name} full\" err=\"no space left on device\" caller=disk.go:17 n={n}"
        ),
        6 => format!(
            "2026-03-01 10:00:00,123 INFO  [http-nio-8080-exec-3] c.a.{name}.Login - user {name}{n} logged in from session {:x}",
            n * 7919
        ),
        7 => format!(
            "2026/03/01 10:00:00 http: panic serving 10.0.0.7:41{n}: runtime error: index out of range [{n}] with length 3"
        ),
        _ => format!(
            "[2026-03-01T10:00:00Z INFO  {name}::pool] worker {n} of {name} took {n}ms for job {:08x}",
            n * 104_729
        ),
    }
}

#[test]
fn memory_does_not_grow_with_the_records() {
    let records = (0..60_000).map(|n| record(&kinds(n)));
    let Some((_, after)) = filter("logsieve", records) else {
        return;
    };
    assert_eq!(after.len(), 60_000);
    assert!(after.iter().all(|after| after.record.is_some()));
    // What is remembered of shapes is bounded, and regexes are compiled when a line first needs them.
    let settled = after[20_000].memory;
    assert_eq!(after[59_999].memory, settled, "bytes of linear memory");
    assert!(settled < 48 << 20, "{settled} bytes of linear memory");
}

#[test]
fn a_line_of_a_mebibyte_costs_memory_once() {
    let long = record(&"connection refused by peer ".repeat((1 << 20) / 27));
    let records: Vec<&[u8]> = (0..40).map(|_| long.as_slice()).collect();
    let Some((_, after)) = filter("logsieve", &records) else {
        return;
    };
    assert!(after.iter().all(|after| after.record.is_some()));
    assert_eq!(after[39].memory, after[3].memory);
}

/// Fluent Bit interprets: instructions are its speed. The pack `openstack` has about 50 rules.
#[test]
fn a_record_of_150_bytes_takes_at_most_30_000_instructions() {
    let lines: Vec<String> = (0..18_000).map(|n| kinds(n % 9_000)).collect();
    let records: Vec<Vec<u8>> = lines.iter().map(|line| record(line)).collect();
    for function in ["logsieve_openstack", "logsieve"] {
        let Some((start, after)) = filter(function, &records) else {
            return;
        };
        // By then regexes are compiled, and shapes are known.
        let late = &after[9_000..];
        let bytes: usize = records[9_000..].iter().map(Vec::len).sum();
        let instructions: u64 = late.iter().map(|after| after.instructions).sum();
        println!(
            "{function}: {} instructions a record of {} bytes; start {}; memory {}",
            instructions / 9_000,
            bytes / 9_000,
            start.instructions,
            late[8_999].memory
        );
        let for_150 = instructions * 150 / bytes as u64;
        if function == "logsieve_openstack" {
            assert!(for_150 <= 30_000, "{for_150} instructions for 150 bytes");
        }
    }
}

/// A pack with one rule, as a file for the filter.
fn put_pack(directory: &Path) {
    let pack = directory.join("mine.yaml");
    fs::write(
        &pack,
        "version: 1\nname: fruit\ntaxonomy:\n  version: 1\n  categories: [{id: fruit, means: \"an apple or a pear\"}]\nrules:\n  - id: fruit.apple\n    category: fruit\n    any: [\"apple\"]\n    match: [\"an apple\"]\n",
    )
    .unwrap();
    let packed = logsieve(["rules", "pack", pack.to_str().unwrap()], b"").expect(0);
    fs::write(directory.join("logsieve.pack"), packed.stdout).unwrap();
}

/// What the filter answers to this line, and what it says on standard error.
fn beside(
    directories: &[&Path],
    function: &str,
    records: &[String],
) -> Option<(Vec<Value>, String)> {
    let (_, after, said) = filter_beside(directories, function, records)?;
    let after = after
        .iter()
        .map(|after| serde_json::from_slice(kept(after)).unwrap());
    Some((after.collect(), said))
}

#[test]
fn a_pack_and_keys_from_an_accessible_path_take_the_place_of_those_compiled_in() {
    let (empty, full) = (dir(), dir());
    put_pack(full.path());
    fs::write(full.path().join("logsieve.keys"), "event\n msg\n").unwrap();
    let records = [
        r#"{"log":"an apple"}"#.to_owned(),
        r#"{"msg":"an apple","log":"a stone"}"#.to_owned(),
        r#"{"log":"disk full"}"#.to_owned(),
    ];
    // The first directory that has the file.
    let both = [empty.path(), full.path()];
    let Some((after, said)) = beside(&both, "logsieve", &records) else {
        return;
    };
    assert_eq!(after[0]["category"], "fruit");
    assert_eq!(after[1]["category"], "fruit");
    assert_ne!(after[2]["category"], "storage");
    assert_eq!(said, "logsieve: logsieve.pack: 1 rules\n");
    // The other function keeps its pack, and has the keys too.
    let (after, _) = beside(&both, "logsieve_openstack", &records).unwrap();
    assert_ne!(after[0]["category"], "fruit");
    let (after, said) = beside(&[empty.path()], "logsieve", &records).unwrap();
    assert_eq!(after[2]["category"], "storage");
    assert_eq!(said, "");
}

#[test]
fn a_volume_of_kubernetes_is_made_of_links() {
    let volume = dir();
    let data = volume.path().join("..2026_03_01");
    fs::create_dir(&data).unwrap();
    put_pack(&data);
    std::os::unix::fs::symlink("..2026_03_01", volume.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/logsieve.pack", volume.path().join("logsieve.pack"))
        .unwrap();
    let records = [r#"{"log":"an apple"}"#.to_owned()];
    let Some((after, said)) = beside(&[volume.path()], "logsieve", &records) else {
        return;
    };
    assert_eq!(after[0]["category"], "fruit", "{said}");
}

#[test]
fn a_pack_that_is_of_no_use_is_told_once_and_what_is_compiled_in_is_used() {
    let packed = {
        let place = dir();
        put_pack(place.path());
        fs::read(place.path().join("logsieve.pack")).unwrap()
    };
    let mut damaged = packed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let cases: [(&[u8], &str); 5] = [
        (b"", "no packed pack"),
        (b"version: 1\nname: fruit\n", "no packed pack"),
        (&damaged, "damaged"),
        (&packed[..packed.len() - 1], "damaged"),
        (&vec![b'x'; 5 << 20], "larger"),
    ];
    let records = vec![r#"{"log":"disk full"}"#.to_owned(); 3];
    let place = dir();
    let file = place.path().join("logsieve.pack");
    for (bytes, told) in cases {
        fs::write(&file, bytes).unwrap();
        let Some((after, said)) = beside(&[place.path()], "logsieve", &records) else {
            return;
        };
        assert_eq!(after[2]["category"], "storage");
        assert!(
            said.contains(told) && said.contains("logsieve.pack"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    // What is no file, what lies outside of the directory, keys that are no text.
    let outside = dir();
    fs::write(outside.path().join("pack"), &packed).unwrap();
    for make in [
        (|file: &Path, _: &Path| fs::create_dir(file).unwrap()) as fn(&Path, &Path),
        |file, outside| {
            fs::remove_dir(file).unwrap();
            std::os::unix::fs::symlink(outside.join("pack"), file).unwrap();
        },
    ] {
        let _ = fs::remove_file(&file);
        make(&file, outside.path());
        fs::write(place.path().join("logsieve.keys"), b"\xff").unwrap();
        let (after, said) = beside(&[place.path()], "logsieve", &records).unwrap();
        assert_eq!(after[2]["category"], "storage");
        assert_eq!(said.lines().count(), 2, "{said}");
        assert!(
            said.contains("logsieve.pack: ") && said.contains("logsieve.keys: "),
            "{said}"
        );
    }
}

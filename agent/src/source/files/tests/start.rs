//! Where reading begins: at the start, and after a restart.

use std::fs;

use logline::decode::Wrapper;

use super::rig::{Rig, append, config, patterns, temp};
use crate::source::files::{Marker, Resume, Start};
use crate::source::{Closed, Own};

#[test]
fn what_is_there_is_read_and_what_comes_as_well() {
    let dir = temp();
    append(&dir.path().join("a.log"), "one\n");
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    rig.until_bytes(4);
    rig.append("a.log", "tw");
    rig.append("a.log", "o\n");
    rig.append("b.log", "three\n");
    rig.append("ignored.txt", "x\n");
    rig.until_bytes(14);
    assert_eq!(rig.texts(), ["one\ntwo\n", "three\n"]);
}

#[test]
fn a_tail_begins_at_a_line() {
    let dir = temp();
    append(
        &dir.path().join("a.log"),
        "first line\nsecond line\nthird\n",
    );
    append(&dir.path().join("b.log"), "short\n");
    append(&dir.path().join("c.log"), "x".repeat(50) + "unfinished");
    let mut config = config(dir.path());
    config.start_at = Start::Tail(10);
    let mut rig = Rig::start(dir.path(), config);
    rig.until_bytes("third\nshort\n".len());
    rig.append("c.log", " line\nnext\n");
    rig.until_bytes("third\nshort\nnext\n".len());
    assert_eq!(rig.stream("third\n").1.start, Some(23));
    assert_eq!(rig.stream("short\n").1.start, Some(0));
    assert_eq!(rig.stream("next\n").1.start, Some(66));
}

#[test]
fn from_the_end_only_new_lines_come() {
    let dir = temp();
    append(&dir.path().join("a.log"), "old\n");
    let mut config = config(dir.path());
    config.start_at = Start::End;
    let mut rig = Rig::start(dir.path(), config);
    rig.append("a.log", "new\n");
    rig.append("b.log", "later files are read whole\n");
    rig.until_bytes(31);
    assert_eq!(rig.stream("new\n").1.start, Some(4));
}

#[test]
fn the_marker_of_a_short_file_grows_with_it() {
    let mut rig = Rig::new();
    rig.append("a.log", "one\n");
    rig.until_bytes(4);
    let first = rig.stream("one\n").1.file.marker;
    assert_eq!(first, Marker::of(b"one\n"));
    let long = "y".repeat(1000) + "\n";
    rig.append("a.log", &long);
    rig.until_bytes(1005);
    let text = format!("one\n{long}");
    let marker = rig.stream(&text).1.file.marker;
    assert_eq!(usize::from(marker.length), Marker::MAX);
    assert!(first.fits(text.as_bytes()) && marker.fits(text.as_bytes()));
    assert!(!marker.fits(b"one\n") && !marker.fits("z".repeat(300).as_bytes()));
}

#[test]
fn a_restart_goes_on_where_it_was_also_in_a_file_that_was_rotated_meanwhile() {
    let dir = temp();
    let mut rig = Rig::start(dir.path(), config(dir.path()));
    for name in ["rotated.log", "stays.log", "replaced.log", "done.log"] {
        rig.append(name, format!("{name} before\n"));
    }
    rig.until_bytes(
        "rotated.log before\nstays.log before\nreplaced.log before\ndone.log before\n".len(),
    );
    let resume = rig
        .streams
        .values()
        .map(|told| Resume::new(told.file, told.bytes.len() as u64))
        .collect();
    drop(rig);
    let path = |name: &str| dir.path().join(name);
    append(&path("rotated.log"), "remainder\n");
    fs::rename(path("rotated.log"), path("rotated.log.1")).unwrap();
    fs::rename(path("done.log"), path("done.log.1")).unwrap();
    append(&path("rotated.log"), "successor\n");
    append(&path("stays.log"), "after\n");
    fs::write(
        path("replaced.log"),
        "quite another file, in the same inode\n",
    )
    .unwrap();
    append(&path("new.log"), "new\n");
    let mut config = config(dir.path());
    config.resume = resume;
    config.start_at = Start::End;
    let mut rig = Rig::start(dir.path(), config);
    rig.until_closed("remainder\n", Closed::Rotated);
    let expected = "remainder\nsuccessor\nafter\nquite another file, in the same inode\nnew\n";
    rig.until_bytes(expected.len());
    assert_eq!(rig.stream("remainder\n").1.start, Some(19));
    assert_eq!(rig.stream("after\n").1.start, Some(17));
    for (text, resumed) in [("remainder\n", true), ("after\n", true), ("new\n", false)] {
        assert_eq!(rig.stream(text).1.resumed.is_some(), resumed, "{text}");
    }
    assert_eq!(
        rig.stream("quite another file, in the same inode\n")
            .1
            .start,
        Some(0)
    );
    let (remainder, _) = rig.stream("remainder\n");
    assert_eq!(rig.stream("successor\n").1.follows, Some(remainder));
}

#[test]
fn the_path_tells_the_pod_and_the_link_the_container() {
    let dir = temp();
    let id = "ab".repeat(32);
    let pod = dir.path().join("pods/shop_cart-0_1234-uid/app");
    let links = dir.path().join("containers");
    fs::create_dir_all(&pod).unwrap();
    fs::create_dir_all(&links).unwrap();
    append(&pod.join("3.log"), "2026-01-02T03:04:05Z stdout F hi\n");
    std::os::unix::fs::symlink(
        pod.join("3.log"),
        links.join(format!("cart-0_shop_app-{id}.log")),
    )
    .unwrap();
    let both = [
        format!("{}/containers/*.log", dir.path().display()),
        format!("{}/pods/*/*/*.log", dir.path().display()),
    ];
    let mut rig = Rig::start(dir.path(), patterns(&both));
    rig.until_bytes(33);
    // Two names of one file are one stream.
    assert_eq!(rig.streams.len(), 1);
    let told = rig.streams.values().next().unwrap();
    assert_eq!(told.wrapper, Wrapper::Cri);
    let k8s = told.origin.k8s.as_ref().unwrap();
    assert_eq!(
        (
            k8s.namespace.as_str(),
            k8s.pod.as_str(),
            k8s.uid.as_str(),
            k8s.container.as_str(),
            k8s.restart
        ),
        ("shop", "cart-0", "1234-uid", "app", Some(3))
    );
    let container = told.origin.container.as_ref().unwrap();
    assert_eq!(
        (container.id.as_str(), container.name.as_str()),
        (id.as_str(), "app")
    );
    assert!(
        told.origin
            .name
            .ends_with("/pods/shop_cart-0_1234-uid/app/3.log")
    );
}

#[test]
fn dockers_own_record_gives_name_and_image_but_no_environment() {
    let dir = temp();
    let container = |id: &str, labels: &str| {
        let path = dir.path().join(id);
        fs::create_dir(&path).unwrap();
        let record = format!(
            r#"{{"StreamConfig":{{}},"Config":{{"Env":["PASSWORD=hunter2"],"Image":"nginx:1","Labels":{{{labels}}}}},"Name":"/web"}}"#
        );
        fs::write(path.join("config.v2.json"), record).unwrap();
        append(&path.join(format!("{id}-json.log")), "{}\n");
    };
    let (web, shy, own) = ("1a".repeat(32), "2b".repeat(32), "3c".repeat(32));
    container(&web, r#""team":"red","other":"x""#);
    container(&shy, r#""logsieve/exclude":"true""#);
    container(&own, "");
    let mut config = patterns(&[format!("{}/*/*-json.log", dir.path().display())]);
    config.docker_labels = vec!["team".into()];
    config.own = Own::from_system("", "", &own[..12], true);
    let mut rig = Rig::start(dir.path(), config);
    rig.until_bytes(3);
    append(
        &dir.path().join(&web).join(format!("{web}-json.log")),
        "{}\n",
    );
    rig.until_bytes(6);
    assert_eq!(rig.streams.len(), 1);
    let told = rig.streams.values().next().unwrap();
    assert_eq!(told.wrapper, Wrapper::DockerJson);
    assert!(!format!("{told:?}").contains("hunter2"));
    let container = told.origin.container.as_ref().unwrap();
    assert_eq!(
        (
            container.id.as_str(),
            container.name.as_str(),
            container.image.as_str()
        ),
        (web.as_str(), "web", "nginx:1")
    );
    assert_eq!(container.labels, [("team".to_owned(), "red".to_owned())]);
}

#[test]
fn what_was_written_before_a_shutdown_is_still_read() {
    let dir = temp();
    let mut config = config(dir.path());
    config.chunk_bytes = 10;
    config.grace = std::time::Duration::from_secs(60);
    let mut rig = Rig::start_with(dir.path(), config, 1);
    rig.append("a.log", "123456789\n".repeat(1000));
    rig.until("a beginning", |rig| rig.total() > 0);
    rig.shut_down();
    assert_eq!(rig.total(), 10_000);
}

#[test]
fn a_shutdown_does_not_wait_for_a_receiver_that_never_receives() {
    let dir = temp();
    append(&dir.path().join("a.log"), "x".repeat(100));
    let mut config = config(dir.path());
    config.chunk_bytes = 1;
    config.grace = std::time::Duration::from_millis(1);
    let rig = Rig::start_with(dir.path(), config, 1);
    rig.end_without_receiving();
}

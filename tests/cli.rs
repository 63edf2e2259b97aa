//! Wrong use, `check`, `explain`, `rules test`, `completions`, exit codes.

use crate::harness::{dir, logsieve, text};

#[test]
fn wrong_use_is_2_and_names_what_is_allowed() {
    for args in [
        vec!["clasify"],
        vec!["classify", "--format", "xml", "-"],
        vec!["run", "--nonsense"],
        vec!["explain"],
    ] {
        let output = logsieve(&args, b"").expect(2);
        assert!(output.stdout.is_empty(), "{args:?} prints to stdout");
        assert!(
            output.stderr.contains("Usage") || output.stderr.contains("possible values"),
            "{args:?}: {}",
            output.stderr
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = logsieve(["classify", "--format", "json", "/nowhere/at/all.log"], b"").expect(1);
    assert!(
        output.stderr.contains("/nowhere/at/all.log"),
        "{}",
        output.stderr
    );
}

#[test]
fn check_without_a_file_prints_every_default_and_takes_them_back() {
    let shown = logsieve(["check"], b"").expect(0).stdout;
    for key in [
        "include",
        "start_at",
        "max_bytes",
        "max_templates",
        "listen",
        "drain_timeout_seconds",
    ] {
        assert!(text(&shown).contains(key), "no {key}");
    }
    let dir = dir();
    let file = dir.path().join("defaults.yaml");
    std::fs::write(&file, &shown).unwrap();
    logsieve(["check", file.to_str().unwrap()], b"").expect(0);
    std::fs::write(&file, "").unwrap();
    logsieve(["check", file.to_str().unwrap()], b"").expect(0);
}

#[test]
fn a_misspelt_key_is_refused_with_place_and_nearest_name() {
    let dir = dir();
    let file = dir.path().join("typo.yaml");
    std::fs::write(
        &file,
        "# comment\nsources:\n  files:\n    inclde: [\"/tmp/*.log\"]\n",
    )
    .unwrap();
    let name = file.to_str().unwrap();
    for command in [vec!["check", name], vec!["run", "-c", name]] {
        let output = logsieve(&command, b"").expect(2);
        assert!(
            output.stderr.contains(&format!("{name}:4")),
            "file and line: {}",
            output.stderr
        );
        assert!(
            output.stderr.contains("`inclde`") && output.stderr.contains("`include`"),
            "{}",
            output.stderr
        );
    }
}

#[test]
fn configurations_that_cannot_be_used_are_2_and_say_why() {
    let dir = dir();
    let cases = [
        ("telemetry: {listen: \"0.0.0.0:7334\"}\n", "token"),
        ("telemetry: {listen: nowhere}\n", "telemetry.listen"),
        ("sources: {files: {start_at: midle}}\n", "`midle`"),
        ("events: {max_bytes: 1}\n", "events.max_bytes"),
        ("events: {max_bytes: lots}\n", "max_bytes.yaml:1"),
        ("classify: {pack: nonesuch}\n", "nonesuch"),
        ("sources: [\n", "half.yaml:"),
        (
            "sources: {files: {include: [\"/var/[log\"]}}\n",
            "/var/[log",
        ),
    ];
    for (yaml, told) in cases {
        let stem = if told == "half.yaml:" {
            "half"
        } else {
            "max_bytes"
        };
        let file = dir.path().join(format!("{stem}.yaml"));
        std::fs::write(&file, yaml).unwrap();
        let output = logsieve(["check", file.to_str().unwrap()], b"");
        assert_eq!(output.code, 2, "{yaml}");
        assert!(output.stderr.contains(told), "{yaml}: {}", output.stderr);
    }
}

#[test]
fn explain_tells_stage_header_and_template() {
    let line = "2026-03-01T10:00:01.000Z ERROR db: connection to 10.0.0.7:5432 refused";
    let shown = text(&logsieve(["explain", line], b"").expect(0).stdout);
    for part in ["error", "template", "connection to", "2026-03-01"] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
}

#[test]
fn a_shipped_pack_passes_its_own_examples_by_name_and_as_a_file() {
    // The general pack's thousand lines are run where they are quick: in logline's own tests.
    let file = crate::harness::repo().join("rules/openstack.yaml");
    for pack in ["openstack", file.to_str().unwrap()] {
        let said = text(&logsieve(["rules", "test", pack], b"").expect(0).stdout);
        assert!(said.contains(" 0 failed"), "{said}");
    }
}

/// A pack with one category; `rule` is the body of its only rule, indented by four.
fn pack(rule: &str) -> String {
    format!(
        "version: 1\nname: mine\ntaxonomy:\n  version: 1\n  categories:\n    - {{id: fruit, means: \"fruit\"}}\nrules:\n  - id: fruit.apple\n    category: fruit\n{rule}"
    )
}

#[test]
fn a_pack_that_fails_its_examples_is_1_and_names_the_rule() {
    let dir = dir();
    let file = dir.path().join("mine.yaml");
    let name = file.to_str().unwrap();
    std::fs::write(&file, pack("    any: [\"apple\"]\n    match: [\"an apple fell\"]\n    no_match: [\"a pear fell\"]\n")).unwrap();
    logsieve(["rules", "test", name], b"").expect(0);
    for wrong in [
        "    any: [\"apple\"]\n    match: [\"a pear fell\"]\n",
        "    any: [\"apple\"]\n    match: [\"an apple fell\"]\n    no_match: [\"one more apple\"]\n",
    ] {
        std::fs::write(&file, pack(wrong)).unwrap();
        let output = logsieve(["rules", "test", name], b"").expect(1);
        let said = text(&output.stdout) + &output.stderr;
        assert!(said.contains("fruit.apple"), "{said}");
    }
}

#[test]
fn a_broken_pack_is_2_and_names_the_place() {
    let dir = dir();
    let file = dir.path().join("mine.yaml");
    let name = file.to_str().unwrap();
    let cases = [
        (
            "    regex: [\"apple(\"]\n    match: [\"apple\"]\n",
            "fruit.apple",
        ),
        (
            "    regex: [\"(a{1000}){1000}{1000}\"]\n    match: [\"apple\"]\n",
            "fruit.apple",
        ),
        ("    any: []\n    match: [\"apple\"]\n", "fruit.apple"),
        ("    anny: [\"apple\"]\n    match: [\"apple\"]\n", "anny"),
        (
            "    any: [\"apple\"]\n    category: vegetable\n    match: [\"apple\"]\n",
            "category",
        ),
    ];
    for (rule, told) in cases {
        std::fs::write(&file, pack(rule)).unwrap();
        for command in [
            vec!["rules", "test", name],
            vec!["rules", "pack", name],
            vec!["classify", "--pack", name, "-"],
        ] {
            let output = logsieve(&command, b"an apple\n");
            assert_eq!(output.code, 2, "{rule}: {output:?}");
            assert!(
                output.stderr.contains(told) && output.stderr.contains(name),
                "{rule}: {}",
                output.stderr
            );
        }
    }
}

#[test]
fn completions_are_scripts_that_their_shell_takes() {
    for shell in ["bash", "zsh", "fish"] {
        let script = logsieve(["completions", shell], b"").expect(0).stdout;
        assert!(text(&script).contains("classify"), "{shell}");
        if shell == "bash" {
            let output = std::process::Command::new("bash")
                .args(["-n", "-c", &text(&script)])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    }
    logsieve(["completions", "tcsh-but-wrong"], b"").expect(2);
}

#[test]
fn generate_makes_the_same_lines_for_the_same_seed_and_keeps_to_a_rate() {
    let made = |arguments: &[&str]| {
        text(
            &logsieve(["generate"].iter().chain(arguments), b"")
                .expect(0)
                .stdout,
        )
    };
    let once = made(&["connection refused", "-n", "200", "--seed", "7"]);
    assert_eq!(once.lines().count(), 200);
    assert_eq!(
        once,
        made(&["connection refused", "-n", "200", "--seed", "7"])
    );
    assert_ne!(
        once,
        made(&["connection refused", "-n", "200", "--seed", "8"])
    );
    assert!(once.lines().all(|line| line.contains("refused")), "{once}");
    assert_eq!(made(&[]).lines().count(), 1);
    let began = std::time::Instant::now();
    let paced = made(&["-n", "21", "--rate", "20"]);
    assert_eq!(paced.lines().count(), 21);
    assert!(began.elapsed().as_secs_f64() >= 1.0);
    logsieve(["generate", "--rate", "0"], b"").expect(2);
}

use std::fs;
use std::path::{Path, PathBuf};

use super::judge::{Judge, text_of};
use super::model::Model;

/// A model made by `make model`, where one is at hand.
fn made() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    let place =
        std::env::var_os("LOGSIEVE_MODEL").map_or_else(|| target.join("model"), PathBuf::from);
    if place.join("selftest.json").is_file() {
        return Some(place);
    }
    println!(
        "SKIPPED: no model at {} (make model makes one; LOGSIEVE_MODEL names another place)",
        place.display()
    );
    None
}

/// What is wrong with the directory, in words.
fn refusal(directory: &Path) -> String {
    match Model::open(directory, None, 1) {
        Ok(_) => panic!("a model that is none was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_agent_judges_as_the_training_did() {
    let Some(directory) = made() else { return };
    let selftest: Vec<serde_json::Value> =
        serde_json::from_slice(&fs::read(directory.join("selftest.json")).expect("read"))
            .expect("JSON");
    let texts: Vec<&str> = selftest
        .iter()
        .filter_map(|case| case["text"].as_str())
        .collect();
    assert!(texts.len() >= 3);
    let pack = logline::rules::Pack::builtin("general").expect("the pack");
    let mut judge = Judge::open(&directory, None, 1, &pack).expect("a model");
    for (verdict, case) in judge
        .verdicts(&texts)
        .expect("verdicts")
        .iter()
        .zip(&selftest)
    {
        assert_eq!(case["category"], verdict.category.as_str(), "{case}");
        let confidence = case["confidence"].as_f64().expect("a number");
        assert!(
            (f64::from(verdict.confidence) - confidence).abs() < 0.02,
            "{verdict:?} {case}"
        );
    }
    // Alone or with others, long or short: a verdict does not depend on its batch.
    let alone = judge.verdicts(&texts[..1]).expect("a verdict");
    let mut many = texts.clone();
    let long = "segment of a text that is far longer than the model reads ".repeat(2_000);
    many.extend([long.as_str(), ""]);
    let together = judge.verdicts(&many).expect("verdicts");
    assert!((alone[0].confidence - together[0].confidence).abs() < 1e-3);
    assert_eq!(together.len(), many.len());
}

#[test]
fn a_file_that_was_changed_is_named() {
    let Some(directory) = made() else { return };
    let copy = tempfile::tempdir().expect("a directory");
    for entry in fs::read_dir(&directory).expect("a directory") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("a copy");
    }
    let model = copy.path().join("model.onnx");
    let whole = fs::read(&model).expect("read");
    fs::write(&model, &whole[..whole.len() / 2]).expect("written");
    let told = refusal(copy.path());
    assert!(
        told.contains("model.onnx") && told.contains("hash"),
        "{told}"
    );
    // Without a manifest it is the user's own, and then it does not load.
    fs::remove_file(copy.path().join("manifest.json")).expect("removed");
    let told = refusal(copy.path());
    assert!(told.contains("model.onnx: cannot be loaded"), "{told}");
    fs::remove_file(copy.path().join("tokenizer.json")).expect("removed");
    let told = refusal(copy.path());
    assert!(told.contains("tokenizer.json: cannot be read"), "{told}");
}

#[test]
fn a_directory_without_a_model_is_told_with_the_remedy() {
    let empty = tempfile::tempdir().expect("a directory");
    let told = refusal(empty.path());
    assert!(
        told.contains("model.onnx: cannot be read") && told.contains("make model"),
        "{told}"
    );
    fs::write(empty.path().join("model.onnx"), "no model").expect("written");
    let told = refusal(empty.path());
    assert!(told.contains("config.json"), "{told}");
    fs::write(
        empty.path().join("config.json"),
        r#"{"id2label": {"7": "x"}}"#,
    )
    .expect("written");
    let told = refusal(empty.path());
    assert!(told.contains("id2label names a class 7"), "{told}");
    fs::write(
        empty.path().join("config.json"),
        r#"{"id2label": {"0": "x"}}"#,
    )
    .expect("written");
    fs::write(empty.path().join("tokenizer.json"), "{}").expect("written");
    let told = refusal(empty.path());
    assert!(told.contains("tokenizer.json: is no tokenizer"), "{told}");
}

#[test]
fn the_model_is_shown_who_speaks_how_bad_it_is_and_the_template() {
    assert_eq!(
        text_of("sshd", "warn", "closed by <ip>"),
        "sshd | warn | closed by <ip>"
    );
    assert_eq!(text_of("", "info", "closed"), "info | closed");
}
